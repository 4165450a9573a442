/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/http_head.h"

#include "proto/http_text.h"

struct slice http_method(const struct http_head *head, const uint8_t *data)
{
	return slice_of(data + head->method_at, head->method_len);
}

struct slice http_target(const struct http_head *head, const uint8_t *data)
{
	return slice_of(data + head->target_at, head->target_len);
}

static struct slice before(struct slice text, char end)
{
	const uint8_t *found = text.len > 0 ? memchr(text.data, end, text.len) : NULL;

	return found == NULL ? text : slice_of(text.data, (size_t)(found - text.data));
}

bool http_has_field(const struct http_head *head, const uint8_t *data, const char *name)
{
	struct slice value;

	return http_field_find(head, data, name, &value) > 0;
}

struct slice http_query(const struct http_head *head, const uint8_t *data)
{
	struct slice target = http_target(head, data);
	size_t path_len = before(target, '?').len;

	return path_len == target.len
		       ? (struct slice){0}
		       : slice_of(target.data + path_len + 1, target.len - path_len - 1);
}

/* The parser lets only "/..." and "scheme://authority..." pass. */
struct slice http_path(const struct http_head *head, const uint8_t *data)
{
	struct slice path = before(http_target(head, data), '?');

	if (path.data[0] == '/')
		return path;
	size_t skipped = before(path, ':').len + strlen("://");
	struct slice rest = slice_of(path.data + skipped, path.len - skipped);
	size_t authority_len = before(rest, '/').len;

	if (authority_len == rest.len)
		return SLICE_LITERAL("/");
	return slice_of(rest.data + authority_len, rest.len - authority_len);
}

static struct slice field_name(const struct http_field *field, const uint8_t *data)
{
	return slice_of(data + field->name_at, field->name_len);
}

static struct slice field_value(const struct http_field *field, const uint8_t *data)
{
	return slice_of(data + field->value_at, field->value_len);
}

unsigned http_field_find(const struct http_head *head, const uint8_t *data, const char *name,
			 struct slice *out_value)
{
	struct slice wanted = slice_from_text(name);
	unsigned count = 0;

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (!slice_equals_nocase(field_name(field, data), wanted))
			continue;
		if (count++ == 0)
			*out_value = field_value(field, data);
	}
	return count;
}

static bool list_has_token(struct slice list, struct slice token)
{
	struct slice item;

	while (http_list_next(&list, &item))
		if (slice_equals_nocase(item, token))
			return true;
	return false;
}

bool http_field_has_token(const struct http_head *head, const uint8_t *data, const char *name,
			  const char *token)
{
	struct slice wanted = slice_from_text(name);

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (slice_equals_nocase(field_name(field, data), wanted) &&
		    list_has_token(field_value(field, data), slice_from_text(token)))
			return true;
	}
	return false;
}
