/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http_json.h"

#include <stdlib.h>

void http_reply_json(struct http_reply *reply, unsigned status, json_t *body, size_t flags)
{
	char *text = body == NULL ? NULL : json_dumps(body, flags);

	json_decref(body);
	reply->status = 500;
	if (text != NULL && buf_append(&reply->body, text, strlen(text), HTTP_JSON_MAX) == 0 &&
	    buf_append(&reply->body, "\n", 1, HTTP_JSON_MAX) == 0) {
		reply->status = status;
		reply->content_type = "application/json";
	}
	free(text);
}
