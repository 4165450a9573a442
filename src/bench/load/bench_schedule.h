/* SPDX-License-Identifier: Apache-2.0
 * bench_schedule.h - the arithmetic of a load test: who connects from where, when, in
 * which worker.
 *
 * Layer: bench. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net_addr.h"
#include "io/loop.h"
#include "os/os_limits.h"

/* --- source addresses --- */

/* How many addresses are tried for one connection when ports are used up. */
#define BENCH_SOURCE_TRIES 16

/* `remote` on 127.0.0.0/8: each source address there has its own ephemeral ports. */
struct bench_sources {
	bool is_spread;
	uint32_t count; /* addresses in use */
	uint32_t first; /* the first of them, counted from 127.0.0.0 */
};

/* Many leave the ports of 127.0.0.1 to others: for a minute after the last of them was closed
 * nothing there could listen on a port of the kernel's choice, or connect from there.
 *
 * `ports` is how many ephemeral ports an address has. At most 3/8 of them are planned
 * for: the kernel looks through one half of the range before it takes a port of the
 * other, so that each connect beyond a half costs about a millisecond. */
struct bench_sources bench_sources_plan(const struct net_addr *remote, uint64_t connections,
					uint64_t ports);

/* Of testers on one machine that run at once each takes a block of its own, if it has many
 * connections: together they would go beyond that half of the same addresses' ports. `tester` is
 * any number that others have not. */
#define BENCH_SOURCE_BLOCKS 512
void bench_sources_shift(struct bench_sources *sources, uint64_t tester);

/* The address for try 0, 1, ... of connection `number` (from 1 on), port 0. Only if
 * is_spread. */
struct net_addr bench_source_address(const struct bench_sources *sources, uint64_t number,
				     unsigned try);

/* --- workers --- */

struct bench_machine {
	enum loop_engine engine;
	struct os_nofile nofile;
	uint64_t open_files;
	unsigned cores;
};

#define BENCH_WORKERS_MAX 1024

/* How many workers for `connections`; `wanted` 0: as many as it takes. */
unsigned bench_plan_workers(const struct bench_machine *machine, uint64_t connections,
			    uint64_t wanted);

/* Connections for which so many workers have descriptors: with io_uring each has a
 * table of its own, with epoll they share the process's. */
uint64_t bench_plan_room(const struct bench_machine *machine, unsigned workers);

/* Handshakes that one of so many workers can have under way without running out of the
 * process's descriptors. */
uint64_t bench_plan_in_flight(const struct bench_machine *machine, unsigned workers);

/* The connections of worker `index`: from *out_first (1 is the first of all). */
void bench_plan_share(uint64_t connections, unsigned workers, unsigned index, uint64_t *out_first,
		      uint32_t *out_count);

/* Descriptors or table slots that a worker needs beside its connections. */
#define BENCH_SLACK 64

/* --- load shapes --- */

/* How many handshakes of worker `index` may be in flight; `in_flight` of all, or 0: with
 * a rate no limit, else enough to keep the other side busy. */
uint32_t bench_plan_handshakes(uint64_t in_flight, double rate, unsigned workers, unsigned index);

/* How many of worker `index`'s connections may start when `released` of all may. */
uint32_t bench_plan_released(uint64_t connections, unsigned workers, unsigned index,
			     uint64_t released);

/* Every connection of an evenly spread share of `percent`. */
bool bench_plan_is_slow(uint64_t number, double percent);

/* [ns] 0.5 to 1.5 times the mean; `random` is any 32 bits. */
uint64_t bench_plan_lifetime_ns(uint64_t mean_ms, uint32_t random);

/* [ns] How long a client waits that was ended, after so many attempts to come back have failed: as
 * long as it was asked to and up to a tenth more, so that those with the same wait do not come at
 * once; else a time that doubles from 0.1 s to 5 s, half of it at random. */
uint64_t bench_plan_wait_ns(uint32_t retry_after_s, uint32_t failed, uint32_t random);

/* --- pace --- */

/* Planned times at equal distance. */
struct bench_pace {
	uint64_t start_ns;
	double step_ns;
};

/* A worker's part of the ramp: `count` of `total` connections at `rate` per second
 * over all. */
struct bench_pace bench_pace_connect(uint64_t start_ns, double rate, uint64_t total,
				     uint32_t count);

/* Messages of a worker's `count` connections, each at `rate` per second, taking
 * turns: message `m` is the connection `m % count`'s. Workers are shifted against
 * each other, so that theirs interleave. */
struct bench_pace bench_pace_messages(uint64_t start_ns, double rate, uint32_t count,
				      unsigned workers, unsigned index);

/* The first of the events first, first + step, first + 2 * step, ... that is planned
 * later than `now_ns`: as the number of steps. */
uint64_t bench_pace_after(const struct bench_pace *pace, uint64_t now_ns, uint64_t first,
			  uint64_t step);

static inline uint64_t bench_pace_at(const struct bench_pace *pace, uint64_t event)
{
	return pace->start_ns + (uint64_t)((double)event * pace->step_ns);
}
