/* SPDX-License-Identifier: Apache-2.0
 * bench_conn.h - one simulated client: connect, handshake, echoes, close.
 *
 * Layer: bench. Everything runs in the worker's thread. A million of these is the
 * aim, so what only some need (handshake, decoder) is lent by the worker. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "bench/client/bench_cause.h"
#include "io/tcp.h"
#include "proto/ws_decoder.h"

struct bench_worker;
struct bench_handshake;

enum bench_conn_state {
	BENCH_CONN_NEW,
	BENCH_CONN_CONNECTING,
	BENCH_CONN_RETRYING,  /* closing a stream whose source address had no port left, or that
				 has brought the ticket */
	BENCH_CONN_SECURING,  /* TCP is up, TLS shakes hands */
	BENCH_CONN_HANDSHAKE, /* the request is sent */
	BENCH_CONN_OPEN,
	BENCH_CONN_CLOSING, /* our close frame is sent; the peer closes TCP */
	BENCH_CONN_ENDING,  /* tcp_close is called */
	BENCH_CONN_GONE,
};

/* A connection that is opened anew: closed by us (--lifetime, --cut-after), or ended by the peer.
 */
enum bench_conn_churn {
	BENCH_STAYS,
	BENCH_RETIRING,  /* its time is over: closes as soon as no echo is awaited */
	BENCH_REPLACING, /* closing, waiting, or on its way up again */
	BENCH_AWAY,      /* --reconnect: the other side has ended it, and it is not yet back */
};

struct bench_conn {
	struct tcp tcp;
	struct bench_worker *worker;
	union {
		struct bench_handshake *handshake; /* until open */
		struct ws_decoder *decoder;        /* from then on: NULL between messages */
	};
	uint64_t since_ns;     /* start of the state; OPEN: since when an echo is awaited */
	uint32_t sent;         /* messages; the next one's sequence number */
	uint32_t echoed;       /* messages */
	uint8_t state;         /* enum bench_conn_state */
	uint8_t tries;         /* source addresses found without a free port */
	bool is_held;          /* stayed open until the end */
	bool is_answered;      /* held, and the peer answered our close frame */
	bool is_packing;       /* compression was agreed on */
	bool is_slow;          /* in the hold: sends, but does not read */
	uint8_t churn;         /* enum bench_conn_churn */
	uint8_t node;          /* that it goes to: index in struct bench_setup */
	uint64_t retire_at_ns; /* with --lifetime, in the hold */
};

/* Messages sent whose echo is still to come. A slow reader waits for none. */
static inline uint32_t bench_conn_awaited(const struct bench_conn *conn)
{
	return conn->is_slow ? 0 : conn->sent - conn->echoed;
}

extern const struct tcp_handler bench_conn_handler;

/* The end of the test: an open connection is held and closes with 1000, one on its
 * way up is abandoned and counts as neither. */
void bench_conn_finish(struct bench_conn *conn, uint64_t now_ns);

/* Fails what has waited too long. */
void bench_conn_check_deadline(struct bench_conn *conn, uint64_t now_ns);

/* 1 is the first of all. */
uint64_t bench_conn_number(const struct bench_conn *conn);

/* True while frames are expected: open, or closing. */
static inline bool bench_conn_is_up(const struct bench_conn *conn)
{
	return conn->state == BENCH_CONN_OPEN || conn->state == BENCH_CONN_CLOSING;
}

/* Counts an open connection, or one on its way, as failed, and ends it. `label` and
 * `example` as for bench_causes_add. */
void bench_conn_fail(struct bench_conn *conn, enum bench_cause_kind kind, int code,
		     struct slice label, struct slice example);

/* The same before there is a stream; or anything that is lent for the way. */
void bench_conn_fail_unconnected(struct bench_conn *conn, enum bench_cause_kind kind, int code,
				 struct slice label);
void bench_conn_fail_unborn(struct bench_conn *conn);

/* The peer of an open connection closes it with a close frame, which we answer. */
void bench_conn_closed_by_peer(struct bench_conn *conn, uint16_t code, struct slice reason,
			       uint64_t now_ns);

/* Something on the stream went wrong, `error` being an errno or 0 for its end. */
void bench_conn_lost(struct bench_conn *conn, int error);

/* Closes an open connection with 1000; its place is taken by a new one. */
void bench_conn_replace(struct bench_conn *conn, uint64_t now_ns);

/* Cuts an open connection off, without a close frame, to come back. */
void bench_conn_cut(struct bench_conn *conn);

/* Closes the stream without more ado. */
void bench_conn_end(struct bench_conn *conn);
