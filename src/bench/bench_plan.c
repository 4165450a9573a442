/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"

/* Below this a second worker costs more than it brings. */
#define WORTH_A_WORKER 2000

struct bench_sources bench_sources_plan(const struct net_addr *remote, uint64_t connections,
					uint64_t ports)
{
	bool is_spread = remote->sa.sa_family == AF_INET && net_addr_is_loopback(remote);
	uint64_t per_source = MAX(ports * 3 / 8, 1);
	uint64_t count = is_spread ? (connections + per_source - 1) / per_source : 1;

	return (struct bench_sources){is_spread, (uint32_t)MAX(count, 1)};
}

struct net_addr bench_source_address(const struct bench_sources *sources, uint64_t number,
				     unsigned try)
{
	/* Later tries leave the addresses that the plan fills. */
	uint64_t index = (number - 1) % sources->count + (uint64_t)try * sources->count;
	struct net_addr addr = {0};

	CHECK(sources->is_spread);
	addr.in.sin_family = AF_INET;
	/* 127.0.0.0 and 127.255.255.255 are no host addresses. */
	addr.in.sin_addr.s_addr = htonl((127u << 24) + 1 + (uint32_t)(index % 0xfffffe));
	return addr;
}

static uint64_t minus(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

/* With epoll every connection of the process shares one descriptor table. */
static int epoll_check(const struct bench_machine *machine, uint64_t connections, char *error,
		       size_t error_size)
{
	uint64_t taken = machine->open_files + BENCH_SLACK;
	uint64_t room = minus(machine->nofile.soft, taken);

	if (connections <= room)
		return 0;
	snprintf(error, error_size,
		 "%" PRIu64
		 " connections do not fit the descriptor limit: RLIMIT_NOFILE is %" PRIu64
		 ", of which %" PRIu64 " are left; use --engine io_uring (its connections take no "
		 "slot), or raise the hard limit to %" PRIu64 " ('ulimit -Hn', LimitNOFILE=), or "
		 "use -c %" PRIu64,
		 connections, machine->nofile.soft, room, connections + taken, room);
	return -EMFILE;
}

/* With io_uring each worker has a table of its own, as large as the soft limit. */
static int io_uring_check(const struct bench_machine *machine, uint64_t connections,
			  uint64_t workers, uint64_t per_worker, char *error, size_t error_size)
{
	if (connections <= workers * per_worker)
		return 0;
	snprintf(error, error_size,
		 "%" PRIu64 " connections do not fit %" PRIu64 " workers: an io_uring worker holds "
		 "%" PRIu64 " (RLIMIT_NOFILE %" PRIu64 " less a reserve); use --workers %" PRIu64
		 " or leave it out, or raise the hard limit ('ulimit -Hn', LimitNOFILE=)",
		 connections, workers, per_worker, machine->nofile.soft,
		 per_worker == 0 ? connections : (connections + per_worker - 1) / per_worker);
	return -EMFILE;
}

int bench_plan_workers(const struct bench_machine *machine, uint64_t connections, uint64_t wanted,
		       unsigned *out_workers, char *error, size_t error_size)
{
	bool is_uring = machine->engine == LOOP_ENGINE_IO_URING;
	uint64_t per_worker = minus(machine->nofile.soft, BENCH_SLACK);
	uint64_t worth = (connections + WORTH_A_WORKER - 1) / WORTH_A_WORKER;
	uint64_t workers = MIN(MAX(machine->cores, 2) - 1, MAX(worth, 1));

	if (is_uring && per_worker > 0)
		workers = MAX(workers, (connections + per_worker - 1) / per_worker);
	if (wanted > 0)
		workers = wanted;
	workers = MIN(workers, connections);
	int r = is_uring ? io_uring_check(machine, connections, workers, per_worker, error,
					  error_size)
			 : epoll_check(machine, connections, error, error_size);

	if (r == 0)
		*out_workers = (unsigned)workers;
	return r;
}

void bench_plan_share(uint64_t connections, unsigned workers, unsigned index, uint64_t *out_first,
		      uint32_t *out_count)
{
	uint64_t before = connections * index / workers;

	*out_first = before + 1;
	*out_count = (uint32_t)(connections * (index + 1) / workers - before);
}

struct bench_pace bench_pace_connect(uint64_t start_ns, double rate, uint64_t total, uint32_t count)
{
	return (struct bench_pace){start_ns, (double)NS_PER_S / rate * (double)total / count};
}

struct bench_pace bench_pace_messages(uint64_t start_ns, double rate, uint32_t count,
				      unsigned workers, unsigned index)
{
	double step_ns = (double)NS_PER_S / rate / count;

	return (struct bench_pace){start_ns + (uint64_t)(step_ns * index / workers), step_ns};
}
