/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ws_decoder.h"

#include <string.h>

#include "base/check.h"
#include "proto/utf8.h"
#include "proto/ws_close.h"
#include "proto/ws_mask.h"

/* In decoder->opcode; continuation frames never begin a message. */
#define NO_MESSAGE WS_CONTINUATION

void ws_decoder_init(struct ws_decoder *decoder)
{
	*decoder = (struct ws_decoder){.opcode = NO_MESSAGE};
}

void ws_decoder_finish(struct ws_decoder *decoder)
{
	buf_finish(&decoder->message);
	buf_finish(&decoder->decoded);
	ws_decoder_init(decoder);
}

bool ws_decoder_is_idle(const struct ws_decoder *decoder)
{
	return decoder->opcode == NO_MESSAGE && !decoder->has_frame && decoder->head_len == 0 &&
	       decoder->control_len == 0 && decoder->message.len == 0 &&
	       decoder->decoded.data == NULL && decoder->error == NULL;
}

bool ws_decoder_expects_control(const struct ws_decoder *decoder, uint8_t next)
{
	if (decoder->has_frame)
		return ws_opcode_is_control(decoder->frame.opcode);
	return ws_opcode_is_control((decoder->head_len > 0 ? decoder->head[0] : next) & 0x0f);
}

static enum ws_event failure_report(const struct ws_decoder *decoder, struct ws_event_data *out)
{
	*out = (struct ws_event_data){.close_code = decoder->close_code, .error = decoder->error};
	return WS_EVENT_ERROR;
}

static enum ws_event fail(struct ws_decoder *decoder, uint16_t close_code, const char *error,
			  struct ws_event_data *out)
{
	decoder->close_code = close_code;
	decoder->error = error;
	return failure_report(decoder, out);
}

void ws_decoder_release(struct ws_decoder *decoder)
{
	if (decoder->decoded.data != NULL)
		ws_inflater_take_back(decoder->inflater, &decoder->decoded);
	if (decoder->has_frame)
		return;
	decoder->control_len = 0;
	if (decoder->opcode != NO_MESSAGE)
		return;
	decoder->message.len = 0;
	if (decoder->message.cap > WS_DECODER_KEPT_MAX)
		buf_finish(&decoder->message);
}

static const char *sequence_problem(const struct ws_decoder *decoder, uint8_t opcode)
{
	if (ws_opcode_is_control(opcode))
		return NULL;
	if (opcode == WS_CONTINUATION && decoder->opcode == NO_MESSAGE)
		return "a continuation frame without a message to continue";
	if (opcode != WS_CONTINUATION && decoder->opcode != NO_MESSAGE)
		return "a new message before the last fragment of the one under way";
	return NULL;
}

/* How many bytes the message under way may still grow by, compressed if it is. The limit may have
 * been lowered since it began. */
static uint64_t room_left(const struct ws_decoder *decoder, uint64_t max_message_size,
			  bool is_deflated)
{
	uint64_t max = is_deflated ? ws_inflate_input_max(max_message_size) : max_message_size;

	return max - MIN(max, decoder->message.len);
}

static enum ws_event fail_too_big(struct ws_decoder *decoder, struct ws_event_data *out)
{
	return fail(decoder, WS_CLOSE_TOO_BIG, "the message is over max_message_size", out);
}

static void frame_begin(struct ws_decoder *decoder)
{
	decoder->has_frame = true;
	decoder->frame_got = 0;
	decoder->head_len = 0;
	if (decoder->opcode == NO_MESSAGE && !ws_opcode_is_control(decoder->frame.opcode)) {
		decoder->opcode = decoder->frame.opcode;
		decoder->is_deflated = decoder->frame.is_deflated;
		decoder->utf8 = UTF8_BOUNDARY;
	}
}

/* Is the message compressed that the frame is of whose head begins with `first`? */
static bool will_be_deflated(const struct ws_decoder *decoder, uint8_t first)
{
	return decoder->opcode == NO_MESSAGE ? (first & 0x40) != 0 : decoder->is_deflated;
}

/* Reads a head from the input, or from the input after what an earlier input began
 * in decoder->head. On WS_EVENT_MORE has_frame tells whether it is complete. */
static enum ws_event head_take(struct ws_decoder *decoder, enum ws_role self,
			       uint64_t max_message_size, uint8_t **in, size_t *len,
			       struct ws_event_data *out)
{
	const size_t kept = decoder->head_len;
	const uint8_t *bytes = *in;
	size_t have = *len;
	size_t used;

	if (have == 0)
		return WS_EVENT_MORE;
	if (kept > 0) {
		have = MIN(kept + *len, sizeof(decoder->head));
		memcpy(decoder->head + kept, *in, have - kept);
		bytes = decoder->head;
	}
	const struct ws_frame_rules rules = {self, decoder->inflater != NULL};
	const char *problem = sequence_problem(decoder, bytes[0] & 0x0f);
	uint64_t room = room_left(decoder, max_message_size, will_be_deflated(decoder, bytes[0]));
	enum ws_frame_result result = ws_frame_head_parse(rules, room, bytes, have, &decoder->frame,
							  &used);

	if (result == WS_FRAME_PROTOCOL)
		return fail(decoder, WS_CLOSE_PROTOCOL, ws_frame_head_problem(rules, bytes, have),
			    out);
	if (problem != NULL)
		return fail(decoder, WS_CLOSE_PROTOCOL, problem, out);
	if (result == WS_FRAME_TOO_BIG)
		return fail_too_big(decoder, out);
	if (result == WS_FRAME_MORE) {
		if (kept == 0)
			memcpy(decoder->head, *in, have);
		decoder->head_len = (uint8_t)have;
		used = have;
	} else {
		frame_begin(decoder);
	}
	*in += used - kept;
	*len -= used - kept;
	return WS_EVENT_MORE;
}

/* [bytes] of the current frame's payload that the input has. */
static size_t payload_part(const struct ws_decoder *decoder, size_t len)
{
	return (size_t)MIN((uint64_t)len, decoder->frame.payload_len - decoder->frame_got);
}

static void payload_copy(const struct ws_decoder *decoder, uint8_t *to, const uint8_t *from,
			 size_t len)
{
	if (decoder->frame.has_mask)
		ws_mask_copy(to, from, len, decoder->frame.mask, (size_t)decoder->frame_got);
	else
		memcpy(to, from, len);
}

static void payload_advance(struct ws_decoder *decoder, size_t part, uint8_t **in, size_t *len)
{
	*in += part;
	*len -= part;
	decoder->frame_got += part;
	decoder->has_frame = decoder->frame_got < decoder->frame.payload_len;
}

static enum ws_event close_report(struct ws_decoder *decoder, struct slice body,
				  struct ws_event_data *out)
{
	uint16_t code;
	struct slice reason;

	switch (ws_close_parse(body, &code, &reason)) {
	case 0:
		*out = (struct ws_event_data){.bytes = reason, .close_code = code};
		return WS_EVENT_CLOSE;
	case WS_CLOSE_BAD_DATA:
		return fail(decoder, WS_CLOSE_BAD_DATA, "the reason of a close is not UTF-8", out);
	default:
		return fail(decoder, WS_CLOSE_PROTOCOL, "a close frame has no valid code", out);
	}
}

static enum ws_event control_take(struct ws_decoder *decoder, uint8_t **in, size_t *len,
				  struct ws_event_data *out)
{
	size_t part = payload_part(decoder, *len);

	payload_copy(decoder, decoder->control + decoder->control_len, *in, part);
	decoder->control_len = (uint8_t)(decoder->control_len + part);
	payload_advance(decoder, part, in, len);
	if (decoder->has_frame)
		return WS_EVENT_MORE;
	struct slice body = slice_of(decoder->control, decoder->control_len);

	if (decoder->frame.opcode == WS_CLOSE)
		return close_report(decoder, body, out);
	*out = (struct ws_event_data){.bytes = body};
	return decoder->frame.opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
}

/* Appends to the message, unmasked; returns where it went, or NULL if memory is
 * out. */
static uint8_t *message_append(struct ws_decoder *decoder, uint64_t max_message_size,
			       const uint8_t *from, size_t len)
{
	uint8_t *to = buf_reserve(&decoder->message, len, (size_t)max_message_size);

	if (to != NULL) {
		payload_copy(decoder, to, from, len);
		decoder->message.len += len;
	}
	return to;
}

static enum ws_event message_report(struct ws_decoder *decoder, struct slice bytes,
				    struct ws_event_data *out)
{
	if (decoder->opcode == WS_TEXT && decoder->utf8 != UTF8_BOUNDARY)
		return fail(decoder, WS_CLOSE_BAD_DATA, "a text ends inside a UTF-8 character",
			    out);
	*out = (struct ws_event_data){.bytes = bytes, .opcode = decoder->opcode};
	if (decoder->is_deflated)
		out->deflated = buf_slice(&decoder->message);
	decoder->opcode = NO_MESSAGE;
	decoder->is_deflated = false;
	return WS_EVENT_MESSAGE;
}

/* --- compressed messages --- */

static enum ws_event fail_inflation(struct ws_decoder *decoder, struct ws_event_data *out)
{
	fail(decoder, WS_CLOSE_BAD_DATA,
	     decoder->window == NULL
		     ? "a compressed message cannot be decoded; it may not refer to "
		       "others (client_no_context_takeover)"
		     : "a compressed message cannot be decoded",
	     out);
	out->is_inflation = true;
	return WS_EVENT_ERROR;
}

/* The message is whole. */
static enum ws_event inflated_report(struct ws_decoder *decoder, uint64_t max_message_size,
				     struct ws_event_data *out)
{
	struct buf *message = &decoder->message;

	decoder->decoded = ws_inflater_lend(decoder->inflater);
	switch (ws_inflate(decoder->inflater, decoder->window, message->data, message->len,
			   max_message_size, &decoder->decoded)) {
	case WS_INFLATE_OK:
		break;
	case WS_INFLATE_TOO_BIG:
		return fail_too_big(decoder, out);
	case WS_INFLATE_BROKEN:
		return fail_inflation(decoder, out);
	case WS_INFLATE_NO_MEMORY:
		return fail(decoder, WS_CLOSE_INTERNAL, "no memory for a message", out);
	}
	if (decoder->opcode == WS_TEXT)
		decoder->utf8 = utf8_feed(decoder->utf8, decoder->decoded.data,
					  decoder->decoded.len);
	if (decoder->utf8 == UTF8_REJECT)
		return fail(decoder, WS_CLOSE_BAD_DATA, "a text is not UTF-8", out);
	return message_report(decoder, buf_slice(&decoder->decoded), out);
}

/* Appends to what is kept, with room for what ws_inflate puts behind it. */
static enum ws_event deflated_take(struct ws_decoder *decoder, uint64_t max_message_size,
				   uint8_t **in, size_t *len, struct ws_event_data *out)
{
	size_t part = payload_part(decoder, *len);

	CHECK(decoder->inflater != NULL);
	if (part > room_left(decoder, max_message_size, true))
		return fail_too_big(decoder, out);
	uint8_t *to = buf_reserve(&decoder->message, part + WS_INFLATE_TAIL, SIZE_MAX);

	if (to == NULL)
		return fail(decoder, WS_CLOSE_INTERNAL, "no memory for a message", out);
	payload_copy(decoder, to, *in, part);
	decoder->message.len += part;
	payload_advance(decoder, part, in, len);
	if (decoder->has_frame || !decoder->frame.is_final)
		return WS_EVENT_MORE;
	return inflated_report(decoder, max_message_size, out);
}

/* --- the others --- */

static enum ws_event data_take(struct ws_decoder *decoder, uint64_t max_message_size, uint8_t **in,
			       size_t *len, struct ws_event_data *out)
{
	const struct ws_frame_head *frame = &decoder->frame;
	size_t part = payload_part(decoder, *len);
	uint8_t *bytes = *in;
	bool is_in_place = part == frame->payload_len && frame->is_final &&
			   decoder->message.len == 0;

	if (!is_in_place && part > room_left(decoder, max_message_size, false))
		return fail_too_big(decoder, out);
	if (is_in_place && frame->has_mask)
		ws_mask_apply(bytes, part, frame->mask, 0);
	if (!is_in_place && part > 0)
		bytes = message_append(decoder, max_message_size, bytes, part);
	if (bytes == NULL)
		return fail(decoder, WS_CLOSE_INTERNAL, "no memory for a message", out);
	if (decoder->opcode == WS_TEXT)
		decoder->utf8 = utf8_feed(decoder->utf8, bytes, part);
	if (decoder->utf8 == UTF8_REJECT)
		return fail(decoder, WS_CLOSE_BAD_DATA, "a text is not UTF-8", out);
	payload_advance(decoder, part, in, len);
	if (decoder->has_frame || !frame->is_final)
		return WS_EVENT_MORE;
	return message_report(
		decoder, is_in_place ? slice_of(bytes, part) : buf_slice(&decoder->message), out);
}

enum ws_event ws_decoder_next(struct ws_decoder *decoder, enum ws_role self,
			      uint64_t max_message_size, uint8_t **in, size_t *len,
			      struct ws_event_data *out)
{
	enum ws_event event = WS_EVENT_MORE;

	if (decoder->error != NULL)
		return failure_report(decoder, out);
	ws_decoder_release(decoder); /* they are valid until this call */
	do {
		if (!decoder->has_frame)
			event = head_take(decoder, self, max_message_size, in, len, out);
		if (event != WS_EVENT_MORE || !decoder->has_frame)
			return event;
		if (ws_opcode_is_control(decoder->frame.opcode))
			event = control_take(decoder, in, len, out);
		else if (decoder->is_deflated)
			event = deflated_take(decoder, max_message_size, in, len, out);
		else
			event = data_take(decoder, max_message_size, in, len, out);
	} while (event == WS_EVENT_MORE && !decoder->has_frame);
	return event;
}
