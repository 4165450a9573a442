/* SPDX-License-Identifier: Apache-2.0
 * api_reply.c - what the endpoints of the API have in common: how they answer, and what they take
 * from a request (api_call.h). */
#include <stdio.h>

#include "admin/api/api_call.h"
#include "admin/api/api_trace.h"
#include "http/http_json.h"

void api_problem(struct http_reply *reply, unsigned status, const char *reason, const char *detail,
		 struct slice seen, const char *allowed)
{
	CHECK(status >= 400 && reason != NULL);
	http_reply_problem_about(reply, &(struct problem){
						.status = status,
						.reason = reason,
						.detail = detail,
						.seen = seen,
						.allowed = allowed,
					});
}

void api_problem_no_memory(struct http_reply *reply)
{
	api_problem(reply, 503, "no_memory", "The gateway is out of memory.", (struct slice){0},
		    NULL);
}

void api_problem_moved(struct http_reply *reply)
{
	http_reply_header(reply, "Retry-After: 1");
	api_problem(reply, 503, "upgrade",
		    "Nothing was done: this process hands over to the next, which knows already "
		    "what this one knew. Ask again, on a new connection.",
		    (struct slice){0}, NULL);
}

void api_reply_json(struct http_reply *reply, unsigned status, json_t *body)
{
	http_reply_json(reply, status, body, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

struct http_later *api_take(struct api_call *call)
{
	const struct config *config = call->config;
	struct http_later *later = http_later_take(call->request, config->admin.call_timeout);
	char allowed[32];

	if (later != NULL) {
		api_trace_take(call, later);
		return later;
	}
	snprintf(allowed, sizeof(allowed), "%llu", (unsigned long long)config->admin.max_calls);
	http_reply_header(call->reply, "Retry-After: 1");
	api_problem(call->reply, 503, "max_calls",
		    "As many requests are under way as admin.max_calls allows. Send fewer at a "
		    "time, or raise it.",
		    (struct slice){0}, allowed);
	return NULL;
}

bool api_route_find(struct api_call *call, struct slice name, const struct config_route **out_route)
{
	const struct config *config = call->config;
	const struct config_route *route = config_route_find(config, name);
	char names[256] = "";

	if (route != NULL) {
		*out_route = route;
		return true;
	}
	for (size_t i = 0; i < config->route_count; i++) {
		size_t used = strlen(names);

		snprintf(names + used, sizeof(names) - used, "%s%s", used == 0 ? "" : ", ",
			 config->routes[i].name);
	}
	api_problem(call->reply, 404, "no_such_route", "No route has this name.", name, names);
	return false;
}

bool api_query(struct api_call *call, struct api_param *params, size_t count)
{
	struct api_query_problem problem;

	if (api_query_parse(call->request->query, params, count, &problem))
		return true;
	api_problem(call->reply, 400, "query", problem.detail, problem.seen, NULL);
	return false;
}

bool api_query_refuse(struct api_call *call, const struct api_param *param, const char *detail,
		      const char *allowed)
{
	api_problem(call->reply, 400, "query", detail,
		    slice_of(param->value.text, param->value.len), allowed);
	return false;
}
