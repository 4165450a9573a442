/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/uplink_road.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conn/conn_auth.h"
#include "proto/client_cert.h"
#include "proto/ws_close.h"
#include "route/event.h"

static struct uplink *ask(struct conn *conn, const struct conn_request *request, struct slice head,
			  const struct tcp_tls_facts *tls, uint64_t deadline_ns)
{
	struct conn_home *home = conn->home;
	struct presence *presence = conn_presence(conn);
	const struct backend *backend = conn_route(conn)->backend;
	struct uplink_request asked = {
		.presence = presence,
		.head = head,
		.tls = tls,
		/* The first line is where it was in `head`, which may be a copy that hides a proof.
		 */
		.path = http_path(request->head, head.data),
		.query = http_query(request->head, head.data),
		.loop = home->loop,
		.random = &home->random,
		.deadline_ns = deadline_ns,
	};
	struct slice value;

	presence->connection_id = directory_reserve_id(home->service->directory);
	http_field_find(request->head, request->data, "Origin", &asked.origin);
	if (http_field_find(request->head, request->data, "traceparent", &value) == 1 &&
	    trace_parent_is_good(value))
		asked.traceparent = value;
	if (asked.traceparent.len > 0 &&
	    http_field_find(request->head, request->data, "tracestate", &value) == 1 &&
	    trace_state_is_good(value))
		asked.tracestate = value;
	return backend->ops->open(backend, &asked);
}

/* Takes the fields out of `copy`, in which the head lies, in which only proxies tell of
 * certificates. Returns what is left of it. */
static size_t claims_cut(const struct http_head *head, uint8_t *copy, size_t len)
{
	size_t kept = 0, from = 0;

	for (size_t i = 0; i <= head->field_count; i++) {
		bool is_end = i == head->field_count;
		const struct http_field *field = &head->fields[i];

		if (!is_end &&
		    !client_cert_is_field(slice_of(copy + field->name_at, field->name_len)))
			continue;
		size_t until = is_end ? len : field->name_at;

		memmove(copy + kept, copy + from, until - from);
		kept += until - from;
		if (!is_end)
			from = i + 1 < head->field_count ? head->fields[i + 1].name_at
							 : len - strlen("\r\n");
	}
	return kept;
}

/* Some field is such a one, and it is no proxy that has sent it. */
static bool has_claims(const struct conn_request *request)
{
	const struct http_head *head = request->head;

	for (size_t i = 0; i < head->field_count && !request->is_from_proxy; i++)
		if (client_cert_is_field(slice_of(request->data + head->fields[i].name_at,
						  head->fields[i].name_len)))
			return true;
	return false;
}

/* What a client has proved itself with is nobody else's business: the back end gets the request
 * without it. Who has proved nothing is left to the back end, with all that it shows, but for what
 * only a proxy may say. */
static struct uplink *ask_hiding(struct conn *conn, const struct conn_request *request,
				 const struct tcp_tls_facts *tls, uint64_t deadline_ns)
{
	struct slice head = slice_of(request->data, (size_t)(request->rest - request->data));
	struct auth *auth = conn_auth(conn);
	struct presence_proof proof;
	struct uplink *uplink = NULL;
	bool has_proof = auth != NULL && presence_proof(conn_presence(conn), &proof);
	bool is_claiming = has_claims(request);

	if (!has_proof && !is_claiming)
		return ask(conn, request, head, tls, deadline_ns);
	uint8_t *copy = malloc(head.len);

	if (copy == NULL)
		return NULL;
	memcpy(copy, head.data, head.len);
	if (has_proof)
		auth_hide(auth, request->head, copy);
	if (is_claiming)
		head.len = claims_cut(request->head, copy, head.len);
	uplink = ask(conn, request, slice_of(copy, head.len), tls, deadline_ns);
	free(copy);
	return uplink;
}

/* It is the connection's from now on, and the worker's. */
static void adopt(struct conn *conn, struct uplink *uplink)
{
	struct conn_home *home = conn->home;

	uplink->handler = home->ears;
	uplink->owner = conn;
	uplink->home = home;
	uplink->route = conn->way.route;
	ruleset_ref(uplink->route->client.ruleset);
	list_append(&home->uplinks, &uplink->node);
	conn->way.uplink = uplink;
	conn->has_uplink = true;
}

bool conn_uplink_open(struct conn *conn, const struct conn_request *request,
		      const struct tcp_tls_facts *tls, uint64_t deadline_ns)
{
	CHECK(!conn->has_uplink && conn_route(conn)->backend->ops != NULL);
	struct uplink *uplink = ask_hiding(conn, request, tls, deadline_ns);

	if (uplink == NULL)
		return false;
	adopt(conn, uplink);
	return true;
}

void conn_uplink_connected(struct conn *conn)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink != NULL)
		uplink->backend->ops->connected(uplink, conn_presence(conn));
}

int conn_uplink_message(struct conn *conn, const struct message *message)
{
	struct uplink *uplink = conn_uplink(conn);

	CHECK(uplink != NULL);
	return uplink->backend->ops->message(uplink, message);
}

void conn_uplink_answered(struct conn *conn, uint64_t call)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink != NULL)
		uplink->backend->ops->answered(uplink, call);
}

void conn_uplink_resume(struct conn *conn)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink != NULL)
		uplink->backend->ops->resume(uplink);
}

void conn_uplink_forget(struct conn *conn)
{
	CHECK(conn->has_uplink);
	conn->way.route = conn_route(conn);
	conn->has_uplink = false;
}

/* A reason without a code is one without a close frame of ours. */
static uint16_t code_of(const struct conn *conn)
{
	unsigned code = conn->has_reason ? close_table[conn->reason].code : 0;

	return code == 0 ? WS_CLOSE_ABNORMAL : (uint16_t)code;
}

void conn_uplink_close(struct conn *conn, uint16_t code)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink == NULL)
		return;
	conn_uplink_thaw(conn); /* it goes before its time */
	conn_uplink_forget(conn);
	uplink->backend->ops->close(
		uplink,
		&(struct uplink_end){
			.reason = conn->has_reason ? close_table[conn->reason].label : "refused",
			.code = code != 0 ? code : code_of(conn),
		});
}

/* --- from one process to another --- */

int conn_uplink_export(const struct conn *conn, uint16_t tag, struct state_writer *writer)
{
	const struct uplink *uplink = conn_uplink(conn);

	if (uplink == NULL)
		return 0;
	size_t begun = state_begin(writer, tag);
	int r = uplink->backend->ops->export(uplink, writer);

	state_end(writer, begun);
	return r;
}

int conn_uplink_import(struct conn *conn, struct slice state)
{
	CHECK(!conn->has_uplink);
	const struct backend *backend = conn_route(conn)->backend;
	struct conn_home *home = conn->home;

	if (backend->ops == NULL)
		return state.data == NULL ? 0 : -ENOENT;
	struct uplink *uplink = backend->ops->import(backend,
						     &(struct uplink_request){
							     .presence = conn_presence(conn),
							     .loop = home->loop,
							     .random = &home->random,
						     },
						     state);

	if (uplink == NULL)
		return -ENOMEM;
	adopt(conn, uplink);
	return 0;
}

/* It has begun nothing, so nobody learns of it. */
void conn_uplink_drop(struct conn *conn)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink == NULL)
		return;
	conn_uplink_forget(conn);
	uplink->backend->ops->close(uplink, &(struct uplink_end){.reason = "not_taken"});
	uplink->backend->ops->abort(uplink);
}

void conn_uplink_thaw(struct conn *conn)
{
	struct uplink *uplink = conn_uplink(conn);

	if (conn->is_imported && uplink != NULL)
		uplink->backend->ops->thaw(uplink);
	conn->is_imported = false;
}

void conn_uplink_hand_over(struct conn *conn)
{
	struct uplink *uplink = conn_uplink(conn);

	if (uplink == NULL)
		return;
	conn_uplink_forget(conn);
	uplink->backend->ops->forget(uplink);
}
