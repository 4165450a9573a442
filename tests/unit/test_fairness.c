/* SPDX-License-Identifier: Apache-2.0
 * Who always has more to say does not keep the others waiting, on both engines; and what
 * lies in the sockets counts before any time limit. No clock: turns are counted. */
#include "io_unit.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>

/* io_uring has memory for 8 receives at once on new kernels, and for 64 on older ones. */
#define GREEDY_MAX 100

struct crowd {
	struct io_fixture *f;
	unsigned count;
	struct stream *streams[GREEDY_MAX];
	struct seen seen[GREEDY_MAX];
	int peers[GREEDY_MAX];
	unsigned turns[GREEDY_MAX]; /* times that each was read since `mark` */
	uint64_t total;
	uint64_t act_at;        /* in so many turns */
	void (*act)(void *arg); /* NULL: done */
	void *arg;
};

static uint8_t much[262144];

static void fill(int peer)
{
	while (send(peer, much, sizeof(much), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
		;
}

static void on_greedy(struct stream *stream, const uint8_t *data, size_t len)
{
	struct crowd *crowd = stream->arg;
	size_t i = (size_t)(stream->seen - crowd->seen);

	(void)data;
	(void)len;
	fill(crowd->peers[i]);
	crowd->turns[i]++;
	crowd->total++;
	if (crowd->act == NULL || crowd->total < crowd->act_at)
		return;
	void (*act)(void *arg) = crowd->act;

	crowd->act = NULL;
	act(crowd->arg);
	memset(crowd->turns, 0, sizeof(crowd->turns));
}

static void crowd_open(struct crowd *crowd, struct io_fixture *f, unsigned count)
{
	static const int room = 4 * 65536; /* there is always more than one share */
	struct acceptor acceptor;

	*crowd = (struct crowd){.f = f, .count = count};
	acceptor_open(f, &acceptor, LOOPBACK);
	CHECK(setsockopt(acceptor.listener.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) == 0);
	for (unsigned i = 0; i < count; i++) {
		struct stream *stream = stream_new(&crowd->seen[i]);

		crowd->peers[i] = peer_connect(&acceptor.addr);
		RUN_UNTIL(f, acceptor.count == i + 1);
		tcp_adopt(&stream->tcp, f->loop, &acceptor.accepted[i], &stream_handler);
		crowd->streams[i] = stream;
		stream->arg = crowd;
		stream->on_recv = on_greedy;
	}
	acceptor_close(f, &acceptor);
	for (unsigned i = 0; i < count; i++)
		fill(crowd->peers[i]);
}

/* When all of them have had their turns for a while, `act` is called. */
static void crowd_act_later(struct crowd *crowd, void (*act)(void *arg), void *arg)
{
	crowd->act_at = crowd->total + 20 * (uint64_t)crowd->count;
	crowd->act = act;
	crowd->arg = arg;
}

static unsigned most_turns(const struct crowd *crowd)
{
	unsigned most = 0;

	for (unsigned i = 0; i < crowd->count; i++)
		most = MAX(most, crowd->turns[i]);
	return most;
}

static void crowd_close(struct crowd *crowd)
{
	for (unsigned i = 0; i < crowd->count; i++) {
		close(crowd->peers[i]);
		stream_close_and_wait(crowd->f, crowd->streams[i]);
	}
}

static const unsigned crowds[] = {1, 8, 9, GREEDY_MAX};

/* What one share of each brings may come in two reads, where memory ends, and one that was
 * taken may be under way. One turn of the loop may be all of one stream's. */
static unsigned turns_max(const struct crowd *crowd)
{
	return 4 + 8 / crowd->count;
}

/* --- the others --- */

struct other {
	struct crowd *crowd;
	struct stream *stream;
	struct seen seen;
	int peer;
	unsigned waited; /* turns of each of the crowd */
};

/* On a busy machine what was sent may lie somewhere in the kernel, while turns pass: waits until
 * it was acknowledged, and so lies in the socket. */
static void speak(void *arg)
{
	static const struct timespec moment = {.tv_nsec = 100000};
	struct other *other = arg;
	int under_way = 1;

	peer_write(other->peer, "hello", 5);
	for (unsigned i = 0; under_way > 0 && i < GIVE_UP_S * 10000u; i++) {
		CHECK(ioctl(other->peer, SIOCOUTQ, &under_way) == 0);
		if (under_way > 0)
			nanosleep(&moment, NULL);
	}
	CHECK(under_way == 0);
}

static void on_other(struct stream *stream, const uint8_t *data, size_t len)
{
	struct other *other = stream->arg;

	(void)data;
	(void)len;
	other->waited = most_turns(other->crowd);
}

static void open_other(struct other *other, struct crowd *crowd)
{
	*other = (struct other){.crowd = crowd};
	other->stream = stream_pair(crowd->f, LOOPBACK, &other->seen, &other->peer);
	other->stream->arg = other;
	other->stream->on_recv = on_other;
}

static void test_idle_one_is_read_when_it_speaks(void **state)
{
	struct io_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
		struct crowd crowd;
		struct other other;

		crowd_open(&crowd, f, 0);
		open_other(&other, &crowd);
		speak(&other); /* from now on it waits as those do who have spoken */
		RUN_UNTIL(f, other.seen.recvs == 1);
		crowd_open(&crowd, f, crowds[i]);
		for (unsigned times = 2; times < 6; times++) {
			crowd_act_later(&crowd, speak, &other);
			RUN_UNTIL(f, other.seen.recvs == times);
			assert_in_range(other.waited, 0, turns_max(&crowd));
		}
		crowd_close(&crowd);
		close(other.peer);
		stream_close_and_wait(f, other.stream);
	}
}

/* --- a new one --- */

struct newcomer {
	struct other other;
	struct acceptor acceptor;
	unsigned accepted; /* after so many turns */
};

static void connect_and_speak(void *arg)
{
	struct newcomer *newcomer = arg;

	newcomer->other.peer = peer_connect(&newcomer->acceptor.addr);
	speak(&newcomer->other);
}

static void on_newcomer(struct acceptor *acceptor, const struct tcp_accepted *accepted)
{
	struct newcomer *newcomer = acceptor->arg;
	struct other *other = &newcomer->other;

	newcomer->accepted = most_turns(other->crowd);
	other->stream = stream_new(&other->seen);
	other->stream->arg = other;
	other->stream->on_recv = on_other;
	tcp_adopt(&other->stream->tcp, other->crowd->f->loop, accepted, &stream_handler);
}

static void test_new_one_is_accepted_and_read(void **state)
{
	struct io_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
		struct crowd crowd;
		struct newcomer newcomer = {.other = {.crowd = &crowd}};

		acceptor_open(f, &newcomer.acceptor, LOOPBACK);
		newcomer.acceptor.on_accept = on_newcomer;
		newcomer.acceptor.arg = &newcomer;
		crowd_open(&crowd, f, crowds[i]);
		crowd_act_later(&crowd, connect_and_speak, &newcomer);
		RUN_UNTIL(f, newcomer.other.seen.recvs == 1);
		assert_in_range(newcomer.accepted, 0, turns_max(&crowd));
		assert_in_range(newcomer.other.waited, 0, 2 * turns_max(&crowd));
		crowd_close(&crowd);
		close(newcomer.other.peer);
		stream_close_and_wait(f, newcomer.other.stream);
		acceptor_close(f, &newcomer.acceptor);
	}
}

/* --- among themselves --- */

struct ranking {
	struct crowd *crowd;
	unsigned most;
};

static void rank(void *arg)
{
	struct ranking *ranking = arg;

	ranking->most = most_turns(ranking->crowd);
}

static void test_all_who_always_speak_are_read_alike(void **state)
{
	struct io_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
		struct crowd crowd;

		struct ranking ranking = {.crowd = &crowd};

		crowd_open(&crowd, f, crowds[i]);
		for (unsigned times = 0; times < 5; times++) {
			crowd_act_later(&crowd, rank, &ranking);
			RUN_UNTIL(f, crowd.act == NULL);
		}
		assert_in_range(ranking.most, 20, 30); /* 20 if they were read in strict turn */
		crowd_close(&crowd);
	}
}

/* --- tasks and timers --- */

struct waiting {
	struct loop_task task;
	struct timer timer;
	struct crowd *crowd;
	unsigned ran, fired; /* after so many turns; UINT_MAX: not yet */
};

static void run_waiting(struct loop_task *task)
{
	struct waiting *waiting = CONTAINER_OF(task, struct waiting, task);

	waiting->ran = most_turns(waiting->crowd);
}

static void on_waiting(struct timer *timer)
{
	struct waiting *waiting = CONTAINER_OF(timer, struct waiting, timer);

	waiting->fired = most_turns(waiting->crowd);
}

static void post_and_start(void *arg)
{
	struct waiting *waiting = arg;

	loop_post(waiting->crowd->f->loop, &waiting->task);
	loop_timer_start(waiting->crowd->f->loop, &waiting->timer, 0);
}

/* A timer waits for the tick to pass, and for all that lay in the sockets. */
static void test_task_and_timer_come_in_between(void **state)
{
	struct io_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(crowds); i++) {
		struct crowd crowd;
		struct waiting waiting = {.task.run = run_waiting,
					  .crowd = &crowd,
					  .ran = UINT32_MAX,
					  .fired = UINT32_MAX};

		loop_timer_init(&waiting.timer, on_waiting);
		crowd_open(&crowd, f, crowds[i]);
		crowd_act_later(&crowd, post_and_start, &waiting);
		RUN_UNTIL(f, waiting.ran != UINT32_MAX && waiting.fired != UINT32_MAX);
		assert_in_range(waiting.ran, 0, turns_max(&crowd));
		crowd_close(&crowd);
	}
}

/* --- time --- */

/* What a stream's owner does: a timer that judges, and is moved by what is heard. */
struct judged {
	struct io_fixture *f;
	struct stream *stream;
	struct seen seen;
	int peer;
	struct timer limit;
	unsigned *cut;
};

#define LIMIT_NS (20 * NS_PER_MS)

static void on_limit(struct timer *timer)
{
	struct judged *judged = CONTAINER_OF(timer, struct judged, limit);

	(*judged->cut)++;
}

static void on_heard(struct stream *stream, const uint8_t *data, size_t len)
{
	struct judged *judged = stream->arg;

	(void)data;
	(void)len;
	loop_timer_stop(judged->f->loop, &judged->limit);
}

static void sleep_ns(uint64_t ns)
{
	struct timespec time = {.tv_nsec = (long)ns};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

/* The thread stands still for longer than the limit, in which all of them speak: at once, or
 * after they have spoken before, which io_uring waits for in other ways. */
static void stall(struct io_fixture *f, struct judged *all, unsigned count, size_t len)
{
	for (unsigned i = 0; i < count; i++)
		loop_timer_start(f->loop, &all[i].limit, LIMIT_NS);
	sleep_ns(2 * LIMIT_NS);
	for (unsigned i = 0; i < count; i++)
		CHECK(send(all[i].peer, much, len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0);
	for (unsigned i = 0; i < count; i++)
		RUN_UNTIL(f, all[i].seen.bytes > 0);
}

static void test_what_lies_in_the_sockets_counts_before_time_limits(void **state)
{
	struct io_fixture *f = *state;
	enum { COUNT = 700 }; /* more than one turn looks at, and than there is memory for */
	static struct judged all[COUNT];
	unsigned cut = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		struct judged *judged = &all[i];

		*judged = (struct judged){.f = f, .cut = &cut};
		judged->stream = stream_pair(f, LOOPBACK, &judged->seen, &judged->peer);
		judged->stream->arg = judged;
		judged->stream->on_recv = on_heard;
		loop_timer_init(&judged->limit, on_limit);
	}
	static const size_t lens[] = {1, 5, 1, 50000, 1};

	for (size_t times = 0; times < ARRAY_LEN(lens); times++) {
		for (unsigned i = 0; i < COUNT; i++)
			all[i].seen.bytes = 0;
		stall(f, all, COUNT, lens[times]);
		assert_int_equal(cut, 0);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		loop_timer_stop(f->loop, &all[i].limit);
		close(all[i].peer);
		stream_close_and_wait(f, all[i].stream);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_idle_one_is_read_when_it_speaks),
		ON_BOTH(test_new_one_is_accepted_and_read),
		ON_BOTH(test_all_who_always_speak_are_read_alike),
		ON_BOTH(test_task_and_timer_come_in_between),
		ON_BOTH(test_what_lies_in_the_sockets_counts_before_time_limits),
	};
	return RUN_IO_TESTS(tests);
}
