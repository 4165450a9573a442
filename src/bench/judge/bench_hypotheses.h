/* SPDX-License-Identifier: Apache-2.0
 * bench_hypotheses.h - what may stop a load test, and what was seen for or against each.
 *
 * Layer: bench. A pure function, after the test. In the order in which one looks: the own side
 * first, then what is in between, then the server. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bench/judge/bench_stats.h"
#include "bench/judge/bench_verdict.h"
#include "diag/report_page.h"

/* X(NAME, its sentence) */
#define BENCH_HYPOTHESES(X)         \
	X(TESTER, HYP_TESTER)       \
	X(CPU, HYP_CPU)             \
	X(LISTENING, HYP_LISTENING) \
	X(NETWORK, HYP_NETWORK)     \
	X(TLS, HYP_TLS)             \
	X(TARGET, HYP_TARGET)       \
	X(REFUSED, HYP_REFUSED)     \
	X(FULL, HYP_FULL)           \
	X(QUEUE, HYP_QUEUE)         \
	X(SLOW, HYP_SLOW)           \
	X(DROPS, HYP_DROPS)         \
	X(ECHO, HYP_ECHO)

#define BENCH_HYPOTHESIS_ENUM(NAME, word) BENCH_HYPOTHESIS_##NAME,
enum bench_hypothesis_id { BENCH_HYPOTHESES(BENCH_HYPOTHESIS_ENUM) BENCH_HYPOTHESIS_COUNT };

struct bench_hypothesis {
	enum report_outcome outcome;
	char evidence[768]; /* UTF-8 */
};

struct bench_seen {
	const struct bench_result *result;
	const struct bench_evidence *evidence;
	const struct bench_plateau *plateau;
	const char *tester_line; /* bench_preflight_line */
	bool does_tester_fit;    /* by its limits it could open them all */
	bool has_server_limits;  /* the server's table is known */
	enum report_lang lang;
};

void bench_hypotheses_judge(const struct bench_seen *seen,
			    struct bench_hypothesis out[BENCH_HYPOTHESIS_COUNT]);

/* What it says, in a sentence. */
const char *bench_hypothesis_text(enum bench_hypothesis_id id, enum report_lang lang);
