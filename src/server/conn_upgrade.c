/* SPDX-License-Identifier: Apache-2.0
 * conn_upgrade.c - a request for a WebSocket: its route, its place, its answer. */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proto/utf8.h"
#include "server/conn.h"

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
	conn_reject(conn, 400, r == 0 ? (const char *)detail.data : "No common subprotocol.");
	buf_finish(&detail);
}

static enum subprotocol_result choose_subprotocol(struct conn *conn,
						  const struct conn_request *request,
						  const struct config_route *route,
						  const char **out_name)
{
	size_t index;
	int found = ws_subprotocol_choose(request->head, request->data,
					  (const char *const *)route->subprotocols.items,
					  route->subprotocols.count, &index);

	*out_name = NULL;
	if (found < 0) {
		conn_reject(conn, 400, "Sec-WebSocket-Protocol is malformed or names one twice.");
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

static bool enter_address(struct conn *conn)
{
	struct address_limit *limit = conn->worker->service->address_limit;
	int r = limit == NULL ? 0 : address_limit_enter(limit, &conn->client);

	conn->has_address_place = limit != NULL && r == 0;
	if (r == -EUSERS)
		conn_refuse(conn, REFUSAL_MAX_CONNECTIONS_PER_IP, address_limit_max(limit),
			    address_limit_max(limit));
	else if (r < 0)
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
	return r == 0;
}

/* Room in the gateway and in this worker. */
static bool enter_gateway(struct conn *conn)
{
	struct worker *worker = conn->worker;
	struct service *service = worker->service;

	if (worker->stats.connections >= service->worker_connections) {
		conn_refuse(conn, REFUSAL_NOFILE, worker->stats.connections,
			    service->worker_connections);
		return false;
	}
	if (!admission_enter(service->admission)) {
		conn_refuse(conn, service->full, service->admission->max, service->admission->max);
		return false;
	}
	conn->is_counted = true;
	stat_add(&worker->stats.connections, 1);
	return true;
}

static bool take_from_rate(struct conn *conn)
{
	struct service *service = conn->worker->service;
	uint64_t wait_ns;

	if (accept_rate_take(&service->accept_rate, loop_now(conn->worker->loop), &wait_ns))
		return true;
	conn_refuse(conn, REFUSAL_ACCEPT_RATE, service->limits->accept_rate,
		    service->limits->accept_rate);
	return false;
}

void conn_leave(struct conn *conn)
{
	struct worker *worker = conn->worker;

	if (conn->has_address_place)
		address_limit_leave(worker->service->address_limit, &conn->client);
	conn->has_address_place = false;
	if (!conn->is_counted)
		return;
	conn->is_counted = false;
	stat_sub(&worker->stats.connections, 1);
	admission_leave(worker->service->admission);
}

/* False: refused and answered. The rate comes last: whoever finds no place anyway takes
 * nothing of it. */
static bool admit(struct conn *conn)
{
	struct worker *worker = conn->worker;
	struct service *service = worker->service;
	uint64_t total = admission_current(service->admission);

	if (__atomic_load_n(&service->is_draining, __ATOMIC_RELAXED)) {
		conn_refuse(conn, REFUSAL_DRAINING, total, 0);
		return false;
	}
	if (!__atomic_load_n(&service->is_ready, __ATOMIC_ACQUIRE)) {
		conn_refuse(conn, REFUSAL_STARTING, total, 0);
		return false;
	}
	if (conn->is_reserve) {
		conn_refuse_for_descriptors(conn);
		return false;
	}
	if (!enter_address(conn) || !enter_gateway(conn) || !take_from_rate(conn)) {
		conn_leave(conn);
		return false;
	}
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

static void upgrade(struct conn *conn, const struct conn_request *request,
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
static bool find_route(struct conn *conn, const struct conn_request *request)
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
		conn_reject(conn, 404, "No route has this path.");
		return false;
	case ROUTE_BAD_ID:
		conn_reject(conn, 400, match.problem);
		return false;
	case ROUTE_NO_MEMORY:
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
		return false;
	case ROUTE_FOUND:
		break;
	}
	conn->route = match.route;
	conn->session.client_id = match.client_id;
	if (match.client_id == NULL ||
	    utf8_is_valid((const uint8_t *)match.client_id, strlen(match.client_id)))
		return true;
	conn_reject(conn, 400, "The client id is not UTF-8.");
	return false;
}

void conn_upgrade(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted)
{
	if (find_route(conn, request))
		upgrade(conn, request, wanted);
}
