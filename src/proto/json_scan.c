/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_scan.h"

#include "proto/json_text.h"

static bool fail(struct json_scan *scan, const char *reason)
{
	scan->error = reason;
	return false;
}

/* The byte at hand, or -1 at the end. */
static int peek(const struct json_scan *scan)
{
	return scan->at < scan->len ? scan->data[scan->at] : -1;
}

static bool is_digit(int byte)
{
	return byte >= '0' && byte <= '9';
}

static void space_skip(struct json_scan *scan)
{
	for (; scan->at < scan->len; scan->at++) {
		uint8_t byte = scan->data[scan->at];

		if (byte != ' ' && byte != '\t' && byte != '\n' && byte != '\r')
			return;
	}
}

/* Strings. */

static bool escape_scan(struct json_scan *scan)
{
	uint32_t character;
	size_t used = json_text_escape(scan->data + scan->at, scan->len - scan->at, &character,
				       &scan->error);

	scan->at += used;
	return used > 0;
}

static bool string_scan(struct json_scan *scan)
{
	scan->at++;
	for (;;) {
		scan->at += json_text_run(scan->data + scan->at, scan->len - scan->at);
		switch (peek(scan)) {
		case '"':
			scan->at++;
			return true;
		case '\\':
			if (!escape_scan(scan))
				return false;
			break;
		case -1:
			return fail(scan, "the text ends inside a string");
		default:
			return fail(scan, "a control character in a string must be escaped");
		}
	}
}

/* Numbers and words. */

static bool digits_scan(struct json_scan *scan)
{
	if (!is_digit(peek(scan)))
		return fail(scan, "a digit is missing in a number");
	while (is_digit(peek(scan)))
		scan->at++;
	return true;
}

static bool number_scan(struct json_scan *scan)
{
	if (peek(scan) == '-')
		scan->at++;
	size_t first = scan->at;

	if (!digits_scan(scan))
		return false;
	if (scan->data[first] == '0' && scan->at > first + 1) {
		scan->at = first;
		return fail(scan, "a number must not begin with 0 and another digit");
	}
	if (peek(scan) == '.') {
		scan->at++;
		if (!digits_scan(scan))
			return false;
	}
	if (peek(scan) != 'e' && peek(scan) != 'E')
		return true;
	scan->at++;
	if (peek(scan) == '+' || peek(scan) == '-')
		scan->at++;
	return digits_scan(scan);
}

static bool word_scan(struct json_scan *scan, struct slice word)
{
	if (scan->len - scan->at < word.len ||
	    memcmp(scan->data + scan->at, word.data, word.len) != 0)
		return fail(scan, "of words only true, false and null are known");
	scan->at += word.len;
	return true;
}

/* Values. */

static enum json_kind kind_at(const struct json_scan *scan)
{
	switch (peek(scan)) {
	case '{':
		return JSON_KIND_OBJECT;
	case '[':
		return JSON_KIND_ARRAY;
	case '"':
		return JSON_KIND_STRING;
	case 't':
	case 'f':
		return JSON_KIND_BOOL;
	case 'n':
		return JSON_KIND_NULL;
	default:
		return is_digit(peek(scan)) || peek(scan) == '-' ? JSON_KIND_NUMBER
								 : JSON_KIND_NONE;
	}
}

static bool scalar_scan(struct json_scan *scan, enum json_kind kind)
{
	if (kind == JSON_KIND_STRING)
		return string_scan(scan);
	if (kind == JSON_KIND_NUMBER)
		return number_scan(scan);
	if (kind == JSON_KIND_NULL)
		return word_scan(scan, SLICE_LITERAL("null"));
	if (kind == JSON_KIND_BOOL)
		return word_scan(scan, peek(scan) == 't' ? SLICE_LITERAL("true")
							 : SLICE_LITERAL("false"));
	return fail(scan, peek(scan) < 0 ? "the text ends where a value should be"
					 : "a value should be here");
}

static bool in_object(const struct json_scan *scan)
{
	return (scan->is_object & 1) != 0;
}

static bool is_at_closer(const struct json_scan *scan)
{
	return peek(scan) == (in_object(scan) ? '}' : ']');
}

/* Steps over the bracket at hand, and over space. */
static bool container_open(struct json_scan *scan)
{
	if (scan->depth == JSON_DEPTH_MAX)
		return fail(scan, "more than 64 arrays and objects are inside each other");
	scan->is_object = scan->is_object << 1 | (peek(scan) == '{');
	scan->depth++;
	scan->at++;
	space_skip(scan);
	return true;
}

static void container_close(struct json_scan *scan)
{
	scan->is_object >>= 1;
	scan->depth--;
	scan->at++;
}

/* In an object the name of the next member, with its colon and space. In an array
 * there is nothing before a value. */
static bool name_scan(struct json_scan *scan, struct slice *out_name)
{
	if (!in_object(scan)) {
		*out_name = (struct slice){0};
		return true;
	}
	if (peek(scan) != '"')
		return fail(scan, "a member's name in quotes should be here");
	size_t start = scan->at;

	if (!string_scan(scan))
		return false;
	*out_name = slice_of(scan->data + start + 1, scan->at - start - 2);
	space_skip(scan);
	if (peek(scan) != ':')
		return fail(scan, "a colon should be here");
	scan->at++;
	space_skip(scan);
	return true;
}

/* Behind a value: steps over the comma, and space. */
static bool comma_scan(struct json_scan *scan)
{
	if (peek(scan) != ',')
		return fail(scan, in_object(scan) ? "a comma or } should be here"
						  : "a comma or ] should be here");
	scan->at++;
	space_skip(scan);
	return true;
}

/* Behind a value: closes the containers that end here, down to depth `base`, and steps
 * to where the next value begins if one goes on. */
static bool value_end(struct json_scan *scan, unsigned base)
{
	struct slice name;

	while (scan->depth > base) {
		space_skip(scan);
		if (!is_at_closer(scan))
			return comma_scan(scan) && name_scan(scan, &name);
		container_close(scan);
	}
	return true;
}

static bool value_scan(struct json_scan *scan, struct json_part *out_part)
{
	size_t start = scan->at;
	unsigned base = scan->depth;
	enum json_kind kind = kind_at(scan), inner = kind;
	struct slice name;

	do {
		bool is_container = inner == JSON_KIND_ARRAY || inner == JSON_KIND_OBJECT;

		if (is_container ? !container_open(scan) : !scalar_scan(scan, inner))
			return false;
		bool has_items = is_container && !is_at_closer(scan);

		if (has_items ? !name_scan(scan, &name) : !value_end(scan, base))
			return false;
		inner = kind_at(scan);
	} while (scan->depth > base);
	*out_part = (struct json_part){kind, slice_of(scan->data + start, scan->at - start)};
	return true;
}

static bool text_end(struct json_scan *scan)
{
	space_skip(scan);
	return scan->at == scan->len || fail(scan, "nothing may follow the value");
}

static void scan_begin(struct json_scan *scan, struct slice text)
{
	static const uint8_t mark[] = {0xef, 0xbb, 0xbf};

	*scan = (struct json_scan){.data = text.data, .len = text.len, .is_first = true};
	if (text.len >= sizeof(mark) && memcmp(text.data, mark, sizeof(mark)) == 0)
		scan->at = sizeof(mark);
	space_skip(scan);
}

bool json_check(struct slice text, struct json_part *out_part, struct json_fault *out_fault)
{
	struct json_scan scan;
	struct json_part part;

	scan_begin(&scan, text);
	if (!value_scan(&scan, &part) || !text_end(&scan)) {
		*out_fault = (struct json_fault){scan.error, scan.at};
		return false;
	}
	*out_part = part;
	return true;
}

bool json_scan_enter(struct json_scan *scan, struct slice text, enum json_kind *out_kind)
{
	scan_begin(scan, text);
	enum json_kind kind = kind_at(scan);

	if (kind != JSON_KIND_ARRAY && kind != JSON_KIND_OBJECT)
		return false;
	*out_kind = kind;
	return container_open(scan);
}

bool json_scan_next(struct json_scan *scan, struct slice *out_name, struct json_part *out_value)
{
	if (scan->error != NULL || scan->depth == 0)
		return false;
	space_skip(scan);
	if (is_at_closer(scan)) {
		container_close(scan);
		text_end(scan);
		return false;
	}
	if (!scan->is_first && !comma_scan(scan))
		return false;
	scan->is_first = false;
	return name_scan(scan, out_name) && value_scan(scan, out_value);
}
