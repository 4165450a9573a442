/* SPDX-License-Identifier: Apache-2.0
 * fan_out.h - messages to many clients, from and to other nodes and programs.
 *
 * Layer: fleet. What is for a group goes to gatehouse.group.<name>, what is for a route's
 * clients to gatehouse.all.<route>. A worker is subscribed only while it has such clients:
 * an interest. What this process has published comes back to it and is left out, because
 * its own clients have got it already. */
#pragma once

#include <stdbool.h>

#include "fleet/group/except.h"
#include "session/session.h"

struct fleet;
struct fleet_home;

struct fan_out {
	const char *route; /* a route's name, as configured, or */
	const char *group; /* a group's; both NULL: all clients */
	struct message message;
	struct except_client except; /* gets nothing */
};

/* Sends it to the others; does nothing if there are none. 0 or what bus_publish returns;
 * of several routes some may have it then. Any thread. */
int fan_out_publish(const struct fleet *fleet, const struct config *config,
		    const struct fan_out *what);

/* In the thread of its worker. */
struct interest;

/* home->groups.on_fan_out is called with what comes, until interest_close. One of `route`
 * and `group` as above, the other one NULL; the name is copied. NULL: memory is out. */
struct interest *interest_open(struct fleet_home *home, const char *route, const char *group);

/* NULL is fine; the pointer is cleared. home must stay until fleet_home_is_idle. */
void interest_close(struct interest **interest);
