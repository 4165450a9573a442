/* SPDX-License-Identifier: Apache-2.0
 * reload.c - other rules come in force (reload.h).
 *
 * A change has two parts. `prepare` makes routes, back ends and ways to prove who one is, and may
 * fail; then all that it has made is given back, and nobody has seen it. `commit` cannot fail: it
 * changes what is shared, one thing after the other, and posts the rules to the workers. For a
 * moment some of them have the older rules and some the newer ones, which is as if clients had come
 * a moment earlier or later. */
#include "server/reload.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/log.h"
#include "server/doors_change.h"
#include "server/server_limits.h"
#include "server/server_private.h"

/* A worker does in a turn what takes microseconds; one that does not come to an end of it in this
 * time hangs. */
#define AWAIT_S 5

/* What was made for the rules, and is not in force yet. */
struct change {
	struct ruleset *next;
	const struct plan *plan;
	struct backend_set *backends;
	struct backend_watches watches;
	struct doors_change doors;
	struct tracer_change *tracing;
	struct log_file *access; /* NULL: no file, or the one that is open */
};

/* --- what can fail --- */

/* Their clients are to go: those that went with this change, and those of earlier ones as long as
 * some are there. */
static int closing_make(struct server *server, struct ruleset *next)
{
	const struct ruleset *now = server->ruleset;
	bool is_good = true;

	for (size_t i = 0; i < now->config.route_count; i++) {
		const struct config_route *route = &now->config.routes[i];

		if (route->on_removed == CONFIG_ON_REMOVED_CLOSE &&
		    config_route_find(&next->config, slice_from_text(route->name)) == NULL)
			is_good &= ruleset_add_closing(next, route->name);
	}
	for (size_t i = 0; i < now->closing.count; i++) {
		const char *name = now->closing.items[i];

		if (config_route_find(&next->config, slice_from_text(name)) == NULL &&
		    route_loads_connections(server->loads, name) > 0)
			is_good &= ruleset_add_closing(next, name);
	}
	return is_good ? 0 : -ENOMEM;
}

static int routes_make(struct server *server, struct change *change)
{
	struct route_table *routes = route_table_create(change->next, change->backends,
							server->loads);

	if (routes == NULL)
		return -ENOMEM;
	ruleset_take_routes(change->next, routes, route_table_destroy);
	return closing_make(server, change->next);
}

static int prepare(struct server *server, struct change *change, struct server_error *out_error)
{
	struct backend_error error;

	if (backends_prepare(server->backends, &change->next->config, &change->backends, &error) <
	    0)
		return server_fail(out_error, error.text);
	if (routes_make(server, change) < 0 ||
	    backend_watches_begin(server, change->next, &change->watches) < 0)
		return server_fail(out_error, "out of memory");
	if (server_auth_make(server, change->next, out_error) < 0 ||
	    server_tracing_prepare(server, &change->next->config, &change->tracing, out_error) <
		    0 ||
	    server_access_prepare(server, &change->next->config, &change->access, out_error) < 0)
		return -1;
	return doors_change_prepare(server, &change->next->config, &change->doors, out_error);
}

/* Routes hold back ends, so they go first. */
static void discard(struct server *server, struct change *change)
{
	struct ruleset_bin *bin = change->next->bin;

	doors_change_discard(&change->doors);
	tracer_discard(&change->tracing);
	log_file_destroy(&change->access, NULL);
	server_auth_unmake(server, change->next);
	backend_watches_end(server, &change->watches);
	ruleset_unref(&change->next);
	ruleset_bin_empty(bin);
	backend_set_discard(&change->backends);
}

/* --- what cannot --- */

static void post(struct server *server, struct ruleset *ruleset)
{
	pthread_mutex_lock(&server->mutex);
	for (size_t i = 0; i <= server->worker_count; i++)
		if (server->slots[i].is_listening && !server->slots[i].has_ended)
			worker_change_rules(server->slots[i].worker, ruleset);
	pthread_mutex_unlock(&server->mutex);
}

static void commit(struct server *server, struct change *change)
{
	struct ruleset *before = server->ruleset, *next = change->next;

	next->number = before->number + 1;
	server_auth_continue(next, before);
	backends_put_in_force(server->backends, &change->backends);
	fleet_take_limits(&server->fleet, &next->config);
	log_configure(next->config.log.level, next->config.log.format);
	server_limits_set(server, &next->config, change->plan);
	doors_change_commit(server, &change->doors);
	pthread_mutex_lock(&server->mutex);
	server->ruleset = next;
	pthread_mutex_unlock(&server->mutex);
	server_tracing_commit(server, next, &change->tracing);
	server_access_commit(server, &next->config, &change->access);
	post(server, next);
	server_auth_unmake(server, before);
	backend_watches_end(server, &server->backend_watches);
	server->backend_watches = change->watches;
	ruleset_unref(&before);
}

int server_reload(struct server *server, struct ruleset *next, const struct plan *plan,
		  struct server_error *out_error)
{
	struct change change = {.next = next, .plan = plan};

	ruleset_use_bin(next, &server->bin);
	if (prepare(server, &change, out_error) < 0) {
		discard(server, &change);
		return -1;
	}
	commit(server, &change);
	server_reload_tick(server);
	return 0;
}

/* --- how often --- */

const char *reload_outcome_label(enum reload_outcome outcome)
{
#define RELOAD_OUTCOME_LABEL(NAME, label, help) label,
	static const char *const labels[] = {RELOAD_OUTCOME_TABLE(RELOAD_OUTCOME_LABEL)};

	CHECK(outcome < RELOAD_OUTCOME_COUNT);
	return labels[outcome];
}

void server_count_reload(struct server *server, enum reload_outcome outcome)
{
	counter_add(&server->reloads.outcomes[outcome], 1);
	if (outcome == RELOAD_CHANGED || outcome == RELOAD_SAME)
		counter_set(&server->reloads.reloaded_at_s, clock_wall_ns() / NS_PER_S);
}

const struct reload_stats *server_reload_stats(const struct server *server)
{
	return &server->reloads;
}

/* --- afterwards --- */

/* Under the mutex. One that has ended needs no rules. */
static size_t count_late(const struct server *server)
{
	size_t late = 0;

	for (size_t i = 0; i <= server->worker_count; i++) {
		const struct slot *slot = &server->slots[i];

		late += slot->is_listening && !slot->has_ended &&
			slot->rules_number < server->ruleset->number;
	}
	return server->ruleset->number == 1 ? 0 : late;
}

size_t server_reload_await(struct server *server)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += AWAIT_S;
	pthread_mutex_lock(&server->mutex);
	size_t late = count_late(server);

	while (late > 0 && r == 0) {
		r = pthread_cond_timedwait(&server->changed, &server->mutex, &until);
		late = count_late(server);
	}
	pthread_mutex_unlock(&server->mutex);
	if (late == 0)
		server_addresses_await(server);
	else
		log_warn("workers have not changed over to the newer rules yet",
			 F_UINT("workers", late));
	return late;
}

void server_reload_tick(struct server *server)
{
	ruleset_bin_empty(&server->bin);
	backends_tick(server->backends);
	doors_change_tick(server);
	server_addresses_tick(server);
}
