/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/saturate.h"
#include "proto/ws_handshake.h"
#include "auth/pace.h"
#include "server/server_private.h"
#include "server/server_turns.h"

/* --- what the threads tell --- */

static bool is_admin(const struct slot *slot)
{
	return slot == &slot->server->slots[slot->server->worker_count];
}

static void on_listening(void *arg, struct worker *worker)
{
	struct slot *slot = arg;
	struct server *server = slot->server;

	if (is_admin(slot)) {
		server_nodes_open(&server->nodes, worker);
		ticket_ear_open(&server->proofs.ear, &worker->home.fleet);
	}

	pthread_mutex_lock(&server->mutex);
	CHECK(!slot->is_listening && !slot->has_ended);
	slot->is_listening = true;
	if (!is_admin(slot))
		__atomic_fetch_add(&server->listening, 1, __ATOMIC_RELAXED);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static void on_drain(void *arg, struct worker *worker)
{
	struct slot *slot = arg;

	(void)worker;
	if (!is_admin(slot))
		return;
	server_nodes_close(&slot->server->nodes);
	ticket_ear_close(&slot->server->proofs.ear);
}

static void on_end(void *arg, int error)
{
	struct slot *slot = arg;
	struct server *server = slot->server;

	pthread_mutex_lock(&server->mutex);
	CHECK(!slot->has_ended);
	slot->has_ended = true;
	slot->error = error;
	/* One that never listened fails the start, and nobody waits for the end of all. */
	if (slot->is_listening && !is_admin(slot) &&
	    __atomic_sub_fetch(&server->listening, 1, __ATOMIC_RELAXED) == 0)
		eventfd_write(server->ended_fd, 1);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

/* --- start --- */

/* The limit that max_connections was taken from, if it is `auto`. */
static enum refusal refusal_when_full(const struct server *server)
{
	const struct limit *binding = limits_binding(&server->options.plan->limits);
	const char *label = limit_label(binding == NULL ? LIMIT_ID_MAX_CONNECTIONS : binding->id);

	for (unsigned i = 0; i < REFUSAL_COUNT; i++)
		if (strcmp(refusal_table[i].label, label) == 0)
			return i;
	return REFUSAL_MAX_CONNECTIONS;
}

/* HTTP connections that are kept take of the sockets that are left free for handshakes, but
 * not more than half of them. */
static uint64_t kept_max(const struct server_options *options)
{
	const struct plan *plan = options->plan;
	uint64_t held = MIN(plan->capacity.worker_connections, plan->max_connections);
	uint64_t spare = saturating_sub(plan->capacity.worker_sockets, held) / 2;

	return MIN(options->ruleset->config.server.keep_alive_max, spare);
}

static void service_init(struct service *service, const struct server *server)
{
	*service = (struct service){
		.ruleset = ruleset_ref(server->options.ruleset),
		.worker_connections = server->options.plan->capacity.worker_connections,
		.ring_sockets = server->options.plan->input.engine == LOOP_ENGINE_IO_URING
					? server->options.plan->capacity.worker_sockets
					: 0,
		.full = refusal_when_full(server),
		.kept = {.max = kept_max(&server->options)},
		.refused_browsers =
			{.max = server->options.ruleset->config.server.refuse_browsers_max},
	};
	if (server->options.ruleset->config.server.node.text[0] != 0)
		snprintf(service->node, sizeof(service->node), "%.*s",
			 (int)sizeof(service->node) - 1,
			 server->options.ruleset->config.server.node.text);
	else if (gethostname(service->node, sizeof(service->node) - 1) < 0)
		snprintf(service->node, sizeof(service->node), "unknown");
}

struct server *server_create(const struct server_options *options)
{
	struct server *server = calloc(1, sizeof(*server));

	if (server == NULL)
		return NULL;
	server->options = *options;
	ruleset_ref(server->options.ruleset);
	server->worker_count = options->plan->capacity.workers;
	server->admission.max = options->plan->max_connections;
	server->started_ns = clock_now_ns();
	server->directory = directory_create();
	server->slots = calloc(server->worker_count + 1, sizeof(struct slot));
	server->ended_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->changed, NULL);
	drain_init(&server->drain, &server->is_draining, &server->public_service.is_draining);
	bool has_address_limit = options->ruleset->config.server.max_connections_per_ip > 0;

	if (has_address_limit)
		server->address_limit = address_limit_create(
			options->ruleset->config.server.max_connections_per_ip,
			(unsigned)options->ruleset->config.server.ipv6_prefix);
	if (server->directory != NULL)
		directory_pace_takeovers(server->directory,
					 options->ruleset->config.server.takeover_rate);
	if (server->directory == NULL || server->slots == NULL || server->ended_fd < 0 ||
	    (has_address_limit && server->address_limit == NULL)) {
		server_destroy(&server);
		return NULL;
	}
	for (size_t i = 0; i <= server->worker_count; i++)
		server->slots[i].server = server;
	service_init(&server->public_service, server);
	server->public_service.admission = &server->admission;
	server->public_service.address_limit = server->address_limit;
	server->public_service.directory = server->directory;
	server->fleet = (struct fleet){
		.config = &options->ruleset->config,
		.node = server->public_service.node,
		.commands = &server->command_stats,
		.rpc = &server->rpc_stats,
		.directory = server->directory,
		.groups = group_registry_create(options->ruleset->config.server.max_groups)};
	if (server->fleet.groups == NULL) {
		server_destroy(&server);
		return NULL;
	}
	server->public_service.fleet = &server->fleet;
	server->nodes.server = server;
	accept_rate_init(&server->public_service.accept_rate,
			 options->ruleset->config.server.accept_rate,
			 options->ruleset->config.server.accept_burst);
	service_init(&server->admin_service, server);
	server->admin_service.max_body = options->ruleset->config.admin.max_body;
	server->admin_service.max_calls = options->ruleset->config.admin.max_calls;
	return server;
}

/* Waits until a thread that was just started listens or has failed. */
static int await_listening(struct server *server, struct slot *slot, struct server_error *out_error)
{
	pthread_mutex_lock(&server->mutex);
	while (!slot->is_listening && !slot->has_ended)
		pthread_cond_wait(&server->changed, &server->mutex);
	int r = slot->is_listening ? 0 : slot->error;
	pthread_mutex_unlock(&server->mutex);
	if (r < 0)
		snprintf(out_error->text, sizeof(out_error->text),
			 "a worker could not start its %s loop: %s; lower server.workers or raise "
			 "the limits on memory and descriptors (gatehouse serve needs about 4 "
			 "descriptors for each worker, and one for each further listener)",
			 loop_engine_name(server->options.plan->input.engine), strerror(-r));
	return r;
}

/* The admin's has as many handshakes as a worker, and no rate: who looks after the gateway gets
 * through while clients storm it. */
static struct tls_limits tls_share(const struct server *server, const struct service *service)
{
	const struct config *config = &server->options.ruleset->config;
	uint64_t workers = server->worker_count, rate = config->server.tls_handshake_rate;
	uint64_t most = config_tls_handshakes_max(config, workers);
	bool has_rate = rate != 0 && service == &server->public_service;

	return (struct tls_limits){
		.handshakes_max = (most + workers - 1) / workers,
		.handshake_step_ns = has_rate ? NS_PER_S * workers / rate : 0,
	};
}

static int start_one(struct server *server, struct slot *slot, struct service *service,
		     const struct worker_door *doors, size_t door_count,
		     struct server_error *out_error)
{
	CHECK(slot->worker == NULL && !slot->is_listening);
	struct worker_options options = {
		.service = service,
		.loop = {.engine = server->options.plan->input.engine,
			 .max_sockets = server->options.plan->capacity.worker_sockets},
		.events = {.on_listening = on_listening,
			   .on_drain = on_drain,
			   .on_end = on_end,
			   .arg = slot},
		.doors = doors,
		.door_count = door_count,
		.tls = tls_share(server, service),
		.drain = service == &server->public_service ? &server->drain : NULL,
	};
	char name[SERVER_LOOP_NAME_MAX];

	snprintf(options.name, sizeof(options.name), "%.*s", WORKER_NAME_MAX - 1,
		 server_loop_name(server, (size_t)(slot - server->slots), name));
	struct worker *worker = worker_start(&options);

	if (worker == NULL) {
		snprintf(
			out_error->text, sizeof(out_error->text),
			"a worker's thread could not be started: %s; lower server.workers or raise "
			"the limit on threads (ulimit -u, pids.max)",
			strerror(errno));
		return -1;
	}
	pthread_mutex_lock(&server->mutex);
	slot->worker = worker;
	pthread_mutex_unlock(&server->mutex);
	return await_listening(server, slot, out_error);
}

/* Opens `count` doors for the worker of a slot. */
static int start_at(struct server *server, struct slot *slot, struct service *service,
		    struct server_door *doors, size_t count, struct server_error *out_error)
{
	struct worker_door *opened = calloc(count, sizeof(*opened));
	bool is_first = slot == server->slots || service == &server->admin_service;
	size_t i = 0;

	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	if (opened == NULL)
		return -1;
	for (; i < count; i++) {
		int fd = server_door_open(&doors[i], is_first, out_error);

		if (fd < 0)
			break;
		opened[i] = (struct worker_door){
			.fd = fd,
			.tls = doors[i].tls == NULL ? NULL : server_tls_holder(doors[i].tls)};
	}
	int r = i == count ? start_one(server, slot, service, opened, count, out_error) : -1;

	for (size_t j = 0; i < count && j < i; j++)
		close(opened[j].fd);
	free(opened);
	return r;
}

static void log_listening(const char *message, const struct server_door *door)
{
	const struct config_listener *listener = door->listener;
	bool is_any = listener->address.unix_path[0] == 0 && door->addr.sa.sa_family == AF_INET6 &&
		      net_addr_is_wildcard(&door->addr);
	char text[CONFIG_PLACE_TEXT_MAX];
	struct log_field fields[3] = {F_TEXT("address", server_door_text(door, text)),
				      F_TEXT("tls", door->tls == NULL ? "no" : "yes")};

	fields[2] = F_TEXT("takes", listener->ipv6_only == CONFIG_SWITCH_TRUE ? "IPv6 only"
									      : "IPv6 and IPv4");
	log_write(LOG_LEVEL_INFO, message, fields, is_any ? 3 : 2);
}

static int start_admin(struct server *server, struct server_error *out_error)
{
	struct server_door *door = server_doors_admin(&server->doors);
	int r = start_at(server, &server->slots[server->worker_count], &server->admin_service, door,
			 1, out_error);

	if (r == 0)
		log_listening("admin listening", door);
	return r;
}

static int start_workers(struct server *server, struct server_error *out_error)
{
	size_t doors = server->doors.count - 1;

	for (size_t i = 0; i < server->worker_count; i++)
		if (start_at(server, &server->slots[i], &server->public_service,
			     server->doors.items, doors, out_error) < 0)
			return -1;
	__atomic_store_n(&server->public_service.is_ready, true, __ATOMIC_RELEASE);
	for (size_t i = 0; i < doors; i++)
		log_listening("listening", &server->doors.items[i]);
	return 0;
}

static int start_bus(struct server *server, struct server_error *out_error)
{
	struct fleet_error error;
	int r = fleet_bus_open(&server->fleet, &error);

	if (r < 0)
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
	return r;
}

static int start_backends(struct server *server, struct server_error *out_error)
{
	struct backend_error error;

	if (backends_create(server->options.ruleset, server->public_service.node, server->fleet.bus,
			    &server->backends, &error) < 0) {
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
		return -1;
	}
	struct route_table *routes = route_table_create(server->options.ruleset, server->backends);

	if (routes != NULL) {
		ruleset_take_routes(server->options.ruleset, routes, route_table_destroy);
		return 0;
	}
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	return -1;
}

/* No limit is silent. */
static void tell_kept_max(const struct server *server)
{
	uint64_t wanted = server->options.ruleset->config.server.keep_alive_max;
	uint64_t max = server->public_service.kept.max;

	if (max < wanted)
		log_info("fewer HTTP connections can be kept than server.keep_alive_max",
			 F_UINT("kept", max), F_UINT("keep_alive_max", wanted),
			 F_TEXT("remedy", "raise the descriptor limit (ulimit -n, LimitNOFILE=) or "
					  "lower server.max_connections"));
}

int server_start(struct server *server, const struct http_handler *public_http,
		 const struct http_handler *admin_http, struct server_error *out_error)
{
	server->public_service.handler = *public_http;
	server->admin_service.handler = *admin_http;
	ws_handshake_prepare();
	tell_kept_max(server);
	if (server_doors_make(&server->doors, &server->options.ruleset->config,
			      server->options.renewals, out_error) < 0 ||
	    start_bus(server, out_error) < 0 || start_backends(server, out_error) < 0 ||
	    server_auth_start(server, out_error) < 0 || start_admin(server, out_error) < 0)
		return -1;
	return start_workers(server, out_error);
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
		if (server->slots[i].is_listening && !server->slots[i].has_ended)
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
	server_doors_finish(&self->doors);
	backends_destroy(&self->backends);
	address_limit_destroy(&self->address_limit);
	group_registry_destroy(&self->fleet.groups);
	directory_destroy(&self->directory);
	ruleset_unref(&self->public_service.ruleset);
	ruleset_unref(&self->admin_service.ruleset);
	ruleset_unref(&self->options.ruleset);
	pace_destroy(&self->auth.pace);
	server_proofs_close(&self->proofs);
	if (self->ended_fd >= 0)
		close(self->ended_fd);
	pthread_mutex_destroy(&self->mutex);
	pthread_cond_destroy(&self->changed);
	drain_finish(&self->drain);
	free(self);
	*server = NULL;
}
