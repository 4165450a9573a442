/* SPDX-License-Identifier: Apache-2.0
 * hull.c - a connection whatever its phase: the stream and the timer, which tell the phase, and
 * the one way to end. The first reason to end counts. Whatever happens, conn_close is called
 * once, and when the loop has let go of the stream, on_closed gives everything back. */
#include "conn/hull.h"

#include "base/clock.h"
#include "base/payload.h"
#include "conn/conn_log.h"
#include "conn/conn_trace.h"
#include "conn/conn_traffic.h"
#include "conn/leave.h"
#include "conn/tap.h"
#include "conn/tls_end.h"
#include "io/tcp_tls.h"
#include "conn/told_tls.h"

/* The last descriptor answers one client after the other why it is refused. What they
 * asked waits in the socket already, as a rule; a silent one may not keep the others. */
#define RESERVE_PATIENCE_MS UINT64_C(50)

/* --- time --- */

uint32_t conn_now_ms(const struct conn *conn)
{
	return (uint32_t)(loop_now(conn->home->loop) / NS_PER_MS);
}

uint32_t conn_now_us(const struct conn *conn)
{
	return (uint32_t)(loop_now(conn->home->loop) / NS_PER_US);
}

void conn_timer_start(struct conn *conn, uint64_t delay_ms)
{
	loop_timer_start(conn->home->loop, &conn->timer, delay_ms * NS_PER_MS);
}

void conn_timer_start_end(struct conn *conn)
{
	conn_timer_start(conn,
			 conn->is_reserve ? RESERVE_PATIENCE_MS : conn_limits(conn)->close_timeout);
}

/* --- phases --- */

static const struct conn_phase *phase_of(const struct conn *conn)
{
	CHECK(conn->phase < CONN_PHASE_COUNT);
	return conn->home->phases[conn->phase];
}

void conn_phase_set(struct conn *conn, enum conn_phase_id to)
{
	const struct conn_phase *from = phase_of(conn);

	CHECK(conn->phase != CONN_GONE);
	CHECK(to == CONN_GONE || (from->next & CONN_PHASE_BIT(to)) != 0);
	if (from->release == conn->home->phases[to]->release) {
		conn->phase = (uint8_t)to;
		return;
	}
	if (from->release != NULL)
		from->release(conn);
	struct handshake_trace *trace = conn_trace_lift(conn);

	memset(&conn->part, 0, sizeof(conn->part));
	conn->phase = (uint8_t)to;
	if (trace != NULL)
		conn_trace_set_down(conn, trace);
}

/* --- the end --- */

void conn_set_reason(struct conn *conn, enum close_reason reason)
{
	if (conn->has_reason)
		return;
	conn->has_reason = true;
	conn->reason = (uint8_t)reason;
}

void conn_count_failure(struct conn *conn, enum route_failure failure)
{
	if (conn_route(conn) == NULL || conn->is_settled)
		return;
	conn->is_settled = true;
	stat_add(&conn_route_counts(conn)->failures[failure], 1);
}

void conn_close(struct conn *conn)
{
	CHECK(!conn->has_uplink); /* it has departed */
	conn_phase_set(conn, CONN_GONE);
	tcp_close(&conn->tcp);
}

/* Or was it cut by us? */
static bool has_left(enum close_reason reason)
{
	return reason == CLOSE_EOF || reason == CLOSE_RESET || reason == CLOSE_TLS;
}

void conn_cut(struct conn *conn, enum close_reason reason)
{
	if (conn->phase == CONN_GONE)
		return;
	conn_set_reason(conn, reason);
	conn_count_failure(conn,
			   has_left(reason) ? ROUTE_FAILURE_CLIENT_GONE : ROUTE_FAILURE_LIMIT);
	conn_depart(conn);
	conn_close(conn);
}

void conn_abort(struct conn *conn)
{
	conn_cut(conn, CLOSE_DRAIN);
}

void conn_drain(struct conn *conn)
{
	if (phase_of(conn)->drain != NULL)
		phase_of(conn)->drain(conn);
}

/* What was done to a client is told to who runs the gateway: each that was asked to go, and of
 * slow readers one in a second. */
static enum log_level end_level(const struct conn *conn, uint64_t *out_suppressed)
{
	bool is_told = conn->reason == CLOSE_REQUESTED ||
		       (conn->reason == CLOSE_SLOW_READER &&
			log_gate_pass(&conn->home->service->slow_gate, loop_now(conn->home->loop),
				      out_suppressed));

	return is_told ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

static void log_end(const struct conn *conn)
{
	uint64_t suppressed = 0;
	enum log_level level = end_level(conn, &suppressed);

	CONN_LOG_AT(level, conn, "connection closed",
		    F_TEXT("reason", close_table[conn->reason].label),
		    F_UINT("suppressed", suppressed));
}

_Static_assert((int)CLOSE_REASON_COUNT <= ROUTE_CLOSES_MAX, "there is one of each");

/* By the wall clock, since it may have begun in another process. */
static void count_life(const struct conn *conn)
{
	uint64_t now_ms = clock_wall_ns() / NS_PER_MS;
	uint64_t began_ms = conn_presence(conn)->connected_at_ms;
	uint64_t life_ms = now_ms > began_ms ? now_ms - began_ms : 0;

	durations_record(&conn_route_counts(conn)->lives, durations_life_us, life_ms * NS_PER_MS);
}

static void count_end(struct conn *conn)
{
	struct stats *stats = conn_stats(conn);

	stat_sub(&stats->sockets, 1);
	if (conn->has_presence)
		conn_set_queued(conn, 0);
	if (!conn->is_counted)
		return;
	CHECK(conn->has_reason && conn->reason < CLOSE_REASON_COUNT);
	stat_add(&stats->connections_closed[conn->reason], 1);
	stat_add(&conn_route_counts(conn)->closed[conn->reason], 1);
	if (conn->is_in)
		count_life(conn);
	conn_leave(conn);
	conn_tap_frame(conn, CONN_TAP_END, false, slice_from_text(close_table[conn->reason].label));
	log_end(conn);
}

/* --- what the stream and the timer tell --- */

static struct conn *conn_of(struct tcp *tcp)
{
	return CONTAINER_OF(tcp, struct conn, tcp);
}

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	struct conn *conn = conn_of(tcp);

	if (payload_level() != PAYLOAD_CALM && !memory_guard_notice(conn))
		return;
	if (phase_of(conn)->recv != NULL)
		phase_of(conn)->recv(conn, data, len);
	if (payload_level() != PAYLOAD_CALM)
		memory_guard_notice(conn);
}

static void on_eof(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);

	conn->has_eof = true;
	if (phase_of(conn)->eof != NULL)
		phase_of(conn)->eof(conn);
}

static void on_error(struct tcp *tcp, int error)
{
	struct conn *conn = conn_of(tcp);

	(void)error;
	if (tcp_tls_failure(tcp) == NULL) {
		conn_cut(conn, CLOSE_RESET);
		return;
	}
	conn_tls_log(conn);
	stat_add(&conn_listener_stats(conn)->tls_failures, 1);
	if (phase_of(conn)->tls_failed != NULL)
		phase_of(conn)->tls_failed(conn);
	else
		conn_cut(conn, CLOSE_TLS);
}

static int on_preamble(struct tcp *tcp, const uint8_t *data, size_t len)
{
	struct conn *conn = conn_of(tcp);

	CHECK(phase_of(conn)->preamble != NULL);
	return phase_of(conn)->preamble(conn, data, len);
}

static void on_drain(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);

	if (phase_of(conn)->drained != NULL)
		phase_of(conn)->drained(conn);
}

static void on_timer(struct timer *timer)
{
	struct conn *conn = CONTAINER_OF(timer, struct conn, timer);

	if (phase_of(conn)->timeout != NULL)
		phase_of(conn)->timeout(conn);
}

static void on_closed(struct tcp *tcp)
{
	struct conn *conn = conn_of(tcp);
	struct conn_home *home = conn->home;

	CHECK(conn->phase == CONN_GONE && !conn->has_uplink && !conn->is_stalled);
	loop_timer_stop(home->loop, &conn->timer);
	conn_leave_kept(conn);
	count_end(conn);
	CHECK(!conn->has_place && !conn->has_address_place);
	if (conn->has_presence)
		presence_unref(&conn->session.presence);
	else
		told_tls_destroy(&conn->told);
	pool_put(&home->conn_pool, conn);
	home->on_gone(home);
}

const struct tcp_handler conn_handler = {
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_error = on_error,
	.on_preamble = on_preamble,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

/* --- the beginning --- */

/* Owns the socket from here, unless it answers false. */
static bool adopt(struct conn *conn, const struct tcp_accepted *accepted, struct tls_context *tls)
{
	struct loop *loop = conn->home->loop;

	if (tls != NULL)
		return tcp_adopt_sealed(&conn->tcp, loop, accepted, &conn_handler, tls) == 0;
	tcp_adopt(&conn->tcp, loop, accepted, &conn_handler);
	return true;
}

struct conn *conn_create(struct conn_home *home, enum conn_phase_id phase)
{
	struct conn *conn = pool_get(&home->conn_pool);

	if (conn == NULL)
		return NULL;
	*conn = (struct conn){.home = home, .phase = (uint8_t)phase};
	loop_timer_init(&conn->timer, on_timer);
	return conn;
}

struct conn *conn_begin(struct conn_home *home, const struct tcp_accepted *accepted,
			struct tls_context *tls, unsigned listener)
{
	struct conn *conn = conn_create(home, CONN_HEAD);

	if (conn == NULL)
		return NULL;
	if (!adopt(conn, accepted, tls)) {
		pool_put(&home->conn_pool, conn);
		return NULL;
	}
	conn->is_reserve = accepted->is_reserve;
	conn->client = net_ip_of(&accepted->remote);
	conn->client_port = net_addr_port(&accepted->remote);
	conn->is_from_proxy = conn->may_have_proxy = conn_client_is_trusted(conn);
	if (tls != NULL && conn->may_have_proxy)
		tcp_seal_expect_preamble(&conn->tcp);
	conn_head(conn)->accepted_us = conn_now_us(conn);
	conn_timer_start(conn, accepted->is_reserve ? RESERVE_PATIENCE_MS
						    : conn_limits(conn)->handshake_timeout);
	stat_add(&home->stats.sockets, 1);
	stat_add(&home->stats.sockets_accepted, 1);
	CHECK(listener < LISTENER_PLACES);
	conn->listener = (uint8_t)(listener & (LISTENER_PLACES - 1));
	stat_add(&conn_listener_stats(conn)->sockets_accepted, 1);
	return conn;
}
