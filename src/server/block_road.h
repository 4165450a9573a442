/* SPDX-License-Identifier: Apache-2.0
 * block_road.h - the blocks of a fleet's nodes are one: each tells the others what it changes, and
 * now and then what all its changes come to; whoever has others then tells all of them.
 *
 * Layer: server. In the admin listener's thread. The subject is gatehouse.blocks. A node that is
 * new, or was without a broker, asks as soon as it is connected: until it is answered, as a rule
 * within a second, it lets in who is blocked elsewhere, and closes them then. */
#pragma once

#include "base/log.h"
#include "bus/bus.h"
#include "server/block_sweep.h"

struct fleet;

struct block_road {
	struct blocks *blocks;
	struct block_sweeper sweeper;
	struct fleet *fleet;
	struct fleet_home *home; /* NULL: it is closed, or there are no other nodes */
	struct bus_subscription subscription;
	struct timer timer;
	uint64_t connects; /* of the fleet, when it was last looked at */
	uint64_t connected_ns;
	uint64_t told_ns;   /* what it comes to */
	uint64_t shared_ns; /* all of them */
	struct log_gate full_gate;
};

void block_road_init(struct block_road *road, struct blocks *blocks, struct directory *directory,
		     struct fleet *fleet);

/* Both in the thread of `home`, which does not end before the road is closed. */
void block_road_open(struct block_road *road, struct fleet_home *home);
void block_road_close(struct block_road *road);

/* The others are to know. */
void block_road_tell(struct block_road *road, const struct block *block);
