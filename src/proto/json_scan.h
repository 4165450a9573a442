/* SPDX-License-Identifier: Apache-2.0
 * json_scan.h - a strict reader of JSON text (RFC 8259) that builds no tree.
 *
 * Layer: proto. Pure functions: no I/O, no allocation, no recursion. One pass checks
 * the text and yields slices into it, so what was read before a mistake is known.
 *
 * Let through beyond the grammar: one byte order mark at the begin (RFC 8259, 8.1 allows to
 * ignore it). Refused: more than JSON_DEPTH_MAX containers inside each other, and half a
 * surrogate pair (\ud800 alone), which stands for no character. Left to others: that the text is
 * UTF-8 (the WebSocket layer has checked it), the range of numbers, and whether the names in an
 * object are unique; that needs memory, and RFC 8259, 4 only recommends it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define JSON_DEPTH_MAX 64 /* the outermost container is the first */

enum json_kind {
	JSON_KIND_NONE, /* not there */
	JSON_KIND_NULL,
	JSON_KIND_BOOL,
	JSON_KIND_NUMBER,
	JSON_KIND_STRING,
	JSON_KIND_ARRAY,
	JSON_KIND_OBJECT,
};

/* A value as it is written, without the space around it; a string with its quotes. */
struct json_part {
	enum json_kind kind;
	struct slice text;
};

struct json_fault {
	const char *reason; /* a sentence fragment, static text */
	size_t at;          /* [bytes] from the start of the text to the mistake */
};

struct json_scan {
	const uint8_t *data;
	size_t len;
	size_t at;          /* of the mistake, once there is one */
	const char *error;  /* NULL: none so far; static text */
	uint64_t is_object; /* of the open containers, the innermost in the lowest bit */
	unsigned depth;     /* containers that are open */
	bool is_first;      /* no item of the entered container was read yet */
};

/* The whole text has to be one value, perhaps with space around it. On success fills
 * *out_part, else *out_fault. */
bool json_check(struct slice text, struct json_part *out_part, struct json_fault *out_fault);

/* Begins to read the items of the array or object that the whole text has to be. False
 * if its first byte that is not space is another one than '[' or '{' (nothing else is
 * looked at, and scan->error is not set). */
bool json_scan_enter(struct json_scan *scan, struct slice text, enum json_kind *out_kind);

/* The next item: in an object with its name (between the quotes, as written), in an
 * array with an empty one. False at the end, after which there was nothing but space,
 * and on a mistake: then scan->error and scan->at say what and where. */
bool json_scan_next(struct json_scan *scan, struct slice *out_name, struct json_part *out_value);

/* What stands between the quotes of a value of JSON_KIND_STRING (see json_text.h). */
static inline struct slice json_part_inside(const struct json_part *part)
{
	return slice_of(part->text.data + 1, part->text.len - 2);
}
