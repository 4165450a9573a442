/* SPDX-License-Identifier: Apache-2.0
 * route_loads.h - what is counted of each route, by its name, from one configuration to the next.
 *
 * Layer: route. A route that stays goes on with its numbers; one that is taken out keeps them as
 * long as clients of it are there. Thread-safe but for create and destroy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/durations.h"
#include "base/list.h"

/* Why a handshake came to nothing, once its route was known. X(NAME, label, help) */
#define ROUTE_FAILURE_TABLE(X)                                                                     \
	X(LIMIT, "limit", "a limit: `gatehouse_connections_refused_total` and the log tell which") \
	X(PROOF, "proof",                                                                          \
	  "no good proof (routes[].auth), or it could not be looked at: 401, 403, 503")            \
	X(ORIGIN, "origin", "its Origin (routes[].origins, require_origin): 403")                  \
	X(BLOCKED, "blocked", "its client, or its address, is blocked: 403")                       \
	X(CONFLICT, "conflict", "its client is connected (takeover: oldest): 409")                 \
	X(REQUEST, "request", "the request itself: subprotocol, profile, groups: 400, 403, 503")   \
	X(BACKEND_REFUSED, "backend_refused", "the back end does not want it: 4xx")                \
	X(BACKEND_FAILED, "backend_failed",                                                        \
	  "the back end has failed, gave no usable answer, or none in time: 5xx")                  \
	X(CLIENT_GONE, "client_gone", "the client left before it was answered")

#define ROUTE_FAILURE_ENUM(NAME, label, help) ROUTE_FAILURE_##NAME,
enum route_failure { ROUTE_FAILURE_TABLE(ROUTE_FAILURE_ENUM) ROUTE_FAILURE_COUNT };

const char *route_failure_label(enum route_failure failure);
const char *route_failure_help(enum route_failure failure);

/* At least as many as there are reasons for a connection to end (conn/close_table.h). */
#define ROUTE_CLOSES_MAX 32

/* What is counted on the path of a message, or once for each connection. Written by one worker's
 * thread alone, without a lock prefix; any thread may read it. */
struct route_counts {
	uint64_t accepted;
	uint64_t failures[ROUTE_FAILURE_COUNT];
	uint64_t messages_received;
	uint64_t messages_sent;
	uint64_t received_bytes;
	uint64_t sent_bytes;
	uint64_t closed[ROUTE_CLOSES_MAX];
	struct durations lives; /* of connections; in buckets of durations_life_us */
};

/* Of one worker: on cache lines of its own. */
struct route_cell {
	_Alignas(64) struct route_counts counts;
};

/* The numbers are atomic, for any thread. */
struct route_load {
	uint64_t connections;         /* that are let in, or may be (conn/admit.c) */
	uint64_t connections_refused; /* over max_connections of the route */
	uint64_t origins_refused;     /* requests for the sake of their Origin */
	struct route_cell *cells;     /* one of each worker */
	size_t cell_count;
	bool is_detailed; /* from its beginning to its end */
	bool is_unused; /* under the lock of all: its route was taken out, and its clients have gone
			 */
};

/* So many routes at a time are told of in detail; of the others what is many numbers is told in
 * sum, so that no page grows with them. */
#define ROUTE_DETAILS_MAX 100

/* So many are kept of routes that were taken out: what they counted last is read yet, and one that
 * comes again goes on. More, and those with details that others need: whoever went first. */
#define ROUTE_UNUSED_MAX 100

struct route_loads;

/* For so many workers. NULL: memory is out. */
struct route_loads *route_loads_create(size_t workers);

/* When all that were taken were given back. NULL is fine; clears the pointer. */
void route_loads_destroy(struct route_loads **loads);

/* That of the name, made if there is none yet, or kept. NULL: memory is out. */
struct route_load *route_loads_take(struct route_loads *loads, const char *name);
void route_loads_give(struct route_loads *loads, struct route_load *load);

/* One that was taken out before this process took over is kept as if it had been taken and given
 * back now; one that is there stays as it is. `is_detailed`: it was told of in detail. False:
 * memory is out. */
bool route_loads_keep(struct route_loads *loads, const char *name, bool is_detailed);

/* Adds every number of `from` to `into`, which is the caller's own. */
void route_counts_add(struct route_counts *into, const struct route_counts *from);

/* Of all workers. */
void route_load_sum(const struct route_load *load, struct route_counts *out_sum);

/* Of all that have no details, also of those that have gone: so it never falls, whichever routes
 * come and go. False: there were none. */
bool route_loads_others(struct route_loads *loads, struct route_counts *out_sum);

/* Under a lock. */
void route_loads_each(struct route_loads *loads,
		      void (*each)(void *arg, const char *name, const struct route_load *load),
		      void *arg);

/* Connections of the route; 0: there is none of the name. */
uint64_t route_loads_connections(struct route_loads *loads, const char *name);
