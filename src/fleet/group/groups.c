/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/group/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "fleet/client.h"

struct group {
	struct named named;
	struct list_node seats; /* those of the members, in the order of joining */
	struct list_node walks;
	struct interest *interest; /* NULL: no cluster */
	char name[];
};

/* A client's place in a group. */
struct seat {
	struct list_node in_group;
	struct list_node in_client;
	struct group *group;
	struct client *client;
	uint64_t number; /* of home->groups.seats */
};

/* Of all clients of the routes of one name: they may be of several rulesets. */
struct route_interest {
	struct route_interest *next; /* in home->groups.routes */
	struct interest *interest;
	uint64_t clients;
	char name[];
};

/* --- groups of a worker --- */

static struct group *group_find(const struct fleet_home *home, const char *name)
{
	size_t index;

	if (!name_table_find(&home->groups.table, name, &index))
		return NULL;
	return CONTAINER_OF(home->groups.table.items[index], struct group, named);
}

static struct group *group_create(struct fleet_home *home, const char *name)
{
	size_t len = strlen(name), index;
	struct group *group = malloc(sizeof(*group) + len + 1);

	if (group == NULL)
		return NULL;
	memcpy(group->name, name, len + 1);
	group->named.name = group->name;
	group->interest = NULL;
	list_init(&group->seats);
	list_init(&group->walks);
	CHECK(!name_table_find(&home->groups.table, name, &index));
	if (name_table_insert(&home->groups.table, index, &group->named) == 0)
		return group;
	free(group);
	return NULL;
}

/* Others need not send what nobody here gets, also if a walk keeps the group. */
static void group_close_if_empty(struct fleet_home *home, struct group *group)
{
	if (!list_is_empty(&group->seats))
		return;
	interest_close(&group->interest);
	if (!list_is_empty(&group->walks))
		return;
	CHECK(group->interest == NULL);
	name_table_remove(&home->groups.table, &group->named);
	free(group);
}

/* --- seats --- */

static struct seat *seat_find(const struct client *client, const char *name)
{
	for (struct list_node *node = client->groups.seats.next; node != &client->groups.seats;
	     node = node->next) {
		struct seat *seat = CONTAINER_OF(node, struct seat, in_client);

		if (strcmp(seat->group->name, name) == 0)
			return seat;
	}
	return NULL;
}

/* The registry has it already. */
static int seat_take(struct client *client, const char *name)
{
	struct fleet_home *home = client->home;
	struct group *group = group_find(home, name);
	struct seat *seat = malloc(sizeof(*seat));

	if (group == NULL && seat != NULL)
		group = group_create(home, name);
	if (group != NULL && group->interest == NULL && home->fleet->is_clustered)
		group->interest = interest_open(home, NULL, name);
	if (seat == NULL || group == NULL ||
	    (group->interest == NULL && home->fleet->is_clustered)) {
		if (group != NULL)
			group_close_if_empty(home, group);
		free(seat);
		return -ENOMEM;
	}
	*seat = (struct seat){.group = group, .client = client, .number = home->groups.seats++};
	list_append(&group->seats, &seat->in_group);
	list_append(&client->groups.seats, &seat->in_client);
	client->groups.count++;
	return 0;
}

static void seat_leave(struct seat *seat)
{
	struct client *client = seat->client;
	struct group *group = seat->group;

	CHECK(client->groups.count > 0);
	list_walks_pass(&group->walks, &seat->in_group);
	list_remove(&seat->in_group);
	list_remove(&seat->in_client);
	client->groups.count--;
	group_registry_leave(client->home->fleet->groups, group->name);
	group_close_if_empty(client->home, group);
	free(seat);
}

bool group_has(const struct client *client, const char *name)
{
	return seat_find(client, name) != NULL;
}

enum group_result group_join(struct client *client, const char *name)
{
	struct fleet *fleet = client->home->fleet;

	if (seat_find(client, name) != NULL)
		return GROUP_ALREADY;
	if (client->groups.count >= counter_read(&fleet->limits.max_groups_per_client))
		return GROUP_CLIENT_FULL;
	int r = group_registry_enter(fleet->groups, name);

	if (r == -ENOSPC)
		return GROUP_NODE_FULL;
	if (r < 0)
		return GROUP_NO_MEMORY;
	if (seat_take(client, name) == 0)
		return GROUP_JOINED;
	group_registry_leave(fleet->groups, name);
	return GROUP_NO_MEMORY;
}

bool group_restore(struct client *client, struct slice name)
{
	struct group_registry *registry = client->home->fleet->groups;
	char text[GROUP_NAME_MAX + 1];

	if (!group_name_is_good(name))
		return false;
	memcpy(text, name.data, name.len);
	text[name.len] = 0;
	if (seat_find(client, text) != NULL)
		return true;
	if (group_registry_restore(registry, text) < 0)
		return false;
	if (seat_take(client, text) == 0)
		return true;
	group_registry_leave(registry, text);
	return false;
}

void groups_export(const struct client *client, uint16_t tag, struct state_writer *out)
{
	const struct list_node *seats = &client->groups.seats;

	for (const struct list_node *node = seats->next; node != seats; node = node->next)
		state_put_text(out, tag,
			       CONTAINER_OF(node, const struct seat, in_client)->group->name);
}

bool group_leave(struct client *client, const char *name)
{
	struct seat *seat = seat_find(client, name);

	if (seat != NULL)
		seat_leave(seat);
	return seat != NULL;
}

json_t *groups_of_session(const struct session *session)
{
	const struct client *client = session->client;
	json_t *names = json_array();

	if (client == NULL)
		return names;
	for (struct list_node *node = client->groups.seats.next; node != &client->groups.seats;
	     node = node->next)
		json_array_append_new(
			names,
			json_string(CONTAINER_OF(node, struct seat, in_client)->group->name));
	return names;
}

/* --- clients of a route --- */

/* NULL: memory is out. */
static struct route_interest *route_interest_of(struct fleet_home *home, const char *name)
{
	struct route_interest *route = home->groups.routes;

	while (route != NULL && strcmp(route->name, name) != 0)
		route = route->next;
	if (route != NULL)
		return route;
	size_t len = strlen(name);

	route = malloc(sizeof(*route) + len + 1);
	if (route == NULL)
		return NULL;
	*route = (struct route_interest){.interest = interest_open(home, name, NULL),
					 .next = home->groups.routes};
	memcpy(route->name, name, len + 1);
	if (route->interest == NULL) {
		free(route);
		return NULL;
	}
	home->groups.routes = route;
	return route;
}

static void route_interest_end(struct fleet_home *home, struct route_interest *route)
{
	struct route_interest **link = &home->groups.routes;

	while (*link != route)
		link = &(*link)->next;
	*link = route->next;
	interest_close(&route->interest);
	free(route);
}

void groups_client_init(struct client *client)
{
	list_init(&client->groups.seats);
}

int groups_client_enter(struct client *client)
{
	const char *name = presence_route_name(client->session->presence);
	struct route_interest *route = route_interest_of(client->home, name);

	if (route == NULL)
		return -ENOMEM;
	route->clients++;
	client->groups.route = route;
	return 0;
}

void groups_client_leave(struct client *client)
{
	struct list_node *seats = &client->groups.seats;

	for (struct list_node *node = seats->next, *after; node != seats; node = after) {
		after = node->next;
		seat_leave(CONTAINER_OF(node, struct seat, in_client));
	}
	CHECK(client->groups.count == 0);
	struct route_interest *route = client->groups.route;

	client->groups.route = NULL;
	if (route == NULL)
		return;
	CHECK(route->clients > 0);
	if (--route->clients == 0)
		route_interest_end(client->home, route);
}

void groups_home_finish(struct fleet_home *home)
{
	CHECK(home->groups.table.count == 0 && home->groups.interests == 0 &&
	      home->groups.routes == NULL);
	name_table_finish(&home->groups.table);
}

/* --- walks --- */

bool group_walk_start(struct group_walk *walk, struct fleet_home *home, const char *name)
{
	struct group *group = group_find(home, name);

	if (group == NULL)
		return false;
	*walk = (struct group_walk){.home = home, .group = group, .seats = home->groups.seats};
	list_walk_start(&walk->walk, &group->walks, &group->seats);
	return true;
}

struct session *group_walk_next_number(struct group_walk *walk, uint64_t *out_number)
{
	struct list_node *node = walk->walk.next;
	const struct seat *seat = CONTAINER_OF(node, struct seat, in_group);

	if (node == &walk->group->seats || seat->number >= walk->seats)
		return NULL;
	walk->walk.next = node->next;
	CHECK(seat->client->session != NULL); /* it leaves its groups first */
	*out_number = seat->number;
	return seat->client->session;
}

struct session *group_walk_next(struct group_walk *walk)
{
	uint64_t number;

	return group_walk_next_number(walk, &number);
}

void group_walk_stop(struct group_walk *walk)
{
	list_walk_stop(&walk->walk);
	group_close_if_empty(walk->home, walk->group);
}
