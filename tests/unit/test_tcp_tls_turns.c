/* SPDX-License-Identifier: Apache-2.0
 * test_tcp_tls_turns.c - handshakes wait for their turn, so that those who have theirs behind them
 * go on; and who comes beyond a limit waits. No clock: steps are counted. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tcp_tls_unit.h"

#define CROWD_MAX 60

struct crowd {
	unsigned count;
	struct tls_context *context;
	struct stream *streams[CROWD_MAX];
	struct seen seen[CROWD_MAX];
	struct peer peers[CROWD_MAX];
};

/* Each has said its hello. */
static void crowd_open(struct io_fixture *f, struct crowd *crowd, unsigned count)
{
	*crowd = (struct crowd){
		.count = count,
		.context = tls_files_server(&ec, (struct tls_server_options){0}),
	};
	struct acceptor acceptor;

	acceptor_open(f, &acceptor, LOOPBACK);
	for (unsigned i = 0; i < count; i++) {
		peer_init(&crowd->peers[i], peer_connect(&acceptor.addr), TLS1_3_VERSION);
		RUN_UNTIL(f, acceptor.count == i + 1);
	}
	for (unsigned i = 0; i < count; i++) {
		peer_go(&crowd->peers[i]);
		crowd->streams[i] = stream_new(&crowd->seen[i]);
		assert_int_equal(tcp_adopt_sealed(&crowd->streams[i]->tcp, f->loop,
						  &acceptor.accepted[i], &sealed_handler,
						  crowd->context),
				 0);
	}
	acceptor_close(f, &acceptor);
}

/* Those from `from` on go on with their handshakes. True: all are done. */
static bool crowd_go(struct crowd *crowd, unsigned from)
{
	unsigned done = 0;

	for (unsigned i = from; i < crowd->count; i++)
		done += peer_go(&crowd->peers[i]) && crowd->seen[i].connects == 1;
	return done == crowd->count - from;
}

static void crowd_close(struct io_fixture *f, struct crowd *crowd, unsigned from)
{
	for (unsigned i = from; i < crowd->count; i++) {
		stream_close_and_wait(f, crowd->streams[i]);
		peer_finish(&crowd->peers[i]);
	}
	assert_int_equal(stats_of(f)->waiting + stats_of(f)->shaking + stats_of(f)->secured, 0);
	tls_context_unref(&crowd->context);
}

/* Whoever is there already is answered although sixty handshakes wait: between its word and the
 * answer there are a few turns, and few steps in each. */
static void test_storm(void **state)
{
	struct io_fixture *f = *state;
	struct tls_context *context = tls_files_server(&ec, (struct tls_server_options){0});
	struct crowd crowd;
	struct seen seen;
	struct peer peer;
	struct stream *stream = secured_pair(f, context, TLS1_3_VERSION, &seen, &peer);

	stream->on_recv = echo;
	peer.got = 0;
	crowd_open(f, &crowd, CROWD_MAX);
	for (unsigned i = 1; i <= 3; i++) {
		uint64_t before = stats_of(f)->shaking + stats_of(f)->secured;

		peer_say(&peer, "x", 1);
		RUN_UNTIL(f, seen.bytes == i);
		assert_true(stats_of(f)->shaking + stats_of(f)->secured - before <= 16);
	}
	assert_true(stats_of(f)->waiting > 0);
	SPIN_UNTIL(f, crowd_go(&crowd, 0) && (peer_go(&peer), peer.got == 3));
	assert_int_equal(stats_of(f)->waited_for_place + stats_of(f)->waited_for_rate, 0);
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	tls_context_unref(&context);
	crowd_close(f, &crowd, 0);
}

static void test_handshakes_max(void **state)
{
	struct io_fixture *f = *state;
	struct crowd crowd;

	loop_tls_limit(f->loop, &(struct tls_limits){.handshakes_max = 2});
	crowd_open(f, &crowd, 6);
	SPIN_UNTIL(f, stats_of(f)->shaking == 2 && stats_of(f)->waiting == 4);
	io_run_for(f, 5 * NS_PER_MS);
	assert_int_equal(stats_of(f)->shaking, 2);
	assert_int_equal(stats_of(f)->waiting, 4);
	/* One ends, and one that waits goes: the others follow. */
	stream_close_and_wait(f, crowd.streams[0]);
	stream_close_and_wait(f, crowd.streams[5]);
	peer_finish(&crowd.peers[0]);
	peer_finish(&crowd.peers[5]);
	SPIN_UNTIL(f, stats_of(f)->shaking == 2 && stats_of(f)->waiting == 2);
	crowd.count = 5;
	SPIN_UNTIL(f, crowd_go(&crowd, 1));
	assert_int_equal(stats_of(f)->secured, 4);
	assert_int_equal(stats_of(f)->waited_for_place, 4);
	crowd_close(f, &crowd, 1);
}

static void test_rate(void **state)
{
	struct io_fixture *f = *state;
	struct crowd crowd;

	/* One in an hour: the second waits, until there is no such limit any more. */
	loop_tls_limit(f->loop, &(struct tls_limits){.handshake_step_ns = 3600 * NS_PER_S});
	crowd_open(f, &crowd, 3);
	SPIN_UNTIL(f, stats_of(f)->shaking == 1 && stats_of(f)->waiting == 2);
	loop_tls_limit(f->loop, &(struct tls_limits){0});
	SPIN_UNTIL(f, crowd_go(&crowd, 0));
	assert_int_equal(stats_of(f)->waited_for_rate, 2);
	crowd_close(f, &crowd, 0);
}

/* Four in a second: the fifth comes by itself, with nothing else that would wake the loop. */
static void test_rate_goes_on_by_itself(void **state)
{
	struct io_fixture *f = *state;
	struct crowd crowd;

	loop_tls_limit(f->loop, &(struct tls_limits){.handshake_step_ns = NS_PER_S / 4});
	crowd_open(f, &crowd, 5);
	SPIN_UNTIL(f, stats_of(f)->shaking >= 4); /* more, if the machine takes its time */
	SPIN_UNTIL(f, crowd_go(&crowd, 0));
	crowd_close(f, &crowd, 0);
}

/* --- those who always have more to say (test_fairness.c has the same in clear) --- */

#define GREEDY 20

struct greedy {
	struct crowd crowd;
	unsigned turns[GREEDY]; /* times that each was read since the speaker spoke */
};

static uint8_t much[16384];

/* As much as the sockets take. */
static void fill(struct peer *peer)
{
	while (SSL_write(peer->ssl, much, sizeof(much)) > 0)
		;
	ERR_clear_error();
}

static void on_greedy(struct stream *stream, const uint8_t *data, size_t len)
{
	struct greedy *greedy = stream->arg;
	size_t i = (size_t)(stream->seen - greedy->crowd.seen);

	(void)data;
	(void)len;
	fill(&greedy->crowd.peers[i]);
	greedy->turns[i]++;
}

/* Until it lies in the other's socket. */
static void speak(struct peer *peer)
{
	static const struct timespec moment = {.tv_nsec = 100000};
	int under_way = 1;

	peer_say(peer, "hello", 5);
	for (unsigned i = 0; under_way > 0 && i < GIVE_UP_S * 10000u; i++) {
		CHECK(ioctl(peer->fd, SIOCOUTQ, &under_way) == 0);
		if (under_way > 0)
			nanosleep(&moment, NULL);
	}
	CHECK(under_way == 0);
}

static void test_greedy_ones_do_not_keep_others_waiting(void **state)
{
	struct io_fixture *f = *state;
	static struct greedy greedy;
	struct seen seen;
	struct peer peer;

	greedy = (struct greedy){0};
	crowd_open(f, &greedy.crowd, GREEDY);
	SPIN_UNTIL(f, crowd_go(&greedy.crowd, 0));
	struct stream *stream = secured_pair(f, greedy.crowd.context, TLS1_3_VERSION, &seen, &peer);

	for (unsigned i = 0; i < GREEDY; i++) {
		greedy.crowd.streams[i]->arg = &greedy;
		greedy.crowd.streams[i]->on_recv = on_greedy;
		fill(&greedy.crowd.peers[i]);
	}
	for (unsigned times = 1; times <= 5; times++) {
		speak(&peer);
		memset(greedy.turns, 0, sizeof(greedy.turns));
		RUN_UNTIL(f, seen.bytes == 5 * times);
		for (unsigned i = 0; i < GREEDY; i++)
			assert_in_range(greedy.turns[i], 0, 8);
	}
	stream_close_and_wait(f, stream);
	peer_finish(&peer);
	for (unsigned i = 0; i < GREEDY; i++)
		greedy.crowd.streams[i]->on_recv = NULL;
	crowd_close(f, &greedy.crowd, 0);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_storm),
		ON_BOTH(test_handshakes_max),
		ON_BOTH(test_rate),
		ON_BOTH(test_rate_goes_on_by_itself),
		ON_BOTH(test_greedy_ones_do_not_keep_others_waiting),
	};
	size_t count = io_keep_possible(tests, ARRAY_LEN(tests));

	return _cmocka_run_group_tests("tests", tests, count, setup, teardown);
}
