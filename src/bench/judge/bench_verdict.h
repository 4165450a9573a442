/* SPDX-License-Identifier: Apache-2.0
 * bench_verdict.h - the outcome of a load test in one line, and who stopped it.
 *
 * Layer: bench. Pure functions, after the test. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/judge/bench_kernel.h"
#include "bench/judge/bench_stats.h"

/* What was learnt besides the answers that the connections got. Zeroed: nothing. */
struct bench_evidence {
	bool is_local;    /* the server is in this network namespace */
	char process[96]; /* "nginx (pid 123)", which listens there; "" if not known */
	/* The server's limit that is used up, by its own word or its process's facts. */
	char limit[64]; /* "" if none is, or it is not known */
	uint64_t limit_used, limit_value;
	char tester_limit[64];       /* the tester's own that allows fewest connections */
	uint64_t tester_limit_value; /* in its unit */
	bool is_conntrack_full;      /* on this machine */
	struct bench_kernel kernel;  /* counted during the test */
	char listening[512];         /* what was seen to listen instead, one sentence; or "" */
};

/* Where the number of open connections stopped to rise, short of what was wanted. */
struct bench_plateau {
	bool is_found;
	uint64_t at; /* connections */
	enum bench_side side;
	char limit[64]; /* its name; "" if it is not known */
	/* "plateau at 1,000: the server's max_connections". Without a plateau "", or what
	 * else stopped the test as a whole. */
	char text[512];
};

void bench_plateau_find(const struct bench_result *result, const struct bench_evidence *evidence,
			struct bench_plateau *out_plateau);

/* One --expect, and whether it is met. */
struct bench_check {
	char text[128]; /* as it was given */
	char seen[64];  /* the value, in its unit */
	bool is_met;
};

/* Writes the one-line verdict; true if the test is passed: if there are checks, they
 * decide. `plateau` as found. */
bool bench_verdict(const struct bench_result *result, const struct bench_plateau *plateau,
		   const struct bench_check *checks, size_t check_count, char *out, size_t size);

/* Had the tester no CPU left for most of the ramp or of the hold? Then latency and rate
 * are its own, not the server's. */
bool bench_is_saturated(const struct bench_result *result);
