/* SPDX-License-Identifier: Apache-2.0
 * tcp_tls.h - sealed streams: TLS below a struct tcp, on either side.
 *
 * Layer: io. In the loop's thread, but for the stats, which any thread may read. What tcp.h says of
 * a stream holds for a sealed one: on_recv brings plain text, what is written is plain text, and it
 * leaves sealed, in one send for all that a turn brought forth. What is different:
 *
 * - on_secured tells that the handshake is done: nothing is received before it. What is written
 *   before it waits.
 * - on_error with -EPROTO: TLS failed, before or after on_secured; tcp_tls_failure says why. An
 *   alert, or an answer to whoever speaks HTTP, is under way: tcp_shutdown and waiting for on_eof
 *   lets it arrive, tcp_close may not. What was written is dropped, and nothing is received.
 * - on_eof comes with the peer's close_notify, or with the end of its stream without one, which is
 *   counted. tcp_shutdown sends close_notify before the FIN; tcp_close too, if nothing is queued.
 *
 * Handshakes are the dearest thing that a client can ask for. Each turn of the loop does so many
 * steps of them and no more, the rest waits in turn, so that those who are there already go on; and
 * no more than `handshakes_max` are under way at once, `handshake_rate` of them begun in a second:
 * who comes beyond waits, with the first bytes unread by TLS, until its owner's patience ends. The
 * first record of a ClientHello has to be whole before it counts: one byte takes no place. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "io/tcp.h"
#include "tls/tls_failure.h"
#include "tls/tls_suite.h"

struct ssl_session_st;
struct tls_context;
struct tls_peer_facts;

/* As tcp_adopt, and the peer is to shake hands first. Takes a reference to the context. 0, or
 * -ENOMEM: nothing was adopted. */
int tcp_adopt_sealed(struct tcp *tcp, struct loop *loop, const struct tcp_accepted *accepted,
		     const struct tcp_handler *handler, struct tls_context *context);

/* Right after tcp_adopt_sealed: something may come in clear first, which on_preamble takes. */
void tcp_seal_expect_preamble(struct tcp *tcp);

struct tcp_seal_options {
	struct tls_context *context;
	const char *server_name;        /* a name or an address; NULL: not said, not checked */
	struct ssl_session_st *session; /* to come back with; NULL: none */
	/* Stays with OpenSSL until the server's ticket has come, so that tcp_tls_session has one.
	 */
	bool wants_session;
};

/* For a stream of tcp_connect, in its on_connect or later, before anything was written: shakes
 * hands as a client, and reads from now on. 0 or -ENOMEM. */
int tcp_seal_connect(struct tcp *tcp, const struct tcp_seal_options *options);

bool tcp_is_sealed(const struct tcp *tcp);

/* A sealed one whose handshake is done. */
bool tcp_is_secured(const struct tcp *tcp);

/* --- what is known of the peer --- */

struct tcp_tls_facts {
	const char *version;     /* "TLSv1.3"; static text */
	const char *suite;       /* as IANA names it; static text */
	uint16_t suite_id;       /* IANA's number of it */
	const char *server_name; /* that the client asked for; NULL: none */
	bool is_resumed;
	const struct tls_peer_facts *peer; /* NULL: it showed no certificate */
};

/* From on_secured until tcp_tls_facts_release, or until the stream is closed. NULL: a plain
 * stream, or not now. */
const struct tcp_tls_facts *tcp_tls_facts(const struct tcp *tcp);

/* The same of the first two, until the stream is closed, whoever released the rest. NULL in both:
 * as above. */
struct tls_terms tcp_tls_terms(const struct tcp *tcp);

/* They are not needed any more: an idle stream holds its keys and nothing else. Harmless for a
 * plain stream, and the second time. */
void tcp_tls_facts_release(struct tcp *tcp);

/* A client's, for tcp_seal_options.session; for the caller to free with tls_session_free. NULL:
 * there is none (yet). Only with wants_session, and once for each. */
struct ssl_session_st *tcp_tls_session(struct tcp *tcp);

/* Why it failed; from on_error(-EPROTO) until on_closed. NULL: it did not. */
const struct tls_failure *tcp_tls_failure(const struct tcp *tcp);

/* The owner ends a handshake because it took too long; call before tcp_close. True: it is
 * counted; false: none is under way, or nothing came yet. */
bool tcp_tls_timed_out(struct tcp *tcp);

/* --- how much at once, and what is counted --- */

/* Written by the loop's thread alone, read by any (base/counter.h). Outlives the loop. */
struct tls_stats {
	/* gauges */
	uint64_t waiting;  /* for a place among those under way, or for the rate */
	uint64_t shaking;  /* handshakes under way */
	uint64_t secured;  /* streams with their handshake done */
	uint64_t attached; /* of them, those that keep their SSL object */
	/* counters */
	uint64_t handshakes_full;
	uint64_t handshakes_resumed;
	uint64_t handshakes_tls12; /* of both */
	uint64_t handshakes_tls13;
	uint64_t suites[TLS_SUITE_PLACES]; /* of both, by tls_suite_place */
	uint64_t waited_for_place;         /* had to wait because handshakes_max were under way */
	uint64_t waited_for_rate;
	uint64_t failures[TLS_TROUBLE_COUNT];
	uint64_t alerts_sent; /* that end a connection; close_notify is none */
	uint64_t alerts_received;
	uint64_t truncated; /* ended without close_notify */
};

/* Per loop; 0: no limit. Both may be changed while it runs. */
struct tls_limits {
	uint64_t handshakes_max;
	/* [ns] between two handshakes that begin; so many at once as fit into a second. */
	uint64_t handshake_step_ns;
};

void loop_tls_limit(struct loop *loop, const struct tls_limits *limits);
