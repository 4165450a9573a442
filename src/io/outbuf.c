/* SPDX-License-Identifier: Apache-2.0 */
#include "io/outbuf.h"

#include <string.h>

#include "base/check.h"
#include "base/payload.h"
#include "base/shared_bytes.h"

/* Whole allocations; a class's buffer holds this less the head. Most answers are
 * small frames: many of them may be in flight at once, few of the large ones. The last
 * class is for those that refer: a message to many may be under way to all of them. */
#define CLASS_SHARED (OUTBUF_CLASSES - 1)
static const struct {
	size_t size;
	unsigned keep;
} classes[OUTBUF_CLASSES] = {
	{512, 512}, {4096, 128}, {16896, 64}, {66048, 32}, {sizeof(struct outbuf), 1024}};

/* The smallest class that holds `len`; CLASS_SHARED if none does. */
static unsigned class_of(size_t len)
{
	unsigned class = 0;

	while (class < CLASS_SHARED && classes[class].size - sizeof(struct outbuf) < len)
		class ++;
	return class;
}

static struct outbuf *take(struct outbuf_cache *cache, unsigned class)
{
	struct outbuf *outbuf = cache->free[class];

	if (outbuf == NULL)
		return payload_alloc(classes[class].size);
	cache->free[class] = outbuf->next;
	cache->count[class]--;
	cache->unneeded[class] = MIN(cache->unneeded[class], cache->count[class]);
	return outbuf;
}

struct outbuf *outbuf_get(struct outbuf_cache *cache, size_t len)
{
	unsigned class = class_of(len);
	size_t size = class < CLASS_SHARED ? classes[class].size : sizeof(struct outbuf) + len;

	if (size < len)
		return NULL;
	struct outbuf *outbuf = class < CLASS_SHARED ? take(cache, class) : payload_alloc(size);

	if (outbuf != NULL)
		*outbuf = (struct outbuf){.cap = size - sizeof(*outbuf)};
	return outbuf;
}

struct outbuf *outbuf_get_shared(struct outbuf_cache *cache, struct shared_bytes *bytes)
{
	struct outbuf *outbuf = take(cache, CLASS_SHARED);

	if (outbuf != NULL)
		*outbuf = (struct outbuf){.shared = shared_bytes_ref(bytes), .end = bytes->len};
	return outbuf;
}

struct slice outbuf_unsent(const struct outbuf *outbuf)
{
	const uint8_t *data = outbuf->shared == NULL ? outbuf->data : outbuf->shared->data;

	return slice_of(data + outbuf->start, outbuf->end - outbuf->start);
}

size_t outbuf_held(const struct outbuf *outbuf)
{
	size_t held = sizeof(*outbuf) + outbuf->cap;

	if (outbuf->shared != NULL)
		held += outbuf->shared->len /
			__atomic_load_n(&outbuf->shared->references, __ATOMIC_RELAXED);
	return held;
}

void outbuf_put(struct outbuf_cache *cache, struct outbuf *outbuf)
{
	if (outbuf == NULL)
		return;
	unsigned class = outbuf->shared == NULL ? class_of(outbuf->cap) : CLASS_SHARED;
	bool is_cached = outbuf->shared != NULL || class < CLASS_SHARED;

	shared_bytes_unref(&outbuf->shared);
	if (!is_cached || cache->count[class] == classes[class].keep ||
	    payload_level() != PAYLOAD_CALM) {
		payload_free(outbuf, sizeof(*outbuf) + outbuf->cap);
		return;
	}
	outbuf->next = cache->free[class];
	cache->free[class] = outbuf;
	cache->count[class]++;
}

struct outbuf *outbuf_grow(struct outbuf_cache *cache, struct outbuf *outbuf, size_t extra)
{
	size_t len = outbuf->end - outbuf->start;

	if (extra > SIZE_MAX / 2 - len)
		return NULL;
	struct outbuf *larger = outbuf_get(cache, MAX(len + extra, 2 * len));

	if (larger == NULL)
		return NULL;
	memcpy(larger->data, outbuf->data + outbuf->start, len);
	larger->end = len;
	outbuf_put(cache, outbuf);
	return larger;
}

static void drop(struct outbuf_cache *cache, unsigned class, unsigned count)
{
	for (; count > 0; count--) {
		struct outbuf *outbuf = cache->free[class];

		cache->free[class] = outbuf->next;
		cache->count[class]--;
		payload_free(outbuf, classes[class].size);
	}
}

bool outbuf_cache_is_empty(const struct outbuf_cache *cache)
{
	unsigned count = 0;

	for (unsigned class = 0; class < OUTBUF_CLASSES; class ++)
		count += cache->count[class];
	return count == 0;
}

bool outbuf_cache_trim(struct outbuf_cache *cache)
{
	for (unsigned class = 0; class < OUTBUF_CLASSES; class ++) {
		drop(cache, class, cache->unneeded[class]);
		cache->unneeded[class] = cache->count[class];
	}
	return !outbuf_cache_is_empty(cache);
}

void outbuf_cache_finish(struct outbuf_cache *cache)
{
	for (unsigned class = 0; class < OUTBUF_CLASSES; class ++) {
		drop(cache, class, cache->count[class]);
		cache->unneeded[class] = 0;
	}
}
