/* SPDX-License-Identifier: Apache-2.0
 * api_message.c - what a request's body is, as a message to clients. */
#include "admin/api/api_call.h"
#include "base/media_type.h"
#include "fleet/message.h"
#include "proto/http_head.h"

/* What is sent on as text without being read must be UTF-8 by its own word too. */
static bool has_other_charset(struct slice field)
{
	static const char name[] = "charset=";

	for (size_t i = 0; i + strlen(name) <= field.len; i++) {
		struct slice rest = slice_of(field.data + i, field.len - i);

		if (!slice_starts_nocase(rest, name))
			continue;
		rest = slice_of(rest.data + strlen(name), rest.len - strlen(name));
		if (rest.len > 0 && rest.data[0] == '"')
			rest = slice_of(rest.data + 1, rest.len - 1);
		return !slice_starts_nocase(rest, "utf-8") &&
		       !slice_starts_nocase(rest, "us-ascii");
	}
	return false;
}

static bool check_encoding(struct api_call *call, struct slice type_field)
{
	const struct http_request *request = call->request;
	struct slice encoding;

	if (http_field_find(request->head, request->data, "Content-Encoding", &encoding) > 0 &&
	    !slice_equals_nocase(encoding, SLICE_LITERAL("identity"))) {
		api_problem(call->reply, 415, "content_encoding",
			    "A body with a Content-Encoding is not decoded; send it plain.",
			    encoding, "no Content-Encoding");
		return false;
	}
	if (has_other_charset(type_field)) {
		api_problem(call->reply, 415, "charset", "Text is sent on as UTF-8 only.",
			    type_field, "charset=utf-8, or none");
		return false;
	}
	return true;
}

/* The parameter beats the Content-Type. */
static bool choose_type(struct api_call *call, const struct api_param *type, struct slice field,
			bool *out_is_text)
{
	bool wants_text = strcmp(type->value.text, "text") == 0;

	if (type->is_given && !wants_text && strcmp(type->value.text, "binary") != 0) {
		api_problem(call->reply, 400, "query", "The parameter 'type' is neither of two.",
			    slice_from_text(type->value.text), "text, binary");
		return false;
	}
	*out_is_text = type->is_given ? wants_text : media_type_is_text(field);
	return true;
}

/* Large, or text that is not UTF-8. */
static bool check_message(struct api_call *call, bool is_text)
{
	struct message message = {.is_text = is_text, .bytes = call->request->body};
	struct message_fault fault;

	if (message_check(server_fleet(call->api->server), &message, &fault))
		return true;
	http_reply_problem_about(call->reply, &fault.problem);
	return false;
}

static bool read_compress(struct api_call *call, bool *out_stays_plain)
{
	struct slice field = {0};

	http_field_find(call->request->head, call->request->data, MESSAGE_COMPRESS, &field);
	if (message_compress_read(field, out_stays_plain))
		return true;
	api_problem(call->reply, 400, "compress",
		    "The header " MESSAGE_COMPRESS " has neither of its two values.", field,
		    "yes (as without the header), no");
	return false;
}

bool api_message_check(struct api_call *call, const struct api_param *type,
		       struct message *out_message)
{
	const struct http_request *request = call->request;
	struct slice field = {0};
	bool is_text, stays_plain;

	if (!http_has_field(request->head, request->data, "Content-Length") &&
	    !http_has_field(request->head, request->data, "Transfer-Encoding")) {
		api_problem(call->reply, 411, "content_length",
			    "The message is the body, and its length is missing.",
			    (struct slice){0}, "Content-Length: N; 0 is an empty message");
		return false;
	}
	http_field_find(request->head, request->data, "Content-Type", &field);
	if (!choose_type(call, type, field, &is_text) || !check_encoding(call, field) ||
	    !check_message(call, is_text) || !read_compress(call, &stays_plain))
		return false;
	out_message->is_text = is_text;
	out_message->stays_plain = stays_plain;
	return true;
}
