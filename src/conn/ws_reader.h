/* SPDX-License-Identifier: Apache-2.0
 * ws_reader.h - what a WebSocket borrows to take frames apart, and the input that it holds while
 * it is stalled.
 *
 * Layer: conn. In CONN_OPEN and CONN_CLOSING. While bytes are taken apart, what is borrowed
 * belongs to whoever does that, and not to the connection: so the phase may end meanwhile. */
#pragma once

#include "base/state.h"
#include "conn/conn.h"

/* NULL: memory is out. */
struct frame_rx *ws_reader_take(struct conn *conn);

/* Takes the next event off the bytes. */
enum ws_event ws_reader_next(struct frame_rx *rx, const struct conn *conn, uint8_t **data,
			     size_t *len, struct ws_event_data *out_event);

/* All bytes are taken: keeps what a message needs that is not whole, else gives it back. */
void ws_reader_keep(struct conn *conn, struct frame_rx *rx);

/* The phase has ended: forgets what is not whole. */
void ws_reader_drop(struct conn_home *home, struct frame_rx *rx);

/* The connection is not read any more; what is left of its input is held: copied, or taken over
 * with `owner`, whose end it is. False: it holds too much. */
bool ws_reader_stall(struct conn *conn, struct frame_rx *rx, const uint8_t *rest, size_t len,
		     struct buf *owner);

/* While it is stalled, bytes may still come. False: it holds too much. */
bool ws_reader_hold(struct conn *conn, const uint8_t *data, size_t len);

/* It is not stalled any more: *out_rest is what was held, in *out_held, which is the caller's to
 * free. */
void ws_reader_resume(struct conn *conn, struct buf *out_held, struct slice *out_rest);

/* What it has borrowed and kept; NULL: nothing. */
struct frame_rx *ws_reader_frames(const struct conn *conn);

/* Is it stalled because payload memory is scarce? */
bool ws_reader_is_stopped(const struct conn *conn);

/* The phase's held and release. */
size_t ws_reader_held(const struct conn *conn);
void ws_reader_release(struct conn *conn);

/* What is not whole, and what is held, for another process (conn_state.h). */
void ws_reader_export(struct conn *conn, struct state_writer *writer);

/* Into a connection that has none of it. It is stalled as it was, without being counted anew. 0 or
 * a negative errno (ws_decoder_import); what it has got by then goes with the phase. */
int ws_reader_import(struct conn *conn, bool is_stalled, struct state_reader *reader);
