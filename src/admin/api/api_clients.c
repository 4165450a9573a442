/* SPDX-License-Identifier: Apache-2.0
 * api_clients.c - the clients of this node, a page at a time. */
#include <inttypes.h>
#include <stdio.h>

#include "admin/api/api_call.h"
#include "base/hex.h"
#include "base/units.h"
#include "fleet/command/command.h"
#include "session/directory.h"

#define LIMIT_DEFAULT 100

enum { ROUTE, PREFIX, LIMIT, CURSOR, PARAM_COUNT };

bool api_limit_read(struct api_call *call, const struct api_param *param, uint64_t *out_limit)
{
	struct slice text = slice_from_text(param->value.text);
	uint64_t limit = LIMIT_DEFAULT;

	if (param->is_given &&
	    (units_parse_count(text, &limit) != UNITS_OK || limit == 0 || limit > API_PAGE_MAX)) {
		api_problem(call->reply, 400, "query",
			    "The parameter 'limit' is not a number in its range.", text, "1..1000");
		return false;
	}
	*out_limit = limit;
	return true;
}

static bool cursor_read(struct api_call *call, const struct api_param *param,
			struct directory_cursor *out_cursor)
{
	struct directory_cursor cursor = DIRECTORY_START;
	const struct api_value *value = &param->value;

	if (param->is_given &&
	    (value->len != 32 || !hex_read(slice_of(value->text, 16), &cursor.hash) ||
	     !hex_read(slice_of(value->text + 16, 16), &cursor.connection_id))) {
		api_problem(call->reply, 400, "query", "The parameter 'cursor' is none of ours.",
			    slice_from_text(value->text), "next_cursor of the page before");
		return false;
	}
	*out_cursor = cursor;
	return true;
}

static json_t *cursor_write(const struct directory_cursor *cursor)
{
	char text[33];

	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, cursor->hash,
		 cursor->connection_id);
	return json_string(text);
}

/* Takes the references. */
static json_t *page_make(struct presence **page, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list, command_client_json(page[i]));
		presence_unref(&page[i]);
	}
	return list;
}

void api_clients_list(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {
		{.name = "route"}, {.name = "prefix"}, {.name = "limit"}, {.name = "cursor"}};
	struct directory_filter filter = {0};
	const struct config_route *route;
	struct directory_cursor cursor;
	struct presence *page[API_PAGE_MAX];
	uint64_t limit;
	bool is_end;

	if (!api_query(call, params, PARAM_COUNT) ||
	    !api_limit_read(call, &params[LIMIT], &limit) ||
	    !cursor_read(call, &params[CURSOR], &cursor))
		return;
	if (params[ROUTE].is_given) {
		if (!api_route_find(call, slice_from_text(params[ROUTE].value.text), &route))
			return;
		filter.route = route->name;
	}
	filter.id_prefix = slice_of(params[PREFIX].value.text, params[PREFIX].value.len);
	size_t count = directory_list(server_directory(call->api->server), &filter, &cursor, page,
				      limit, &is_end);
	json_t *clients = page_make(page, count);

	api_reply_json(call->reply, 200,
		       json_pack("{s:o, s:o}", "clients", clients, "next_cursor",
				 is_end ? json_null() : cursor_write(&cursor)));
}
