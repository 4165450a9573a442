/* SPDX-License-Identifier: Apache-2.0
 * api_drain.c - letting clients go at a pace: ordered, changed, cancelled, looked at
 * (server_drain.h). */
#include <stdio.h>

#include "admin/api/api_call.h"
#include "admin/drain_json.h"
#include "base/clock.h"
#include "base/units.h"
#include "fleet/group/groups.h"
#include "route/route_loads.h"
#include "server/server_drain.h"

#define MEMBERS "over, delay, route, group, percent"

/* Nobody who orders a drain without a word more means all at once. */
#define OVER_DEFAULT_MS UINT64_C(60000)

static bool refuse(struct api_call *call, const char *reason, const char *detail, struct slice seen,
		   const char *allowed)
{
	api_problem(call->reply, 400, reason, detail, seen, allowed);
	return false;
}

/* --- the order --- */

static bool time_read(struct api_call *call, const json_t *value, const char *name, uint64_t max_ms,
		      uint64_t *out_ms)
{
	char detail[64], max[32], allowed[64];

	if (value == NULL)
		return true;
	if (json_is_string(value) && units_parse_duration_ms(api_text(value), out_ms) == UNITS_OK &&
	    *out_ms <= max_ms)
		return true;
	snprintf(detail, sizeof(detail), "'%s' is no time in its range.", name);
	snprintf(allowed, sizeof(allowed), "a string, \"0\"..\"%s\"",
		 units_format_duration_ms(max_ms, max, sizeof(max)));
	return refuse(call, name, detail, api_text(value), allowed);
}

static bool route_read(struct api_call *call, const json_t *name, struct drain_scope *scope)
{
	const struct config_route *route;

	if (name == NULL)
		return true;
	if (!json_is_string(name))
		return refuse(call, "route", "'route' is no name of a route.", api_text(name),
			      "a string");
	struct slice text = api_text(name);

	snprintf(scope->route, sizeof(scope->route), "%.*s", SLICE_ARG(text));
	/* One that was taken out of the configuration may have clients that stayed. */
	return (text.len < sizeof(scope->route) &&
		route_loads_connections(server_route_loads(call->api->server), scope->route) > 0) ||
	       api_route_find(call, text, &route);
}

static bool group_read(struct api_call *call, const json_t *name, struct drain_scope *scope)
{
	if (name == NULL)
		return true;
	if (!json_is_string(name) || !group_name_is_good(api_text(name)))
		return refuse(call, "group", "'group' is no name of a group.", api_text(name),
			      GROUP_NAME_ALLOWED);
	snprintf(scope->group, sizeof(scope->group), "%s", json_string_value(name));
	return true;
}

static bool percent_read(struct api_call *call, const json_t *percent, struct drain_scope *scope)
{
	json_int_t value = json_integer_value(percent);

	if (percent == NULL)
		return true;
	if (!json_is_integer(percent) || value < 1 || value > 100)
		return refuse(call, "percent", "'percent' is no whole number in its range.",
			      (struct slice){0}, "1..100");
	scope->percent = (unsigned)value;
	return true;
}

static bool order_read(struct api_call *call, const json_t *body, struct server_drain_order *order)
{
	const struct config_server *config = &call->config->server;

	*order = (struct server_drain_order){
		.scope = {.percent = 100},
		.over_ms = config->drain_spread != 0 ? config->drain_spread : OVER_DEFAULT_MS,
	};
	if (!route_read(call, json_object_get(body, "route"), &order->scope) ||
	    !group_read(call, json_object_get(body, "group"), &order->scope) ||
	    !percent_read(call, json_object_get(body, "percent"), &order->scope))
		return false;
	/* For balancers: a partial one does not change what they see. */
	if (drain_scope_is_full(&order->scope))
		order->delay_ms = config->drain_delay;
	return time_read(call, json_object_get(body, "over"), "over", CONFIG_DAY,
			 &order->over_ms) &&
	       time_read(call, json_object_get(body, "delay"), "delay", CONFIG_HOUR,
			 &order->delay_ms);
}

/* --- answers --- */

static void reply_state(struct api_call *call, unsigned status)
{
	struct server_drain_report report;

	server_drain_report(call->api->server, &report);
	api_reply_json(call->reply, status, drain_json(&report));
}

static void reply_conflict(struct api_call *call, enum drain_answer answer)
{
	if (answer == DRAIN_ENDING)
		api_problem(call->reply, 409, "ending",
			    "The process is ending, by a signal: that can only have its pace "
			    "changed, by a drain of all clients.",
			    (struct slice){0}, NULL);
	else if (answer == DRAIN_IDLE)
		api_problem(call->reply, 409, "no_drain", "No drain is under way.",
			    (struct slice){0}, NULL);
	else
		api_problem(call->reply, 409, "other_drain",
			    "A drain of other clients is under way. Wait for its end, or cancel "
			    "it: DELETE /api/v1/drain.",
			    (struct slice){0}, NULL);
}

void api_drain_begin(struct api_call *call)
{
	static const char *const known[] = {"over", "delay", "route", "group", "percent", NULL};
	struct server_drain_order order;
	json_t *body;

	if (!api_query(call, NULL, 0) ||
	    !api_body_load(call, "{\"over\": \"5m\"}, or no body", true, &body))
		return;
	if (api_members_check(call, body, known, MEMBERS) && order_read(call, body, &order)) {
		enum drain_answer answer = server_drain_begin(call->api->server, &order);

		if (answer == DRAIN_STARTED || answer == DRAIN_CHANGED)
			reply_state(call, 202);
		else
			reply_conflict(call, answer);
	}
	json_decref(body);
}

void api_drain_cancel(struct api_call *call)
{
	if (!api_query(call, NULL, 0))
		return;
	enum drain_answer answer = server_drain_cancel(call->api->server);

	if (answer == DRAIN_STOPPED)
		reply_state(call, 200);
	else
		reply_conflict(call, answer);
}

void api_drain_look(struct api_call *call)
{
	if (api_query(call, NULL, 0))
		reply_state(call, 200);
}
