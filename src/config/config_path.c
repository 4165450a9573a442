/* SPDX-License-Identifier: Apache-2.0
 * config_path.c - what the path of a route may look like. */
#include "config/config_option.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* Answered by the gateway itself: the first three on both ports, the others by the
 * admin listener, where nobody should look for them in vain. */
static const char *const reserved_paths[] = {"/health", "/livez", "/readyz", "/metrics", "/limits"};

/* What a route can hand on today; another name would promise more. */
static const char *const parameters[] = {"{client_id}"};

#define ALPHANUMERIC "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

static bool consists_of(struct slice text, const char *bytes)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == 0 || strchr(bytes, text.data[i]) == NULL)
			return false;
	return true;
}

static bool slice_has(struct slice text, char byte)
{
	return text.len != 0 && memchr(text.data, byte, text.len) != NULL;
}

static bool is_parameter(struct slice segment)
{
	return segment.len != 0 && segment.data[0] == '{';
}

/* The bytes up to the next '/' after `*at`, which moves behind them. */
static struct slice segment_next(struct slice path, size_t *at)
{
	size_t start = *at + 1;
	size_t end = start;

	while (end < path.len && path.data[end] != '/')
		end++;
	*at = end;
	return slice_of(path.data + start, end - start);
}

static const char *parameter_problem(struct slice segment)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++)
		if (slice_equals(segment, slice_from_text(parameters[i])))
			return NULL;
	if (segment.data[segment.len - 1] != '}')
		return "has a '{' without its '}' at the end of the segment; write {client_id}";
	return "has an unknown parameter; known: {client_id}";
}

/* What other programs write for "any text". As literals they would match no client, and the
 * mistake would show only as 404. */
static bool is_foreign_pattern(struct slice segment)
{
	static const char starts[] = ":$<([^";

	return slice_has(segment, '*') || slice_equals(segment, SLICE_LITERAL("+")) ||
	       memchr(starts, segment.data[0], strlen(starts)) != NULL;
}

static const char *segment_problem(struct slice segment)
{
	if (segment.len == 0)
		return "has an empty segment; write one '/' between segments and none at the end";
	if (is_parameter(segment))
		return parameter_problem(segment);
	if (is_foreign_pattern(segment))
		return "has a segment that is a pattern elsewhere (*, :id, $id, <id>) and would be "
		       "taken literally here; write {client_id} for it, a whole segment of any "
		       "text";
	if (slice_has(segment, '{') || slice_has(segment, '}'))
		return "has a parameter in a part of a segment; a parameter must be a whole "
		       "segment, such as /ws/{client_id}";
	if (slice_has(segment, '%'))
		return "has a percent-encoding; write plain characters";
	if (slice_has(segment, '?') || slice_has(segment, '#'))
		return "has a '?' or '#'; a route is chosen by its path only, remove it and the "
		       "rest";
	/* RFC 3986, 3.3: pchar without pct-encoded. */
	if (!consists_of(segment, ALPHANUMERIC "-._~!$&'()*+,;=:@"))
		return "has a character that no path can have; write letters, digits or "
		       "-._~!$&'()*+,;=:@";
	if (slice_equals(segment, SLICE_LITERAL(".")) || slice_equals(segment, SLICE_LITERAL("..")))
		return "has a segment '.' or '..', which clients remove; write the path without";
	return NULL;
}

const char *config_path_problem(struct slice path)
{
	size_t parameter_count = 0;

	if (path.len == 0 || path.data[0] != '/')
		return "does not start with '/'; write a path such as /ws/{client_id}";
	for (size_t i = 0; i < ARRAY_LEN(reserved_paths); i++)
		if (slice_equals(path, slice_from_text(reserved_paths[i])))
			return "is a path that the gateway answers itself (health, metrics, "
			       "limits); choose another, such as /ws/{client_id}";
	if (path.len == 1)
		return NULL;
	for (size_t at = 0; at < path.len;) {
		struct slice segment = segment_next(path, &at);
		const char *problem = segment_problem(segment);

		if (problem != NULL)
			return problem;
		parameter_count += is_parameter(segment);
	}
	return parameter_count > ARRAY_LEN(parameters)
		       ? "has {client_id} more than once; write it once"
		       : NULL;
}

bool config_path_is_same(const char *path, const char *other)
{
	struct slice a = slice_from_text(path), b = slice_from_text(other);
	size_t a_at = 0, b_at = 0;

	while (a_at < a.len && b_at < b.len) {
		struct slice a_segment = segment_next(a, &a_at);
		struct slice b_segment = segment_next(b, &b_at);

		if (is_parameter(a_segment) && is_parameter(b_segment))
			continue;
		if (!slice_equals(a_segment, b_segment))
			return false;
	}
	return a_at == a.len && b_at == b.len;
}

bool config_is_name(struct slice text)
{
	return text.len != 0 && consists_of(text, ALPHANUMERIC "_-");
}

char *config_path_name(const char *path)
{
	struct slice whole = slice_from_text(path);
	char *name = malloc(whole.len + sizeof("root"));
	size_t len = 0;

	if (name == NULL)
		return NULL;
	for (size_t at = 0; at < whole.len && whole.len > 1;) {
		struct slice segment = segment_next(whole, &at);

		if (is_parameter(segment))
			continue;
		if (len > 0)
			name[len++] = '-';
		for (size_t i = 0; i < segment.len; i++) {
			char c = (char)segment.data[i];

			name[len++] = (char)(strchr(ALPHANUMERIC "_-", c) == NULL ? '_' : c);
		}
	}
	if (len == 0) {
		memcpy(name, "root", 4);
		len = 4;
	}
	name[len] = 0;
	return name;
}

bool config_is_token(struct slice text)
{
	return text.len != 0 && consists_of(text, ALPHANUMERIC "!#$%&'*+-.^_`|~");
}
