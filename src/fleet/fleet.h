/* SPDX-License-Identifier: Apache-2.0
 * fleet.h - all clients of all nodes, as far as this node can reach them.
 *
 * Layer: fleet (may include base, proto, io, config, session, bus). One fleet per process;
 * read by any thread. What it keeps of one client is a struct client (client.h). */
#pragma once

#include <stdbool.h>

#include "bus/bus.h"
#include "config/config.h"
#include "fleet/command/command_stats.h"
#include "fleet/group/group_registry.h"
#include "fleet/rpc/rpc_stats.h"
#include "base/log.h"
#include "session/directory.h"

struct action_stats;
struct fan_out;
struct fleet_home;
struct command_road;
struct tracer;

/* Of takeover between nodes; atomic, all only rise. */
struct takeover_stats {
	uint64_t unanswered; /* clients let in though nobody could tell who has them */
	uint64_t announced;  /* claims told to the others, replies included */
	uint64_t lost;       /* connections closed because another node has their client */
};

/* What of the configuration is read while clients are there; atomic (base/counter.h). */
struct fleet_limits {
	uint64_t max_message_size, send_queue_max; /* [bytes] of server */
	uint64_t max_groups, max_groups_per_client;
	uint64_t call_timeout_ns; /* of admin */
	uint64_t pending_max;     /* [bytes] of bus */
	uint64_t claim_timeout_ns, announce_interval_ns;
};

struct fleet {
	struct fleet_limits limits;
	const char *node; /* this node's name */
	struct directory *directory;
	struct bus *bus;
	bool is_clustered;              /* the bus leads to other nodes and programs */
	struct command_stats *commands; /* the server's */
	struct tracer *tracer;          /* likewise; NULL: nothing is traced */
	struct rpc_stats *rpc;          /* likewise */
	struct action_stats *actions;   /* likewise */
	/* Of a worker: a message for all members of a group, wherever they are; lent. 0 or a
	 * negative errno: then nobody here gets it. The owner of the fleet sets it. */
	int (*send_to_group)(struct fleet_home *home, const struct fan_out *what);
	const char *run_id; /* tells this run of the gateway from others, in events too */
	bool has_change;    /* atomic: of the bus, that nobody has heeded */
	uint64_t connects;  /* atomic: how often the bus found a broker */
	struct takeover_stats takeovers;
	struct group_registry *groups; /* outlives the clients */
	struct log_gate forbidden_gate;
	uint64_t deaf_nodes; /* atomic: others whom the broker forbids subscriptions */
	char origin[33];     /* a random name of this process: nodes may have one name */
	uint64_t bus_epoch;  /* of the bus of the process before (bus_family_epoch); else 0 */
	bool is_successor;   /* takes over from another process (fleet_handover.h) */
	bool has_moved;      /* atomic: its clients are in another process */
	struct command_road *command_road; /* atomic; NULL: no other process has clients of ours */
};

static inline struct command_road *fleet_command_road(const struct fleet *fleet)
{
	return __atomic_load_n(&fleet->command_road, __ATOMIC_ACQUIRE);
}

/* Another process has our clients, and goes on as this node. */
static inline bool fleet_has_moved(const struct fleet *fleet)
{
	return __atomic_load_n(&fleet->has_moved, __ATOMIC_ACQUIRE);
}

/* What could not be done, in the user's words. */
struct fleet_error {
	char text[512];
};

/* Whether the files that config->bus names can be used here; false with *out_error. */
bool fleet_bus_check(const struct config *config, struct fleet_error *out_error);

/* In the main thread, at start and when the configuration is read again. */
void fleet_take_limits(struct fleet *fleet, const struct config *config);

/* Sets fleet->bus as the configuration wants it; reads the files with its secrets, and does not
 * wait for a broker. Tells the log when that comes and goes. The fleet stays where it is.
 * Returns 0, or a negative errno with *out_error. */
int fleet_bus_open(struct fleet *fleet, const struct config *config, struct fleet_error *out_error);

/* When no client is left. Harmless if there is no bus. */
void fleet_bus_close(struct fleet *fleet);
