/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"

void plan_facts_read(enum loop_engine engine, const char *reason, struct plan_facts *out_facts)
{
	enum loop_engine ring;
	const char *ring_reason;

	os_limits_read(&(struct os_source){0}, &out_facts->os);
	out_facts->cores = os_limits_cores();
	out_facts->certificate_expires_at = 0;
	out_facts->wall_s = (int64_t)time(NULL);
	out_facts->engine = engine;
	out_facts->engine_reason = reason;
	out_facts->can_io_uring = engine == LOOP_ENGINE_IO_URING ||
				  loop_engine_choose(LOOP_ENGINE_IO_URING, &ring, &ring_reason) ==
					  0;
}

void plan_make(const struct config *config, const struct plan_facts *facts, struct plan *out_plan)
{
	struct capacity_facts descriptors = {
		.engine = facts->engine,
		.cores = facts->cores,
		.nofile = facts->os.nofile_soft.value,
		.backend_sockets = config_backend_sockets(config),
		.listeners = config_listener_count(config),
	};
	struct capacity capacity = capacity_plan(&config->server, &descriptors);
	uint64_t wanted = config->server.max_connections;
	struct limit_cost cost = {.bytes = LIMIT_COST_ASSUMED_BYTES + config_tls_bytes(config)};
	uint64_t payload = config->server.payload_memory != 0
				   ? config->server.payload_memory
				   : limit_payload_share(&facts->os, &cost, wanted);

	*out_plan = (struct plan){
		.payload_memory = payload,
		.capacity = capacity,
		.input = {.os = &facts->os,
			  .config = config,
			  .engine = facts->engine,
			  .engine_reason = facts->engine_reason,
			  .can_io_uring = facts->can_io_uring,
			  .cores = facts->cores,
			  .workers = capacity.workers,
			  .nofile_connections = capacity.nofile_connections,
			  .max_connections = wanted,
			  .payload_max = payload,
			  .cost = cost,
			  .certificate_expires_at = facts->certificate_expires_at,
			  .wall_s = facts->wall_s},
	};
	limits_build(&out_plan->input, &out_plan->limits);
	uint64_t allowed = limits_allowed(&out_plan->limits);

	out_plan->max_connections = wanted != 0 ? wanted : MIN(allowed, CONFIG_CONNECTIONS_MAX);
	out_plan->fits = allowed > 0 && out_plan->max_connections <= allowed;
	if (wanted == 0 && allowed > CONFIG_CONNECTIONS_MAX) {
		out_plan->input.max_connections = CONFIG_CONNECTIONS_MAX;
		limits_build(&out_plan->input, &out_plan->limits);
	}
}

char *plan_explain(const struct plan *plan, char out[PLAN_EXPLAIN_MAX])
{
	const struct limit *limit = limits_binding(&plan->limits);
	uint64_t wanted = MAX(plan->max_connections, UINT64_C(1));
	char remedies[LIMIT_REMEDY_LINE_MAX];

	CHECK(limit != NULL); /* only for plans that do not fit */
	snprintf(out, PLAN_EXPLAIN_MAX,
		 "limit %s is %" PRIu64 " and allows %" PRIu64 " connections; %s",
		 limit_label(limit->id), limit->value, limit->connections,
		 limit_remedy_line(&plan->input, limit, wanted, remedies));
	return out;
}
