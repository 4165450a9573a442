/* SPDX-License-Identifier: Apache-2.0
 * phase_proving.c - PROVING: a client shows who it is, and that takes a while to be looked at.
 *
 * As a rule it does not, and the phase is never entered. If it does, the request is kept as it
 * came, the client holds no place, handshake_timeout goes on, and what it sends is held behind its
 * request. Whoever answers takes what waits out of the connection first. If the phase ends before,
 * the question is cancelled. */
#include "conn/phase_proving.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "conn/access_log.h"
#include "conn/conn_trace.h"
#include "conn/hull.h"
#include "conn/refuse.h"
#include "conn/refuse_proof.h"
#include "conn/told_tls.h"
#include "proto/ws_handshake.h"

/* [bytes] As while others are asked (phase_asking.c): with so much the client is not read, and
 * with so much it is cut. The head comes on top. */
#define EARLY_READ_MAX 16384
#define EARLY_HELD_MAX 1048576

/* A request that waits. */
struct proof_wait {
	struct auth_inquiry *inquiry;
	struct ruleset *ruleset; /* the route's, which no presence holds yet */
	struct auth *auth;
	conn_proved_fn on_proved;
	char *client_id; /* NULL: none */
	uint32_t accepted_us;
	bool is_from_proxy;
	uint8_t key[WS_KEY_LEN];
	struct http_head head;
	struct buf bytes; /* the head's, and behind them what came early */
	size_t head_len;
};

/* --- the wait --- */

static struct proof_wait *wait_of(struct conn *conn)
{
	struct proof_wait *wait = conn_proving(conn)->wait;

	CHECK(wait != NULL); /* nobody answers twice */
	return wait;
}

/* The client is being answered. */
static struct proof_wait *wait_take(struct conn *conn)
{
	struct proof_wait *wait = wait_of(conn);

	conn_proving(conn)->wait = NULL;
	return wait;
}

/* The request has secrets in it. */
static void wait_free(struct proof_wait *wait)
{
	if (wait == NULL)
		return;
	auth_cancel(&wait->inquiry);
	ruleset_unref(&wait->ruleset);
	free(wait->client_id);
	if (wait->bytes.cap > 0)
		explicit_bzero(wait->bytes.data, wait->bytes.cap);
	buf_finish(&wait->bytes);
	free(wait);
}

static struct proof_wait *wait_create(struct conn *conn, struct auth *auth,
				      const struct upgrade *upgrade, conn_proved_fn on_proved)
{
	struct proof_wait *wait = calloc(1, sizeof(*wait));
	const struct conn_request *request = upgrade->request;

	if (wait == NULL)
		return NULL;
	CHECK(upgrade->key.len == WS_KEY_LEN);
	memcpy(wait->key, upgrade->key.data, WS_KEY_LEN);
	wait->ruleset = ruleset_ref(conn_route(conn)->client.ruleset);
	wait->auth = auth;
	wait->on_proved = on_proved;
	wait->accepted_us = upgrade->accepted_us;
	wait->is_from_proxy = request->is_from_proxy;
	wait->head = *request->head;
	wait->head_len = (size_t)(request->rest - request->data);
	wait->client_id = upgrade->client_id == NULL ? NULL : strdup(upgrade->client_id);
	if ((upgrade->client_id == NULL || wait->client_id != NULL) &&
	    buf_append(&wait->bytes, request->data, wait->head_len + request->rest_len,
		       wait->head_len + EARLY_HELD_MAX) == 0)
		return wait;
	wait_free(wait);
	return NULL;
}

static struct conn_request request_of(const struct proof_wait *wait)
{
	return (struct conn_request){
		.head = &wait->head,
		.data = wait->bytes.data,
		.rest = wait->bytes.data + wait->head_len,
		.rest_len = wait->bytes.len - wait->head_len,
		.is_from_proxy = wait->is_from_proxy,
	};
}

/* Its request is at hand while it is answered. */
static void take_up(struct conn *conn, const struct proof_wait *wait,
		    const struct conn_request *request)
{
	conn->home->request = request;
	conn->home->claimed_id = wait->client_id;
}

static void put_down(struct conn_home *home)
{
	home->request = NULL;
	home->claimed_id = NULL;
}

/* --- the question --- */

static void refuse(struct conn *conn, struct auth *auth, const char *client_id,
		   enum auth_verdict verdict, const struct auth_result *result)
{
	conn_refuse_proof(conn, &(struct proof_refusal){.auth = auth,
							.client_id = client_id,
							.verdict = verdict,
							.result = result});
}

static void on_verdict(void *owner, enum auth_verdict verdict, struct auth_result *result)
{
	struct conn *conn = owner;
	struct conn_home *home = conn->home;

	conn_trace_proved(conn, verdict, result);
	wait_of(conn)->inquiry = NULL;
	struct proof_wait *wait = wait_take(conn);
	struct conn_request request = request_of(wait);

	take_up(conn, wait, &request);
	if (verdict == AUTH_PROVED) {
		tcp_read_start(&conn->tcp);
		wait->on_proved(conn, &(struct upgrade){
					      .request = &request,
					      .key = slice_of(wait->key, WS_KEY_LEN),
					      .client_id = wait->client_id,
					      .proof = result,
					      .accepted_us = wait->accepted_us,
				      });
	} else {
		refuse(conn, wait->auth, wait->client_id, verdict, result);
	}
	put_down(home);
	wait_free(wait);
}

/* The verdict comes later. */
static void begin_waiting(struct conn *conn, struct proof_wait *wait, struct auth_inquiry *inquiry)
{
	wait->inquiry = inquiry;
	conn_phase_set(conn, CONN_PROVING);
	conn_proving(conn)->wait = wait;
}

void conn_prove(struct conn *conn, struct auth *auth, const struct upgrade *upgrade,
		conn_proved_fn on_proved)
{
	const struct conn_request *request = upgrade->request;
	struct auth_result result = {0};
	struct auth_inquiry *inquiry = NULL;
	struct upgrade proved = *upgrade;
	const struct tcp_tls_facts *tls = conn_tls_facts(conn);
	const struct auth_request asked = {
		.head = request->head,
		.data = request->data,
		.route = conn_route(conn)->config->name,
		.client_id = upgrade->client_id,
		.client = conn_client(conn),
		.peer = tls == NULL ? NULL : tls->peer,
		.is_sealed = tls != NULL,
		.loop = conn->home->loop,
		.mailbox = &conn->home->mailbox,
		.fleet_home = &conn->home->fleet,
	};
	conn_trace_proving(conn);
	enum auth_verdict verdict = auth_ask(auth, &asked, on_verdict, conn, &result, &inquiry);

	if (verdict != AUTH_LATER)
		conn_trace_proved(conn, verdict, &result);
	if (verdict == AUTH_PROVED) {
		proved.proof = &result;
		on_proved(conn, &proved);
	} else if (verdict == AUTH_LATER) {
		struct proof_wait *wait = wait_create(conn, auth, upgrade, on_proved);

		if (wait != NULL) {
			begin_waiting(conn, wait, inquiry);
			return;
		}
		auth_cancel(&inquiry);
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
	} else {
		refuse(conn, auth, upgrade->client_id, verdict, &result);
	}
	auth_result_finish(&result);
}

/* --- the phase --- */

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct proof_wait *wait = wait_of(conn);

	if (buf_append(&wait->bytes, data, len, wait->head_len + EARLY_HELD_MAX) < 0)
		conn_cut(conn, CLOSE_SLOW_READER);
	else if (wait->bytes.len - wait->head_len >= EARLY_READ_MAX)
		tcp_read_stop(&conn->tcp);
}

static void on_eof(struct conn *conn)
{
	conn_cut(conn, CLOSE_EOF);
}

/* `call` refuses the client, with its request at hand. */
static void end_waiting(struct conn *conn, void (*call)(struct conn *conn))
{
	struct proof_wait *wait = wait_take(conn);
	struct conn_request request = request_of(wait);

	take_up(conn, wait, &request);
	call(conn);
	put_down(conn->home);
	wait_free(wait);
}

static void on_timeout(struct conn *conn)
{
	struct proof_wait *wait = wait_take(conn);
	struct auth_result result = {0};
	enum auth_verdict verdict = auth_result_set(
		&result, AUTH_UNAVAILABLE, "proof_timeout",
		"The proof could not be looked at within server.handshake_timeout.");

	struct conn_request request = request_of(wait);

	conn_trace_proved(conn, verdict, &result);
	take_up(conn, wait, &request);
	conn_count_timeout(conn);
	refuse(conn, wait->auth, wait->client_id, verdict, &result);
	put_down(conn->home);
	wait_free(wait);
}

static void refuse_draining(struct conn *conn)
{
	conn_refuse(conn, REFUSAL_DRAINING, conn->home->stats.connections, 0);
}

static void on_drain(struct conn *conn)
{
	end_waiting(conn, refuse_draining);
}

static size_t on_held(const struct conn *conn)
{
	const struct proof_wait *wait = conn->part.proving.wait;

	return wait == NULL ? 0 : wait->bytes.cap;
}

static void on_shed(struct conn *conn)
{
	end_waiting(conn, conn_refuse_for_memory);
}

/* It went, or was cut, before it was answered. */
static void note_end(struct conn *conn, const struct proof_wait *wait)
{
	struct conn_request request = request_of(wait);

	take_up(conn, wait, &request);
	conn_access_ended(conn, 0);
	put_down(conn->home);
}

static void on_release(struct conn *conn)
{
	struct proof_wait *wait = conn_proving(conn)->wait;

	if (wait != NULL)
		note_end(conn, wait);
	wait_free(wait);
}

const struct conn_phase phase_proving = {
	.name = "proving",
	.next = CONN_PHASE_BIT(CONN_ASKING) | CONN_PHASE_BIT(CONN_OPEN) |
		CONN_PHASE_BIT(CONN_REFUSING) | CONN_PHASE_BIT(CONN_FLUSH) |
		CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = on_eof,
	.timeout = on_timeout,
	.drain = on_drain,
	.held = on_held,
	.shed = on_shed,
	.release = on_release,
};
