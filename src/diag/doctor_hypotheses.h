/* SPDX-License-Identifier: Apache-2.0
 * doctor_hypotheses.h - what may keep a number of connections from being held, and what the limits
 * say for or against each.
 *
 * Layer: diag; for doctor_markdown.c and tests. Pure: in the order in which one looks, whatever
 * starts first. */
#pragma once

#include "diag/doctor.h"
#include "diag/report_page.h"

/* X(NAME): its sentence is REPORT_WORD_DH_NAME */
#define DOCTOR_HYPOTHESES(X) \
	X(STARTS)            \
	X(OWN)               \
	X(DESCRIPTORS)       \
	X(FILES)             \
	X(MEMORY)            \
	X(THREADS)           \
	X(CONNTRACK)         \
	X(USED_UP)           \
	X(QUEUE)             \
	X(BURST)             \
	X(PACED)             \
	X(PORTS)

#define DOCTOR_HYPOTHESIS_ENUM(NAME) DOCTOR_HYPOTHESIS_##NAME,
enum doctor_hypothesis_id { DOCTOR_HYPOTHESES(DOCTOR_HYPOTHESIS_ENUM) DOCTOR_HYPOTHESIS_COUNT };

struct doctor_hypothesis {
	enum report_outcome outcome;
	char evidence[1024]; /* UTF-8 */
};

void doctor_hypotheses_judge(const struct doctor_case *asked, const struct doctor_answer *answer,
			     enum report_lang lang,
			     struct doctor_hypothesis out[DOCTOR_HYPOTHESIS_COUNT]);

/* What it says, in a sentence. */
const char *doctor_hypothesis_text(enum doctor_hypothesis_id id, enum report_lang lang);
