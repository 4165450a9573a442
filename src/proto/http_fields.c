/* SPDX-License-Identifier: Apache-2.0
 * http_fields.c - finding header fields in a head that is parsed (http_head.h). */
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

/* The parser lets only "/...", "*" and "scheme://authority..." pass. */
static bool is_url(struct slice target)
{
	return target.data[0] != '/' && target.data[0] != '*';
}

struct slice http_path(const struct http_head *head, const uint8_t *data)
{
	struct slice path = before(http_target(head, data), '?');

	if (!is_url(path))
		return path;
	struct slice authority = http_url_authority(path);
	const uint8_t *end = authority.data + authority.len;
	struct slice rest = slice_of(end, path.len - (size_t)(end - path.data));

	return rest.len == 0 ? SLICE_LITERAL("/") : rest;
}

struct slice http_host(const struct http_head *head, const uint8_t *data)
{
	struct slice target = http_target(head, data);
	struct slice host = {0};

	if (is_url(target))
		return http_url_authority(target);
	http_field_find(head, data, "Host", &host);
	return host;
}

/* Decimal digits; the largest number stands for all that are too large. */
static uint64_t length_read(struct slice text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text.data[i] - '0'), &value))
			return UINT64_MAX;
	return value;
}

struct http_body http_request_body(const struct http_head *head, const uint8_t *data)
{
	struct slice length;

	if (http_has_field(head, data, "Transfer-Encoding"))
		return (struct http_body){.kind = HTTP_BODY_CHUNKED};
	if (http_field_find(head, data, "Content-Length", &length) == 0)
		return (struct http_body){.kind = HTTP_BODY_NONE};
	uint64_t len = length_read(length);

	return (struct http_body){.kind = len == 0 ? HTTP_BODY_NONE : HTTP_BODY_LENGTH, .len = len};
}

bool http_is_persistent(const struct http_head *head, const uint8_t *data)
{
	if (http_field_has_token(head, data, "Connection", "close"))
		return false;
	return head->minor_version >= 1 ||
	       http_field_has_token(head, data, "Connection", "keep-alive");
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

static bool list_has(struct slice list, struct slice wanted,
		     bool (*is_same)(struct slice, struct slice))
{
	struct slice item;

	while (http_list_next(&list, &item))
		if (is_same(item, wanted))
			return true;
	return false;
}

static bool field_has(const struct http_head *head, const uint8_t *data, const char *name,
		      const char *item, bool (*is_same)(struct slice, struct slice))
{
	struct slice wanted = slice_from_text(name);

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];

		if (slice_equals_nocase(field_name(field, data), wanted) &&
		    list_has(field_value(field, data), slice_from_text(item), is_same))
			return true;
	}
	return false;
}

bool http_field_has_token(const struct http_head *head, const uint8_t *data, const char *name,
			  const char *token)
{
	return field_has(head, data, name, token, slice_equals_nocase);
}

bool http_field_has_item(const struct http_head *head, const uint8_t *data, const char *name,
			 const char *item)
{
	return field_has(head, data, name, item, slice_equals);
}
