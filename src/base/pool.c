/* SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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

/* Lies at the start of its memory; the objects follow. Those behind the first `fresh` ones have
 * never been handed out, and their pages not been touched. */
struct pool_chunk {
	struct list_node node; /* in pool->roomy, unless all of it is handed out */
	void *free_list;       /* a free object begins with the pointer to the next one */
	uint32_t live;         /* [objects] handed out now */
	uint32_t fresh;        /* [objects] handed out at least once */
	char objects[];
};

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

void pool_init(struct pool *pool, size_t object_size)
{
	CHECK(object_size > 0 && object_size <= POOL_CHUNK_SIZE / 4);
	uint32_t rounded = ((uint32_t)object_size + 7) & ~7u;

	*pool = (struct pool){
		.object_size = rounded,
		.per_chunk = (uint32_t)(POOL_CHUNK_SIZE - offsetof(struct pool_chunk, objects)) /
			     rounded,
	};
	list_init(&pool->roomy);
}

/* --- chunks --- */

#ifdef POOL_HAS_ASAN
/* From malloc, so that LeakSanitizer looks into it. */
static void *chunk_map(void)
{
	return aligned_alloc(POOL_CHUNK_SIZE, POOL_CHUNK_SIZE);
}

static void chunk_unmap(void *memory)
{
	UNPOISON(memory, POOL_CHUNK_SIZE);
	free(memory);
}
#else
/* Not from malloc: what it gets back stays with the process as soon as something lies above
 * it. NULL: memory is out. */
static void *chunk_map(void)
{
	char *all = mmap(NULL, 2 * (size_t)POOL_CHUNK_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (all == MAP_FAILED)
		return NULL;
	size_t before = -(uintptr_t)all % POOL_CHUNK_SIZE;

	if (before > 0)
		munmap(all, before);
	munmap(all + before + POOL_CHUNK_SIZE, POOL_CHUNK_SIZE - before);
	return all + before;
}

static void chunk_unmap(void *memory)
{
	munmap(memory, POOL_CHUNK_SIZE);
}
#endif

static struct pool_chunk *chunk_of(void *object)
{
	char *at = object;

	return (struct pool_chunk *)(void *)(at - (uintptr_t)at % POOL_CHUNK_SIZE);
}

static struct pool_chunk *first_roomy(struct pool *pool)
{
	if (list_is_empty(&pool->roomy)) {
		struct pool_chunk *chunk = chunk_map();

		if (chunk == NULL)
			return NULL;
		chunk->free_list = NULL;
		chunk->live = 0;
		chunk->fresh = 0;
		list_append(&pool->roomy, &chunk->node);
		POISON(chunk->objects, pool->object_size * (size_t)pool->per_chunk);
		pool->chunk_count++;
	}
	return CONTAINER_OF(pool->roomy.next, struct pool_chunk, node);
}

static void chunk_free(struct pool *pool, struct pool_chunk *chunk)
{
	list_remove(&chunk->node);
	pool->chunk_count--;
	chunk_unmap(chunk);
}

/* --- objects --- */

static void *take(const struct pool *pool, struct pool_chunk *chunk)
{
	void *object = chunk->free_list;

	if (object == NULL)
		object = chunk->objects + (size_t)pool->object_size * chunk->fresh++;
	UNPOISON(object, pool->object_size);
	if (chunk->free_list != NULL)
		chunk->free_list = link_read(object);
	return object;
}

void *pool_get(struct pool *pool)
{
	struct pool_chunk *chunk = first_roomy(pool);

	if (chunk == NULL)
		return NULL;
	void *object = take(pool, chunk);

	if (chunk == pool->spare)
		pool->spare = NULL;
	if (++chunk->live == pool->per_chunk)
		list_remove(&chunk->node);
	pool->live_count++;
	return object;
}

/* A chunk that has been full is used last, and the spare one after it: while some are filled up,
 * others become empty. */
void pool_put(struct pool *pool, void *object)
{
	if (object == NULL)
		return;
	struct pool_chunk *chunk = chunk_of(object);

	CHECK(pool->live_count > 0 && chunk->live > 0);
	pool->live_count--;
	link_write(object, chunk->free_list);
	chunk->free_list = object;
	POISON(object, pool->object_size);
	if (chunk->live-- == pool->per_chunk)
		list_append(pool->spare == NULL ? &pool->roomy : &pool->spare->node, &chunk->node);
	if (chunk->live > 0)
		return;
	if (pool->spare != NULL) {
		chunk_free(pool, chunk);
		return;
	}
	pool->spare = chunk;
	list_remove(&chunk->node);
	list_append(&pool->roomy, &chunk->node);
}

void pool_finish(struct pool *pool)
{
	CHECK(pool->live_count == 0);
	if (pool->spare != NULL)
		chunk_free(pool, pool->spare);
	pool->spare = NULL;
	CHECK(pool->chunk_count == 0);
}
