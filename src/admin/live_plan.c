/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/live_plan.h"

#include "base/check.h"
#include "base/payload.h"

/* More or fewer listeners take of the descriptors. */
static struct capacity capacity_of(const struct plan *start, const struct config *next,
				   const struct limits_input *input)
{
	struct config_server config = next->server;

	config.workers = input->workers;
	return capacity_plan(&config, &(struct capacity_facts){
					      .engine = input->engine,
					      .cores = input->cores,
					      .nofile = start->input.os->nofile_soft.value,
					      .backend_sockets = config_backend_sockets(next),
					      .listeners = config_listener_count(next),
				      });
}

static uint64_t payload_of(const struct config *now, const struct config *next,
			   const struct limits_input *input, uint64_t connections)
{
	if (next->server.payload_memory != 0)
		return next->server.payload_memory;
	return now->server.payload_memory == 0
		       ? payload_max()
		       : limit_payload_share(input->os, &input->cost, connections);
}

void live_plan_make(const struct admin *admin, const struct config *next,
		    struct live_plan *out_plan)
{
	struct live_limits *live = &out_plan->live;
	struct plan *plan = &out_plan->plan;

	live_limits_read(admin, live);
	const struct config *now = &live->ruleset->config;
	uint64_t wanted = next->server.max_connections;
	bool is_same = wanted == now->server.max_connections;

	live->input.config = next;
	live->input.max_connections = wanted;
	*plan = (struct plan){
		.capacity = capacity_of(server_options(admin->server)->plan, next, &live->input)};
	live->input.nofile_connections = plan->capacity.nofile_connections;
	limits_build(&live->input, &live->limits);
	uint64_t allowed = limits_allowed(&live->limits);

	plan->max_connections = wanted != 0 ? wanted
				: is_same   ? server_max_connections(admin->server)
					    : MIN(allowed, CONFIG_CONNECTIONS_MAX);
	plan->fits = is_same || (allowed > 0 && plan->max_connections <= allowed);
	plan->payload_memory = payload_of(now, next, &live->input, plan->max_connections);
	plan->limits = live->limits;
	plan->input = live->input;
}

void live_plan_finish(struct live_plan *plan)
{
	live_limits_finish(&plan->live);
}
