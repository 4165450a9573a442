/* SPDX-License-Identifier: Apache-2.0
 * bench_expect.h - thresholds: "connected==100%", "p99<50ms".
 *
 * Layer: bench. Pure functions. docs/bench.md lists the metrics. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bench/judge/bench_verdict.h"

#define BENCH_EXPECT_TEXT_MAX 128
#define BENCH_EXPECTS_MAX     32

enum bench_comparison {
	BENCH_EQUAL,
	BENCH_UNEQUAL,
	BENCH_LESS,
	BENCH_AT_MOST,
	BENCH_MORE,
	BENCH_AT_LEAST,
};

struct bench_expect {
	char text[BENCH_EXPECT_TEXT_MAX];
	unsigned metric; /* index in the table of metrics */
	enum bench_comparison comparison;
	bool is_percent; /* `value` is a share of what was asked for or sent */
	double value;    /* count, percent or, for times, nanoseconds */
};

/* Reads METRIC OPERATOR NUMBER, with spaces between them or not. Returns 0, or
 * -EINVAL with one sentence in `error`; nothing is written to *out_expect then. */
int bench_expect_parse(const char *text, struct bench_expect *out_expect, char *error,
		       size_t error_size);

/* Compares it with what was seen. What was never measured meets nothing. */
void bench_expect_check(const struct bench_expect *expect, const struct bench_result *result,
			struct bench_check *out_check);
