/* SPDX-License-Identifier: Apache-2.0
 * ruleset.h - the rules that clients come in by: the configuration and its routes, as one snapshot.
 *
 * Layer: session, because a presence holds its client's. Counted by reference and immutable once
 * somebody else has one, so that it can be replaced while clients of the older one are still there:
 * text of the configuration, routes and what points to them live as long as somebody holds it.
 * Held by the server while it is in force, by each worker for the connections that come, by each
 * presence, and by each uplink. What ends with the last of them may block (threads of back ends are
 * waited for), so it goes to a bin, which the main thread empties. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reference.h"
#include "config/config.h"

struct auth_table;
struct route_table;
struct ruleset;

/* Where rulesets go that nobody holds any more. Zero-initialise and ruleset_bin_init. */
struct ruleset_bin {
	pthread_mutex_t mutex;
	struct ruleset *first; /* under the mutex */
	uint64_t alive;        /* atomic: rulesets that will go here, and those that have */
};

/* Names of routes that were taken out, and whose clients are to go (routes[].on_removed). */
struct ruleset_closing {
	char **items;
	size_t count;
};

struct ruleset {
	uint32_t references;         /* atomic */
	char hash[CONFIG_HASH_TEXT]; /* of the configuration */
	uint64_t number; /* of those of this process, from 1; 0: it was never in force */
	struct config config;
	struct route_table *routes; /* of route/route.h, not known here; NULL: there are none yet */
	void (*routes_destroy)(struct route_table **routes);
	struct auth_table *auth; /* of auth/auth.h, not known here; NULL: nobody proves anything */
	void (*auth_destroy)(struct auth_table **auth);
	struct ruleset_closing closing;
	struct ruleset_bin *bin; /* NULL: it is freed by whoever drops the last reference */
	struct ruleset *next;    /* in the bin */
};

void ruleset_bin_init(struct ruleset_bin *bin);

/* When nobody holds any that would go there. */
void ruleset_bin_finish(struct ruleset_bin *bin);

/* By a thread that may block: frees what is there. */
void ruleset_bin_empty(struct ruleset_bin *bin);

/* Takes over what is in `config`, and empties it. One reference, the caller's. NULL: memory is out,
 * and nothing has changed. */
struct ruleset *ruleset_create(struct config *config);

/* Before anybody else has a reference: where it goes at its end. */
void ruleset_use_bin(struct ruleset *ruleset, struct ruleset_bin *bin);

/* Likewise; `name` is copied. False: memory is out. */
bool ruleset_add_closing(struct ruleset *ruleset, const char *name);

/* Likewise: the routes, which live as long as the ruleset. */
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
