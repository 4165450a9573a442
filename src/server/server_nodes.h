/* SPDX-License-Identifier: Apache-2.0
 * server_nodes.h - the list of nodes, in the admin listener's thread.
 *
 * Layer: server, for server.c and the API. */
#pragma once

#include <jansson.h>

#include "server/server.h"

struct nodes;

struct server_nodes {
	struct server *server;
	struct worker *worker; /* the admin's */
	struct nodes *nodes;   /* NULL: not open */
};

/* Both in the worker's thread; it does not end before the list is closed. */
void server_nodes_open(struct server_nodes *self, struct worker *worker);
void server_nodes_close(struct server_nodes *self);

/* In the admin listener's thread: see nodes_json. NULL: memory is or was out. */
json_t *server_nodes_json(const struct server *server);
