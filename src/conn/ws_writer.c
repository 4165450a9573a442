/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/ws_writer.h"

#include <errno.h>

#include "base/shared_bytes.h"
#include "proto/ws_close.h"
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
	stat_add(&conn_stats(conn)->sent_bytes, len);
	return 0;
}

int ws_write_message(struct conn *conn, const struct message *message)
{
	int r = frame_write(conn, opcode_of(message), message->bytes);

	if (r == 0)
		stat_add(&conn_stats(conn)->messages_sent, 1);
	return r;
}

int ws_write_ping(struct conn *conn)
{
	int r = frame_write(conn, WS_PING, (struct slice){0});

	if (r == 0)
		stat_add(&conn_stats(conn)->pings_sent, 1);
	return r;
}

int ws_write_pong(struct conn *conn, struct slice payload)
{
	return frame_write(conn, WS_PONG, payload);
}

void ws_write_close(struct conn *conn, uint16_t code, const char *text)
{
	uint8_t body[WS_CONTROL_MAX];
	size_t len = ws_close_write(body, code, text);

	frame_write(conn, WS_CLOSE, slice_of(body, len));
}

struct shared_bytes *ws_frame_create(const struct message *message)
{
	uint8_t head[WS_FRAME_HEAD_MAX];
	size_t head_len = ws_frame_head_write(head, opcode_of(message), message->bytes.len, NULL);
	struct shared_bytes *frame = shared_bytes_create(head_len + message->bytes.len);

	if (frame != NULL)
		frame_fill(frame->data, opcode_of(message), message->bytes);
	return frame;
}

int ws_write_frame(struct conn *conn, struct shared_bytes *frame)
{
	CHECK(conn->phase == CONN_OPEN);
	int r = tcp_write_shared(&conn->tcp, frame);

	if (r < 0)
		return r;
	stat_add(&conn_stats(conn)->sent_bytes, frame->len);
	stat_add(&conn_stats(conn)->messages_sent, 1);
	return 0;
}
