/* SPDX-License-Identifier: Apache-2.0
 * ws_decoder_state.c - a decoder in the middle of its input, as fields that another one goes on
 * with. Where in a character a text was cut off is not written: its bytes so far tell, and they are
 * checked again as they are read. */
#include "proto/ws_decoder.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "proto/utf8.h"

/* A tag keeps its meaning for ever. */
enum {
	TAG_MESSAGE_OPCODE = 1, /* left out: no message is under way */
	TAG_MESSAGE = 2,        /* its bytes so far, unmasked */
	TAG_FRAME_OPCODE = 3,   /* left out: outside of a payload */
	TAG_FRAME_LEN = 4,      /* [bytes] of payload */
	TAG_FRAME_GOT = 5,      /* [bytes] of it that are taken; so the place in the mask */
	TAG_FRAME_MASK = 6,     /* 4 bytes; left out: it has none */
	TAG_FRAME_IS_LAST = 7,  /* 1: it has FIN */
	TAG_HEAD = 8,           /* bytes of a head that is not whole */
	TAG_CONTROL = 9,        /* bytes of a control frame's payload so far, unmasked */
	/* 1: TAG_MESSAGE is compressed. What cannot decompress it must not take it for plain. */
	TAG_MESSAGE_IS_DEFLATED = STATE_MUST | 10,
};

void ws_decoder_export(const struct ws_decoder *decoder, struct state_writer *writer)
{
	const struct ws_frame_head *frame = &decoder->frame;

	CHECK(decoder->error == NULL);
	CHECK(decoder->has_frame || decoder->control_len == 0);
	CHECK(decoder->opcode != WS_CONTINUATION || decoder->message.len == 0);
	if (decoder->opcode != WS_CONTINUATION) {
		state_put_u64(writer, TAG_MESSAGE_OPCODE, decoder->opcode);
		state_put_bytes(writer, TAG_MESSAGE, buf_slice(&decoder->message));
		state_put_flag(writer, TAG_MESSAGE_IS_DEFLATED, decoder->is_deflated);
	}
	if (decoder->head_len > 0)
		state_put_bytes(writer, TAG_HEAD, slice_of(decoder->head, decoder->head_len));
	if (!decoder->has_frame)
		return;
	state_put_u64(writer, TAG_FRAME_OPCODE, frame->opcode);
	state_put_u64(writer, TAG_FRAME_LEN, frame->payload_len);
	state_put_u64(writer, TAG_FRAME_GOT, decoder->frame_got);
	if (frame->has_mask)
		state_put_bytes(writer, TAG_FRAME_MASK, slice_of(frame->mask, sizeof(frame->mask)));
	if (frame->is_final)
		state_put_u64(writer, TAG_FRAME_IS_LAST, 1);
	if (decoder->control_len > 0)
		state_put_bytes(writer, TAG_CONTROL,
				slice_of(decoder->control, decoder->control_len));
}

/* --- reading --- */

/* False: they do not fit. */
static bool copy(struct slice from, uint8_t *to, size_t size)
{
	if (from.len > size)
		return false;
	if (from.len > 0)
		memcpy(to, from.data, from.len);
	return true;
}

static bool opcode_read(const struct state_field *field, uint8_t *out_opcode)
{
	uint64_t value;

	if (!state_u64(field, &value) || value > 0xf)
		return false;
	*out_opcode = (uint8_t)value;
	return true;
}

static int message_read(struct ws_decoder *decoder, struct slice bytes)
{
	if (decoder->message.len > 0)
		return -EBADMSG;
	return bytes.len == 0 ? 0 : buf_append(&decoder->message, bytes.data, bytes.len, SIZE_MAX);
}

/* Its parts are looked at together in the end. */
static int field_read(struct ws_decoder *decoder, const struct state_field *field)
{
	struct ws_frame_head *frame = &decoder->frame;
	uint64_t value = 0;
	bool is_good;

	switch (field->tag) {
	case TAG_MESSAGE_OPCODE:
		is_good = opcode_read(field, &decoder->opcode);
		break;
	case TAG_MESSAGE:
		return message_read(decoder, field->value);
	case TAG_FRAME_OPCODE:
		decoder->has_frame = is_good = opcode_read(field, &frame->opcode);
		break;
	case TAG_FRAME_LEN:
		is_good = state_u64(field, &frame->payload_len);
		break;
	case TAG_FRAME_GOT:
		is_good = state_u64(field, &decoder->frame_got);
		break;
	case TAG_FRAME_MASK:
		is_good = field->value.len == sizeof(frame->mask) &&
			  copy(field->value, frame->mask, sizeof(frame->mask));
		frame->has_mask = true;
		break;
	case TAG_FRAME_IS_LAST:
		is_good = state_u64(field, &value);
		frame->is_final = value != 0;
		break;
	case TAG_HEAD:
		is_good = copy(field->value, decoder->head, sizeof(decoder->head));
		decoder->head_len = (uint8_t)field->value.len;
		break;
	case TAG_CONTROL:
		is_good = copy(field->value, decoder->control, sizeof(decoder->control));
		decoder->control_len = (uint8_t)field->value.len;
		break;
	case TAG_MESSAGE_IS_DEFLATED:
		is_good = state_flag(field, &decoder->is_deflated);
		break;
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
	return is_good ? 0 : -EBADMSG;
}

static bool message_is_good(struct ws_decoder *decoder)
{
	if (decoder->is_deflated && decoder->inflater == NULL)
		return false;
	switch (decoder->opcode) {
	case WS_CONTINUATION:
		return decoder->message.len == 0 && !decoder->is_deflated;
	case WS_TEXT:
		decoder->utf8 = UTF8_BOUNDARY;
		if (decoder->is_deflated) /* it is looked at when it is whole */
			return true;
		decoder->utf8 = utf8_feed(UTF8_BOUNDARY, decoder->message.data,
					  decoder->message.len);
		return decoder->utf8 != UTF8_REJECT;
	case WS_BINARY:
		return true;
	default:
		return false;
	}
}

/* Inside a payload, of a frame that may be where it is. */
static bool frame_is_good(const struct ws_decoder *decoder, enum ws_role self)
{
	const struct ws_frame_head *frame = &decoder->frame;

	if (decoder->head_len > 0 || frame->payload_len > INT64_MAX ||
	    decoder->frame_got >= frame->payload_len || frame->has_mask != (self == WS_SERVER))
		return false;
	switch (frame->opcode) {
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		return frame->is_final && frame->payload_len <= WS_CONTROL_MAX &&
		       decoder->frame_got == decoder->control_len;
	case WS_TEXT:
	case WS_BINARY:
		return frame->opcode == decoder->opcode && decoder->control_len == 0 &&
		       decoder->frame_got == decoder->message.len;
	case WS_CONTINUATION:
		return decoder->opcode != WS_CONTINUATION && decoder->control_len == 0 &&
		       decoder->frame_got <= decoder->message.len;
	default:
		return false;
	}
}

/* Part of one that is good so far, and not all of it. */
static bool head_is_good(const struct ws_decoder *decoder, enum ws_role self)
{
	const struct ws_frame_rules rules = {self, decoder->inflater != NULL};
	struct ws_frame_head head;
	size_t used;

	return decoder->control_len == 0 &&
	       (decoder->head_len == 0 ||
		ws_frame_head_parse(rules, UINT64_MAX, decoder->head, decoder->head_len, &head,
				    &used) == WS_FRAME_MORE);
}

int ws_decoder_import(struct ws_decoder *decoder, enum ws_role self, struct state_reader *reader)
{
	struct state_field field;
	int r = 0;

	CHECK(ws_decoder_is_idle(decoder));
	while (r == 0 && state_next(reader, &field))
		r = field_read(decoder, &field);
	if (r == 0 &&
	    (reader->is_bad || !message_is_good(decoder) ||
	     !(decoder->has_frame ? frame_is_good(decoder, self) : head_is_good(decoder, self))))
		r = -EBADMSG;
	if (r < 0)
		ws_decoder_finish(decoder);
	return r;
}
