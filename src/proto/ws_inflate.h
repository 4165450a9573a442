/* SPDX-License-Identifier: Apache-2.0
 * ws_inflate.h - decompresses messages (RFC 7692, 7.2.2), to a hard cap.
 *
 * Layer: proto. One inflater serves all connections of a thread, one message at a time. Messages
 * come whole: what is under way is kept as it came, compressed, so that half a message costs no
 * more than what was sent of it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/ws_window.h"

enum ws_inflate_result {
	WS_INFLATE_OK,
	WS_INFLATE_TOO_BIG, /* more than `max` */
	WS_INFLATE_BROKEN,  /* no DEFLATE data, or not all of it */
	WS_INFLATE_NO_MEMORY,
};

/* [bytes] that the message needs room for behind it, which are overwritten. */
#define WS_INFLATE_TAIL 9

struct ws_inflater;

/* NULL: memory is out. */
struct ws_inflater *ws_inflater_create(void);
/* NULL is fine; the pointer is cleared. */
void ws_inflater_destroy(struct ws_inflater **inflater);

/* An empty buffer for a message, with memory that an earlier one has left; and its way back. */
struct buf ws_inflater_lend(struct ws_inflater *inflater);
void ws_inflater_take_back(struct ws_inflater *inflater, struct buf *buf);

/* What the peer may send at most for a message of `max` bytes: more is nothing but empty blocks. */
static inline uint64_t ws_inflate_input_max(uint64_t max)
{
	return max > UINT64_MAX / 2 ? UINT64_MAX : max + max / 8 + 256;
}

/* Appends the message to *out, which is empty and has at most `max` bytes after. `window` is the
 * peer's context, which goes on with this message; NULL: each message stands alone. */
enum ws_inflate_result ws_inflate(struct ws_inflater *inflater, struct ws_window *window,
				  uint8_t *payload, size_t len, uint64_t max, struct buf *out);
