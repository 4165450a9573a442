/* SPDX-License-Identifier: Apache-2.0
 * ruleset.h - the rules that clients come in by: the configuration and its routes, as one snapshot.
 *
 * Layer: session, because a presence holds its client's. Counted by reference and immutable once
 * somebody else has one, so that it can be replaced while clients of the older one are still there:
 * text of the configuration, routes and what points to them live as long as somebody holds it.
 * Held by services, by each worker for the connections that come, by each presence, by each uplink,
 * and by the back ends that were made from it. */
#pragma once

#include <stdint.h>

#include "base/reference.h"
#include "config/config.h"

struct auth_table;
struct route_table;

struct ruleset {
	uint32_t references; /* atomic */
	struct config config;
	struct route_table *routes; /* of route/route.h, not known here; NULL: there are none yet */
	void (*routes_destroy)(struct route_table **routes);
	struct auth_table *auth; /* of auth/auth.h, not known here; NULL: nobody proves anything */
	void (*auth_destroy)(struct auth_table **auth);
};

/* Takes over what is in `config`, and empties it. One reference, the caller's. NULL: memory is out,
 * and nothing has changed. */
struct ruleset *ruleset_create(struct config *config);

/* Before anybody else has a reference: the routes, which live as long as the ruleset. */
void ruleset_take_routes(struct ruleset *ruleset, struct route_table *routes,
			 void (*destroy)(struct route_table **routes));

/* Likewise: how clients prove who they are. */
void ruleset_take_auth(struct ruleset *ruleset, struct auth_table *auth,
		       void (*destroy)(struct auth_table **auth));

/* From any thread, by whoever has one. */
static inline struct ruleset *ruleset_ref(struct ruleset *ruleset)
{
	reference_take(&ruleset->references);
	return ruleset;
}

/* From any thread. Clears the pointer; NULL in it is fine. */
void ruleset_unref(struct ruleset **ruleset);
