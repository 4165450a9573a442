/* SPDX-License-Identifier: Apache-2.0 */
#include "server/handover.h"

#include "base/check.h"

#define OUTCOME_ROW(NAME, label, help) {label, help},
static const struct {
	const char *label;
	const char *help;
} outcomes[] = {HANDOVER_OUTCOME_TABLE(OUTCOME_ROW)};

#define STEP_ROW(NAME, text) text,
static const char *const steps[] = {HANDOVER_STEP_TABLE(STEP_ROW)};

const char *handover_outcome_label(enum handover_outcome outcome)
{
	CHECK(outcome < HANDOVER_OUTCOME_COUNT);
	return outcomes[outcome].label;
}

const char *handover_outcome_help(enum handover_outcome outcome)
{
	CHECK(outcome < HANDOVER_OUTCOME_COUNT);
	return outcomes[outcome].help;
}

const char *handover_step_text(enum handover_step step)
{
	CHECK(step < HANDOVER_STEP_COUNT);
	return steps[step];
}
