/* SPDX-License-Identifier: Apache-2.0
 * conn_auth.h - by which ways the clients of a connection's route prove who they are.
 *
 * Layer: conn. */
#pragma once

#include "auth/auth.h"
#include "conn/conn.h"

/* Once the route is known; NULL: there are none. */
static inline struct auth *conn_auth(const struct conn *conn)
{
	const struct route *route = conn_route(conn);
	const struct ruleset *ruleset = route->client.ruleset;

	return auth_table_at(ruleset->auth, (size_t)(route->config - ruleset->config.routes));
}

/* The same by the rules in force, for who proves something anew; those it came in by if the route
 * is there no more, or asks nobody any more. For this turn of the loop. */
static inline struct auth *conn_auth_now(const struct conn *conn)
{
	const struct ruleset *now = conn->home->ruleset;
	const struct route *route = conn_route(conn);

	if (route->client.ruleset == now)
		return conn_auth(conn);
	const struct config_route *found = config_route_find(&now->config,
							     slice_from_text(route->config->name));
	struct auth *auth = found == NULL ? NULL
					  : auth_table_at(now->auth,
							  (size_t)(found - now->config.routes));

	return auth != NULL ? auth : conn_auth(conn);
}
