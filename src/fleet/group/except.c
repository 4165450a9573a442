/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/group/except.h"

#include <string.h>

#include "base/check.h"
#include "base/percent.h"
#include "bus/bus_subject.h"

_Static_assert(BUS_NAME_MAX >= PRESENCE_CLIENT_ID_MAX, "an id is a token");

bool except_has(const struct except_client *except, const struct presence *presence)
{
	return strcmp(except->client_id, presence->client_id) == 0 &&
	       strcmp(except->route, presence_route_name(presence)) == 0;
}

static bool text_take(struct slice text, char *out, size_t max)
{
	if (text.len == 0 || text.len > max || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(out, text.data, text.len);
	out[text.len] = 0;
	return true;
}

bool except_read(struct slice text, struct except_client *out_except)
{
	const uint8_t *slash = text.len == 0 ? NULL : memchr(text.data, '/', text.len);
	struct except_client except;

	if (slash == NULL)
		return false;
	size_t route_len = (size_t)(slash - text.data);

	if (!text_take(slice_of(text.data, route_len), except.route, PRESENCE_ROUTE_MAX) ||
	    !text_take(slice_of(slash + 1, text.len - route_len - 1), except.client_id,
		       PRESENCE_CLIENT_ID_MAX))
		return false;
	*out_except = except;
	return true;
}

bool except_header_read(struct slice value, struct except_client *out_except)
{
	char decoded[PRESENCE_ROUTE_MAX + 1 + PRESENCE_CLIENT_ID_MAX];
	size_t len = 0;

	if (value.data == NULL) {
		*out_except = (struct except_client){.route = ""};
		return true;
	}
	for (size_t i = 0; i < value.len; i++) {
		int byte = value.data[i];

		if (byte == '%') {
			byte = percent_read(slice_of(value.data + i, value.len - i));
			i += 2;
		}
		if (byte < 0 || len == sizeof(decoded))
			return false;
		decoded[len++] = (char)byte;
	}
	return except_read(slice_of(decoded, len), out_except);
}

struct slice except_header_write(const struct except_client *except, char room[EXCEPT_TEXT_MAX])
{
	size_t len = strlen(except->route);

	CHECK(except_is_set(except) && len <= PRESENCE_ROUTE_MAX);
	memcpy(room, except->route, len);
	room[len++] = '/';
	len += bus_token_encode(slice_from_text(except->client_id), room + len);
	return slice_of(room, len);
}
