/* SPDX-License-Identifier: Apache-2.0
 * client_route.h - the route of a client, for those that know only the client.
 *
 * Layer: session. Read-only, from any thread; the route layer makes one for each route. */
#pragma once

#include "session/ruleset.h"

struct client_route {
	const struct config_route *config;
	struct ruleset *ruleset; /* of which it is a part; whoever keeps a route holds that */
};
