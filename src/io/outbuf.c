/* SPDX-License-Identifier: Apache-2.0 */
#include "io/outbuf.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Whole allocations; a class's buffer holds this less the head. Most answers are
 * small frames: many of them may be in flight at once, few of the large ones. */
static const struct {
	size_t size;
	unsigned keep;
} classes[OUTBUF_CLASSES] = {{512, 512}, {4096, 128}, {16896, 64}, {66048, 32}};

/* The smallest class that holds `len`; OUTBUF_CLASSES if none does. */
static unsigned class_of(size_t len)
{
	unsigned class = 0;

	while (class < OUTBUF_CLASSES && classes[class].size - sizeof(struct outbuf) < len)
		class ++;
	return class;
}

struct outbuf *outbuf_get(struct outbuf_cache *cache, size_t len)
{
	unsigned class = class_of(len);
	struct outbuf *outbuf;

	if (class < OUTBUF_CLASSES && cache->free[class] != NULL) {
		outbuf = cache->free[class];
		cache->free[class] = outbuf->next_free;
		cache->count[class]--;
	} else {
		size_t size = class < OUTBUF_CLASSES ? classes[class].size : sizeof(*outbuf) + len;

		if (size < len)
			return NULL;
		outbuf = malloc(size);
		if (outbuf == NULL)
			return NULL;
		outbuf->cap = size - sizeof(*outbuf);
	}
	outbuf->start = 0;
	outbuf->end = 0;
	return outbuf;
}

void outbuf_put(struct outbuf_cache *cache, struct outbuf *outbuf)
{
	if (outbuf == NULL)
		return;
	unsigned class = class_of(outbuf->cap);

	if (class == OUTBUF_CLASSES || cache->count[class] == classes[class].keep) {
		free(outbuf);
		return;
	}
	outbuf->next_free = cache->free[class];
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

void outbuf_cache_finish(struct outbuf_cache *cache)
{
	for (unsigned class = 0; class < OUTBUF_CLASSES; class ++) {
		while (cache->free[class] != NULL) {
			struct outbuf *outbuf = cache->free[class];

			cache->free[class] = outbuf->next_free;
			free(outbuf);
		}
		cache->count[class] = 0;
	}
}
