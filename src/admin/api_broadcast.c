/* SPDX-License-Identifier: Apache-2.0
 * api_broadcast.c - one message to all. */
#include "admin/api_call.h"
#include "server/broadcast.h"

enum { ROUTE, TYPE, PARAM_COUNT };

static void on_done(void *arg, const struct broadcast_result *result)
{
	struct http_reply reply = {0};

	api_reply_json(&reply, 200,
		       json_pack("{s:s, s:I, s:I, s:I}", "result", "delivered", "delivered",
				 (json_int_t)result->delivered, "closed_slow_readers",
				 (json_int_t)result->cut, "out_of_memory",
				 (json_int_t)result->failed));
	http_later_reply(arg, &reply);
}

static void start(struct api_call *call, const struct config_route *route, bool is_text)
{
	struct http_later *later = api_take(call);

	if (later == NULL)
		return;
	struct broadcast_order order = {
		.route = route == NULL ? NULL : route->name,
		.message = {.is_text = is_text, .bytes = http_later_request(later)->body},
		.home = http_later_loop(later),
		.on_done = on_done,
		.arg = later,
	};
	if (broadcast_start(call->api->server, &order) == 0)
		return;
	struct http_reply reply = {0};

	api_problem_no_memory(&reply);
	http_later_reply(later, &reply);
}

void api_broadcast(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {{.name = "route"}, {.name = "type"}};
	const struct config_route *route = NULL;
	bool is_text;

	if (!api_query(call, params, PARAM_COUNT) ||
	    (params[ROUTE].is_given &&
	     !api_route_find(call, slice_from_text(params[ROUTE].value.text), &route)) ||
	    !api_message_check(call, &params[TYPE], &is_text))
		return;
	start(call, route, is_text);
}
