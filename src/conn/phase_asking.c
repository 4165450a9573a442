/* SPDX-License-Identifier: Apache-2.0
 * phase_asking.c - ASKING: an upgrade that waits before it is answered.
 *
 * First the back end decides, if it is an asynchronous one, then the other nodes of a cluster
 * are asked who has the client. Meanwhile the client holds its places, handshake_timeout goes
 * on, and what it sends is held. Whoever answers, answers once: what waits is taken out of the
 * connection before the client is let in or told why not. If the phase ends before, the places
 * are given back and nobody is asked any more. */
#include "conn/phase_asking.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "conn/act.h"
#include "conn/admit_groups.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/phase_open.h"
#include "conn/phase_refusing.h"
#include "conn/refuse.h"
#include "conn/reply.h"
#include "conn/tls_end.h"
#include "conn/upgrade_answer.h"
#include "conn/uplink_road.h"
#include "fleet/actions/actions.h"
#include "proto/http_text.h"
#include "proto/ws_handshake.h"

/* What a client sends before it is answered is held; with so much of it, it is not read until
 * then. Until then its going away is noticed. */
#define EARLY_READ_MAX 16384
#define EARLY_HELD_MAX 1048576

/* An upgrade that waits, and what the client sent behind it. */
struct upgrade_wait {
	uint8_t key[WS_KEY_LEN];
	uint32_t accepted_us;    /* conn_now_us of then */
	const char *subprotocol; /* by the route's rules, unless the back end chooses */
	struct ws_deflate_terms deflate;
	struct buf offered; /* the client's list */
	struct buf held;
	struct buf groups;       /* that the back end puts the client in */
	struct actions *actions; /* of the back end, for when the client is in; NULL: none */
	struct conn_entry entry;
	bool is_named; /* struct asking */
	/* To the other nodes; NULL: not asked yet, or answered. */
	struct takeover_question *question;
};

/* --- the wait --- */

static struct upgrade_wait *wait_of(struct conn *conn)
{
	struct upgrade_wait *wait = conn_asking(conn)->wait;

	CHECK(wait != NULL); /* nobody answers twice */
	return wait;
}

static void wait_free(struct upgrade_wait *wait)
{
	if (wait == NULL)
		return;
	takeover_ask_cancel(&wait->question);
	buf_finish(&wait->offered);
	buf_finish(&wait->held);
	buf_finish(&wait->groups);
	actions_destroy(&wait->actions);
	free(wait);
}

/* The client is being answered. */
static struct upgrade_wait *wait_take(struct conn *conn)
{
	struct upgrade_wait *wait = wait_of(conn);

	conn_asking(conn)->wait = NULL;
	return wait;
}

/* It is about to be refused, or may be. */
static void remember(struct conn *conn, const struct upgrade_wait *wait)
{
	conn_remember_upgrade(conn, wait->key,
			      wait->subprotocol != NULL
				      ? slice_from_text(wait->subprotocol)
				      : conn_subprotocol_for_show(buf_slice(&wait->offered)));
}

/* It is not let in. */
static void wait_end(struct conn *conn)
{
	struct upgrade_wait *wait = wait_take(conn);

	remember(conn, wait);
	wait_free(wait);
	conn_leave(conn);
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

static struct upgrade_wait *wait_create(const struct asking *asking)
{
	struct upgrade_wait *wait = calloc(1, sizeof(*wait));
	const struct conn_request *request = asking->request;

	if (wait == NULL)
		return NULL;
	CHECK(asking->key.len == WS_KEY_LEN);
	memcpy(wait->key, asking->key.data, WS_KEY_LEN);
	wait->subprotocol = asking->subprotocol;
	wait->deflate = asking->deflate;
	wait->accepted_us = asking->accepted_us;
	wait->entry = asking->entry;
	wait->is_named = asking->is_named;
	if (offered_copy(request, &wait->offered) == 0 &&
	    (request->rest_len == 0 ||
	     buf_append(&wait->held, request->rest, request->rest_len, EARLY_HELD_MAX) == 0) &&
	    (asking->groups == NULL ||
	     buf_printf(&wait->groups, HTTP_BODY_MAX, "%s,", asking->groups) == 0))
		return wait;
	wait_free(wait);
	return NULL;
}

/* --- asking --- */

static bool is_for_other_nodes(const struct conn *conn, const struct conn_entry *entry)
{
	return entry->policy != DIRECTORY_MANY && conn->home->service->fleet->is_clustered;
}

bool conn_must_ask(const struct conn *conn, const struct conn_entry *entry)
{
	return conn_route(conn)->backend->ops != NULL || is_for_other_nodes(conn, entry);
}

static uint64_t deadline_ns(const struct conn *conn, uint32_t accepted_us)
{
	uint64_t passed_us = (uint32_t)(conn_now_us(conn) - accepted_us);
	uint64_t limit_us = conn_limits(conn)->handshake_timeout * 1000;

	return clock_now_ns() +
	       (limit_us > passed_us ? limit_us - passed_us : UINT64_C(1)) * NS_PER_US;
}

void conn_ask(struct conn *conn, const struct asking *asking)
{
	struct upgrade_wait *wait = wait_create(asking);
	bool is_decided = conn_route(conn)->backend->ops == NULL;

	if (wait == NULL ||
	    (!is_decided && !conn_uplink_open(conn, asking->request, asking->tls,
					      deadline_ns(conn, asking->accepted_us)))) {
		wait_free(wait);
		conn_leave(conn);
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return;
	}
	conn_phase_set(conn, CONN_ASKING);
	conn_asking(conn)->wait = wait;
	if (is_decided)
		conn_asking_decided(conn);
}

static bool answer_upgrade(struct conn *conn, const struct upgrade_wait *wait)
{
	return conn_upgrade_finish(conn, &(struct upgrade_answer){
						 .key = slice_of(wait->key, WS_KEY_LEN),
						 .subprotocol = wait->subprotocol,
						 .deflate = wait->deflate,
						 .accepted_us = wait->accepted_us,
					 });
}

static void let_in(struct conn *conn, const struct client_claim *holder)
{
	struct upgrade_wait *wait = wait_take(conn);

	if (is_for_other_nodes(conn, &wait->entry))
		takeover_stamp(conn_presence(conn), holder);
	remember(conn, wait);
	if (conn_enter(conn, &wait->entry) && conn_groups_join(conn, buf_slice(&wait->groups)) &&
	    answer_upgrade(conn, wait)) {
		conn_forget_upgrade(conn);
		conn_uplink_connected(conn);
		tcp_read_start(&conn->tcp);
		conn_act(conn, wait->actions);
		conn_open_early(conn, wait->held.data, wait->held.len);
	}
	wait_free(wait);
}

static void on_answer(void *owner, enum takeover_answer answer, const struct client_claim *holder)
{
	struct conn *conn = owner;
	struct conn_home *home = conn->home;

	wait_of(conn)->question = NULL;
	if (answer == TAKEOVER_HELD && wait_of(conn)->entry.policy == DIRECTORY_OLDEST) {
		wait_end(conn);
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
	struct upgrade_wait *wait = wait_of(conn);

	if (is_for_other_nodes(conn, &wait->entry))
		wait->question = takeover_ask(&conn->home->fleet, conn_presence(conn), on_answer,
					      conn);
	if (wait->question == NULL)
		let_in(conn, NULL);
}

/* --- what the back end decides --- */

bool conn_asking_offers(struct conn *conn, struct slice subprotocol)
{
	struct slice list = buf_slice(&wait_of(conn)->offered), item;

	while (http_list_next(&list, &item))
		if (slice_equals(item, subprotocol))
			return subprotocol.len > 0;
	return false;
}

void conn_asking_choose(struct conn *conn, const char *subprotocol)
{
	wait_of(conn)->subprotocol = subprotocol;
}

bool conn_asking_may_be(struct conn *conn, const char *client_id)
{
	const struct presence *presence = conn_presence(conn);
	struct presence_proof proof;

	return !wait_of(conn)->is_named || strcmp(client_id, presence->client_id) == 0 ||
	       !presence_proof(presence, &proof);
}

/* Of an id that was made here there is nobody else; of this one there may be. */
void conn_asking_named(struct conn *conn)
{
	struct upgrade_wait *wait = wait_of(conn);

	wait->is_named = true;
	wait->entry.policy = conn_policy(conn_route(conn)->config);
}

int conn_asking_add_groups(struct conn *conn, struct slice groups)
{
	return buf_append(&wait_of(conn)->groups, groups.data, groups.len, HTTP_BODY_MAX);
}

void conn_asking_set_actions(struct conn *conn, struct actions *actions)
{
	struct upgrade_wait *wait = wait_of(conn);

	CHECK(wait->actions == NULL);
	wait->actions = actions;
}

void conn_asking_answer(struct conn *conn, struct http_reply *reply)
{
	wait_end(conn);
	conn_count_rejected(conn);
	conn_count_failure(conn, reply->status >= 500 ? ROUTE_FAILURE_BACKEND_FAILED
						      : ROUTE_FAILURE_BACKEND_REFUSED);
	conn_answer(conn, reply, true);
}

void conn_asking_reject(struct conn *conn, unsigned status, const char *reason, const char *detail)
{
	wait_end(conn);
	conn_count_failure(conn, ROUTE_FAILURE_BACKEND_FAILED);
	conn_reject(conn, status, reason, detail);
}

void conn_asking_no_memory(struct conn *conn)
{
	wait_end(conn);
	conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
}

/* --- the phase --- */

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct buf *held = &wait_of(conn)->held;

	if (buf_append(held, data, len, EARLY_HELD_MAX) < 0)
		conn_cut(conn, CLOSE_SLOW_READER);
	else if (held->len >= EARLY_READ_MAX)
		tcp_read_stop(&conn->tcp);
}

static void on_eof(struct conn *conn)
{
	conn_cut(conn, CLOSE_EOF);
}

static void on_timeout(struct conn *conn)
{
	struct upgrade_wait *wait = wait_of(conn);
	char detail[160];

	if (wait->question != NULL) {
		takeover_ask_cancel(&wait->question);
		let_in(conn, NULL);
		return;
	}
	snprintf(detail, sizeof(detail),
		 "The back end '%s' did not decide within server.handshake_timeout.",
		 conn_route(conn)->backend->name);
	conn_count_timeout(conn);
	conn_asking_reject(conn, 504, "backend_late", detail);
}

static void on_drain(struct conn *conn)
{
	wait_end(conn);
	conn_refuse(conn, REFUSAL_DRAINING, conn->home->stats.connections, 0);
}

static size_t on_held(const struct conn *conn)
{
	const struct upgrade_wait *wait = conn->part.asking.wait;

	if (wait == NULL)
		return 0;
	return wait->offered.cap + wait->held.cap + wait->groups.cap +
	       (wait->actions == NULL ? 0 : actions_size(wait->actions));
}

static void on_shed(struct conn *conn)
{
	wait_end(conn);
	conn_refuse_for_memory(conn);
}

static void on_release(struct conn *conn)
{
	if (conn_asking(conn)->wait != NULL)
		wait_end(conn);
}

const struct conn_phase phase_asking = {
	.name = "asking",
	.next = CONN_PHASE_BIT(CONN_OPEN) | CONN_PHASE_BIT(CONN_REFUSING) |
		CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = on_eof,
	.tls_failed = conn_tls_linger,
	.timeout = on_timeout,
	.drain = on_drain,
	.held = on_held,
	.shed = on_shed,
	.release = on_release,
};
