/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/assigned.h"

#include <stdio.h>
#include <string.h>

#include "base/percent.h"
#include "base/unicode.h"
#include "proto/http_text.h"
#include "proto/utf8.h"

#define CLIENT_ID  "Gatehouse-Client-Id"
#define ATTRIBUTES "Gatehouse-Attributes"

/* [bytes] of what a back end wrote that a problem shows. */
#define SHOWN_MAX 64

/* NULL and *out_len, or what is wrong with the text. `out` has room for `max` bytes. */
static const char *decode(struct slice text, uint8_t *out, size_t max, size_t *out_len)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int c = text.data[i];

		if (c == '%') {
			c = percent_read(slice_of(text.data + i, text.len - i));
			i += 2;
		}
		if (c < 0)
			return "has a '%' without two hexadecimal digits";
		if (len == max)
			return "is too long";
		out[len++] = (uint8_t)c;
	}
	if (len == 0)
		return "is empty";
	if (!utf8_is_valid(out, len))
		return "is not UTF-8";
	if (unicode_has_control(slice_of(out, len)))
		return "has a control character";
	*out_len = len;
	return NULL;
}

static bool fail(char *problem, size_t size, const char *field, struct slice seen, const char *what,
		 const char *allowed)
{
	snprintf(problem, size, "'%.*s' in %s %s; allowed: %s",
		 (int)MIN(seen.len, (size_t)SHOWN_MAX),
		 seen.len == 0 ? "" : (const char *)seen.data, field, what, allowed);
	unicode_make_plain(problem, strlen(problem), '?');
	return false;
}

bool assigned_id_read(struct slice text, struct assigned *out, char *problem, size_t size)
{
	uint8_t *id = (uint8_t *)out->client_id;
	size_t len = 0;
	const char *what = decode(text, id, PRESENCE_CLIENT_ID_MAX, &len);

	id[len] = 0;
	return what == NULL || fail(problem, size, CLIENT_ID, text, what,
				    "1 to 255 bytes of UTF-8, percent-encoded");
}

/* --- attributes --- */

struct builder {
	struct assigned *out;
	size_t count, used, max; /* used: names and values, in bytes */
};

/* NULL, or what is wrong with the item, and *out_allowed. */
static const char *item_read(struct slice item, struct builder *builder, const char **out_allowed)
{
	struct assigned *out = builder->out;
	const uint8_t *equals = memchr(item.data, '=', item.len);
	size_t name_len = equals == NULL ? item.len : (size_t)(equals - item.data);
	struct slice name = slice_trim(slice_of(item.data, name_len));
	struct attribute same;

	*out_allowed = "name=value with a name of " ATTRIBUTE_NAME_ALLOWED;
	if (!attribute_name_is_good(name) || equals == NULL)
		return "is no attribute";
	if (attributes_find(slice_of(out->attributes, out->attributes_len), name, &same))
		return "is there twice";
	if (builder->count == ATTRIBUTES_MAX) {
		*out_allowed = "16 attributes";
		return "is one too many";
	}
	*out_allowed = "as many bytes of names and values as server.attributes_max says";
	if (name.len > builder->max - builder->used)
		return "is too long";
	uint8_t *to = out->attributes + out->attributes_len;
	struct slice raw = slice_trim(slice_of(equals + 1, item.len - name_len - 1));
	size_t len, room = builder->max - builder->used - name.len;
	const char *what = decode(raw, to + name.len + 1, room, &len);

	if (what != NULL) {
		if (strcmp(what, "is too long") != 0)
			*out_allowed = "a value of UTF-8 without control characters, "
				       "percent-encoded";
		return what;
	}
	memcpy(to, name.data, name.len);
	to[name.len] = 0;
	to[name.len + 1 + len] = 0;
	out->attributes_len += name.len + len + 2;
	builder->used += name.len + len;
	builder->count++;
	return NULL;
}

_Static_assert(ATTRIBUTES_BYTES_MAX / 2 >= 2 * ATTRIBUTES_MAX, "room for the NULs");

bool assigned_attributes_read(struct slice list, size_t max, struct assigned *out, char *problem,
			      size_t size)
{
	struct builder builder = {.out = out, .max = max};
	struct slice item;

	out->attributes_len = 0;
	while (http_list_next(&list, &item)) {
		const char *allowed,
			*what = item.len == 0 ? NULL : item_read(item, &builder, &allowed);

		if (what != NULL)
			return fail(problem, size, ATTRIBUTES, item, what, allowed);
	}
	return true;
}
