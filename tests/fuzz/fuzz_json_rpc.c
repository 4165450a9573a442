/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "../json_reference.h"
#include "proto/json_rpc.h"
#include "proto/json_text.h"

#define INPUT_MAX 2048

static struct slice plain_of(struct slice text, uint8_t **out_room)
{
	*out_room = fuzz_copy(text.data, text.len);
	return json_text_unescape(text, *out_room);
}

static bool stands_for_the_same(struct slice text, struct slice other)
{
	uint8_t *room;
	bool is_same = json_text_equals(text, plain_of(other, &room));

	free(room);
	return is_same;
}

static int message_write(struct buf *out, const struct json_rpc_message *message)
{
	const size_t max = 100000;
	bool is_string = message->id.kind == JSON_KIND_STRING;
	uint8_t *rooms[3];
	struct slice id = plain_of(is_string ? json_part_inside(&message->id) : (struct slice){0},
				   &rooms[0]);
	struct slice method = plain_of(message->method, &rooms[1]);
	struct slice words = plain_of(message->error_message, &rooms[2]);
	int r = 0;

	if (message->kind == JSON_RPC_REQUEST && is_string)
		r = json_rpc_write_request(out, max, id, method, message->params);
	else if (message->kind == JSON_RPC_NOTIFICATION)
		r = json_rpc_write_notification(out, max, method, message->params);
	else if (message->kind == JSON_RPC_RESULT)
		r = json_rpc_write_result(out, max, message->id.text, message->result);
	else if (message->kind == JSON_RPC_ERROR)
		r = json_rpc_write_error(out, max, message->id.text, message->code, words,
					 message->data);
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
		free(rooms[i]);
	return r;
}

/* What is written after a message was read reads as the same message. */
static void round_trip_check(const struct json_rpc_message *message)
{
	struct buf out = {0};
	struct json_rpc_message again;
	struct json_fault fault;

	CHECK(message_write(&out, message) == 0);
	if (out.len > 0) {
		CHECK(json_rpc_read(buf_slice(&out), &again, &fault) == JSON_RPC_OK);
		CHECK(again.kind == message->kind && again.code == message->code);
		CHECK(again.id.kind == message->id.kind);
		CHECK(stands_for_the_same(again.method, message->method));
		CHECK(stands_for_the_same(again.error_message, message->error_message));
		CHECK(slice_equals(again.params, message->params));
		CHECK(slice_equals(again.result, message->result));
		CHECK(slice_equals(again.data, message->data));
	}
	buf_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX || !utf8_is_valid(data, size))
		return 0;
	uint8_t *copy = fuzz_copy(data, size);
	struct json_rpc_message message;
	struct json_part part;
	struct json_fault fault = {0}, json_fault;
	enum json_rpc_result result = json_rpc_read(slice_of(copy, size), &message, &fault);
	bool is_json = json_check(slice_of(copy, size), &part, &json_fault);

	CHECK(json_agrees(copy, size));
	CHECK((result == JSON_RPC_NOT_JSON) == !is_json);
	CHECK(is_json || fault.at == json_fault.at);
	CHECK(result == JSON_RPC_OK || (fault.reason != NULL && fault.at <= size));
	if (result == JSON_RPC_OK)
		round_trip_check(&message);
	else
		CHECK(message.kind == JSON_RPC_NONE && message.method.len == 0);
	free(copy);
	return 0;
}
