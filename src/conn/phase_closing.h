/* SPDX-License-Identifier: Apache-2.0
 * phase_closing.h - CLOSING, and the ways from an open WebSocket to its end.
 *
 * Layer: conn. All but conn_ws_answer_close and closing_read are for CONN_OPEN. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_closing;

/* Sends a close frame with the reason's code and waits for the client's. */
void conn_ws_close(struct conn *conn, enum close_reason reason);

/* The same with a code and a text of somebody else's. */
void conn_ws_close_with(struct conn *conn, enum close_reason reason, uint16_t code,
			const char *text);

/* Sends a close frame with the reason's code and takes nothing more. */
void conn_ws_fail(struct conn *conn, enum close_reason reason);

/* The decoder's error: the same for what the client broke. Also in CONN_CLOSING, where our close
 * frame is out already. */
void conn_ws_fail_for(struct conn *conn, const struct ws_event_data *event);

/* The client's close frame has come: answers it, if ours is not out, and ends. */
void conn_ws_answer_close(struct conn *conn, const struct ws_event_data *event);

/* In CONN_CLOSING: takes bytes apart until the client's close frame. `rx` is given back or kept
 * (ws_reader.h). */
void closing_read(struct conn *conn, struct frame_rx *rx, uint8_t *data, size_t len);
