/* SPDX-License-Identifier: Apache-2.0
 * block_sweep.h - clients that are connected and blocked are closed.
 *
 * Layer: server. In the admin listener's thread: it goes through the directory in portions, one
 * sweep after the other, and each client's worker closes it. */
#pragma once

#include "base/list.h"
#include "session/blocks.h"

struct fleet_home;
struct server;

struct block_sweeper {
	struct blocks *blocks;
	struct directory *directory;
	struct fleet_home *home; /* of the admin listener; NULL: it does not run */
	struct list_node sweeps; /* the first one is under way */
};

void block_sweeper_init(struct block_sweeper *sweeper, struct blocks *blocks,
			struct directory *directory);

/* Of one block; NULL: of all that there are. Then `on_done`, which may be NULL, has how many were
 * found: from the loop only, once. -ENOMEM: it does not. */
int block_sweep_start(struct block_sweeper *sweeper, const struct block *block,
		      void (*on_done)(void *arg, uint64_t found), void *arg);
