/* SPDX-License-Identifier: Apache-2.0
 * pool.h - objects of one size, allocated in chunks, reused last-in first-out.
 *
 * Layer: base. Not thread-safe: one pool per worker. Chunks go back to the
 * system only in pool_finish. Under AddressSanitizer a free object is poisoned. */
#pragma once

#include <stddef.h>

struct pool {
	size_t object_size; /* [bytes] */
	size_t per_chunk;   /* [objects] */
	size_t live_count;  /* [objects] handed out now */
	size_t chunk_count;
	void *free_list;
	void *chunks;
};

/* `object_size` is rounded up to a multiple of 8. */
void pool_init(struct pool *pool, size_t object_size, size_t per_chunk);

/* Returns uninitialised memory, aligned to 8 bytes, or NULL if memory is out. */
void *pool_get(struct pool *pool);

/* NULL is fine. */
void pool_put(struct pool *pool, void *object);

/* Every object must have been put back. */
void pool_finish(struct pool *pool);
