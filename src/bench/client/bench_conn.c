/* SPDX-License-Identifier: Apache-2.0
 * bench_conn.c - one simulated client, through the states of enum bench_conn_state; how it comes up
 * is bench_approach.c's. Every way to fail comes by bench_conn_fail, which counts the first cause,
 * and every end by the closed callback of the stream; before that nothing is lent to another. */
#include "bench/client/bench_conn.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_approach.h"
#include "bench/client/bench_return.h"
#include "bench/client/bench_shape.h"
#include "bench/client/bench_tls.h"
#include "bench/client/bench_traffic.h"
#include "bench/load/bench_worker.h"
#include "io/tcp_tls.h"
#include "proto/ws_close.h"

/* The size of a simulated client, kernel's part aside. */
_Static_assert(sizeof(struct bench_conn) <= 112, "a million clients are the aim");

/* The peer has this long to answer our close frame and to close TCP. */
#define CLOSE_TIMEOUT_NS (5 * NS_PER_S)

uint64_t bench_conn_number(const struct bench_conn *conn)
{
	return conn->worker->first_number + (uint64_t)(conn - conn->worker->conns);
}

static struct bench_conn *conn_of(struct tcp *tcp)
{
	return CONTAINER_OF(tcp, struct bench_conn, tcp);
}

static void decoder_release(struct bench_conn *conn)
{
	if (conn->decoder != NULL)
		bench_worker_decoder_put(conn->worker, conn->decoder);
	conn->decoder = NULL;
}

void bench_conn_end(struct bench_conn *conn)
{
	conn->state = BENCH_CONN_ENDING;
	tcp_close(&conn->tcp);
}

/* --- failing --- */

static void cause_add(const struct bench_conn *conn, enum bench_cause_kind kind, int code,
		      struct slice label, struct slice example)
{
	struct bench_worker *worker = conn->worker;
	uint64_t number = bench_conn_number(conn);

	if (conn->state != BENCH_CONN_OPEN &&
	    (worker->lowest_failed == 0 || number < worker->lowest_failed))
		worker->lowest_failed = number;
	bench_causes_add(&worker->causes, kind, code, label, example, number,
			 bench_worker_seconds(worker));
}

/* Takes an open connection out of the counts of open ones. */
static void drop(struct bench_conn *conn)
{
	bench_count(&conn->worker->counters.dropped);
	conn->worker->in_flight -= bench_conn_awaited(conn);
}

/* What was on its way up will not be open; conn may start no more. */
static void give_up(struct bench_conn *conn)
{
	if (conn->churn == BENCH_REPLACING)
		conn->worker->replacing--;
	conn->churn = BENCH_STAYS;
	bench_count(&conn->worker->counters.failed);
}

void bench_conn_fail(struct bench_conn *conn, enum bench_cause_kind kind, int code,
		     struct slice label, struct slice example)
{
	struct bench_worker *worker = conn->worker;
	bool was_open = conn->state == BENCH_CONN_OPEN;

	if (was_open && bench_shape_is_slow_end(conn, kind, code)) {
		bench_shape_slow_end(conn, kind, code, label);
		bench_conn_end(conn);
		return;
	}
	if (was_open && bench_return_is_wanted(conn, kind, code)) {
		bench_return_leave(conn, kind, code, label);
		bench_conn_end(conn);
		return;
	}
	if (conn->churn == BENCH_AWAY) {
		bench_return_retry(conn, kind, code, label);
		bench_approach_release(conn);
		bench_conn_end(conn);
		bench_worker_resolved(worker);
		return;
	}
	cause_add(conn, kind, code, label, example);
	if (was_open) {
		drop(conn);
		bench_conn_end(conn);
		return;
	}
	bench_approach_release(conn);
	give_up(conn);
	bench_conn_end(conn);
	bench_worker_resolved(worker);
}

void bench_conn_fail_unconnected(struct bench_conn *conn, enum bench_cause_kind kind, int code,
				 struct slice label)
{
	if (conn->churn == BENCH_AWAY) {
		bench_return_retry(conn, kind, code, label);
		bench_approach_release(conn);
		conn->state = BENCH_CONN_NEW;
		return;
	}
	cause_add(conn, kind, code, label, (struct slice){0});
	bench_approach_release(conn);
	conn->state = BENCH_CONN_GONE;
	give_up(conn);
	bench_worker_resolved(conn->worker);
}

void bench_conn_fail_unborn(struct bench_conn *conn)
{
	if (conn->churn == BENCH_AWAY) {
		bench_return_retry(conn, BENCH_CAUSE_TESTER, ENOMEM, (struct slice){0});
		conn->state = BENCH_CONN_NEW;
		return;
	}
	cause_add(conn, BENCH_CAUSE_TESTER, ENOMEM, (struct slice){0}, (struct slice){0});
	conn->state = BENCH_CONN_GONE;
	give_up(conn);
}

static void fail_plainly(struct bench_conn *conn, enum bench_cause_kind kind, int code)
{
	bench_conn_fail(conn, kind, code, (struct slice){0}, (struct slice){0});
}

void bench_conn_closed_by_peer(struct bench_conn *conn, uint16_t code, struct slice reason,
			       uint64_t now_ns)
{
	if (conn->is_slow) {
		bench_shape_slow_end(conn, BENCH_CAUSE_CLOSED, code, reason);
	} else if (bench_return_is_wanted(conn, BENCH_CAUSE_CLOSED, code)) {
		bench_return_leave(conn, BENCH_CAUSE_CLOSED, code, reason);
	} else {
		cause_add(conn, BENCH_CAUSE_CLOSED, code, reason, (struct slice){0});
		drop(conn);
	}
	bench_traffic_close(conn, code);
	conn->state = BENCH_CONN_CLOSING;
	conn->since_ns = now_ns;
}

/* --- what the stream tells --- */

static void on_connect(struct tcp *tcp, int error)
{
	bench_approach_connected(conn_of(tcp), error);
}

static void on_secured(struct tcp *tcp)
{
	bench_approach_secured(conn_of(tcp));
}

static void on_closed(struct tcp *tcp)
{
	struct bench_conn *conn = conn_of(tcp);

	conn->worker->live--;
	if (bench_approach_closed(conn))
		return;
	decoder_release(conn);
	if (conn->churn == BENCH_REPLACING && conn->worker->phase == BENCH_HOLD) {
		conn->tries = 0;
		conn->state = BENCH_CONN_NEW;
		if (conn->worker->cut_ns == 0)
			bench_approach_start(conn, clock_now_ns());
		else
			bench_worker_resolved(conn->worker);
		return;
	}
	if (conn->churn == BENCH_AWAY && conn->worker->phase != BENCH_CLOSE) {
		conn->state = BENCH_CONN_NEW;
		return;
	}
	if (conn->is_slow && conn->is_held)
		bench_count(&conn->worker->counters.held);
	if (conn->is_held)
		conn->worker->closing--;
	conn->state = BENCH_CONN_GONE;
	bench_worker_gone(conn->worker);
}

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	struct bench_conn *conn = conn_of(tcp);
	uint64_t now_ns = clock_now_ns();

	if (bench_approach_is_under_way(conn))
		bench_approach_recv(conn, data, len, now_ns);
	else if (bench_conn_is_up(conn))
		bench_traffic_take(conn, data, len, now_ns);
}

static void on_drain(struct tcp *tcp)
{
	struct bench_conn *conn = conn_of(tcp);
	const struct bench_worker *worker = conn->worker;

	if (conn->state != BENCH_CONN_OPEN || worker->phase != BENCH_HOLD)
		return;
	if (conn->is_slow)
		bench_traffic_flood(conn, clock_now_ns());
	else if (worker->setup->options->message_rate > 0)
		bench_traffic_send_due(conn, clock_now_ns());
}

/* In CLOSING. A slow reader that did not get an answer was cut off before. */
static void end_lost(struct bench_conn *conn, int error)
{
	if (conn->is_slow)
		bench_shape_slow_end(conn, BENCH_CAUSE_LOST, error, (struct slice){0});
	bench_conn_end(conn);
}

/* TLS that breaks is told as EPROTO; why, only the stream knows. */
static void open_lost(struct bench_conn *conn, int error)
{
	const struct tls_failure *failure = error == EPROTO ? tcp_tls_failure(&conn->tcp) : NULL;

	if (failure == NULL)
		fail_plainly(conn, BENCH_CAUSE_LOST, error);
	else
		bench_conn_fail(conn, BENCH_CAUSE_TLS_BROKEN, bench_tls_code(failure),
				slice_from_text(failure->reason), (struct slice){0});
}

/* The stream has ended, by FIN (error 0) or worse. */
void bench_conn_lost(struct bench_conn *conn, int error)
{
	if (conn->state == BENCH_CONN_OPEN)
		open_lost(conn, error);
	else if (bench_approach_is_under_way(conn))
		bench_approach_lost(conn, error);
	else
		end_lost(conn, error);
}

static void on_eof(struct tcp *tcp)
{
	bench_conn_lost(conn_of(tcp), 0);
}

static void on_error(struct tcp *tcp, int error)
{
	bench_conn_lost(conn_of(tcp), -error);
}

const struct tcp_handler bench_conn_handler = {
	.on_connect = on_connect,
	.on_secured = on_secured,
	.on_recv = on_recv,
	.on_eof = on_eof,
	.on_error = on_error,
	.on_drain = on_drain,
	.on_closed = on_closed,
};

/* --- ending --- */

static void close_begin(struct bench_conn *conn, uint64_t now_ns)
{
	bench_traffic_close(conn, WS_CLOSE_NORMAL);
	conn->state = BENCH_CONN_CLOSING;
	conn->since_ns = now_ns;
}

void bench_conn_replace(struct bench_conn *conn, uint64_t now_ns)
{
	CHECK(conn->state == BENCH_CONN_OPEN && bench_conn_awaited(conn) == 0);
	conn->churn = BENCH_REPLACING;
	conn->worker->replacing++;
	bench_count(&conn->worker->counters.retired);
	close_begin(conn, now_ns);
}

void bench_conn_cut(struct bench_conn *conn)
{
	if (conn->state != BENCH_CONN_OPEN)
		return;
	CHECK(bench_conn_awaited(conn) == 0);
	conn->churn = BENCH_REPLACING;
	conn->worker->replacing++;
	bench_count(&conn->worker->counters.cut);
	bench_conn_end(conn);
}

void bench_conn_finish(struct bench_conn *conn, uint64_t now_ns)
{
	if (conn->churn == BENCH_AWAY)
		bench_return_give_up(conn);
	if (bench_approach_is_under_way(conn)) {
		bench_approach_release(conn);
		bench_conn_end(conn);
		return;
	}
	if (conn->state != BENCH_CONN_OPEN)
		return;
	conn->worker->in_flight -= bench_conn_awaited(conn);
	conn->is_held = true;
	conn->worker->closing++;
	/* A slow reader learns only now what became of it. */
	if (conn->is_slow)
		tcp_read_start(&conn->tcp);
	else
		bench_count(&conn->worker->counters.held);
	close_begin(conn, now_ns);
}

void bench_conn_check_deadline(struct bench_conn *conn, uint64_t now_ns)
{
	const struct bench_options *options = conn->worker->setup->options;
	/* A connection that began in this turn may be younger than `now_ns`. */
	uint64_t age_ns = now_ns > conn->since_ns ? now_ns - conn->since_ns : 0;

	switch ((enum bench_conn_state)conn->state) {
	case BENCH_CONN_CONNECTING:
	case BENCH_CONN_RETRYING:
	case BENCH_CONN_SECURING:
	case BENCH_CONN_HANDSHAKE:
		bench_approach_check_deadline(conn, age_ns);
		break;
	case BENCH_CONN_OPEN:
		if (bench_conn_awaited(conn) > 0 && age_ns > options->echo_timeout_ms * NS_PER_MS)
			fail_plainly(conn, BENCH_CAUSE_ECHO_TIMEOUT, 0);
		break;
	case BENCH_CONN_CLOSING:
		if (age_ns <= CLOSE_TIMEOUT_NS)
			break;
		if (conn->is_held)
			bench_worker_close_late(conn->worker);
		bench_conn_end(conn);
		break;
	case BENCH_CONN_NEW:
		bench_return_check(conn, now_ns);
		break;
	case BENCH_CONN_ENDING:
	case BENCH_CONN_GONE:
		break;
	}
}
