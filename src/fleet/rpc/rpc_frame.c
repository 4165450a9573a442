/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rpc/rpc_frame.h"

#include <stdio.h>

#include "base/siphash.h"
#include "proto/json_rpc.h"
#include "proto/json_text.h"
#include "proto/ocpp_j.h"

/* Reading has checked the size of what comes in; what goes out was a request's body. */
#define FRAME_MAX (SIZE_MAX / 2)

struct rpc_framing rpc_framing_of(const struct config_route *route, const char *subprotocol)
{
	return (struct rpc_framing){
		.kind = route->rpc,
		.has_ocpp_2_1 = subprotocol != NULL && strcmp(subprotocol, "ocpp2.1") == 0,
	};
}

/* --- OCPP-J --- */

static struct ocpp_j_options options_of(const struct rpc_framing *framing)
{
	return (struct ocpp_j_options){
		.id_chars_max = OCPP_J_ID_CHARS,
		.has_2_1 = framing->has_ocpp_2_1,
	};
}

/* The string with its quotes, which stand around it in the message; the empty one if there is
 * none. */
static struct slice with_quotes(struct slice inside)
{
	if (inside.data == NULL)
		return SLICE_LITERAL("\"\"");
	return slice_of(inside.data - 1, inside.len + 2);
}

static void answer_of_ocpp_j(const struct ocpp_j_message *message, struct rpc_frame *frame)
{
	frame->kind = RPC_ANSWER;
	frame->id = message->id;
	if (message->kind == OCPP_J_RESULT)
		frame->result = (struct call_result){
			.outcome = CALL_ANSWERED,
			.payload = message->payload,
		};
	else
		frame->result = (struct call_result){
			.outcome = CALL_CLIENT_ERROR,
			.code = with_quotes(message->code),
			.description = with_quotes(message->description),
			.payload = message->details,
		};
}

static void malformed(struct rpc_frame *frame, struct slice id, const char *reason)
{
	frame->kind = RPC_MALFORMED;
	frame->id = id;
	frame->result = (struct call_result){
		.outcome = CALL_BAD_ANSWER,
		.description = slice_from_text(reason),
	};
}

static void read_ocpp_j(const struct rpc_framing *framing, struct slice text,
			struct rpc_frame *frame)
{
	struct ocpp_j_options options = options_of(framing);
	struct ocpp_j_message message = {0};
	struct json_fault fault;
	enum ocpp_j_result result = ocpp_j_read(&options, text, &message, &fault);
	bool is_answer = message.kind == OCPP_J_RESULT || message.kind == OCPP_J_ERROR;

	if (result != OCPP_J_OK)
		malformed(frame, is_answer ? message.id : (struct slice){0}, fault.reason);
	else if (is_answer)
		answer_of_ocpp_j(&message, frame);
	else if (message.kind == OCPP_J_CALL)
		*frame = (struct rpc_frame){.kind = RPC_CALL, .id = message.id};
	else
		frame->kind = RPC_NOTICE;
}

/* --- JSON-RPC --- */

/* Ids that we give are strings. */
static struct slice id_of(const struct json_rpc_message *message)
{
	return message->id.kind == JSON_KIND_STRING ? json_part_inside(&message->id)
						    : (struct slice){0};
}

static void answer_of_json_rpc(const struct json_rpc_message *message, struct rpc_frame *frame)
{
	int len = snprintf(frame->code, sizeof(frame->code), "%lld", (long long)message->code);

	frame->kind = RPC_ANSWER;
	frame->id = id_of(message);
	if (message->kind == JSON_RPC_RESULT)
		frame->result = (struct call_result){
			.outcome = CALL_ANSWERED,
			.payload = message->result,
		};
	else
		frame->result = (struct call_result){
			.outcome = CALL_CLIENT_ERROR,
			.code = slice_of(frame->code, (size_t)len),
			.description = with_quotes(message->error_message),
			.payload = message->data,
		};
}

static void read_json_rpc(struct slice text, struct rpc_frame *frame)
{
	struct json_rpc_message message;
	struct json_fault fault;

	if (json_rpc_read(text, &message, &fault) != JSON_RPC_OK)
		malformed(frame, id_of(&message), fault.reason);
	else if (message.kind == JSON_RPC_REQUEST)
		frame->kind = RPC_CALL;
	else if (message.kind == JSON_RPC_NOTIFICATION)
		frame->kind = RPC_NOTICE;
	else
		answer_of_json_rpc(&message, frame);
}

/* --- either --- */

void rpc_frame_read(const struct rpc_framing *framing, struct slice text,
		    struct rpc_frame *out_frame)
{
	*out_frame = (struct rpc_frame){0};
	/* A device may send the end of its C string along. */
	while (text.len > 0 && text.data[text.len - 1] == 0)
		text.len--;
	if (framing->kind == CONFIG_RPC_OCPP_J)
		read_ocpp_j(framing, text, out_frame);
	else
		read_json_rpc(text, out_frame);
}

/* A client that makes two of its ids the same harms itself only, so there is no secret key. */
uint64_t rpc_frame_number(const struct rpc_framing *framing, const struct rpc_frame *frame)
{
	static const struct siphash_key key;
	uint8_t room[4 * OCPP_J_ID_CHARS];

	if (framing->kind != CONFIG_RPC_OCPP_J)
		return 0;
	if (json_text_chars(frame->id) > OCPP_J_ID_CHARS)
		return 1;
	return siphash(&key, json_text_unescape(frame->id, room)) | 1;
}

bool rpc_frame_is_call(enum config_rpc framing, const struct message *message)
{
	struct rpc_frame frame;

	if (framing == CONFIG_RPC_NONE)
		return false;
	rpc_frame_read(&(struct rpc_framing){.kind = framing}, message->bytes, &frame);
	return frame.kind == RPC_CALL;
}

int rpc_frame_write_call(const struct rpc_framing *framing, struct buf *out, struct slice id,
			 struct slice method, struct slice params)
{
	if (framing->kind == CONFIG_RPC_OCPP_J)
		return ocpp_j_write_call(out, FRAME_MAX, id, method, params);
	return json_rpc_write_request(out, FRAME_MAX, id, method, params);
}
