/* SPDX-License-Identifier: Apache-2.0
 * slab.h - small objects of many sizes, which one thread may make and another one free.
 *
 * Layer: base. Thread-safe. A pool for each multiple of 8 bytes, with a lock of its own: so an
 * object costs its size, rounded up to 8 bytes, where malloc adds a head and rounds up to 16, and
 * its memory is the system's again when its neighbours are gone too. Whoever frees an object knows
 * its size. Larger ones than SLAB_SIZE_MAX are malloc's. */
#pragma once

#include <pthread.h>

#include "base/pool.h"

#define SLAB_SIZE_MAX 512 /* [bytes] */

struct slab {
	struct slab_class {
		pthread_mutex_t mutex;
		struct pool pool;
	} classes[SLAB_SIZE_MAX / 8];
};

/* The slab must stay where it is. */
void slab_init(struct slab *slab);

/* Uninitialised memory, aligned to 8 bytes, or NULL if memory is out. size > 0. */
void *slab_get(struct slab *slab, size_t size);

/* With the size that it was asked for with. NULL is fine. */
void slab_put(struct slab *slab, void *object, size_t size);

/* Every object must have been put back. */
void slab_finish(struct slab *slab);
