/* SPDX-License-Identifier: Apache-2.0
 * ws_writer.h - the only place where WebSocket frames are written: echoes and pushes, messages
 * to many, pings, pongs, closes.
 *
 * Layer: conn. In CONN_OPEN. They leave at the end of the turn, in one send. */
#pragma once

#include "conn/conn.h"

struct shared_bytes;

/* 0 or -ENOMEM. */
int ws_write_message(struct conn *conn, const struct message *message);
int ws_write_ping(struct conn *conn);
int ws_write_pong(struct conn *conn, struct slice payload);

/* Out of memory here leaves the connection without a close frame; it ends all the same. */
void ws_write_close(struct conn *conn, uint16_t code, const char *text);

/* The frame of a message to many, made once. NULL: memory is out. */
struct shared_bytes *ws_frame_create(const struct message *message);

/* The same message to one of them; its queue keeps a reference. 0 or -ENOMEM. */
int ws_write_frame(struct conn *conn, struct shared_bytes *frame);
