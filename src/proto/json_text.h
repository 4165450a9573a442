/* SPDX-License-Identifier: Apache-2.0
 * json_text.h - JSON strings, to and from the bytes they stand for; writing JSON.
 *
 * Layer: proto. Pure functions: no I/O, no clock. `text` is what stands between the
 * quotes of a string that json_scan.h has accepted; `plain` is what it stands for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

/* The bytes that the text stands for: the text itself if it has no escapes, else written
 * to `room`. That must have text.len bytes, or four for each character of the text. */
struct slice json_text_unescape(struct slice text, uint8_t *room);

/* Does the text stand for these bytes? Needs no room. */
bool json_text_equals(struct slice text, struct slice plain);

/* Characters (code points) that the text stands for. */
size_t json_text_chars(struct slice text);

/* --- For scanning --- */

/* [bytes] at the start of `data` that may stand in a string as they are: no quote, no
 * backslash, no control character. */
size_t json_text_run(const uint8_t *data, size_t len);

/* Reads the escape at data[0], a backslash. Returns its length [bytes] and sets *out_char
 * to the code point, or returns 0 and sets *out_error to a sentence (static text). */
size_t json_text_escape(const uint8_t *data, size_t len, uint32_t *out_char,
			const char **out_error);

/* --- Writing --- */

/* JSON to be written as it is, or plain UTF-8 that becomes a string in quotes. */
struct json_piece {
	struct slice bytes;
	bool is_plain;
};

#define JSON_RAW(slice)   ((struct json_piece){(slice), false})
#define JSON_LITERAL(s)   ((struct json_piece){SLICE_LITERAL(s), false})
#define JSON_PLAIN(slice) ((struct json_piece){(slice), true})

/* Appends all pieces or nothing. 0; -EMSGSIZE if `out` would pass `max` bytes; -ENOMEM;
 * -EILSEQ if a plain piece is not UTF-8. Raw pieces are not looked at. */
int json_write(struct buf *out, size_t max, const struct json_piece *pieces, size_t count);
