/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/shown.h"

#include "proto/http_text.h"

/* Tells each value that is shown, one after the other. */
typedef void (*value_fn)(void *arg, struct slice value);

static void header_each(const struct shown_rules *rules, struct slice field, value_fn each,
			void *arg)
{
	size_t len = strlen(rules->scheme);

	if (slice_starts_nocase(field, rules->scheme) && field.len > len && field.data[len] == ' ')
		each(arg, slice_trim(slice_of(field.data + len, field.len - len)));
}

/* "bearer.VALUE", or "bearer, VALUE". */
static void subprotocol_each(const struct shown_rules *rules, struct slice field, bool *is_next,
			     value_fn each, void *arg)
{
	size_t len = strlen(rules->subprotocol);
	struct slice item;

	while (http_list_next(&field, &item)) {
		if (*is_next)
			each(arg, item);
		*is_next = false;
		if (item.len == len && memcmp(item.data, rules->subprotocol, len) == 0)
			*is_next = true;
		else if (item.len > len && memcmp(item.data, rules->subprotocol, len) == 0 &&
			 item.data[len] == '.')
			each(arg, slice_of(item.data + len + 1, item.len - len - 1));
	}
}

/* "NAME=VALUE" among others, with `mark` between; quotes around a value are not of it. */
static void pair_each(struct slice text, char mark, const char *name, value_fn each, void *arg)
{
	size_t len = strlen(name);
	struct slice pair;

	while (slice_next(&text, mark, &pair)) {
		pair = slice_trim(pair);
		if (pair.len <= len || memcmp(pair.data, name, len) != 0 || pair.data[len] != '=')
			continue;
		struct slice value = slice_of(pair.data + len + 1, pair.len - len - 1);

		if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
			value = slice_of(value.data + 1, value.len - 2);
		each(arg, value);
	}
}

static void place_each(const struct shown_rules *rules, enum shown_place place,
		       const struct http_head *head, const uint8_t *data, value_fn each, void *arg)
{
	static const char *const fields[SHOWN_PLACE_COUNT] = {
		[SHOWN_IN_HEADER] = "Authorization",
		[SHOWN_IN_SUBPROTOCOL] = "Sec-WebSocket-Protocol",
		[SHOWN_IN_COOKIE] = "Cookie",
	};
	bool is_next = false;

	if (place == SHOWN_IN_QUERY) {
		pair_each(http_query(head, data), '&', rules->query, each, arg);
		return;
	}
	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct slice name = slice_of(data + field->name_at, field->name_len);
		struct slice value = slice_of(data + field->value_at, field->value_len);

		if (!slice_equals_nocase(name, slice_from_text(fields[place])))
			continue;
		if (place == SHOWN_IN_HEADER)
			header_each(rules, value, each, arg);
		else if (place == SHOWN_IN_COOKIE)
			pair_each(value, ';', rules->cookie, each, arg);
		else
			subprotocol_each(rules, value, &is_next, each, arg);
	}
}

/* --- finding --- */

struct found {
	struct slice value;
	size_t count;
};

static void keep(void *arg, struct slice value)
{
	struct found *found = arg;

	if (found->count++ == 0)
		found->value = value;
}

bool shown_find(const struct shown_rules *rules, const struct http_head *head, const uint8_t *data,
		struct slice *out_value)
{
	for (unsigned place = 0; place < SHOWN_PLACE_COUNT; place++) {
		struct found found = {0};

		if ((rules->places & (1u << place)) == 0)
			continue;
		place_each(rules, place, head, data, keep, &found);
		if (found.count == 0)
			continue;
		*out_value = found.count == 1 ? found.value : (struct slice){0};
		return true;
	}
	return false;
}

/* --- hiding --- */

static void hide(void *arg, struct slice value)
{
	uint8_t *data = arg;

	if (value.len > 0)
		memset(data + (value.data - data), '*', value.len);
}

void shown_hide(const struct shown_rules *rules, const struct http_head *head, uint8_t *data)
{
	for (unsigned place = 0; place < SHOWN_PLACE_COUNT; place++)
		if (rules->places & (1u << place))
			place_each(rules, place, head, data, hide, data);
}
