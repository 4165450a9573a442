/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/capacity.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/saturate.h"

/* The kernel's own bound on a table of direct descriptors (IORING_MAX_FIXED_FILES). */
#define RING_TABLE_MAX (UINT64_C(1) << 20)

/* The kernel's own bound on RLIMIT_NOFILE is below this. */
#define NOFILE_MAX (UINT64_C(1) << 31)

/* Descriptors of the process that are no connections: standard streams, the admin
 * listener and its clients, and a few to spare; and each worker's listener, ring or
 * epoll, wake-up and reserve. */
#define PROCESS_DESCRIPTORS 48
#define WORKER_DESCRIPTORS  4

/* With io_uring each listener beyond the first keeps so many sockets for those that it is about to
 * accept (io/uring_listener.c). */
#define ACCEPT_SOCKETS 16

#define WORKERS_MAX 1024

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return MIN(MAX(value, low), high);
}

static uint64_t more_listeners(const struct capacity_facts *facts)
{
	return saturating_sub(facts->listeners, 1);
}

static uint64_t worker_descriptors(const struct capacity_facts *facts)
{
	return WORKER_DESCRIPTORS + more_listeners(facts);
}

/* Sockets that are kept free of connections, for handshakes and for telling the
 * refused why. */
static uint64_t handshake_reserve(uint64_t sockets)
{
	return clamp(sockets / 32, 2, 512);
}

static uint64_t square_root(uint64_t value)
{
	uint64_t root = 0;

	while ((root + 1) * (root + 1) <= value)
		root++;
	return root;
}

static uint64_t ring_sockets(const struct capacity_facts *facts)
{
	return clamp(facts->nofile, 4, RING_TABLE_MAX);
}

/* What `workers` rings hold together. The kernel deals clients out by a hash, so the
 * fullest worker is ahead of the mean: four standard deviations are kept free. */
static uint64_t rings_hold(uint64_t each, uint64_t workers)
{
	return workers == 1 ? each : workers * saturating_sub(each, 4 * square_root(each));
}

/* What workers and connections are not given. */
static uint64_t process_descriptors(const struct capacity_facts *facts)
{
	return PROCESS_DESCRIPTORS + facts->backend_sockets;
}

/* How many workers `auto` may take, if each has this many descriptors. */
static uint64_t workers_fit(const struct capacity_facts *facts, uint64_t descriptors_each)
{
	return clamp(saturating_sub(facts->nofile, process_descriptors(facts)) / descriptors_each,
		     1, WORKERS_MAX);
}

static struct capacity plan_io_uring(const struct config_server *config,
				     const struct capacity_facts *facts)
{
	uint64_t sockets = ring_sockets(facts);
	uint64_t kept = handshake_reserve(sockets) + more_listeners(facts) * ACCEPT_SOCKETS;
	uint64_t each = saturating_sub(sockets, kept);
	uint64_t most = workers_fit(facts, worker_descriptors(facts));
	uint64_t workers = config->workers != 0 ? config->workers : MIN(facts->cores, most);

	/* Each ring has its own table, so more workers hold more connections. */
	while (config->workers == 0 && workers < most &&
	       rings_hold(each, workers) < config->max_connections)
		workers++;
	return (struct capacity){
		.workers = workers,
		.worker_connections = each,
		.worker_sockets = (uint32_t)sockets,
		.nofile_connections = rings_hold(each, workers),
	};
}

static struct capacity plan_epoll(const struct config_server *config,
				  const struct capacity_facts *facts)
{
	/* Half of the descriptors at least are left for connections. */
	uint64_t most = workers_fit(facts, UINT64_C(2) * worker_descriptors(facts));
	uint64_t workers = config->workers != 0 ? config->workers : MIN(facts->cores, most);
	uint64_t sockets = saturating_sub(
		facts->nofile, process_descriptors(facts) + workers * worker_descriptors(facts));
	uint64_t connections = saturating_sub(sockets, handshake_reserve(sockets));

	return (struct capacity){
		.workers = workers,
		.worker_connections = connections,
		.worker_sockets = (uint32_t)MIN(sockets, (uint64_t)UINT32_MAX),
		.nofile_connections = connections,
	};
}

struct capacity capacity_plan(const struct config_server *config,
			      const struct capacity_facts *facts)
{
	return facts->engine == LOOP_ENGINE_IO_URING ? plan_io_uring(config, facts)
						     : plan_epoll(config, facts);
}

static bool nofile_suffices(const struct config_server *config, const struct capacity_facts *facts,
			    uint64_t nofile, uint64_t connections)
{
	struct capacity_facts raised = *facts;

	raised.nofile = nofile;
	return capacity_plan(config, &raised).nofile_connections >= connections;
}

/* By halves: `high` always suffices, `low` never does. */
uint64_t capacity_nofile_for(const struct config_server *config, const struct capacity_facts *facts,
			     uint64_t connections)
{
	uint64_t low = 0;
	uint64_t high = facts->engine == LOOP_ENGINE_IO_URING ? RING_TABLE_MAX : NOFILE_MAX;

	if (!nofile_suffices(config, facts, high, connections))
		return 0;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;

		if (nofile_suffices(config, facts, middle, connections))
			high = middle;
		else
			low = middle;
	}
	return high;
}

uint64_t capacity_workers_for(const struct capacity_facts *facts, uint64_t connections)
{
	uint64_t most = workers_fit(facts, worker_descriptors(facts));

	if (facts->engine != LOOP_ENGINE_IO_URING)
		return 0;
	for (uint64_t workers = 1; workers <= most; workers++) {
		struct config_server config = {.workers = workers};

		if (capacity_plan(&config, facts).nofile_connections >= connections)
			return workers;
	}
	return 0;
}
