/* SPDX-License-Identifier: Apache-2.0
 * pool.h - objects of one size, in chunks that go back to the system when they are empty.
 *
 * Layer: base. Not thread-safe: one pool per worker, or a lock around it. An object has no head
 * and no rounding but to 8 bytes; a chunk touches no memory before it hands it out. Of the empty
 * chunks one is kept, so that a number of objects that goes up and down by one costs nothing:
 * after a storm its memory is the system's again, as far as no survivor lies in between. Under
 * AddressSanitizer a free object is poisoned. The objects that are handed out can be walked over,
 * so that their owner needs no list of them. And beside each object there may be some more memory,
 * for as long as it is needed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* [bytes] A power of two, at which chunks are aligned: so an object knows its chunk. */
#define POOL_CHUNK_SIZE 65536

struct pool_chunk;

struct pool {
	uint32_t object_size; /* [bytes] */
	uint32_t per_chunk;   /* [objects] */
	uint32_t head_size;   /* [bytes] in front of a chunk's objects */
	size_t live_count;    /* [objects] handed out now */
	size_t chunk_count;   /* those in use, and the spare one */
	struct list_node chunks;
	struct list_node walks; /* under way */
	struct list_node
		roomy; /* chunks with a free object; the one to be used next is the first */
	struct pool_chunk *spare; /* empty, and in `roomy` as well; NULL: there is none */
};

/* `object_size` is rounded up to a multiple of 8, and at most a quarter of a chunk. The pool
 * must stay where it is. */
void pool_init(struct pool *pool, size_t object_size);

/* Returns uninitialised memory, aligned to 8 bytes, or NULL if memory is out. */
void *pool_get(struct pool *pool);

/* NULL is fine. */
void pool_put(struct pool *pool, void *object);

/* Every object must have been put back. */
void pool_finish(struct pool *pool);

/* --- memory beside the objects --- */

/* What lies beside this object: `size` bytes, the same for all of a pool, aligned to 8. Zeroed when
 * the first of its chunk is asked for; whoever gets the object later finds what was left there.
 * NULL: memory is out. */
void *pool_side(struct pool *pool, void *object, size_t size);

/* Nobody needs it any more: all of it goes back. */
void pool_sides_drop(struct pool *pool);

/* --- all objects, over any time --- */

/* Those that are put back meanwhile are left out; those that are handed out meanwhile may be found,
 * or not. */
struct pool_walk {
	struct list_node node; /* in pool->walks */
	struct pool *pool;
	struct pool_chunk *chunk; /* NULL: that was the last */
	uint32_t next;            /* object of it */
};

void pool_walk_start(struct pool_walk *walk, struct pool *pool);
void *pool_walk_next(struct pool_walk *walk); /* NULL: that was all */
void pool_walk_stop(struct pool_walk *walk);
