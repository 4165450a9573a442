/* SPDX-License-Identifier: Apache-2.0
 * conn_trace.h - the span of a handshake: from the connection, or the first byte of a further
 * request, to the 101 or what is answered instead; and within it that of the client's proof.
 *
 * Layer: conn. It is there only while a handshake that is sampled waits to be answered, in
 * CONN_HEAD, CONN_PROVING and CONN_ASKING, and goes along from one of them to the next (hull.c). */
#pragma once

#include "auth/auth_way.h"
#include "conn/conn.h"
#include "trace/trace_context.h"

_Static_assert(offsetof(struct conn_head_part, trace) == 0 &&
		       offsetof(struct conn_proving_part, trace) == 0 &&
		       offsetof(struct conn_asking_part, trace) == 0,
	       "the same in all three");

static inline struct handshake_trace **conn_trace_slot(struct conn *conn)
{
	bool has_slot = conn->phase == CONN_HEAD || conn->phase == CONN_PROVING ||
			conn->phase == CONN_ASKING;

	return has_slot ? &conn->part.head.trace : NULL;
}

/* A request for a WebSocket is about to be looked at. */
void conn_trace_begin(struct conn *conn, const struct conn_request *request);

/* What belongs to this client's trace from now on; not set: it has none. */
struct trace_context conn_trace_context(struct conn *conn, const struct conn_request *request);

/* The client's proof is looked at, and was. */
void conn_trace_proving(struct conn *conn);
void conn_trace_proved(struct conn *conn, enum auth_verdict verdict,
		       const struct auth_result *result);

/* How it was answered; `reason` is a word for it, NULL: none. Harmless if nothing is traced. */
void conn_trace_answered(struct conn *conn, unsigned status, const char *reason);

/* For hull.c: out of the phase before, and into the one after; one that has no place for it ends
 * it. Lifting gives NULL if there is none. */
static inline struct handshake_trace *conn_trace_lift(struct conn *conn)
{
	struct handshake_trace **slot = conn_trace_slot(conn);
	struct handshake_trace *trace = slot == NULL ? NULL : *slot;

	if (trace != NULL)
		*slot = NULL;
	return trace;
}

void conn_trace_set_down(struct conn *conn, struct handshake_trace *trace);
