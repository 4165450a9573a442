/* SPDX-License-Identifier: Apache-2.0
 * server.c - what a server consists of, from its beginning to its end (server.h); that it starts is
 * server_start.c's. */
#include "server/server.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "auth/pace.h"
#include "server/handover_carrier.h"
#include "server/send_group.h"
#include "server/server_handover.h"
#include "server/server_limits.h"
#include "server/server_private.h"
#include "server/server_road.h"

/* --- begin --- */

static void service_init(struct service *service, const struct server *server)
{
	*service = (struct service){
		.ruleset = ruleset_ref(server->options.ruleset),
		.ring_sockets = server->options.plan->input.engine == LOOP_ENGINE_IO_URING
					? server->options.plan->capacity.worker_sockets
					: 0,
	};
	if (server->options.ruleset->config.server.node.text[0] != 0)
		snprintf(service->node, sizeof(service->node), "%.*s",
			 (int)sizeof(service->node) - 1,
			 server->options.ruleset->config.server.node.text);
	else if (gethostname(service->node, sizeof(service->node) - 1) < 0)
		snprintf(service->node, sizeof(service->node), "unknown");
}

int server_fail(struct server_error *out_error, const char *text)
{
	*out_error = (struct server_error){0};
	snprintf(out_error->text, sizeof(out_error->text), "%s", text);
	return -1;
}

struct server *server_create(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL) {
		struct ruleset *ruleset = options->ruleset;

		ruleset_unref(&ruleset);
		return NULL;
	}
	server->options = *options;
	ruleset_bin_init(&server->bin);
	ruleset_use_bin(options->ruleset, &server->bin);
	options->ruleset->number = 1;
	server->ruleset = ruleset_ref(options->ruleset);
	server->worker_count = options->plan->capacity.workers;
	server->loads = route_loads_create(server->worker_count);
	server->started_ns = clock_now_ns();
	server->reloads.reloaded_at_s = clock_wall_ns() / NS_PER_S;
	server->directory = directory_create();
	server->blocks = blocks_create(options->ruleset->config.admin.blocks_max);
	server->slots = calloc(server->worker_count + 1, sizeof(struct slot));
	server->ended_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->changed, NULL);
	broadcast_gate_init(&server->broadcasts);
	pthread_mutex_init(&server->access.mutex, NULL);
	drain_init(&server->drain, &server->is_draining, &server->public_service.is_draining);
	const struct config_server *config = &options->ruleset->config.server;
	bool has_addresses = server_addresses_init(
		&server->addresses, config->max_connections_per_ip, (unsigned)config->ipv6_prefix);

	if (server->directory == NULL || server->blocks == NULL || server->loads == NULL ||
	    server->slots == NULL || server->ended_fd < 0 || !has_addresses) {
		server_destroy(&server);
		return NULL;
	}
	for (size_t i = 0; i <= server->worker_count; i++)
		server->slots[i].server = server;
	service_init(&server->public_service, server);
	server->public_service.admission = &server->admission;
	server->public_service.address_limit = server->addresses.now;
	server->public_service.directory = server->directory;
	server->public_service.blocks = server->blocks;
	block_road_init(&server->block_road, server->blocks, server->directory, &server->fleet);
	server->fleet = (struct fleet){
		.node = server->public_service.node,
		.commands = &server->command_stats,
		.rpc = &server->rpc_stats,
		.actions = &server->action_stats,
		.send_to_group = send_group,
		.directory = server->directory,
		.groups = group_registry_create(options->ruleset->config.server.max_groups)};
	if (server->fleet.groups == NULL) {
		server_destroy(&server);
		return NULL;
	}
	fleet_take_limits(&server->fleet, &options->ruleset->config);
	server->public_service.fleet = &server->fleet;
	server->nodes.server = server;
	service_init(&server->admin_service, server);
	server_limits_set(server, &options->ruleset->config, options->plan);
	return server;
}

void server_renew_ticket_keys(struct server *server, uint64_t now_ns)
{
	server_doors_tick(&server->doors, now_ns);
}

/* --- end --- */

/* Only a thread that listens and has not ended has a loop to post to. */
static void post_to(struct server *server, size_t from, size_t to, void (*post)(struct worker *))
{
	pthread_mutex_lock(&server->mutex);
	for (size_t i = from; i < to; i++)
		if (server->slots[i].has_started && !server->slots[i].has_ended)
			post(server->slots[i].worker);
	pthread_mutex_unlock(&server->mutex);
}

void server_announce_drain(struct server *server)
{
	drain_end(&server->drain);
}

void server_drain(struct server *server)
{
	drain_end(&server->drain);
	__atomic_store_n(&server->public_service.is_draining, true, __ATOMIC_RELAXED);
	server->has_drained = true;
	post_to(server, 0, server->worker_count, worker_drain);
}

void server_abort(struct server *server)
{
	post_to(server, 0, server->worker_count, worker_abort);
}

int server_ended_fd(const struct server *server)
{
	return server->ended_fd;
}

/* Last, so that /health and /metrics answer until the end, from workers that have
 * ended but are not freed. Whoever reads its answer slowly does not hold us up. */
static void end_admin(struct server *server)
{
	size_t admin = server->worker_count;

	post_to(server, admin, admin + 1, worker_drain);
	post_to(server, admin, admin + 1, worker_abort);
	worker_join(server->slots[admin].worker);
}

void server_end(struct server *server)
{
	server_carry_end(server);
	server_road_end(server);
	if (server->slots != NULL) {
		if (!server->has_drained)
			server_drain(server);
		for (size_t i = 0; i < server->worker_count; i++)
			worker_join(server->slots[i].worker);
		end_admin(server);
		server_auth_end(server);
		for (size_t i = 0; i <= server->worker_count; i++)
			worker_destroy(&server->slots[i].worker);
	}
	free(server->slots);
	server->slots = NULL;
	fleet_bus_close(&server->fleet); /* it counts for the back ends until then */
}

void server_destroy(struct server **server)
{
	struct server *self = *server;

	if (self == NULL)
		return;
	server_end(self);
	server_tracing_close(self);
	server_access_close(self);
	server_doors_finish(&self->doors);
	backend_watches_end(self, &self->backend_watches);
	server_addresses_finish(&self->addresses);
	group_registry_destroy(&self->fleet.groups);
	directory_destroy(&self->directory);
	blocks_destroy(&self->blocks);
	ruleset_unref(&self->public_service.ruleset);
	ruleset_unref(&self->admin_service.ruleset);
	ruleset_unref(&self->options.ruleset);
	ruleset_unref(&self->ruleset);
	ruleset_bin_finish(&self->bin);
	backends_destroy(&self->backends);
	server_road_close(self);
	broadcast_gate_finish(&self->broadcasts);
	handover_carrier_destroy(&self->carrier);
	route_loads_destroy(&self->loads);
	pace_destroy(&self->auth.pace);
	server_proofs_close(&self->proofs);
	if (self->ended_fd >= 0)
		close(self->ended_fd);
	pthread_mutex_destroy(&self->mutex);
	pthread_mutex_destroy(&self->access.mutex);
	pthread_cond_destroy(&self->changed);
	drain_finish(&self->drain);
	free(self);
	*server = NULL;
}
