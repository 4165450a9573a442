/* SPDX-License-Identifier: Apache-2.0 */
#include "base/media_type.h"

/* "text/plain; charset=utf-8": what stands before the ';', trimmed. */
static struct slice type_of(struct slice field)
{
	struct slice type = {0};

	slice_next(&field, ';', &type);
	return slice_trim(type);
}

/* With something before it: "application/+json" names nothing. */
static bool has_json_suffix(struct slice type)
{
	static const char suffix[] = "+json";
	size_t len = strlen(suffix);
	const uint8_t *slash = type.len > 0 ? memchr(type.data, '/', type.len) : NULL;

	return slash != NULL && type.data + type.len - (slash + 1) > (ptrdiff_t)len &&
	       slice_equals_nocase(slice_of(type.data + type.len - len, len),
				   slice_of(suffix, len));
}

bool media_type_is_json(struct slice field)
{
	struct slice type = type_of(field);

	return slice_equals_nocase(type, SLICE_LITERAL("application/json")) ||
	       has_json_suffix(type);
}

bool media_type_is(struct slice field, const char *type)
{
	return slice_equals_nocase(type_of(field), slice_from_text(type));
}

bool media_type_is_text(struct slice field)
{
	return slice_starts_nocase(type_of(field), "text/") || media_type_is_json(field);
}
