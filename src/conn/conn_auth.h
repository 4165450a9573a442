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
