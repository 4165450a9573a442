/* SPDX-License-Identifier: Apache-2.0
 * Streams: connecting, sending, receiving, ends and errors; on both engines. */
#include "io_unit.h"

#include <linux/tcp.h>

/* --- connecting and echo --- */

static void echo(struct stream *stream, const uint8_t *data, size_t len)
{
	CHECK(tcp_write(&stream->tcp, data, len) == 0);
}

static void read_start(struct stream *stream)
{
	if (stream->seen->connect_error == 0)
		tcp_read_start(&stream->tcp);
}

static void connect_and_echo(struct io_fixture *f, const char *host)
{
	struct acceptor acceptor;
	struct seen client_seen, server_seen;
	struct stream *client = stream_new(&client_seen);
	struct stream *server = stream_new(&server_seen);

	acceptor_open(f, &acceptor, host);
	client->on_connect = read_start;
	assert_int_equal(tcp_connect(&client->tcp, f->loop, NULL, &acceptor.addr, &stream_handler),
			 0);
	assert_int_equal(client_seen.connects, 0); /* never from inside the call */
	RUN_UNTIL(f, acceptor.count == 1 && client_seen.connects == 1);
	assert_int_equal(client_seen.connect_error, 0);
	server->on_recv = echo;
	tcp_adopt(&server->tcp, f->loop, &acceptor.accepted[0], &stream_handler);
	for (unsigned round = 1; round <= 50; round++) {
		assert_int_equal(tcp_write(&client->tcp, "hello", 5), 0);
		RUN_UNTIL(f, client_seen.bytes == 5 * round);
	}
	assert_int_equal(client_seen.drains, 50);
	assert_int_equal(server_seen.bytes, 250);
	acceptor_close(f, &acceptor);
	stream_close_and_wait(f, client);
	RUN_UNTIL(f, server_seen.eofs == 1);
	stream_close_and_wait(f, server);
	assert_int_equal(server_seen.errors, 0);
}

static void test_connect_and_echo_over_ipv4(void **state)
{
	connect_and_echo(*state, LOOPBACK);
}

static void test_connect_and_echo_over_ipv6(void **state)
{
	connect_and_echo(*state, "[::1]:0");
}

static void test_connect_from_a_chosen_source(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct net_addr local = io_addr("127.9.8.7:0");
	struct net_addr seen_from = {0};
	socklen_t len = sizeof(seen_from);
	struct seen seen;
	struct stream *client = stream_new(&seen);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	acceptor.addr = io_addr(LOOPBACK);
	assert_int_equal(bind(fd, &acceptor.addr.sa, net_addr_len(&acceptor.addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, &acceptor.addr.sa, &len), 0);
	assert_int_equal(
		tcp_connect(&client->tcp, f->loop, &local, &acceptor.addr, &stream_handler), 0);
	RUN_UNTIL(f, seen.connects == 1);
	len = sizeof(seen_from);
	int peer = accept(fd, &seen_from.sa, &len);

	assert_true(peer >= 0);
	assert_int_equal(seen_from.in.sin_addr.s_addr, local.in.sin_addr.s_addr);
	stream_close_and_wait(f, client);
	close(peer);
	close(fd);
}

/* The header allows both: the return value, or on_connect. */
static void connect_in_vain(struct io_fixture *f, const struct net_addr *local,
			    const struct net_addr *remote, int want)
{
	struct seen seen;
	struct stream *client = stream_new(&seen);
	int r = tcp_connect(&client->tcp, f->loop, local, remote, &stream_handler);

	if (r == 0) {
		RUN_UNTIL(f, seen.connects == 1);
		assert_int_equal(seen.connect_error, want);
		stream_close_and_wait(f, client);
	} else {
		assert_int_equal(r, want);
		free(client);
		io_run_for(f, 2 * NS_PER_MS);
		assert_int_equal(seen.connects, 0);
	}
	assert_int_equal(seen.errors + seen.eofs + seen.recvs + seen.drains, 0);
}

static void test_connect_refused(void **state)
{
	struct net_addr addr = io_addr(LOOPBACK);
	int fd = listener_bind(&addr, true);

	assert_true(fd >= 0);
	close(fd);
	connect_in_vain(*state, NULL, &addr, -ECONNREFUSED);
}

static void test_connect_from_an_address_that_is_not_ours(void **state)
{
	struct net_addr addr = io_addr("127.0.0.1:9");
	struct net_addr local = io_addr("192.0.2.1:0");

	connect_in_vain(*state, &local, &addr, -EADDRNOTAVAIL);
}

static void test_accepted_and_connected_streams_have_no_delay(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer, no_delay = 0;
	socklen_t len = sizeof(no_delay);
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	if (f->engine == LOOP_ENGINE_EPOLL) { /* a direct descriptor cannot be asked */
		assert_int_equal(
			getsockopt(stream->tcp.fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &len), 0);
		assert_int_equal(no_delay, 1);
	}
	close(peer);
	stream_close_and_wait(f, stream);
}

/* "Reading is off after tcp_connect": asking for it early must not be lost. */
static void test_read_start_while_connecting(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct seen seen;
	struct stream *client = stream_new(&seen);
	struct seen server_seen;
	struct stream *server = stream_new(&server_seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	assert_int_equal(tcp_connect(&client->tcp, f->loop, NULL, &acceptor.addr, &stream_handler),
			 0);
	tcp_read_start(&client->tcp);
	RUN_UNTIL(f, acceptor.count == 1 && seen.connects == 1);
	tcp_adopt(&server->tcp, f->loop, &acceptor.accepted[0], &stream_handler);
	tcp_write(&server->tcp, "x", 1);
	RUN_UNTIL(f, seen.bytes == 1);
	acceptor_close(f, &acceptor);
	stream_close_and_wait(f, client);
	stream_close_and_wait(f, server);
}

static void test_nothing_is_read_before_read_start(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct seen seen, server_seen;
	struct stream *client = stream_new(&seen);
	struct stream *server = stream_new(&server_seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	assert_int_equal(tcp_connect(&client->tcp, f->loop, NULL, &acceptor.addr, &stream_handler),
			 0);
	RUN_UNTIL(f, acceptor.count == 1 && seen.connects == 1);
	tcp_adopt(&server->tcp, f->loop, &acceptor.accepted[0], &stream_handler);
	tcp_write(&server->tcp, "abc", 3);
	RUN_UNTIL(f, server_seen.drains == 1);
	io_run_for(f, 5 * NS_PER_MS);
	assert_int_equal(seen.recvs, 0);
	tcp_read_start(&client->tcp);
	RUN_UNTIL(f, seen.bytes == 3);
	acceptor_close(f, &acceptor);
	stream_close_and_wait(f, client);
	stream_close_and_wait(f, server);
}

/* --- output --- */

/* Segments of data that the peer's kernel got: what one send wrote comes as one. */
static unsigned segments_in(int peer)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	CHECK(getsockopt(peer, IPPROTO_TCP, TCP_INFO, &info, &len) == 0);
	return info.tcpi_data_segs_in;
}

static void test_writes_of_one_turn_leave_in_one_send(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(tcp_write(&stream->tcp, "12345678", 8), 0);
	assert_int_equal(tcp_queued(&stream->tcp), 800);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(tcp_queued(&stream->tcp), 0);
	assert_int_equal(peer_readable(peer, 4096), 800);
	assert_int_equal(segments_in(peer), 1);
	assert_int_equal(stream->tcp.progress, 1);
	close(peer);
	stream_close_and_wait(f, stream);
}

static void test_reserve_may_be_committed_in_part(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	char text[16] = {0};
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	uint8_t *room = tcp_reserve(&stream->tcp, 100);

	memcpy(room, "abc", 3);
	tcp_commit(&stream->tcp, 3);
	room = tcp_reserve(&stream->tcp, 100000); /* has to move what is there */
	memset(room, 'z', 100000);
	memcpy(room, "def", 3);
	tcp_commit(&stream->tcp, 3);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(recv(peer, text, sizeof(text), MSG_DONTWAIT), 6);
	assert_string_equal(text, "abcdef");
	close(peer);
	stream_close_and_wait(f, stream);
}

/* An empty buffer must not stand in the way of what is written later. */
static void test_commit_of_nothing_does_not_block_the_queue(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	assert_non_null(tcp_reserve(&stream->tcp, 100));
	tcp_commit(&stream->tcp, 0);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(tcp_write(&stream->tcp, "", 0), 0);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(tcp_write(&stream->tcp, "abc", 3), 0);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(peer_readable(peer, 10), 3);
	close(peer);
	stream_close_and_wait(f, stream);
}

static void test_reserve_without_commit_does_not_block_the_queue(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(tcp_write(&stream->tcp, "abc", 3), 0);
		assert_non_null(tcp_reserve(&stream->tcp, 100));
		RUN_UNTIL(f, seen.drains == i);
		assert_non_null(tcp_reserve(&stream->tcp, 100));
		tcp_read_stop(&stream->tcp);
		tcp_read_start(&stream->tcp);
		io_run_for(f, 2 * NS_PER_MS);
	}
	assert_int_equal(peer_readable(peer, 100), 9);
	close(peer);
	stream_close_and_wait(f, stream);
}

static void write_five_times(struct stream *stream)
{
	if (stream->seen->drains < 5)
		CHECK(tcp_write(&stream->tcp, "more", 4) == 0);
}

static void test_writing_in_on_drain_goes_on(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	stream->on_drain = write_five_times;
	tcp_write(&stream->tcp, "more", 4);
	RUN_UNTIL(f, seen.drains == 5);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(seen.drains, 5);
	assert_int_equal(peer_readable(peer, 100), 20);
	close(peer);
	stream_close_and_wait(f, stream);
}

#define WORD_COUNT (64u * 1024 * 1024 / sizeof(uint32_t))

/* Takes what is there and checks that the words count on from *next. */
static void take_words(int peer, size_t at_most, uint32_t *next)
{
	static uint32_t words[65536];
	static size_t rest; /* [bytes] of a word that came in part */
	ssize_t n = recv(peer, (char *)words + rest, MIN(at_most, sizeof(words)) - rest,
			 MSG_DONTWAIT);

	if (n <= 0)
		return;
	size_t len = rest + (size_t)n;

	for (size_t i = 0; i < len / sizeof(uint32_t); i++)
		CHECK(words[i] == (*next)++);
	rest = len % sizeof(uint32_t);
	memmove(words, (char *)words + len - rest, rest);
}

/* The kernel makes its buffers larger meanwhile, and on a busy machine takes its time. */
static void run_until_it_stands(struct io_fixture *f, const struct stream *stream)
{
	size_t queued;

	do {
		queued = tcp_queued(&stream->tcp);
		io_run_for(f, 100 * NS_PER_MS);
	} while (tcp_queued(&stream->tcp) != queued);
}

static void test_64_mib_to_a_slow_reader(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	uint32_t next = 0;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	for (uint32_t i = 0; i < WORD_COUNT;) {
		uint32_t *words = (uint32_t *)(void *)tcp_reserve(&stream->tcp, 65536);

		for (size_t k = 0; k < 65536 / sizeof(uint32_t); k++)
			words[k] = i++;
		tcp_commit(&stream->tcp, 65536);
	}
	assert_int_equal(tcp_queued(&stream->tcp), WORD_COUNT * sizeof(uint32_t));
	run_until_it_stands(f, stream); /* nobody reads: some is taken, and no more */
	size_t queued = tcp_queued(&stream->tcp);
	uint32_t progress = stream->tcp.progress;

	assert_true(queued > 0 && queued < WORD_COUNT * sizeof(uint32_t));
	assert_true(progress > 0);
	io_run_for(f, 20 * NS_PER_MS);
	/* There is progress where something is taken, and only there. */
	assert_int_equal(stream->tcp.progress != progress, tcp_queued(&stream->tcp) != queued);
	assert_int_equal(seen.drains, 0);
	queued = tcp_queued(&stream->tcp);
	assert_int_equal(tcp_write(&stream->tcp, "tail", 4), 0);
	assert_int_equal(tcp_queued(&stream->tcp), queued + 4);
	uint64_t give_up = clock_now_ns() + GIVE_UP_NS;

	while (next < WORD_COUNT && clock_now_ns() < give_up) {
		for (int i = 0; i < 16; i++)
			take_words(peer, MIN((WORD_COUNT - next) * sizeof(uint32_t), 100003u),
				   &next);
		loop_timer_start(f->loop, &f->tick, 0);
		loop_run(f->loop);
		assert_true(tcp_queued(&stream->tcp) <= queued + 4);
	}
	assert_int_equal(next, WORD_COUNT);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(tcp_queued(&stream->tcp), 0);
	assert_true(stream->tcp.progress > progress);
	SPIN_UNTIL(f, peer_readable(peer, 8) == 4);
	close(peer);
	stream_close_and_wait(f, stream);
}

/* --- reading on and off --- */

struct sequence {
	uint32_t next; /* the word that must come next */
	uint8_t partial[4];
	size_t partial_len;
};

static void check_sequence(struct stream *stream, const uint8_t *data, size_t len)
{
	struct sequence *sequence = stream->arg;

	for (size_t i = 0; i < len; i++) {
		uint32_t word;

		sequence->partial[sequence->partial_len++] = data[i];
		if (sequence->partial_len < 4)
			continue;
		memcpy(&word, sequence->partial, 4);
		CHECK(word == sequence->next);
		sequence->next++;
		sequence->partial_len = 0;
	}
}

struct feeder {
	uint32_t words[4096];
	uint32_t next;
	size_t start; /* [bytes] of words already sent */
};

static void feeder_init(struct feeder *feeder)
{
	feeder->next = 0;
	feeder->start = sizeof(feeder->words);
}

/* Sends up to `len` bytes of the endless sequence, as the socket takes them. */
static void feed(struct feeder *feeder, int peer, size_t len)
{
	if (feeder->start == sizeof(feeder->words)) {
		for (size_t i = 0; i < ARRAY_LEN(feeder->words); i++)
			feeder->words[i] = feeder->next++;
		feeder->start = 0;
	}
	ssize_t n = send(peer, (char *)feeder->words + feeder->start,
			 MIN(len, sizeof(feeder->words) - feeder->start),
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		feeder->start += (size_t)n;
}

static size_t fed(const struct feeder *feeder)
{
	return (size_t)feeder->next * 4 - (sizeof(feeder->words) - feeder->start);
}

static void step(struct io_fixture *f)
{
	loop_timer_start(f->loop, &f->tick, 0);
	loop_run(f->loop);
}

static void test_stop_and_start_lose_and_duplicate_nothing(void **state)
{
	struct io_fixture *f = *state;
	struct feeder *feeder = malloc(sizeof(*feeder));
	struct sequence sequence = {0};
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	stream->arg = &sequence;
	stream->on_recv = check_sequence;
	feeder_init(feeder);
	srand(11);
	for (int i = 0; i < 6000; i++) {
		int what = rand() % 8;

		feed(feeder, peer, 1 + (size_t)rand() % 16384);
		if (what < 3 || what == 5)
			tcp_read_stop(&stream->tcp);
		if (what >= 3 && what < 6) /* 5: directly after stop */
			tcp_read_start(&stream->tcp);
		if (what != 7)
			step(f);
	}
	tcp_read_start(&stream->tcp);
	RUN_UNTIL(f, seen.bytes == fed(feeder));
	assert_true(seen.bytes > 1000000);
	free(feeder);
	close(peer);
	RUN_UNTIL(f, seen.eofs == 1);
	stream_close_and_wait(f, stream);
}

/* Many streams share the buffers: what is read with nothing there, in single
 * receives and in multishot ones, must never mix their bytes. */
static void test_streams_do_not_mix_bytes(void **state)
{
	struct io_fixture *f = *state;
	enum { COUNT = 24 };
	struct seen seen[COUNT];
	struct sequence sequences[COUNT] = {0};
	struct stream *streams[COUNT];
	struct feeder *feeders = malloc(COUNT * sizeof(*feeders));
	int peers[COUNT];

	srand(5);
	for (size_t i = 0; i < COUNT; i++) {
		streams[i] = stream_pair(f, LOOPBACK, &seen[i], &peers[i]);
		streams[i]->arg = &sequences[i];
		streams[i]->on_recv = check_sequence;
		feeder_init(&feeders[i]);
	}
	for (int turn = 0; turn < 3000; turn++) {
		for (int k = 0; k < 6; k++) {
			size_t i = (size_t)rand() % COUNT;

			feed(&feeders[i], peers[i], 1 + (size_t)rand() % 16384);
			i = (size_t)rand() % COUNT;
			tcp_read_stop(&streams[i]->tcp);
			tcp_read_start(&streams[i]->tcp);
		}
		step(f);
	}
	for (size_t i = 0; i < COUNT; i++) {
		RUN_UNTIL(f, seen[i].bytes == fed(&feeders[i]));
		close(peers[i]);
		RUN_UNTIL(f, seen[i].eofs == 1);
		stream_close_and_wait(f, streams[i]);
	}
	free(feeders);
}

/* What a stopped reader holds back is bounded, so the peer feels it. */
static void test_stopped_reading_holds_the_peer_up(void **state)
{
	struct io_fixture *f = *state;
	struct feeder *feeder = malloc(sizeof(*feeder));
	struct sequence sequence = {0};
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	stream->arg = &sequence;
	stream->on_recv = check_sequence;
	feeder_init(feeder);
	tcp_read_stop(&stream->tcp);
	size_t before;

	do {
		before = fed(feeder);
		for (int i = 0; i < 100; i++)
			feed(feeder, peer, SIZE_MAX);
		io_run_for(f, 2 * NS_PER_MS);
	} while (fed(feeder) > before);
	assert_true(seen.bytes <= 8 << 20);
	tcp_read_start(&stream->tcp);
	RUN_UNTIL(f, seen.bytes == fed(feeder));
	free(feeder);
	close(peer);
	stream_close_and_wait(f, stream);
}

/* io_uring: poll while idle, multishot receive while active, and back after more
 * than four periods of a second. epoll: nothing changes. */
static void test_idle_stream_wakes_again(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	unsigned count = 0;

	for (int i = 0; i < 10; i++) {
		peer_write(peer, "x", 1);
		count++;
		RUN_UNTIL(f, seen.bytes == count);
	}
	io_run_for(f, 6500 * NS_PER_MS);
	for (int i = 0; i < 10; i++) {
		peer_write(peer, "x", 1);
		count++;
		RUN_UNTIL(f, seen.bytes == count);
	}
	assert_int_equal(seen.recvs, count);
	close(peer);
	RUN_UNTIL(f, seen.eofs == 1);
	stream_close_and_wait(f, stream);
}

/* --- ends and errors --- */

static void test_half_closed_peer_can_still_be_sent_to(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	peer_write(peer, "bye", 3);
	shutdown(peer, SHUT_WR);
	RUN_UNTIL(f, seen.eofs == 1);
	assert_int_equal(seen.bytes, 3);
	assert_int_equal(tcp_write(&stream->tcp, "answer", 6), 0);
	RUN_UNTIL(f, seen.drains == 1);
	assert_int_equal(peer_readable(peer, 100), 6);
	io_run_for(f, 5 * NS_PER_MS);
	assert_int_equal(seen.eofs, 1);
	assert_int_equal(seen.errors, 0);
	close(peer);
	stream_close_and_wait(f, stream);
}

/* Brings the stream into its n-th way of waiting: fresh, after one arrival, after
 * several in a row. */
static void exchange(struct io_fixture *f, struct stream *stream, int peer, unsigned arrivals)
{
	for (unsigned i = 1; i <= arrivals; i++) {
		peer_write(peer, "x", 1);
		RUN_UNTIL(f, stream->seen->bytes == i);
	}
}

/* Data and the end lie there together before the loop looks: one wake-up for both. */
static void data_then_end(struct io_fixture *f, bool is_reset, bool is_stopped_before)
{
	for (unsigned arrivals = 0; arrivals < 5; arrivals++) {
		struct seen seen;
		int peer;
		struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

		exchange(f, stream, peer, arrivals);
		if (is_stopped_before) {
			tcp_read_stop(&stream->tcp);
			io_run_for(f, 2 * NS_PER_MS);
		}
		peer_write(peer, "last", 4);
		if (is_reset)
			peer_reset(peer);
		else
			close(peer);
		if (is_stopped_before) {
			io_run_for(f, 2 * NS_PER_MS);
			tcp_read_start(&stream->tcp);
		}
		RUN_UNTIL(f, seen.errors + seen.eofs == 1);
		if (is_reset)
			assert_int_equal(seen.error, -ECONNRESET);
		else
			assert_int_equal(seen.bytes, arrivals + 4);
		io_run_for(f, 2 * NS_PER_MS);
		assert_int_equal(seen.errors, is_reset);
		assert_int_equal(seen.eofs, !is_reset);
		stream_close_and_wait(f, stream);
	}
}

static void test_data_and_fin_at_once(void **state)
{
	data_then_end(*state, false, false);
}

static void test_data_and_fin_while_reading_is_off(void **state)
{
	data_then_end(*state, false, true);
}

static void test_data_and_reset_at_once(void **state)
{
	data_then_end(*state, true, false);
}

static void test_data_and_reset_while_reading_is_off(void **state)
{
	data_then_end(*state, true, true);
}

static void test_reset_is_an_error(void **state)
{
	struct io_fixture *f = *state;

	for (unsigned arrivals = 0; arrivals < 4; arrivals++) {
		struct seen seen;
		int peer;
		struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

		exchange(f, stream, peer, arrivals);
		io_run_for(f, 2 * NS_PER_MS);
		peer_reset(peer);
		RUN_UNTIL(f, seen.errors == 1);
		assert_int_equal(seen.error, -ECONNRESET);
		assert_int_equal(seen.eofs, 0);
		stream_close_and_wait(f, stream);
		assert_int_equal(seen.errors, 1);
	}
}

static void test_sending_to_a_reset_peer_is_told_once(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	tcp_read_stop(&stream->tcp);
	io_run_for(f, 2 * NS_PER_MS);
	peer_reset(peer);
	for (int i = 0; i < 5; i++) {
		tcp_write(&stream->tcp, "anyone?", 7);
		io_run_for(f, NS_PER_MS);
	}
	tcp_read_start(&stream->tcp);
	RUN_UNTIL(f, seen.errors == 1);
	assert_true(seen.error == -ECONNRESET || seen.error == -EPIPE);
	tcp_write(&stream->tcp, "anyone?", 7); /* queued in vain, but harmless */
	io_run_for(f, 5 * NS_PER_MS);
	assert_int_equal(seen.errors, 1);
	assert_int_equal(seen.drains, 0);
	stream_close_and_wait(f, stream);
}

static void shutdown_after(struct io_fixture *f, size_t len)
{
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	uint8_t *room = tcp_reserve(&stream->tcp, len);
	size_t got = 0;

	memset(room, 'q', len);
	tcp_commit(&stream->tcp, len);
	tcp_shutdown(&stream->tcp);
	tcp_shutdown(&stream->tcp);
	static char bytes[1 << 20];

	for (uint64_t give_up = clock_now_ns() + GIVE_UP_NS; clock_now_ns() < give_up;) {
		ssize_t n = recv(peer, bytes, sizeof(bytes), MSG_DONTWAIT);

		if (n == 0)
			break;
		if (n > 0)
			got += (size_t)n;
		else
			step(f);
	}
	assert_int_equal(got, len);
	assert_true(peer_at_eof(peer));
	peer_write(peer, "heard", 5); /* reading goes on */
	RUN_UNTIL(f, seen.bytes == 5);
	close(peer);
	RUN_UNTIL(f, seen.eofs == 1);
	assert_int_equal(seen.errors, 0);
	stream_close_and_wait(f, stream);
}

static void test_shutdown_delivers_all_then_fin(void **state)
{
	static const size_t sizes[] = {0, 1, 1000, 70000, 8 << 20};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		shutdown_after(*state, sizes[i]);
}

static void shut(struct stream *stream)
{
	tcp_shutdown(&stream->tcp);
}

static void test_shutdown_from_on_drain(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	stream->on_drain = shut;
	tcp_write(&stream->tcp, "x", 1);
	SPIN_UNTIL(f, peer_readable(peer, 10) == 1);
	char byte;

	assert_int_equal(recv(peer, &byte, 1, 0), 1);
	SPIN_UNTIL(f, peer_at_eof(peer));
	close(peer);
	stream_close_and_wait(f, stream);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_connect_and_echo_over_ipv4),
		ON_BOTH(test_connect_and_echo_over_ipv6),
		ON_BOTH(test_connect_from_a_chosen_source),
		ON_BOTH(test_connect_refused),
		ON_BOTH(test_connect_from_an_address_that_is_not_ours),
		ON_EPOLL(test_accepted_and_connected_streams_have_no_delay),
		ON_BOTH(test_read_start_while_connecting),
		ON_BOTH(test_nothing_is_read_before_read_start),
		ON_BOTH(test_writes_of_one_turn_leave_in_one_send),
		ON_BOTH(test_reserve_may_be_committed_in_part),
		ON_BOTH(test_commit_of_nothing_does_not_block_the_queue),
		ON_BOTH(test_reserve_without_commit_does_not_block_the_queue),
		ON_BOTH(test_writing_in_on_drain_goes_on),
		ON_BOTH(test_64_mib_to_a_slow_reader),
		ON_BOTH(test_stop_and_start_lose_and_duplicate_nothing),
		ON_BOTH(test_streams_do_not_mix_bytes),
		ON_BOTH(test_stopped_reading_holds_the_peer_up),
		ON_URING(test_idle_stream_wakes_again),
		ON_BOTH(test_half_closed_peer_can_still_be_sent_to),
		ON_BOTH(test_data_and_fin_at_once),
		ON_BOTH(test_data_and_fin_while_reading_is_off),
		ON_BOTH(test_data_and_reset_at_once),
		ON_BOTH(test_data_and_reset_while_reading_is_off),
		ON_BOTH(test_reset_is_an_error),
		ON_BOTH(test_sending_to_a_reset_peer_is_told_once),
		ON_BOTH(test_shutdown_delivers_all_then_fin),
		ON_BOTH(test_shutdown_from_on_drain),
	};
	return RUN_IO_TESTS(tests);
}
