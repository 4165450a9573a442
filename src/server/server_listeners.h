/* SPDX-License-Identifier: Apache-2.0
 * server_listeners.h - which listener has which place in what workers count
 * (conn/listener_stats.h).
 *
 * Layer: server. By name: one that is taken out and comes again goes on where it was. A place is
 * never given to another, so that connections may outlive their listener; when all are given, what
 * comes later is counted in one. */
#pragma once

#include "base/slice.h"
#include "config/config.h"
#include "conn/listener_stats.h"

struct server;
struct server_door;

/* Zeroed before; under the server's mutex once workers run. */
struct server_listeners {
	char names[LISTENER_PLACES][CONFIG_PLACE_TEXT_MAX]; /* from 1 on */
	size_t count;
	bool has_others;
};

/* For connections that go to another process, or come from one, which has other places: the name of
 * a place, "" for LISTENER_OTHERS; the place of a name, which may be of no listener any more.
 * Thread-safe. */
void server_listener_name(struct server *server, unsigned place, char out[CONFIG_PLACE_TEXT_MAX]);
unsigned server_listener_of(struct server *server, struct slice name);

/* Of one that workers do not have yet. */
void server_listeners_place(struct server_listeners *self, struct server_door *door);
