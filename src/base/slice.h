/* SPDX-License-Identifier: Apache-2.0
 * slice.h - a view of bytes that somebody else owns.
 *
 * Layer: base. `len` is in bytes. An empty slice may have data == NULL. A slice
 * is not NUL-terminated: print it with "%.*s", SLICE_ARG(s). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct slice {
	const uint8_t *data;
	size_t len;
};

#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})
#define SLICE_ARG(s)        (int)(s).len, (const char *)(s).data

static inline struct slice slice_of(const void *data, size_t len)
{
	return (struct slice){data, len};
}

static inline struct slice slice_from_text(const char *text)
{
	return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* Without its first `len` bytes. C17 forbids NULL + 0, which of an empty slice this would be. */
static inline struct slice slice_behind(struct slice text, size_t len)
{
	return len == 0 ? text : slice_of(text.data + len, text.len - len);
}

static inline bool slice_equals(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* ASCII only, as header names and tokens need it (RFC 9110, 5.1). */
static inline bool slice_equals_nocase(struct slice a, struct slice b)
{
	return a.len == b.len &&
	       (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

/* ASCII only. */
static inline bool slice_starts_nocase(struct slice text, const char *start)
{
	size_t len = strlen(start);

	return text.len >= len && strncasecmp((const char *)text.data, start, len) == 0;
}

/* Without spaces and tabs at both ends. */
static inline struct slice slice_trim(struct slice text)
{
	while (text.len > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
		text.data++;
		text.len--;
	}
	while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
		text.len--;
	return text;
}

/* Takes what stands before the next `mark` off *rest, and the mark; without one, all of it.
 * False at the end, where the `data` of *rest is NULL. So "a," is "a" and an empty part;
 * whoever wants no such part stops when *rest is empty. */
static inline bool slice_next(struct slice *rest, char mark, struct slice *out_part)
{
	if (rest->data == NULL)
		return false;
	const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, mark, rest->len);
	size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);

	*out_part = slice_of(rest->data, len);
	*rest = end == NULL ? (struct slice){0} : slice_of(end + 1, rest->len - len - 1);
	return true;
}

/* The next line of *rest, without what ends it ("\n" or "\r\n"); the rest as slice_next has it. */
static inline bool slice_next_line(struct slice *rest, struct slice *out_line)
{
	if (!slice_next(rest, '\n', out_line))
		return false;
	out_line->len -= out_line->len > 0 && out_line->data[out_line->len - 1] == '\r';
	return true;
}

/* As many lines as slice_next_line gives. */
static inline size_t slice_count_lines(struct slice text)
{
	size_t count = 1;

	if (text.data == NULL)
		return 0;
	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == '\n';
	return count;
}

/* A copy as NUL-terminated text, the caller's to free; NULL if memory is out. */
static inline char *slice_to_text(struct slice slice)
{
	char *text = malloc(slice.len + 1);

	if (text == NULL)
		return NULL;
	if (slice.len > 0)
		memcpy(text, slice.data, slice.len);
	text[slice.len] = 0;
	return text;
}
