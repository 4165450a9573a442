/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/ws_writer.h"

#include <errno.h>

#include "base/shared_bytes.h"
#include "conn/compression.h"
#include "conn/conn_traffic.h"
#include "conn/tap.h"
#include "proto/ws_close.h"
#include "proto/ws_deflate.h"
#include "proto/ws_frame.h"

static enum ws_opcode opcode_of(const struct message *message)
{
	return message->is_text ? WS_TEXT : WS_BINARY;
}

/* `to` has room for WS_FRAME_HEAD_MAX and the payload. Returns what it took. */
static size_t frame_fill(uint8_t *to, enum ws_opcode opcode, struct slice payload)
{
	size_t head_len = ws_frame_head_write(to, opcode, payload.len, NULL);

	if (payload.len > 0)
		memcpy(to + head_len, payload.data, payload.len);
	return head_len + payload.len;
}

static int frame_write(struct conn *conn, enum ws_opcode opcode, struct slice payload)
{
	CHECK(conn->phase == CONN_OPEN);
	uint8_t *to = tcp_reserve(&conn->tcp, WS_FRAME_HEAD_MAX + payload.len);

	if (to == NULL)
		return -ENOMEM;
	size_t len = frame_fill(to, opcode, payload);

	tcp_commit(&conn->tcp, len);
	conn_count_sent(conn, len);
	return 0;
}

/* --- compressed messages --- */

static struct ws_deflate_how how_for(const struct conn *conn, struct ws_window *window)
{
	return (struct ws_deflate_how){
		.level = (uint8_t)conn_route(conn)->config->compression_level,
		.bits = conn->deflate_bits,
		.window = window,
	};
}

static bool is_to_be_deflated(const struct conn *conn, size_t len, bool stays_plain)
{
	return conn->deflate_bits != 0 && !stays_plain &&
	       len >= conn_route(conn)->config->compression_min_size;
}

/* It came from a client that may look back as far as any, and referred to nothing. */
static bool can_return_as_it_came(const struct conn *conn, const struct message *message)
{
	return message->deflated.len > 0 && message->deflated.len < message->bytes.len &&
	       conn->deflate_bits == WS_WINDOW_BITS_MAX && !conn->has_windows;
}

static size_t deflate_to(struct conn *conn, const struct message *message, uint8_t *to)
{
	if (can_return_as_it_came(conn, message)) {
		memcpy(to, message->deflated.data, message->deflated.len);
		return message->deflated.len;
	}
	const struct ws_deflate_how how = how_for(conn, conn_window_out(conn));

	return ws_deflate(conn->home->deflater, &how, message->bytes, to);
}

static void count_deflated(struct conn *conn, size_t plain_len, size_t len)
{
	stat_add(&conn_stats(conn)->deflated_in_bytes, plain_len);
	stat_add(&conn_stats(conn)->deflated_out_bytes, len);
	stat_add(&conn_stats(conn)->compression_saved, plain_len - len);
}

/* Puts a head before the `len` bytes that lie `room` bytes behind `to`. Returns what the frame
 * takes. */
static size_t deflated_head_put(uint8_t *to, enum ws_opcode opcode, size_t room, size_t len)
{
	size_t head_len = ws_frame_head_len(len, false);

	if (head_len < room)
		memmove(to + head_len, to + room, len);
	ws_frame_head_write(to, opcode, len, NULL);
	ws_frame_set_deflated(to);
	return head_len + len;
}

/* Plain, if it does not shrink. */
static int deflated_write(struct conn *conn, const struct message *message)
{
	CHECK(conn->phase == CONN_OPEN);
	const size_t plain_len = message->bytes.len;
	const size_t room = ws_frame_head_len(plain_len, false);
	uint8_t *to = tcp_reserve(&conn->tcp, WS_FRAME_HEAD_MAX + plain_len + WS_DEFLATE_ROOM);

	if (to == NULL)
		return -ENOMEM;
	size_t len = deflate_to(conn, message, to + room);

	if (len > 0) {
		count_deflated(conn, plain_len, len);
		len = deflated_head_put(to, opcode_of(message), room, len);
	} else {
		stat_add(&conn_stats(conn)->not_deflated, 1);
		len = frame_fill(to, opcode_of(message), message->bytes);
	}
	tcp_commit(&conn->tcp, len);
	conn_count_sent(conn, len);
	return 0;
}

/* --- all frames --- */

int ws_write_message(struct conn *conn, const struct message *message)
{
	int r = is_to_be_deflated(conn, message->bytes.len, message->stays_plain)
			? deflated_write(conn, message)
			: frame_write(conn, opcode_of(message), message->bytes);

	if (r < 0)
		return r;
	conn_count_message_sent(conn);
	conn_tap_message(conn, true, message);
	return 0;
}

int ws_write_ping(struct conn *conn)
{
	int r = frame_write(conn, WS_PING, (struct slice){0});

	if (r < 0)
		return r;
	stat_add(&conn_stats(conn)->pings_sent, 1);
	conn_tap_frame(conn, CONN_TAP_PING, true, (struct slice){0});
	return 0;
}

int ws_write_pong(struct conn *conn, struct slice payload)
{
	conn_tap_frame(conn, CONN_TAP_PONG, true, payload);
	return frame_write(conn, WS_PONG, payload);
}

void ws_write_close(struct conn *conn, uint16_t code, const char *text)
{
	uint8_t body[WS_CONTROL_MAX];
	size_t len = ws_close_write(body, code, text);

	conn_tap_close(conn, true, code, slice_from_text(text));
	frame_write(conn, WS_CLOSE, slice_of(body, len));
}

/* --- messages to many --- */

bool ws_fan_frame_init(struct ws_fan_frame *frame, const struct message *message)
{
	size_t head_len = ws_frame_head_len(message->bytes.len, false);

	*frame = (struct ws_fan_frame){
		.plain = shared_bytes_create(head_len + message->bytes.len),
		.head_len = head_len,
		.stays_plain = message->stays_plain,
	};
	if (frame->plain != NULL)
		frame_fill(frame->plain->data, opcode_of(message), message->bytes);
	return frame->plain != NULL;
}

void ws_fan_frame_finish(struct ws_fan_frame *frame)
{
	for (size_t i = 0; i < ARRAY_LEN(frame->deflated); i++)
		if (frame->deflated[i] != frame->plain)
			shared_bytes_unref(&frame->deflated[i]);
	shared_bytes_unref(&frame->plain);
}

static struct slice plain_payload(const struct ws_fan_frame *frame)
{
	return slice_of(frame->plain->data + frame->head_len, frame->plain->len - frame->head_len);
}

/* NULL: it does not shrink, or memory is out. */
static struct shared_bytes *form_make(const struct ws_fan_frame *frame, struct conn *conn)
{
	const struct ws_deflate_how how = how_for(conn, NULL);
	struct slice plain = plain_payload(frame);
	struct shared_bytes *form = NULL;
	struct buf scratch = {0};
	uint8_t *to = buf_reserve(&scratch, frame->head_len + plain.len + WS_DEFLATE_ROOM,
				  SIZE_MAX);
	size_t len = to == NULL
			     ? 0
			     : ws_deflate(conn->home->deflater, &how, plain, to + frame->head_len);

	if (len > 0) {
		enum ws_opcode opcode = (enum ws_opcode)(frame->plain->data[0] & 0x0f);

		len = deflated_head_put(to, opcode, frame->head_len, len);
		form = shared_bytes_create(len);
		if (form != NULL)
			memcpy(form->data, to, len);
	}
	buf_finish(&scratch);
	return form;
}

struct shared_bytes *ws_fan_frame_form(struct ws_fan_frame *frame, struct conn *conn)
{
	struct shared_bytes *made, *there = NULL;

	if (!is_to_be_deflated(conn, frame->plain->len - frame->head_len, frame->stays_plain))
		return frame->plain;
	struct shared_bytes **place = &frame->deflated[conn->deflate_bits];

	made = __atomic_load_n(place, __ATOMIC_ACQUIRE);
	if (made != NULL)
		return made;
	made = form_make(frame, conn);
	if (made == NULL)
		made = frame->plain;
	if (__atomic_compare_exchange_n(place, &there, made, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return made;
	if (made != frame->plain) /* another worker was faster */
		shared_bytes_unref(&made);
	return there;
}

/* [bytes] What is behind the head of a frame of ours. */
static size_t payload_len(const struct shared_bytes *form)
{
	size_t head_len = 2;

	while (ws_frame_head_len(form->len - head_len, false) != head_len)
		head_len++;
	CHECK(head_len <= WS_FRAME_HEAD_MAX);
	return form->len - head_len;
}

static void count_form(struct conn *conn, const struct ws_fan_frame *frame,
		       const struct shared_bytes *form)
{
	size_t plain_len = plain_payload(frame).len;

	if (form != frame->plain)
		count_deflated(conn, plain_len, payload_len(form));
	else if (is_to_be_deflated(conn, plain_len, frame->stays_plain))
		stat_add(&conn_stats(conn)->not_deflated, 1);
}

int ws_write_frame(struct conn *conn, const struct ws_fan_frame *frame, struct shared_bytes *form)
{
	CHECK(conn->phase == CONN_OPEN);
	int r = tcp_write_shared(&conn->tcp, form);

	if (r < 0)
		return r;
	count_form(conn, frame, form);
	if (form != frame->plain) {
		struct ws_window *window = conn_window_out(conn);

		if (window != NULL)
			(void)ws_window_append(window, plain_payload(frame));
	}
	conn_count_sent(conn, form->len);
	conn_count_message_sent(conn);
	if (conn_is_tapped(conn))
		conn_tap_frame(conn,
			       (frame->plain->data[0] & 0x0f) == WS_TEXT ? CONN_TAP_TEXT
									 : CONN_TAP_BINARY,
			       true, plain_payload(frame));
	return 0;
}
