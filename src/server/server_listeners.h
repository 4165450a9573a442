/* SPDX-License-Identifier: Apache-2.0
 * server_listeners.h - which listener has which place in what workers count
 * (conn/listener_stats.h).
 *
 * Layer: server. By name: one that is taken out and comes again goes on where it was. A place is
 * never given to another, so that connections may outlive their listener; when all are given, what
 * comes later is counted in one. */
#pragma once

#include "config/config.h"
#include "conn/listener_stats.h"

struct server_door;

/* Zeroed before; under the server's mutex once workers run. */
struct server_listeners {
	char names[LISTENER_PLACES][CONFIG_PLACE_TEXT_MAX]; /* from 1 on */
	size_t count;
	bool has_others;
};

/* Of one that workers do not have yet. */
void server_listeners_place(struct server_listeners *self, struct server_door *door);
