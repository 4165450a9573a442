/* SPDX-License-Identifier: Apache-2.0
 * route.h - from a request's path to a route and a client id.
 *
 * Layer: route. A table is made once from the configuration and then only read, by
 * any thread. */
#pragma once

#include <stddef.h>

#include "config/config.h"
#include "route/backends.h"
#include "route/route_loads.h"

/* [bytes] after percent-decoding. */
#define ROUTE_CLIENT_ID_MAX 255

struct route {
	const struct config_route *config;
	const struct backend *backend;
	struct client_route client; /* for its clients' presences */
	struct route_load *load;    /* that of its name */
};

struct route_table;

/* Of the ruleset's configuration, and to become a part of it. Holds those of `backends` that it
 * names, and takes its loads from `loads`; both outlive it. Made and destroyed by the main thread.
 * NULL if memory is out. */
struct route_table *route_table_create(struct ruleset *ruleset, const struct backend_set *backends,
				       struct route_loads *loads);
void route_table_destroy(struct route_table **table);

/* Those that there are, in no order that means anything. */
size_t route_table_count(const struct route_table *table);
const struct route *route_table_at(const struct route_table *table, size_t index);

/* The route of this name; else that of this path, which may have got another name. NULL: neither.
 */
const struct route *route_table_find(const struct route_table *table, const char *name,
				     const char *path);

enum route_result {
	ROUTE_FOUND,
	ROUTE_NONE,   /* no route has this path: 404 */
	ROUTE_BAD_ID, /* the client id is not acceptable: 400 */
	ROUTE_NO_MEMORY,
};

struct route_match {
	const struct route *route;
	char *client_id;     /* ROUTE_FOUND: the caller's to free; NULL if the route has none */
	const char *problem; /* ROUTE_BAD_ID only: what is wrong; static text */
};

/* `path` is as it came, without the query. Where two routes fit, a literal segment
 * beats a parameter. Slashes in a row are empty segments, unless the route has
 * merge_slashes. Client ids are percent-decoded (RFC 3986, 2.1), without control
 * characters, 1..ROUTE_CLIENT_ID_MAX bytes; whether they are UTF-8 is for the caller
 * to check. Fills *out_match only on ROUTE_FOUND and ROUTE_BAD_ID. */
enum route_result route_table_match(const struct route_table *table, struct slice path,
				    struct route_match *out_match);
