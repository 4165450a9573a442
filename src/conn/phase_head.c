/* SPDX-License-Identifier: Apache-2.0
 * phase_head.c - the request: read, answered, refused or upgraded.
 *
 * A head that arrives whole is parsed where it lies; one in pieces is gathered in what the
 * connection borrows. While a request is dealt with, nothing of that is the connection's: the
 * phase may end meanwhile.
 *
 * After an answer the connection may be kept, and is in this phase again (keep.h). As long as
 * that answer waits to be sent, further requests are held; then they are dealt with. */
#include "conn/phase_head.h"

#include <stdlib.h>

#include "proto/tls_hello.h"
#include "conn/hull.h"
#include "conn/keep.h"
#include "conn/leave.h"
#include "conn/phase_body.h"
#include "conn/phase_end.h"
#include "conn/proxied.h"
#include "conn/refuse.h"
#include "conn/reply.h"
#include "conn/request.h"
#include "conn/tls_end.h"
#include "conn/upgrade.h"
#include "io/tcp_tls.h"

/* Does the answer before wait to be sent? No request is dealt with until it is. */
static bool is_answering(const struct conn *conn)
{
	return tcp_queued(&conn->tcp) > 0;
}

/* --- ordinary requests --- */

static bool is_route_path(const struct conn *conn, struct slice path)
{
	struct route_match match = {0};

	if (conn_home_routes(conn->home) == NULL)
		return false;
	enum route_result r = route_table_match(conn_home_routes(conn->home), path, &match);

	if (r == ROUTE_FOUND)
		free(match.client_id);
	return r != ROUTE_NONE;
}

/* What the gateway answers itself comes before any route: /health is health, also with
 * a route /{client_id}. */
static void serve_http(struct conn *conn, const struct conn_request *request)
{
	const struct http_handler *handler = &conn->home->service->handler;
	struct http_request ask = conn_ask_of(conn, request->head, request->data);
	struct http_reply reply = {0};
	bool has_body = http_request_body(request->head, request->data).kind != HTTP_BODY_NONE;

	if (has_body)
		conn->is_persistent = false; /* nobody reads it */
	bool is_answered = handler->answer(handler->arg, &ask, &reply);

	/* Taken: the answer comes later, or has come already, and the connection was kept. */
	if (conn->phase != CONN_HEAD || is_answering(conn)) {
		buf_finish(&reply.body);
		return;
	}
	if (!is_answered && http_request_is_options(&ask)) {
		http_reply_options(&reply, "GET, HEAD, OPTIONS");
		is_answered = true;
	}
	if (is_answered) {
		stat_add(&conn->home->stats.http_requests, 1);
		conn_answer(conn, &reply, has_body || request->rest_len > 0);
		return;
	}
	buf_finish(&reply.body);
	if (is_route_path(conn, ask.path))
		conn_reject(conn, 426, "upgrade_required",
			    "This path speaks WebSocket: ask for an upgrade.");
	else if (conn_home_routes(conn->home) != NULL && !http_request_is_read(&ask))
		conn_reject(conn, 405, "method", "Only GET, HEAD and OPTIONS are served here.");
	else
		conn_reject(conn, 404, "no_such_path", "There is nothing at this path.");
}

/* --- requests --- */

static void on_request(struct conn *conn, struct conn_request *request)
{
	bool is_persistent = !conn->is_reserve && http_is_persistent(request->head, request->data);
	struct ws_upgrade wanted;
	struct http_error error;

	conn->is_head = slice_equals(http_method(request->head, request->data),
				     SLICE_LITERAL("HEAD"));
	switch (ws_upgrade_check(request->head, request->data, &wanted, &error)) {
	case WS_UPGRADE_ERROR:
		conn_reject(conn, error.status, "handshake", error.detail);
		return;
	case WS_UPGRADE_NONE:
		conn->is_persistent = is_persistent;
		if (!conn_body_begin(conn, request))
			serve_http(conn, request);
		return;
	case WS_UPGRADE_OK:
		if (conn->is_kept)
			conn_timer_start(conn, conn_limits(conn)->handshake_timeout);
		conn_leave_kept(conn);
		if (!conn_believe_told(conn, request))
			return;
		conn_believe_forwarded(conn, request);
		conn_upgrade(conn, request, &wanted);
		return;
	}
}

/* --- bytes --- */

static const struct http_limits *limits = &http_limits_default;

/* Is there anything of a request but empty lines? */
static bool is_begun(const struct http_head *head)
{
	return head->has_start_line || head->scanned > head->line_at;
}

/* The request is not complete. From its first bytes on there is a time limit for it; for the
 * first request of a connection it runs already. */
static void wait_for_rest(struct conn *conn, struct head_rx *rx, bool was_begun)
{
	conn_head(conn)->rx = rx;
	if (conn->is_kept && !was_begun && is_begun(&rx->head))
		conn_timer_start(conn, conn_limits(conn)->handshake_timeout);
}

static void reject_head(struct conn *conn, const struct http_error *error, const uint8_t *data,
			size_t len)
{
	if (conn_is_proxy_header(data, len)) {
		conn_reject(conn, 400, "trusted_proxies",
			    "This is a PROXY protocol header, but its sender is not in "
			    "server.trusted_proxies.");
	} else if (tls_is_hello(data, len)) {
		stat_add(&conn->home->stats.tls_hellos, 1);
		conn_reject(conn, 400, "tls",
			    "This is TLS, but here plain HTTP is spoken: connect with ws: instead "
			    "of wss:, or to what ends TLS in front of the gateway.");
	} else {
		conn_reject(conn, error->status, "bad_request", error->detail);
	}
}

/* What came behind a request, unless whoever deals with it has taken that: further requests,
 * if the connection goes on. */
static void rest_hold(struct conn *conn, const struct conn_request *request)
{
	if (request->rest_len == 0)
		return;
	if (conn->phase == CONN_HEAD)
		conn_next_add(conn, &conn_head(conn)->rx, request->rest, request->rest_len);
	else if (conn->phase == CONN_ANSWER)
		conn_body_more(conn, request->rest, request->rest_len);
}

/* Parses what is there. A good request is handled while `data` lives, whoever owns it.
 * *out_skipped bytes of a PROXY header are dealt with: the head's bytes begin behind. */
static enum http_result parse(struct conn *conn, struct http_head *head, uint8_t *data, size_t len,
			      size_t *out_skipped)
{
	size_t used;
	struct http_error error;

	*out_skipped = 0;
	if (conn->may_have_proxy) {
		enum http_result r = conn_proxy_header_take(conn, data, len, out_skipped);

		if (r != HTTP_OK)
			return r;
		data += *out_skipped;
		len -= *out_skipped;
	}
	enum http_result r = http_head_parse(head, limits, data, len, &used, &error);

	struct conn_request request = {.head = head, .data = data};
	struct conn_home *home = conn->home;

	home->request = &request;
	if (r == HTTP_BAD)
		reject_head(conn, &error, data, len);
	if (r == HTTP_OK) {
		request.rest = data + used;
		request.rest_len = len - used;
		on_request(conn, &request);
		rest_hold(conn, &request);
	}
	home->request = NULL;
	return r;
}

static void take_whole(struct conn *conn, uint8_t *data, size_t len)
{
	struct conn_home *home = conn->home;
	size_t skipped;

	http_head_init(&home->head, HTTP_REQUEST);
	if (parse(conn, &home->head, data, len, &skipped) != HTTP_MORE)
		return;
	struct head_rx *rx = head_rx_create(home);

	if (rx == NULL || head_rx_add(rx, data + skipped, len - skipped) < 0) {
		head_rx_destroy(home, rx);
		conn_close(conn);
		return;
	}
	rx->head = home->head;
	wait_for_rest(conn, rx, false);
}

/* `rx` has more than when it was last looked at. */
static void take_more(struct conn *conn, struct head_rx *rx)
{
	bool was_begun = is_begun(&rx->head);
	size_t skipped;

	if (parse(conn, &rx->head, rx->bytes.data, rx->bytes.len, &skipped) == HTTP_MORE) {
		buf_consume(&rx->bytes, skipped);
		wait_for_rest(conn, rx, was_begun);
	} else {
		head_rx_destroy(conn->home, rx);
	}
}

static void take_piece(struct conn *conn, struct head_rx *rx, const uint8_t *data, size_t len)
{
	if (head_rx_add(rx, data, len) == 0) {
		take_more(conn, rx);
		return;
	}
	head_rx_destroy(conn->home, rx);
	conn_close(conn);
}

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct conn_head_part *part = conn_head(conn);
	struct head_rx *rx = part->rx;

	if (is_answering(conn)) {
		conn_next_add(conn, &part->rx, data, len);
		return;
	}
	if (conn->is_kept && rx == NULL)
		part->accepted_us = conn_now_us(conn);
	part->rx = NULL;
	if (rx == NULL)
		take_whole(conn, data, len);
	else
		take_piece(conn, rx, data, len);
}

/* --- the phase --- */

/* The answer before is with the kernel. */
static void on_drained(struct conn *conn)
{
	struct conn_head_part *part = conn_head(conn);
	struct head_rx *rx = part->rx;

	if (rx != NULL) {
		part->rx = NULL;
		part->accepted_us = conn_now_us(conn);
		tcp_read_start(&conn->tcp);
		take_more(conn, rx);
	}
	if (conn->phase == CONN_HEAD && conn->has_eof && !is_answering(conn))
		conn_close(conn);
}

/* A client may half-close behind its request, and wait. */
static void on_eof(struct conn *conn)
{
	if (!is_answering(conn))
		conn_close(conn);
}

static void reject_late(struct conn *conn, const struct head_rx *rx)
{
	struct conn_home *home = conn->home;

	home->request = &(struct conn_request){.head = &rx->head, .data = rx->bytes.data};
	conn_reject(conn, 408, "timeout",
		    "The request was not complete within server.handshake_timeout.");
	home->request = NULL;
}

static void on_timeout(struct conn *conn)
{
	const struct head_rx *rx = conn_head(conn)->rx;
	bool is_idle = is_answering(conn) || rx == NULL || (conn->is_kept && !is_begun(&rx->head));

	conn_tls_late(conn);
	if (!conn->is_kept || !is_idle)
		conn_count_timeout(conn);
	if (conn->is_reserve)
		conn_refuse_for_descriptors(conn);
	else if (is_idle)
		conn_close(conn);
	else
		reject_late(conn, rx);
}

/* It waits for its next request, of which nothing has come. */
static bool is_between(struct conn *conn)
{
	const struct head_rx *rx = conn_head(conn)->rx;

	return conn->is_kept && (rx == NULL || !is_begun(&rx->head));
}

void conn_end_kept(struct conn *conn)
{
	if (conn->phase == CONN_HEAD && is_between(conn))
		conn_flush_and_close(conn);
}

/* One that waits for its next request is not told anything: it asked for nothing. */
static void on_drain(struct conn *conn)
{
	if (tcp_is_sealed(&conn->tcp) && !tcp_is_secured(&conn->tcp)) {
		conn_close(conn); /* an answer would wait for its handshake */
		return;
	}
	if (is_between(conn))
		conn_flush_and_close(conn);
	else
		conn_refuse(conn, REFUSAL_DRAINING, conn->home->stats.connections, 0);
}

static size_t on_held(const struct conn *conn)
{
	const struct head_rx *rx = conn->part.head.rx;

	return rx == NULL ? 0 : rx->bytes.cap;
}

static void on_release(struct conn *conn)
{
	head_rx_destroy(conn->home, conn_head(conn)->rx);
	conn_head(conn)->rx = NULL;
}

const struct conn_phase phase_head = {
	.name = "head",
	.next = CONN_PHASE_BIT(CONN_BODY) | CONN_PHASE_BIT(CONN_ANSWER) |
		CONN_PHASE_BIT(CONN_PROVING) | CONN_PHASE_BIT(CONN_ASKING) |
		CONN_PHASE_BIT(CONN_OPEN) | CONN_PHASE_BIT(CONN_REFUSING) |
		CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = on_eof,
	.preamble = conn_proxy_preamble,
	.tls_failed = conn_tls_answer,
	.drained = on_drained,
	.timeout = on_timeout,
	.drain = on_drain,
	.held = on_held,
	.shed = conn_refuse_for_memory,
	.release = on_release,
};
