/* SPDX-License-Identifier: Apache-2.0 */
#include "server/capacity.h"

#include <sched.h>

#include "base/check.h"
#include "io/os_limits.h"

/* The kernel's own bound on a table of direct descriptors (IORING_MAX_FIXED_FILES). */
#define RING_TABLE_MAX (UINT64_C(1) << 20)

/* Descriptors of the process that are no connections: standard streams, the admin
 * listener and its clients, and a few to spare; and each worker's listener, ring or
 * epoll, wake-up and reserve. */
#define PROCESS_DESCRIPTORS 48
#define WORKER_DESCRIPTORS  4

#define WORKERS_MAX 1024

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return MIN(MAX(value, low), high);
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
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

struct capacity_facts capacity_facts_read(enum loop_engine engine)
{
	cpu_set_t cpus;
	bool known = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;

	return (struct capacity_facts){
		.engine = engine,
		.cores = known ? (uint64_t)CPU_COUNT(&cpus) : 1,
		.nofile = os_limits_nofile().soft,
		.file_max = os_limits_file_max(),
		.memory_available = os_limits_memory_available(),
	};
}

static uint64_t ring_connections(const struct capacity *plan)
{
	return plan->worker_sockets - handshake_reserve(plan->worker_sockets);
}

/* What `workers` rings hold together. The kernel deals clients out by a hash, so the
 * fullest worker is ahead of the mean: four standard deviations are kept free. */
static uint64_t rings_hold(const struct capacity *plan, uint64_t workers)
{
	uint64_t each = ring_connections(plan);

	return workers == 1 ? each : workers * less(each, 4 * square_root(each));
}

/* How many workers `auto` may take, if each has this many descriptors. */
static uint64_t workers_fit(const struct capacity_facts *facts, uint64_t descriptors_each)
{
	return clamp(less(facts->nofile, PROCESS_DESCRIPTORS) / descriptors_each, 1, WORKERS_MAX);
}

static void plan_io_uring(const struct config_server *config, const struct capacity_facts *facts,
			  struct capacity *plan)
{
	plan->worker_sockets = (uint32_t)clamp(facts->nofile, 4, RING_TABLE_MAX);
	plan->worker_connections = ring_connections(plan);
	uint64_t most = workers_fit(facts, WORKER_DESCRIPTORS);

	plan->workers = config->workers != 0 ? config->workers : MIN(facts->cores, most);
	/* Each ring has its own table, so more workers hold more connections. */
	while (config->workers == 0 && plan->workers < most &&
	       rings_hold(plan, plan->workers) < config->max_connections)
		plan->workers++;
	plan->rows[CAPACITY_NOFILE] = (struct capacity_row){
		"nofile", facts->nofile, rings_hold(plan, plan->workers),
		"raise the descriptor limit (ulimit -n, LimitNOFILE=, ulimits: in compose), which "
		"bounds each worker's ring, or server.workers"};
}

static void plan_epoll(const struct config_server *config, const struct capacity_facts *facts,
		       struct capacity *plan)
{
	/* Half of the descriptors at least are left for connections. */
	uint64_t most = workers_fit(facts, UINT64_C(2) * WORKER_DESCRIPTORS);

	plan->workers = config->workers != 0 ? config->workers : MIN(facts->cores, most);
	uint64_t sockets = less(facts->nofile,
				PROCESS_DESCRIPTORS + plan->workers * WORKER_DESCRIPTORS);
	uint64_t connections = less(sockets, handshake_reserve(sockets));

	plan->worker_sockets = (uint32_t)MIN(sockets, (uint64_t)UINT32_MAX);
	plan->worker_connections = connections;
	plan->rows[CAPACITY_NOFILE] = (struct capacity_row){
		"nofile", facts->nofile, connections,
		"raise the descriptor limit (ulimit -n, LimitNOFILE=, ulimits: in compose) or use "
		"server.engine: io_uring"};
}

bool capacity_plan(const struct config_server *config, const struct capacity_facts *facts,
		   struct capacity *out_plan)
{
	struct capacity plan = {.binding = CAPACITY_NOFILE};

	if (facts->engine == LOOP_ENGINE_IO_URING)
		plan_io_uring(config, facts, &plan);
	else
		plan_epoll(config, facts, &plan);
	plan.rows[CAPACITY_FILE_MAX] = (struct capacity_row){
		"fs.file-max", facts->file_max,
		facts->file_max == UINT64_MAX ? UINT64_MAX : facts->file_max - facts->file_max / 16,
		"sysctl -w fs.file-max=N"};
	plan.rows[CAPACITY_MEMORY] = (struct capacity_row){
		"memory", facts->memory_available,
		facts->memory_available == UINT64_MAX
			? UINT64_MAX
			: facts->memory_available / CAPACITY_BYTES_PER_CONNECTION,
		"give the machine or the container more memory"};
	for (unsigned i = 0; i < CAPACITY_LIMITS; i++)
		if (plan.rows[i].connections < plan.rows[plan.binding].connections)
			plan.binding = i;
	uint64_t allowed = plan.rows[plan.binding].connections;

	plan.max_connections = config->max_connections != 0 ? config->max_connections : allowed;
	*out_plan = plan;
	return allowed > 0 && plan.max_connections <= allowed;
}
