/* SPDX-License-Identifier: Apache-2.0
 * compression.h - what a WebSocket has of compression: what was agreed on with its client, and the
 * windows that it keeps.
 *
 * Layer: conn. Without windows that is four bits of struct conn: what compresses and decompresses
 * is its home's, and lent for one message. With them it is a struct ws_windows, whose sizes are
 * taken from server.compression_memory. */
#pragma once

#include "conn/conn.h"
#include "proto/ws_extensions.h"
#include "proto/ws_window.h"

struct state_reader;
struct state_writer;

/* Of a connection that keeps windows (has_windows). */
struct ws_windows {
	struct frame_rx *frames; /* this has the place of conn_ws_part.frames */
	struct ws_deflate_terms terms;
	struct ws_window in;
	struct ws_window out; /* without has_out nothing is in it: its place is given up */
	bool has_out;
	uint32_t out_used_ms; /* a message was compressed by it */
};

/* By what the client offers and the route says. */
struct ws_deflate_terms conn_compression_choose(struct conn *conn,
						const struct conn_request *request);

/* Right before the answer: grants what was chosen, or the same without windows if there is no
 * memory for them. *out_windows is for conn_compression_begin, or conn_compression_forget. */
struct ws_deflate_terms conn_compression_grant(struct conn *conn,
					       const struct ws_deflate_terms *chosen,
					       struct ws_windows **out_windows);

/* In CONN_OPEN. */
void conn_compression_begin(struct conn *conn, const struct ws_deflate_terms *terms,
			    struct ws_windows *windows);
void conn_compression_forget(struct conn_home *home, struct ws_windows **windows);

/* The phase's release; harmless without windows. */
void conn_compression_end(struct conn *conn);

/* The terms in force. False: none. */
bool conn_compression_terms(const struct conn *conn, struct ws_deflate_terms *out_terms);

/* The context of what the client sends; NULL: it keeps none. */
struct ws_window *conn_window_in(const struct conn *conn);

/* The context of what it is sent, which is about to be used; NULL: none is kept, or there is no
 * memory for it now. */
struct ws_window *conn_window_out(struct conn *conn);

/* As it was in another process. */
struct compression_again {
	struct ws_deflate_terms terms; /* on */
	struct slice in, out;          /* in the windows */
	bool has_out;
};

/* In CONN_OPEN, where nothing is agreed on yet: goes on with that, whatever is left of
 * compression_memory. 0 or -ENOMEM. */
int conn_compression_again(struct conn *conn, const struct compression_again *again);

/* --- between processes (compression_state.c) --- */

/* In CONN_OPEN. Nothing is written where nothing was agreed on. */
void conn_compression_export(const struct conn *conn, struct state_writer *writer);

/* In CONN_OPEN, before anything is read by ws_reader, which must know of it. 0; -ENOMEM; -EBADMSG,
 * -ENOTSUP as with others. What has been made goes with the phase. */
int conn_compression_import(struct conn *conn, struct state_reader *reader);

/* Was it not used for long? Then its memory is for others: what it is sent next refers to
 * nothing. */
void conn_window_rest(struct conn *conn);

/* Does its client expect messages to refer to others? Then none may end its context. */
static inline bool conn_keeps_out(const struct conn *conn)
{
	return conn->has_windows && conn->part.ws.windows->terms.keeps_out;
}
