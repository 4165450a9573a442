/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "../json_reference.h"
#include "proto/json_text.h"
#include "proto/ocpp_j.h"

#define INPUT_MAX 2048

static const struct ocpp_j_options options = {OCPP_J_ID_CHARS, true};

/* What a text stands for; the caller frees *out_room. */
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

/* A CALLERROR that came without details is written with empty ones. */
static struct slice details_of(const struct ocpp_j_message *message)
{
	return message->kind == OCPP_J_ERROR && message->details.len == 0 ? SLICE_LITERAL("{}")
									  : message->details;
}

static int frame_write(struct buf *out, const struct ocpp_j_message *message)
{
	uint8_t *rooms[4];
	struct slice id = plain_of(message->id, &rooms[0]);
	struct slice action = plain_of(message->action, &rooms[1]);
	struct slice code = plain_of(message->code, &rooms[2]);
	struct slice description = plain_of(message->description, &rooms[3]);
	int r = 0;

	if (message->kind == OCPP_J_CALL)
		r = ocpp_j_write_call(out, 100000, id, action, message->payload);
	else if (message->kind == OCPP_J_RESULT)
		r = ocpp_j_write_result(out, 100000, id, message->payload);
	else if (message->kind == OCPP_J_ERROR)
		r = ocpp_j_write_error(out, 100000, id, code, description, details_of(message));
	for (size_t i = 0; i < ARRAY_LEN(rooms); i++)
		free(rooms[i]);
	return r;
}

/* What is written after a message was read reads as the same message. */
static void round_trip_check(const struct ocpp_j_message *message)
{
	struct buf out = {0};
	struct ocpp_j_message again;
	struct json_fault fault;

	CHECK(frame_write(&out, message) == 0);
	if (out.len > 0) {
		CHECK(ocpp_j_read(&options, buf_slice(&out), &again, &fault) == OCPP_J_OK);
		CHECK(again.kind == message->kind);
		CHECK(stands_for_the_same(again.id, message->id));
		CHECK(stands_for_the_same(again.action, message->action));
		CHECK(stands_for_the_same(again.code, message->code));
		CHECK(stands_for_the_same(again.description, message->description));
		CHECK(slice_equals(again.payload, message->payload));
		CHECK(slice_equals(again.details, details_of(message)));
	}
	buf_finish(&out);
}

/* The same, read by the other parser's tree. */
static void tree_check(const uint8_t *data, size_t size, const struct ocpp_j_message *message)
{
	json_error_t error;
	json_t *tree = json_loadb((const char *)data, size, JSON_ALLOW_NUL, &error);

	if (tree == NULL)
		return; /* json_agrees has looked at it */
	json_t *id = json_array_get(tree, 1);

	CHECK(json_integer_value(json_array_get(tree, 0)) == (json_int_t)message->kind);
	CHECK(json_is_string(id));
	CHECK(json_text_equals(message->id,
			       slice_of(json_string_value(id), json_string_length(id))));
	CHECK(json_array_size(tree) >= 3 && json_array_size(tree) <= 5);
	json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX || !utf8_is_valid(data, size))
		return 0;
	uint8_t *copy = fuzz_copy(data, size);
	struct ocpp_j_message message;
	struct json_part part;
	struct json_fault fault = {0}, json_fault;
	enum ocpp_j_result result = ocpp_j_read(&options, slice_of(copy, size), &message, &fault);
	bool is_json = json_check(slice_of(copy, size), &part, &json_fault);

	CHECK(json_agrees(copy, size));
	CHECK(is_json || (result == OCPP_J_MALFORMED && fault.at == json_fault.at));
	CHECK(result == OCPP_J_OK || (fault.reason != NULL && fault.at <= size));
	CHECK(json_text_chars(message.id) <= options.id_chars_max);
	if (result == OCPP_J_OK) {
		round_trip_check(&message);
		tree_check(copy, size, &message);
	} else
		CHECK(message.payload.len == 0 && message.action.len == 0);
	free(copy);
	return 0;
}
