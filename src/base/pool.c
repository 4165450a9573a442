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
	struct list_node node;  /* in pool->chunks */
	struct list_node roomy; /* in pool->roomy, unless all of it is handed out */
	void *free_list;        /* a free object begins with the pointer to the next one */
	void *side;             /* beside the objects; NULL: nothing */
	uint32_t live;          /* [objects] handed out now */
	uint32_t fresh;         /* [objects] handed out at least once */
	uint64_t is_live[];     /* a bit for each object: is it handed out now? */
};

#define BITS 64

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

static uint32_t head_size_of(uint32_t per_chunk)
{
	return (uint32_t)(sizeof(struct pool_chunk) +
			  (per_chunk + BITS - 1) / BITS * sizeof(uint64_t));
}

void pool_init(struct pool *pool, size_t object_size)
{
	CHECK(object_size > 0 && object_size <= POOL_CHUNK_SIZE / 4);
	uint32_t rounded = ((uint32_t)object_size + 7) & ~7u;
	uint32_t per_chunk = POOL_CHUNK_SIZE / rounded;

	while (head_size_of(per_chunk) + per_chunk * rounded > POOL_CHUNK_SIZE)
		per_chunk--;
	*pool = (struct pool){.object_size = rounded,
			      .per_chunk = per_chunk,
			      .head_size = head_size_of(per_chunk)};
	list_init(&pool->chunks);
	list_init(&pool->walks);
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

static char *object_at(const struct pool *pool, struct pool_chunk *chunk, uint32_t index)
{
	return (char *)chunk + pool->head_size + (size_t)pool->object_size * index;
}

static struct pool_chunk *chunk_create(struct pool *pool)
{
	struct pool_chunk *chunk = chunk_map();

	if (chunk == NULL)
		return NULL;
	memset(chunk, 0, pool->head_size);
	list_append(&pool->chunks, &chunk->node);
	list_append(&pool->roomy, &chunk->roomy);
	POISON(object_at(pool, chunk, 0), pool->object_size * (size_t)pool->per_chunk);
	pool->chunk_count++;
	return chunk;
}

/* Walks that stand in it go on behind it. */
static void walks_pass(struct pool *pool, const struct pool_chunk *chunk);

static void chunk_destroy(struct pool *pool, struct pool_chunk *chunk)
{
	walks_pass(pool, chunk);
	list_remove(&chunk->node);
	list_remove(&chunk->roomy);
	pool->chunk_count--;
	free(chunk->side);
	chunk_unmap(chunk);
}

/* --- objects --- */

static uint32_t index_of(const struct pool *pool, struct pool_chunk *chunk, const void *object)
{
	return (uint32_t)((const char *)object - object_at(pool, chunk, 0)) / pool->object_size;
}

static bool is_live(const struct pool_chunk *chunk, uint32_t index)
{
	return (chunk->is_live[index / BITS] >> index % BITS & 1) != 0;
}

static void flip_live(struct pool_chunk *chunk, uint32_t index)
{
	chunk->is_live[index / BITS] ^= UINT64_C(1) << index % BITS;
}

static void *take(const struct pool *pool, struct pool_chunk *chunk)
{
	void *object = chunk->free_list;
	bool is_fresh = object == NULL;

	if (is_fresh)
		object = object_at(pool, chunk, chunk->fresh++);
	UNPOISON(object, pool->object_size);
	if (!is_fresh)
		chunk->free_list = link_read(object);
	flip_live(chunk, index_of(pool, chunk, object));
	return object;
}

void *pool_get(struct pool *pool)
{
	struct pool_chunk *chunk = list_is_empty(&pool->roomy)
					   ? chunk_create(pool)
					   : CONTAINER_OF(pool->roomy.next, struct pool_chunk,
							  roomy);

	if (chunk == NULL)
		return NULL;
	void *object = take(pool, chunk);

	if (chunk == pool->spare)
		pool->spare = NULL;
	if (++chunk->live == pool->per_chunk)
		list_remove(&chunk->roomy);
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
	uint32_t index = index_of(pool, chunk, object);

	CHECK(index < chunk->fresh && is_live(chunk, index));
	flip_live(chunk, index);
	link_write(object, chunk->free_list);
	chunk->free_list = object;
	POISON(object, pool->object_size);
	pool->live_count--;
	if (chunk->live-- == pool->per_chunk)
		list_append(pool->spare == NULL ? &pool->roomy : &pool->spare->roomy,
			    &chunk->roomy);
	if (chunk->live > 0)
		return;
	if (pool->spare != NULL) {
		chunk_destroy(pool, chunk);
		return;
	}
	pool->spare = chunk;
	list_remove(&chunk->roomy);
	list_append(&pool->roomy, &chunk->roomy);
}

void pool_finish(struct pool *pool)
{
	CHECK(pool->live_count == 0 && list_is_empty(&pool->walks));
	if (pool->spare != NULL)
		chunk_destroy(pool, pool->spare);
	pool->spare = NULL;
	CHECK(pool->chunk_count == 0);
}

/* --- beside the objects --- */

void *pool_side(struct pool *pool, void *object, size_t size)
{
	struct pool_chunk *chunk = chunk_of(object);

	if (chunk->side == NULL)
		chunk->side = calloc(pool->per_chunk, size);
	return chunk->side == NULL ? NULL
				   : (char *)chunk->side + index_of(pool, chunk, object) * size;
}

void pool_sides_drop(struct pool *pool)
{
	for (struct list_node *node = pool->chunks.next; node != &pool->chunks; node = node->next) {
		struct pool_chunk *chunk = CONTAINER_OF(node, struct pool_chunk, node);

		free(chunk->side);
		chunk->side = NULL;
	}
}

/* --- walks --- */

static void walk_to_chunk(struct pool_walk *walk, struct list_node *node)
{
	walk->chunk = node == &walk->pool->chunks ? NULL
						  : CONTAINER_OF(node, struct pool_chunk, node);
	walk->next = 0;
}

static void walks_pass(struct pool *pool, const struct pool_chunk *chunk)
{
	for (struct list_node *node = pool->walks.next; node != &pool->walks; node = node->next) {
		struct pool_walk *walk = CONTAINER_OF(node, struct pool_walk, node);

		if (walk->chunk == chunk)
			walk_to_chunk(walk, chunk->node.next);
	}
}

void pool_walk_start(struct pool_walk *walk, struct pool *pool)
{
	walk->pool = pool;
	walk_to_chunk(walk, pool->chunks.next);
	list_append(&pool->walks, &walk->node);
}

/* The first object from `index` on that is handed out; chunk->fresh: there is none. */
static uint32_t live_from(const struct pool_chunk *chunk, uint32_t index)
{
	while (index < chunk->fresh) {
		uint64_t rest = chunk->is_live[index / BITS] >> index % BITS;

		if (rest != 0)
			return index + (uint32_t)__builtin_ctzll(rest);
		index = (index / BITS + 1) * BITS;
	}
	return chunk->fresh;
}

void *pool_walk_next(struct pool_walk *walk)
{
	while (walk->chunk != NULL) {
		uint32_t index = live_from(walk->chunk, walk->next);

		if (index < walk->chunk->fresh) {
			walk->next = index + 1;
			return object_at(walk->pool, walk->chunk, index);
		}
		walk_to_chunk(walk, walk->chunk->node.next);
	}
	return NULL;
}

void pool_walk_stop(struct pool_walk *walk)
{
	list_remove(&walk->node);
}
