/* SPDX-License-Identifier: Apache-2.0
 * server_start.c - what a server needs is opened in the order in which one needs the other, and its
 * threads are started one by one, each when the loop of the one before runs: so whatever fails is
 * told in one sentence, and server_destroy undoes what there is.
 *
 * The threads tell how far they are; that is all that the server knows of them, under its mutex. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/check.h"
#include "proto/ws_handshake.h"
#include "server/handover_heir.h"
#include "server/server_handover.h"
#include "server/server_limits.h"
#include "server/server_private.h"
#include "server/server_turns.h"

/* --- what the threads tell --- */

static bool is_admin(const struct slot *slot)
{
	return slot == &slot->server->slots[slot->server->worker_count];
}

static void on_started(void *arg, struct worker *worker)
{
	struct slot *slot = arg;
	struct server *server = slot->server;

	(void)worker;
	pthread_mutex_lock(&server->mutex);
	CHECK(!slot->has_started && !slot->has_ended);
	slot->has_started = true;
	server->running += !is_admin(slot);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static void on_listening(void *arg, struct worker *worker)
{
	struct slot *slot = arg;
	struct server *server = slot->server;

	if (is_admin(slot)) {
		server_nodes_open(&server->nodes, worker);
		ticket_ear_open(&server->proofs.ear, &worker->home.fleet);
		block_road_open(&server->block_road, &worker->home.fleet);
	}

	pthread_mutex_lock(&server->mutex);
	CHECK(!slot->is_listening && !slot->has_ended);
	slot->is_listening = true;
	if (!is_admin(slot))
		__atomic_fetch_add(&server->listening, 1, __ATOMIC_RELAXED);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

static void on_rules(void *arg, uint64_t number)
{
	struct slot *slot = arg;
	struct server *server = slot->server;
	struct worker *worker = slot->worker;
	struct tls_limits tls = server_tls_share(&worker->home.ruleset->config,
						 server->worker_count, is_admin(slot));

	loop_tls_limit(worker->loop, &tls);
	pthread_mutex_lock(&server->mutex);
	slot->rules_number = number;
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
	block_road_close(&slot->server->block_road);
}

static void on_end(void *arg, int error)
{
	struct slot *slot = arg;
	struct server *server = slot->server;

	pthread_mutex_lock(&server->mutex);
	CHECK(!slot->has_ended);
	slot->has_ended = true;
	slot->error = error;
	if (slot->is_listening && !is_admin(slot))
		__atomic_sub_fetch(&server->listening, 1, __ATOMIC_RELAXED);
	/* One that never started fails the start, and nobody waits for the end of all. */
	if (slot->has_started && !is_admin(slot) && --server->running == 0)
		eventfd_write(server->ended_fd, 1);
	pthread_cond_signal(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

/* --- start --- */

/* Waits until a thread that was just started listens or has failed. */
static int await_listening(struct server *server, struct slot *slot, struct server_error *out_error)
{
	pthread_mutex_lock(&server->mutex);
	while (!slot->has_started && !slot->has_ended)
		pthread_cond_wait(&server->changed, &server->mutex);
	int r = slot->has_started ? 0 : slot->error;
	pthread_mutex_unlock(&server->mutex);
	if (r < 0)
		snprintf(out_error->text, sizeof(out_error->text),
			 "a worker could not start its %s loop: %s; lower server.workers or raise "
			 "the limits on memory and descriptors (gatehouse serve needs about 4 "
			 "descriptors for each worker, and one for each further listener)",
			 loop_engine_name(server->options.plan->input.engine), strerror(-r));
	return r;
}

/* There are clients already who wait to be accepted, and would be told that it is too early. */
static bool starts_still(const struct server *server)
{
	return server->options.heir != NULL || server->options.activated != NULL;
}

static int start_one(struct server *server, struct slot *slot, struct service *service,
		     struct worker_door **doors, size_t door_count, struct server_error *out_error)
{
	CHECK(slot->worker == NULL && !slot->has_started);
	struct worker_options options = {
		.index = (size_t)(slot - server->slots),
		.service = service,
		.loop = {.engine = server->options.plan->input.engine,
			 .max_sockets = server->options.plan->capacity.worker_sockets},
		.events = {.on_started = on_started,
			   .on_listening = on_listening,
			   .on_drain = on_drain,
			   .on_rules = on_rules,
			   .on_end = on_end,
			   .arg = slot},
		.doors = doors,
		.door_count = door_count,
		.tls = server_tls_share(&server->options.ruleset->config, server->worker_count,
					is_admin(slot)),
		.drain = service == &server->public_service ? &server->drain : NULL,
		.starts_still = starts_still(server),
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

void server_tell_listening(const struct server *server)
{
	server_door_log(server_doors_admin(&server->doors), "admin listening");
	for (size_t i = 0; i < server->doors.count - 1; i++)
		server_door_log(server->doors.items[i], "listening");
}

/* Of each of these doors every `workers`-th socket is this worker's. NULL: memory is out. */
static struct worker_door **doors_choose(struct server_door **doors, size_t door_count,
					 size_t worker, size_t workers, size_t *out_count)
{
	struct worker_door **chosen;
	size_t most = 0, count = 0;

	for (size_t i = 0; i < door_count; i++)
		most += doors[i]->each_count;
	chosen = calloc(MAX(most, 1), sizeof(*chosen));
	for (size_t i = 0; i < door_count && chosen != NULL; i++)
		for (size_t k = worker; k < doors[i]->each_count; k += workers)
			chosen[count++] = &doors[i]->each[k];
	*out_count = count;
	return chosen;
}

static int start_with(struct server *server, struct slot *slot, struct service *service,
		      struct server_door **doors, size_t door_count, struct server_error *out_error)
{
	size_t worker = is_admin(slot) ? 0 : (size_t)(slot - server->slots), count;
	struct worker_door **chosen = doors_choose(
		doors, door_count, worker, is_admin(slot) ? 1 : server->worker_count, &count);

	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	int r = chosen == NULL ? -1 : start_one(server, slot, service, chosen, count, out_error);

	free(chosen);
	return r;
}

static int start_admin(struct server *server, struct server_error *out_error)
{
	struct server_door *door = server_doors_admin(&server->doors);

	if (server_door_take(door, 1, true, out_error) < 0)
		return -1;
	return start_with(server, &server->slots[server->worker_count], &server->admin_service,
			  &door, 1, out_error);
}

static int start_workers(struct server *server, struct server_error *out_error)
{
	size_t count = server->doors.count - 1;

	for (size_t i = 0; i < count; i++) {
		if (server_door_take(server->doors.items[i], server->worker_count, true,
				     out_error) < 0)
			return -1;
		pthread_mutex_lock(&server->mutex); /* the admin listener answers already */
		server_listeners_place(&server->listeners, server->doors.items[i]);
		pthread_mutex_unlock(&server->mutex);
	}
	for (size_t i = 0; i < server->worker_count; i++)
		if (start_with(server, &server->slots[i], &server->public_service,
			       server->doors.items, count, out_error) < 0)
			return -1;
	if (starts_still(server))
		return 0;
	__atomic_store_n(&server->public_service.is_ready, true, __ATOMIC_RELEASE);
	server_tell_listening(server);
	return 0;
}

static int start_bus(struct server *server, struct server_error *out_error)
{
	struct fleet_error error;
	int r = fleet_bus_open(&server->fleet, &server->options.ruleset->config, &error);

	if (r < 0)
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
	return r;
}

static int start_backends(struct server *server, struct server_error *out_error)
{
	struct ruleset *ruleset = server->options.ruleset;
	struct backend_error error;

	if (backends_create(&ruleset->config, server->public_service.node, server->fleet.bus,
			    &server->backends, &error) < 0) {
		snprintf(out_error->text, sizeof(out_error->text), "%s", error.text);
		return -1;
	}
	backends_trace_to(server->backends, server->tracing.tracer);
	struct route_table *routes = route_table_create(
		ruleset, backends_in_force(server->backends), server->loads);

	if (server->options.heir != NULL)
		backends_keep_run_id(server->backends,
				     slice_from_text(server->options.heir->run_id));
	server->fleet.run_id = backends_run_id(server->backends);
	if (routes != NULL)
		ruleset_take_routes(ruleset, routes, route_table_destroy);
	if (routes != NULL && backend_watches_begin(server, ruleset, &server->backend_watches) == 0)
		return 0;
	snprintf(out_error->text, sizeof(out_error->text), "out of memory");
	return -1;
}

static int start_auth(struct server *server, struct server_error *out_error)
{
	struct ruleset *ruleset = server->options.ruleset;

	return server_auth_open(server, out_error) < 0
		       ? -1
		       : server_auth_make(server, ruleset, out_error);
}

/* From now on others may come in force, and then nobody needs these. */
static void let_go_of_first(struct server *server)
{
	ruleset_unref(&server->public_service.ruleset);
	ruleset_unref(&server->admin_service.ruleset);
	ruleset_unref(&server->options.ruleset);
}

int server_start(struct server *server, const struct http_handler *public_http,
		 const struct http_handler *admin_http, struct server_error *out_error)
{
	server->public_service.handler = *public_http;
	server->admin_service.handler = *admin_http;
	ws_handshake_prepare();
	if (server_doors_make(&server->doors, &server->options.ruleset->config,
			      server->options.renewals, out_error) < 0)
		return -1;
	if (server->options.heir != NULL && server_inherit(server, out_error) < 0)
		return -1;
	if (server->options.activated != NULL)
		server_doors_activate(&server->doors, server->options.activated);
	if (server_tracing_open(server, out_error) < 0 ||
	    server_access_open(server, out_error) < 0 || start_bus(server, out_error) < 0 ||
	    start_backends(server, out_error) < 0 || start_auth(server, out_error) < 0 ||
	    start_admin(server, out_error) < 0)
		return -1;
	int r = start_workers(server, out_error);

	if (r == 0 && server->options.activated != NULL)
		server_open(server);
	if (r == 0)
		let_go_of_first(server);
	return r;
}
