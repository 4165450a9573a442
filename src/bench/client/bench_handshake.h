/* SPDX-License-Identifier: Apache-2.0
 * bench_handshake.h - a connection's opening handshake, and what a refusal says.
 *
 * Layer: bench. Lent to a connection from its start until it is open or has failed,
 * so that an open connection does not pay for it. No I/O. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/random.h"
#include "bench/client/bench_proof.h"
#include "bench/load/bench_options.h"
#include "proto/ws_handshake.h"

#define BENCH_TICKET_MAX 256 /* [bytes] with a NUL */

struct bench_handshake {
	struct bench_handshake *next_free;
	uint64_t started_ns;           /* of connecting to where it goes now */
	uint64_t step_ns;              /* since when the step lasts */
	bool is_for_ticket;            /* on the way to the ticket, not to the server */
	bool has_session;              /* of TLS, that was offered */
	char ticket[BENCH_TICKET_MAX]; /* "": none yet */
	char key[WS_KEY_LEN];
	size_t head_len;  /* [bytes] 0 until the head is complete */
	struct buf bytes; /* the answer; its memory is kept for the next user */
	struct http_head head;
};

/* Enough for every target, the headers and the subprotocols. */
#define BENCH_REQUEST_MAX \
	(BENCH_TARGET_MAX + BENCH_HEADERS_MAX + BENCH_PROOF_MAX + BENCH_SUBPROTOCOL_MAX + 1024)

/* Writes the request of connection `number` to `url` and gets ready for its answer. Returns
 * the request's size. */
size_t bench_handshake_begin(struct bench_handshake *handshake, const struct bench_options *options,
			     const struct bench_url *url, const struct bench_proof *proof,
			     uint64_t number, struct random_source *random,
			     char out[BENCH_REQUEST_MAX]);

enum bench_answer {
	BENCH_ANSWER_MORE,
	BENCH_ANSWER_OPEN,    /* a good 101; frames may follow it */
	BENCH_ANSWER_TICKET,  /* the one that was asked for (bench_ticket.h) */
	BENCH_ANSWER_REFUSED, /* another status */
	BENCH_ANSWER_BAD,     /* not HTTP, or a 101 that is not for us */
	BENCH_ANSWER_NO_MEMORY,
};

/* The slices point into the handshake. */
struct bench_answer_data {
	struct slice rest;      /* OPEN: what came behind the head */
	bool is_packing;        /* OPEN: compression was agreed on */
	int status;             /* REFUSED */
	struct slice limit;     /* REFUSED: value of Gatehouse-Limit, or empty */
	uint32_t retry_after_s; /* REFUSED: value of Retry-After; 0: none, or a date */
	struct slice body;      /* REFUSED: its beginning */
	const char *problem;    /* BAD; static text */
	struct slice start;     /* BAD: what came instead */
};

/* Gets ready for an answer. */
void bench_handshake_reset(struct bench_handshake *handshake);

/* Takes what was received; MORE, or REFUSED with whatever status, or as below. */
enum bench_answer bench_answer_take(struct bench_handshake *handshake, const uint8_t *data,
				    size_t len, struct bench_answer_data *out);

/* The same for a WebSocket. */
enum bench_answer bench_handshake_take(struct bench_handshake *handshake,
				       const struct bench_options *options, const uint8_t *data,
				       size_t len, struct bench_answer_data *out);

/* No more will come (end of stream, or time out). REFUSED if the head is there, and
 * only its body is not complete; else MORE. */
enum bench_answer bench_handshake_end(struct bench_handshake *handshake,
				      struct bench_answer_data *out);

/* What a refusal's body says to people: `detail` of a problem+json, else the text
 * itself. With a NUL. */
char *bench_refusal_detail(struct slice body, char *out, size_t size);
