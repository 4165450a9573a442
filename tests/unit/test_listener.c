/* SPDX-License-Identifier: Apache-2.0
 * Listeners: binding, accepting, and what happens when descriptors are out. */
#include "io_unit.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>
#include <time.h>

static void step(struct io_fixture *f)
{
	loop_timer_start(f->loop, &f->tick, 0);
	loop_run(f->loop);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void peers_connect(const struct net_addr *addr, int *peers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		peers[i] = peer_connect(addr);
}

static void refuse_all(struct acceptor *acceptor)
{
	for (unsigned i = 0; i < acceptor->count; i++)
		listener_refuse(&acceptor->listener, &acceptor->accepted[i]);
	acceptor->count = 0;
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* --- binding --- */

static void test_bind_fills_in_the_port(void **state)
{
	(void)state;
	static const char *const hosts[] = {LOOPBACK, "[::1]:0"};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct net_addr addr = io_addr(hosts[i]);
		int fd = listener_bind(&addr, true);

		ASSERT_ROW(fd >= 0, hosts[i]);
		ASSERT_ROW(net_addr_port(&addr) != 0, hosts[i]);
		ASSERT_ROW(net_addr_is_loopback(&addr), hosts[i]);
		close(fd);
	}
}

static void test_bind_first_sees_another_listener(void **state)
{
	(void)state;
	struct net_addr addr = io_addr(LOOPBACK);
	int first = listener_bind(&addr, true); /* itself with SO_REUSEPORT */
	struct net_addr same = addr;

	assert_true(first >= 0);
	assert_int_equal(listener_bind(&same, true), -EADDRINUSE);
	int second = listener_bind(&same, false);

	assert_true(second >= 0);
	assert_int_equal(net_addr_port(&same), net_addr_port(&addr));
	close(first);
	close(second);
	first = listener_bind(&same, true);
	assert_true(first >= 0);
	close(first);
}

/* Connections of an earlier run in TIME_WAIT do not hinder a restart. */
static void test_bind_again_after_connections(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct seen seen;
	struct stream *stream = stream_new(&seen);

	acceptor_open(f, &acceptor, LOOPBACK);
	int peer = peer_connect(&acceptor.addr);

	RUN_UNTIL(f, acceptor.count == 1);
	tcp_adopt(&stream->tcp, f->loop, &acceptor.accepted[0], &stream_handler);
	stream_close_and_wait(f, stream); /* we close first: TIME_WAIT is ours */
	close(peer);
	acceptor_close(f, &acceptor);
	int fd = listener_bind(&acceptor.addr, true);

	assert_true(fd >= 0);
	close(fd);
}

static void test_bind_to_an_address_that_is_not_ours(void **state)
{
	(void)state;
	struct net_addr addr = io_addr("192.0.2.1:8080");
	uint64_t before = os_limits_open_files();

	assert_int_equal(listener_bind(&addr, true), -EADDRNOTAVAIL);
	assert_int_equal(listener_bind(&addr, false), -EADDRNOTAVAIL);
	assert_true(os_limits_open_files() == before);
}

/* --- accepting --- */

static void test_accepts_every_connection_of_a_burst(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	int peers[300];

	acceptor_open(f, &acceptor, LOOPBACK);
	peers_connect(&acceptor.addr, peers, ARRAY_LEN(peers));
	RUN_UNTIL(f, acceptor.count == ARRAY_LEN(peers));
	assert_int_equal(acceptor.errors, 0);
	for (unsigned i = 0; i < acceptor.count; i++)
		assert_false(acceptor.accepted[i].is_reserve);
	refuse_all(&acceptor);
	SPIN_UNTIL(f, peer_at_eof(peers[0]) && peer_at_eof(peers[299]));
	close_all(peers, ARRAY_LEN(peers));
	acceptor_close(f, &acceptor);
}

static void test_two_listeners_share_a_port(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor a, b;
	int peers[64];

	acceptor_open(f, &a, LOOPBACK);
	b = a;
	int fd = listener_bind(&b.addr, false);

	assert_true(fd >= 0);
	assert_int_equal(listener_open(&b.listener, f->loop, fd), 0);
	peers_connect(&a.addr, peers, ARRAY_LEN(peers));
	RUN_UNTIL(f, a.count + b.count == ARRAY_LEN(peers));
	assert_true(a.count > 0 && b.count > 0);
	refuse_all(&a);
	refuse_all(&b);
	close_all(peers, ARRAY_LEN(peers));
	acceptor_close(f, &a);
	acceptor_close(f, &b);
}

/* --- whose connection it is --- */

static struct net_addr local_addr(int fd)
{
	struct net_addr addr = {0};
	socklen_t len = sizeof(addr);
	int r = getsockname(fd, &addr.sa, &len);

	CHECK(r == 0);
	return addr;
}

static bool is_same_addr(const struct net_addr *a, const struct net_addr *b)
{
	if (a->sa.sa_family != b->sa.sa_family || net_addr_port(a) != net_addr_port(b))
		return false;
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr)) == 0;
	return a->sa.sa_family == AF_INET && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

/* A client with an address of its own; any port. */
static int connect_from(const struct net_addr *from, const struct net_addr *to)
{
	struct net_addr local = *from;
	int fd = socket(to->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	net_addr_set_port(&local, 0);
	int r = bind(fd, &local.sa, net_addr_len(&local));

	CHECK(r == 0);
	r = connect(fd, &to->sa, net_addr_len(to));
	CHECK(r == 0);
	return fd;
}

static void test_remote_is_the_clients_own_address(void **state)
{
	static const struct {
		const char *listen, *connect;
		const char *remote; /* up to the port */
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:"},
		{"0.0.0.0:0", "127.0.0.9:0", "127.0.0.9:"},
		{"[::1]:0", "[::1]:0", "[::1]:"},
		{"[::]:0", "[::1]:0", "[::1]:"},
		{"[::]:0", "127.0.0.1:0", "[::ffff:127.0.0.1]:"},
	};
	struct io_fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct acceptor acceptor;
		struct net_addr to = io_addr(rows[i].connect);
		char text[NET_ADDR_TEXT_MAX];

		acceptor_open(f, &acceptor, rows[i].listen);
		net_addr_set_port(&to, net_addr_port(&acceptor.addr));
		int peer = connect_from(&to, &to);
		struct net_addr own = local_addr(peer);
		const struct net_addr *remote = &acceptor.accepted[0].remote;

		RUN_UNTIL(f, acceptor.count == 1);
		net_addr_format(remote, text, sizeof(text));
		ASSERT_ROW(strncmp(text, rows[i].remote, strlen(rows[i].remote)) == 0, text);
		ASSERT_ROW(net_addr_port(remote) == net_addr_port(&own), text);
		ASSERT_ROW(remote->sa.sa_family != own.sa.sa_family || is_same_addr(remote, &own),
			   text);
		refuse_all(&acceptor);
		acceptor_close(f, &acceptor);
		close(peer);
	}
}

struct owned {
	const struct tcp_accepted *accepted;
	const int *peers;
	bool is_right;
};

/* The peer has sent its number. */
static void check_owner(struct stream *stream, const uint8_t *data, size_t len)
{
	struct owned *owned = stream->arg;
	uint16_t number;

	CHECK(len == sizeof(number));
	memcpy(&number, data, sizeof(number));
	struct net_addr own = local_addr(owned->peers[number]);

	owned->is_right = is_same_addr(&owned->accepted->remote, &own);
}

/* All of them wait before the loop looks, so several are accepted in one turn. */
static void test_each_of_a_burst_has_its_own_remote(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	struct stream *streams[300];
	struct seen seen[300];
	struct owned owned[300];
	int peers[300];

	acceptor_open(f, &acceptor, LOOPBACK);
	for (uint32_t number = 0; number < ARRAY_LEN(peers); number++) {
		uint16_t i = (uint16_t)number;
		struct net_addr from = io_addr(LOOPBACK);

		from.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i);
		peers[i] = connect_from(&from, &acceptor.addr);
		peer_write(peers[i], &i, sizeof(i));
	}
	RUN_UNTIL(f, acceptor.count == ARRAY_LEN(peers));
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		owned[i] = (struct owned){.accepted = &acceptor.accepted[i], .peers = peers};
		streams[i] = stream_new(&seen[i]);
		streams[i]->arg = &owned[i];
		streams[i]->on_recv = check_owner;
		tcp_adopt(&streams[i]->tcp, f->loop, &acceptor.accepted[i], &stream_handler);
	}
	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		RUN_UNTIL(f, seen[i].recvs == 1);
		assert_true(owned[i].is_right);
		stream_close_and_wait(f, streams[i]);
	}
	acceptor_close(f, &acceptor);
	close_all(peers, ARRAY_LEN(peers));
}

/* --- closing --- */

static void test_close_with_connections_pending(void **state)
{
	struct io_fixture *f = *state;

	for (unsigned turns = 0; turns < 3; turns++) {
		struct acceptor acceptor;
		int peers[5];

		acceptor_open(f, &acceptor, LOOPBACK);
		peers_connect(&acceptor.addr, peers, ARRAY_LEN(peers));
		for (unsigned i = 0; i < turns; i++)
			step(f);
		listener_close(&acceptor.listener);
		listener_close(&acceptor.listener);
		assert_int_equal(acceptor.closes, 0);
		RUN_UNTIL(f, acceptor.closes == 1);
		refuse_all(&acceptor);
		io_run_for(f, 2 * NS_PER_MS);
		assert_int_equal(acceptor.closes, 1);
		for (size_t i = 0; i < ARRAY_LEN(peers); i++)
			SPIN_UNTIL(f, peer_readable(peers[i], 1) == 0);
		close_all(peers, ARRAY_LEN(peers));
	}
}

static int connect_begin(const struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &addr->sa, net_addr_len(addr)), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static int tcp_state(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
	return info.tcpi_state;
}

/* How it ends. */
static int connect_end(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
	int error;
	socklen_t len = sizeof(error);

	assert_int_equal(poll(&poll_fd, 1, GIVE_UP_S * 1000), 1);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
	return error;
}

/* One that is about to close: whoever waits is seen and let in, and nobody comes any more. */
static void test_ignore_new_until_nobody_waits(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	int peers[40], late[3];

	acceptor_open(f, &acceptor, LOOPBACK);
	peers_connect(&acceptor.addr, peers, ARRAY_LEN(peers));
	SPIN_UNTIL(f, listener_has_waiting(&acceptor.listener) || acceptor.count > 0);
	listener_ignore_new(&acceptor.listener);
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		late[i] = connect_begin(&acceptor.addr);
	RUN_UNTIL(f, acceptor.count == ARRAY_LEN(peers));
	assert_false(listener_has_waiting(&acceptor.listener));
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		assert_int_equal(tcp_state(late[i]), TCP_SYN_SENT);
	listener_close(&acceptor.listener);
	RUN_UNTIL(f, acceptor.closes == 1);
	for (size_t i = 0; i < ARRAY_LEN(late); i++)
		assert_int_equal(connect_end(late[i]), ECONNREFUSED); /* at its next try */
	refuse_all(&acceptor);
	close_all(peers, ARRAY_LEN(peers));
	close_all(late, ARRAY_LEN(late));
	io_run_for(f, 2 * NS_PER_MS);
}

/* Each round holds accepts in flight; a place that is not given back is missed later. */
static void test_close_gives_back_what_its_accepts_held(void **state)
{
	struct io_fixture small;
	struct acceptor acceptor;

	io_fixture_init(&small, ((struct io_fixture *)*state)->engine, 100);
	uint64_t files = os_limits_open_files();

	for (unsigned i = 0; i < 110; i++) {
		acceptor_open(&small, &acceptor, LOOPBACK);
		if (i % 2 == 0)
			step(&small);
		acceptor_close(&small, &acceptor);
		step(&small); /* acceptor_on_closed checks that it comes once */
	}
	assert_int_equal(acceptor.errors, 0);
	assert_true(os_limits_open_files() == files);
	acceptor_open(&small, &acceptor, LOOPBACK);
	int peer = peer_connect(&acceptor.addr);

	RUN_UNTIL(&small, acceptor.count == 1);
	assert_false(acceptor.accepted[0].is_reserve);
	refuse_all(&acceptor);
	acceptor_close(&small, &acceptor);
	close(peer);
	loop_destroy(&small.loop);
}

static void close_inside(struct acceptor *acceptor, const struct tcp_accepted *accepted)
{
	listener_refuse(&acceptor->listener, accepted);
	listener_close(&acceptor->listener);
}

static void close_in_on_accept(struct io_fixture *f)
{
	struct acceptor acceptor;

	acceptor_open(f, &acceptor, LOOPBACK);
	acceptor.on_accept = close_inside;
	int peer = peer_connect(&acceptor.addr);

	RUN_UNTIL(f, acceptor.closes == 1);
	io_run_for(f, 2 * NS_PER_MS); /* acceptor_on_closed checks that it comes once */
	assert_int_equal(acceptor.closes, 1);
	close(peer);
}

static void test_close_inside_on_accept(void **state)
{
	close_in_on_accept(*state);
}

/* A small table makes io_uring accept one connection at a time. */
static void test_close_inside_on_accept_with_a_small_table(void **state)
{
	struct io_fixture small;

	io_fixture_init(&small, ((struct io_fixture *)*state)->engine, 4);
	close_in_on_accept(&small);
	loop_destroy(&small.loop);
}

/* --- descriptors are out --- */

static struct rlimit nofile_before;

static int limit_setup(void **state)
{
	getrlimit(RLIMIT_NOFILE, &nofile_before);
	return io_setup(state);
}

static int limit_teardown(void **state)
{
	setrlimit(RLIMIT_NOFILE, &nofile_before);
	return io_teardown(state);
}

/* At most `count` more descriptors may be opened. */
static void limit_nofile(unsigned count)
{
	int lowest = dup(0);
	struct rlimit limit = nofile_before;

	CHECK(lowest >= 0);
	close(lowest);
	limit.rlim_cur = (rlim_t)lowest + count;
	int r = setrlimit(RLIMIT_NOFILE, &limit);

	CHECK(r == 0);
}

/* Starved, an idle loop waits: no spin. */
static void check_no_spin(struct io_fixture *f, struct acceptor *acceptor)
{
	uint64_t before = cpu_ns();
	unsigned count = acceptor->count, errors = acceptor->errors;
	struct timer *tick = &f->tick;

	loop_timer_start(f->loop, tick, 400 * NS_PER_MS);
	while (loop_timer_is_running(tick))
		loop_run(f->loop);
	assert_true(cpu_ns() - before < 100 * NS_PER_MS);
	assert_int_equal(acceptor->count, count);
	assert_int_equal(acceptor->errors, errors);
}

static struct stream *adopt_last(struct io_fixture *f, struct acceptor *acceptor, struct seen *seen)
{
	struct stream *stream = stream_new(seen);

	tcp_adopt(&stream->tcp, f->loop, &acceptor->accepted[acceptor->count - 1], &stream_handler);
	return stream;
}

static void test_out_of_descriptors_each_client_is_answered(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	int peers[6];
	unsigned ordinary = 0;

	acceptor_open(f, &acceptor, LOOPBACK);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_nofile(2);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		assert_int_equal(connect(peers[i], &acceptor.addr.sa, net_addr_len(&acceptor.addr)),
				 0);
	RUN_UNTIL(f, acceptor.errors == 1);
	for (ordinary = 0; !acceptor.accepted[ordinary].is_reserve; ordinary++)
		assert_true(ordinary < acceptor.count);
	assert_true(ordinary >= 1 && ordinary <= 2);
	assert_int_equal(acceptor.error, -EMFILE);
	assert_int_equal(acceptor.count, ordinary + 1);
	check_no_spin(f, &acceptor);
	/* Each client in turn gets the reserve, is answered, and goes. */
	for (unsigned i = ordinary; i < ARRAY_LEN(peers); i++) {
		struct seen seen;

		RUN_UNTIL(f, acceptor.count == i + 1);
		assert_true(acceptor.accepted[i].is_reserve);
		struct stream *stream = adopt_last(f, &acceptor, &seen);

		tcp_write(&stream->tcp, "503", 3);
		RUN_UNTIL(f, seen.drains == 1);
		stream_close_and_wait(f, stream);
	}
	assert_int_equal(acceptor.errors, ARRAY_LEN(peers) - ordinary);
	unsigned served = 0;

	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		served += peer_readable(peers[i], 10) == 3;
	assert_int_equal(served, ARRAY_LEN(peers) - ordinary);
	acceptor.count = ordinary;
	refuse_all(&acceptor);
	acceptor_close(f, &acceptor);
	close_all(peers, ARRAY_LEN(peers));
}

/* The reserve stays in use, but descriptors come back otherwise: found by itself. */
static void test_out_of_descriptors_recovers_by_itself(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;
	int peers[6];

	acceptor_open(f, &acceptor, LOOPBACK);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		peers[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	limit_nofile(1);
	for (size_t i = 0; i < ARRAY_LEN(peers); i++)
		assert_int_equal(connect(peers[i], &acceptor.addr.sa, net_addr_len(&acceptor.addr)),
				 0);
	RUN_UNTIL(f, acceptor.errors == 1);
	setrlimit(RLIMIT_NOFILE, &nofile_before);
	RUN_UNTIL(f, acceptor.count == ARRAY_LEN(peers));
	assert_int_equal(acceptor.errors, 1);
	refuse_all(&acceptor);
	acceptor_close(f, &acceptor);
	close_all(peers, ARRAY_LEN(peers));
}

static void test_close_while_starved(void **state)
{
	struct io_fixture *f = *state;
	struct acceptor acceptor;

	acceptor_open(f, &acceptor, LOOPBACK);
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	limit_nofile(0);
	assert_int_equal(connect(peer, &acceptor.addr.sa, net_addr_len(&acceptor.addr)), 0);
	RUN_UNTIL(f, acceptor.errors == 1 && acceptor.count == 1);
	acceptor_close(f, &acceptor);
	refuse_all(&acceptor);
	io_run_for(f, 150 * NS_PER_MS); /* past the retry */
	assert_int_equal(acceptor.closes, 1);
	close(peer);
}

/* --- io_uring: the table of direct descriptors is full --- */

static void test_full_table_keeps_the_next_in_the_backlog(void **state)
{
	struct io_fixture small;
	struct acceptor acceptor;
	struct seen seen[8];
	struct stream *streams[8];
	int peers[8];

	(void)state;
	io_fixture_init(&small, LOOP_ENGINE_IO_URING, 4);
	acceptor_open(&small, &acceptor, LOOPBACK);
	peers_connect(&acceptor.addr, peers, 8);
	uint64_t files = os_limits_open_files();

	for (unsigned i = 0; i < 8; i++) {
		if (i >= 4) {
			check_no_spin(&small, &acceptor);
			assert_int_equal(acceptor.count, i);
			stream_close_and_wait(&small, streams[i - 4]);
		}
		RUN_UNTIL(&small, acceptor.count > i);
		assert_int_equal(acceptor.count, i + 1);
		assert_int_equal(acceptor.accepted[i].is_reserve, i >= 3);
		streams[i] = adopt_last(&small, &acceptor, &seen[i]);
		peer_write(peers[i], "hello", 5);
		RUN_UNTIL(&small, seen[i].bytes == 5);
	}
	assert_int_equal(acceptor.errors, 0);
	assert_true(os_limits_open_files() == files); /* direct descriptors only */
	for (unsigned i = 4; i < 8; i++) {            /* none was dropped */
		peer_write(peers[i], "alive", 5);
		RUN_UNTIL(&small, seen[i].bytes == 10);
		stream_close_and_wait(&small, streams[i]);
	}
	close_all(peers, 8);
	acceptor_close(&small, &acceptor);
	loop_destroy(&small.loop);
}

/* Two listeners and outgoing connections compete for the last places. */
static void test_full_table_is_shared_fairly(void **state)
{
	struct io_fixture small;
	struct acceptor a, b;
	struct seen seen;
	int peers[8];
	unsigned answered = 0;

	(void)state;
	io_fixture_init(&small, LOOP_ENGINE_IO_URING, 2);
	acceptor_open(&small, &a, LOOPBACK);
	acceptor_open(&small, &b, LOOPBACK);
	struct stream *client = stream_new(&seen);

	/* Both places are kept for the listeners. */
	assert_int_equal(tcp_connect(&client->tcp, small.loop, NULL, &a.addr, &stream_handler),
			 -ENFILE);
	free(client);
	peers_connect(&a.addr, peers, 4);
	peers_connect(&b.addr, peers + 4, 4);
	while (answered < 8) {
		RUN_UNTIL(&small, a.count + b.count > 0);
		answered += a.count + b.count;
		refuse_all(&a);
		refuse_all(&b);
	}
	io_run_for(&small, 5 * NS_PER_MS);
	assert_int_equal(a.errors + b.errors, 0);
	close_all(peers, 8);
	acceptor_close(&small, &a);
	acceptor_close(&small, &b);
	loop_destroy(&small.loop);
}

/* However many accepts are in flight, each place is used, and the last is the reserve. */
static void test_full_table_of_any_size(void **state)
{
	static const uint32_t sizes[] = {1, 2, 5, 16, 17, 18, 32, 33, 34, 100};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct io_fixture small;
		struct acceptor acceptor;
		int peers[110];
		uint32_t size = sizes[i];

		io_fixture_init(&small, LOOP_ENGINE_IO_URING, size);
		acceptor_open(&small, &acceptor, LOOPBACK);
		peers_connect(&acceptor.addr, peers, size + 10);
		RUN_UNTIL(&small, acceptor.count == size);
		io_run_for(&small, 3 * NS_PER_MS);
		assert_int_equal(acceptor.count, size);
		for (uint32_t j = 0; j < size; j++)
			assert_int_equal(acceptor.accepted[j].is_reserve, j == size - 1);
		for (uint32_t j = 0; j < 10; j++) {
			listener_refuse(&acceptor.listener, &acceptor.accepted[j % size]);
			RUN_UNTIL(&small, acceptor.count == size + 1);
			acceptor.accepted[j % size] = acceptor.accepted[--acceptor.count];
			assert_true(acceptor.accepted[j % size].is_reserve);
		}
		assert_int_equal(acceptor.errors, 0);
		refuse_all(&acceptor);
		int again = peer_connect(&acceptor.addr);

		RUN_UNTIL(&small, acceptor.count == 1);
		assert_int_equal(acceptor.accepted[0].is_reserve, size == 1);
		refuse_all(&acceptor);
		acceptor_close(&small, &acceptor);
		close_all(peers, size + 10);
		close(again);
		loop_destroy(&small.loop);
	}
}

/* Outgoing connections take all places but those that accepts keep: the last accept
 * in flight, and no earlier one, brings the reserve. */
static void test_full_table_of_outgoing_connections(void **state)
{
	struct io_fixture small;
	struct acceptor acceptor;
	struct net_addr other = io_addr(LOOPBACK);
	struct stream *clients[100];
	struct seen seen[100];
	int peers[101], r = 0;
	unsigned outgoing = 0;

	(void)state;
	int fd = listener_bind(&other, true);

	io_fixture_init(&small, LOOP_ENGINE_IO_URING, 100);
	acceptor_open(&small, &acceptor, LOOPBACK);
	while (r == 0) {
		assert_true(outgoing < ARRAY_LEN(clients));
		clients[outgoing] = stream_new(&seen[outgoing]);
		r = tcp_connect(&clients[outgoing]->tcp, small.loop, NULL, &other, &stream_handler);
		outgoing += r == 0;
	}
	assert_int_equal(r, -ENFILE);
	free(clients[outgoing]);
	unsigned left = 100 - outgoing;

	assert_true(left > 1);
	peers_connect(&acceptor.addr, peers, left + 1);
	RUN_UNTIL(&small, acceptor.count == left);
	io_run_for(&small, 3 * NS_PER_MS);
	assert_int_equal(acceptor.count, left);
	for (unsigned i = 0; i < left; i++)
		assert_int_equal(acceptor.accepted[i].is_reserve, i == left - 1);
	for (unsigned i = 0; i < outgoing; i++)
		stream_close_and_wait(&small, clients[i]);
	RUN_UNTIL(&small, acceptor.count == left + 1);
	refuse_all(&acceptor);
	acceptor_close(&small, &acceptor);
	close_all(peers, left + 1);
	close(fd);
	loop_destroy(&small.loop);
}

static void test_full_table_passes_on_the_place_of_a_closed_listener(void **state)
{
	struct io_fixture small;
	struct acceptor a, b;

	(void)state;
	io_fixture_init(&small, LOOP_ENGINE_IO_URING, 1);
	acceptor_open(&small, &a, LOOPBACK);
	acceptor_open(&small, &b, LOOPBACK); /* waits: the only place is a's */
	int peer = peer_connect(&b.addr);

	io_run_for(&small, 3 * NS_PER_MS);
	assert_int_equal(b.count, 0);
	acceptor_close(&small, &a);
	RUN_UNTIL(&small, b.count == 1);
	assert_true(b.accepted[0].is_reserve);
	acceptor_open(&small, &a, LOOPBACK); /* waits behind b, then closes */
	acceptor_close(&small, &a);
	refuse_all(&b);
	int next = peer_connect(&b.addr);

	RUN_UNTIL(&small, b.count == 1);
	refuse_all(&b);
	acceptor_close(&small, &b);
	close(peer);
	close(next);
	loop_destroy(&small.loop);
}

#define AT_THE_LIMIT(test)                                                        \
	{                                                                         \
#test "/epoll", test, limit_setup, limit_teardown, &io_engines[0] \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bind_fills_in_the_port),
		cmocka_unit_test(test_bind_first_sees_another_listener),
		ON_BOTH(test_bind_again_after_connections),
		cmocka_unit_test(test_bind_to_an_address_that_is_not_ours),
		ON_BOTH(test_accepts_every_connection_of_a_burst),
		ON_BOTH(test_two_listeners_share_a_port),
		ON_BOTH(test_remote_is_the_clients_own_address),
		ON_BOTH(test_each_of_a_burst_has_its_own_remote),
		ON_BOTH(test_close_with_connections_pending),
		ON_BOTH(test_ignore_new_until_nobody_waits),
		ON_BOTH(test_close_gives_back_what_its_accepts_held),
		ON_BOTH(test_close_inside_on_accept),
		ON_BOTH(test_close_inside_on_accept_with_a_small_table),
		AT_THE_LIMIT(test_out_of_descriptors_each_client_is_answered),
		AT_THE_LIMIT(test_out_of_descriptors_recovers_by_itself),
		AT_THE_LIMIT(test_close_while_starved),
		ON_URING(test_full_table_keeps_the_next_in_the_backlog),
		ON_URING(test_full_table_is_shared_fairly),
		ON_URING(test_full_table_of_any_size),
		ON_URING(test_full_table_of_outgoing_connections),
		ON_URING(test_full_table_passes_on_the_place_of_a_closed_listener),
	};
	return RUN_IO_TESTS(tests);
}
