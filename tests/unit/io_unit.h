/* SPDX-License-Identifier: Apache-2.0
 * io_unit.h - what the tests of io/ share: a loop of either engine, streams that
 * count what they are told, and plain sockets as their peers.
 *
 * Everything runs in one thread. RUN_UNTIL relies on the callbacks here, each of
 * which stops the loop, so a lost wake-up shows as a time-out. SPIN_UNTIL also
 * looks every millisecond, for conditions that no callback tells of. */
#pragma once

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/net_addr.h"
#include "io/loop.h"
#include "os/os_limits.h"
#include "io/tcp.h"

struct io_fixture {
	struct loop *loop;
	enum loop_engine engine;
	struct timer watchdog;
	struct timer tick;
	bool has_timed_out;
};

static inline void io_on_watchdog(struct timer *timer)
{
	struct io_fixture *f = CONTAINER_OF(timer, struct io_fixture, watchdog);

	f->has_timed_out = true;
	loop_stop(f->loop);
}

static inline void io_on_tick(struct timer *timer)
{
	loop_stop(CONTAINER_OF(timer, struct io_fixture, tick)->loop);
}

static inline void io_fixture_init(struct io_fixture *f, enum loop_engine engine,
				   uint32_t max_sockets)
{
	*f = (struct io_fixture){.engine = engine};
	loop_timer_init(&f->watchdog, io_on_watchdog);
	loop_timer_init(&f->tick, io_on_tick);
	int r = loop_create(&(struct loop_options){.engine = engine, .max_sockets = max_sockets},
			    &f->loop);

	if (r < 0)
		fail_msg("loop_create: %s", strerror(-r));
}

/* Large enough that io_uring keeps several accepts in flight, where nofile allows it. */
static inline uint32_t io_many_sockets(void)
{
	return (uint32_t)MIN(os_limits_nofile().soft, UINT64_C(8192));
}

static inline void io_start_watch_dog(struct io_fixture *f)
{
	loop_timer_start(f->loop, &f->watchdog, clock_now_ns() - loop_now(f->loop) + GIVE_UP_NS);
}

#define RUN_UNTIL(f, cond)                                                        \
	do {                                                                      \
		io_start_watch_dog(f);                                            \
		while (!(cond) && !(f)->has_timed_out)                            \
			loop_run((f)->loop);                                      \
		loop_timer_stop((f)->loop, &(f)->watchdog);                       \
		if ((f)->has_timed_out)                                           \
			fail_msg("line %d: waited in vain: %s", __LINE__, #cond); \
	} while (0)

#define SPIN_UNTIL(f, cond)                                                       \
	do {                                                                      \
		io_start_watch_dog(f);                                            \
		while (!(cond) && !(f)->has_timed_out) {                          \
			loop_timer_start((f)->loop, &(f)->tick, NS_PER_MS);       \
			loop_run((f)->loop);                                      \
		}                                                                 \
		loop_timer_stop((f)->loop, &(f)->tick);                           \
		loop_timer_stop((f)->loop, &(f)->watchdog);                       \
		if ((f)->has_timed_out)                                           \
			fail_msg("line %d: waited in vain: %s", __LINE__, #cond); \
	} while (0)

/* For "nothing comes": lets the loop do all that it has to do, for `ns`, and in one turn even if
 * the machine takes that time for itself. */
static inline void io_run_for(struct io_fixture *f, uint64_t ns)
{
	uint64_t until = clock_now_ns() + ns;
	bool has_turned = false;

	for (; !has_turned || clock_now_ns() < until; has_turned = true) {
		loop_timer_start(f->loop, &f->tick, NS_PER_MS);
		loop_run(f->loop);
	}
	loop_timer_stop(f->loop, &f->tick);
}

/* --- each test once per engine --- */

static inline int io_setup(void **state)
{
	struct io_fixture *f = malloc(sizeof(*f));

	io_fixture_init(f, *(enum loop_engine *)*state, io_many_sockets());
	*state = f;
	return 0;
}

static inline int io_teardown(void **state)
{
	struct io_fixture *f = *state;

	if (!f->has_timed_out) /* else its objects are still open */
		loop_destroy(&f->loop);
	free(f);
	return 0;
}

static enum loop_engine io_engines[]
	__attribute__((unused)) = {LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING};

#define ON_EPOLL(test)                                                      \
	{                                                                   \
#test "/epoll", test, io_setup, io_teardown, &io_engines[0] \
	}
#define ON_URING(test)                                                         \
	{                                                                      \
#test "/io_uring", test, io_setup, io_teardown, &io_engines[1] \
	}
#define ON_BOTH(test) ON_EPOLL(test), ON_URING(test)

/* Where io_uring is forbidden its rows are left out, and that is said. */
static inline size_t io_keep_possible(struct CMUnitTest *tests, size_t count)
{
	enum loop_engine engine;
	const char *reason;
	size_t kept = 0;

	if (loop_engine_choose(LOOP_ENGINE_IO_URING, &engine, &reason) == 0)
		return count;
	fprintf(stderr, "io_uring is not tested: %s\n", reason);
	for (size_t i = 0; i < count; i++)
		if (tests[i].initial_state != &io_engines[1])
			tests[kept++] = tests[i];
	return kept;
}

#define RUN_IO_TESTS(tests)                                                                     \
	_cmocka_run_group_tests(#tests, tests, io_keep_possible(tests, ARRAY_LEN(tests)), NULL, \
				NULL)

/* --- streams that count; the memory goes in on_closed, so that ASan sees any use
 * after --- */

struct seen {
	unsigned connects, recvs, eofs, errors, drains, closes;
	int connect_error;
	int error;
	size_t bytes;
	bool is_close_called;
};

struct stream {
	struct tcp tcp;
	struct seen *seen;
	void *arg;
	void (*on_recv)(struct stream *stream, const uint8_t *data, size_t len); /* or NULL */
	void (*on_drain)(struct stream *stream);                                 /* or NULL */
	void (*on_connect)(struct stream *stream);                               /* or NULL */
};

static inline struct stream *stream_of(struct tcp *tcp)
{
	return CONTAINER_OF(tcp, struct stream, tcp);
}

static inline struct seen *stream_told(struct tcp *tcp)
{
	struct seen *seen = stream_of(tcp)->seen;

	CHECK(!seen->is_close_called && seen->closes == 0);
	loop_stop(tcp->loop);
	return seen;
}

static inline void stream_on_connect(struct tcp *tcp, int error)
{
	struct seen *seen = stream_told(tcp);

	seen->connects++;
	seen->connect_error = error;
	if (stream_of(tcp)->on_connect != NULL)
		stream_of(tcp)->on_connect(stream_of(tcp));
}

static inline void stream_on_recv(struct tcp *tcp, uint8_t *data, size_t len)
{
	struct seen *seen = stream_told(tcp);

	CHECK(len > 0);
	seen->recvs++;
	seen->bytes += len;
	if (stream_of(tcp)->on_recv != NULL)
		stream_of(tcp)->on_recv(stream_of(tcp), data, len);
	if (!seen->is_close_called)
		memset(data, 0xdd, len); /* "may be written to" */
}

static inline void stream_on_eof(struct tcp *tcp)
{
	stream_told(tcp)->eofs++;
}

static inline void stream_on_error(struct tcp *tcp, int error)
{
	struct seen *seen = stream_told(tcp);

	seen->errors++;
	seen->error = error;
}

static inline void stream_on_drain(struct tcp *tcp)
{
	stream_told(tcp)->drains++;
	CHECK(tcp_queued(tcp) == 0);
	if (stream_of(tcp)->on_drain != NULL)
		stream_of(tcp)->on_drain(stream_of(tcp));
}

static inline void stream_on_closed(struct tcp *tcp)
{
	struct seen *seen = stream_of(tcp)->seen;

	CHECK(seen->is_close_called && seen->closes == 0);
	seen->closes++;
	loop_stop(tcp->loop);
	free(stream_of(tcp));
}

static const struct tcp_handler stream_handler __attribute__((unused)) = {
	.on_connect = stream_on_connect,
	.on_recv = stream_on_recv,
	.on_eof = stream_on_eof,
	.on_error = stream_on_error,
	.on_drain = stream_on_drain,
	.on_closed = stream_on_closed,
};

static inline struct stream *stream_new(struct seen *seen)
{
	struct stream *stream = malloc(sizeof(*stream));

	CHECK(stream != NULL);
	memset(stream, 0xa5, sizeof(*stream)); /* nothing may rely on zeroes */
	stream->seen = seen;
	stream->arg = NULL;
	stream->on_recv = NULL;
	stream->on_drain = NULL;
	stream->on_connect = NULL;
	*seen = (struct seen){0};
	return stream;
}

static inline void stream_close(struct stream *stream)
{
	stream->seen->is_close_called = true;
	tcp_close(&stream->tcp);
}

static inline void stream_close_and_wait(struct io_fixture *f, struct stream *stream)
{
	struct seen *seen = stream->seen;

	stream_close(stream);
	RUN_UNTIL(f, seen->closes == 1);
}

/* --- listeners --- */

struct acceptor {
	struct listener listener;
	struct net_addr addr;
	struct tcp_accepted accepted[512];
	unsigned count;
	unsigned errors;
	int error;
	unsigned closes;
	void (*on_accept)(struct acceptor *acceptor, const struct tcp_accepted *accepted);
	void *arg;
};

static inline struct acceptor *acceptor_of(struct listener *listener)
{
	return CONTAINER_OF(listener, struct acceptor, listener);
}

static inline void acceptor_on_accept(struct listener *listener,
				      const struct tcp_accepted *accepted)
{
	struct acceptor *acceptor = acceptor_of(listener);

	CHECK(acceptor->closes == 0 && acceptor->count < ARRAY_LEN(acceptor->accepted));
	acceptor->accepted[acceptor->count++] = *accepted;
	loop_stop(listener->loop);
	if (acceptor->on_accept != NULL)
		acceptor->on_accept(acceptor, accepted);
}

static inline void acceptor_on_error(struct listener *listener, int error)
{
	acceptor_of(listener)->errors++;
	acceptor_of(listener)->error = error;
	loop_stop(listener->loop);
}

static inline void acceptor_on_closed(struct listener *listener)
{
	CHECK(acceptor_of(listener)->closes == 0);
	acceptor_of(listener)->closes++;
	loop_stop(listener->loop);
}

static inline struct net_addr io_addr(const char *text)
{
	struct net_addr addr;
	const char *problem = net_addr_parse(slice_from_text(text), &addr);

	CHECK(problem == NULL);
	return addr;
}

static inline void acceptor_open(struct io_fixture *f, struct acceptor *acceptor, const char *host)
{
	*acceptor = (struct acceptor){.addr = io_addr(host),
				      .listener = {.on_accept = acceptor_on_accept,
						   .on_accept_error = acceptor_on_error,
						   .on_closed = acceptor_on_closed}};
	int fd = listener_bind(&acceptor->addr, true);

	assert_true(fd >= 0);
	assert_int_not_equal(net_addr_port(&acceptor->addr), 0);
	assert_int_equal(listener_open(&acceptor->listener, f->loop, fd), 0);
}

static inline void acceptor_close(struct io_fixture *f, struct acceptor *acceptor)
{
	listener_close(&acceptor->listener);
	RUN_UNTIL(f, acceptor->closes == 1);
}

/* --- plain sockets as peers --- */

static inline int peer_connect(const struct net_addr *addr)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	int r = connect(fd, &addr->sa, net_addr_len(addr));

	CHECK(r == 0);
	return fd;
}

/* RST instead of FIN. */
static inline void peer_reset(int fd)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* Bytes now readable at the peer; does not take them. */
static inline size_t peer_readable(int fd, size_t at_most)
{
	static uint8_t bytes[65536];
	ssize_t n = recv(fd, bytes, MIN(at_most, sizeof(bytes)), MSG_PEEK | MSG_DONTWAIT);

	return n > 0 ? (size_t)n : 0;
}

static inline bool peer_at_eof(int fd)
{
	uint8_t byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static inline void peer_write(int fd, const void *data, size_t len)
{
	ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

	CHECK(n == (ssize_t)len);
}

/* A stream adopted from a listener at `host`, and its peer. */
static inline struct stream *stream_pair(struct io_fixture *f, const char *host, struct seen *seen,
					 int *out_peer)
{
	struct acceptor acceptor;
	struct stream *stream = stream_new(seen);

	acceptor_open(f, &acceptor, host);
	*out_peer = peer_connect(&acceptor.addr);
	RUN_UNTIL(f, acceptor.count == 1);
	tcp_adopt(&stream->tcp, f->loop, &acceptor.accepted[0], &stream_handler);
	acceptor_close(f, &acceptor);
	return stream;
}

#define LOOPBACK "127.0.0.1:0"
