/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_schedule.h"

#include "base/backoff.h"
#include "base/check.h"
#include "base/saturate.h"
#include "base/clock.h"

/* Few enough not to overrun the other side's listen backlog. */
#define HANDSHAKES_IN_FLIGHT 256

/* So many from 127.0.0.1 are in nobody's way. */
#define FEW_CONNECTIONS 1000

/* 127.255.255.254, counted from 127.0.0.0. */
#define LAST_HOST 0xfffffe

/* Below this a second worker costs more than it brings. */
#define WORTH_A_WORKER 2000

/* Of the process, for each loop: the ring or epoll, and its inbox. */
#define LOOP_DESCRIPTORS 3

/* Of the process, for what is opened in between: the server's limits, its process. */
#define OTHER_FILES 32

/* Before an attempt to come back. */
#define WAIT_MIN_NS (100 * NS_PER_MS)
#define WAIT_MAX_NS (5 * NS_PER_S)

struct bench_sources bench_sources_plan(const struct net_addr *remote, uint64_t connections,
					uint64_t ports)
{
	bool is_spread = remote->sa.sa_family == AF_INET && net_addr_is_loopback(remote);
	uint64_t per_source = MAX(ports * 3 / 8, 1);
	uint64_t count = is_spread ? (connections + per_source - 1) / per_source : 1;

	uint32_t first = connections > FEW_CONNECTIONS ? 2 : 1;

	return (struct bench_sources){is_spread, (uint32_t)MAX(count, 1), first};
}

void bench_sources_shift(struct bench_sources *sources, uint64_t tester)
{
	bool has_room = sources->count < LAST_HOST / 2 / BENCH_SOURCE_BLOCKS;

	if (sources->is_spread && sources->first > 1 && has_room)
		sources->first += (uint32_t)(tester % BENCH_SOURCE_BLOCKS) * sources->count;
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
	addr.in.sin_addr.s_addr = htonl((127u << 24) + sources->first +
					(uint32_t)(index % (LAST_HOST + 1 - sources->first)));
	return addr;
}

static bool is_uring(const struct bench_machine *machine)
{
	return machine->engine == LOOP_ENGINE_IO_URING;
}

static uint64_t per_ring(const struct bench_machine *machine)
{
	return saturating_sub(machine->nofile.soft, BENCH_SLACK);
}

unsigned bench_plan_workers(const struct bench_machine *machine, uint64_t connections,
			    uint64_t wanted)
{
	uint64_t worth = (connections + WORTH_A_WORKER - 1) / WORTH_A_WORKER;
	uint64_t workers = MIN(MAX(machine->cores, 2) - 1, MAX(worth, 1));
	/* Each worker's loop itself needs some of the process's. */
	uint64_t most = MAX(
		saturating_sub(per_ring(machine), machine->open_files) / LOOP_DESCRIPTORS, 1);

	if (is_uring(machine) && per_ring(machine) > 0)
		workers = MAX(workers, (connections + per_ring(machine) - 1) / per_ring(machine));
	if (wanted > 0)
		workers = wanted;
	return (unsigned)MIN(MIN(workers, most), MIN(connections, BENCH_WORKERS_MAX));
}

/* Of the process's descriptors, those that loops and other files leave. */
static uint64_t spare_descriptors(const struct bench_machine *machine, unsigned workers)
{
	return saturating_sub(machine->nofile.soft,
			      machine->open_files + OTHER_FILES + LOOP_DESCRIPTORS * workers);
}

uint64_t bench_plan_room(const struct bench_machine *machine, unsigned workers)
{
	return is_uring(machine) ? saturating_mul(per_ring(machine), workers)
				 : spare_descriptors(machine, workers);
}

uint64_t bench_plan_in_flight(const struct bench_machine *machine, unsigned workers)
{
	/* With epoll a socket needs no more than the one that it keeps. */
	return is_uring(machine) ? spare_descriptors(machine, workers) / workers : UINT64_MAX;
}

void bench_plan_share(uint64_t connections, unsigned workers, unsigned index, uint64_t *out_first,
		      uint32_t *out_count)
{
	uint64_t before = connections * index / workers;

	*out_first = before + 1;
	*out_count = (uint32_t)(connections * (index + 1) / workers - before);
}

uint32_t bench_plan_handshakes(uint64_t in_flight, double rate, unsigned workers, unsigned index)
{
	uint64_t first;
	uint32_t share;

	if (in_flight == 0)
		return rate > 0 ? UINT32_MAX : HANDSHAKES_IN_FLIGHT;
	bench_plan_share(in_flight, workers, index, &first, &share);
	return MAX(share, 1); /* with none at all it would never end */
}

uint32_t bench_plan_released(uint64_t connections, unsigned workers, unsigned index,
			     uint64_t released)
{
	uint64_t first;
	uint32_t count, part;

	bench_plan_share(connections, workers, index, &first, &count);
	if (released >= connections)
		return count;
	bench_plan_share(released, workers, index, &first, &part);
	return MIN(part, count);
}

/* The share's running sum passes a whole number at each of them. */
bool bench_plan_is_slow(uint64_t number, double percent)
{
	return (uint64_t)((double)number * percent / 100) >
	       (uint64_t)((double)(number - 1) * percent / 100);
}

uint64_t bench_plan_lifetime_ns(uint64_t mean_ms, uint32_t random)
{
	double factor = 0.5 + (double)random / (double)UINT32_MAX;

	return (uint64_t)(factor * (double)mean_ms * (double)NS_PER_MS);
}

uint64_t bench_plan_wait_ns(uint32_t retry_after_s, uint32_t failed, uint32_t random)
{
	uint64_t asked_ns = retry_after_s * NS_PER_S;

	if (asked_ns > 0)
		return asked_ns +
		       (uint64_t)((double)asked_ns / 10 * (double)random / (double)UINT32_MAX);
	return backoff_half_ns(WAIT_MIN_NS, WAIT_MAX_NS, failed + 1, random);
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

uint64_t bench_pace_after(const struct bench_pace *pace, uint64_t now_ns, uint64_t first,
			  uint64_t step)
{
	double events = now_ns < pace->start_ns ? 0
						: (double)(now_ns - pace->start_ns) / pace->step_ns;
	double steps = (events - (double)first) / (double)step;
	uint64_t turn = steps > 0 ? (uint64_t)steps : 0;

	while (bench_pace_at(pace, first + turn * step) <= now_ns)
		turn++;
	return turn;
}
