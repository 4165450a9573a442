/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/client/bench_return.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_approach.h"
#include "bench/client/bench_traffic.h"
#include "bench/load/bench_worker.h"

/* Echoes of older messages are not known any more. */
#define REACH BENCH_RECEIPT_WINDOW

void bench_return_init(struct bench_return *record)
{
	*record = (struct bench_return){.receipt = {.has_begun = true}};
}

struct bench_return *bench_return_of(const struct bench_conn *conn)
{
	const struct bench_worker *worker = conn->worker;

	return worker->returns == NULL ? NULL : &worker->returns[conn - worker->conns];
}

/* --- coming back --- */

bool bench_return_is_wanted(const struct bench_conn *conn, enum bench_cause_kind kind, int code)
{
	const struct bench_worker *worker = conn->worker;
	bool is_end = kind == BENCH_CAUSE_CLOSED || kind == BENCH_CAUSE_TLS_BROKEN ||
		      (kind == BENCH_CAUSE_LOST && code != ENOMEM);

	return worker->setup->options->does_reconnect && is_end && !conn->is_slow &&
	       conn->churn == BENCH_STAYS && worker->phase != BENCH_CLOSE;
}

static void interruption_add(const struct bench_conn *conn, enum bench_cause_kind kind, int code,
			     struct slice label)
{
	struct bench_worker *worker = conn->worker;

	bench_causes_add(&worker->interruptions, kind, code, label, (struct slice){0},
			 bench_conn_number(conn), bench_worker_seconds(worker));
}

static void next_try_plan(struct bench_conn *conn, struct bench_return *record)
{
	conn->node = (uint8_t)((conn->node + 1u) % conn->worker->setup->node_count);
	record->due_ns = clock_now_ns() + bench_plan_wait_ns(record->retry_after_s,
							     record->attempts,
							     random_u32(&conn->worker->random));
	record->retry_after_s = 0;
}

void bench_return_leave(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			struct slice label)
{
	struct bench_return *record = bench_return_of(conn);

	CHECK(conn->state == BENCH_CONN_OPEN && record != NULL);
	interruption_add(conn, kind, code, label);
	bench_count(&conn->worker->counters.disconnected);
	conn->worker->in_flight -= bench_conn_awaited(conn);
	conn->echoed = conn->sent; /* nobody waits for them any more */
	conn->churn = BENCH_AWAY;
	record->lost_ns = clock_now_ns();
	record->attempts = 0;
	record->retry_after_s = kind == BENCH_CAUSE_CLOSED ? bench_retry_after_s(label) : 0;
	next_try_plan(conn, record);
}

void bench_return_retry(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			struct slice label)
{
	struct bench_return *record = bench_return_of(conn);

	CHECK(conn->churn == BENCH_AWAY && record != NULL);
	interruption_add(conn, kind, code, label);
	bench_count(&conn->worker->counters.retried);
	record->attempts++;
	next_try_plan(conn, record);
}

void bench_return_check(struct bench_conn *conn, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;

	if (conn->churn != BENCH_AWAY || worker->phase == BENCH_CLOSE ||
	    bench_return_of(conn)->due_ns > now_ns || worker->in_progress >= worker->handshakes_max)
		return;
	conn->tries = 0;
	bench_approach_start(conn, now_ns);
}

void bench_return_back(struct bench_conn *conn, uint64_t now_ns)
{
	struct bench_return *record = bench_return_of(conn);

	CHECK(conn->churn == BENCH_AWAY && record != NULL);
	conn->churn = BENCH_STAYS;
	bench_count(&conn->worker->counters.reconnected);
	hist_record(&conn->worker->steps[BENCH_STEP_COMEBACK], now_ns - record->lost_ns);
	record->base = conn->sent;
	if (conn->worker->phase == BENCH_HOLD)
		bench_traffic_rejoin(conn, now_ns);
}

void bench_return_give_up(struct bench_conn *conn)
{
	struct bench_worker *worker = conn->worker;

	CHECK(conn->churn == BENCH_AWAY);
	conn->churn = BENCH_STAYS;
	bench_count(&worker->counters.away);
	bench_causes_add(&worker->causes, BENCH_CAUSE_AWAY, 0, (struct slice){0}, (struct slice){0},
			 bench_conn_number(conn), bench_worker_seconds(worker));
}

/* --- what comes late or twice --- */

/* The number of the message that this is the echo of: most often of the oldest that is awaited. */
static bool number_find(const struct bench_conn *conn, struct slice echo, uint32_t *out_number,
			uint64_t *out_sent_ns)
{
	const struct bench_payload *payload = &conn->worker->setup->payload;
	uint64_t number = bench_conn_number(conn);

	if (conn->echoed < conn->sent &&
	    bench_payload_check(payload, number, conn->echoed, echo, out_sent_ns) == NULL) {
		*out_number = conn->echoed;
		return true;
	}
	for (uint32_t back = 1; back <= MIN(conn->sent, REACH); back++) {
		if (bench_payload_check(payload, number, conn->sent - back, echo, out_sent_ns) !=
		    NULL)
			continue;
		*out_number = conn->sent - back;
		return true;
	}
	return false;
}

const char *bench_return_take(struct bench_conn *conn, struct slice echo, bool *out_is_first,
			      uint64_t *out_sent_ns)
{
	struct bench_return *record = bench_return_of(conn);
	struct bench_worker *worker = conn->worker;
	uint32_t number;

	CHECK(record != NULL);
	if (!number_find(conn, echo, &number, out_sent_ns))
		return "none of the last 64 messages, or changed";
	*out_is_first = bench_receipt_count(&record->receipt, number, &worker->counters);
	if (*out_is_first && number >= record->base) {
		conn->echoed++;
		worker->in_flight--;
	}
	return NULL;
}
