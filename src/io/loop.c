/* SPDX-License-Identifier: Apache-2.0 */
#include "io/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "io/seal.h"
#include "io/tcp_handover.h"

/* The rest of those that are due comes with the next turns: each may have output. */
#define TIMERS_PER_TURN 1024

/* --- posted tasks --- */

static void run_posted(struct loop *loop)
{
	struct loop_task *task = __atomic_exchange_n(&loop->posted, NULL, __ATOMIC_ACQUIRE);
	struct loop_task *in_order = NULL;

	while (task != NULL) {
		struct loop_task *next = task->next;

		task->next = in_order;
		in_order = task;
		task = next;
	}
	while (in_order != NULL) {
		task = in_order;
		in_order = task->next;
		task->run(task);
	}
}

static void on_wake(struct watch *watch, unsigned events)
{
	uint64_t count;

	(void)events;
	while (read(watch->fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
	run_posted(watch->loop);
}

void loop_post(struct loop *loop, struct loop_task *task)
{
	struct loop_task *last = __atomic_load_n(&loop->posted, __ATOMIC_RELAXED);

	do
		task->next = last;
	while (!__atomic_compare_exchange_n(&loop->posted, &last, task, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED));
	/* Only the first of a batch wakes: whoever empties the list takes them all. */
	if (last != NULL)
		return;
	uint64_t one = 1;

	while (write(loop->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- output buffers that nobody needs --- */

/* What was not needed in one such period is given back: after a storm of handshakes, or a message
 * to many, an idle loop holds none. */
#define OUTBUFS_TRIM_NS NS_PER_S

static void on_trim(struct timer *timer)
{
	struct loop *loop = CONTAINER_OF(timer, struct loop, outbufs_trim);

	if (outbuf_cache_trim(&loop->outbufs))
		loop_timer_start(loop, timer, OUTBUFS_TRIM_NS);
}

static void trim_later(struct loop *loop)
{
	if (!loop_timer_is_running(&loop->outbufs_trim) && !outbuf_cache_is_empty(&loop->outbufs))
		loop_timer_start(loop, &loop->outbufs_trim, OUTBUFS_TRIM_NS);
}

/* --- life --- */

static void on_wake_closed(struct watch *watch)
{
	watch->loop->is_woken_closed = true;
}

int loop_init(struct loop *loop, const struct engine *engine)
{
	loop->engine = engine;
	loop->now = clock_now_ns();
	loop->queued_end = &loop->queued;
	loop->tls = &loop->own_tls;
	list_init(&loop->due);
	list_init(&loop->pausing);
	hungry_init(loop);
	timer_wheel_init(&loop->wheel, loop->now / NS_PER_MS);
	loop_timer_init(&loop->outbufs_trim, on_trim);
	loop->reserve_fd = loop_reserve_open();
	if (loop->reserve_fd < 0)
		return -errno;
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0) {
		int r = -errno;

		close(loop->reserve_fd);
		return r;
	}
	return 0;
}

void loop_trim(struct loop *loop)
{
	outbuf_cache_finish(&loop->outbufs);
}

void loop_finish(struct loop *loop)
{
	seals_finish(loop);
	loop_timer_stop(loop, &loop->outbufs_trim);
	outbuf_cache_finish(&loop->outbufs);
	close(loop->wake_fd);
	if (loop->reserve_fd >= 0)
		close(loop->reserve_fd);
}

int loop_open(struct loop *loop)
{
	loop->wake.on_ready = on_wake;
	loop->wake.on_closed = on_wake_closed;
	return watch_open(&loop->wake, loop, loop->wake_fd, LOOP_READABLE);
}

static void turn(struct loop *loop);

void loop_destroy(struct loop **loop)
{
	if (*loop == NULL)
		return;
	/* A task may post the next. */
	while (__atomic_load_n(&(*loop)->posted, __ATOMIC_RELAXED) != NULL)
		run_posted(*loop);
	watch_close(&(*loop)->wake);
	while (!(*loop)->is_woken_closed)
		turn(*loop);
	CHECK((*loop)->queued == NULL && (*loop)->posted == NULL);
	(*loop)->engine->destroy(*loop);
	*loop = NULL;
}

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

/* --- timers --- */

static void run_timers(struct loop *loop)
{
	timer_wheel_advance(&loop->wheel, loop->round_began / NS_PER_MS, &loop->due);
	for (unsigned i = 0; i < TIMERS_PER_TURN && !list_is_empty(&loop->due); i++) {
		struct timer *timer = CONTAINER_OF(loop->due.next, struct timer, node);

		list_remove(&timer->node);
		timer->on_expire(timer);
	}
}

/* Until the next timer; UINT64_MAX if there is none. */
static uint64_t next_timer_ns(const struct loop *loop, uint64_t now)
{
	if (!list_is_empty(&loop->due))
		return 0;
	uint64_t tick = timer_wheel_next(&loop->wheel);

	if (tick == UINT64_MAX)
		return UINT64_MAX;
	uint64_t at = tick * NS_PER_MS;

	return at > now ? at - now : 0;
}

static bool has_work(const struct loop *loop)
{
	return loop->queued != NULL || loop->closed != NULL || loop->closed_watches != NULL ||
	       loop->closed_listeners != NULL || hungry_count(loop) > 0 || seals_have_work(loop);
}

/* --- lag: from being ready to being dealt with --- */

/* One at a time is followed: from the wait that it came with until all that waited to be
 * read then had its turn. */
static void lag_begin(struct loop *loop)
{
	if (loop->is_lagging)
		return;
	loop->is_lagging = true;
	loop->lag_began = loop->woke_at;
	loop->lag_mark = hungry_mark(loop);
}

static void lag_end(struct loop *loop, uint64_t now)
{
	if (!loop->is_lagging || !hungry_is_past(loop, &loop->lag_mark))
		return;
	loop->is_lagging = false;
	if (loop->lags != NULL)
		durations_record(loop->lags, durations_short_us, now - loop->lag_began);
}

/* --- the end of a turn --- */

void loop_queue(struct tcp *tcp)
{
	struct loop *loop = tcp->loop;

	if (tcp->flags & (STREAM_QUEUED | STREAM_CLOSED))
		return;
	tcp->flags |= STREAM_QUEUED;
	tcp->next_queued = NULL;
	*loop->queued_end = tcp;
	loop->queued_end = &tcp->next_queued;
}

/* A stream that settles has no other work: it waits here to be called off once more. */
static void settling_add(struct tcp *tcp)
{
	tcp->flags |= STREAM_QUEUED;
	tcp->next_queued = tcp->loop->settling;
	tcp->loop->settling = tcp;
}

/* Work that this work causes waits for the next turn, so that no stream can hold
 * up the others. */
static void do_queued(struct loop *loop)
{
	struct tcp *tcp = loop->queued;

	loop->queued = NULL;
	loop->queued_end = &loop->queued;
	while (tcp != NULL) {
		struct tcp *next = tcp->next_queued;

		tcp->flags &= ~(uint32_t)STREAM_QUEUED;
		if (tcp->flags & STREAM_SETTLING)
			settling_add(tcp);
		else if (!(tcp->flags & STREAM_CLOSING))
			loop->engine->tcp_work(tcp);
		else if (!(tcp->flags & STREAM_HUNGRY)) /* else hungry_take comes back to it */
			loop->engine->tcp_close(tcp);
		tcp = next;
	}
}

void loop_tcp_closed(struct tcp *tcp)
{
	struct loop *loop = tcp->loop;

	CHECK((tcp->flags & (STREAM_CLOSING | STREAM_CLOSED | STREAM_QUEUED)) == STREAM_CLOSING);
	tcp->flags |= STREAM_CLOSED;
	tcp->next_queued = loop->closed;
	loop->closed = tcp;
	if (tcp->flags & STREAM_RESERVE)
		loop_reserve_refill(loop);
}

void loop_listener_closed(struct listener *listener)
{
	listener->next_closed = listener->loop->closed_listeners;
	listener->loop->closed_listeners = listener;
}

void loop_watch_closed(struct watch *watch)
{
	watch->next_closed = watch->loop->closed_watches;
	watch->loop->closed_watches = watch;
}

static void hand_back_closed(struct loop *loop)
{
	while (loop->closed != NULL) {
		struct tcp *tcp = loop->closed;

		loop->closed = tcp->next_queued;
		tcp_closed(tcp);
	}
	while (loop->closed_listeners != NULL) {
		struct listener *listener = loop->closed_listeners;

		loop->closed_listeners = listener->next_closed;
		listener->on_closed(listener);
	}
	while (loop->closed_watches != NULL) {
		struct watch *watch = loop->closed_watches;

		loop->closed_watches = watch->next_closed;
		if (watch->on_closed != NULL)
			watch->on_closed(watch);
	}
}

/* --- a turn --- */

uint64_t loop_clock_ns(struct loop *loop)
{
	(void)loop;
	return clock_now_ns();
}

/* Time stands still in a round: what is read in it and what is judged by what was read
 * have one time. A wait that may block cannot be in one. */
void loop_woke(struct loop *loop, bool has_blocked)
{
	if (has_blocked) {
		loop->now = loop->engine->clock_ns(loop);
		loop->woke_at = loop->now;
	}
}

/* When timers are due, a round begins, at whose end they fire. Else time goes on. Returns
 * how long the wait may block. */
static uint64_t turn_begin(struct loop *loop, uint64_t now)
{
	uint64_t next = next_timer_ns(loop, now);

	loop->woke_at = now;
	if (loop->is_in_round)
		return 0;
	loop->now = now;
	if (next > 0)
		return has_work(loop) ? 0 : next;
	loop->is_in_round = true;
	loop->round_began = now;
	loop->engine->round_begin(loop);
	return 0;
}

static void settling_requeue(struct loop *loop)
{
	while (loop->settling != NULL) {
		struct tcp *tcp = loop->settling;

		loop->settling = tcp->next_queued;
		tcp->flags &= ~(uint32_t)STREAM_QUEUED;
		loop_queue(tcp);
	}
}

void loop_turn_end(struct loop *loop)
{
	do_queued(loop);
	hand_back_closed(loop);
}

static void turn(struct loop *loop)
{
	uint64_t now = loop->engine->clock_ns(loop);

	loop->is_in_turn = true;
	settling_requeue(loop);
	lag_end(loop, now);
	loop->engine->wait(loop, turn_begin(loop, now));
	lag_begin(loop);
	if (loop->is_in_round && loop->engine->round_is_over(loop)) {
		loop->is_in_round = false;
		run_timers(loop);
	}
	seals_work(loop);
	loop_turn_end(loop);
	trim_later(loop);
	loop->is_in_turn = false;
}

/* --- running --- */

/* In a turn it is already. */
void loop_catch_up(struct loop *loop)
{
	if (!loop->is_in_turn)
		loop->now = loop->engine->clock_ns(loop);
}

void loop_run(struct loop *loop)
{
	loop->is_running = true;
	while (loop->is_running)
		turn(loop);
}

void loop_stop(struct loop *loop)
{
	loop->is_running = false;
}

/* --- foreign descriptors --- */

int watch_open(struct watch *watch, struct loop *loop, int fd, unsigned events)
{
	watch->loop = loop;
	watch->fd = fd;
	watch->events = events;
	watch->is_armed = false;
	watch->is_closing = false;
	return loop->engine->watch_open(watch);
}

void watch_close(struct watch *watch)
{
	if (watch->is_closing)
		return;
	watch->is_closing = true;
	watch->loop->engine->watch_close(watch);
}
