/* SPDX-License-Identifier: Apache-2.0
 * outbuf.h - output buffers that a loop lends to its streams.
 *
 * Layer: io. Four size classes with a bounded cache each; larger ones come from
 * and go to malloc. Not thread-safe: one cache per loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct outbuf {
	struct outbuf *next_free;
	size_t start; /* [bytes] already sent */
	size_t end;   /* [bytes] filled */
	size_t cap;   /* [bytes] of data */
	uint8_t data[];
};

#define OUTBUF_CLASSES 4

struct outbuf_cache {
	struct outbuf *free[OUTBUF_CLASSES];
	unsigned count[OUTBUF_CLASSES];
};

/* An empty buffer for at least `len` bytes, or NULL. */
struct outbuf *outbuf_get(struct outbuf_cache *cache, size_t len);

/* NULL is fine. */
void outbuf_put(struct outbuf_cache *cache, struct outbuf *outbuf);

/* A larger buffer with the same unsent bytes and room for `extra` more; the old one
 * is put back. NULL if memory is out: then nothing has changed. */
struct outbuf *outbuf_grow(struct outbuf_cache *cache, struct outbuf *outbuf, size_t extra);

void outbuf_cache_finish(struct outbuf_cache *cache);
