/* SPDX-License-Identifier: Apache-2.0
 * outbuf.h - output buffers that a loop lends to its streams.
 *
 * Layer: io. Four size classes with a bounded cache each, which is given back
 * when it has not been needed for a while; larger ones come from and go to malloc. A buffer without
 * room of its own refers to shared bytes. Not thread-safe: one cache per loop. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct shared_bytes;

struct outbuf {
	struct outbuf *next;         /* in the cache, or its owner's */
	struct shared_bytes *shared; /* a reference; NULL: the bytes are in data */
	size_t start;                /* [bytes] already sent */
	size_t end;                  /* [bytes] filled */
	size_t cap;                  /* [bytes] of data; 0: shared */
	size_t queued;               /* [bytes] the owner's */
	uint8_t data[];
};

#define OUTBUF_CLASSES 5 /* one of them for those that refer */

struct outbuf_cache {
	struct outbuf *free[OUTBUF_CLASSES];
	unsigned count[OUTBUF_CLASSES];
	unsigned unneeded[OUTBUF_CLASSES]; /* the lowest count since the last trim */
};

/* An empty buffer for at least `len` bytes, or NULL. */
struct outbuf *outbuf_get(struct outbuf_cache *cache, size_t len);

/* One that is full of the shared bytes, with a reference of its own, or NULL. */
struct outbuf *outbuf_get_shared(struct outbuf_cache *cache, struct shared_bytes *bytes);

/* The bytes that wait in it. */
struct slice outbuf_unsent(const struct outbuf *outbuf);

/* [bytes] of memory that it holds; of shared bytes its part. */
size_t outbuf_held(const struct outbuf *outbuf);

/* NULL is fine. */
void outbuf_put(struct outbuf_cache *cache, struct outbuf *outbuf);

/* A larger buffer with the same unsent bytes and room for `extra` more; the old one,
 * which is not shared, is put back. NULL if memory is out: then nothing has changed. */
struct outbuf *outbuf_grow(struct outbuf_cache *cache, struct outbuf *outbuf, size_t extra);

/* Frees what has not been taken out since the last call. True: there is more, for the next one. */
bool outbuf_cache_trim(struct outbuf_cache *cache);

bool outbuf_cache_is_empty(const struct outbuf_cache *cache);

/* Frees all of it; the cache may be used again. */
void outbuf_cache_finish(struct outbuf_cache *cache);
