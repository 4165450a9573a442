/* SPDX-License-Identifier: Apache-2.0
 * ws_deflate.h - compresses messages (RFC 7692, 7.2.1).
 *
 * Layer: proto. One deflater serves all connections of a thread, one message at a time; it makes
 * what it needs when it is first needed, and keeps that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ws_window.h"

#define WS_DEFLATE_LEVEL_MIN 1
#define WS_DEFLATE_LEVEL_MAX 9

/* [bytes] that the output needs room for, beyond the message. */
#define WS_DEFLATE_ROOM 16

struct ws_deflater;

/* NULL: memory is out. */
struct ws_deflater *ws_deflater_create(void);
/* NULL is fine; the pointer is cleared. */
void ws_deflater_destroy(struct ws_deflater **deflater);

struct ws_deflate_how {
	uint8_t level; /* WS_DEFLATE_LEVEL_MIN, the fastest, to WS_DEFLATE_LEVEL_MAX */
	uint8_t bits;  /* of the window that the receiver has */
	/* The receiver's context, which goes on with this message; NULL: nothing is referred to, so
	 * that any receiver with such a window can read it, whatever it has in it. */
	struct ws_window *window;
};

/* Writes the payload of a frame with RSV1 to `out`, which has room for the message and
 * WS_DEFLATE_ROOM, and returns its length, which is less than the message's. 0: it would not be
 * less, or memory is out: the message is to go as it is, and the context is as it was. */
size_t ws_deflate(struct ws_deflater *deflater, const struct ws_deflate_how *how,
		  struct slice message, uint8_t *out);
