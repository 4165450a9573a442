/* SPDX-License-Identifier: Apache-2.0
 * api_tickets.c - makes tickets: one lets one client in, once, soon (auth/tickets.h). */
#include <errno.h>
#include <stdio.h>

#include "admin/api/api_call.h"
#include "auth/tickets.h"
#include "base/clock.h"
#include "base/units.h"
#include "fleet/fleet.h"
#include "fleet/group/groups.h"
#include "proto/http_text.h"
#include "proto/utf8.h"

#define TTL_DEFAULT_MS 30000
#define MEMBERS        "route, client_id, ttl, groups, subprotocol"

/* What is asked for; the texts are the JSON's, but the list of groups. */
struct wish {
	struct ticket_facts facts;
	uint64_t ttl_ms;
	struct buf groups;
};

static bool refuse(struct api_call *call, const char *reason, const char *detail, struct slice seen,
		   const char *allowed)
{
	api_problem(call->reply, 400, reason, detail, seen, allowed);
	return false;
}

/* --- members --- */

static bool has_ticket_way(const struct config_route *route)
{
	for (size_t i = 0; i < route->auth.count; i++)
		if (route->auth.items[i].type == CONFIG_AUTH_TICKET)
			return true;
	return false;
}

static bool route_read(struct api_call *call, const json_t *name, struct wish *wish)
{
	if (!json_is_string(name))
		return refuse(call, "route", "'route' is no name of a route.", api_text(name),
			      "a string");
	if (!api_route_find(call, api_text(name), &call->route))
		return false;
	wish->facts.route = call->route->name;
	if (has_ticket_way(call->route))
		return true;
	api_problem(call->reply, 409, "no_ticket_way",
		    "On this route a ticket lets nobody in: its list 'auth' has no way of type "
		    "ticket.",
		    api_text(name), "a route with {type: ticket}");
	return false;
}

static bool has_control(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] == 0x7f)
			return true;
	return false;
}

static bool client_id_read(struct api_call *call, const json_t *id, struct wish *wish)
{
	struct slice text = api_text(id);

	wish->facts.client_id = json_string_value(id);
	if (json_is_string(id) && text.len > 0 && text.len <= PRESENCE_CLIENT_ID_MAX &&
	    !has_control(text))
		return true;
	return refuse(call, "client_id", "'client_id' is no client id.", text,
		      "1..255 bytes of UTF-8 without control characters");
}

static bool ttl_read(struct api_call *call, const json_t *ttl, struct wish *wish)
{
	uint64_t max_ms = call->config->admin.ticket_ttl_max;
	char max[32], allowed[96];

	wish->ttl_ms = MIN(max_ms, (uint64_t)TTL_DEFAULT_MS);
	if (ttl == NULL)
		return true;
	if (json_is_string(ttl) &&
	    units_parse_duration_ms(api_text(ttl), &wish->ttl_ms) == UNITS_OK && wish->ttl_ms > 0 &&
	    wish->ttl_ms <= max_ms)
		return true;
	snprintf(allowed, sizeof(allowed), "a string, \"1ms\"..\"%s\" (admin.ticket_ttl_max)",
		 units_format_duration_ms(max_ms, max, sizeof(max)));
	return refuse(call, "ttl", "'ttl' is no time that a ticket may wait.", api_text(ttl),
		      allowed);
}

static bool groups_read(struct api_call *call, const json_t *groups, struct wish *wish)
{
	uint64_t max = call->config->server.max_groups_per_client;
	const json_t *name;
	size_t i;

	if (groups == NULL)
		return true;
	if (!json_is_array(groups) || json_array_size(groups) > max)
		return refuse(call, "groups",
			      "'groups' is no list of names, or has more of them than "
			      "server.max_groups_per_client allows.",
			      (struct slice){0}, "[\"a\", \"b\"]");
	json_array_foreach(groups, i, name)
	{
		if (!json_is_string(name) || !group_name_is_good(api_text(name)))
			return refuse(call, "group", "'groups' has what is no name of a group.",
				      api_text(name), GROUP_NAME_ALLOWED);
		if (buf_printf(&wish->groups, HTTP_BODY_MAX, "%s%s", i == 0 ? "" : ",",
			       json_string_value(name)) < 0) {
			api_problem_no_memory(call->reply);
			return false;
		}
	}
	if (wish->groups.len == 0)
		return true;
	if (buf_append(&wish->groups, "", 1, SIZE_MAX) < 0) {
		api_problem_no_memory(call->reply);
		return false;
	}
	wish->facts.groups = (const char *)wish->groups.data;
	return true;
}

static bool subprotocol_read(struct api_call *call, const json_t *name, struct wish *wish)
{
	wish->facts.subprotocol = json_string_value(name);
	if (name == NULL || (json_is_string(name) && http_is_token(api_text(name))))
		return true;
	return refuse(call, "subprotocol", "'subprotocol' is no name of one.", api_text(name),
		      "a token, as Sec-WebSocket-Protocol has them");
}

static bool wish_read(struct api_call *call, json_t *body, struct wish *wish)
{
	static const char *const known[] = {"route",  "client_id",   "ttl",
					    "groups", "subprotocol", NULL};

	return api_members_check(call, body, known, MEMBERS) &&
	       route_read(call, json_object_get(body, "route"), wish) &&
	       client_id_read(call, json_object_get(body, "client_id"), wish) &&
	       ttl_read(call, json_object_get(body, "ttl"), wish) &&
	       groups_read(call, json_object_get(body, "groups"), wish) &&
	       subprotocol_read(call, json_object_get(body, "subprotocol"), wish);
}

/* --- the answer --- */

static void tell_full(struct api_call *call)
{
	char allowed[32];

	snprintf(allowed, sizeof(allowed), "%llu",
		 (unsigned long long)call->config->admin.tickets_max);
	http_reply_header(call->reply, "Retry-After: 1");
	api_problem(call->reply, 503, "tickets_max",
		    "As many tickets wait to be used as admin.tickets_max allows. Ask for them "
		    "when they are needed, with a shorter ttl, or raise it.",
		    (struct slice){0}, allowed);
}

static void make(struct api_call *call, const struct wish *wish)
{
	char ticket[TICKET_TEXT_MAX + 1];
	uint64_t expires_s = clock_wall_ns() / NS_PER_S + wish->ttl_ms / 1000;
	int r = tickets_make(server_tickets(call->api->server), &wish->facts, wish->ttl_ms, ticket);

	if (r == -ENOSPC) {
		tell_full(call);
	} else if (r == -EXDEV) {
		api_problem_moved(call->reply);
	} else if (r < 0) {
		api_problem_no_memory(call->reply);
	} else {
		http_reply_header(call->reply, "Cache-Control: no-store");
		api_reply_json(call->reply, 200,
			       json_pack("{s:s, s:s, s:s, s:I, s:I}", "ticket", ticket, "route",
					 wish->facts.route, "client_id", wish->facts.client_id,
					 "expires_at", (json_int_t)expires_s, "ttl_ms",
					 (json_int_t)wish->ttl_ms));
	}
	explicit_bzero(ticket, sizeof(ticket));
}

void api_ticket_make(struct api_call *call)
{
	static const char example[] =
		"{\"route\": \"ws\", \"client_id\": \"cp1\"}, and perhaps ttl, groups, subprotocol";
	struct wish wish = {0};
	json_t *body;

	if (!api_query(call, NULL, 0) || !api_body_load(call, example, false, &body))
		return;
	if (wish_read(call, body, &wish))
		make(call, &wish);
	buf_finish(&wish.groups);
	json_decref(body);
}
