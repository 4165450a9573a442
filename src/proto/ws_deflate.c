/* SPDX-License-Identifier: Apache-2.0
 * ws_deflate.c - libdeflate where a message stands alone, zlib where it may refer to those before,
 * or may not look back as far as libdeflate does (docs/decisions/0024). */
#include "proto/ws_deflate.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/check.h"
#include "proto/ws_extensions.h"

/* What zlib ends a message with, and the receiver puts back (RFC 7692, 7.2.1). */
#define CUT_OFF_LEN 4
static const uint8_t cut_off[CUT_OFF_LEN] = {0, 0, 0xff, 0xff};

#define SCRATCH_KEPT 262144 /* [bytes] */

#define BITS_COUNT (WS_WINDOW_BITS_MAX + 1)

struct ws_deflater {
	/* By level, and by bits; NULL: not needed yet. */
	struct libdeflate_compressor *whole[WS_DEFLATE_LEVEL_MAX + 1];
	z_stream *windowed[BITS_COUNT];
	uint8_t level[BITS_COUNT]; /* of windowed[] */
	z_stream walker;           /* has_walker */
	bool has_walker;
	struct buf scratch;
};

struct ws_deflater *ws_deflater_create(void)
{
	return calloc(1, sizeof(struct ws_deflater));
}

void ws_deflater_destroy(struct ws_deflater **deflater)
{
	struct ws_deflater *self = *deflater;

	*deflater = NULL;
	if (self == NULL)
		return;
	for (size_t i = 0; i < ARRAY_LEN(self->whole); i++)
		libdeflate_free_compressor(self->whole[i]);
	for (size_t i = 0; i < ARRAY_LEN(self->windowed); i++) {
		if (self->windowed[i] != NULL)
			deflateEnd(self->windowed[i]);
		free(self->windowed[i]);
	}
	if (self->has_walker)
		inflateEnd(&self->walker);
	buf_finish(&self->scratch);
	free(self);
}

/* --- messages that stand alone --- */

/* Where what libdeflate has made is not as a message should be. */
struct ending {
	size_t last_block; /* [bits] where its last block begins */
	unsigned unused;   /* [bits] of the last byte */
};

static uint8_t *scratch_of(struct ws_deflater *deflater, size_t len)
{
	deflater->scratch.len = 0;
	return buf_reserve(&deflater->scratch, len, SIZE_MAX);
}

/* False: memory is out. */
static bool walker_begin(struct ws_deflater *deflater, const uint8_t *in, size_t len,
			 size_t message_len)
{
	z_stream *z = &deflater->walker;
	uint8_t *scratch = scratch_of(deflater, message_len);

	if (scratch == NULL)
		return false;
	if (!deflater->has_walker && inflateInit2(z, -WS_WINDOW_BITS_MAX) != Z_OK)
		return false;
	deflater->has_walker = true;
	CHECK(inflateReset(z) == Z_OK);
	z->next_in = (uint8_t *)(uintptr_t)in;
	z->avail_in = (unsigned)len;
	z->next_out = scratch;
	z->avail_out = (unsigned)message_len;
	return true;
}

/* Goes from block to block. False: memory is out. */
static bool ending_find(struct ws_deflater *deflater, const uint8_t *in, size_t len,
			size_t message_len, struct ending *out)
{
	z_stream *z = &deflater->walker;

	*out = (struct ending){0};
	if (!walker_begin(deflater, in, len, message_len))
		return false;
	for (;;) {
		int r = inflate(z, Z_BLOCK);

		if (r == Z_MEM_ERROR)
			return false;
		CHECK(r == Z_OK && (z->data_type & 128) != 0);
		out->unused = (unsigned)z->data_type & 7;
		if (z->data_type & 64)
			break;
		out->last_block = (len - z->avail_in) * 8 - out->unused;
	}
	CHECK(z->avail_in == 0 && z->avail_out == 0);
	return true;
}

/* Its last block is a final one, which not all receivers can read, and none that keeps its window:
 * makes it one like the others. Then comes an empty stored block, of which the receiver has all but
 * the header: three bits, perhaps there already, and the rest of their byte. */
static size_t whole_deflate(struct ws_deflater *deflater, uint8_t level, struct slice message,
			    uint8_t *out)
{
	struct libdeflate_compressor **whole = &deflater->whole[level];
	struct ending ending;

	if (*whole == NULL)
		*whole = libdeflate_alloc_compressor(level);
	if (*whole == NULL || message.len < 3)
		return 0;
	size_t len = libdeflate_deflate_compress(*whole, message.data, message.len, out,
						 message.len - 2);

	if (len == 0 || !ending_find(deflater, out, len, message.len, &ending))
		return 0;
	uint8_t final_bit = (uint8_t)(1u << ending.last_block % 8);

	CHECK(out[ending.last_block / 8] & final_bit);
	out[ending.last_block / 8] &= (uint8_t)~final_bit;
	if (ending.unused < 3)
		out[len++] = 0;
	return len;
}

/* --- the others --- */

/* zlib has no window of 256 bytes, but in one of 512 it looks back by less than that: it leaves
 * room for a match and a byte on each side. */
static int zlib_bits(uint8_t bits)
{
	return bits == 8 ? 9 : bits;
}

/* The hash table is made empty for each message, so it is as large as the window needs. */
static int zlib_memory(uint8_t bits)
{
	return MIN(MAX(bits - 6, 2), 8);
}

static z_stream *windowed_create(uint8_t bits, uint8_t level)
{
	z_stream *z = calloc(1, sizeof(*z));

	if (z == NULL || deflateInit2(z, level, Z_DEFLATED, -zlib_bits(bits), zlib_memory(bits),
				      Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return NULL;
	}
	return z;
}

/* Ready for a message. NULL: memory is out. */
static z_stream *windowed_begin(struct ws_deflater *deflater, const struct ws_deflate_how *how)
{
	z_stream **z = &deflater->windowed[how->bits];

	if (*z == NULL) {
		*z = windowed_create(how->bits, how->level);
		deflater->level[how->bits] = how->level;
		return *z;
	}
	CHECK(deflateReset(*z) == Z_OK);
	if (deflater->level[how->bits] != how->level)
		CHECK(deflateParams(*z, how->level, Z_DEFAULT_STRATEGY) == Z_OK);
	deflater->level[how->bits] = how->level;
	return *z;
}

static size_t windowed_deflate(struct ws_deflater *deflater, const struct ws_deflate_how *how,
			       struct slice message, uint8_t *out)
{
	z_stream *z = windowed_begin(deflater, how);

	if (z == NULL)
		return 0;
	if (how->window != NULL && how->window->len > 0)
		CHECK(deflateSetDictionary(z, how->window->bytes, how->window->len) == Z_OK);
	z->next_in = (uint8_t *)(uintptr_t)message.data;
	z->avail_in = (unsigned)message.len;
	z->next_out = out;
	z->avail_out = (unsigned)(message.len + CUT_OFF_LEN);
	CHECK(deflate(z, Z_SYNC_FLUSH) != Z_STREAM_ERROR);
	if (z->avail_out == 0)
		return 0; /* it may not be all */
	size_t len = (size_t)(z->next_out - out) - CUT_OFF_LEN;

	CHECK(z->avail_in == 0 && memcmp(out + len, cut_off, CUT_OFF_LEN) == 0);
	return len < message.len ? len : 0;
}

/* --- both --- */

/* libdeflate looks back 32 KiB, and never further than to the message's start. */
static bool stands_alone(const struct ws_deflate_how *how, struct slice message)
{
	return how->window == NULL &&
	       (how->bits == WS_WINDOW_BITS_MAX || message.len <= ws_window_size(how->bits));
}

size_t ws_deflate(struct ws_deflater *deflater, const struct ws_deflate_how *how,
		  struct slice message, uint8_t *out)
{
	CHECK(how->level >= WS_DEFLATE_LEVEL_MIN && how->level <= WS_DEFLATE_LEVEL_MAX);
	CHECK(how->bits >= WS_WINDOW_BITS_MIN && how->bits <= WS_WINDOW_BITS_MAX);
	CHECK(how->window == NULL || how->window->bits == how->bits);
	if (message.len > UINT32_MAX / 2)
		return 0;
	if (stands_alone(how, message)) {
		size_t alone = whole_deflate(deflater, how->level, message, out);

		if (deflater->scratch.cap > SCRATCH_KEPT)
			buf_finish(&deflater->scratch);
		return alone;
	}
	size_t len = windowed_deflate(deflater, how, message, out);

	if (len > 0 && how->window != NULL && !ws_window_append(how->window, message))
		CHECK(how->window->len == 0);
	return len;
}
