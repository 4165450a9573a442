/* SPDX-License-Identifier: Apache-2.0
 * phase.h - what happens to a connection in each stretch of its life.
 *
 * Layer: conn. A connection is in one phase, which alone says what is done with whatever comes:
 *
 *   HEAD -> OPEN -> CLOSING -> FLUSH           a WebSocket; whoever sends the first close frame
 *                -> FLUSH or LINGER            the client closes, or breaks the rules
 *        -> FLUSH or LINGER                    an ordinary answer, or a refusal
 *        -> BODY -> ANSWER -> FLUSH or LINGER  a request with a body, or whose answer comes later;
 *                                              either may be left out
 *                        -> STREAM -> FLUSH    an answer that goes on until somebody ends it
 *        -> REFUSING -> FLUSH or LINGER        a refusal that a browser can read; also from PROVING
 *                                              and ASKING
 *        -> PROVING -> ASKING, OPEN            who the client is takes a while to be known
 *                   -> FLUSH or LINGER         it is not who it says
 *        -> ASKING -> OPEN                     a back end and the other nodes let the client in
 *                  -> FLUSH or LINGER          they do not, or nobody decided
 *   HEAD, BODY, ANSWER -> HEAD                 answered, and kept for the next request
 *   any -> GONE                                its socket is being closed: nothing comes any more
 *
 * conn_phase_set (hull.h) is the one way from phase to phase, and checks that this one is there. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct conn;

enum conn_phase_id {
	CONN_HEAD,     /* reading the request */
	CONN_BODY,     /* reading the request's body */
	CONN_ANSWER,   /* somebody else is about to answer */
	CONN_STREAM,   /* answering, for as long as there is something to tell */
	CONN_PROVING,  /* what the client shows is being looked at; within handshake_timeout */
	CONN_REFUSING, /* a browser is about to be told why it may not come in */
	CONN_ASKING,   /* the back end decides, then other nodes; within handshake_timeout */
	CONN_OPEN,     /* a WebSocket */
	CONN_CLOSING,  /* our close frame is out; waiting for the client's */
	CONN_FLUSH,    /* closes when the output is with the kernel */
	CONN_LINGER,   /* FIN follows the output; discards input until the client's FIN, so
			* that a reset cannot overtake our last words */
	CONN_GONE,     /* nothing comes any more but the end of the socket */
	CONN_PHASE_COUNT,
};

#define CONN_PHASE_BIT(id) ((uint16_t)(1 << (id)))

/* One that is NULL: nothing is to be done. A stream that fails, and conn_abort, end every phase
 * in the same way: conn_cut. */
struct conn_phase {
	const char *name;
	uint16_t next; /* those that it may become: CONN_PHASE_BIT of each; GONE always */

	/* Bytes; lent, and may be written to. Until the phase is left. */
	void (*recv)(struct conn *conn, uint8_t *data, size_t len);
	/* The client has finished sending (has_eof is set); it may still read. */
	void (*eof)(struct conn *conn);
	/* What came before the ClientHello, as tcp_handler.on_preamble; HEAD only. */
	int (*preamble)(struct conn *conn, const uint8_t *data, size_t len);
	/* TLS failed, and our alert is under way (tcp_tls.h). NULL: the connection is cut. */
	void (*tls_failed)(struct conn *conn);
	/* All that was written is with the kernel. */
	void (*drained)(struct conn *conn);
	void (*timeout)(struct conn *conn);
	/* The gateway is stopping. */
	void (*drain)(struct conn *conn);
	/* [bytes] of payload memory in its part, which grow with what comes. */
	size_t (*held)(const struct conn *conn);
	/* Payload memory is scarce (memory_guard.h): ends, by the limit's name; reads nothing more,
	 * with a message under way; reads on. */
	void (*shed)(struct conn *conn);
	void (*hold_back)(struct conn *conn);
	void (*go_on)(struct conn *conn);
	/* The phase is left: frees what its part of the connection holds. Phases that have the
	 * same one share their part: between them it stays. */
	void (*release)(struct conn *conn);
};
