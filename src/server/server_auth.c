/* SPDX-License-Identifier: Apache-2.0
 * server_auth.c - how clients prove who they are: what the ways of all routes share is the
 * server's. */
#include <stdio.h>

#include "auth/hasher.h"
#include "auth/pace.h"
#include "base/renewals.h"
#include "server/server_private.h"

/* Also if no route asks: the API and metrics know of them. */
static int proofs_open(struct server *server, struct server_error *out_error)
{
	if (server_proofs_open(&server->proofs, &server->fleet, &server->options.ruleset->config) <
	    0)
		return server_fail(out_error, "out of memory");
	server->auth.jwks = server->proofs.jwks;
	server->auth.tickets = server->proofs.tickets;
	server->auth.renewals = server->options.renewals;
	server->auth.ticket_road = server->fleet.is_clustered ? &ticket_road : NULL;
	return 0;
}

/* What the ways of this configuration need, and is not there yet; it stays. */
static int world_complete(struct server *server, const struct config *config,
			  struct server_error *out_error)
{
	struct auth_world *world = &server->auth;
	bool wants_hasher = world->hasher == NULL && auth_is_used(config, CONFIG_AUTH_BASIC);
	bool wants_pace = world->pace == NULL;
	struct hasher *hasher = wants_hasher ? hasher_create(config->server.password_queue) : NULL;
	struct pace *pace = wants_pace ? pace_create(config->server.auth_failures) : NULL;

	pthread_mutex_lock(&server->mutex);
	if (hasher != NULL)
		world->hasher = hasher;
	if (pace != NULL)
		world->pace = pace;
	pthread_mutex_unlock(&server->mutex);
	if (wants_hasher && hasher == NULL)
		return server_fail(out_error,
				   "the thread that checks passwords could not be started; "
				   "raise the limit on threads (ulimit -u, pids.max)");
	return wants_pace && pace == NULL ? server_fail(out_error, "out of memory") : 0;
}

/* --- files that change --- */

static bool renew(void *arg, struct renewal_error *out_error)
{
	struct auth_way *way = arg;
	struct auth_error error = {.text = ""};

	if (way->ops->renew(way, &error) == 0)
		return true;
	snprintf(out_error->text, sizeof(out_error->text), "%.*s", (int)sizeof(out_error->text) - 1,
		 error.text);
	return false;
}

static const char *file_of(const struct auth_way *way)
{
	return way->ops->file == NULL || way->ops->renew == NULL ? NULL : way->ops->file(way);
}

/* All of the ruleset that has been read from a file. */
static void each_file(struct server *server, const struct ruleset *ruleset,
		      bool (*call)(struct renewals *renewals, struct auth_way *way,
				   const char *file),
		      bool *out_is_good)
{
	const struct auth_way *way;

	for (size_t i = 0; i < ruleset->config.route_count; i++) {
		const struct auth *auth = auth_table_at(ruleset->auth, i);

		for (size_t k = 0; auth != NULL && (way = auth_way_at(auth, k)) != NULL; k++)
			if (file_of(way) != NULL && file_of(way)[0] != 0)
				*out_is_good &= call(server->options.renewals,
						     (struct auth_way *)(uintptr_t)way,
						     file_of(way));
	}
}

static bool watch(struct renewals *renewals, struct auth_way *way, const char *file)
{
	return renewals_add(renewals, &(struct renewable){.what = way->ops->name,
							  .files = &file,
							  .file_count = 1,
							  .renew = renew,
							  .arg = way});
}

static bool forget(struct renewals *renewals, struct auth_way *way, const char *file)
{
	(void)file;
	renewals_remove(renewals, way);
	return true;
}

/* --- of one ruleset --- */

int server_auth_make(struct server *server, struct ruleset *ruleset, struct server_error *out_error)
{
	const struct config *config = &ruleset->config;
	struct auth_table *table;
	struct auth_error error;
	bool is_good = true;

	if (!auth_is_used_at_all(config))
		return 0;
	if (world_complete(server, config, out_error) < 0)
		return -1;
	if (auth_table_build(config, &server->auth, &table, &error) < 0)
		return server_fail(out_error, error.text);
	ruleset_take_auth(ruleset, table, auth_table_destroy);
	if (server->options.renewals == NULL)
		return 0;
	each_file(server, ruleset, watch, &is_good);
	if (is_good)
		return 0;
	each_file(server, ruleset, forget, &is_good);
	return server_fail(out_error, "out of memory");
}

void server_auth_unmake(struct server *server, struct ruleset *ruleset)
{
	bool is_good = true;

	if (server->options.renewals != NULL)
		each_file(server, ruleset, forget, &is_good);
}

void server_auth_continue(const struct ruleset *ruleset, const struct ruleset *older)
{
	const struct config *config = &ruleset->config;

	for (size_t i = 0; i < config->route_count; i++) {
		const struct config_route *before = config_route_find(
			&older->config, slice_from_text(config->routes[i].name));
		struct auth *auth = auth_table_at(ruleset->auth, i);
		struct auth *other = before == NULL || auth == NULL
					     ? NULL
					     : auth_table_at(
						       older->auth,
						       (size_t)(before - older->config.routes));

		if (other != NULL)
			auth_continue(auth, other);
	}
}

/* --- start and end --- */

int server_auth_open(struct server *server, struct server_error *out_error)
{
	return proofs_open(server, out_error);
}

void server_auth_end(struct server *server)
{
	server_auth_unmake(server, server->ruleset);
	hasher_destroy(&server->auth.hasher);
}
