/* SPDX-License-Identifier: Apache-2.0
 * route_loads.h - what is counted of each route, by its name, from one configuration to the next.
 *
 * Layer: route. A route that stays goes on with its numbers; one that is taken out keeps them as
 * long as clients of it are there. Thread-safe but for create and destroy. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* All of it atomic, for any thread. */
struct route_load {
	uint64_t connections;         /* that are let in, or may be (conn/admit.c) */
	uint64_t connections_refused; /* over max_connections of the route */
	uint64_t origins_refused;     /* requests for the sake of their Origin */
};

struct route_loads;

/* NULL: memory is out. */
struct route_loads *route_loads_create(void);

/* When all that were taken were given back. NULL is fine; clears the pointer. */
void route_loads_destroy(struct route_loads **loads);

/* That of the name, made if there is none yet. NULL: memory is out. */
struct route_load *route_loads_take(struct route_loads *loads, const char *name);
void route_loads_give(struct route_loads *loads, struct route_load *load);

/* Under a lock. */
void route_loads_each(struct route_loads *loads,
		      void (*each)(void *arg, const char *name, const struct route_load *load),
		      void *arg);

/* Connections of the route; 0: there is none of the name. */
uint64_t route_loads_connections(struct route_loads *loads, const char *name);
