/* SPDX-License-Identifier: Apache-2.0
 * bench_target.h - what can be learnt about the server besides its answers: from itself,
 * from the kernel, and from its process if that is here.
 *
 * Layer: bench. Main thread; blocks, for a few seconds at most. Nothing that goes wrong
 * here fails the test: it is noted. */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "bench/load/bench_options.h"
#include "bench/load/bench_preflight.h"
#include "bench/judge/bench_verdict.h"

struct bench_target {
	const struct bench_options *options;
	const struct net_addr *remote;
	struct tls_context *tls;    /* NULL: no URL is TLS */
	struct bench_kernel kernel; /* before the test */
	struct bench_evidence evidence;
	json_t *limits; /* the server's, in the form of diag/limits_json.h; NULL: not known */
	char note[768]; /* how they were learnt, or why not; "" if nobody asked */
};

/* Before the first connection. */
void bench_target_begin(struct bench_target *target, const struct bench_options *options,
			const struct net_addr *remote, struct tls_context *tls,
			const struct bench_preflight *preflight);

/* When all connections are up or have failed, while they are held. `has_failures`: some
 * failed; `is_gateway`: a refusal named a limit, so that /health can be asked. */
void bench_target_look(struct bench_target *target, bool has_failures, bool is_gateway);

/* After the last connection; `result` is complete. */
void bench_target_end(struct bench_target *target, const struct bench_result *result);

void bench_target_finish(struct bench_target *target);

/* Takes a limits table as a server sent it: true if it is one. Then fills the evidence's
 * limit with the first that caps and is used up. */
bool bench_limits_take(const json_t *table, struct bench_evidence *evidence);
