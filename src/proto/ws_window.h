/* SPDX-License-Identifier: Apache-2.0
 * ws_window.h - what a compression context is, between messages: the last bytes of what went one
 * way, to which the next message may refer (RFC 7692, 7.1.1).
 *
 * Layer: proto. Nothing but these bytes is kept of a context: the machinery around them is lent
 * by the worker and told of them anew with each message (ws_deflate.h, ws_inflate.h). So a context
 * costs its window, and can be carried to another process as that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct ws_window {
	uint8_t *bytes; /* room for all of it; NULL: nothing yet */
	uint32_t len;   /* [bytes] that are there, at its start */
	uint8_t bits;   /* its size is 1 << bits; 0: there is no context */
};

static inline size_t ws_window_size(uint8_t bits)
{
	return bits == 0 ? 0 : (size_t)1 << bits;
}

static inline struct slice ws_window_slice(const struct ws_window *window)
{
	return slice_of(window->bytes, window->len);
}

/* The last bytes of the window and what follows it. False: memory is out; it is empty then. */
bool ws_window_append(struct ws_window *window, struct slice more);

/* Frees its memory; the context goes on, with nothing in it. */
void ws_window_clear(struct ws_window *window);
