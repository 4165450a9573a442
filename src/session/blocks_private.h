/* SPDX-License-Identifier: Apache-2.0
 * blocks_private.h - what blocks.c and blocks_state.c share.
 *
 * Layer: session; only these two include it. */
#pragma once

#include <pthread.h>

#include "session/blocks.h"

struct blocks {
	pthread_mutex_t mutex;
	uint64_t count; /* atomic, written under the mutex: of those that are not removed */
	struct block **items;
	size_t used, room;
	size_t max;
	uint64_t next_end_ms; /* none is over before */
	bool has_moved;       /* to another process */
	/* How many addresses are blocked by a prefix of each length. */
	uint32_t lengths[NET_IP_BITS + 1];
	struct blocks_stats stats;
};

/* Under the mutex: as blocks_put, without counting. */
enum block_result blocks_apply(struct blocks *blocks, const struct block *block, uint64_t now_ms);
