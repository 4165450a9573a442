/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_worker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/bench_shape.h"
#include "bench/bench_traffic.h"

/* Slow readers that begin in one turn: each fills a queue and a socket buffer. */
#define SLOW_BATCH 100

/* Connections that start, or begin to close, in one turn; the turn stays short. */
#define BATCH 1000

/* All connections are looked at for time-outs once per round, a slice at a time. */
#define SWEEP_SLICES   16
#define SWEEP_ROUND_MS 1000

#define TURN_NS NS_PER_MS

static uint64_t thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

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

/* --- connect --- */

static bool may_start(const struct bench_worker *worker, uint64_t now_ns)
{
	if (worker->started == atomic_load_explicit(&worker->released, memory_order_relaxed) ||
	    worker->in_progress >= worker->handshakes_max)
		return false;
	return worker->setup->options->connect_rate == 0 ||
	       bench_pace_at(&worker->connect_pace, worker->started) <= now_ns;
}

/* Starts what is due. A connection may fail at once and call back into here. */
static void connect_step(struct bench_worker *worker)
{
	uint64_t now_ns = clock_now_ns();

	if (worker->phase != BENCH_CONNECT || worker->is_starting)
		return;
	worker->is_starting = true;
	for (unsigned i = 0; i < BATCH && may_start(worker, now_ns); i++)
		bench_conn_start(&worker->conns[worker->started++], now_ns);
	worker->is_starting = false;
	if (worker->started < worker->count)
		loop_timer_start(worker->loop, &worker->pace_timer, TURN_NS);
}

/* --- hold --- */

static void close_begin(struct bench_worker *worker)
{
	worker->phase = BENCH_CLOSE;
	worker->cursor = 0;
	worker->close_start_ns = clock_now_ns();
	worker->hold_cpu_ns = thread_cpu_ns() - worker->hold_cpu_ns;
	loop_timer_start(worker->loop, &worker->pace_timer, 0);
}

/* Closed loop: each connection gets its first messages, then echoes drive it. */
static void fill_step(struct bench_worker *worker, uint64_t now_ns)
{
	uint64_t end = MIN(worker->cursor + BATCH, worker->count);

	for (; worker->cursor < end; worker->cursor++)
		bench_traffic_fill(&worker->conns[worker->cursor], now_ns);
}

/* Paced: the connections take turns. */
static void paced_step(struct bench_worker *worker, uint64_t now_ns)
{
	uint64_t until_ns = MIN(now_ns, worker->traffic_end_ns - 1);

	while (bench_pace_at(&worker->message_pace, worker->cursor) <= until_ns) {
		bench_traffic_send_due(&worker->conns[worker->cursor % worker->count], now_ns);
		worker->cursor++;
	}
}

static void slow_step(struct bench_worker *worker, uint64_t now_ns)
{
	uint32_t end = (uint32_t)MIN((uint64_t)worker->slow_at + SLOW_BATCH, worker->count);

	for (; worker->slow_at < end; worker->slow_at++)
		bench_shape_slow_start(&worker->conns[worker->slow_at], now_ns);
}

/* What was begun in the hold comes to its end first. */
static bool is_hold_over(const struct bench_worker *worker, uint64_t now_ns)
{
	return now_ns >= worker->hold_end_ns && worker->in_flight == 0 && worker->replacing == 0;
}

static uint64_t hold_next_ns(const struct bench_worker *worker, uint64_t now_ns)
{
	uint64_t next_ns = worker->hold_end_ns;

	if (now_ns < worker->traffic_end_ns && worker->setup->options->message_rate > 0)
		next_ns = MIN(next_ns, bench_pace_at(&worker->message_pace, worker->cursor));
	if (worker->setup->options->depth > 0 && worker->cursor < worker->count)
		next_ns = now_ns;
	if (worker->slow_at < worker->count)
		next_ns = now_ns;
	return MAX(next_ns, now_ns + TURN_NS);
}

static void hold_step(struct bench_worker *worker)
{
	const struct bench_options *options = worker->setup->options;
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= worker->hold_start_ns && now_ns < worker->traffic_end_ns &&
	    options->depth > 0)
		fill_step(worker, now_ns);
	if (now_ns >= worker->hold_start_ns && options->message_rate > 0)
		paced_step(worker, now_ns);
	if (now_ns >= worker->hold_start_ns)
		slow_step(worker, now_ns);
	if (is_hold_over(worker, now_ns))
		close_begin(worker);
	else
		loop_timer_start(worker->loop, &worker->pace_timer,
				 hold_next_ns(worker, now_ns) - now_ns);
}

/* --- close --- */

static void end_check(struct bench_worker *worker)
{
	if (worker->phase != BENCH_CLOSE || worker->cursor < worker->count || worker->live > 0)
		return;
	loop_timer_stop(worker->loop, &worker->sweep_timer);
	atomic_store_explicit(&worker->has_ended, true, memory_order_release);
}

static void close_step(struct bench_worker *worker)
{
	uint64_t end = MIN(worker->cursor + BATCH, worker->count);
	uint64_t now_ns = clock_now_ns();

	for (; worker->cursor < end; worker->cursor++)
		bench_conn_finish(&worker->conns[worker->cursor], now_ns);
	if (worker->cursor < worker->count)
		loop_timer_start(worker->loop, &worker->pace_timer, TURN_NS);
	end_check(worker);
}

/* --- the loop's thread --- */

static void on_pace(struct timer *timer)
{
	struct bench_worker *worker = CONTAINER_OF(timer, struct bench_worker, pace_timer);

	switch (worker->phase) {
	case BENCH_CONNECT:
		connect_step(worker);
		break;
	case BENCH_HOLD:
		hold_step(worker);
		break;
	case BENCH_CLOSE:
		close_step(worker);
		break;
	case BENCH_IDLE:
		break;
	}
}

/* Short enough for the shortest time that it has to keep. */
static uint64_t sweep_round_ns(const struct bench_options *options)
{
	uint64_t shortest_ms = MIN(options->echo_timeout_ms,
				   MIN(options->connect_timeout_ms, options->handshake_timeout_ms));

	if (options->lifetime_ms > 0)
		shortest_ms = MIN(shortest_ms, options->lifetime_ms / 2);
	return MIN(shortest_ms * NS_PER_MS / 4, SWEEP_ROUND_MS * NS_PER_MS);
}

/* One slice of a round. */
static void on_sweep(struct timer *timer)
{
	struct bench_worker *worker = CONTAINER_OF(timer, struct bench_worker, sweep_timer);
	const struct bench_options *options = worker->setup->options;
	uint64_t now_ns = clock_now_ns();
	uint32_t slice = worker->count / SWEEP_SLICES + 1;

	for (uint32_t i = 0; i < slice; i++) {
		struct bench_conn *conn = &worker->conns[worker->sweep_at];

		bench_conn_check_deadline(conn, now_ns);
		if (options->lifetime_ms > 0)
			bench_shape_check_lifetime(conn, now_ns);
		worker->sweep_at = (worker->sweep_at + 1) % worker->count;
	}
	loop_timer_start(worker->loop, &worker->sweep_timer,
			 sweep_round_ns(options) / SWEEP_SLICES);
}

void bench_worker_resolved(struct bench_worker *worker)
{
	connect_step(worker);
}

void bench_worker_gone(struct bench_worker *worker)
{
	end_check(worker);
}

static void on_begin(struct loop_task *task)
{
	struct bench_worker *worker = CONTAINER_OF(task, struct bench_worker, begin_task);
	const struct bench_options *options = worker->setup->options;

	worker->phase = BENCH_CONNECT;
	if (options->connect_rate > 0)
		worker->connect_pace = bench_pace_connect(clock_now_ns(), options->connect_rate,
							  options->connections, worker->count);
	loop_timer_start(worker->loop, &worker->sweep_timer, TURN_NS);
	connect_step(worker);
}

static void on_hold(struct loop_task *task)
{
	struct bench_worker *worker = CONTAINER_OF(task, struct bench_worker, hold_task);
	const struct bench_options *options = worker->setup->options;
	uint64_t start_ns = worker->hold_start_ns;

	worker->phase = BENCH_HOLD;
	worker->cursor = 0;
	worker->traffic_end_ns = start_ns + bench_options_traffic_ms(options) * NS_PER_MS;
	worker->hold_end_ns = start_ns + bench_options_hold_ms(options) * NS_PER_MS;
	worker->hold_cpu_ns = thread_cpu_ns();
	worker->slow_at = options->slow_readers_percent > 0 ? 0 : worker->count;
	if (options->slow_readers_percent > 0 || options->lifetime_ms > 0)
		for (uint32_t i = 0; i < worker->count; i++)
			bench_shape_begin(&worker->conns[i], start_ns);
	if (options->message_rate > 0)
		worker->message_pace = bench_pace_messages(start_ns, options->message_rate,
							   worker->count, worker->setup->workers,
							   worker->index);
	loop_timer_start(worker->loop, &worker->pace_timer, TURN_NS);
}

static void on_stop(struct loop_task *task)
{
	struct bench_worker *worker = CONTAINER_OF(task, struct bench_worker, stop_task);

	if (worker->phase != BENCH_HOLD)
		worker->hold_cpu_ns = thread_cpu_ns();
	if (worker->phase != BENCH_CLOSE)
		close_begin(worker);
}

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
	worker->begin_task.run = on_begin;
	worker->hold_task.run = on_hold;
	worker->stop_task.run = on_stop;
	worker->quit_task.run = on_quit;
	loop_timer_init(&worker->pace_timer, on_pace);
	loop_timer_init(&worker->sweep_timer, on_sweep);
	pool_init(&worker->decoders, sizeof(struct ws_decoder), 64);
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
	bool is_short = worker->conns == NULL || (options->is_receiver && worker->receipts == NULL);
	int r = is_short ? -ENOMEM : 0;

	for (uint32_t i = 0; r == 0 && i < worker->count; i++)
		worker->conns[i].worker = worker;
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
	sem_destroy(&gone->is_up);
	free(gone->receipts);
	free(gone->conns);
	free(gone);
	*worker = NULL;
}
