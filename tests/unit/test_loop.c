/* SPDX-License-Identifier: Apache-2.0
 * The loop itself: timers, posted tasks, foreign descriptors; on both engines. */
#include "io_unit.h"

#include <pthread.h>

/* --- timers --- */

struct alarm {
	struct timer timer;
	struct loop *loop;
	uint64_t not_before; /* [ns] */
	unsigned fired;
	unsigned order; /* its place among all that fired */
	unsigned restarts;
	struct timer *to_stop;
};

static unsigned alarms_fired;

static void on_alarm(struct timer *timer)
{
	struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);

	CHECK(loop_now(alarm->loop) >= alarm->not_before);
	CHECK(!loop_timer_is_running(timer));
	alarm->fired++;
	alarm->order = alarms_fired++;
	if (alarm->to_stop != NULL)
		loop_timer_stop(alarm->loop, alarm->to_stop);
	if (alarm->restarts > 0) {
		alarm->restarts--;
		alarm->not_before = loop_now(alarm->loop) + 2 * NS_PER_MS;
		loop_timer_start(alarm->loop, timer, 2 * NS_PER_MS);
	}
	loop_stop(alarm->loop);
}

static void alarm_init(struct io_fixture *f, struct alarm *alarm)
{
	*alarm = (struct alarm){.loop = f->loop};
	loop_timer_init(&alarm->timer, on_alarm);
}

static void alarm_start(struct alarm *alarm, uint64_t delay_ns)
{
	alarm->not_before = loop_now(alarm->loop) + delay_ns;
	loop_timer_start(alarm->loop, &alarm->timer, delay_ns);
	assert_true(loop_timer_is_running(&alarm->timer));
}

static void test_timers_fire_in_order_and_never_early(void **state)
{
	struct io_fixture *f = *state;
	static const uint64_t delays_ms[] = {70, 3, 40, 0, 65, 20, 10};
	static const unsigned orders[] = {6, 1, 4, 0, 5, 3, 2};
	struct alarm alarms[ARRAY_LEN(delays_ms)];

	alarms_fired = 0;
	for (size_t i = 0; i < ARRAY_LEN(alarms); i++) {
		alarm_init(f, &alarms[i]);
		alarm_start(&alarms[i], delays_ms[i] * NS_PER_MS);
	}
	RUN_UNTIL(f, alarms_fired == ARRAY_LEN(alarms));
	for (size_t i = 0; i < ARRAY_LEN(alarms); i++) {
		assert_int_equal(alarms[i].fired, 1);
		assert_int_equal(alarms[i].order, orders[i]);
		assert_false(loop_timer_is_running(&alarms[i].timer));
	}
}

static void test_timer_of_a_fraction_is_rounded_up(void **state)
{
	struct io_fixture *f = *state;
	struct alarm alarm;

	alarm_init(f, &alarm);
	for (uint64_t delay_ns = 1; delay_ns < 3 * NS_PER_MS; delay_ns += 333333) {
		alarm.fired = 0;
		alarm_start(&alarm, delay_ns); /* on_alarm checks */
		RUN_UNTIL(f, alarm.fired == 1);
	}
}

static void test_stopped_timer_does_not_fire(void **state)
{
	struct io_fixture *f = *state;
	struct alarm alarm;

	alarm_init(f, &alarm);
	loop_timer_stop(f->loop, &alarm.timer); /* not running: harmless */
	alarm_start(&alarm, 2 * NS_PER_MS);
	loop_timer_stop(f->loop, &alarm.timer);
	assert_false(loop_timer_is_running(&alarm.timer));
	io_run_for(f, 10 * NS_PER_MS);
	assert_int_equal(alarm.fired, 0);
}

static void test_restart_moves_a_running_timer(void **state)
{
	struct io_fixture *f = *state;
	struct alarm later, sooner;

	alarms_fired = 0;
	alarm_init(f, &later);
	alarm_init(f, &sooner);
	alarm_start(&later, 2 * NS_PER_MS);
	alarm_start(&later, 30 * NS_PER_MS);
	alarm_start(&sooner, NS_PER_S * 86400 * 30);
	alarm_start(&sooner, 10 * NS_PER_MS);
	RUN_UNTIL(f, later.fired == 1);
	assert_int_equal(sooner.fired, 1);
	assert_int_equal(sooner.order, 0);
	io_run_for(f, 10 * NS_PER_MS);
	assert_int_equal(alarms_fired, 2);
}

static void test_restart_from_its_own_callback(void **state)
{
	struct io_fixture *f = *state;
	struct alarm alarm;

	alarm_init(f, &alarm);
	alarm.restarts = 5;
	alarm_start(&alarm, 0);
	RUN_UNTIL(f, alarm.fired == 6);
	assert_false(loop_timer_is_running(&alarm.timer));
}

/* Both are due in the same turn; the first stops the second, which must obey. */
static void test_timer_stops_another_that_is_due_too(void **state)
{
	struct io_fixture *f = *state;
	struct alarm first, second;

	alarm_init(f, &first);
	alarm_init(f, &second);
	first.to_stop = &second.timer;
	alarm_start(&first, NS_PER_MS);
	alarm_start(&second, NS_PER_MS);
	RUN_UNTIL(f, first.fired == 1);
	io_run_for(f, 5 * NS_PER_MS);
	assert_int_equal(second.fired, 0);
}

static void test_many_timers_with_a_month_between(void **state)
{
	struct io_fixture *f = *state;
	enum { COUNT = 1000 };
	struct alarm *alarms = calloc(COUNT, sizeof(*alarms));
	unsigned short_ones = 0;

	alarms_fired = 0;
	srand(7);
	for (size_t i = 0; i < COUNT; i++) {
		bool is_long = rand() % 3 == 0;

		alarm_init(f, &alarms[i]);
		alarm_start(&alarms[i],
			    is_long ? 30 * 86400 * NS_PER_S : (uint64_t)rand() % (150 * NS_PER_MS));
		short_ones += !is_long;
	}
	RUN_UNTIL(f, alarms_fired == short_ones);
	for (size_t i = 0; i < COUNT; i++)
		loop_timer_stop(f->loop, &alarms[i].timer);
	io_run_for(f, 3 * NS_PER_MS);
	assert_int_equal(alarms_fired, short_ones);
	free(alarms);
}

/* An idle loop sleeps: no turn is spent on nothing. */
static void test_waiting_costs_no_cpu(void **state)
{
	struct io_fixture *f = *state;
	struct timespec before, after;
	struct alarm alarm;

	alarm_init(f, &alarm);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	alarm_start(&alarm, 300 * NS_PER_MS);
	RUN_UNTIL(f, alarm.fired == 1);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	uint64_t spent = (uint64_t)(after.tv_sec - before.tv_sec) * NS_PER_S +
			 (uint64_t)after.tv_nsec - (uint64_t)before.tv_nsec;

	assert_true(spent < 100 * NS_PER_MS);
}

/* --- posted tasks --- */

#define POSTERS 4

struct poster;

struct parcel {
	struct loop_task task;
	struct poster *poster;
	unsigned number;
};

struct poster {
	struct loop *loop;
	struct parcel *parcels;
	unsigned count;
	unsigned next; /* the number that must come next */
	bool is_slow;  /* lets the loop fall asleep between */
	pthread_t thread;
};

static void parcel_run(struct loop_task *task)
{
	struct parcel *parcel = CONTAINER_OF(task, struct parcel, task);

	CHECK(parcel->number == parcel->poster->next);
	parcel->poster->next++;
	loop_stop(parcel->poster->loop);
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;
	struct timespec pause = {.tv_nsec = 200000};

	for (unsigned i = 0; i < poster->count; i++) {
		poster->parcels[i] = (struct parcel){
			.task.run = parcel_run, .poster = poster, .number = i};
		loop_post(poster->loop, &poster->parcels[i].task);
		if (poster->is_slow)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static void post_from_threads(struct io_fixture *f, bool is_slow)
{
	struct poster posters[POSTERS];
	unsigned count = is_slow ? 200 : 20000;

	for (size_t i = 0; i < POSTERS; i++) {
		posters[i] = (struct poster){.loop = f->loop, .count = count, .is_slow = is_slow};
		posters[i].parcels = calloc(count, sizeof(struct parcel));
		int r = pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);

		assert_int_equal(r, 0);
	}
	for (size_t i = 0; i < POSTERS; i++)
		RUN_UNTIL(f, posters[i].next == count);
	for (size_t i = 0; i < POSTERS; i++) {
		pthread_join(posters[i].thread, NULL);
		free(posters[i].parcels);
	}
}

static void test_posts_to_a_busy_loop_keep_each_thread_s_order(void **state)
{
	post_from_threads(*state, false);
}

static void test_posts_to_a_sleeping_loop_wake_it(void **state)
{
	post_from_threads(*state, true);
}

struct chain {
	struct loop_task task;
	struct loop *loop;
	unsigned left;
};

static void chain_run(struct loop_task *task)
{
	struct chain *chain = CONTAINER_OF(task, struct chain, task);

	loop_stop(chain->loop);
	if (--chain->left > 0)
		loop_post(chain->loop, task); /* its memory is free again already */
}

static void test_task_posts_itself_again(void **state)
{
	struct io_fixture *f = *state;
	struct chain chain = {.task.run = chain_run, .loop = f->loop, .left = 100};

	loop_post(f->loop, &chain.task);
	assert_int_equal(chain.left, 100); /* never from inside the call */
	RUN_UNTIL(f, chain.left == 0);
}

/* --- foreign descriptors --- */

struct lookout {
	struct watch watch;
	unsigned calls;
	unsigned events; /* of the last call */
	unsigned closes;
	bool is_closed_inside;
	bool is_drained_inside;
};

static void lookout_on_ready(struct watch *watch, unsigned events)
{
	struct lookout *lookout = CONTAINER_OF(watch, struct lookout, watch);
	char byte;

	CHECK(lookout->closes == 0 && !watch->is_closing && events != 0);
	lookout->calls++;
	lookout->events = events;
	if (lookout->is_drained_inside) {
		ssize_t n = read(watch->fd, &byte, 1);

		CHECK(n == 1);
	}
	if (lookout->is_closed_inside)
		watch_close(watch);
	loop_stop(watch->loop);
}

static void lookout_on_closed(struct watch *watch)
{
	struct lookout *lookout = CONTAINER_OF(watch, struct lookout, watch);

	CHECK(lookout->closes == 0);
	lookout->closes++;
	loop_stop(watch->loop);
}

static void lookout_open(struct io_fixture *f, struct lookout *lookout, int fd, unsigned events)
{
	*lookout = (struct lookout){
		.watch = {.on_ready = lookout_on_ready, .on_closed = lookout_on_closed}};
	assert_int_equal(watch_open(&lookout->watch, f->loop, fd, events), 0);
}

static void lookout_close(struct io_fixture *f, struct lookout *lookout)
{
	watch_close(&lookout->watch);
	assert_int_equal(lookout->closes, 0); /* never from inside the call */
	watch_close(&lookout->watch);
	RUN_UNTIL(f, lookout->closes == 1);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(lookout->closes, 1);
}

static void socket_pair(int ends[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void test_watch_tells_again_while_ready(void **state)
{
	struct io_fixture *f = *state;
	struct lookout lookout;
	int ends[2];

	socket_pair(ends);
	lookout_open(f, &lookout, ends[0], LOOP_READABLE);
	io_run_for(f, 3 * NS_PER_MS);
	assert_int_equal(lookout.calls, 0);
	peer_write(ends[1], "abc", 3);
	RUN_UNTIL(f, lookout.calls == 5); /* nobody reads: still ready */
	assert_int_equal(lookout.events, LOOP_READABLE);
	lookout.is_drained_inside = true;
	lookout.calls = 0;
	RUN_UNTIL(f, lookout.calls == 3); /* one for each byte */
	io_run_for(f, 3 * NS_PER_MS);
	assert_int_equal(lookout.calls, 3);
	lookout_close(f, &lookout);
	close(ends[0]);
	close(ends[1]);
}

static void test_watch_in_both_directions(void **state)
{
	struct io_fixture *f = *state;
	struct lookout lookout;
	int ends[2];

	socket_pair(ends);
	lookout_open(f, &lookout, ends[0], LOOP_READABLE | LOOP_WRITABLE);
	RUN_UNTIL(f, lookout.calls > 0);
	assert_int_equal(lookout.events, LOOP_WRITABLE);
	peer_write(ends[1], "a", 1);
	RUN_UNTIL(f, lookout.events == (LOOP_READABLE | LOOP_WRITABLE));
	lookout_close(f, &lookout);
	close(ends[0]);
	close(ends[1]);
}

/* A descriptor that is always writable and is watched for reading only. */
static void test_watch_tells_only_what_was_asked(void **state)
{
	struct io_fixture *f = *state;
	struct lookout lookout;
	int ends[2];

	socket_pair(ends);
	lookout_open(f, &lookout, ends[0], LOOP_WRITABLE);
	peer_write(ends[1], "a", 1);
	RUN_UNTIL(f, lookout.calls == 3);
	assert_int_equal(lookout.events, LOOP_WRITABLE);
	lookout_close(f, &lookout);
	close(ends[0]);
	close(ends[1]);
}

static void test_watch_tells_of_a_hangup(void **state)
{
	struct io_fixture *f = *state;
	struct lookout lookout;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	lookout_open(f, &lookout, ends[0], LOOP_READABLE);
	close(ends[1]);
	RUN_UNTIL(f, lookout.calls > 0);
	assert_int_equal(lookout.events, LOOP_READABLE);
	lookout_close(f, &lookout);
	close(ends[0]);
}

static void test_watch_closed_from_inside_on_ready(void **state)
{
	struct io_fixture *f = *state;
	struct lookout lookout;
	int ends[2];

	socket_pair(ends);
	lookout_open(f, &lookout, ends[0], LOOP_WRITABLE);
	lookout.is_closed_inside = true;
	RUN_UNTIL(f, lookout.closes == 1);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(lookout.calls, 1);
	assert_int_equal(lookout.closes, 1);
	assert_int_not_equal(fcntl(ends[0], F_GETFD), -1); /* it is the caller's */
	close(ends[0]);
	close(ends[1]);
}

static void test_watch_memory_is_used_again_at_once(void **state)
{
	struct io_fixture *f = *state;
	struct lookout *lookout = malloc(sizeof(*lookout));
	int ends[2];

	socket_pair(ends);
	peer_write(ends[1], "a", 1);
	for (int i = 0; i < 20; i++) {
		lookout_open(f, lookout, ends[0], LOOP_READABLE);
		if (i % 2 == 0)
			RUN_UNTIL(f, lookout->calls == 1);
		watch_close(&lookout->watch);
		RUN_UNTIL(f, lookout->closes == 1);
	}
	free(lookout);
	close(ends[0]);
	close(ends[1]);
}

/* --- engines --- */

static void test_choose_says_why(void **state)
{
	struct io_fixture *f = *state;
	enum loop_engine engine = LOOP_ENGINE_AUTO;
	const char *reason = NULL;

	assert_int_equal(loop_engine_choose(f->engine, &engine, &reason), 0);
	assert_int_equal(engine, f->engine);
	assert_string_equal(reason, "configured");
	reason = NULL;
	assert_int_equal(loop_engine_choose(LOOP_ENGINE_AUTO, &engine, &reason), 0);
	assert_int_not_equal(engine, LOOP_ENGINE_AUTO);
	assert_non_null(reason);
	assert_string_equal(loop_engine_name(LOOP_ENGINE_AUTO), "auto");
	assert_string_equal(loop_engine_name(f->engine),
			    f->engine == LOOP_ENGINE_EPOLL ? "epoll" : "io_uring");
}

/* A worker's last task posted one more, and the gateway aborted in its shutdown. */
static void test_destroy_runs_what_posted_tasks_post(void **state)
{
	struct io_fixture *f = *state;
	struct loop_options options = {.engine = f->engine, .max_sockets = 8};
	struct chain chain = {.task.run = chain_run, .left = 3};
	struct loop *loop = NULL;

	assert_int_equal(loop_create(&options, &loop), 0);
	chain.loop = loop;
	loop_post(loop, &chain.task);
	loop_destroy(&loop);
	assert_int_equal(chain.left, 0);
}

static void test_destroy_gives_every_descriptor_back(void **state)
{
	struct io_fixture *f = *state;
	uint64_t before = os_limits_open_files();
	struct loop *loop = NULL;

	loop_destroy(&loop); /* NULL is fine */
	for (int i = 0; i < 5; i++) {
		assert_int_equal(
			loop_create(&(struct loop_options){.engine = f->engine, .max_sockets = 8},
				    &loop),
			0);
		assert_true(os_limits_open_files() > before);
		loop_destroy(&loop);
		assert_null(loop);
	}
	assert_true(os_limits_open_files() == before);
}

static void test_table_over_nofile_is_refused(void **state)
{
	struct io_fixture *f = *state;
	uint64_t before = os_limits_open_files();
	struct loop_options options = {.engine = f->engine,
				       .max_sockets = (uint32_t)os_limits_nofile().soft + 1};
	struct loop *loop = NULL;

	assert_int_equal(loop_create(&options, &loop), -EMFILE);
	assert_null(loop);
	assert_true(os_limits_open_files() == before);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_timers_fire_in_order_and_never_early),
		ON_BOTH(test_timer_of_a_fraction_is_rounded_up),
		ON_BOTH(test_stopped_timer_does_not_fire),
		ON_BOTH(test_restart_moves_a_running_timer),
		ON_BOTH(test_restart_from_its_own_callback),
		ON_BOTH(test_timer_stops_another_that_is_due_too),
		ON_BOTH(test_many_timers_with_a_month_between),
		ON_BOTH(test_waiting_costs_no_cpu),
		ON_BOTH(test_posts_to_a_busy_loop_keep_each_thread_s_order),
		ON_BOTH(test_posts_to_a_sleeping_loop_wake_it),
		ON_BOTH(test_task_posts_itself_again),
		ON_BOTH(test_watch_tells_again_while_ready),
		ON_BOTH(test_watch_in_both_directions),
		ON_BOTH(test_watch_tells_only_what_was_asked),
		ON_BOTH(test_watch_tells_of_a_hangup),
		ON_BOTH(test_watch_closed_from_inside_on_ready),
		ON_BOTH(test_watch_memory_is_used_again_at_once),
		ON_BOTH(test_choose_says_why),
		ON_BOTH(test_destroy_runs_what_posted_tasks_post),
		ON_BOTH(test_destroy_gives_every_descriptor_back),
		ON_URING(test_table_over_nofile_is_refused),
	};
	return RUN_IO_TESTS(tests);
}
