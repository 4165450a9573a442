/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include <stdlib.h>

#include "admin/api.h"

void admin_reply_json(struct http_reply *reply, unsigned status, json_t *body)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_INDENT(2));

	json_decref(body);
	reply->status = 500;
	if (text != NULL && buf_append(&reply->body, text, strlen(text), HTTP_BODY_MAX) == 0 &&
	    buf_append(&reply->body, "\n", 1, HTTP_BODY_MAX) == 0) {
		reply->status = status;
		reply->content_type = "application/json";
	}
	free(text);
}

/* What can only be read, whatever it would be. */
static void check_method(const struct http_request *request, struct http_reply *reply)
{
	if (http_request_is_read(request))
		return;
	buf_finish(&reply->body);
	*reply = (struct http_reply){0};
	http_reply_method(reply, request->method, "GET, HEAD");
}

bool admin_answer_health(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct admin *admin = arg;

	if (!health_answer(admin->server, request->path, reply))
		return false;
	check_method(request, reply);
	return true;
}

bool admin_answer(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct admin *admin = arg;

	if (api_has_path(request->path)) {
		api_answer(&admin->api, request, reply);
		return true;
	}
	if (slice_equals(request->path, SLICE_LITERAL("/metrics")))
		metrics_answer(admin, reply);
	else if (slice_equals(request->path, SLICE_LITERAL("/limits")))
		limits_answer(admin, request->query, reply);
	else
		return admin_answer_health(arg, request, reply);
	check_method(request, reply);
	return true;
}

bool admin_wants_body(void *arg, const struct http_request *request)
{
	const struct admin *admin = arg;

	return api_has_path(request->path) && api_wants_body(&admin->api, request);
}
