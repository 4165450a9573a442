/* SPDX-License-Identifier: Apache-2.0
 * worker.c - the life of a worker: its thread makes the loop, listens, and runs until it is to
 * end. Then every connection is told; when those that were let in have left, the listener closes;
 * and whatever is the last to go - listener, connections, uplinks, shares of broadcasts, the
 * fleet's - stops the loop. */
#include "server/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/counter.h"
#include "server/broadcast.h"
#include "server/handover_conns.h"
#include "conn/conns.h"
#include "tls/tls_holder.h"

/* --- the end --- */

static void run_close(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, close_task);

	worker_doors_close(worker);
	conns_close(&worker->home);
}

static void start_closing(struct worker *worker)
{
	if (worker->is_closing)
		return;
	worker->is_closing = true;
	worker->close_task.run = run_close;
	loop_post(worker->loop, &worker->close_task);
}

/* How often a worker looks whether the others are empty too: the port is one for all of them. */
#define LEAVE_LOOK_NS (20 * NS_PER_MS)

/* The listener stays until those who were let in have left, so that whoever comes meanwhile learns
 * why not; then nobody is waited for any more. */
static void end_if_empty(struct worker *worker)
{
	if (!worker->is_ending || !list_is_empty(&worker->shares))
		return;
	if (conns_have_left(&worker->home))
		start_closing(worker);
	else if (!worker->is_closing)
		loop_timer_start(worker->loop, &worker->leave_timer, LEAVE_LOOK_NS);
	if (list_is_empty(&worker->doors) && conns_are_gone(&worker->home))
		loop_stop(worker->loop);
}

void worker_part_gone(struct worker *worker)
{
	end_if_empty(worker);
}

static void on_conn_gone(struct conn_home *home)
{
	end_if_empty(CONTAINER_OF(home, struct worker, home));
}

static void on_leave_timer(struct timer *timer)
{
	end_if_empty(CONTAINER_OF(timer, struct worker, leave_timer));
}

static void begin_ending(struct worker *worker)
{
	if (!worker->is_ending)
		loop_timer_init(&worker->leave_timer, on_leave_timer);
	worker->is_ending = true;
}

/* What is not the connections' left when another process took over (server_road.h). */
static void tell_drain(struct worker *worker)
{
	if (!worker->has_retired && worker->options.events.on_drain != NULL)
		worker->options.events.on_drain(worker->options.events.arg, worker);
}

static void run_drain(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, drain_task);

	CHECK(!worker->is_ending || worker->has_retired);
	begin_ending(worker);
	drain_pace_stop(&worker->pace);
	conns_drain(&worker->home);
	tell_drain(worker);
	end_if_empty(worker);
}

/* Those that are there stay, but for those that nobody uses: only the doors go. */
static void run_retire(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, retire_task);

	CHECK(!worker->is_ending && !worker->has_retired);
	worker->has_retired = worker->is_closing = true;
	worker_doors_close(worker);
	conns_retire(&worker->home);
	if (worker->ends_retired)
		begin_ending(worker);
	end_if_empty(worker);
}

static void run_abort(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, abort_task);

	CHECK(worker->is_ending);
	conns_abort(&worker->home);
	/* What is left is cut: no other worker's clients are waited for. */
	start_closing(worker);
}

void worker_drain(struct worker *worker)
{
	worker->drain_task.run = run_drain;
	loop_post(worker->loop, &worker->drain_task);
	handover_desk_end(&worker->desk); /* in the middle of a start */
}

void worker_retire(struct worker *worker, bool ends)
{
	worker->ends_retired = ends;
	worker->retire_task.run = run_retire;
	loop_post(worker->loop, &worker->retire_task);
}

void worker_abort(struct worker *worker)
{
	worker->abort_task.run = run_abort;
	loop_post(worker->loop, &worker->abort_task);
}

/* --- other rules --- */

static void run_rules(struct loop_task *task)
{
	struct worker *worker = CONTAINER_OF(task, struct worker, rules_task);
	struct ruleset *next = __atomic_exchange_n(&worker->next_rules, NULL, __ATOMIC_ACQ_REL);
	uint64_t number = next->number;

	conns_change_rules(&worker->home, next);
	worker->options.events.on_rules(worker->options.events.arg, number);
}

void worker_change_rules(struct worker *worker, struct ruleset *ruleset)
{
	struct ruleset *passed_over = __atomic_exchange_n(&worker->next_rules, ruleset_ref(ruleset),
							  __ATOMIC_ACQ_REL);

	if (passed_over == NULL)
		loop_post(worker->loop, &worker->rules_task);
	ruleset_unref(&passed_over);
}

/* --- the thread --- */

/* Some are open and others cannot be: the loop runs until those have closed. */
static void give_up(struct worker *worker)
{
	worker->is_ending = true;
	if (list_is_empty(&worker->doors))
		return;
	start_closing(worker);
	loop_run(worker->loop);
}

/* From when all are open they are found in `doors`: one may go before the worker does. */
static int open_doors(struct worker *worker)
{
	for (size_t i = 0; i < worker->options.door_count; i++) {
		int r = worker_door_open(worker, worker->options.doors[i]);

		if (r < 0) {
			give_up(worker);
			return r;
		}
	}
	worker->options.door_count = 0;
	return 0;
}

static int door_open_silent(struct worker *worker, struct worker_door *door)
{
	int r = listener_listen(door->fd);

	return r < 0 ? r : worker_door_open(worker, door);
}

/* What the process before has handed over goes on, and whoever comes is let in. A door that cannot
 * be opened now stays shut: the clients that are there matter more. */
static void open_still(struct worker *worker)
{
	for (size_t i = 0; i < worker->options.door_count; i++) {
		int r = door_open_silent(worker, worker->options.doors[i]);

		if (r < 0)
			log_error("a listener that was handed over cannot be used",
				  F_TEXT("error", strerror(-r)),
				  F_TEXT("remedy", "raise the limits on memory and descriptors, "
						   "and restart"));
	}
	worker->options.door_count = 0;
	handover_conns_go_on(worker, true);
	worker->options.events.on_listening(worker->options.events.arg, worker);
}

void worker_open(struct worker *worker)
{
	__atomic_store_n(&worker->is_opened, true, __ATOMIC_RELEASE);
	handover_desk_end(&worker->desk);
}

/* Before the loop runs. */
static void stand_at_desk(struct worker *worker)
{
	handover_desk_serve(&worker->desk, worker);
	if (__atomic_load_n(&worker->is_opened, __ATOMIC_ACQUIRE))
		open_still(worker);
}

/* Stops now and then to stand still, and once to end. */
static void run_loop(struct worker *worker)
{
	for (;;) {
		loop_run(worker->loop);
		if (!stillness_is_asked(&worker->still))
			return;
		if (stillness_keep(worker))
			worker_retire(worker, true);
	}
}

static int run(struct worker *worker)
{
	int r = loop_create(&worker->options.loop, &worker->loop);

	if (r < 0)
		return r;
	loop_tls_limit(worker->loop, &worker->options.tls);
	conns_start(&worker->home, worker->loop);
	struct fleet *fleet = worker->home.fleet.fleet;

	if (fleet != NULL && fleet->is_clustered)
		announce_start(&worker->announce, &worker->home);
	broadcast_worker_init(worker);
	drain_pace_init(&worker->pace, worker->options.drain, &worker->home);
	r = worker->options.starts_still ? 0 : open_doors(worker);
	if (r == 0) {
		mailbox_open(&worker->home.mailbox, worker->loop);
		if (!worker->options.starts_still)
			worker->options.events.on_listening(worker->options.events.arg, worker);
		if (worker->options.events.on_started != NULL)
			worker->options.events.on_started(worker->options.events.arg, worker);
		if (worker->options.starts_still)
			stand_at_desk(worker);
		run_loop(worker);
		mailbox_close(&worker->home.mailbox);
	}
	return r;
}

/* --- how much it has to do --- */

static uint64_t clock_read(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) < 0
		       ? 0
		       : (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void load_begin(struct worker_load *load)
{
	clockid_t clock;

	if (pthread_getcpuclockid(pthread_self(), &clock) == 0)
		__atomic_store_n(&load->cpu_clock, clock, __ATOMIC_RELAXED);
}

static void load_end(struct worker_load *load)
{
	counter_set(&load->busy_ns, clock_read(CLOCK_THREAD_CPUTIME_ID));
	__atomic_store_n(&load->cpu_clock, 0, __ATOMIC_RELAXED);
}

uint64_t worker_busy_ns(const struct worker *worker)
{
	int64_t clock = __atomic_load_n(&worker->load.cpu_clock, __ATOMIC_RELAXED);

	return clock != 0 ? clock_read((clockid_t)clock) : counter_read(&worker->load.busy_ns);
}

static void *thread_main(void *arg)
{
	struct worker *worker = arg;

	pthread_setname_np(pthread_self(), worker->options.name);
	load_begin(&worker->load);
	int r = run(worker);

	worker->options.events.on_end(worker->options.events.arg, r);
	/* Here and not in worker_join: a ring belongs to the thread that made it. Whoever
	 * posts does so before it has been told of the end. */
	loop_destroy(&worker->loop);
	load_end(&worker->load);
	return NULL;
}

/* Those that no listener has taken over. */
static void descriptors_close(struct worker_door **doors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (doors[i]->fd >= 0)
			close(doors[i]->fd);
		doors[i]->fd = -1;
	}
}

static void worker_free(struct worker *worker)
{
	ruleset_unref(&worker->next_rules); /* it ended before it came to that */
	conns_finish(&worker->home);
	handover_desk_finish(&worker->desk);
	free(worker->options.doors);
	free(worker);
}

/* NULL: memory is out. */
static struct worker *worker_make(const struct worker_options *options)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct worker_door **doors = calloc(options->door_count, sizeof(struct worker_door *));

	if (worker == NULL || doors == NULL) {
		free(worker);
		free(doors);
		return NULL;
	}
	worker->options = *options;
	worker->rules_task.run = run_rules;
	worker->options.loop.lags = &worker->load.lags;
	worker->options.loop.tls = &worker->tls;
	worker->options.doors = doors;
	for (size_t i = 0; i < options->door_count; i++)
		doors[i] = options->doors[i];
	list_init(&worker->doors);
	worker->on_door_closed = end_if_empty;
	handover_desk_init(&worker->desk);
	return worker;
}

struct worker *worker_start(const struct worker_options *options)
{
	struct worker *worker = worker_make(options);

	if (worker == NULL) {
		descriptors_close(options->doors, options->door_count);
		errno = ENOMEM;
		return NULL;
	}
	conns_init(&worker->home, options->service, on_conn_gone);
	worker->home.index = options->index;
	int r = pthread_create(&worker->thread, NULL, thread_main, worker);

	if (r != 0) {
		descriptors_close(options->doors, options->door_count);
		worker_free(worker);
		errno = r;
		return NULL;
	}
	return worker;
}

void worker_join(struct worker *worker)
{
	if (worker != NULL)
		pthread_join(worker->thread, NULL);
}

void worker_destroy(struct worker **worker)
{
	if (*worker == NULL)
		return;
	descriptors_close((*worker)->options.doors, (*worker)->options.door_count);
	worker_free(*worker);
	*worker = NULL;
}
