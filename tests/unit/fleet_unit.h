/* SPDX-License-Identifier: Apache-2.0
 * fleet_unit.h - two nodes on one bus, each with a directory, both in the test's loop. */
#pragma once

#include "bus_unit.h"

#include "fleet/client.h"

struct node {
	struct command_stats stats;
	struct fleet fleet;
	struct mailbox mailbox;
	struct fleet_home home;
	struct random_source random;
};

struct fixture {
	struct bus_fixture *bus;
	struct config config;
	struct config_route route;
	struct client_route client_route;
	struct ruleset ruleset; /* of the route; its own configuration is empty */
	struct node nodes[2];
};

static struct fixture *fixture; /* of the test that runs, for session_ops */

static inline void nobody_waits(struct fleet_home *home)
{
	(void)home;
}

static inline void node_init(struct node *node, const char *name)
{
	node->fleet = (struct fleet){
		.node = name,
		.directory = directory_create(),
		.bus = fixture->bus->bus,
		.is_clustered = true,
		.commands = &node->stats,
		.groups = group_registry_create(10),
	};
	fleet_take_limits(&node->fleet, &fixture->config);
	assert_non_null(node->fleet.groups);
	assert_non_null(node->fleet.directory);
	mailbox_init(&node->mailbox);
	mailbox_open(&node->mailbox, fixture->bus->io.loop);
	fleet_home_init(&node->home, &node->fleet, fixture->bus->io.loop, nobody_waits);
	node->home.random = &node->random;
}

static inline void node_finish(struct node *node)
{
	SPIN_UNTIL(&fixture->bus->io, fleet_home_is_idle(&node->home));
	mailbox_close(&node->mailbox);
	mailbox_finish(&node->mailbox);
	fleet_home_finish(&node->home);
	group_registry_destroy(&node->fleet.groups);
	directory_destroy(&node->fleet.directory);
}

static inline int setup(void **state)
{
	fixture = calloc(1, sizeof(*fixture));
	assert_int_equal(bus_setup(state), 0);
	fixture->bus = *state;
	fixture->route = (struct config_route){.name = (char *)"ws",
					       .takeover = CONFIG_TAKEOVER_MANY};
	fixture->ruleset.references = 1;
	fixture->client_route = (struct client_route){&fixture->route, &fixture->ruleset};
	fixture->config.routes = &fixture->route;
	fixture->config.route_count = 1;
	fixture->config.server.max_message_size = 4 << 20;
	fixture->config.bus.claim_timeout = 2 * GIVE_UP_S * 1000;
	fixture->config.bus.announce_interval = 3600000;
	node_init(&fixture->nodes[0], "gate-0");
	node_init(&fixture->nodes[1], "gate-1");
	*state = fixture;
	return 0;
}

static inline int teardown(void **state)
{
	*state = fixture->bus;
	for (size_t i = 0; i < 2; i++)
		node_finish(&fixture->nodes[i]);
	free(fixture);
	return bus_teardown(state);
}

/* Of a test's device: harmless the second time. */
static inline void session_leave(struct session *session, struct node *node)
{
	struct presence *presence = session->presence;

	if (presence_session(presence) == NULL)
		return;
	fleet_client_leave(session);
	presence_detach(presence);
	directory_leave(node->fleet.directory, presence);
}
