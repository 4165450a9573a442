/* SPDX-License-Identifier: Apache-2.0
 * conn_http.c - the request: read, answered, refused or upgraded. */
#include <stdlib.h>

#include "base/clock.h"
#include "proto/utf8.h"
#include "proto/ws_handshake.h"
#include "server/conn.h"

/* Of a head that came in pieces, and of the frames that a client may send right behind
 * it: the head itself has its own, smaller limit. */
#define PIPELINED_MAX 262144

/* Retry-After is spread over so many seconds, so that the refused do not come back
 * all at once. */
#define RETRY_AFTER_MIN_S 5
#define RETRY_AFTER_MAX_S 15

/* A request that is complete, in the bytes it lies in. */
struct request {
	const struct http_head *head;
	const uint8_t *data;
	uint8_t *rest; /* behind the head */
	size_t rest_len;
};

/* --- answers --- */

/* Sends the reply. If the client may have sent more than we have read, closing at
 * once would send a reset that can destroy the answer on its way. */
static void answer(struct conn *conn, struct http_reply *reply, bool may_have_rest)
{
	struct buf head = {0};
	int r = http_reply_head(reply, &head);

	if (r == 0)
		r = tcp_write(&conn->tcp, head.data, head.len);
	if (r == 0 && !conn->is_head && reply->body.len > 0)
		r = tcp_write(&conn->tcp, reply->body.data, reply->body.len);
	buf_finish(&head);
	buf_finish(&reply->body);
	if (r < 0)
		tcp_close(&conn->tcp);
	else if (may_have_rest)
		conn_linger(conn);
	else
		conn_flush_and_close(conn);
}

static void reject(struct conn *conn, unsigned status, const char *detail)
{
	struct service *service = conn->worker->service;
	struct http_reply reply = {0};
	uint64_t suppressed;

	stat_add(&conn->worker->stats.handshakes_rejected, 1);
	if (log_gate_pass(&service->rejection_gate, loop_now(conn->worker->loop), &suppressed))
		log_info("request rejected", F_UINT("status", status), F_TEXT("detail", detail),
			 F_UINT("suppressed", suppressed));
	if (status == 426) {
		/* RFC 9110, 15.5.22; RFC 6455, 4.2.2. */
		http_reply_header(&reply, "Upgrade: websocket");
		http_reply_header(&reply, "Sec-WebSocket-Version: 13");
	}
	if (status == 405)
		http_reply_header(&reply, "Allow: GET, HEAD");
	http_reply_problem(&reply, status, detail);
	answer(conn, &reply, true);
}

static void refuse(struct conn *conn, enum refusal refusal, uint64_t current, uint64_t max)
{
	struct worker *worker = conn->worker;
	const struct refusal_entry *entry = &refusal_table[refusal];
	struct http_reply reply = {0};
	uint64_t suppressed;

	stat_add(&worker->stats.connections_refused[refusal], 1);
	if (log_gate_pass(&worker->service->refusal_gates[refusal], loop_now(worker->loop),
			  &suppressed))
		log_warn("connection refused", F_TEXT("limit", entry->label),
			 F_UINT("current", current), F_UINT("max", max),
			 F_TEXT("remedy", entry->remedy), F_UINT("suppressed", suppressed));
	http_reply_limit(&reply, &(struct limit_refusal){
					 .limit = entry->label,
					 .title = entry->title,
					 .remedy = entry->remedy,
					 .node = worker->service->node,
					 .current = current,
					 .max = max,
					 .status = entry->status,
					 .retry_after_s = RETRY_AFTER_MIN_S +
							  random_u32(&worker->random) %
								  (RETRY_AFTER_MAX_S -
								   RETRY_AFTER_MIN_S + 1),
				 });
	answer(conn, &reply, false);
}

/* Counted in descriptors: those that hold no connection are in handshakes. */
static void refuse_for_descriptors(struct conn *conn)
{
	uint64_t nofile = conn->worker->service->nofile;

	refuse(conn, REFUSAL_NOFILE, nofile, nofile);
}

/* --- ordinary requests --- */

static bool has_body(const struct request *request)
{
	struct slice value;

	return request->rest_len > 0 ||
	       http_field_find(request->head, request->data, "Content-Length", &value) > 0 ||
	       http_field_find(request->head, request->data, "Transfer-Encoding", &value) > 0;
}

static void serve_http(struct conn *conn, const struct request *request)
{
	const struct http_handler *handler = &conn->worker->service->handler;
	struct http_request ask = {
		.method = http_method(request->head, request->data),
		.path = http_path(request->head, request->data),
	};
	struct http_reply reply = {0};

	if (!conn->is_head && !slice_equals(ask.method, SLICE_LITERAL("GET"))) {
		reject(conn, 405, "Only GET and HEAD are served here.");
		return;
	}
	if (!handler->answer(handler->arg, &ask, &reply)) {
		buf_finish(&reply.body);
		reject(conn, 404, "There is nothing at this path.");
		return;
	}
	stat_add(&conn->worker->stats.http_requests, 1);
	answer(conn, &reply, has_body(request));
}

/* --- the upgrade --- */

enum subprotocol_result { SUBPROTOCOL_GO_ON, SUBPROTOCOL_CLOSE, SUBPROTOCOL_REJECTED };

static void reject_subprotocol(struct conn *conn, const struct config_tokens *ours)
{
	struct buf detail = {0};
	int r = buf_printf(&detail, HTTP_BODY_MAX,
			   "Sec-WebSocket-Protocol names none of the subprotocols that this route "
			   "speaks:");

	for (size_t i = 0; i < ours->count && r == 0; i++)
		r = buf_printf(&detail, HTTP_BODY_MAX, " %s%s", ours->items[i],
			       i + 1 < ours->count ? "," : ".");
	if (r == 0)
		r = buf_append(&detail, "", 1, HTTP_BODY_MAX);
	reject(conn, 400, r == 0 ? (const char *)detail.data : "No common subprotocol.");
	buf_finish(&detail);
}

static enum subprotocol_result choose_subprotocol(struct conn *conn, const struct request *request,
						  const struct config_route *route,
						  const char **out_name)
{
	size_t index;
	int found = ws_subprotocol_choose(request->head, request->data,
					  (const char *const *)route->subprotocols.items,
					  route->subprotocols.count, &index);

	*out_name = NULL;
	if (found < 0) {
		reject(conn, 400, "Sec-WebSocket-Protocol is malformed or names one twice.");
		return SUBPROTOCOL_REJECTED;
	}
	if (found > 0) {
		*out_name = route->subprotocols.items[index];
		return SUBPROTOCOL_GO_ON;
	}
	if (route->subprotocols.count == 0)
		return SUBPROTOCOL_GO_ON;
	switch (route->subprotocol_mismatch) {
	case CONFIG_MISMATCH_ACCEPT:
		return SUBPROTOCOL_GO_ON;
	case CONFIG_MISMATCH_CLOSE:
		return SUBPROTOCOL_CLOSE;
	case CONFIG_MISMATCH_REFUSE:
		break;
	}
	reject_subprotocol(conn, &route->subprotocols);
	return SUBPROTOCOL_REJECTED;
}

/* False: refused and answered. */
static bool admit(struct conn *conn)
{
	struct worker *worker = conn->worker;
	struct service *service = worker->service;
	uint64_t total = admission_current(service->admission);

	if (__atomic_load_n(&service->is_draining, __ATOMIC_RELAXED)) {
		refuse(conn, REFUSAL_DRAINING, total, 0);
		return false;
	}
	if (conn->is_reserve) {
		refuse_for_descriptors(conn);
		return false;
	}
	if (worker->stats.connections >= service->worker_connections) {
		refuse(conn, REFUSAL_NOFILE, worker->stats.connections,
		       service->worker_connections);
		return false;
	}
	if (!admission_enter(service->admission)) {
		refuse(conn, service->full, service->admission->max, service->admission->max);
		return false;
	}
	conn->is_counted = true;
	stat_add(&worker->stats.connections, 1);
	stat_add(&worker->stats.connections_accepted, 1);
	return true;
}

static int write_upgrade(struct conn *conn, struct slice key, const char *subprotocol)
{
	size_t size = 256 + (subprotocol == NULL ? 0 : strlen(subprotocol));
	uint8_t *to = tcp_reserve(&conn->tcp, size);

	if (to == NULL)
		return -1;
	size_t len = ws_response_write((char *)to, size, key, subprotocol);

	CHECK(len > 0);
	tcp_commit(&conn->tcp, len);
	return 0;
}

static void upgrade(struct conn *conn, const struct request *request,
		    const struct ws_upgrade *wanted)
{
	const char *subprotocol;
	enum subprotocol_result choice = choose_subprotocol(conn, request, conn->route->config,
							    &subprotocol);

	if (choice == SUBPROTOCOL_REJECTED || !admit(conn))
		return;
	if (write_upgrade(conn, wanted->key, subprotocol) < 0) {
		conn_cut(conn, CLOSE_NO_MEMORY);
		return;
	}
	uint32_t now_us = (uint32_t)(loop_now(conn->worker->loop) / NS_PER_US);

	stats_record_handshake(&conn->worker->stats,
			       (uint64_t)(uint32_t)(now_us - conn->message_ms) * NS_PER_US);
	conn_ws_start(conn);
	if (choice == SUBPROTOCOL_CLOSE)
		conn_ws_close(conn, CLOSE_NO_SUBPROTOCOL);
	if (request->rest_len > 0)
		conn_ws_recv(conn, request->rest, request->rest_len);
}

/* Finds the route, or answers what is wrong with the path. */
static bool find_route(struct conn *conn, const struct request *request)
{
	const struct route_table *routes = conn->worker->service->routes;
	struct route_match match;
	enum route_result r = routes == NULL
				      ? ROUTE_NONE
				      : route_table_match(routes,
							  http_path(request->head, request->data),
							  &match);

	switch (r) {
	case ROUTE_NONE:
		reject(conn, 404, "No route has this path.");
		return false;
	case ROUTE_BAD_ID:
		reject(conn, 400, match.problem);
		return false;
	case ROUTE_NO_MEMORY:
		refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	case ROUTE_FOUND:
		break;
	}
	conn->route = match.route;
	conn->session.client_id = match.client_id;
	if (match.client_id == NULL ||
	    utf8_is_valid((const uint8_t *)match.client_id, strlen(match.client_id)))
		return true;
	reject(conn, 400, "The client id is not UTF-8.");
	return false;
}

static bool is_route_path(const struct conn *conn, struct slice path)
{
	struct route_match match = {0};

	if (conn->worker->service->routes == NULL)
		return false;
	enum route_result r = route_table_match(conn->worker->service->routes, path, &match);

	if (r == ROUTE_FOUND)
		free(match.client_id);
	return r != ROUTE_NONE;
}

static void on_request(struct conn *conn, const struct request *request)
{
	struct ws_upgrade wanted;
	struct http_error error;

	conn->is_head = slice_equals(http_method(request->head, request->data),
				     SLICE_LITERAL("HEAD"));
	switch (ws_upgrade_check(request->head, request->data, &wanted, &error)) {
	case WS_UPGRADE_ERROR:
		reject(conn, error.status, error.detail);
		return;
	case WS_UPGRADE_NONE:
		if (is_route_path(conn, http_path(request->head, request->data)))
			reject(conn, 426, "This path speaks WebSocket: ask for an upgrade.");
		else
			serve_http(conn, request);
		return;
	case WS_UPGRADE_OK:
		if (find_route(conn, request))
			upgrade(conn, request, &wanted);
		return;
	}
}

/* --- bytes --- */

static const struct http_limits *limits = &http_limits_default;

static void take_rest_of_head(struct conn *conn, const uint8_t *data, size_t len)
{
	struct head_rx *rx = pool_get(&conn->worker->heads);

	if (rx == NULL) {
		tcp_close(&conn->tcp);
		return;
	}
	*rx = (struct head_rx){.head = conn->worker->head};
	stat_add(&conn->worker->stats.partial, 1);
	conn->head = rx;
	if (buf_append(&rx->bytes, data, len, PIPELINED_MAX) < 0)
		tcp_close(&conn->tcp);
}

static void release_head(struct worker *worker, struct head_rx *rx)
{
	if (rx == NULL)
		return;
	stat_sub(&worker->stats.partial, 1);
	buf_finish(&rx->bytes);
	pool_put(&worker->heads, rx);
}

void conn_http_release(struct conn *conn)
{
	release_head(conn->worker, conn->head);
	conn->head = NULL;
}

/* Parses what is there. A good request is handled while `data` lives, whoever owns
 * it. */
static enum http_result parse(struct conn *conn, struct http_head *head, uint8_t *data, size_t len)
{
	size_t used;
	struct http_error error;
	enum http_result r = http_head_parse(head, limits, data, len, &used, &error);

	if (r == HTTP_BAD)
		reject(conn, error.status, error.detail);
	if (r == HTTP_OK)
		on_request(conn, &(struct request){head, data, data + used, len - used});
	return r;
}

void conn_http_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct worker *worker = conn->worker;
	struct head_rx *rx = conn->head;

	if (rx == NULL) {
		http_head_init(&worker->head, HTTP_REQUEST);
		if (parse(conn, &worker->head, data, len) == HTTP_MORE)
			take_rest_of_head(conn, data, len);
		return;
	}
	if (buf_append(&rx->bytes, data, len, PIPELINED_MAX) < 0) {
		tcp_close(&conn->tcp);
		return;
	}
	/* The same place holds the frames once the connection is upgraded. */
	conn->head = NULL;
	if (parse(conn, &rx->head, rx->bytes.data, rx->bytes.len) == HTTP_MORE)
		conn->head = rx;
	else
		release_head(worker, rx);
}

void conn_http_drain(struct conn *conn)
{
	conn_http_release(conn);
	refuse(conn, REFUSAL_DRAINING, conn->worker->stats.connections, 0);
}

void conn_http_timeout(struct conn *conn)
{
	bool has_head = conn->head != NULL;

	stat_add(&conn->worker->stats.handshake_timeouts, 1);
	conn_http_release(conn);
	if (conn->is_reserve)
		refuse_for_descriptors(conn);
	else if (!has_head)
		tcp_close(&conn->tcp);
	else
		reject(conn, 408, "The request was not complete within server.handshake_timeout.");
}
