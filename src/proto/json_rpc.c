/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/json_rpc.h"

#include <stdio.h>

#include "base/check.h"
#include "proto/json_text.h"

/* Members of an object by name. */

#define NAMES_MAX 6

struct members {
	struct json_part parts[NAMES_MAX]; /* in the order of the names; NONE: not there */
	struct slice repeated;             /* the second value for a name; empty: none */
};

static size_t name_index(struct slice name, const struct slice *names, size_t count)
{
	size_t i = 0;

	while (i < count && !json_text_equals(name, names[i]))
		i++;
	return i;
}

static void members_read(struct json_scan *scan, const struct slice *names, size_t count,
			 struct members *out_members)
{
	struct json_part value;
	struct slice name;

	CHECK(count <= NAMES_MAX);
	*out_members = (struct members){0};
	while (json_scan_next(scan, &name, &value)) {
		size_t i = name_index(name, names, count);

		if (i == count)
			continue;
		if (out_members->parts[i].kind == JSON_KIND_NONE)
			out_members->parts[i] = value;
		else if (out_members->repeated.len == 0)
			out_members->repeated = value.text;
	}
}

/* Messages. */

enum { VERSION, ID, METHOD, PARAMS, RESULT, ERROR, MEMBER_COUNT };
enum { CODE, MESSAGE, DATA, ERROR_MEMBER_COUNT };

static const struct slice member_names[MEMBER_COUNT] = {
	[VERSION] = {(const uint8_t *)"jsonrpc", 7}, [ID] = {(const uint8_t *)"id", 2},
	[METHOD] = {(const uint8_t *)"method", 6},   [PARAMS] = {(const uint8_t *)"params", 6},
	[RESULT] = {(const uint8_t *)"result", 6},   [ERROR] = {(const uint8_t *)"error", 5},
};

static const struct slice error_names[ERROR_MEMBER_COUNT] = {
	[CODE] = {(const uint8_t *)"code", 4},
	[MESSAGE] = {(const uint8_t *)"message", 7},
	[DATA] = {(const uint8_t *)"data", 4},
};

struct mistake {
	const char *reason; /* NULL: none */
	struct slice at;    /* empty: the whole message */
};

static const struct mistake no_mistake = {0};

static struct mistake mistake(const char *reason, struct slice at)
{
	return (struct mistake){reason, at};
}

static bool is_id(const struct json_part *part)
{
	return part->kind == JSON_KIND_STRING || part->kind == JSON_KIND_NUMBER ||
	       part->kind == JSON_KIND_NULL;
}

static bool is_given(const struct json_part *part)
{
	return part->kind != JSON_KIND_NONE && part->kind != JSON_KIND_NULL;
}

/* JSON-RPC 1.0 has no version; so devices leave it out, and the id of an answer tells enough. */
static struct mistake head_check(const struct json_part *parts)
{
	const struct json_part *version = &parts[VERSION], *id = &parts[ID];

	bool is_answer = parts[METHOD].kind == JSON_KIND_NONE &&
			 (parts[RESULT].kind != JSON_KIND_NONE || is_given(&parts[ERROR]));
	bool needs_no_version = is_answer && !is_given(version);

	bool is_2_0 = version->kind == JSON_KIND_STRING &&
		      json_text_equals(json_part_inside(version), SLICE_LITERAL("2.0"));

	if (!is_2_0 && !needs_no_version)
		return mistake("the member jsonrpc must be \"2.0\"", version->text);
	if (id->kind != JSON_KIND_NONE && !is_id(id))
		return mistake("the id must be a string, a number or null", id->text);
	return no_mistake;
}

static struct mistake request_fill(const struct json_part *parts, struct json_rpc_message *message)
{
	const struct json_part *method = &parts[METHOD], *params = &parts[PARAMS];

	if (is_given(&parts[RESULT]) || is_given(&parts[ERROR]))
		return mistake("a message with a method has neither result nor error",
			       method->text);
	if (method->kind != JSON_KIND_STRING || method->text.len == 2)
		return mistake("the method must be a string that is not empty", method->text);
	if (is_given(params) && params->kind != JSON_KIND_ARRAY && params->kind != JSON_KIND_OBJECT)
		return mistake("params must be an object or an array", params->text);
	message->kind = parts[ID].kind == JSON_KIND_NONE ? JSON_RPC_NOTIFICATION : JSON_RPC_REQUEST;
	message->method = json_part_inside(method);
	message->params = is_given(params) ? params->text : (struct slice){0};
	return no_mistake;
}

/* False if the number is written with a fraction or an exponent, or does not fit. */
static bool integer_read(struct slice text, int64_t *out_value)
{
	bool is_negative = text.data[0] == '-';
	int64_t value = 0;

	for (size_t i = is_negative; i < text.len; i++) {
		int digit = text.data[i] - '0';

		if (digit < 0 || digit > 9 || __builtin_mul_overflow(value, 10, &value) ||
		    __builtin_sub_overflow(value, digit, &value))
			return false;
	}
	if (!is_negative && __builtin_sub_overflow(0, value, &value))
		return false;
	*out_value = value;
	return true;
}

static struct mistake error_fill(const struct json_part *error, struct json_rpc_message *message)
{
	struct json_scan scan;
	struct members members;
	enum json_kind kind;

	if (error->kind != JSON_KIND_OBJECT)
		return mistake("the error must be an object", error->text);
	CHECK(json_scan_enter(&scan, error->text, &kind));
	members_read(&scan, error_names, ERROR_MEMBER_COUNT, &members);
	const struct json_part *code = &members.parts[CODE], *words = &members.parts[MESSAGE];

	if (members.repeated.len > 0)
		return mistake("a member of the error comes twice", members.repeated);
	if (code->kind != JSON_KIND_NUMBER || !integer_read(code->text, &message->code))
		return mistake("the error's code must be an integer of 64 bits",
			       code->text.len > 0 ? code->text : error->text);
	message->kind = JSON_RPC_ERROR;
	if (words->kind == JSON_KIND_STRING)
		message->error_message = json_part_inside(words);
	message->data = members.parts[DATA].text;
	return no_mistake;
}

static struct mistake answer_fill(const struct json_part *parts, struct json_rpc_message *message)
{
	const struct json_part *result = &parts[RESULT], *error = &parts[ERROR];

	if (parts[ID].kind == JSON_KIND_NONE)
		return mistake("an answer needs an id", (struct slice){0});
	if (is_given(error) && is_given(result))
		return mistake("an answer has a result or an error, not both", error->text);
	if (is_given(error))
		return error_fill(error, message);
	if (result->kind == JSON_KIND_NONE)
		return mistake("the error must be an object", error->text);
	message->kind = JSON_RPC_RESULT;
	message->result = result->text;
	return no_mistake;
}

static struct mistake message_fill(const struct members *members, struct json_rpc_message *message)
{
	const struct json_part *parts = members->parts;
	struct mistake wrong = head_check(parts);

	if (members->repeated.len > 0)
		return mistake("a member comes twice", members->repeated);
	if (wrong.reason != NULL)
		return wrong;
	if (parts[METHOD].kind != JSON_KIND_NONE)
		return request_fill(parts, message);
	if (parts[RESULT].kind == JSON_KIND_NONE && parts[ERROR].kind == JSON_KIND_NONE)
		return mistake("there is no method, no result and no error", (struct slice){0});
	return answer_fill(parts, message);
}

/* What is no object is JSON at best. */
static enum json_rpc_result other_read(struct slice text, struct json_fault *out_fault)
{
	struct json_part part;

	if (!json_check(text, &part, out_fault))
		return JSON_RPC_NOT_JSON;
	out_fault->at = (size_t)(part.text.data - text.data);
	out_fault->reason = part.kind == JSON_KIND_ARRAY
				    ? "batches are not supported: send each message by itself"
				    : "the message must be an object";
	return JSON_RPC_INVALID;
}

enum json_rpc_result json_rpc_read(struct slice text, struct json_rpc_message *out_message,
				   struct json_fault *out_fault)
{
	struct json_rpc_message message = {0};
	struct json_scan scan;
	struct members members;
	enum json_kind kind = JSON_KIND_NONE;

	*out_message = message;
	if (!json_scan_enter(&scan, text, &kind) || kind != JSON_KIND_OBJECT)
		return other_read(text, out_fault);
	members_read(&scan, member_names, MEMBER_COUNT, &members);
	if (is_id(&members.parts[ID]))
		message.id = members.parts[ID];
	out_message->id = message.id;
	if (scan.error != NULL) {
		*out_fault = (struct json_fault){scan.error, scan.at};
		return JSON_RPC_NOT_JSON;
	}
	struct mistake wrong = message_fill(&members, &message);

	if (wrong.reason != NULL) {
		size_t at = wrong.at.len > 0 ? (size_t)(wrong.at.data - text.data) : 0;

		*out_fault = (struct json_fault){wrong.reason, at};
		return JSON_RPC_INVALID;
	}
	*out_message = message;
	return JSON_RPC_OK;
}

/* Writing. */

/* The name of a member that is left out if it has no value. */
static struct json_piece name_piece(struct slice name, struct slice value)
{
	return JSON_RAW(value.len > 0 ? name : (struct slice){0});
}

int json_rpc_write_request(struct buf *out, size_t max, struct slice id, struct slice method,
			   struct slice params)
{
	const struct json_piece pieces[] = {JSON_LITERAL("{\"jsonrpc\":\"2.0\",\"id\":"),
					    JSON_PLAIN(id),
					    JSON_LITERAL(",\"method\":"),
					    JSON_PLAIN(method),
					    name_piece(SLICE_LITERAL(",\"params\":"), params),
					    JSON_RAW(params),
					    JSON_LITERAL("}")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}

int json_rpc_write_notification(struct buf *out, size_t max, struct slice method,
				struct slice params)
{
	const struct json_piece pieces[] = {JSON_LITERAL("{\"jsonrpc\":\"2.0\",\"method\":"),
					    JSON_PLAIN(method),
					    name_piece(SLICE_LITERAL(",\"params\":"), params),
					    JSON_RAW(params), JSON_LITERAL("}")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}

int json_rpc_write_result(struct buf *out, size_t max, struct slice id_json, struct slice result)
{
	const struct json_piece pieces[] = {JSON_LITERAL("{\"jsonrpc\":\"2.0\",\"id\":"),
					    JSON_RAW(id_json), JSON_LITERAL(",\"result\":"),
					    JSON_RAW(result), JSON_LITERAL("}")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}

int json_rpc_write_error(struct buf *out, size_t max, struct slice id_json, int64_t code,
			 struct slice message, struct slice data)
{
	char number[24];
	int len = snprintf(number, sizeof(number), "%lld", (long long)code);
	const struct json_piece pieces[] = {JSON_LITERAL("{\"jsonrpc\":\"2.0\",\"id\":"),
					    JSON_RAW(id_json),
					    JSON_LITERAL(",\"error\":{\"code\":"),
					    JSON_RAW(slice_of(number, (size_t)len)),
					    JSON_LITERAL(",\"message\":"),
					    JSON_PLAIN(message),
					    name_piece(SLICE_LITERAL(",\"data\":"), data),
					    JSON_RAW(data),
					    JSON_LITERAL("}}")};

	return json_write(out, max, pieces, ARRAY_LEN(pieces));
}
