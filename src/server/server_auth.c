/* SPDX-License-Identifier: Apache-2.0
 * server_auth.c - how clients prove who they are: what the ways of all routes share is the
 * server's. */
#include <stdio.h>

#include "auth/hasher.h"
#include "auth/pace.h"
#include "server/server_private.h"

static int fail(struct server_error *out_error, const char *text)
{
	snprintf(out_error->text, sizeof(out_error->text), "%s", text);
	return -1;
}

static int world_create(struct server *server, const struct config *config,
			struct server_error *out_error)
{
	if (auth_is_used(config, CONFIG_AUTH_BASIC)) {
		server->auth.hasher = hasher_create(config->server.password_queue);
		if (server->auth.hasher == NULL)
			return fail(out_error, "the thread that checks passwords could not be "
					       "started; raise the limit on threads (ulimit -u, "
					       "pids.max)");
	}
	if (config->server.auth_failures > 0) {
		server->auth.pace = pace_create(config->server.auth_failures);
		if (server->auth.pace == NULL)
			return fail(out_error, "out of memory");
	}
	return 0;
}

int server_auth_start(struct server *server, struct server_error *out_error)
{
	const struct config *config = &server->options.ruleset->config;
	struct auth_table *table;
	struct auth_error error;

	if (!auth_is_used_at_all(config))
		return 0;
	if (world_create(server, config, out_error) < 0)
		return -1;
	if (auth_table_build(config, &server->auth, &table, &error) < 0)
		return fail(out_error, error.text);
	ruleset_take_auth(server->options.ruleset, table, auth_table_destroy);
	return 0;
}

void server_auth_end(struct server *server)
{
	hasher_destroy(&server->auth.hasher);
}
