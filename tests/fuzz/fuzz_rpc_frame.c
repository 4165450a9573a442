/* SPDX-License-Identifier: Apache-2.0
 * fuzz_rpc_frame.c - whatever a client sends: what is taken out of it for a service's answer is
 * JSON, and a message that it makes a call is none of ours. */
#include "fuzz.h"

#include "fleet/rpc/rpc_frame.h"
#include "proto/json_scan.h"
#include "proto/utf8.h"

static void json_expect(struct slice text, enum json_kind kind)
{
	struct json_part part;
	struct json_fault fault;

	CHECK(json_check(text, &part, &fault));
	CHECK(kind == JSON_KIND_NONE || part.kind == kind);
}

static bool is_within(struct slice inner, struct slice outer)
{
	return inner.len == 0 ||
	       (inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

static void answer_check(const struct rpc_framing *framing, const struct rpc_frame *frame)
{
	const struct call_result *result = &frame->result;
	bool is_ocpp_j = framing->kind == CONFIG_RPC_OCPP_J;

	if (result->outcome == CALL_ANSWERED) {
		json_expect(result->payload, JSON_KIND_NONE);
		return;
	}
	CHECK(result->outcome == CALL_CLIENT_ERROR);
	json_expect(result->code, is_ocpp_j ? JSON_KIND_STRING : JSON_KIND_NUMBER);
	json_expect(result->description, JSON_KIND_STRING);
	if (result->payload.len > 0)
		json_expect(result->payload, JSON_KIND_NONE);
}

static void frame_check(const struct rpc_framing *framing, struct slice text)
{
	const struct message message = {.is_text = true, .bytes = text};
	struct rpc_frame frame;

	rpc_frame_read(framing, text, &frame);
	CHECK(is_within(frame.id, text));
	CHECK(rpc_frame_is_call(framing->kind, &message) == (frame.kind == RPC_CALL));
	if (frame.kind == RPC_ANSWER)
		answer_check(framing, &frame);
	if (frame.kind == RPC_MALFORMED)
		CHECK(frame.result.outcome == CALL_BAD_ANSWER && frame.result.description.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rpc_framing framings[] = {
		{CONFIG_RPC_OCPP_J, false},
		{CONFIG_RPC_OCPP_J, true},
		{CONFIG_RPC_JSON_RPC, false},
	};

	if (!utf8_is_valid(data, size))
		return 0; /* the WebSocket layer lets none of these through */
	uint8_t *copy = fuzz_copy(data, size);

	for (size_t i = 0; i < ARRAY_LEN(framings); i++)
		frame_check(&framings[i], slice_of(copy, size));
	free(copy);
	return 0;
}
