/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/field_pairs.h"

#include "base/check.h"
#include "proto/http_text.h"

/* Is there an odd number of backslashes before this byte? They are no part of any other
 * byte's count, so all counts together are linear. */
static bool is_escaped(struct slice text, size_t at)
{
	size_t start = at;

	while (start > 0 && text.data[start - 1] == '\\')
		start--;
	return (at - start) % 2 != 0;
}

struct slice field_element_take(struct slice *rest)
{
	bool is_quoted = false;
	size_t at = rest->len;

	for (; at > 0; at--) {
		uint8_t byte = rest->data[at - 1];

		if (byte == '"' && !is_escaped(*rest, at - 1))
			is_quoted = !is_quoted;
		else if (byte == ',' && !is_quoted)
			break;
	}
	struct slice element = slice_of(rest->data + at, rest->len - at);

	*rest = at > 0 ? slice_of(rest->data, at - 1) : (struct slice){0};
	return slice_trim(element);
}

/* What stands before the next `mark` that is not in a quoted string. */
static struct slice part_take(struct slice *rest, uint8_t mark)
{
	bool is_quoted = false;
	size_t at = 0;

	for (; at < rest->len; at++) {
		uint8_t byte = rest->data[at];

		if (byte == '"')
			is_quoted = !is_quoted;
		else if (byte == '\\' && is_quoted)
			at++;
		else if (byte == mark && !is_quoted)
			break;
	}
	struct slice part = slice_of(rest->data, MIN(at, rest->len));

	*rest = at < rest->len ? slice_of(rest->data + at + 1, rest->len - at - 1)
			       : (struct slice){0};
	return slice_trim(part);
}

struct slice field_pair_take(struct slice *rest)
{
	return part_take(rest, ';');
}

struct slice field_item_take(struct slice *rest)
{
	return part_take(rest, ',');
}

/* A quoted string from its first byte to its last, or text without quotes. With all
 * values such, quotes mean the same read from either end. */
static bool is_value(struct slice text)
{
	if (text.len == 0)
		return false;
	if (text.data[0] != '"')
		return memchr(text.data, '"', text.len) == NULL;
	size_t end = 1;

	while (end < text.len && text.data[end] != '"')
		end += text.data[end] == '\\' ? 2 : 1;
	return end == text.len - 1;
}

bool field_pair_split(struct slice pair, struct slice *out_name, struct slice *out_value)
{
	const uint8_t *equals = pair.len == 0 ? NULL : memchr(pair.data, '=', pair.len);

	if (equals == NULL)
		return false;
	struct slice name = slice_of(pair.data, (size_t)(equals - pair.data));
	struct slice value = slice_of(equals + 1, pair.len - name.len - 1);

	if (!http_is_token(name) || !is_value(value))
		return false;
	*out_name = name;
	*out_value = value;
	return true;
}

bool field_value_read(struct slice value, uint8_t *room, size_t size, struct slice *out_text)
{
	size_t len = 0;

	if (value.len == 0 || value.data[0] != '"') {
		*out_text = value;
		return true;
	}
	for (size_t i = 1; i < value.len - 1; i++) {
		if (value.data[i] == '\\')
			i++;
		if (len == size)
			return false;
		room[len++] = value.data[i];
	}
	*out_text = slice_of(room, len);
	return true;
}
