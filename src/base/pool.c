/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define POOL_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POOL_HAS_ASAN 1
#endif
#endif

#ifdef POOL_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

/* A chunk begins with the pointer to the next one; a free object with the
 * pointer to the next free one. */
#define CHUNK_HEAD sizeof(void *)

static void *link_read(void *at)
{
	void *next;

	memcpy(&next, at, sizeof(next));
	return next;
}

static void link_write(void *at, void *next)
{
	memcpy(at, &next, sizeof(next));
}

void pool_init(struct pool *pool, size_t object_size, size_t per_chunk)
{
	CHECK(object_size > 0 && per_chunk > 0);
	size_t rounded = (object_size + 7) & ~(size_t)7;

	*pool = (struct pool){.object_size = rounded, .per_chunk = per_chunk};
}

static int pool_grow(struct pool *pool)
{
	char *chunk = malloc(CHUNK_HEAD + pool->object_size * pool->per_chunk);

	if (chunk == NULL)
		return -1;
	link_write(chunk, pool->chunks);
	pool->chunks = chunk;
	pool->chunk_count++;
	/* Backwards, so that objects are handed out in address order. */
	for (size_t i = pool->per_chunk; i-- > 0;) {
		char *object = chunk + CHUNK_HEAD + i * pool->object_size;

		link_write(object, pool->free_list);
		pool->free_list = object;
		POISON(object, pool->object_size);
	}
	CHECK(pool->free_list != NULL);
	return 0;
}

void *pool_get(struct pool *pool)
{
	if (pool->free_list == NULL && pool_grow(pool) < 0)
		return NULL;
	void *object = pool->free_list;

	UNPOISON(object, pool->object_size);
	pool->free_list = link_read(object);
	pool->live_count++;
	return object;
}

void pool_put(struct pool *pool, void *object)
{
	if (object == NULL)
		return;
	CHECK(pool->live_count > 0);
	pool->live_count--;
	link_write(object, pool->free_list);
	pool->free_list = object;
	POISON(object, pool->object_size);
}

void pool_finish(struct pool *pool)
{
	CHECK(pool->live_count == 0);
	while (pool->chunks != NULL) {
		char *chunk = pool->chunks;

		pool->chunks = link_read(chunk);
		UNPOISON(chunk + CHUNK_HEAD, pool->object_size * pool->per_chunk);
		free(chunk);
	}
	pool->free_list = NULL;
	pool->chunk_count = 0;
}
