/* SPDX-License-Identifier: Apache-2.0
 * conn_uplink.c - a connection and its asynchronous back end: the decision whether the client
 * may come in, messages down, the end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fleet/rpc/rpc_gate.h"
#include "proto/http_text.h"
#include "proto/utf8.h"
#include "proto/ws_close.h"
#include "conn/conn.h"

const struct route *conn_route(const struct conn *conn)
{
	return conn->has_uplink ? conn->uplink->route : conn->route;
}

/* --- asking --- */

static const struct uplink_handler handler;

static uint64_t deadline_ns(const struct conn *conn)
{
	uint32_t now_us = (uint32_t)(loop_now(conn->home->loop) / NS_PER_US);
	uint64_t passed_us = (uint32_t)(now_us - conn->message_ms);
	uint64_t limit_us = conn->home->service->limits->handshake_timeout * 1000;

	return clock_now_ns() +
	       (limit_us > passed_us ? limit_us - passed_us : UINT64_C(1)) * NS_PER_US;
}

static struct uplink *ask(struct conn *conn, const struct conn_request *request)
{
	struct conn_home *home = conn->home;
	struct presence *presence = conn->session.presence;
	const struct backend *backend = conn->route->backend;
	struct uplink_request asked = {
		.presence = presence,
		.head = slice_of(request->data, (size_t)(request->rest - request->data)),
		.loop = home->loop,
		.random = &home->random,
		.deadline_ns = deadline_ns(conn),
	};
	struct slice value;

	presence->connection_id = directory_reserve_id(home->service->directory);
	if (http_field_find(request->head, request->data, "traceparent", &value) == 1 &&
	    event_traceparent_is_good(value))
		asked.traceparent = value;
	if (asked.traceparent.len > 0 &&
	    http_field_find(request->head, request->data, "tracestate", &value) == 1 &&
	    event_tracestate_is_good(value))
		asked.tracestate = value;
	return backend->ops->open(backend, &asked);
}

bool conn_uplink_open(struct conn *conn, const struct conn_request *request)
{
	struct conn_home *home = conn->home;
	struct uplink *uplink = ask(conn, request);

	if (uplink == NULL)
		return false;
	uplink->handler = &handler;
	uplink->owner = conn;
	uplink->home = home;
	uplink->route = conn->route;
	list_append(&home->uplinks, &uplink->node);
	conn->uplink = uplink;
	conn->has_uplink = true;
	return true;
}

void conn_uplink_connected(struct conn *conn)
{
	struct uplink *uplink = conn->has_uplink ? conn->uplink : NULL;

	if (uplink != NULL)
		uplink->backend->ops->connected(uplink, conn->session.presence);
}

/* --- the decision --- */

static bool is_offered(struct slice list, struct slice name)
{
	struct slice item;

	while (http_list_next(&list, &item))
		if (slice_equals(item, name))
			return name.len > 0;
	return false;
}

static struct conn *conn_of(const struct uplink *uplink)
{
	return uplink->owner;
}

/* The uplink has closed itself. */
static void forget(struct conn *conn)
{
	conn->route = conn_route(conn);
	conn->has_uplink = false;
}

/* What was made of the client says another subprotocol, or none; nobody else knows it yet. NULL:
 * memory is out. */
static const char *subprotocol_adopt(struct conn *conn, struct slice choice)
{
	struct presence *old = conn->session.presence;
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = old->route,
		.client_id = old->client_id,
		.subprotocol = choice,
		.remote = presence_remote(old),
		.remote_port = (uint16_t)old->remote_port,
		.mailbox = old->mailbox,
		.session = &conn->session,
	});
	if (presence == NULL)
		return NULL;
	presence->connection_id = old->connection_id;
	conn->session.presence = presence;
	presence_unref(&old);
	return presence_subprotocol(presence);
}

static void on_trouble(const struct uplink *uplink, const char *what, const char *detail)
{
	struct conn_home *home = uplink->home;
	uint64_t suppressed;

	if (log_gate_pass(&home->service->backend_gate, loop_now(home->loop), &suppressed))
		log_warn(what, F_TEXT("backend", uplink->backend->name), F_TEXT("error", detail),
			 F_UINT("suppressed", suppressed));
}

/* False: the client is answered. */
static bool is_good(struct conn *conn, const struct uplink_acceptance *accepted)
{
	const struct uplink *uplink = conn->uplink;
	char detail[256], problem[256];

	if (accepted->subprotocol.data != NULL &&
	    !is_offered(buf_slice(&conn->wait->offered), accepted->subprotocol)) {
		snprintf(detail, sizeof(detail),
			 "The back end '%s' chose a subprotocol that the client did not offer.",
			 uplink->backend->name);
	} else if (!conn_groups_check(conn, accepted->groups, problem, sizeof(problem))) {
		on_trouble(uplink, "a back end named no good groups", problem);
		snprintf(detail, sizeof(detail),
			 "The back end '%s' put the client in groups that cannot be.",
			 uplink->backend->name);
	} else {
		return true;
	}
	conn_asking_reject(conn, 502, detail);
	return false;
}

static void on_accepted(struct uplink *uplink, const struct uplink_acceptance *accepted)
{
	struct conn *conn = conn_of(uplink);
	struct upgrade_wait *wait = conn->wait;

	if (!is_good(conn, accepted))
		return;
	if (accepted->subprotocol.data != NULL)
		wait->subprotocol = subprotocol_adopt(conn, accepted->subprotocol);
	bool is_out = accepted->subprotocol.data != NULL && wait->subprotocol == NULL;

	if (accepted->groups.len > 0 && buf_append(&wait->groups, accepted->groups.data,
						   accepted->groups.len, HTTP_BODY_MAX) < 0)
		is_out = true;
	if (is_out)
		conn_asking_no_memory(conn);
	else
		conn_asking_decided(conn);
}

static bool is_field_value(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < 0x20 || text.data[i] > 0x7e)
			return false;
	return text.len > 0;
}

static void on_refused(struct uplink *uplink, const struct uplink_refusal *refusal)
{
	struct conn *conn = conn_of(uplink);
	struct http_reply reply = {.status = refusal->status};
	char content_type[128] = "application/octet-stream";

	forget(conn);
	conn_asking_release(conn);
	conn_leave(conn);
	stat_add(&conn->home->stats.handshakes_rejected, 1);
	if (is_field_value(refusal->content_type) &&
	    refusal->content_type.len < sizeof(content_type))
		snprintf(content_type, sizeof(content_type), "%.*s",
			 SLICE_ARG(refusal->content_type));
	if (refusal->body.len > 0 &&
	    buf_append(&reply.body, refusal->body.data, refusal->body.len, HTTP_BODY_MAX) == 0)
		reply.content_type = content_type;
	conn_answer(conn, &reply, true);
}

/* The details, which may tell addresses of ours, are for the log. */
static void on_undecided(struct uplink *uplink, enum uplink_failure failure, const char *detail)
{
	static const struct {
		unsigned status;
		const char *text;
	} answers[] = {
		[UPLINK_DOWN] = {503, "cannot be reached"},
		[UPLINK_BROKEN] = {502, "gave no usable answer"},
		[UPLINK_LATE] = {504, "did not answer in time"},
	};
	struct conn *conn = conn_of(uplink);
	char text[160];

	on_trouble(uplink, "a back end did not decide", detail);
	snprintf(text, sizeof(text), "The back end '%s' %s.", uplink->backend->name,
		 answers[failure].text);
	forget(conn);
	conn_asking_reject(conn, answers[failure].status, text);
}

/* --- the open connection --- */

static void on_message(struct uplink *uplink, const struct message *message)
{
	struct conn *conn = conn_of(uplink);
	struct message checked = *message;

	checked.is_text = message->is_text &&
			  utf8_is_valid(message->bytes.data, message->bytes.len);
	int r = rpc_gate_down(&conn->session, &checked, session_send);

	if (r == -EPERM)
		on_trouble(uplink, "a back end's call was not sent",
			   "on a route with rpc clients are called by the API");
	else if (r == -ENOMEM)
		conn_ws_fail(conn, CLOSE_NO_MEMORY);
}

static bool may_send(const struct uplink *uplink)
{
	const struct conn *conn = conn_of(uplink);

	return tcp_queued(&conn->tcp) < conn->home->service->limits->send_queue_max;
}

static void on_room(struct uplink *uplink)
{
	conn_ws_resume(conn_of(uplink));
}

static void on_down(struct uplink *uplink)
{
	conn_ws_close(conn_of(uplink), CLOSE_BACKEND_DOWN);
}

static void on_gone(struct uplink *uplink)
{
	struct conn_home *home = uplink->home;

	list_remove(&uplink->node);
	home->on_gone(home);
}

static const struct uplink_handler handler = {
	.on_accepted = on_accepted,
	.on_refused = on_refused,
	.on_undecided = on_undecided,
	.on_message = on_message,
	.may_send = may_send,
	.on_room = on_room,
	.on_down = on_down,
	.on_trouble = on_trouble,
	.on_gone = on_gone,
};

void conn_uplink_answered(struct session *session, uint64_t call)
{
	struct conn *conn = CONTAINER_OF(session, struct conn, session);

	if (!conn->has_uplink)
		return;
	conn->uplink->backend->ops->answered(conn->uplink, call);
	conn_ws_resume(conn);
}

/* A reason without a code is one without a close frame of ours. */
static uint16_t code_of(const struct conn *conn)
{
	unsigned code = conn->has_reason ? close_table[conn->reason].code : 0;

	return code == 0 ? WS_CLOSE_ABNORMAL : (uint16_t)code;
}

void conn_uplink_close(struct conn *conn, uint16_t code)
{
	if (!conn->has_uplink)
		return;
	struct uplink *uplink = conn->uplink;

	forget(conn);
	uplink->backend->ops->close(
		uplink,
		&(struct uplink_end){
			.reason = conn->has_reason ? close_table[conn->reason].label : "refused",
			.code = code != 0 ? code : code_of(conn),
		});
}
