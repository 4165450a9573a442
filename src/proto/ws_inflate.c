/* SPDX-License-Identifier: Apache-2.0
 * ws_inflate.c - libdeflate where a message stands alone, zlib where it may refer to those before
 * (docs/decisions/0024).
 *
 * libdeflate takes whole streams only, and starts again where the output did not fit: the buffer
 * grows fourfold, so that all attempts together make a third more than the last. Blocks that make
 * nothing cost time as well, and would in each attempt: a message has room for four times its size
 * from the start, so that it takes the fewer attempts the larger it is. libdeflate's streams end in
 * a final block, which a message has not: the empty block that the sender cut off is put back, and
 * a final one behind it. */
#include "proto/ws_inflate.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/check.h"
#include "proto/ws_extensions.h"

#define OUTPUT_MIN  UINT64_C(4096) /* [bytes] */
#define OUTPUT_KEPT 262144         /* [bytes] of the buffer that is lent */

/* What the sender cut off (RFC 7692, 7.2.1), and a final block without content. */
#define CUT_OFF_LEN 4
static const uint8_t tail[WS_INFLATE_TAIL] = {0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff};

struct ws_inflater {
	struct libdeflate_decompressor *whole; /* NULL: not needed yet */
	z_stream windowed;
	bool has_windowed;
	struct buf spare;
};

struct ws_inflater *ws_inflater_create(void)
{
	return calloc(1, sizeof(struct ws_inflater));
}

void ws_inflater_destroy(struct ws_inflater **inflater)
{
	struct ws_inflater *self = *inflater;

	*inflater = NULL;
	if (self == NULL)
		return;
	libdeflate_free_decompressor(self->whole);
	if (self->has_windowed)
		inflateEnd(&self->windowed);
	buf_finish(&self->spare);
	free(self);
}

struct buf ws_inflater_lend(struct ws_inflater *inflater)
{
	struct buf buf = inflater->spare;

	inflater->spare = (struct buf){0};
	return buf;
}

void ws_inflater_take_back(struct ws_inflater *inflater, struct buf *buf)
{
	buf->len = 0;
	if (inflater->spare.data != NULL || buf->cap > OUTPUT_KEPT)
		buf_finish(buf);
	else
		inflater->spare = *buf;
	*buf = (struct buf){0};
}

/* --- output --- */

/* [bytes] that may be written behind what is there. */
static size_t room_of(const struct buf *out, uint64_t max)
{
	return (size_t)MIN((uint64_t)out->cap, max) - out->len;
}

/* Four times as much as `size`; false: memory is out. */
static bool make_room(struct buf *out, size_t size, uint64_t max)
{
	uint64_t wanted = MIN(MAX((uint64_t)size * 4, OUTPUT_MIN), MAX(max, OUTPUT_MIN));

	return wanted <= out->cap || buf_reserve(out, (size_t)wanted - out->len, SIZE_MAX) != NULL;
}

/* Four times the room. */
static bool grow(struct buf *out, uint64_t max)
{
	return make_room(out, out->cap, max);
}

static bool can_grow(const struct buf *out, uint64_t max)
{
	return out->cap < max;
}

/* --- messages that stand alone --- */

/* One stream, up to its final block. */
static enum ws_inflate_result stream_take(struct ws_inflater *inflater, const uint8_t **in,
					  size_t *len, uint64_t max, struct buf *out)
{
	for (;;) {
		size_t used, made;

		switch (libdeflate_deflate_decompress_ex(inflater->whole, *in, *len,
							 out->data + out->len, room_of(out, max),
							 &used, &made)) {
		case LIBDEFLATE_SUCCESS:
			*in += used;
			*len -= used;
			out->len += made;
			return WS_INFLATE_OK;
		case LIBDEFLATE_INSUFFICIENT_SPACE:
			if (!can_grow(out, max))
				return WS_INFLATE_TOO_BIG;
			if (!grow(out, max))
				return WS_INFLATE_NO_MEMORY;
			break;
		default:
			return WS_INFLATE_BROKEN;
		}
	}
}

/* A sender may end streams within the message, and begin others (RFC 7692, 7.2.3.4); after the
 * last it should have put an empty block, of which then the header is left. */
static enum ws_inflate_result whole_inflate(struct ws_inflater *inflater, const uint8_t *in,
					    size_t len, uint64_t max, struct buf *out)
{
	enum ws_inflate_result result;

	if (inflater->whole == NULL)
		inflater->whole = libdeflate_alloc_decompressor();
	if (inflater->whole == NULL || !make_room(out, len, max))
		return WS_INFLATE_NO_MEMORY;
	do {
		result = stream_take(inflater, &in, &len, max, out);
	} while (result == WS_INFLATE_OK && len > WS_INFLATE_TAIL);
	return result == WS_INFLATE_OK && len != 0 && len != WS_INFLATE_TAIL ? WS_INFLATE_BROKEN
									     : result;
}

/* --- messages that refer to those before --- */

static bool windowed_begin(struct ws_inflater *inflater, const struct ws_window *window)
{
	z_stream *z = &inflater->windowed;

	if (!inflater->has_windowed) {
		if (inflateInit2(z, -WS_WINDOW_BITS_MAX) != Z_OK)
			return false;
		inflater->has_windowed = true;
	}
	CHECK(inflateReset(z) == Z_OK);
	return window->len == 0 || inflateSetDictionary(z, window->bytes, window->len) == Z_OK;
}

/* Inflates as far as input and room go. One byte more than may be there tells that it is too
 * much. */
static enum ws_inflate_result windowed_step(z_stream *z, uint64_t max, struct buf *out,
					    bool *out_is_over)
{
	size_t room = room_of(out, max + 1);

	if (room == 0) {
		if (!grow(out, max + 1))
			return WS_INFLATE_NO_MEMORY;
		room = room_of(out, max + 1);
	}
	z->next_out = out->data + out->len;
	z->avail_out = (unsigned)MIN(room, (size_t)UINT32_MAX);
	int r = inflate(z, Z_SYNC_FLUSH);

	out->len = (size_t)(z->next_out - out->data);
	*out_is_over = r == Z_STREAM_END;
	if (r == Z_MEM_ERROR)
		return WS_INFLATE_NO_MEMORY;
	if (r != Z_OK && r != Z_BUF_ERROR && r != Z_STREAM_END)
		return WS_INFLATE_BROKEN;
	return out->len > max ? WS_INFLATE_TOO_BIG : WS_INFLATE_OK;
}

/* All blocks are read to their ends: the last one was the empty one, as it should be. To be asked
 * once: the next call of inflate() forgets it. */
static bool is_complete(const z_stream *z)
{
	return z->avail_in == 0 && (z->data_type & 128) != 0;
}

/* Is there nothing more to come? */
static bool has_ended(const z_stream *z, bool is_over)
{
	return is_over ? z->avail_in <= CUT_OFF_LEN
		       : is_complete(z) || (z->avail_in == 0 && z->avail_out > 0);
}

static enum ws_inflate_result windowed_inflate(struct ws_inflater *inflater,
					       struct ws_window *window, uint8_t *in, size_t len,
					       uint64_t max, struct buf *out)
{
	z_stream *z = &inflater->windowed;
	enum ws_inflate_result result;
	bool is_over = false;

	if (!windowed_begin(inflater, window))
		return WS_INFLATE_NO_MEMORY;
	z->next_in = in;
	z->avail_in = (unsigned)(len + CUT_OFF_LEN);
	do {
		/* The final block of a stream, and another one behind it. It goes on in the same
		 * window: to fill that again would cost far more than such a block. */
		if (is_over)
			CHECK(inflateResetKeep(z) == Z_OK);
		result = windowed_step(z, max, out, &is_over);
		if (result != WS_INFLATE_OK)
			return result;
	} while (!has_ended(z, is_over));
	if (is_over ? z->avail_in != 0 && z->avail_in != CUT_OFF_LEN : !is_complete(z))
		return WS_INFLATE_BROKEN;
	return ws_window_append(window, buf_slice(out)) ? WS_INFLATE_OK : WS_INFLATE_NO_MEMORY;
}

enum ws_inflate_result ws_inflate(struct ws_inflater *inflater, struct ws_window *window,
				  uint8_t *payload, size_t len, uint64_t max, struct buf *out)
{
	CHECK(out->len == 0 && len < UINT32_MAX - WS_INFLATE_TAIL);
	if (len == 0)
		return WS_INFLATE_OK; /* some send nothing where there is nothing */
	memcpy(payload + len, tail, sizeof(tail));
	return window == NULL ? whole_inflate(inflater, payload, len + sizeof(tail), max, out)
			      : windowed_inflate(inflater, window, payload, len, max, out);
}
