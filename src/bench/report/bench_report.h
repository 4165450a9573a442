/* SPDX-License-Identifier: Apache-2.0
 * bench_report.h - the outcome of a load test, for people and as JSON.
 *
 * Layer: bench. Main thread only, after the test. docs/bench.md describes both. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "bench/load/bench_preflight.h"
#include "bench/judge/bench_stats.h"
#include "bench/judge/bench_verdict.h"
#include "bench/load/bench_worker.h"

struct bench_report {
	const struct bench_setup *setup;
	const struct bench_result *result;
	const char *engine_reason;
	const char *verdict;
	bool is_passed;
	const struct bench_plateau *plateau;
	const struct bench_check *checks; /* of --expect */
	size_t check_count;
	const struct bench_preflight *preflight;
	const struct bench_evidence *evidence;
	/* In the form of diag/limits_json.h; NULL if not known. */
	const json_t *tester_limits, *server_limits;
	const json_t *before;    /* --compare; NULL: none */
	const char *server_note; /* how the server's were learnt, or why not; may be "" */
};

/* Ends with the verdict. */
void bench_report_print(const struct bench_report *report, FILE *to);

/* Writes one JSON object; 0 or a negative errno. */
int bench_report_write_json(const struct bench_report *report, FILE *to);
