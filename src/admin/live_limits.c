/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/live_limits.h"

#include <time.h>

#include "admin/stream/streams.h"
#include "auth/auth_type.h"
#include "auth/hasher.h"
#include "auth/pace.h"
#include "auth/tickets.h"
#include "session/blocks.h"
#include "base/counter.h"
#include "base/payload.h"
#include "io/tcp_tls.h"
#include "route/route.h"

/* The fullest so far. */
struct fullest {
	struct limits_input *input;
	double share;
};

static void backend_read(void *arg, const struct event_backend *backend)
{
	struct fullest *fullest = arg;
	const struct config_backend *config = config_backend_find(fullest->input->config,
								  backend->name);
	struct backend_pending pending = backend->base.ops->pending(&backend->base);
	double share = (double)pending.bytes / (double)pending.max;

	if (config == NULL || share <= fullest->share)
		return;
	fullest->share = share;
	fullest->input->fullest_backend = config;
	fullest->input->backend_pending = pending.bytes;
}

static void auth_read(const struct auth_world *auth, struct limits_input *input)
{
	if (auth->pace != NULL)
		input->auth_failures = pace_stats(auth->pace).highest;
	if (auth->hasher != NULL)
		input->passwords_waiting = hasher_stats(auth->hasher).waiting;
}

/* A ring keeps the table that it was made with; else the limit of the process counts as it is now,
 * which somebody may have changed since the start (prlimit). */
static void nofile_read(const struct plan *plan, struct os_limits *os, struct limits_input *input)
{
	struct config_server config = input->config->server;

	if (input->engine == LOOP_ENGINE_IO_URING)
		os->nofile_soft = plan->input.os->nofile_soft;
	if (input->engine == LOOP_ENGINE_IO_URING || !os->nofile_soft.is_known)
		return;
	config.workers = input->workers;
	input->nofile_connections =
		capacity_plan(&config,
			      &(struct capacity_facts){
				      .engine = input->engine,
				      .cores = input->cores,
				      .nofile = os->nofile_soft.value,
				      .backend_sockets = config_backend_sockets(input->config),
				      .listeners = config_listener_count(input->config),
			      })
			.nofile_connections;
}

static void routes_read(const struct route_table *routes, struct limits_input *input)
{
	double fullest = -1;

	for (size_t i = 0; routes != NULL && i < route_table_count(routes); i++) {
		const struct route *route = route_table_at(routes, i);
		uint64_t max = route->config->max_connections;
		uint64_t now = counter_read(&route->load->connections);

		if (max == 0 || (double)now / (double)max <= fullest)
			continue;
		fullest = (double)now / (double)max;
		input->fullest_route = route->config;
		input->route_connections = now;
	}
}

static uint64_t rate_held(const struct server *server)
{
	struct stats stats;

	server_stats(server, &stats);
	return stats.rate_held;
}

static uint64_t blocks_in_force(const struct server *server)
{
	struct blocks_stats stats;

	server_blocks_stats(server, &stats);
	return stats.count;
}

static uint64_t tickets_waiting(const struct server *server)
{
	struct tickets_stats stats;

	tickets_stats(server_tickets(server), &stats);
	return stats.waiting;
}

static uint64_t streams_open(const struct admin *admin)
{
	struct streams_stats stats;

	streams_stats(admin->api.streams, &stats);
	return stats.open;
}

static void tls_read(const struct server *server, struct limits_input *input)
{
	struct tls_stats stats;

	server_tls_stats(server, &stats);
	input->tls_shaking = stats.shaking;
	input->tls_waiting = stats.waiting;
	input->certificate_expires_at = server_certificates_expire_at(server);
	input->wall_s = (int64_t)time(NULL);
}

void live_limits_read(const struct admin *admin, struct live_limits *out_live)
{
	const struct server *server = admin->server;
	const struct plan *plan = server_options(server)->plan;
	struct limits_input *input = &out_live->input;

	out_live->ruleset = server_ruleset(server);
	os_limits_read(&(struct os_source){0}, &out_live->os);
	*input = plan->input;
	input->config = &out_live->ruleset->config;
	input->os = &out_live->os;
	input->is_running = true;
	nofile_read(plan, &out_live->os, input);
	input->max_connections = server_max_connections(server);
	input->connections = server_connections(server);
	input->fullest_ring = server_fullest_worker(server);
	input->fullest_ip = server_fullest_address(server);
	input->accept_rate_now = counter_read(&admin->accept_rate);
	input->rate_held = rate_held(server);
	input->windows_used = server_windows_used(server);
	input->refused_browsers = server_refused_browsers(server);
	server_kept(server, &input->kept, &input->kept_max);
	routes_read(out_live->ruleset->routes, input);
	input->payload_max = payload_max();
	input->payload_used = payload_used();
	input->tickets = tickets_waiting(server);
	input->blocks = blocks_in_force(server);
	input->streams = streams_open(admin);
	tls_read(server, input);
	backends_each(server_backends(server), backend_read,
		      &(struct fullest){.input = input, .share = -1});
	struct auth_world world = server_auth(server);

	auth_read(&world, input);
	input->cost = limit_cost_measure(plan->input.os, &out_live->os, input->connections);
	if (!input->cost.is_measured)
		input->cost = plan->input.cost; /* assumed, with TLS in it */
	limits_build(input, &out_live->limits);
}

void live_limits_finish(struct live_limits *live)
{
	ruleset_unref(&live->ruleset);
}
