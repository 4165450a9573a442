/* SPDX-License-Identifier: Apache-2.0
 * tcp_close at every stage: on_closed exactly once, nothing after it, no byte of
 * memory used late (run it with ASan); and many streams at random. */
#include "io_unit.h"

/* Closes, sees to it that on_closed comes later and once, and nothing else. */
static void close_and_check(struct io_fixture *f, struct stream *stream)
{
	struct seen *seen = stream->seen;

	assert_false(tcp_is_closing(&stream->tcp));
	stream_close(stream);
	assert_true(tcp_is_closing(&stream->tcp));
	stream_close(stream);
	assert_int_equal(seen->closes, 0);
	RUN_UNTIL(f, seen->closes == 1);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(seen->closes, 1);
}

/* `turns` later: between connecting, connected, waiting. */
static void test_close_while_connecting(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;

	acceptor_open(f, &acceptor, LOOPBACK);
	for (unsigned turns = 0; turns < 6; turns++) {
		struct seen seen;
		struct stream *client = stream_new(&seen);
		struct net_addr *remote = malloc(sizeof(*remote));

		*remote = acceptor.addr;
		assert_int_equal(tcp_connect(&client->tcp, f->loop, NULL, remote, &stream_handler),
				 0);
		for (unsigned i = 0; i < turns; i++) {
			loop_timer_start(f->loop, &f->tick, 0);
			loop_run(f->loop);
		}
		close_and_check(f, client);
		free(remote);
	}
	io_run_for(f, 5 * NS_PER_MS);
	for (unsigned i = 0; i < acceptor.count; i++)
		listener_refuse(&acceptor.listener, &acceptor.accepted[i]);
	acceptor_close(f, &acceptor);
}

/* A listener whose backlog is full lets the connection hang in SYN_SENT. */
static void test_close_while_the_connection_hangs(void **state)
{
	struct io_fixture *f = *state;
	struct net_addr addr = io_addr(LOOPBACK);
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct seen seen[4];
	struct stream *clients[ARRAY_LEN(seen)];

	assert_int_equal(bind(fd, &addr.sa, net_addr_len(&addr)), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, &addr.sa, &len), 0);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		clients[i] = stream_new(&seen[i]);
		assert_int_equal(
			tcp_connect(&clients[i]->tcp, f->loop, NULL, &addr, &stream_handler), 0);
	}
	io_run_for(f, 20 * NS_PER_MS);
	assert_int_equal(seen[3].connects, 0);
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		close_and_check(f, clients[i]);
	close(fd);
}

static void test_close_fresh_without_a_turn(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;

	close_and_check(f, stream_pair(f, LOOPBACK, &seen, &peer));
	assert_true(peer_at_eof(peer));
	close(peer);
}

static void test_close_in_every_way_of_waiting(void **state)
{
	struct io_fixture *f = *state;

	for (unsigned arrivals = 0; arrivals < 5; arrivals++) {
		struct seen seen;
		int peer;
		struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

		for (unsigned i = 1; i <= arrivals; i++) {
			peer_write(peer, "x", 1);
			RUN_UNTIL(f, seen.bytes == i);
		}
		io_run_for(f, NS_PER_MS);
		if (arrivals == 3)
			tcp_read_stop(&stream->tcp);
		if (arrivals == 4)
			peer_write(peer, "unread", 6);
		close_and_check(f, stream);
		close(peer);
	}
}

static void test_close_while_a_send_is_stuck(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	memset(tcp_reserve(&stream->tcp, 16 << 20), 0, 16 << 20);
	tcp_commit(&stream->tcp, 16 << 20);
	io_run_for(f, 10 * NS_PER_MS);
	assert_true(tcp_queued(&stream->tcp) > 0);
	tcp_write(&stream->tcp, "more", 4);
	close_and_check(f, stream);
	close(peer);
}

static void test_close_with_output_never_handed_over(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	tcp_write(&stream->tcp, "dropped", 7);
	close_and_check(f, stream);
	assert_int_equal(peer_readable(peer, 10), 0);
	assert_true(peer_at_eof(peer));
	close(peer);
}

static void test_close_after_shutdown(void **state)
{
	struct io_fixture *f = *state;

	for (unsigned turns = 0; turns < 3; turns++) {
		struct seen seen;
		int peer;
		struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

		tcp_write(&stream->tcp, "x", 1);
		tcp_shutdown(&stream->tcp);
		for (unsigned i = 0; i < turns; i++) {
			loop_timer_start(f->loop, &f->tick, 0);
			loop_run(f->loop);
		}
		close_and_check(f, stream);
		close(peer);
	}
}

static void close_in_recv(struct stream *stream, const uint8_t *data, size_t len)
{
	(void)data;
	(void)len;
	CHECK(tcp_write(&stream->tcp, "too late", 8) == 0);
	stream_close(stream);
}

static void close_in_drain(struct stream *stream)
{
	stream_close(stream);
}

static void test_close_inside_on_recv(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);
	static char bytes[300000];

	stream->on_recv = close_in_recv;
	fcntl(peer, F_SETFL, O_NONBLOCK);
	assert_true(send(peer, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0);
	RUN_UNTIL(f, seen.closes == 1);
	io_run_for(f, 2 * NS_PER_MS);
	assert_int_equal(seen.recvs, 1);
	close(peer);
}

static void test_close_inside_on_drain(void **state)
{
	struct io_fixture *f = *state;
	struct seen seen;
	int peer;
	struct stream *stream = stream_pair(f, LOOPBACK, &seen, &peer);

	stream->on_drain = close_in_drain;
	tcp_write(&stream->tcp, "x", 1);
	RUN_UNTIL(f, seen.closes == 1);
	assert_int_equal(seen.drains, 1);
	assert_int_equal(peer_readable(peer, 10), 1);
	close(peer);
}

static void close_in_connect(struct stream *stream)
{
	stream_close(stream);
}

static void test_close_inside_on_connect(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct seen seen;
	struct stream *client = stream_new(&seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	client->on_connect = close_in_connect;
	assert_int_equal(tcp_connect(&client->tcp, f->loop, NULL, &acceptor.addr, &stream_handler),
			 0);
	RUN_UNTIL(f, seen.closes == 1 && acceptor.count == 1);
	assert_int_equal(seen.connects, 1);
	listener_refuse(&acceptor.listener, &acceptor.accepted[0]);
	acceptor_close(f, &acceptor);
}

/* One stream's callback closes another that has something to tell in the same turn. */
static void close_the_other(struct stream *stream, const uint8_t *data, size_t len)
{
	struct stream *other = stream->arg;

	(void)data;
	(void)len;
	if (!other->seen->is_close_called) {
		stream_close(other);
		stream_close(stream);
	}
}

static void test_close_another_stream_of_the_same_turn(void **state)
{
	struct io_fixture *f = *state;

	for (unsigned arrivals = 0; arrivals < 4; arrivals++) {
		struct seen seen[2];
		int peers[2];
		struct stream *a = stream_pair(f, LOOPBACK, &seen[0], &peers[0]);
		struct stream *b = stream_pair(f, LOOPBACK, &seen[1], &peers[1]);

		for (unsigned i = 1; i <= arrivals; i++) {
			peer_write(peers[0], "x", 1);
			peer_write(peers[1], "x", 1);
			RUN_UNTIL(f, seen[0].bytes == i && seen[1].bytes == i);
		}
		a->arg = b;
		b->arg = a;
		a->on_recv = close_the_other;
		b->on_recv = close_the_other;
		peer_write(peers[0], "x", 1);
		peer_write(peers[1], "x", 1);
		RUN_UNTIL(f, seen[0].closes == 1 && seen[1].closes == 1);
		assert_int_equal(seen[0].bytes + seen[1].bytes, 2 * arrivals + 1);
		close(peers[0]);
		close(peers[1]);
	}
}

/* --- many at random, against a model --- */

#define SLOTS 150

struct slot {
	struct stream *stream; /* NULL: none */
	struct seen seen;
	int peer;
	size_t sent;     /* [bytes] by the peer: each has the low bits of its number */
	size_t returned; /* [bytes] of them that came back */
	size_t received; /* [bytes] of them that the stream saw */
};

struct crowd {
	struct io_fixture *f;
	struct acceptor acceptor;
	struct slot slots[SLOTS];
	unsigned opened;
	unsigned echoed_orderly;
};

static void slot_echo(struct stream *stream, const uint8_t *data, size_t len)
{
	struct slot *slot = stream->arg;

	for (size_t i = 0; i < len; i++)
		CHECK(data[i] == (uint8_t)(slot->received + i));
	slot->received += len;
	CHECK(tcp_write(&stream->tcp, data, len) == 0);
}

static void slot_open(struct crowd *crowd, struct slot *slot)
{
	unsigned before = crowd->acceptor.count = 0;

	*slot = (struct slot){.peer = peer_connect(&crowd->acceptor.addr)};
	RUN_UNTIL(crowd->f, crowd->acceptor.count == before + 1);
	slot->stream = stream_new(&slot->seen);
	slot->stream->arg = slot;
	slot->stream->on_recv = slot_echo;
	tcp_adopt(&slot->stream->tcp, crowd->f->loop, &crowd->acceptor.accepted[0],
		  &stream_handler);
	crowd->opened++;
}

static void slot_send(struct slot *slot)
{
	uint8_t bytes[20000];
	size_t len = 1 + (size_t)rand() % (rand() % 8 == 0 ? sizeof(bytes) : 200);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(slot->sent + i);
	ssize_t n = send(slot->peer, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		slot->sent += (size_t)n;
}

static void slot_take(struct slot *slot)
{
	uint8_t bytes[20000];
	ssize_t n = recv(slot->peer, bytes, sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t i = 0; i < n; i++)
		CHECK(bytes[i] == (uint8_t)slot->returned++);
}

/* Everything sent comes back, then both ends close in order. */
static void slot_end_orderly(struct crowd *crowd, struct slot *slot)
{
	tcp_read_start(&slot->stream->tcp);
	SPIN_UNTIL(crowd->f, (slot_take(slot), slot->returned == slot->sent));
	close(slot->peer);
	RUN_UNTIL(crowd->f, slot->seen.eofs == 1);
	assert_int_equal(slot->seen.errors, 0);
	stream_close_and_wait(crowd->f, slot->stream);
	slot->stream = NULL;
	crowd->echoed_orderly++;
}

static void slot_end_roughly(struct crowd *crowd, struct slot *slot)
{
	if (rand() % 2 == 0)
		peer_reset(slot->peer);
	else
		close(slot->peer);
	if (rand() % 2 == 0)
		io_run_for(crowd->f, 0);
	stream_close(slot->stream);
	slot->stream = NULL;
	RUN_UNTIL(crowd->f, slot->seen.closes == 1);
}

static void slot_do(struct crowd *crowd, struct slot *slot)
{
	switch (rand() % 16) {
	case 0:
		slot_end_roughly(crowd, slot);
		break;
	case 1:
		slot_end_orderly(crowd, slot);
		break;
	case 2:
		tcp_read_stop(&slot->stream->tcp);
		break;
	case 3:
		tcp_read_start(&slot->stream->tcp);
		break;
	case 4:
	case 5:
	case 6:
		slot_take(slot);
		break;
	default:
		slot_send(slot);
		break;
	}
}

static void test_random_crowd_against_model(void **state)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	uint64_t files_before = os_limits_open_files();

	srand(20240607);
	crowd->f = *state;
	acceptor_open(crowd->f, &crowd->acceptor, LOOPBACK);
	for (unsigned i = 0; i < 15000; i++) {
		struct slot *slot = &crowd->slots[rand() % SLOTS];

		if (slot->stream == NULL)
			slot_open(crowd, slot);
		else
			slot_do(crowd, slot);
		if (i % 4 == 0) {
			loop_timer_start(crowd->f->loop, &crowd->f->tick, 0);
			loop_run(crowd->f->loop);
		}
	}
	for (size_t i = 0; i < SLOTS; i++)
		if (crowd->slots[i].stream != NULL)
			slot_end_orderly(crowd, &crowd->slots[i]);
	assert_true(crowd->opened > 1000 && crowd->echoed_orderly > 500);
	acceptor_close(crowd->f, &crowd->acceptor);
	assert_true(os_limits_open_files() == files_before);
	free(crowd);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_close_while_connecting),
		ON_BOTH(test_close_while_the_connection_hangs),
		ON_BOTH(test_close_fresh_without_a_turn),
		ON_BOTH(test_close_in_every_way_of_waiting),
		ON_BOTH(test_close_while_a_send_is_stuck),
		ON_BOTH(test_close_with_output_never_handed_over),
		ON_BOTH(test_close_after_shutdown),
		ON_BOTH(test_close_inside_on_recv),
		ON_BOTH(test_close_inside_on_drain),
		ON_BOTH(test_close_inside_on_connect),
		ON_BOTH(test_close_another_stream_of_the_same_turn),
		ON_BOTH(test_random_crowd_against_model),
	};
	return RUN_IO_TESTS(tests);
}
