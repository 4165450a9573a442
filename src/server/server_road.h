/* SPDX-License-Identifier: Apache-2.0
 * server_road.h - the road between the process that hands over and the one that takes over
 * (session/handover_road.h), and what a server does with it.
 *
 * Layer: server. Functions are called by the main thread. Of the older process, in this order:
 *
 *	server_road_open      before anybody stands still
 *	server_road_pause     before the workers are asked to stand still
 *	server_road_commit    the other process has the clients: before they are forgotten here
 *	server_road_hear      whatever the other one tells, until server_road_end
 *	server_road_has_left  this process may end
 *
 * or server_road_abandon instead of commit. Of the newer one: server_road_open once its admin's
 * thread runs, before clients are imported, and server_road_hear once they are its own. */
#pragma once

#include <stdbool.h>

#include "base/slice.h"

struct server;
struct server_road;

struct server_road_options {
	struct server *server;
	bool is_newer;
	/* To the other process, from any thread; copies. False: it has gone. Called until
	 * server_road_end. */
	bool (*send)(void *arg, struct slice bytes);
	void *arg;
};

/* 0 or -ENOMEM. The server keeps it. */
int server_road_open(const struct server_road_options *options);

void server_road_pause(struct server *server);

/* Harmless if there is none. */
void server_road_abandon(struct server *server);

void server_road_commit(struct server *server);

/* What the other one's `send` got. */
void server_road_hear(struct server *server, struct slice bytes);

/* The other one has ended, or nothing is told any more. Harmless the second time, and if there is
 * no road; so it is before server_end. */
void server_road_end(struct server *server);

/* All that came for clients that have moved is told, as far as it came. True if there is no road.
 */
bool server_road_has_left(const struct server *server);

/* In server_destroy, after server_end and the end of the back ends. */
void server_road_close(struct server *server);
