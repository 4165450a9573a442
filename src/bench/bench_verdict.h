/* SPDX-License-Identifier: Apache-2.0
 * bench_verdict.h - the outcome of a load test in one line, and who stopped it.
 *
 * Layer: bench. Pure functions, after the test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/bench_stats.h"

/* Where the number of open connections stopped to rise, short of what was wanted. */
struct bench_plateau {
	bool is_found;
	uint64_t at; /* connections */
	enum bench_side side;
	char limit[64]; /* its name; "" if it is not known */
	char text[512]; /* "plateau at 1,000: the server's max_connections" */
};

/* One --expect, and whether it is met. */
struct bench_check {
	char text[128]; /* as it was given */
	char seen[64];  /* the value, in its unit */
	bool is_met;
};

/* Writes the one-line verdict; true if the test is passed. */
bool bench_verdict(const struct bench_result *result, char *out, size_t size);
