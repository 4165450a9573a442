/* SPDX-License-Identifier: Apache-2.0
 * conn_asking.c - an upgrade that waits before it is answered, and what its client does
 * meanwhile. */
#include <stdio.h>
#include <stdlib.h>

#include "conn/conn.h"

/* What a client sends before it is answered is held; with so much of it, it is not read until
 * then. Until then its going away is noticed. */
#define EARLY_READ_MAX 16384
#define EARLY_HELD_MAX 1048576

/* --- the wait --- */

static void wait_free(struct upgrade_wait *wait)
{
	if (wait == NULL)
		return;
	takeover_ask_cancel(&wait->question);
	buf_finish(&wait->offered);
	buf_finish(&wait->held);
	buf_finish(&wait->groups);
	free(wait);
}

/* The connection is as before it asked. */
static struct upgrade_wait *wait_take(struct conn *conn)
{
	struct upgrade_wait *wait = conn->wait;

	conn->head = NULL;
	conn->state = CONN_HEAD;
	return wait;
}

void conn_asking_release(struct conn *conn)
{
	wait_free(wait_take(conn));
}

/* All lists of subprotocols that the client sent, as one. */
static int offered_copy(const struct conn_request *request, struct buf *out)
{
	const struct http_head *head = request->head;

	for (size_t i = 0; i < head->field_count; i++) {
		const struct http_field *field = &head->fields[i];
		struct slice name = slice_of(request->data + field->name_at, field->name_len);
		struct slice value = slice_of(request->data + field->value_at, field->value_len);

		if (slice_equals_nocase(name, SLICE_LITERAL("Sec-WebSocket-Protocol")) &&
		    (buf_append(out, value.data, value.len, HTTP_BODY_MAX) < 0 ||
		     buf_append(out, ",", 1, HTTP_BODY_MAX) < 0))
			return -1;
	}
	return 0;
}

static struct upgrade_wait *wait_create(const struct conn_asking *asking)
{
	struct upgrade_wait *wait = calloc(1, sizeof(*wait));
	const struct conn_request *request = asking->request;

	if (wait == NULL)
		return NULL;
	CHECK(asking->key.len == WS_KEY_LEN);
	memcpy(wait->key, asking->key.data, WS_KEY_LEN);
	wait->subprotocol = asking->subprotocol;
	wait->claim = asking->claim;
	if (offered_copy(request, &wait->offered) == 0 &&
	    (request->rest_len == 0 ||
	     buf_append(&wait->held, request->rest, request->rest_len, EARLY_HELD_MAX) == 0))
		return wait;
	wait_free(wait);
	return NULL;
}

/* --- asking --- */

static bool is_for_other_nodes(const struct conn *conn, const struct conn_claim *claim)
{
	return claim->policy != DIRECTORY_MANY && conn->home->service->fleet->is_clustered;
}

bool conn_must_ask(const struct conn *conn, const struct conn_claim *claim)
{
	return conn->route->backend->ops != NULL || is_for_other_nodes(conn, claim);
}

void conn_ask(struct conn *conn, const struct conn_asking *asking)
{
	struct upgrade_wait *wait = wait_create(asking);
	bool is_decided = conn->route->backend->ops == NULL;

	if (wait == NULL || (!is_decided && !conn_uplink_open(conn, asking->request))) {
		wait_free(wait);
		conn_leave(conn);
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return;
	}
	conn->wait = wait;
	conn->state = CONN_ASKING;
	if (is_decided)
		conn_asking_decided(conn);
}

static void let_in(struct conn *conn, const struct client_claim *holder)
{
	struct upgrade_wait *wait = wait_take(conn);

	if (is_for_other_nodes(conn, &wait->claim))
		takeover_stamp(conn->session.presence, holder);
	if (conn_enter(conn, &wait->claim) && conn_groups_join(conn, buf_slice(&wait->groups)) &&
	    conn_upgrade_finish(conn, slice_of(wait->key, WS_KEY_LEN), wait->subprotocol)) {
		conn_uplink_connected(conn);
		tcp_read_start(&conn->tcp);
		if (wait->held.len > 0)
			conn_ws_recv(conn, wait->held.data, wait->held.len);
	}
	wait_free(wait);
}

static void on_answer(void *owner, enum takeover_answer answer, const struct client_claim *holder)
{
	struct conn *conn = owner;
	struct conn_home *home = conn->home;

	conn->wait->question = NULL;
	if (answer == TAKEOVER_HELD && conn->wait->claim.policy == DIRECTORY_OLDEST) {
		conn_asking_release(conn);
		conn_leave(conn);
		conn_conflict(conn);
		return;
	}
	if (answer == TAKEOVER_HELD && strcmp(holder->node, home->service->node) != 0)
		stat_add(&home->stats.takeovers, 1);
	let_in(conn, holder);
}

/* The other nodes come last, since what they say must not grow old. */
void conn_asking_decided(struct conn *conn)
{
	struct upgrade_wait *wait = conn->wait;

	if (is_for_other_nodes(conn, &wait->claim))
		wait->question = takeover_ask(&conn->home->fleet, conn->session.presence, on_answer,
					      conn);
	if (wait->question == NULL)
		let_in(conn, NULL);
}

void conn_asking_reject(struct conn *conn, unsigned status, const char *detail)
{
	conn_asking_release(conn);
	conn_leave(conn);
	conn_reject(conn, status, detail);
}

void conn_asking_no_memory(struct conn *conn)
{
	conn_asking_release(conn);
	conn_leave(conn);
	conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
}

/* --- waiting --- */

void conn_asking_recv(struct conn *conn, const uint8_t *data, size_t len)
{
	struct buf *held = &conn->wait->held;

	if (buf_append(held, data, len, EARLY_HELD_MAX) < 0)
		conn_asking_cancel(conn, CLOSE_SLOW_READER);
	else if (held->len >= EARLY_READ_MAX)
		tcp_read_stop(&conn->tcp);
}

void conn_asking_cancel(struct conn *conn, enum close_reason reason)
{
	conn_asking_release(conn);
	conn_leave(conn);
	conn_cut(conn, reason);
}

void conn_asking_timeout(struct conn *conn)
{
	char detail[160];

	if (conn->wait->question != NULL) {
		takeover_ask_cancel(&conn->wait->question);
		let_in(conn, NULL);
		return;
	}
	snprintf(detail, sizeof(detail),
		 "The back end '%s' did not decide within server.handshake_timeout.",
		 conn_route(conn)->backend->name);
	stat_add(&conn->home->stats.handshake_timeouts, 1);
	conn_asking_reject(conn, 504, detail);
}

void conn_asking_drain(struct conn *conn)
{
	conn_asking_release(conn);
	conn_leave(conn);
	conn_refuse(conn, REFUSAL_DRAINING, conn->home->stats.connections, 0);
}
