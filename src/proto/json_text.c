/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_text.h"

#include <endian.h>
#include <errno.h>

#include "base/check.h"
#include "base/hex.h"
#include "proto/utf8.h"

/* Reading. */

#define EACH_BYTE(value) ((value) * (~UINT64_C(0) / 255))

/* The high bit of each byte that is less than `limit`, at most 0x80. A borrow can mark a
 * byte above such a byte too; the lowest mark is always right. */
static uint64_t bytes_below(uint64_t word, uint64_t limit)
{
	return (word - EACH_BYTE(limit)) & ~word & EACH_BYTE(0x80);
}

static uint64_t stop_bytes(uint64_t word)
{
	return bytes_below(word, 0x20) | bytes_below(word ^ EACH_BYTE('"'), 1) |
	       bytes_below(word ^ EACH_BYTE('\\'), 1);
}

size_t json_text_run(const uint8_t *data, size_t len)
{
	size_t at = 0;

	for (; len - at >= sizeof(uint64_t); at += sizeof(uint64_t)) {
		uint64_t word;

		memcpy(&word, data + at, sizeof(word));
		uint64_t stops = stop_bytes(le64toh(word)); /* the first byte is the lowest */

		if (stops != 0)
			return at + (size_t)__builtin_ctzll(stops) / 8;
	}
	while (at < len && data[at] != '"' && data[at] != '\\' && data[at] >= 0x20)
		at++;
	return at;
}

/* The UTF-16 unit that "\uXXXX" stands for, or -1 if there is none at `data`. */
static int32_t unit_read(const uint8_t *data, size_t len)
{
	int32_t unit = 0;

	if (len < 6 || data[0] != '\\' || data[1] != 'u')
		return -1;
	for (size_t i = 2; i < 6; i++) {
		int digit = hex_value(data[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

static bool is_surrogate(int32_t unit, int32_t first)
{
	return unit >= first && unit < first + 0x400;
}

static size_t unicode_escape(const uint8_t *data, size_t len, uint32_t *out_char,
			     const char **out_error)
{
	int32_t unit = unit_read(data, len);

	if (unit < 0) {
		*out_error = "\\u needs four hexadecimal digits";
		return 0;
	}
	if (!is_surrogate(unit, 0xd800) && !is_surrogate(unit, 0xdc00)) {
		*out_char = (uint32_t)unit;
		return 6;
	}
	int32_t low = unit_read(data + 6, len - 6);

	if (!is_surrogate(unit, 0xd800) || !is_surrogate(low, 0xdc00)) {
		*out_error = "half a surrogate pair stands for no character";
		return 0;
	}
	*out_char = 0x10000 + ((uint32_t)(unit - 0xd800) << 10 | (uint32_t)(low - 0xdc00));
	return 12;
}

size_t json_text_escape(const uint8_t *data, size_t len, uint32_t *out_char, const char **out_error)
{
	static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";

	if (len < 2) {
		*out_error = "the text ends inside a string";
		return 0;
	}
	if (data[1] == 'u')
		return unicode_escape(data, len, out_char, out_error);
	const char *name = memchr(names, data[1], sizeof(names) - 1);

	if (name == NULL) {
		*out_error = "a backslash must be followed by one of \" \\ / b f n r t u";
		return 0;
	}
	*out_char = (uint32_t)meanings[name - names];
	return 2;
}

static size_t utf8_write(uint8_t *out, uint32_t character)
{
	static const uint8_t leads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};
	size_t width = 1 + (character >= 0x80) + (character >= 0x800) + (character >= 0x10000);

	for (size_t i = width - 1; i > 0; i--, character >>= 6)
		out[i] = 0x80 | (character & 0x3f);
	out[0] = leads[width] | (uint8_t)character;
	return width;
}

/* Takes off the text what comes next and returns what it stands for: a run without
 * escapes as it lies, or one escape, written to `room`. */
static struct slice plain_take(struct slice *text, uint8_t room[4])
{
	size_t used = json_text_run(text->data, text->len);
	struct slice plain = slice_of(text->data, used);

	if (used == 0) {
		const char *error;
		uint32_t character;

		used = json_text_escape(text->data, text->len, &character, &error);
		CHECK(used > 0); /* the scanner has accepted the text */
		plain = slice_of(room, utf8_write(room, character));
	}
	*text = slice_of(text->data + used, text->len - used);
	return plain;
}

struct slice json_text_unescape(struct slice text, uint8_t *room)
{
	size_t len = 0;

	if (text.len == 0 || memchr(text.data, '\\', text.len) == NULL)
		return text;
	while (text.len > 0) {
		uint8_t escaped[4];
		struct slice plain = plain_take(&text, escaped);

		memcpy(room + len, plain.data, plain.len);
		len += plain.len;
	}
	return slice_of(room, len);
}

bool json_text_equals(struct slice text, struct slice plain)
{
	while (text.len > 0) {
		uint8_t escaped[4];
		struct slice next = plain_take(&text, escaped);

		if (plain.len < next.len || memcmp(plain.data, next.data, next.len) != 0)
			return false;
		plain = slice_of(plain.data + next.len, plain.len - next.len);
	}
	return plain.len == 0;
}

size_t json_text_chars(struct slice text)
{
	size_t count = 0;

	while (text.len > 0) {
		uint8_t escaped[4];
		struct slice plain = plain_take(&text, escaped);

		for (size_t i = 0; i < plain.len; i++)
			count += (plain.data[i] & 0xc0) != 0x80;
	}
	return count;
}

/* Writing. */

static int escape_append(struct buf *out, size_t max, uint8_t byte)
{
	static const char meanings[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
	const char *meaning = memchr(meanings, byte, sizeof(meanings) - 1);

	if (meaning == NULL)
		return buf_printf(out, max, "\\u%04x", byte);
	const char pair[] = {'\\', names[meaning - meanings]};

	return buf_append(out, pair, sizeof(pair), max);
}

static int string_append(struct buf *out, size_t max, struct slice plain)
{
	if (!utf8_is_valid(plain.data, plain.len))
		return -EILSEQ;
	int r = buf_append(out, "\"", 1, max);

	for (size_t at = 0; r == 0 && at < plain.len;) {
		size_t run = json_text_run(plain.data + at, plain.len - at);

		r = buf_append(out, plain.data + at, run, max);
		at += run;
		if (r == 0 && at < plain.len)
			r = escape_append(out, max, plain.data[at++]);
	}
	return r == 0 ? buf_append(out, "\"", 1, max) : r;
}

int json_write(struct buf *out, size_t max, const struct json_piece *pieces, size_t count)
{
	size_t before = out->len;
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++)
		r = pieces[i].is_plain
			    ? string_append(out, max, pieces[i].bytes)
			    : buf_append(out, pieces[i].bytes.data, pieces[i].bytes.len, max);
	if (r != 0)
		out->len = before;
	return r;
}
