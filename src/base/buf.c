/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/payload.h"

#define BUF_SMALLEST 256

uint8_t *buf_reserve(struct buf *buf, size_t extra, size_t max)
{
	if (buf->len > max || extra > max - buf->len)
		return NULL;
	size_t need = buf->len + extra;

	if (need > buf->cap || buf->data == NULL) {
		size_t cap = MAX(buf->cap, (size_t)BUF_SMALLEST);

		while (cap < need)
			cap *= 2;
		cap = MIN(cap, max);
		uint8_t *data = payload_grow(buf->data, buf->cap, cap);

		if (data == NULL)
			return NULL;
		buf->data = data;
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

int buf_append(struct buf *buf, const void *data, size_t len, size_t max)
{
	if (buf->len > max || len > max - buf->len)
		return -EMSGSIZE;
	if (len == 0)
		return 0;
	uint8_t *to = buf_reserve(buf, len, max);

	if (to == NULL)
		return -ENOMEM;
	memcpy(to, data, len);
	buf->len += len;
	return 0;
}

int buf_printf(struct buf *buf, size_t max, const char *format, ...)
{
	char small[512];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(small, sizeof(small), format, args);
	va_end(args);
	CHECK(len >= 0);
	if ((size_t)len < sizeof(small))
		return buf_append(buf, small, (size_t)len, max);

	/* One more byte than is kept: vsnprintf ends with a NUL. */
	if (buf->len > max || (size_t)len > max - buf->len)
		return -EMSGSIZE;
	uint8_t *to = buf_reserve(buf, (size_t)len + 1, max + 1);

	if (to == NULL)
		return -ENOMEM;
	va_start(args, format);
	vsnprintf((char *)to, (size_t)len + 1, format, args);
	va_end(args);
	buf->len += (size_t)len;
	return 0;
}

void buf_consume(struct buf *buf, size_t count)
{
	CHECK(count <= buf->len);
	buf->len -= count;
	if (buf->len > 0)
		memmove(buf->data, buf->data + count, buf->len);
}

void buf_finish(struct buf *buf)
{
	payload_free(buf->data, buf->cap);
	*buf = (struct buf){0};
}
