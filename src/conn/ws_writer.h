/* SPDX-License-Identifier: Apache-2.0
 * ws_writer.h - the only place where WebSocket frames are written: echoes and pushes, messages
 * to many, pings, pongs, closes; and where messages are compressed for clients that agreed on it.
 *
 * Layer: conn. In CONN_OPEN. They leave at the end of the turn, in one send. */
#pragma once

#include "conn/conn.h"
#include "proto/ws_extensions.h"

struct shared_bytes;

/* 0 or -ENOMEM. */
int ws_write_message(struct conn *conn, const struct message *message);
int ws_write_ping(struct conn *conn);
int ws_write_pong(struct conn *conn, struct slice payload);

/* Out of memory here leaves the connection without a close frame; it ends all the same. */
void ws_write_close(struct conn *conn, uint16_t code, const char *text);

/* A message to many: its frame, and a compressed one for each size of window, made when the first
 * client needs it, by whichever worker. The queues keep references. The head and what follows it is
 * the creator's; the forms are atomic. */
struct ws_fan_frame {
	struct shared_bytes *plain;
	size_t head_len; /* [bytes] of plain's head */
	bool stays_plain;
	/* By bits. NULL: not made yet; `plain` itself: it does not shrink. */
	struct shared_bytes *deflated[WS_WINDOW_BITS_MAX + 1];
};

/* False: memory is out. */
bool ws_fan_frame_init(struct ws_fan_frame *frame, const struct message *message);
void ws_fan_frame_finish(struct ws_fan_frame *frame);

/* The form of it that this client gets; the frame's own. */
struct shared_bytes *ws_fan_frame_form(struct ws_fan_frame *frame, struct conn *conn);

/* Queues it, with a reference. 0 or -ENOMEM. */
int ws_write_frame(struct conn *conn, const struct ws_fan_frame *frame, struct shared_bytes *form);
