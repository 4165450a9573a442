/* SPDX-License-Identifier: Apache-2.0
 * api_broadcast.c - one message to all, to a route's clients, or to a group's members. */
#include <errno.h>

#include "admin/api/api_call.h"
#include "server/broadcast.h"

enum { TYPE, EXCEPT, ROUTE, PARAM_COUNT, GROUP_PARAM_COUNT = EXCEPT + 1 };

static void reply_counts(struct http_later *later, const struct broadcast_result *result,
			 bool is_clustered)
{
	struct http_reply reply = {0};
	json_t *counts = json_pack("{s:s, s:I, s:I, s:I, s:b}", "result", "delivered", "delivered",
				   (json_int_t)result->delivered, "closed_slow_readers",
				   (json_int_t)result->cut, "out_of_memory",
				   (json_int_t)result->failed, "published", is_clustered);

	api_reply_json(&reply, 200, counts);
	http_later_reply(later, &reply);
}

static void on_done(void *arg, const struct broadcast_result *result)
{
	reply_counts(arg, result, false);
}

static void on_done_clustered(void *arg, const struct broadcast_result *result)
{
	reply_counts(arg, result, true);
}

static void problem(struct http_reply *reply, int error)
{
	if (error == -ENOMEM)
		api_problem_no_memory(reply);
	else if (error == -EMSGSIZE)
		api_problem(reply, 413, "max_payload",
			    "The message is larger than the broker takes (max_payload), and was "
			    "sent to nobody. Send less, or raise it there.",
			    (struct slice){0}, NULL);
	else
		api_problem(reply, 503, "bus",
			    "The bus takes no messages now: bus.pending_max bytes wait for the "
			    "broker already. The message was not sent to all; /health tells more. "
			    "Try again later.",
			    (struct slice){0}, NULL);
}

/* The message is the request's body. The other nodes come first: if they cannot have it, the
 * clients here do not get it either. */
static void start(struct api_call *call, struct fan_out *what)
{
	const struct fleet *fleet = server_fleet(call->api->server);
	struct http_later *later = api_take(call);
	struct http_reply reply = {0};

	if (later == NULL)
		return;
	what->message.bytes = later->request.body;
	struct broadcast_order order = {
		.what = *what,
		.home = later->loop,
		.on_done = fleet->is_clustered ? on_done_clustered : on_done,
		.arg = later,
	};
	int r = fan_out_publish(fleet, call->config, what);

	if (r == 0)
		r = broadcast_start(call->api->server, &order);
	if (r == 0)
		return;
	problem(&reply, r);
	http_later_reply(later, &reply);
}

/* A client that is not connected is excepted all the same. */
static bool except_take(struct api_call *call, const struct api_param *param,
			struct except_client *except)
{
	struct slice text = slice_of(param->value.text, param->value.len);
	const struct config_route *route;

	if (!param->is_given)
		return true;
	if (except_read(text, except))
		return api_route_find(call, slice_from_text(except->route), &route);
	api_problem(call->reply, 400, "query",
		    "The parameter 'except' names no client by its route and its id.", text,
		    EXCEPT_ALLOWED ", as ws/till-7");
	return false;
}

void api_broadcast(struct api_call *call)
{
	struct api_param params[PARAM_COUNT] = {
		{.name = "type"}, {.name = "except", .is_pair = true}, {.name = "route"}};
	const struct config_route *route = NULL;
	struct fan_out what = {0};

	if (!api_query(call, params, PARAM_COUNT) ||
	    (params[ROUTE].is_given &&
	     !api_route_find(call, slice_from_text(params[ROUTE].value.text), &route)) ||
	    !except_take(call, &params[EXCEPT], &what.except) ||
	    !api_message_check(call, &params[TYPE], &what.message))
		return;
	what.route = route == NULL ? NULL : route->name;
	start(call, &what);
}

void api_group_send(struct api_call *call)
{
	struct api_param params[GROUP_PARAM_COUNT] = {{.name = "type"},
						      {.name = "except", .is_pair = true}};
	struct fan_out what = {.group = call->group.text};

	if (api_query(call, params, GROUP_PARAM_COUNT) &&
	    except_take(call, &params[EXCEPT], &what.except) &&
	    api_message_check(call, &params[TYPE], &what.message))
		start(call, &what);
}
