/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_worker.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/load/bench_phase.h"
#include "io/tcp_tls.h"
#include "tls/tls_stream.h"

/* --- what connections borrow --- */

struct bench_handshake *bench_worker_handshake_get(struct bench_worker *worker)
{
	struct bench_handshake *handshake = worker->free_handshakes;

	if (handshake == NULL)
		return calloc(1, sizeof(*handshake));
	worker->free_handshakes = handshake->next_free;
	return handshake;
}

void bench_worker_handshake_put(struct bench_worker *worker, struct bench_handshake *handshake)
{
	handshake->next_free = worker->free_handshakes;
	worker->free_handshakes = handshake;
}

static struct ssl_session_st **session_of(const struct bench_conn *conn)
{
	return &conn->worker->sessions[conn - conn->worker->conns];
}

struct ssl_session_st *bench_worker_session(const struct bench_conn *conn)
{
	const struct bench_options *options = conn->worker->setup->options;
	struct ssl_session_st *own = *session_of(conn);
	bool do_come_again = options->lifetime_ms > 0 || options->cut_after_ms > 0 ||
			     options->does_reconnect;

	return own != NULL || do_come_again ? own : conn->worker->session;
}

void bench_worker_session_keep(struct bench_conn *conn)
{
	struct ssl_session_st **own = session_of(conn);
	struct ssl_session_st *session = tcp_tls_session(&conn->tcp);

	if (session == NULL)
		return;
	tls_session_free(own);
	*own = session;
	if (conn->worker->session == NULL)
		conn->worker->session = tls_session_ref(session);
}

struct ws_decoder *bench_worker_decoder_get(struct bench_worker *worker)
{
	struct ws_decoder *decoder = worker->spare_decoder;

	worker->spare_decoder = NULL;
	if (decoder != NULL)
		return decoder;
	decoder = pool_get(&worker->decoders);
	if (decoder != NULL)
		ws_decoder_init(decoder);
	return decoder;
}

void bench_worker_decoder_put(struct bench_worker *worker, struct ws_decoder *decoder)
{
	if (worker->spare_decoder == NULL && ws_decoder_is_idle(decoder)) {
		worker->spare_decoder = decoder;
		return;
	}
	ws_decoder_finish(decoder);
	pool_put(&worker->decoders, decoder);
}

/* --- the loop's thread --- */

static void on_quit(struct loop_task *task)
{
	loop_stop(CONTAINER_OF(task, struct bench_worker, quit_task)->loop);
}

static void *thread_run(void *arg)
{
	struct bench_worker *worker = arg;
	const struct loop_options options = {
		.engine = worker->setup->engine,
		.max_sockets = (uint32_t)MIN(worker->count + BENCH_SLACK,
					     worker->setup->sockets_max),
	};

	worker->error = loop_create(&options, &worker->loop);
	sem_post(&worker->is_up);
	if (worker->error < 0)
		return NULL;
	loop_run(worker->loop);
	loop_destroy(&worker->loop);
	return NULL;
}

/* --- the main thread --- */

static void worker_init(struct bench_worker *worker, const struct bench_setup *setup,
			unsigned index)
{
	worker->setup = setup;
	worker->index = index;
	worker->quit_task.run = on_quit;
	bench_phase_init(worker);
	pool_init(&worker->decoders, sizeof(struct ws_decoder));
	sem_init(&worker->is_up, 0, 0);
}

static int thread_start(struct bench_worker *worker)
{
	int r = -pthread_create(&worker->thread, NULL, thread_run, worker);

	if (r < 0)
		return r;
	while (sem_wait(&worker->is_up) < 0 && errno == EINTR)
		;
	if (worker->error < 0)
		pthread_join(worker->thread, NULL);
	return worker->error;
}

int bench_worker_create(const struct bench_setup *setup, unsigned index,
			struct bench_worker **out_worker)
{
	const struct bench_options *options = setup->options;
	struct bench_worker *worker = calloc(1, sizeof(*worker));

	if (worker == NULL)
		return -ENOMEM;
	worker_init(worker, setup, index);
	bench_plan_share(options->connections, setup->workers, index, &worker->first_number,
			 &worker->count);
	worker->handshakes_max = (uint32_t)MIN(
		bench_plan_handshakes(options->in_flight, options->connect_rate, setup->workers,
				      index),
		MAX(setup->in_flight_max, UINT64_C(1))); /* with none it would never end */
	worker->released = options->batch > 0 ? 0 : worker->count;
	worker->conns = calloc(worker->count, sizeof(*worker->conns));
	if (options->is_receiver)
		worker->receipts = calloc(worker->count, sizeof(*worker->receipts));
	bool has_returns = options->does_reconnect || options->is_at_least_once;

	if (has_returns)
		worker->returns = calloc(worker->count, sizeof(*worker->returns));
	if (options->does_resume)
		worker->sessions = calloc(worker->count, sizeof(*worker->sessions));
	bool is_short = worker->conns == NULL ||
			(options->is_receiver && worker->receipts == NULL) ||
			(has_returns && worker->returns == NULL) ||
			(options->does_resume && worker->sessions == NULL);
	int r = is_short ? -ENOMEM : 0;

	if (r == 0 && options->does_pack)
		r = bench_packing_init(&worker->packing, options->size);
	for (uint32_t i = 0; r == 0 && i < worker->count; i++) {
		worker->conns[i].worker = worker;
		worker->conns[i].node = (uint8_t)((worker->first_number + i - 1) %
						  setup->node_count);
		if (has_returns)
			bench_return_init(&worker->returns[i]);
	}
	if (r == 0)
		r = thread_start(worker);
	if (r < 0)
		bench_worker_destroy(&worker);
	else
		*out_worker = worker;
	return r;
}

double bench_worker_seconds(const struct bench_worker *worker)
{
	return (double)(clock_now_ns() - worker->setup->start_ns) / (double)NS_PER_S;
}

uint32_t bench_worker_release(struct bench_worker *worker, uint32_t count)
{
	uint32_t before = atomic_load_explicit(&worker->released, memory_order_relaxed);

	atomic_store_explicit(&worker->released, MAX(count, before), memory_order_relaxed);
	return MAX(count, before);
}

void bench_worker_begin(struct bench_worker *worker)
{
	loop_post(worker->loop, &worker->begin_task);
}

void bench_worker_hold(struct bench_worker *worker, uint64_t start_ns)
{
	worker->hold_start_ns = start_ns; /* the worker reads it in the task */
	loop_post(worker->loop, &worker->hold_task);
}

void bench_worker_stop(struct bench_worker *worker)
{
	loop_post(worker->loop, &worker->stop_task);
}

void bench_worker_join(struct bench_worker *worker)
{
	CHECK(bench_worker_has_ended(worker));
	loop_post(worker->loop, &worker->quit_task);
	pthread_join(worker->thread, NULL);
}

uint64_t bench_worker_held_late(const struct bench_worker *worker)
{
	uint64_t held = 0;

	if (worker->lowest_failed == 0)
		return 0;
	for (uint64_t i = worker->lowest_failed - worker->first_number; i < worker->count; i++)
		held += worker->conns[i].is_held;
	return held;
}

void bench_worker_destroy(struct bench_worker **worker)
{
	struct bench_worker *gone = *worker;

	if (gone == NULL)
		return;
	while (gone->free_handshakes != NULL) {
		struct bench_handshake *handshake = gone->free_handshakes;

		gone->free_handshakes = handshake->next_free;
		buf_finish(&handshake->bytes);
		free(handshake);
	}
	if (gone->spare_decoder != NULL) {
		ws_decoder_finish(gone->spare_decoder);
		pool_put(&gone->decoders, gone->spare_decoder);
	}
	pool_finish(&gone->decoders);
	bench_packing_finish(&gone->packing);
	sem_destroy(&gone->is_up);
	for (uint32_t i = 0; gone->sessions != NULL && i < gone->count; i++)
		tls_session_free(&gone->sessions[i]);
	tls_session_free(&gone->session);
	free(gone->sessions);
	free(gone->receipts);
	free(gone->returns);
	free(gone->conns);
	free(gone);
	*worker = NULL;
}
