/* SPDX-License-Identifier: Apache-2.0
 * doctor.h - says which limit binds, whether a number of connections can be held, and
 * what to change.
 *
 * Layer: diag. Pure functions over facts that the caller has read. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "diag/limits.h"
#include "diag/process.h"
#include "diag/report_words.h"

/* What is asked. */
struct doctor_case {
	const struct limits_input *input;
	const struct limits *limits;
	const struct process *process; /* NULL: what a gateway of the configuration would be */
	uint64_t wanted;               /* connections asked about; 0: none were */
	uint64_t raised_from;          /* soft nofile before it was raised; 0: it was not */
	const char *obstacle;          /* why the gateway could not even start; NULL: nothing */
	const json_t *own_table; /* `limits` are what a gateway says of itself, here; or NULL */
	const char *own_problem; /* why a gateway's own limits are not known; NULL: they are,
				  * or it is none of ours */
	const char *clients_url; /* where clients come in, for a test; NULL: not known */
	const char *limits_url;  /* where it tells its limits; NULL: nowhere */
};

struct doctor_change {
	enum limit_id limit;
	bool is_advice; /* connections can be held without it, but not come at once */
	struct limit_remedy remedy;
};

#define DOCTOR_CHANGES_MAX (LIMIT_ID_COUNT * LIMIT_REMEDIES_MAX)

/* What is answered. */
struct doctor_answer {
	bool is_good; /* `wanted` fits, or what is configured; and nothing is used up */
	char verdict[1024];
	uint64_t target; /* connections that the changes are for; 0: none are needed */
	size_t change_count;
	struct doctor_change changes[DOCTOR_CHANGES_MAX];
};

/* Percent of a limit from which on a verdict is bad. */
#define DOCTOR_USED_UP 95

/* The table of a program that is not ours, from what was seen of it. Points to `os`. */
void doctor_process_input(const struct process *process, const struct os_limits *os,
			  struct limits_input *out_input);

/* As limit_remedies(), of the table that is judged by. */
size_t doctor_remedies(const struct doctor_case *asked, const struct limit *limit,
		       uint64_t connections, struct limit_remedy out[LIMIT_REMEDIES_MAX]);

void doctor_judge(const struct doctor_case *asked, struct doctor_answer *out_answer);

/* Verdict, process, table, changes. `has_colours`: with escape sequences. */
void doctor_print(const struct doctor_case *asked, const struct doctor_answer *answer,
		  bool has_colours, FILE *to);

/* The same as a document, in Markdown (docs/doctor.md). 0 or a negative errno. */
int doctor_write_markdown(const struct doctor_case *asked, const struct doctor_answer *answer,
			  enum report_lang lang, FILE *to);

/* limits_json, and {"verdict", "fits", "wanted", "engine", "engine_reason",
 * "nofile_raised_from", "process": {...} or null, "changes": [{"limit", "place", "text",
 * "advice"}]}. The caller owns the reference; NULL without memory. */
json_t *doctor_json(const struct doctor_case *asked, const struct doctor_answer *answer);

/* The same where there is no table: what is known is null. */
json_t *doctor_json_failure(const char *verdict, uint64_t wanted);
