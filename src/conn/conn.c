/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/conn.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

/* The last descriptor answers one client after the other why it is refused. What they
 * asked waits in the socket already, as a rule; a silent one may not keep the others. */
#define RESERVE_PATIENCE_MS UINT64_C(50)

uint32_t conn_now_ms(const struct conn *conn)
{
	return (uint32_t)(loop_now(conn->home->loop) / NS_PER_MS);
}

void conn_timer_start(struct conn *conn, uint64_t delay_ms)
{
	loop_timer_start(conn->home->loop, &conn->timer, delay_ms * NS_PER_MS);
}

void conn_set_reason(struct conn *conn, enum close_reason reason)
{
	if (conn->has_reason)
		return;
	conn->has_reason = true;
	conn->reason = (uint8_t)reason;
}

void conn_cut(struct conn *conn, enum close_reason reason)
{
	conn_set_reason(conn, reason);
	conn_depart(conn);
	tcp_close(&conn->tcp);
}

static void start_end_timer(struct conn *conn)
{
	conn_timer_start(conn, conn->is_reserve ? RESERVE_PATIENCE_MS
						: conn->home->service->limits->close_timeout);
}

void conn_flush_and_close(struct conn *conn)
{
	conn_depart(conn);
	conn->state = CONN_FLUSH;
	if (tcp_queued(&conn->tcp) == 0)
		tcp_close(&conn->tcp);
	else
		start_end_timer(conn);
}

void conn_linger(struct conn *conn)
{
	if (conn->has_eof) {
		conn_flush_and_close(conn);
		return;
	}
	conn_depart(conn);
	conn->state = CONN_LINGER;
	tcp_shutdown(&conn->tcp);
	tcp_read_start(&conn->tcp);
	start_end_timer(conn);
}

static struct conn *conn_of(struct tcp *tcp)
{
	return CONTAINER_OF(tcp, struct conn, tcp);
}

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	struct conn *conn = conn_of(tcp);

	switch ((enum conn_state)conn->state) {
	case CONN_HEAD:
		conn_http_recv(conn, data, len);
		break;
	case CONN_BODY:
	case CONN_ANSWER:
		conn_later_recv(conn, data, len);
		break;
	case CONN_ASKING:
		conn_asking_recv(conn, data, len);
		break;
	case CONN_OPEN:
	case CONN_CLOSING:
		conn_ws_recv(conn, data, len);
		break;
	case CONN_FLUSH:
	case CONN_LINGER:
		break;
	}
}

/* What we still have to say goes out: a client may half-close and wait for it. */
static void on_eof(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);

	conn->has_eof = true;
	if (conn->is_stalled)
		return; /* what it sent before is still held: conn_ws_drained goes on */
	conn_set_reason(conn, CLOSE_EOF);
	if (conn->state == CONN_HEAD || conn->state == CONN_BODY)
		tcp_close(tcp);
	else if (conn->state == CONN_ASKING)
		conn_asking_cancel(conn, CLOSE_EOF);
	else if (conn->state != CONN_ANSWER)
		conn_flush_and_close(conn);
}

static void on_error(struct tcp *tcp, int error)
{
	(void)error;
	struct conn *conn = conn_of(tcp);

	if (conn->state == CONN_ASKING)
		conn_asking_cancel(conn, CLOSE_RESET);
	else
		conn_cut(conn, CLOSE_RESET);
}

static void on_drain(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);

	if (conn->state == CONN_FLUSH)
		tcp_close(tcp);
	else if (conn->state == CONN_OPEN)
		conn_ws_drained(conn);
}

static void on_timer(struct timer *timer)
{
	struct conn *conn = CONTAINER_OF(timer, struct conn, timer);

	switch ((enum conn_state)conn->state) {
	case CONN_HEAD:
		conn_http_timeout(conn);
		break;
	case CONN_BODY:
	case CONN_ANSWER:
		conn_later_timeout(conn);
		break;
	case CONN_ASKING:
		conn_asking_timeout(conn);
		break;
	case CONN_OPEN:
		conn_ws_timeout(conn);
		break;
	case CONN_CLOSING:
	case CONN_FLUSH:
	case CONN_LINGER:
		tcp_close(&conn->tcp);
		break;
	}
}

static void count_end(struct conn *conn)
{
	struct stats *stats = &conn->home->stats;
	char client[CONN_CLIENT_TEXT_MAX];

	stat_sub(&stats->sockets, 1);
	if (!conn->is_counted)
		return;
	stat_add(&stats->connections_closed[conn->reason], 1);
	conn_leave(conn);
	log_debug("connection closed", F_TEXT("reason", close_table[conn->reason].label),
		  F_TEXT("client", conn_client_text(conn, client)),
		  F_TEXT("route", presence_route_name(conn->session.presence)),
		  F_TEXT("client_id", conn->session.presence->client_id),
		  F_UINT("connection_id", conn->session.presence->connection_id));
}

static void on_closed(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);
	struct conn_home *home = conn->home;

	if (conn->state == CONN_HEAD)
		conn_http_release(conn);
	else if (conn->state == CONN_BODY || conn->state == CONN_ANSWER)
		conn_later_release(conn);
	else if (conn->state == CONN_ASKING)
		conn_asking_release(conn);
	else
		conn_ws_release(conn);
	loop_timer_stop(home->loop, &conn->timer);
	conn_depart(conn);
	count_end(conn);
	if (conn->has_presence)
		presence_unref(&conn->session.presence);
	pool_put(&home->conn_pool, conn);
	home->on_gone(home);
}

static const struct tcp_handler handler = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_error = on_error,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

struct net_ip conn_client(const struct conn *conn)
{
	return conn->has_presence ? presence_remote(conn->session.presence) : conn->client;
}

char *conn_client_text(const struct conn *conn, char out[CONN_CLIENT_TEXT_MAX])
{
	char ip[NET_IP_TEXT_MAX];
	struct net_ip client = conn_client(conn);
	bool is_v4 = net_ip_is_v4(&client);

	net_ip_format(&client, ip, sizeof(ip));
	if (conn->client_port == 0)
		snprintf(out, CONN_CLIENT_TEXT_MAX, "%s", ip);
	else
		snprintf(out, CONN_CLIENT_TEXT_MAX, is_v4 ? "%s:%u" : "[%s]:%u", ip,
			 conn->client_port);
	return out;
}

bool conn_client_is_trusted(const struct conn *conn)
{
	const struct config_prefixes *proxies = &conn->home->service->limits->trusted_proxies;
	struct net_ip client = conn_client(conn);

	for (size_t i = 0; i < proxies->count; i++)
		if (net_prefix_has(&proxies->items[i], &client))
			return true;
	return false;
}

struct conn *conn_begin(struct conn_home *home, const struct tcp_accepted *accepted)
{
	struct conn *conn = pool_get(&home->conn_pool);

	if (conn == NULL)
		return NULL;
	*conn = (struct conn){.home = home, .state = CONN_HEAD};
	conn->is_reserve = accepted->is_reserve;
	conn->client = net_ip_of(&accepted->remote);
	conn->client_port = net_addr_port(&accepted->remote);
	conn->may_have_proxy = conn_client_is_trusted(conn);
	conn->message_ms = (uint32_t)(loop_now(home->loop) / NS_PER_US);
	loop_timer_init(&conn->timer, on_timer);
	conn_timer_start(conn, accepted->is_reserve ? RESERVE_PATIENCE_MS
						    : home->service->limits->handshake_timeout);
	stat_add(&home->stats.sockets, 1);
	stat_add(&home->stats.sockets_accepted, 1);
	tcp_adopt(&conn->tcp, home->loop, accepted, &handler);
	return conn;
}

void conn_drain(struct conn *conn)
{
	if (conn->state == CONN_OPEN)
		conn_ws_close(conn, CLOSE_DRAIN);
	else if (conn->state == CONN_HEAD)
		conn_http_drain(conn);
	else if (conn->state == CONN_BODY)
		conn_cut(conn, CLOSE_DRAIN);
	else if (conn->state == CONN_ASKING)
		conn_asking_drain(conn);
}

void conn_abort(struct conn *conn)
{
	if (conn->state == CONN_ASKING)
		conn_asking_cancel(conn, CLOSE_DRAIN);
	else
		conn_cut(conn, CLOSE_DRAIN);
}
