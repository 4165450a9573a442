/* SPDX-License-Identifier: Apache-2.0
 * phase_head.c - the request: read, answered, refused or upgraded.
 *
 * A head that arrives whole is parsed where it lies; one in pieces is gathered in what the
 * connection borrows. While a request is dealt with, nothing of that is the connection's: the
 * phase may end meanwhile. */
#include "conn/phase_head.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/forwarded.h"
#include "proto/proxy_header.h"
#include "proto/tls_hello.h"
#include "conn/hull.h"
#include "conn/phase_body.h"
#include "conn/refuse.h"
#include "conn/reply.h"
#include "conn/request.h"
#include "conn/upgrade.h"

/* Of a head that came in pieces, and of the frames that a client may send right behind
 * it: the head itself has its own, smaller limit. */
#define PIPELINED_MAX 262144

/* --- ordinary requests --- */

static bool has_body(const struct conn_request *request)
{
	return request->rest_len > 0 ||
	       http_has_field(request->head, request->data, "Content-Length") ||
	       http_has_field(request->head, request->data, "Transfer-Encoding");
}

static bool is_route_path(const struct conn *conn, struct slice path)
{
	struct route_match match = {0};

	if (conn->home->service->routes == NULL)
		return false;
	enum route_result r = route_table_match(conn->home->service->routes, path, &match);

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
	bool is_answered = handler->answer(handler->arg, &ask, &reply);

	if (conn->phase != CONN_HEAD) {
		buf_finish(&reply.body); /* taken: the answer comes later */
		return;
	}
	if (is_answered) {
		stat_add(&conn->home->stats.http_requests, 1);
		conn_answer(conn, &reply, has_body(request));
		return;
	}
	buf_finish(&reply.body);
	if (is_route_path(conn, ask.path))
		conn_reject(conn, 426, "This path speaks WebSocket: ask for an upgrade.");
	else if (conn->home->service->routes != NULL && !http_request_is_read(&ask))
		conn_reject(conn, 405, "Only GET and HEAD are served here.");
	else
		conn_reject(conn, 404, "There is nothing at this path.");
}

/* --- whom a proxy in front speaks for --- */

static void client_set(struct conn *conn, const struct net_ip *ip, uint16_t port)
{
	if (net_ip_equals(&conn->client, ip))
		return;
	conn->is_proxied = true;
	conn->client = *ip;
	conn->client_port = port;
}

static void believe_forwarded(struct conn *conn, const struct conn_request *request)
{
	const struct config_prefixes *proxies = &conn_limits(conn)->trusted_proxies;

	if (!conn_client_is_trusted(conn))
		return;
	struct net_ip ip = forwarded_client(request->head, request->data, &conn->client,
					    proxies->items, proxies->count);

	client_set(conn, &ip, 0);
}

/* What a trusted proxy may send before the request. HTTP_OK: *out_used bytes of it, or
 * none, and the request follows. */
static enum http_result proxy_header_take(struct conn *conn, const uint8_t *data, size_t len,
					  size_t *out_used)
{
	struct proxy_header header;
	const char *error;
	char detail[256];

	*out_used = 0;
	switch (proxy_header_parse(data, len, &header, out_used, &error)) {
	case PROXY_MORE:
		return HTTP_MORE;
	case PROXY_BAD:
		snprintf(detail, sizeof(detail), "The PROXY header %s.", error);
		conn_reject(conn, 400, detail);
		return HTTP_BAD;
	case PROXY_OK:
		if (header.has_source) {
			struct net_ip ip = net_ip_of(&header.source);

			client_set(conn, &ip, net_addr_port(&header.source));
		}
		break;
	case PROXY_ABSENT:
		break;
	}
	conn->may_have_proxy = false;
	return HTTP_OK;
}

/* Bytes that are no request, but would be good ones from a trusted proxy. */
static bool is_untrusted_proxy(const uint8_t *data, size_t len)
{
	struct proxy_header header;
	const char *error;
	size_t used;

	return proxy_header_parse(data, len, &header, &used, &error) == PROXY_OK;
}

/* --- requests --- */

static void on_request(struct conn *conn, const struct conn_request *request)
{
	struct ws_upgrade wanted;
	struct http_error error;

	conn->is_head = slice_equals(http_method(request->head, request->data),
				     SLICE_LITERAL("HEAD"));
	switch (ws_upgrade_check(request->head, request->data, &wanted, &error)) {
	case WS_UPGRADE_ERROR:
		conn_reject(conn, error.status, error.detail);
		return;
	case WS_UPGRADE_NONE:
		if (!conn_body_begin(conn, request))
			serve_http(conn, request);
		return;
	case WS_UPGRADE_OK:
		believe_forwarded(conn, request);
		conn_upgrade(conn, request, &wanted);
		return;
	}
}

/* --- bytes --- */

static const struct http_limits *limits = &http_limits_default;

static void release_rx(struct conn_home *home, struct head_rx *rx)
{
	stat_sub(&home->stats.partial, 1);
	buf_finish(&rx->bytes);
	pool_put(&home->head_pool, rx);
}

static void take_rest_of_head(struct conn *conn, const uint8_t *data, size_t len)
{
	struct head_rx *rx = pool_get(&conn->home->head_pool);

	if (rx == NULL) {
		conn_close(conn);
		return;
	}
	*rx = (struct head_rx){.head = conn->home->head};
	stat_add(&conn->home->stats.partial, 1);
	conn_head(conn)->rx = rx;
	if (buf_append(&rx->bytes, data, len, PIPELINED_MAX) < 0)
		conn_close(conn);
}

static void reject_head(struct conn *conn, const struct http_error *error, const uint8_t *data,
			size_t len)
{
	if (is_untrusted_proxy(data, len)) {
		conn_reject(conn, 400,
			    "This is a PROXY protocol header, but its sender is not in "
			    "server.trusted_proxies.");
	} else if (tls_is_hello(data, len)) {
		stat_add(&conn->home->stats.tls_hellos, 1);
		conn_reject(conn, 400,
			    "This is TLS, but here plain HTTP is spoken: connect with ws: instead "
			    "of wss:, or to what ends TLS in front of the gateway.");
	} else {
		conn_reject(conn, error->status, error->detail);
	}
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
		enum http_result r = proxy_header_take(conn, data, len, out_skipped);

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
	}
	home->request = NULL;
	return r;
}

static void take_whole(struct conn *conn, uint8_t *data, size_t len)
{
	struct http_head *head = &conn->home->head;
	size_t skipped;

	http_head_init(head, HTTP_REQUEST);
	if (parse(conn, head, data, len, &skipped) == HTTP_MORE)
		take_rest_of_head(conn, data + skipped, len - skipped);
}

static void take_piece(struct conn *conn, struct head_rx *rx, const uint8_t *data, size_t len)
{
	struct conn_home *home = conn->home;
	size_t skipped;

	if (buf_append(&rx->bytes, data, len, PIPELINED_MAX) < 0) {
		conn_close(conn);
		release_rx(home, rx);
	} else if (parse(conn, &rx->head, rx->bytes.data, rx->bytes.len, &skipped) == HTTP_MORE) {
		buf_consume(&rx->bytes, skipped);
		conn_head(conn)->rx = rx;
	} else {
		release_rx(home, rx);
	}
}

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct head_rx *rx = conn_head(conn)->rx;

	conn_head(conn)->rx = NULL;
	if (rx == NULL)
		take_whole(conn, data, len);
	else
		take_piece(conn, rx, data, len);
}

/* --- the phase --- */

static void on_timeout(struct conn *conn)
{
	struct conn_home *home = conn->home;
	const struct head_rx *rx = conn_head(conn)->rx;

	stat_add(&home->stats.handshake_timeouts, 1);
	if (conn->is_reserve) {
		conn_refuse_for_descriptors(conn);
	} else if (rx == NULL) {
		conn_close(conn);
	} else {
		home->request = &(struct conn_request){.head = &rx->head, .data = rx->bytes.data};
		conn_reject(conn, 408,
			    "The request was not complete within server.handshake_timeout.");
		home->request = NULL;
	}
}

static void on_drain(struct conn *conn)
{
	conn_refuse(conn, REFUSAL_DRAINING, conn->home->stats.connections, 0);
}

static size_t on_held(const struct conn *conn)
{
	const struct head_rx *rx = conn->part.head.rx;

	return rx == NULL ? 0 : rx->bytes.cap;
}

static void on_release(struct conn *conn)
{
	struct head_rx *rx = conn_head(conn)->rx;

	conn_head(conn)->rx = NULL;
	if (rx != NULL)
		release_rx(conn->home, rx);
}

const struct conn_phase phase_head = {
	.name = "head",
	.next = CONN_PHASE_BIT(CONN_BODY) | CONN_PHASE_BIT(CONN_ANSWER) |
		CONN_PHASE_BIT(CONN_ASKING) | CONN_PHASE_BIT(CONN_OPEN) |
		CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = conn_close,
	.timeout = on_timeout,
	.drain = on_drain,
	.held = on_held,
	.shed = conn_refuse_for_memory,
	.release = on_release,
};
