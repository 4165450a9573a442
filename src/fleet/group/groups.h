/* SPDX-License-Identifier: Apache-2.0
 * groups.h - who is in which group.
 *
 * Layer: fleet. A client is in up to server.max_groups_per_client groups, until it leaves
 * them or its connection begins to end. Each worker knows its own members of each group, in
 * its own thread, and tells the node's registry of their number. */
#pragma once

#include <jansson.h>

#include "base/list.h"
#include "base/state.h"
#include "fleet/group/fan_out.h"
#include "fleet/group/group_registry.h"
#include "base/list_walk.h"
#include "fleet/group/name_table.h"

struct client;
struct route_interest;

/* In struct fleet_home: one worker's members. The owner of the home sets the functions. */
struct group_home {
	struct name_table table;       /* of struct group */
	struct route_interest *routes; /* those that have clients here */
	uint64_t interests;            /* not closed yet */
	uint64_t fan_outs;             /* under way, of what came by the bus; the owner counts */
	uint64_t fan_out_bytes;        /* of their frames; at most bus.pending_max and one */
	uint64_t seats;                /* that were ever taken */
	/* A message for clients of this worker, from others; lent. */
	void (*on_fan_out)(struct fleet_home *home, const struct fan_out *what);
	/* One that is none; `why` is static text. */
	void (*on_refused)(struct fleet_home *home, const struct fan_out *what, const char *why);
};

/* In struct client. */
struct client_groups {
	struct list_node seats;
	size_t count;
	struct route_interest *route; /* that it counts in; NULL: it has not entered */
};

/* --- a client --- */

void groups_client_init(struct client *client);

/* It has come in; 0 or -ENOMEM. Only if the fleet is clustered. */
int groups_client_enter(struct client *client);

/* It begins to end: leaves all. Harmless if it did not enter. */
void groups_client_leave(struct client *client);

enum group_result {
	GROUP_JOINED,
	GROUP_ALREADY,     /* it was a member */
	GROUP_CLIENT_FULL, /* server.max_groups_per_client */
	GROUP_NODE_FULL,   /* server.max_groups */
	GROUP_NO_MEMORY,
};

/* `name` is a good one. */
enum group_result group_join(struct client *client, const char *name);

/* As group_join, of one that was a member in another process: however many there are. False: the
 * name is none, or memory is out. */
bool group_restore(struct client *client, struct slice name);

/* Puts the name of each of its groups, in the order of joining. */
void groups_export(const struct client *client, uint16_t tag, struct state_writer *out);

/* False: it was no member. */
bool group_leave(struct client *client, const char *name);

bool group_has(const struct client *client, const char *name);

/* The names of its groups, in the order of joining. NULL: memory is out. */
json_t *groups_of_session(const struct session *session);

/* --- a worker --- */

/* All clients have left. */
void groups_home_finish(struct fleet_home *home);

/* Goes through the members of a group, over several turns. Those who come meanwhile, or
 * leave, are left out. */
struct group_walk {
	struct fleet_home *home;
	struct group *group;
	struct list_walk walk;
	uint64_t seats; /* of home, when it began */
};

/* False: the group has no members here, and the walk has not begun. */
bool group_walk_start(struct group_walk *walk, struct fleet_home *home, const char *name);
struct session *group_walk_next(struct group_walk *walk); /* NULL: that was all */
/* The same, with the number of its seat, which rises from member to member. */
struct session *group_walk_next_number(struct group_walk *walk, uint64_t *out_number);
void group_walk_stop(struct group_walk *walk);
