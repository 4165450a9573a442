/* SPDX-License-Identifier: Apache-2.0
 * ws_decoder.h - from received bytes to whole messages and control frames
 * (RFC 6455, 5.4-5.6, 8.1).
 *
 * Layer: proto. No I/O, no clock. Works on the receive buffer in place: it
 * unmasks where the bytes lie, and a message that arrived whole is handed out
 * from there without a copy. Only what is cut off at the end of the input is
 * kept, in memory that the decoder owns, never more than max_message_size (and
 * grown as bytes come, not as the peer announces them).
 *
 * A decoder is lent to a connection, not owned by it: while ws_decoder_is_idle is
 * true it holds nothing of the connection (at most WS_DECODER_KEPT_MAX bytes of
 * empty memory for the next cut message) and may be used for another one.
 *
 * A compressed message (RFC 7692, 6.2) is kept as it came until it is whole, at most
 * ws_inflate_input_max(max_message_size) bytes of it, and is decompressed then. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "base/state.h"
#include "proto/ws_frame.h"
#include "proto/ws_inflate.h"

#define WS_DECODER_KEPT_MAX 16384 /* [bytes] */

struct ws_decoder {
	struct buf message; /* fragments and cut payloads of the message under way */
	struct ws_frame_head frame;
	/* Where permessage-deflate was agreed on; both lent. NULL: it was not; no context is kept.
	 */
	struct ws_inflater *inflater;
	struct ws_window *window;
	struct buf decoded; /* the last event's message, if it was compressed; the inflater's */
	uint64_t frame_got; /* [bytes] of the current frame's payload already taken */
	uint32_t utf8;      /* state over the text message so far */
	uint8_t opcode;     /* of the message under way; WS_CONTINUATION: none */
	bool is_deflated;   /* the message under way: `message` has it compressed */
	bool has_frame;     /* inside a payload */
	uint8_t head_len;   /* [bytes] of head[] taken */
	uint8_t control_len;
	uint16_t close_code; /* of the error */
	const char *error;   /* NULL: none so far */
	uint8_t head[WS_FRAME_HEAD_MAX];
	uint8_t control[WS_CONTROL_MAX];
};

enum ws_event {
	WS_EVENT_MORE,    /* all input is taken; nothing to report */
	WS_EVENT_MESSAGE, /* a whole message: opcode WS_TEXT or WS_BINARY */
	WS_EVENT_PING,
	WS_EVENT_PONG,
	WS_EVENT_CLOSE, /* close_code and bytes (the reason) */
	WS_EVENT_ERROR, /* close_code to send, error for the log; the decoder is done for */
};

struct ws_event_data {
	struct slice bytes;    /* payload; for CLOSE the reason. Valid until the next call
				* or the end of the input's life */
	struct slice deflated; /* MESSAGE only: as it came; NULL: it was not compressed */
	uint8_t opcode;        /* MESSAGE only */
	bool is_inflation;     /* ERROR only: it is the compression that is wrong */
	uint16_t close_code;   /* CLOSE and ERROR only */
	const char *error;     /* ERROR only; static text */
};

void ws_decoder_init(struct ws_decoder *decoder);

/* Compressed messages may come: to be said each time before bytes are taken, by whoever has the
 * decoder. `window` is the peer's context; NULL: it keeps none. */
static inline void ws_decoder_inflates_by(struct ws_decoder *decoder, struct ws_inflater *inflater,
					  struct ws_window *window)
{
	decoder->inflater = inflater;
	decoder->window = window;
}

/* Frees what a message under way holds; the decoder is as after init. */
void ws_decoder_finish(struct ws_decoder *decoder);

/* Holds nothing of any message, and the last event's bytes are given back (by the
 * call that returned WS_EVENT_MORE). */
bool ws_decoder_is_idle(const struct ws_decoder *decoder);

/* The bytes of the last event are dealt with, and the next call may be long in coming: frees
 * what is as large as they were. */
void ws_decoder_release(struct ws_decoder *decoder);

/* Does a control frame, which may stand between the frames of a message, go on with the byte
 * `next`? */
bool ws_decoder_expects_control(const struct ws_decoder *decoder, uint8_t next);

/* Takes input up to the end of the next event, advances *in and *len past it, and
 * reports it. Call again until WS_EVENT_MORE (then *len is 0). The input is
 * overwritten (unmasked). Text is checked as it comes: an invalid byte is an
 * error at once, not at the end of the message, unless that is compressed.
 *
 * `self` is our role; `max_message_size` in bytes, over all fragments. Errors:
 * 1002 protocol, 1007 not UTF-8 or not to be decompressed, 1009 too big, 1011 out of memory. After
 * an error every call reports it again and takes no input. */
enum ws_event ws_decoder_next(struct ws_decoder *decoder, enum ws_role self,
			      uint64_t max_message_size, uint8_t **in, size_t *len,
			      struct ws_event_data *out);

/* --- in another process (ws_decoder_state.c) --- */

/* What is under way, for another decoder to go on with; one that is idle writes nothing. No event
 * is being dealt with (ws_decoder_next gave WS_EVENT_MORE, or ws_decoder_release was called), and
 * there was no error. */
void ws_decoder_export(const struct ws_decoder *decoder, struct state_writer *writer);

/* Of a decoder after init, and ws_decoder_inflates_by if it was so, with the same role. 0; -ENOMEM;
 * -EBADMSG: no decoder can have written that; -ENOTSUP: only a newer one than this could. If it
 * fails, the decoder is as before. A message that is larger than may come by now is no failure
 * here. */
int ws_decoder_import(struct ws_decoder *decoder, enum ws_role self, struct state_reader *reader);
