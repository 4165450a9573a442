/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include <stdlib.h>

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

bool admin_answer_health(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct admin *admin = arg;

	return health_answer(admin->server, request->path, reply);
}

bool admin_answer(void *arg, const struct http_request *request, struct http_reply *reply)
{
	const struct admin *admin = arg;

	if (slice_equals(request->path, SLICE_LITERAL("/metrics")))
		metrics_answer(admin, reply);
	else if (slice_equals(request->path, SLICE_LITERAL("/limits")))
		limits_answer(admin, request->query, reply);
	else
		return health_answer(admin->server, request->path, reply);
	return true;
}
