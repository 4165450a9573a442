/* SPDX-License-Identifier: Apache-2.0
 * api_groups.c - who is in which group. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/api/api_call.h"
#include "fleet/command/command.h"
#include "base/clock.h"
#include "base/hex.h"
#include "fleet/fleet.h"
#include "server/group_members.h"

enum { LIMIT, AFTER, PARAM_COUNT };
enum { CURSOR = AFTER };

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

/* --- members --- */

struct members_call {
	struct http_later *later;
	char group[GROUP_NAME_MAX + 1];
};

static bool cursor_read(struct api_call *call, const struct api_param *param,
			struct group_cursor *out_cursor)
{
	struct slice text = slice_of(param->value.text, param->value.len);

	*out_cursor = (struct group_cursor){0};
	if (!param->is_given ||
	    (text.len == 24 && hex_read(slice_of(text.data, 8), &out_cursor->worker) &&
	     hex_read(slice_of(text.data + 8, 16), &out_cursor->seats)))
		return true;
	api_problem(call->reply, 400, "query", "The parameter 'cursor' is none of ours.", text,
		    "next_cursor of the page before");
	return false;
}

/* Takes the references. */
static json_t *members_json(const struct group_page *page)
{
	uint64_t now_ns = clock_now_ns(), wall_ms = clock_wall_ns() / NS_PER_MS;
	json_t *list = json_array();
	struct traffic_picture picture;

	for (size_t i = 0; i < page->count; i++) {
		presence_look(page->members[i], now_ns, wall_ms, &picture);
		json_array_append_new(list, command_client_json(page->members[i], &picture));
		presence_unref(&page->members[i]);
	}
	return list;
}

static void on_members(void *arg, const struct group_page *page)
{
	struct members_call *members = arg;
	struct http_reply reply = {0};
	json_t *next = page->is_end ? json_null()
				    : json_sprintf("%08" PRIx64 "%016" PRIx64, page->next.worker,
						   page->next.seats);

	api_reply_json(&reply, 200,
		       json_pack("{s:s, s:o, s:o}", "group", members->group, "members",
				 members_json(page), "next_cursor", next));
	http_later_reply(members->later, &reply);
	free(members);
}

static bool members_ask(struct api_call *call, struct http_later *later, struct group_cursor from,
			uint64_t limit)
{
	struct members_call *members = malloc(sizeof(*members));

	if (members == NULL)
		return false;
	members->later = later;
	CHECK(call->group.len <= GROUP_NAME_MAX); /* it is a good name */
	memcpy(members->group, call->group.text, call->group.len + 1);
	if (group_members_ask(call->api->server, later->loop, members->group, from, limit,
			      on_members, members) == 0)
		return true;
	free(members);
	return false;
}

void api_group_members(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {{.name = "limit"}, {.name = "cursor"}};
	struct group_cursor from;
	uint64_t limit;

	if (!api_query(call, params, PARAM_COUNT) ||
	    !api_limit_read(call, &params[LIMIT], &limit) ||
	    !cursor_read(call, &params[CURSOR], &from))
		return;
	struct http_later *later = api_take(call);
	struct http_reply reply = {0};

	if (later == NULL || members_ask(call, later, from, limit))
		return;
	api_problem_no_memory(&reply);
	http_later_reply(later, &reply);
}
