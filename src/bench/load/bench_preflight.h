/* SPDX-License-Identifier: Apache-2.0
 * bench_preflight.h - can this tester open so many connections? Asked before it starts.
 *
 * Layer: bench. Pure functions over facts that bench_preflight_facts_read has read. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net_addr.h"
#include "bench/load/bench_options.h"
#include "diag/limits.h"

/* Bytes of memory that a client connection is reckoned with: the kernel's two buffers
 * and structs for an idle socket, and our 112. */
#define BENCH_BYTES_PER_CONNECTION 5120

struct bench_preflight_facts {
	struct os_limits os; /* with the soft nofile raised already */
	enum loop_engine engine;
	const char *engine_reason;
	bool can_io_uring;
	unsigned cores;
	uint64_t connections; /* wanted */
	uint64_t workers;     /* wanted; 0: as many as it takes */
	bool is_spread;       /* over many source addresses */
};

/* Of this process and machine, where the soft descriptor limit is raised to the hard
 * one. Blocks on /proc. Returns 0, or a negative errno if the engine that is asked for
 * cannot run here. */
int bench_preflight_facts_read(const struct bench_options *options, const struct net_addr *remote,
			       struct bench_preflight_facts *out_facts);

/* Ephemeral ports of one source address; the kernel's default if they are unknown. */
uint64_t bench_preflight_ports(const struct bench_preflight_facts *facts);

struct bench_preflight {
	const struct bench_preflight_facts *facts;
	unsigned workers;
	uint64_t in_flight_max; /* handshakes of one worker */
	struct limits_input input;
	struct limits limits;
	const struct limit *binding; /* in `limits`; NULL: nothing caps */
	uint64_t allowed;            /* connections; LIMIT_NO_CAP */
	bool fits;
};

/* `facts` outlives it; it must not be copied. */
void bench_preflight_make(const struct bench_preflight_facts *facts,
			  struct bench_preflight *out_preflight);

/* "this tester can open about 950 connections: its own nofile is 1,024" */
char *bench_preflight_line(const struct bench_preflight *preflight, char *out, size_t size);

/* Why it is refused and all that helps, in several lines. */
#define BENCH_PREFLIGHT_EXPLAIN_MAX 4096
char *bench_preflight_explain(const struct bench_preflight *preflight,
			      char out[BENCH_PREFLIGHT_EXPLAIN_MAX]);
