/* SPDX-License-Identifier: Apache-2.0
 * tap.h - what open WebSockets say and are told, for whoever watches.
 *
 * Layer: conn. In the worker's thread. While nobody watches, each message costs one branch on
 * memory that it needs anyway. Messages are shown as their sender wrote them: whole, and before
 * they are compressed or after they are decompressed. Of what is sent to many each client's copy
 * is shown. A token that renews a proof is never shown. */
#pragma once

#include "conn/conn.h"

enum conn_tap_kind {
	CONN_TAP_OPEN, /* the client has come in */
	CONN_TAP_TEXT,
	CONN_TAP_BINARY,
	CONN_TAP_PING,
	CONN_TAP_PONG,
	CONN_TAP_CLOSE, /* a close frame, with its code and what it says */
	CONN_TAP_END,   /* the connection has ended; says why */
};

struct conn_tap_event {
	enum conn_tap_kind kind;
	bool is_out;        /* to the client */
	uint16_t code;      /* CLOSE; 0: the frame had none */
	struct slice bytes; /* lent */
};

/* Lies in the memory of whoever watches; from conn_tap_add to conn_tap_remove in the worker's
 * list. */
struct conn_tap {
	struct conn_tap *next;
	/* May neither send nor close anything. */
	void (*told)(struct conn_tap *tap, const struct presence *presence,
		     const struct conn_tap_event *event);
};

void conn_tap_add(struct conn_home *home, struct conn_tap *tap);
void conn_tap_remove(struct conn_home *home, struct conn_tap *tap);

/* Tells all of them. */
void conn_tap_tell_all(const struct conn *conn, const struct conn_tap_event *event);

static inline bool conn_is_tapped(const struct conn *conn)
{
	return __builtin_expect(conn->home->taps != NULL, 0);
}

static inline void conn_tap_frame(const struct conn *conn, enum conn_tap_kind kind, bool is_out,
				  struct slice bytes)
{
	if (conn_is_tapped(conn))
		conn_tap_tell_all(conn, &(struct conn_tap_event){
						.kind = kind, .is_out = is_out, .bytes = bytes});
}

static inline void conn_tap_message(const struct conn *conn, bool is_out,
				    const struct message *message)
{
	conn_tap_frame(conn, message->is_text ? CONN_TAP_TEXT : CONN_TAP_BINARY, is_out,
		       message->bytes);
}

static inline void conn_tap_close(const struct conn *conn, bool is_out, uint16_t code,
				  struct slice text)
{
	if (conn_is_tapped(conn))
		conn_tap_tell_all(conn, &(struct conn_tap_event){.kind = CONN_TAP_CLOSE,
								 .is_out = is_out,
								 .code = code,
								 .bytes = text});
}
