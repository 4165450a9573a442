/* SPDX-License-Identifier: Apache-2.0
 * seal.c - sealed streams: how they begin, what is known of them, how they fail and end. */
#include "io/seal.h"

#include <errno.h>

#include "tls/tls_peer.h"

/* --- a loop's --- */

int seals_create(struct loop *loop)
{
	if (loop->seals != NULL)
		return 0;
	struct seals *seals = calloc(1, sizeof(*seals));

	if (seals == NULL)
		return -ENOMEM;
	seals->crypt = tls_crypt_create();
	seals->text = malloc(SEAL_TEXT);
	if (seals->crypt == NULL || seals->text == NULL) {
		tls_crypt_destroy(&seals->crypt);
		free(seals->text);
		free(seals);
		return -ENOMEM;
	}
	pool_init(&seals->seals, sizeof(struct seal));
	pool_init(&seals->shakes, sizeof(struct seal_shake));
	list_init(&seals->waiting);
	list_init(&seals->shaking);
	loop_timer_init(&seals->begin, seals_on_begin);
	loop->seals = seals;
	return 0;
}

void seals_finish(struct loop *loop)
{
	struct seals *seals = loop->seals;

	if (seals == NULL)
		return;
	CHECK(list_is_empty(&seals->waiting) && list_is_empty(&seals->shaking));
	loop_timer_stop(loop, &seals->begin);
	pool_finish(&seals->seals);
	pool_finish(&seals->shakes);
	buf_finish(&seals->reply);
	tls_crypt_destroy(&seals->crypt);
	free(seals->text);
	free(seals);
	loop->seals = NULL;
}

/* --- the beginning --- */

static struct seal_shake *shake_create(struct tcp *tcp, struct tls_context *context)
{
	struct seal_shake *shake = pool_get(&tcp->loop->seals->shakes);

	if (shake == NULL)
		return NULL;
	*shake = (struct seal_shake){.tcp = tcp, .context = tls_context_ref(context)};
	list_init(&shake->node);
	return shake;
}

void seal_shake_free(struct loop *loop, struct seal_shake *shake)
{
	list_remove(&shake->node);
	buf_finish(&shake->held);
	tls_context_unref(&shake->context);
	pool_put(&loop->seals->shakes, shake);
}

/* With tcp->loop set. NULL: memory is out. */
static struct seal *seal_create(struct tcp *tcp, const struct tcp_handler *owner,
				struct tls_context *context)
{
	if (seals_create(tcp->loop) < 0)
		return NULL;
	struct seal *seal = pool_get(&tcp->loop->seals->seals);

	if (seal == NULL)
		return NULL;
	*seal = (struct seal){.owner = owner, .shake = shake_create(tcp, context)};
	if (seal->shake != NULL)
		return seal;
	pool_put(&tcp->loop->seals->seals, seal);
	return NULL;
}

int tcp_adopt_sealed(struct tcp *tcp, struct loop *loop, const struct tcp_accepted *accepted,
		     const struct tcp_handler *handler, struct tls_context *context)
{
	tcp_init(tcp, loop, accepted->fd, handler);
	tcp->seal = seal_create(tcp, handler, context);
	if (tcp->seal == NULL)
		return -ENOMEM;
	tcp->flags = STREAM_READING | STREAM_SEALED | (accepted->is_reserve ? STREAM_RESERVE : 0);
	loop->engine->tcp_start(tcp);
	return 0;
}

void tcp_seal_expect_preamble(struct tcp *tcp)
{
	CHECK(tcp_is_sealed(tcp) && tcp->seal->state == SEAL_SILENT);
	CHECK(tcp->seal->owner->on_preamble != NULL);
	tcp->seal->shake->wants_preamble = true;
}

int tcp_seal_connect(struct tcp *tcp, const struct tcp_seal_options *options)
{
	CHECK(!(tcp->flags & (STREAM_SEALED | STREAM_CONNECTING)) && tcp_queued(tcp) == 0);
	struct seal *seal = seal_create(tcp, tcp->handler, options->context);

	if (seal == NULL)
		return -ENOMEM;
	seal->stream = tls_stream_connect(options->context, options->server_name);
	if (seal->stream == NULL) {
		seal_shake_free(tcp->loop, seal->shake);
		pool_put(&tcp->loop->seals->seals, seal);
		return -ENOMEM;
	}
	if (options->session != NULL)
		tls_stream_resume(seal->stream, options->session);
	seal->state = SEAL_SHAKING;
	seal->shake->is_paused = true; /* what it says first comes with its step */
	seal->shake->wants_reading = true;
	seal->shake->wants_session = options->wants_session;
	tcp->seal = seal;
	tcp->flags |= STREAM_SEALED;
	counter_set(&tcp->loop->tls->shaking, tcp->loop->tls->shaking + 1);
	seal_queue(tcp);
	return 0;
}

int seal_adopt(struct tcp *tcp, struct tls_stream *stream, bool has_ended)
{
	struct tls_stats *stats = tcp->loop->tls;
	struct seal *seal = seals_create(tcp->loop) < 0 ? NULL : pool_get(&tcp->loop->seals->seals);

	if (seal == NULL)
		return -ENOMEM;
	*seal = (struct seal){.owner = tcp->handler,
			      .stream = stream,
			      .state = SEAL_SECURED,
			      .has_ended = has_ended};
	tcp->seal = seal;
	tcp->flags |= STREAM_SEALED;
	counter_set(&stats->secured, stats->secured + 1);
	return 0;
}

bool tcp_is_sealed(const struct tcp *tcp)
{
	return (tcp->flags & STREAM_SEALED) != 0;
}

bool tcp_is_secured(const struct tcp *tcp)
{
	return tcp_is_sealed(tcp) && tcp->seal->state == SEAL_SECURED;
}

/* --- what is known --- */

static void facts_free(struct seal_facts *facts)
{
	if (facts == NULL)
		return;
	tls_peer_facts_destroy(&facts->peer);
	if (facts->session != NULL)
		tls_session_free(&facts->session);
	free(facts);
}

const struct tcp_tls_facts *tcp_tls_facts(const struct tcp *tcp)
{
	if (!tcp_is_secured(tcp) || tcp->seal->facts == NULL)
		return NULL;
	return &tcp->seal->facts->told;
}

struct tls_terms tcp_tls_terms(const struct tcp *tcp)
{
	return tcp_is_secured(tcp) ? tls_stream_terms(tcp->seal->stream) : (struct tls_terms){0};
}

void tcp_tls_facts_release(struct tcp *tcp)
{
	if (!tcp_is_secured(tcp))
		return;
	facts_free(tcp->seal->facts);
	tcp->seal->facts = NULL;
}

struct ssl_session_st *tcp_tls_session(struct tcp *tcp)
{
	if (tcp_tls_facts(tcp) == NULL)
		return NULL;
	struct ssl_session_st *session = tcp->seal->facts->session;

	tcp->seal->facts->session = NULL;
	return session;
}

/* --- failures --- */

const struct tls_failure *tcp_tls_failure(const struct tcp *tcp)
{
	static const struct tls_failure no_memory = {
		.trouble = TLS_TROUBLE_MEMORY, .reason = "out of memory", .alert = -1};

	if (!tcp_is_sealed(tcp) || tcp->seal->state < SEAL_PLAIN)
		return NULL;
	return tcp->seal->failure == NULL ? &no_memory : tcp->seal->failure;
}

static void failure_count(struct tls_stats *stats, const struct tls_failure *failure)
{
	uint64_t *alerts = failure->is_from_peer ? &stats->alerts_received : &stats->alerts_sent;

	counter_set(&stats->failures[failure->trouble], stats->failures[failure->trouble] + 1);
	if (failure->alert >= 0)
		counter_set(alerts, *alerts + 1);
}

/* Takes it out of what is counted in its state, and frees what it has there alone. */
static void state_leave(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;
	struct tls_stats *stats = tcp->loop->tls;

	switch ((enum seal_state)seal->state) {
	case SEAL_WAITING:
		if (!list_is_empty(&seal->shake->node))
			seal_waited(tcp->loop, seal->shake);
		break;
	case SEAL_SHAKING:
		counter_set(&stats->shaking, stats->shaking - 1);
		break;
	case SEAL_SECURED:
		counter_set(&stats->secured, stats->secured - 1);
		counter_set(&stats->attached, stats->attached - seal->is_attached);
		facts_free(seal->facts);
		seal->facts = NULL;
		return;
	case SEAL_PLAIN:
	case SEAL_FAILED:
		free(seal->failure);
		seal->failure = NULL;
		return;
	case SEAL_SILENT:
		break;
	}
	seal_shake_free(tcp->loop, seal->shake);
	seal->shake = NULL;
}

void seal_fail(struct tcp *tcp, const struct tls_failure *failure)
{
	struct seal *seal = tcp->seal;
	bool is_http = failure->trouble == TLS_TROUBLE_PLAIN_HTTP;
	bool is_paused = seal_paused(tcp) != NULL && seal_paused(tcp)->wants_reading;

	state_leave(tcp);
	failure_count(tcp->loop->tls, failure);
	seal->failure = malloc(sizeof(*failure));
	if (seal->failure != NULL)
		*seal->failure = *failure;
	seal->state = is_http ? SEAL_PLAIN : SEAL_FAILED;
	tcp_pending_drop(tcp);
	if (is_http && seal->raw != NULL) { /* whoever speaks HTTP understands no alert */
		outbuf_put(&tcp->loop->outbufs, seal->raw);
		seal->raw = NULL;
	}
	if (is_paused)
		tcp_read_start(tcp);
	seal->owner->on_error(tcp, -EPROTO);
}

bool tcp_tls_timed_out(struct tcp *tcp)
{
	if (!tcp_is_sealed(tcp) || tcp->seal->state > SEAL_SHAKING ||
	    (tcp->seal->state == SEAL_SILENT && tcp->seal->shake->held.len == 0))
		return false;
	struct tls_stats *stats = tcp->loop->tls;

	counter_set(&stats->failures[TLS_TROUBLE_TIMEOUT],
		    stats->failures[TLS_TROUBLE_TIMEOUT] + 1);
	return true;
}

/* --- the end --- */

size_t seal_held(const struct seal *seal)
{
	size_t held = seal->raw == NULL ? 0 : outbuf_held(seal->raw);

	if (seal->state <= SEAL_SHAKING)
		held += seal->shake->held.cap;
	return held + (seal->stream == NULL ? 0 : tls_stream_held(seal->stream));
}

void seal_closing(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;

	if (seal->state <= SEAL_SHAKING)
		state_leave(tcp), seal->state = SEAL_FAILED;
}

void seal_finish(struct tcp *tcp)
{
	struct seal *seal = tcp->seal;
	struct loop *loop = tcp->loop;

	state_leave(tcp);
	tls_stream_destroy(&seal->stream);
	outbuf_put(&loop->outbufs, seal->raw);
	tcp->handler = seal->owner;
	tcp->flags &= ~(uint32_t)STREAM_SEALED;
	pool_put(&loop->seals->seals, seal);
}
