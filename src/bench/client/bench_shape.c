/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_shape.h"

#include <errno.h>

#include "base/clock.h"
#include "bench/client/bench_receive.h"
#include "bench/client/bench_traffic.h"
#include "bench/load/bench_worker.h"

static const struct bench_options *options_of(const struct bench_conn *conn)
{
	return conn->worker->setup->options;
}

static void lifetime_draw(struct bench_conn *conn, uint64_t now_ns)
{
	conn->retire_at_ns = now_ns + bench_plan_lifetime_ns(options_of(conn)->lifetime_ms,
							     random_u32(&conn->worker->random));
}

void bench_shape_begin(struct bench_conn *conn, uint64_t now_ns)
{
	conn->is_slow = conn->state == BENCH_CONN_OPEN &&
			bench_plan_is_slow(bench_conn_number(conn),
					   options_of(conn)->slow_readers_percent);
	lifetime_draw(conn, now_ns);
}

/* --- slow readers --- */

void bench_shape_slow_start(struct bench_conn *conn, uint64_t now_ns)
{
	if (!conn->is_slow || conn->state != BENCH_CONN_OPEN)
		return;
	tcp_read_stop(&conn->tcp);
	bench_traffic_flood(conn, now_ns);
}

bool bench_shape_is_slow_end(const struct bench_conn *conn, enum bench_cause_kind kind, int code)
{
	bool is_ours = code == ENOMEM; /* no memory for the next message */

	return conn->is_slow && !is_ours && kind == BENCH_CAUSE_LOST;
}

void bench_shape_slow_end(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			  struct slice label)
{
	struct bench_worker *worker = conn->worker;

	bench_causes_add(&worker->slow_ends, kind, code, label, (struct slice){0},
			 bench_conn_number(conn), bench_worker_seconds(worker));
	bench_count(&worker->counters.slow_closed);
	if (conn->is_held)
		worker->closing--; /* its place in the closing is another's */
	conn->is_slow = conn->is_held = false;
}

void bench_shape_slow_held(struct bench_conn *conn)
{
	bench_count(&conn->worker->counters.held);
	conn->is_slow = false;
}

/* --- churn --- */

static bool may_retire(const struct bench_conn *conn, uint64_t now_ns)
{
	const struct bench_worker *worker = conn->worker;

	return worker->phase == BENCH_HOLD && now_ns < worker->hold_end_ns &&
	       worker->in_progress < worker->handshakes_max;
}

void bench_shape_check_lifetime(struct bench_conn *conn, uint64_t now_ns)
{
	if (conn->state != BENCH_CONN_OPEN || conn->is_slow || conn->churn != BENCH_STAYS ||
	    now_ns < conn->retire_at_ns || !may_retire(conn, now_ns))
		return;
	conn->churn = BENCH_RETIRING;
	bench_shape_retire(conn, now_ns);
}

void bench_shape_retire(struct bench_conn *conn, uint64_t now_ns)
{
	if (bench_conn_awaited(conn) > 0)
		return;
	if (now_ns < conn->worker->hold_end_ns)
		bench_conn_replace(conn, now_ns);
	else
		conn->churn = BENCH_STAYS;
}

void bench_shape_reopened(struct bench_conn *conn, uint64_t now_ns)
{
	conn->churn = BENCH_STAYS;
	conn->worker->replacing--;
	bench_count(&conn->worker->counters.reopened);
	lifetime_draw(conn, now_ns);
	bench_receive_renew(conn);
	if (conn->worker->phase == BENCH_HOLD)
		bench_traffic_rejoin(conn, now_ns);
}
