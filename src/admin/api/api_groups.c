/* SPDX-License-Identifier: Apache-2.0
 * api_groups.c - who is in which group. */
#include <stdio.h>

#include "admin/api/api_call.h"
#include "fleet/command/command.h"
#include "fleet/fleet.h"

enum { LIMIT, AFTER, PARAM_COUNT };

/* A good name needs no escaping in JSON. */
static void ask(struct api_call *call, const struct command_kind *kind)
{
	char json[GROUP_NAME_MAX + 32];
	int len = snprintf(json, sizeof(json), "{\"group\":\"%s\"}", call->group.text);

	if (!api_query(call, NULL, 0))
		return;
	struct command *command = command_create(server_fleet(call->api->server), kind);

	if (command != NULL)
		command_read(command, slice_of(json, (size_t)len));
	api_ask(call, command);
}

void api_group_join(struct api_call *call)
{
	ask(call, &command_join);
}

void api_group_leave(struct api_call *call)
{
	ask(call, &command_leave);
}

static bool after_check(struct api_call *call, const struct api_param *after)
{
	struct slice name = slice_from_text(after->value.text);

	if (!after->is_given || group_name_is_good(name))
		return true;
	api_problem(call->reply, 400, "query", "The parameter 'after' is no name of a group.", name,
		    GROUP_NAME_ALLOWED);
	return false;
}

static json_t *page_make(const struct group_facts *page, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}", "name", page[i].name, "members",
						      (json_int_t)page[i].members));
	return list;
}

void api_groups_list(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {{.name = "limit"}, {.name = "after"}};
	struct group_facts page[API_PAGE_MAX];
	uint64_t limit;
	bool is_end;

	if (!api_query(call, params, PARAM_COUNT) ||
	    !api_limit_read(call, &params[LIMIT], &limit) || !after_check(call, &params[AFTER]))
		return;
	size_t count = group_registry_list(server_fleet(call->api->server)->groups,
					   params[AFTER].value.text, page, limit, &is_end);
	json_t *next = is_end ? json_null() : json_string(page[count - 1].name);

	api_reply_json(
		call->reply, 200,
		json_pack("{s:o, s:o}", "groups", page_make(page, count), "next_after", next));
}
