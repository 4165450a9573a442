/* SPDX-License-Identifier: Apache-2.0
 * buf.h - a growable run of bytes with a hard cap.
 *
 * Layer: base. Zero-initialise; buf_finish frees. Not thread-safe. Its memory is
 * payload's (payload.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap; /* [bytes] allocated */
};

/* Makes room for `extra` more bytes and returns where they go, or NULL if len +
 * extra would pass `max` or memory is out. Does not change len. */
uint8_t *buf_reserve(struct buf *buf, size_t extra, size_t max);

/* Appends; returns 0, -EMSGSIZE (over `max`) or -ENOMEM. Appends all or nothing. */
int buf_append(struct buf *buf, const void *data, size_t len, size_t max);

/* Appends formatted text without a NUL. Same results as buf_append. */
int buf_printf(struct buf *buf, size_t max, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Drops the first `count` bytes. */
void buf_consume(struct buf *buf, size_t count);

/* Frees the memory; the buffer is empty and usable again. */
void buf_finish(struct buf *buf);

static inline struct slice buf_slice(const struct buf *buf)
{
	return slice_of(buf->data, buf->len);
}
