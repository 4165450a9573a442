/* SPDX-License-Identifier: Apache-2.0
 * bench_approach.c - the way up, in steps: CONNECTING, with TLS SECURING, then HANDSHAKE. With
 * --ticket-url it is gone twice, first to where the ticket is had. Another source address is tried
 * where one has no port left: RETRYING, until the stream is closed. */
#include "bench/client/bench_approach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_return.h"
#include "bench/client/bench_shape.h"
#include "bench/client/bench_ticket.h"
#include "bench/client/bench_tls.h"
#include "bench/client/bench_traffic.h"
#include "bench/load/bench_worker.h"
#include "io/tcp_tls.h"

bool bench_approach_is_under_way(const struct bench_conn *conn)
{
	return conn->state >= BENCH_CONN_CONNECTING && conn->state <= BENCH_CONN_HANDSHAKE;
}

void bench_approach_release(struct bench_conn *conn)
{
	bench_worker_handshake_put(conn->worker, conn->handshake);
	conn->decoder = NULL;
	conn->worker->in_progress--;
}

/* What fails on the way to the ticket is its cause, whatever it is. */
static void fail(struct bench_conn *conn, enum bench_cause_kind kind, int code, struct slice label,
		 struct slice example)
{
	struct bench_cause cause = {.kind = kind, .code = code};
	char text[sizeof(cause.label) + 64];

	if (!conn->handshake->is_for_ticket || kind == BENCH_CAUSE_TICKET) {
		bench_conn_fail(conn, kind, code, label, example);
		return;
	}
	snprintf(cause.label, sizeof(cause.label), "%.*s", SLICE_ARG(label));
	bench_cause_text(&cause, text, sizeof(text));
	bench_conn_fail(conn, BENCH_CAUSE_TICKET, 0, slice_from_text(text), example);
}

static void fail_plainly(struct bench_conn *conn, enum bench_cause_kind kind, int code)
{
	fail(conn, kind, code, (struct slice){0}, (struct slice){0});
}

static const struct bench_sources *sources_of(const struct bench_conn *conn)
{
	const struct bench_setup *setup = conn->worker->setup;

	return conn->handshake->is_for_ticket ? &setup->ticket_sources : &setup->sources;
}

/* Where the connection is to be sealed; NULL: nowhere. */
static const struct bench_url *sealed_url(const struct bench_conn *conn)
{
	const struct bench_setup *setup = conn->worker->setup;
	const struct bench_url *url = conn->handshake->is_for_ticket ? &setup->options->ticket_url
								     : setup->nodes[conn->node].url;

	return url->is_tls ? url : NULL;
}

/* The step that ends now took so long; the next begins. */
static void step_end(struct bench_conn *conn, enum bench_step step, uint64_t now_ns)
{
	struct bench_handshake *handshake = conn->handshake;

	if (!handshake->is_for_ticket)
		hist_record(&conn->worker->steps[step], now_ns - handshake->step_ns);
	handshake->step_ns = now_ns;
	conn->since_ns = now_ns;
}

/* --- TCP --- */

static int connect_from(struct bench_conn *conn)
{
	const struct bench_setup *setup = conn->worker->setup;
	const struct bench_sources *sources = sources_of(conn);
	const struct net_addr *remote = conn->handshake->is_for_ticket
						? &setup->ticket_remote
						: &setup->nodes[conn->node].remote;
	struct net_addr local;

	if (!sources->is_spread)
		return tcp_connect(&conn->tcp, conn->worker->loop, NULL, remote,
				   &bench_conn_handler);
	local = bench_source_address(sources, bench_conn_number(conn), conn->tries);
	return tcp_connect(&conn->tcp, conn->worker->loop, &local, remote, &bench_conn_handler);
}

/* Another source address may have a port when this one has none left. */
static bool has_another_source(struct bench_conn *conn, int error)
{
	return error == -EADDRNOTAVAIL && sources_of(conn)->is_spread &&
	       ++conn->tries < BENCH_SOURCE_TRIES;
}

static void connect_begin(struct bench_conn *conn, uint64_t now_ns)
{
	int r;

	do {
		r = connect_from(conn);
	} while (r < 0 && has_another_source(conn, r));
	if (r == 0) {
		conn->state = BENCH_CONN_CONNECTING;
		conn->since_ns = now_ns;
		conn->worker->live++;
		return;
	}
	bench_conn_fail_unconnected(
		conn, conn->handshake->is_for_ticket ? BENCH_CAUSE_TICKET : BENCH_CAUSE_CONNECT,
		conn->handshake->is_for_ticket ? 0 : -r,
		conn->handshake->is_for_ticket ? slice_from_text(strerrordesc_np(-r))
					       : (struct slice){0});
}

/* The way to the ticket, or to the server itself. */
static void errand_begin(struct bench_conn *conn, bool is_for_ticket, uint64_t now_ns)
{
	conn->handshake->is_for_ticket = is_for_ticket;
	conn->handshake->started_ns = conn->handshake->step_ns = now_ns;
	connect_begin(conn, now_ns);
}

void bench_approach_start(struct bench_conn *conn, uint64_t now_ns)
{
	struct bench_worker *worker = conn->worker;

	if (conn->churn == BENCH_STAYS)
		bench_count(&worker->counters.started);
	conn->handshake = bench_worker_handshake_get(worker);
	if (conn->handshake == NULL) {
		bench_conn_fail_unborn(conn);
		return;
	}
	worker->in_progress++;
	conn->handshake->ticket[0] = 0;
	errand_begin(conn, worker->setup->options->ticket_text != NULL, now_ns);
}

/* --- the request --- */

static void request_send(struct bench_conn *conn)
{
	struct bench_worker *worker = conn->worker;
	const struct bench_setup *setup = worker->setup;
	uint64_t number = bench_conn_number(conn);

	conn->state = BENCH_CONN_HANDSHAKE;
	size_t len = conn->handshake->is_for_ticket
			     ? bench_ticket_request(conn->handshake, setup->options, &setup->proof,
						    number, worker->request)
			     : bench_handshake_begin(conn->handshake, setup->options,
						     setup->nodes[conn->node].url, &setup->proof,
						     number, &worker->random, worker->request);

	if (tcp_write(&conn->tcp, worker->request, len) < 0)
		fail_plainly(conn, BENCH_CAUSE_TESTER, ENOMEM);
}

static int seal(struct bench_conn *conn, const struct bench_url *url)
{
	struct bench_worker *worker = conn->worker;
	bool does_resume = worker->setup->options->does_resume && !conn->handshake->is_for_ticket;
	struct ssl_session_st *session = does_resume ? bench_worker_session(conn) : NULL;

	conn->handshake->has_session = session != NULL;
	return tcp_seal_connect(&conn->tcp, &(struct tcp_seal_options){
						    .context = worker->setup->tls,
						    .server_name = url->host,
						    .session = session,
						    .wants_session = does_resume,
					    });
}

void bench_approach_connected(struct bench_conn *conn, int error)
{
	if (error < 0 && has_another_source(conn, error)) {
		conn->state = BENCH_CONN_RETRYING;
		tcp_close(&conn->tcp);
		return;
	}
	if (error < 0) {
		fail_plainly(conn, BENCH_CAUSE_CONNECT, -error);
		return;
	}
	const struct bench_url *url = sealed_url(conn);

	step_end(conn, BENCH_STEP_TCP, clock_now_ns());
	if (url == NULL) {
		request_send(conn);
		if (conn->state == BENCH_CONN_HANDSHAKE)
			tcp_read_start(&conn->tcp);
		return;
	}
	conn->state = BENCH_CONN_SECURING;
	if (seal(conn, url) < 0)
		fail_plainly(conn, BENCH_CAUSE_TESTER, ENOMEM);
}

/* --- TLS --- */

void bench_approach_secured(struct bench_conn *conn)
{
	struct bench_worker *worker = conn->worker;
	const struct tcp_tls_facts *facts = tcp_tls_facts(&conn->tcp);

	CHECK(conn->state == BENCH_CONN_SECURING && facts != NULL);
	step_end(conn, BENCH_STEP_TLS, clock_now_ns());
	if (!conn->handshake->is_for_ticket) {
		bench_count(&worker->counters.secured);
		if (conn->handshake->has_session)
			bench_count(&worker->counters.offered);
		if (facts->is_resumed)
			bench_count(&worker->counters.resumed);
		worker->tls_version = facts->version;
		worker->tls_suite = facts->suite;
	}
	request_send(conn);
}

static void tls_fail(struct bench_conn *conn)
{
	const struct tls_failure *failure = tcp_tls_failure(&conn->tcp);

	CHECK(failure != NULL);
	if (failure->trouble == TLS_TROUBLE_CLOSED) {
		fail_plainly(conn, BENCH_CAUSE_TLS_LOST, 0);
		return;
	}
	fail(conn, BENCH_CAUSE_TLS, bench_tls_code(failure), slice_from_text(failure->reason),
	     (struct slice){0});
}

/* --- the answer --- */

static void refuse(struct bench_conn *conn, const struct bench_answer_data *answer)
{
	bool is_for_ticket = conn->handshake->is_for_ticket;
	char detail[256];

	if (answer->limit.len > 0 && !is_for_ticket)
		atomic_store_explicit(&conn->worker->has_named_limit, true, memory_order_relaxed);
	if (conn->churn == BENCH_AWAY)
		bench_return_of(conn)->retry_after_s = answer->retry_after_s;
	bench_refusal_detail(answer->body, detail, sizeof(detail));
	fail(conn, is_for_ticket ? BENCH_CAUSE_TICKET : BENCH_CAUSE_HTTP, answer->status,
	     is_for_ticket ? (struct slice){0} : answer->limit, slice_from_text(detail));
}

static void open_take(struct bench_conn *conn, const struct bench_answer_data *answer,
		      uint64_t now_ns)
{
	struct slice rest = answer->rest;
	struct bench_worker *worker = conn->worker;
	struct bench_handshake *handshake = conn->handshake;

	step_end(conn, BENCH_STEP_HTTP, now_ns);
	hist_record(&worker->handshake, now_ns - handshake->started_ns);
	bench_latency_record(&worker->live_handshake, now_ns - handshake->started_ns);
	if (worker->setup->options->does_resume)
		bench_worker_session_keep(conn);
	tcp_tls_facts_release(&conn->tcp);
	conn->state = BENCH_CONN_OPEN;
	conn->is_packing = answer->is_packing;
	worker->packing.counts.connections += answer->is_packing;
	conn->decoder = NULL;
	worker->in_progress--;
	if (conn->churn == BENCH_REPLACING) {
		if (worker->cut_ns > 0)
			hist_record(&worker->steps[BENCH_STEP_COMEBACK], now_ns - worker->cut_ns);
		bench_shape_reopened(conn, now_ns);
	} else if (conn->churn == BENCH_AWAY) {
		bench_return_back(conn, now_ns);
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

/* The ticket is there: the stream that brought it has done its errand. */
static void ticket_take(struct bench_conn *conn, uint64_t now_ns)
{
	hist_record(&conn->worker->steps[BENCH_STEP_TICKET], now_ns - conn->handshake->started_ns);
	conn->state = BENCH_CONN_RETRYING;
	conn->tries = 0;
	tcp_close(&conn->tcp);
}

void bench_approach_recv(struct bench_conn *conn, const uint8_t *data, size_t len, uint64_t now_ns)
{
	struct bench_handshake *handshake = conn->handshake;
	struct bench_answer_data answer;

	if (conn->state != BENCH_CONN_HANDSHAKE)
		return;
	switch (handshake->is_for_ticket
			? bench_ticket_take(handshake, data, len, &answer)
			: bench_handshake_take(handshake, conn->worker->setup->options, data, len,
					       &answer)) {
	case BENCH_ANSWER_MORE:
		break;
	case BENCH_ANSWER_TICKET:
		ticket_take(conn, now_ns);
		break;
	case BENCH_ANSWER_OPEN:
		open_take(conn, &answer, now_ns);
		break;
	case BENCH_ANSWER_REFUSED:
		refuse(conn, &answer);
		break;
	case BENCH_ANSWER_BAD:
		fail(conn, BENCH_CAUSE_BAD_HANDSHAKE, 0, slice_from_text(answer.problem),
		     answer.start);
		break;
	case BENCH_ANSWER_NO_MEMORY:
		fail_plainly(conn, BENCH_CAUSE_TESTER, ENOMEM);
		break;
	}
}

/* --- ends --- */

bool bench_approach_closed(struct bench_conn *conn)
{
	uint64_t now_ns = clock_now_ns();

	if (conn->state != BENCH_CONN_RETRYING)
		return false;
	if (conn->handshake->is_for_ticket && conn->handshake->ticket[0] != 0)
		errand_begin(conn, false, now_ns);
	else
		connect_begin(conn, now_ns);
	return true;
}

void bench_approach_lost(struct bench_conn *conn, int error)
{
	struct bench_answer_data answer;

	if (conn->state == BENCH_CONN_RETRYING)
		return;
	if (error == EPROTO && tcp_tls_failure(&conn->tcp) != NULL)
		tls_fail(conn);
	else if (conn->state == BENCH_CONN_SECURING)
		fail_plainly(conn, BENCH_CAUSE_TLS_LOST, error);
	else if (bench_handshake_end(conn->handshake, &answer) == BENCH_ANSWER_REFUSED)
		refuse(conn, &answer);
	else
		fail_plainly(conn, BENCH_CAUSE_HANDSHAKE_LOST, error);
}

static void handshake_expire(struct bench_conn *conn)
{
	struct bench_answer_data answer;

	if (bench_handshake_end(conn->handshake, &answer) == BENCH_ANSWER_REFUSED)
		refuse(conn, &answer);
	else
		fail_plainly(conn, BENCH_CAUSE_HANDSHAKE_TIMEOUT, 0);
}

void bench_approach_check_deadline(struct bench_conn *conn, uint64_t age_ns)
{
	const struct bench_options *options = conn->worker->setup->options;

	if (conn->state == BENCH_CONN_CONNECTING &&
	    age_ns > options->connect_timeout_ms * NS_PER_MS)
		fail_plainly(conn, BENCH_CAUSE_CONNECT_TIMEOUT, 0);
	else if (conn->state == BENCH_CONN_SECURING &&
		 age_ns > options->handshake_timeout_ms * NS_PER_MS)
		fail_plainly(conn, BENCH_CAUSE_TLS_TIMEOUT, 0);
	else if (conn->state == BENCH_CONN_HANDSHAKE &&
		 age_ns > options->handshake_timeout_ms * NS_PER_MS)
		handshake_expire(conn);
}
