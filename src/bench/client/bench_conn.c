/* SPDX-License-Identifier: Apache-2.0
 * bench_conn.c - one simulated client, through the states of enum bench_conn_state. Every way to
 * fail comes by bench_conn_fail, which counts the first cause, and every end by the closed
 * callback of the stream; before that nothing is lent to another. */
#include "bench/client/bench_conn.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_shape.h"
#include "bench/client/bench_traffic.h"
#include "bench/load/bench_worker.h"
#include "proto/ws_close.h"

/* The size of a simulated client, kernel's part aside. */
_Static_assert(sizeof(struct bench_conn) <= 112, "a million clients are the aim");

/* The peer has this long to answer our close frame and to close TCP. */
#define CLOSE_TIMEOUT_NS (5 * NS_PER_S)

static const struct tcp_handler handler;

uint64_t bench_conn_number(const struct bench_conn *conn)
{
	return conn->worker->first_number + (uint64_t)(conn - conn->worker->conns);
}

static struct bench_conn *conn_of(struct tcp *tcp)
{
	return CONTAINER_OF(tcp, struct bench_conn, tcp);
}

static bool is_on_its_way(const struct bench_conn *conn)
{
	return conn->state == BENCH_CONN_CONNECTING || conn->state == BENCH_CONN_RETRYING ||
	       conn->state == BENCH_CONN_HANDSHAKE;
}

static void handshake_release(struct bench_conn *conn)
{
	bench_worker_handshake_put(conn->worker, conn->handshake);
	conn->decoder = NULL;
	conn->worker->in_progress--;
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
	cause_add(conn, kind, code, label, example);
	if (was_open) {
		drop(conn);
		bench_conn_end(conn);
		return;
	}
	handshake_release(conn);
	give_up(conn);
	bench_conn_end(conn);
	bench_worker_resolved(worker);
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
	} else {
		cause_add(conn, BENCH_CAUSE_CLOSED, code, reason, (struct slice){0});
		drop(conn);
	}
	bench_traffic_close(conn, code);
	conn->state = BENCH_CONN_CLOSING;
	conn->since_ns = now_ns;
}

/* --- connecting --- */

static int connect_from(struct bench_conn *conn)
{
	const struct bench_setup *setup = conn->worker->setup;
	struct net_addr local;

	if (!setup->sources.is_spread)
		return tcp_connect(&conn->tcp, conn->worker->loop, NULL, &setup->remote, &handler);
	local = bench_source_address(&setup->sources, bench_conn_number(conn), conn->tries);
	return tcp_connect(&conn->tcp, conn->worker->loop, &local, &setup->remote, &handler);
}

/* Another source address may have a port when this one has none left. */
static bool has_another_source(struct bench_conn *conn, int error)
{
	return error == -EADDRNOTAVAIL && conn->worker->setup->sources.is_spread &&
	       ++conn->tries < BENCH_SOURCE_TRIES;
}

static void connect_begin(struct bench_conn *conn, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;
	int r;

	do {
		r = connect_from(conn);
	} while (r < 0 && has_another_source(conn, r));
	if (r == 0) {
		conn->state = BENCH_CONN_CONNECTING;
		conn->since_ns = now_ns;
		worker->live++;
		return;
	}
	cause_add(conn, BENCH_CAUSE_CONNECT, -r, (struct slice){0}, (struct slice){0});
	handshake_release(conn);
	conn->state = BENCH_CONN_GONE;
	give_up(conn);
	bench_worker_resolved(worker);
}

void bench_conn_start(struct bench_conn *conn, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;

	if (conn->churn == BENCH_STAYS)
		bench_count(&worker->counters.started);
	conn->handshake = bench_worker_handshake_get(worker);
	if (conn->handshake == NULL) {
		cause_add(conn, BENCH_CAUSE_TESTER, ENOMEM, (struct slice){0}, (struct slice){0});
		conn->state = BENCH_CONN_GONE;
		give_up(conn);
		return;
	}
	worker->in_progress++;
	conn->handshake->started_ns = now_ns;
	connect_begin(conn, now_ns);
}

static void on_connect(struct tcp *tcp, int error)
{
	struct bench_conn *conn = conn_of(tcp);
	struct bench_worker *worker = conn->worker;

	if (error < 0 && has_another_source(conn, error)) {
		conn->state = BENCH_CONN_RETRYING;
		tcp_close(tcp);
		return;
	}
	if (error < 0) {
		fail_plainly(conn, BENCH_CAUSE_CONNECT, -error);
		return;
	}
	conn->state = BENCH_CONN_HANDSHAKE;
	conn->since_ns = clock_now_ns();
	size_t len = bench_handshake_begin(conn->handshake, worker->setup->options,
					   &worker->setup->proof, bench_conn_number(conn),
					   &worker->random, worker->request);

	if (tcp_write(tcp, worker->request, len) < 0)
		fail_plainly(conn, BENCH_CAUSE_TESTER, ENOMEM);
	else
		tcp_read_start(tcp);
}

static void on_closed(struct tcp *tcp)
{
	struct bench_conn *conn = conn_of(tcp);

	conn->worker->live--;
	if (conn->state == BENCH_CONN_RETRYING) {
		connect_begin(conn, clock_now_ns());
		return;
	}
	decoder_release(conn);
	if (conn->churn == BENCH_REPLACING && conn->worker->phase == BENCH_HOLD) {
		conn->tries = 0;
		bench_conn_start(conn, clock_now_ns());
		return;
	}
	if (conn->is_slow && conn->is_held)
		bench_count(&conn->worker->counters.held);
	if (conn->is_held)
		conn->worker->closing--;
	conn->state = BENCH_CONN_GONE;
	bench_worker_gone(conn->worker);
}

/* --- the handshake's answer --- */

static void refuse(struct bench_conn *conn, const struct bench_answer_data *answer)
{
	char detail[256];

	if (answer->limit.len > 0)
		atomic_store_explicit(&conn->worker->has_named_limit, true, memory_order_relaxed);
	bench_refusal_detail(answer->body, detail, sizeof(detail));
	bench_conn_fail(conn, BENCH_CAUSE_HTTP, answer->status, answer->limit,
			slice_from_text(detail));
}

static void open_take(struct bench_conn *conn, struct slice rest, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;
	struct bench_handshake *handshake = conn->handshake;

	hist_record(&worker->handshake, now_ns - handshake->started_ns);
	bench_latency_record(&worker->live_handshake, now_ns - handshake->started_ns);
	conn->state = BENCH_CONN_OPEN;
	conn->decoder = NULL;
	worker->in_progress--;
	if (conn->churn == BENCH_REPLACING) {
		bench_shape_reopened(conn, now_ns);
	} else {
		bench_count(&worker->counters.connected);
		worker->last_connected_ns = now_ns;
	}
	if (rest.len > 0)
		bench_traffic_take(conn, handshake->bytes.data + handshake->head_len, rest.len,
				   now_ns);
	bench_worker_handshake_put(worker, handshake);
	bench_worker_resolved(worker);
}

static void answer_take(struct bench_conn *conn, const uint8_t *data, size_t len, uint64_t now_ns)
{
	struct bench_answer_data answer;

	switch (bench_handshake_take(conn->handshake, conn->worker->setup->options, data, len,
				     &answer)) {
	case BENCH_ANSWER_MORE:
		break;
	case BENCH_ANSWER_OPEN:
		open_take(conn, answer.rest, now_ns);
		break;
	case BENCH_ANSWER_REFUSED:
		refuse(conn, &answer);
		break;
	case BENCH_ANSWER_BAD:
		bench_conn_fail(conn, BENCH_CAUSE_BAD_HANDSHAKE, 0, slice_from_text(answer.problem),
				answer.start);
		break;
	case BENCH_ANSWER_NO_MEMORY:
		fail_plainly(conn, BENCH_CAUSE_TESTER, ENOMEM);
		break;
	}
}

static void on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	struct bench_conn *conn = conn_of(tcp);
	uint64_t now_ns = clock_now_ns();

	if (conn->state == BENCH_CONN_HANDSHAKE)
		answer_take(conn, data, len, now_ns);
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

/* The stream has ended, by FIN (error 0) or worse. */
void bench_conn_lost(struct bench_conn *conn, int error)
{
	struct bench_answer_data answer;

	if (conn->state == BENCH_CONN_OPEN)
		fail_plainly(conn, BENCH_CAUSE_LOST, error);
	else if (conn->state != BENCH_CONN_HANDSHAKE)
		end_lost(conn, error);
	else if (bench_handshake_end(conn->handshake, &answer) == BENCH_ANSWER_REFUSED)
		refuse(conn, &answer);
	else
		fail_plainly(conn, BENCH_CAUSE_HANDSHAKE_LOST, error);
}

static void on_eof(struct tcp *tcp)
{
	bench_conn_lost(conn_of(tcp), 0);
}

static void on_error(struct tcp *tcp, int error)
{
	bench_conn_lost(conn_of(tcp), -error);
}

static const struct tcp_handler handler = {
	.on_connect = on_connect,
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

void bench_conn_finish(struct bench_conn *conn, uint64_t now_ns)
{
	if (is_on_its_way(conn)) {
		handshake_release(conn);
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

static void handshake_expire(struct bench_conn *conn)
{
	struct bench_answer_data answer;

	if (bench_handshake_end(conn->handshake, &answer) == BENCH_ANSWER_REFUSED)
		refuse(conn, &answer);
	else
		fail_plainly(conn, BENCH_CAUSE_HANDSHAKE_TIMEOUT, 0);
}

void bench_conn_check_deadline(struct bench_conn *conn, uint64_t now_ns)
{
	const struct bench_options *options = conn->worker->setup->options;
	/* A connection that began in this turn may be younger than `now_ns`. */
	uint64_t age_ns = now_ns > conn->since_ns ? now_ns - conn->since_ns : 0;

	switch ((enum bench_conn_state)conn->state) {
	case BENCH_CONN_CONNECTING:
		if (age_ns > options->connect_timeout_ms * NS_PER_MS)
			fail_plainly(conn, BENCH_CAUSE_CONNECT_TIMEOUT, 0);
		break;
	case BENCH_CONN_HANDSHAKE:
		if (age_ns > options->handshake_timeout_ms * NS_PER_MS)
			handshake_expire(conn);
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
	case BENCH_CONN_RETRYING:
	case BENCH_CONN_ENDING:
	case BENCH_CONN_GONE:
		break;
	}
}
