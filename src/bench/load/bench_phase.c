/* SPDX-License-Identifier: Apache-2.0
 * bench_phase.c - a worker connects in batches, at the rate that is wanted; holds, with traffic;
 * closes. The main thread says when the next phase begins, the worker when its last connection
 * has gone. */
#include "bench/load/bench_phase.h"

#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/client/bench_approach.h"
#include "bench/client/bench_shape.h"
#include "bench/client/bench_traffic.h"

/* Slow readers that begin in one turn: each fills a queue and a socket buffer. */
#define SLOW_BATCH 100

/* Connections that start, or begin to close, in one turn; the turn stays short. */
#define BATCH 1000

/* Closing handshakes of one worker at once, for a start: with all at once most of a million would
 * be given up before the other side came to them. Each that is not answered in time makes room for
 * one more, so that a side that answers none is done with soon. */
#define CLOSING_START 256

/* All connections are looked at for time-outs once per round, a slice at a time. */
#define SWEEP_SLICES   16
#define SWEEP_ROUND_MS 1000

/* The same with --reconnect, since those who are away are found there. */
#define RETURN_ROUND_MS 100

#define TURN_NS NS_PER_MS

static uint64_t thread_cpu_ns(void)
{
	struct timespec used;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
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
		bench_approach_start(&worker->conns[worker->started++], now_ns);
	worker->is_starting = false;
	if (worker->started < worker->count)
		loop_timer_start(worker->loop, &worker->pace_timer, TURN_NS);
}

/* --- hold --- */

static void close_begin(struct bench_worker *worker)
{
	worker->phase = BENCH_CLOSE;
	worker->cursor = 0;
	worker->closing_max = CLOSING_START;
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

/* --cut-after: all that are open, at once. */
static void cut(struct bench_worker *worker, uint64_t now_ns)
{
	worker->cut_ns = now_ns;
	worker->restart_at = 0;
	for (uint32_t i = 0; i < worker->count; i++)
		bench_conn_cut(&worker->conns[i]);
}

/* Those that were cut come back in the order of their numbers, as many at once as may. */
static void restart_step(struct bench_worker *worker)
{
	uint64_t now_ns = clock_now_ns();

	if (worker->phase != BENCH_HOLD || worker->cut_ns == 0 || worker->is_starting)
		return;
	worker->is_starting = true;
	for (unsigned i = 0; i < BATCH && worker->restart_at < worker->count &&
			     worker->in_progress < worker->handshakes_max;
	     i++) {
		struct bench_conn *conn = &worker->conns[worker->restart_at];

		if (conn->churn == BENCH_REPLACING && conn->state != BENCH_CONN_NEW)
			break; /* still closing */
		worker->restart_at++;
		if (conn->churn == BENCH_REPLACING)
			bench_approach_start(conn, now_ns);
	}
	worker->is_starting = false;
}

static uint64_t cut_at_ns(const struct bench_worker *worker)
{
	uint64_t after_ms = worker->setup->options->cut_after_ms;

	return after_ms == 0 || worker->cut_ns > 0 ? UINT64_MAX
						   : worker->hold_start_ns + after_ms * NS_PER_MS;
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
	if (worker->slow_at < worker->count || worker->replacing > 0)
		next_ns = now_ns;
	next_ns = MIN(next_ns, cut_at_ns(worker));
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
	if (now_ns >= cut_at_ns(worker))
		cut(worker, now_ns);
	restart_step(worker);
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

	for (; worker->cursor < end && worker->closing < worker->closing_max; worker->cursor++)
		bench_conn_finish(&worker->conns[worker->cursor], now_ns);
	if (worker->cursor < worker->count)
		loop_timer_start(worker->loop, &worker->pace_timer, TURN_NS);
	end_check(worker);
}

/* --- timers --- */

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
	if (options->does_reconnect)
		shortest_ms = MIN(shortest_ms, RETURN_ROUND_MS * 4);
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

/* --- orders of the main thread --- */

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
	worker->closing_max = UINT32_MAX; /* somebody waits */
}

void bench_phase_init(struct bench_worker *worker)
{
	worker->begin_task.run = on_begin;
	worker->hold_task.run = on_hold;
	worker->stop_task.run = on_stop;
	loop_timer_init(&worker->pace_timer, on_pace);
	loop_timer_init(&worker->sweep_timer, on_sweep);
}

/* --- from connections --- */

void bench_worker_resolved(struct bench_worker *worker)
{
	connect_step(worker);
	restart_step(worker);
}

void bench_worker_close_late(struct bench_worker *worker)
{
	if (worker->closing_max < UINT32_MAX)
		worker->closing_max++;
}

void bench_worker_gone(struct bench_worker *worker)
{
	end_check(worker);
}
