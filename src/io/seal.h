/* SPDX-License-Identifier: Apache-2.0
 * seal.h - what the files of sealed streams share with each other, and with tcp.c and the engines.
 *
 * Layer: io; only files of io/ include it.
 *
 * A stream with STREAM_SEALED has a struct seal where others have their handler. Input goes through
 * seal_received before the owner sees it, output through seal_output before the kernel does.
 *
 *   SILENT -> WAITING -> SHAKING -> SECURED     a server's
 *                        SHAKING -> SECURED     a client's
 *   WAITING, SHAKING, SECURED -> FAILED         the owner is told; an alert may be under way
 *   SHAKING -> PLAIN                            HTTP was spoken: the answer leaves as it is */
#pragma once

#include "base/buf.h"
#include "base/counter.h"
#include "base/pool.h"
#include "io/loop_private.h"
#include "io/tcp_tls.h"
#include "tls/tls_stream.h"

enum seal_state {
	SEAL_SILENT,  /* nothing came yet, or no whole record: its first bytes are held */
	SEAL_WAITING, /* for its handshake to begin; its first bytes are held */
	SEAL_SHAKING,
	SEAL_SECURED,
	SEAL_PLAIN,
	SEAL_FAILED,
};

/* Until the handshake is done. It has a step to do while `node` is in a list of the loop's; while
 * it is, the stream is not read. */
struct seal_shake {
	struct list_node node;
	struct tcp *tcp;
	struct tls_context *context;
	struct buf held;  /* came, and was not looked at */
	uint32_t stopped; /* seals->stopped when it began to wait */
	bool is_paused;
	bool wants_reading; /* what the owner asked for meanwhile */
	bool wants_session;
	bool wants_preamble; /* SILENT: the owner takes what is held first */
};

struct seal_facts {
	struct tcp_tls_facts told;
	struct tls_peer_facts *peer;
	struct ssl_session_st *session; /* a client's */
	bool wants_session;
	char server_name[]; /* "": none */
};

/* What an idle stream has beside its keys. */
struct seal {
	const struct tcp_handler *owner;
	struct tls_stream *stream; /* NULL: SILENT or WAITING, or there was no memory for it */
	union {
		struct seal_shake *shake;    /* SILENT, WAITING, SHAKING */
		struct seal_facts *facts;    /* SECURED; NULL: released */
		struct tls_failure *failure; /* PLAIN, FAILED; NULL: no memory to say why */
	};
	struct outbuf *raw; /* to be sent as it is: of handshakes, and alerts */
	uint8_t state;
	bool has_ended;   /* our close_notify was made */
	bool is_attached; /* keeps its SSL object, and is counted so */
};

/* A loop's, from its first sealed stream on. */
struct seals {
	struct tls_crypt *crypt;
	uint8_t *text;    /* what one receive brought, opened; lent to on_recv */
	struct buf reply; /* what one call of tls_stream has to send */
	struct pool seals;
	struct pool shakes;
	struct list_node waiting;
	struct list_node shaking;
	bool was_waiting;   /* whose turn it was last */
	bool is_full;       /* why the last turn left some waiting: handshakes_max; else the rate */
	uint32_t stopped;   /* turns that did so */
	uint64_t begin_at;  /* [ns] when the next handshake was due if all came at the rate */
	struct timer begin; /* the next one that waits may begin */
};

/* [bytes] of seals->text: what is held of a record, and all that a receive can bring. */
#define SEAL_TEXT (65536 + 2 * 16640)

/* --- seal.c --- */

/* 0 or -ENOMEM. */
int seals_create(struct loop *loop);
void seals_finish(struct loop *loop);

/* The handshake is under way, and the engine may not read for the owner. */
static inline struct seal_shake *seal_paused(const struct tcp *tcp)
{
	if (!(tcp->flags & STREAM_SEALED) || tcp->seal->state > SEAL_SHAKING ||
	    !tcp->seal->shake->is_paused)
		return NULL;
	return tcp->seal->shake;
}

void seal_shake_free(struct loop *loop, struct seal_shake *shake);

/* Makes a sealed stream of a plain one that does nothing yet, with its handshake long done; owns
 * the stream of TLS from then on. 0 or -ENOMEM. */
int seal_adopt(struct tcp *tcp, struct tls_stream *stream, bool has_ended);

/* TLS failed: tells the owner. The failure is copied. */
void seal_fail(struct tcp *tcp, const struct tls_failure *failure);

/* [bytes] of payload memory beside the queue. */
size_t seal_held(const struct seal *seal);

/* The owner closes: nothing is told any more, no step is done. */
void seal_closing(struct tcp *tcp);

/* The stream is closed: gives everything back, and the stream its handler. */
void seal_finish(struct tcp *tcp);

/* --- seal_input.c --- */

void seal_received(struct tcp *tcp, uint8_t *data, size_t len);

/* The peer's end of the stream, or an error. True: the owner is to be told of it. */
bool seal_ended(struct tcp *tcp, int error);

/* One step of a handshake, with what is held. */
void seal_step(struct tcp *tcp);

/* --- seal_turn.c --- */

/* There is something to do for the handshake. */
void seal_queue(struct tcp *tcp);

/* It waits no longer to begin. */
void seal_waited(struct loop *loop, const struct seal_shake *shake);

/* A turn's share of handshakes. */
void seals_work(struct loop *loop);
bool seals_have_work(const struct loop *loop);
void seals_on_begin(struct timer *timer);

/* --- seal_output.c --- */

/* Something to send as it is, behind what is being sent and before all text. False: memory is
 * out. */
bool seal_raw_add(struct tcp *tcp, struct slice bytes);

/* Makes tcp->sending of what waits; false: nothing can be sent now. */
bool seal_output(struct tcp *tcp);

/* Is there something for seal_output? */
bool seal_has_output(const struct tcp *tcp);

/* close_notify comes before the FIN. */
bool seal_owes_end(const struct tcp *tcp);

/* The stream is about to be closed, and the kernel has all that was written: makes tcp->sending of
 * close_notify. False: there is nothing to say. */
bool seal_farewell(struct tcp *tcp);
