/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_stats.h"

#include <stddef.h>

#include "base/check.h"
#include "base/counter.h"

#define LABEL(name, label) label,
static const char *const outcome_labels[] = {WEBHOOK_OUTCOME_TABLE(LABEL)};
static const char *const cause_labels[] = {WEBHOOK_CAUSE_TABLE(LABEL)};

const char *webhook_outcome_label(enum webhook_outcome outcome)
{
	CHECK((size_t)outcome < ARRAY_LEN(outcome_labels));
	return outcome_labels[outcome];
}

const char *webhook_cause_label(enum webhook_cause cause)
{
	CHECK((size_t)cause < ARRAY_LEN(cause_labels));
	return cause_labels[cause];
}

void webhook_stats_copy(struct webhook_stats *out, const struct webhook_stats *stats)
{
	/* Nothing but uint64_t in it, so it can be read as a row of them. */
	_Static_assert(sizeof(struct webhook_stats) % sizeof(uint64_t) == 0, "a row of numbers");
	uint64_t *to = (uint64_t *)(void *)out;
	const uint64_t *values = (const uint64_t *)(const void *)stats;

	for (size_t i = 0; i < sizeof(struct webhook_stats) / sizeof(uint64_t); i++)
		to[i] = counter_read(&values[i]);
}
