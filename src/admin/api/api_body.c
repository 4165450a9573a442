/* SPDX-License-Identifier: Apache-2.0
 * api_body.c - a request's body as a JSON object with known members. */
#include <string.h>

#include "admin/api/api_call.h"
#include "base/media_type.h"
#include "proto/http_head.h"

struct slice api_text(const json_t *value)
{
	return json_is_string(value) ? slice_of(json_string_value(value), json_string_length(value))
				     : SLICE_LITERAL("not a string");
}

bool api_body_load(struct api_call *call, const char *example, bool may_be_empty, json_t **out_body)
{
	struct slice body = call->request->body, type = {0};

	if (body.len == 0 && may_be_empty) {
		*out_body = json_object();
		if (*out_body == NULL)
			api_problem_no_memory(call->reply);
		return *out_body != NULL;
	}
	http_field_find(call->request->head, call->request->data, "Content-Type", &type);
	if (!media_type_is_json(type)) {
		api_problem(call->reply, 415, "content_type", "The body must be JSON, and say so.",
			    (struct slice){0}, "Content-Type: application/json");
		return false;
	}
	json_t *json = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(json)) {
		*out_body = json;
		return true;
	}
	json_decref(json);
	api_problem(call->reply, 400, "json", "The body is no JSON object.", body, example);
	return false;
}

bool api_members_check(struct api_call *call, json_t *body, const char *const known[],
		       const char *allowed)
{
	const char *key;
	json_t *value;

	json_object_foreach(body, key, value)
	{
		size_t i = 0;

		while (known[i] != NULL && strcmp(key, known[i]) != 0)
			i++;
		if (known[i] == NULL) {
			api_problem(call->reply, 400, "member", "The body has an unknown member.",
				    slice_from_text(key), allowed);
			return false;
		}
	}
	return true;
}
