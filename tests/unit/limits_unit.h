/* SPDX-License-Identifier: Apache-2.0
 * limits_unit.h - a made-up machine with a gateway on it, for the tests of the limits
 * table. */
#pragma once

#include <inttypes.h>
#include <stdio.h>

#include "unit.h"

#include "diag/capacity.h"
#include "diag/limits.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static inline struct os_value known(uint64_t value)
{
	return (struct os_value){.is_known = true, .value = value, .source = "/there"};
}

/* A machine, a configuration, and what goes on there. */
struct world {
	struct os_limits os;
	struct config config;
	bool is_foreign; /* no gateway of ours; `others` of its descriptors are no sockets */
	uint64_t others;
	struct limits_input input;
	struct limits limits;
};

/* Plenty of everything, two cores, epoll, one worker, nothing connected yet. */
static inline void world_init(struct world *world)
{
	*world = (struct world){
		.os = {.nofile_soft = known(20000),
		       .nofile_hard = known(30000),
		       .open_files = known(20),
		       .memlock_bytes = known(8 * MIB),
		       .resident_anon_bytes = known(4 * MIB),
		       .nr_open = known(1048576),
		       .file_max = known(10000000),
		       .file_used = known(1000),
		       .memory_total_bytes = known(64 * GIB),
		       .memory_available_bytes = known(60 * GIB),
		       .slab_bytes = known(100 * MIB),
		       .cgroup_memory_max_bytes = known(OS_UNLIMITED),
		       .cgroup_memory_used_bytes = known(10 * MIB),
		       .pids_max = known(OS_UNLIMITED),
		       .pids_used = known(10),
		       .somaxconn = known(4096),
		       .syn_backlog = known(512),
		       .syn_cookies = known(1),
		       .tcp_mem_max_bytes = known(100 * MIB),
		       .tcp_mem_used_bytes = known(4096),
		       .tcp_sockets = known(10),
		       .listen_overflows = known(3),
		       .listen_drops = known(4),
		       .conntrack_max = known(262144),
		       .conntrack_used = known(0),
		       .port_low = known(32768),
		       .port_high = known(60999),
		       .io_uring_disabled = known(0)},
		.config = {.server = {.workers = 1}},
		.input = {.engine = LOOP_ENGINE_EPOLL,
			  .engine_reason = "configured",
			  .can_io_uring = true,
			  .cores = 2,
			  .cost = {.bytes = LIMIT_COST_ASSUMED_BYTES}},
	};
}

static inline void world_build(struct world *world)
{
	struct limits_input *input = &world->input;
	uint64_t soft = world->os.nofile_soft.value;
	struct capacity capacity = capacity_plan(&world->config.server,
						 &(struct capacity_facts){.engine = input->engine,
									  .cores = input->cores,
									  .nofile = soft});

	input->os = &world->os;
	input->config = world->is_foreign ? NULL : &world->config;
	input->workers = world->is_foreign ? 0 : capacity.workers;
	input->nofile_connections = world->is_foreign ? soft - MIN(world->others, soft)
						      : capacity.nofile_connections;
	limits_build(input, &world->limits);
}

#define FACT(name) offsetof(struct os_limits, name)
#define UNKNOWN    (UINT64_MAX - 1) /* stands for a fact that cannot be read */
#define ABSENT     (UINT64_MAX - 2) /* stands for a file that is not there */
#define NONE       UINT64_MAX       /* of `used`: there is none */

struct change {
	size_t fact;
	uint64_t value;
};

static inline void fact_change(struct world *world, const struct change *change)
{
	struct os_value *value = (void *)((char *)&world->os + change->fact);

	*value = known(change->value);
	if (change->value != UNKNOWN && change->value != ABSENT)
		return;
	*value = (struct os_value){.is_absent = change->value == ABSENT};
	snprintf(value->source, sizeof(value->source), "/there");
	snprintf(value->problem, sizeof(value->problem), "/there: broken");
}
