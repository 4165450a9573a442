/* SPDX-License-Identifier: Apache-2.0
 * seal_input.c - what comes: bytes of a handshake wait for their turn, records are opened at once.
 *
 * While a step of its handshake waits, the stream is not read, so what is held of it is one
 * receive, or little more where the kernel had more under way. */
#include "io/seal.h"

#include <errno.h>
#include <stdio.h>

#include "tls/tls_peer.h"

/* [bytes] held of a stream that is not read any more: what the kernel had under way is less. */
#define HELD_MAX (4 * 65536)

static struct tls_failure failure_of(enum tls_trouble trouble)
{
	struct tls_failure failure = {.trouble = trouble, .alert = -1};

	snprintf(failure.reason, sizeof(failure.reason), "%s", tls_trouble_text(trouble));
	return failure;
}

static void fail_for(struct tcp *tcp, enum tls_trouble trouble)
{
	struct tls_failure failure = failure_of(trouble);

	seal_fail(tcp, &failure);
}

/* --- handshakes --- */

static void pause_reading(struct tcp *tcp)
{
	struct seal_shake *shake = tcp->seal->shake;

	if (shake->is_paused)
		return;
	shake->wants_reading = (tcp->flags & STREAM_READING) != 0;
	tcp_read_stop(tcp);
	shake->is_paused = true;
}

static void go_on_reading(struct tcp *tcp, struct seal_shake *shake)
{
	shake->is_paused = false;
	if (shake->wants_reading)
		tcp_read_start(tcp);
}

/* False: no TLS yet. */
static bool preamble_take(struct tcp *tcp)
{
	struct seal_shake *shake = tcp->seal->shake;
	int used = tcp->seal->owner->on_preamble(tcp, shake->held.data, shake->held.len);

	if (used < 0)
		return false;
	CHECK((size_t)used <= shake->held.len);
	buf_consume(&shake->held, (size_t)used);
	shake->wants_preamble = false;
	return true;
}

/* Whether what came is worth a place among the handshakes: a whole record (RFC 8446, 5.1), or what
 * begins none, which is told so. */
static bool is_worth_a_place(struct slice held)
{
	enum { HEAD = 5, HANDSHAKE = 22, MAJOR = 3, BODY_MAX = 1 << 14 };
	const uint8_t *bytes = held.data;

	if (held.len > 0 && bytes[0] != HANDSHAKE)
		return true;
	if (held.len > 1 && bytes[1] != MAJOR)
		return true;
	if (held.len < HEAD)
		return false;
	size_t body = (size_t)bytes[3] << 8 | bytes[4];

	return body > BODY_MAX || held.len >= HEAD + body;
}

static void hold(struct tcp *tcp, const uint8_t *data, size_t len)
{
	struct seal_shake *shake = tcp->seal->shake;

	if (buf_append(&shake->held, data, len, HELD_MAX) < 0) {
		fail_for(tcp, TLS_TROUBLE_MEMORY);
		return;
	}
	if (tcp->seal->state == SEAL_SILENT && shake->wants_preamble && !preamble_take(tcp))
		return;
	if (tcp->seal->state == SEAL_SILENT && !is_worth_a_place(buf_slice(&shake->held)))
		return;
	pause_reading(tcp);
	seal_queue(tcp);
}

/* --- what is known when it is done --- */

/* NULL: memory is out. */
static struct seal_facts *facts_make(const struct tls_stream *stream, bool wants_session)
{
	struct tls_facts facts = tls_stream_facts(stream);
	const char *name = facts.server_name == NULL ? "" : facts.server_name;
	struct x509_st *x509 = tls_stream_peer(stream);
	struct seal_facts *made = calloc(1, sizeof(*made) + strlen(name) + 1);

	if (made == NULL)
		return NULL;
	memcpy(made->server_name, name, strlen(name) + 1);
	made->wants_session = wants_session;
	made->peer = x509 == NULL ? NULL : tls_peer_facts_of(x509);
	made->told = (struct tcp_tls_facts){
		.version = facts.version,
		.suite = facts.suite,
		.suite_id = facts.suite_id,
		.server_name = facts.server_name == NULL ? NULL : made->server_name,
		.is_resumed = facts.is_resumed,
		.peer = made->peer,
	};
	if (x509 == NULL || made->peer != NULL)
		return made;
	free(made);
	return NULL;
}

static void count_secured(struct tls_stats *stats, const struct tcp_tls_facts *facts)
{
	bool is_tls13 = strcmp(facts->version, "TLSv1.3") == 0;
	uint64_t *by_version = is_tls13 ? &stats->handshakes_tls13 : &stats->handshakes_tls12;
	uint64_t *by_kind = facts->is_resumed ? &stats->handshakes_resumed
					      : &stats->handshakes_full;
	uint64_t *by_suite = &stats->suites[tls_suite_place(facts->suite_id)];

	counter_set(by_suite, *by_suite + 1);
	counter_set(by_version, *by_version + 1);
	counter_set(by_kind, *by_kind + 1);
	counter_set(&stats->shaking, stats->shaking - 1);
	counter_set(&stats->secured, stats->secured + 1);
}

static void attached_count(struct tcp *tcp)
{
	tcp->seal->is_attached = true;
	counter_set(&tcp->loop->tls->attached, tcp->loop->tls->attached + 1);
}

/* Lets go of OpenSSL if it can be. */
static void detach(struct tcp *tcp)
{
	if (!tls_stream_detach(tcp->seal->stream, tcp->loop->seals->crypt))
		attached_count(tcp);
}

/* A client that waits for a ticket stays attached until it has come. */
static void session_look(struct tcp *tcp)
{
	struct seal_facts *facts = tcp->seal->facts;

	if (facts == NULL || !facts->wants_session || facts->session != NULL)
		return;
	facts->session = tls_stream_session(tcp->seal->stream);
	if (facts->session == NULL)
		return;
	facts->wants_session = false;
	if (!tcp->seal->is_attached)
		detach(tcp);
}

static void secured(struct tcp *tcp, struct seal_shake *shake)
{
	struct seal *seal = tcp->seal;
	struct seal_facts *facts = facts_make(seal->stream, shake->wants_session);
	bool stays_attached = tls_context_stays_attached(shake->context);

	if (facts == NULL) {
		fail_for(tcp, TLS_TROUBLE_MEMORY);
		return;
	}
	seal->state = SEAL_SECURED;
	seal->facts = facts;
	count_secured(tcp->loop->tls, &facts->told);
	if (stays_attached)
		attached_count(tcp);
	else if (!facts->wants_session)
		detach(tcp);
	session_look(tcp);
	go_on_reading(tcp, shake);
	seal_shake_free(tcp->loop, shake);
	loop_queue(tcp); /* what was written before can leave */
	if (seal->owner->on_secured != NULL)
		seal->owner->on_secured(tcp);
}

/* --- records --- */

static void closed_by_peer(struct tcp *tcp)
{
	tcp_read_stop(tcp);
	tcp->flags |= STREAM_EOF;
	tcp->seal->owner->on_eof(tcp);
}

static bool is_open(const struct tcp *tcp)
{
	return tcp->seal->state == SEAL_SECURED && !(tcp->flags & STREAM_CLOSING);
}

static void end_with(struct tcp *tcp, enum tls_stream_result r)
{
	struct seal *seal = tcp->seal;

	if (r == TLS_STREAM_FAILED || tls_stream_has_failed(seal->stream)) {
		struct tls_failure failure = tls_stream_failure(seal->stream);

		failure.was_secured = seal->state == SEAL_SECURED;
		seal_fail(tcp, &failure);
	} else if (r == TLS_STREAM_CLOSED && seal->state == SEAL_SECURED) {
		closed_by_peer(tcp);
	} else if (r == TLS_STREAM_CLOSED) {
		fail_for(tcp, TLS_TROUBLE_CLOSED);
	}
}

/* One call of tls_stream_recv; *in is what it left. */
static enum tls_stream_result take(struct tcp *tcp, struct slice *in, size_t *out_text_len)
{
	struct seals *seals = tcp->loop->seals;
	size_t used;
	enum tls_stream_result r = tls_stream_recv(tcp->seal->stream, seals->crypt, *in, &used,
						   seals->text, SEAL_TEXT, out_text_len,
						   &seals->reply);

	*in = slice_behind(*in, used);
	bool is_lost = seals->reply.len > 0 && !seal_raw_add(tcp, buf_slice(&seals->reply));

	if (seals->reply.len > 0 && !is_lost)
		loop_queue(tcp);
	seals->reply.len = 0;
	/* The peer would wait for it in vain, or miss our new key. */
	return is_lost ? TLS_STREAM_FAILED : r;
}

static void records_open(struct tcp *tcp, struct slice in)
{
	enum tls_stream_result r = TLS_STREAM_OK;

	while (r == TLS_STREAM_OK && in.len > 0 && is_open(tcp)) {
		size_t text_len;

		r = take(tcp, &in, &text_len);
		/* Before the text: its owner may ask for the session that came with it. */
		if (r == TLS_STREAM_OK && !tls_stream_is_detached(tcp->seal->stream))
			session_look(tcp);
		if (text_len > 0)
			tcp->seal->owner->on_recv(tcp, tcp->loop->seals->text, text_len);
	}
	if (r != TLS_STREAM_OK && is_open(tcp))
		end_with(tcp, r);
}

/* --- a step of a handshake --- */

static bool begin(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;
	struct tls_stats *stats = tcp->loop->tls;

	seal->stream = tls_stream_accept(seal->shake->context);
	if (seal->stream == NULL)
		return false;
	seal->state = SEAL_SHAKING;
	counter_set(&stats->shaking, stats->shaking + 1);
	return true;
}

void seal_step(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;
	struct seal_shake *shake = seal->shake;
	struct buf held = shake->held;
	struct slice in = buf_slice(&held);
	enum tls_stream_result r;
	size_t left, text_len;

	if (seal->state == SEAL_WAITING && !begin(tcp)) {
		fail_for(tcp, TLS_TROUBLE_MEMORY);
		return;
	}
	shake->held = (struct buf){0};
	do {
		left = in.len;
		r = take(tcp, &in, &text_len);
	} while (r == TLS_STREAM_OK && in.len > 0 && in.len < left);
	if (r == TLS_STREAM_OK)
		go_on_reading(tcp, shake);
	else if (r == TLS_STREAM_READY)
		secured(tcp, shake);
	else
		end_with(tcp, r);
	if (r == TLS_STREAM_READY && in.len > 0)
		records_open(tcp, in);
	buf_finish(&held);
}

/* --- what the engines tell --- */

void seal_received(struct tcp *tcp, uint8_t *data, size_t len)
{
	switch ((enum seal_state)tcp->seal->state) {
	case SEAL_SILENT:
	case SEAL_WAITING:
	case SEAL_SHAKING:
		hold(tcp, data, len);
		break;
	case SEAL_SECURED:
		records_open(tcp, slice_of(data, len));
		break;
	case SEAL_PLAIN: /* the owner waits for the end, so that its last words arrive */
	case SEAL_FAILED:
		break;
	}
}

bool seal_ended(struct tcp *tcp, int error)
{
	struct tls_stats *stats = tcp->loop->tls;

	switch ((enum seal_state)tcp->seal->state) {
	case SEAL_SILENT:
		if (tcp->seal->shake->held.len == 0)
			return true;
		__attribute__((fallthrough));
	case SEAL_WAITING:
	case SEAL_SHAKING:
		fail_for(tcp, TLS_TROUBLE_CLOSED);
		return false;
	case SEAL_SECURED:
		if (error == 0)
			counter_set(&stats->truncated, stats->truncated + 1);
		return true;
	case SEAL_PLAIN:
	case SEAL_FAILED:
		break;
	}
	return true;
}
