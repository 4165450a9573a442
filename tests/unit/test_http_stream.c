/* SPDX-License-Identifier: Apache-2.0
 * test_http_stream.c - answers whose body comes over time: in pieces, to slow clients, and their
 * ends from every side, of which the producer is told once. A worker of its own thread, asked over
 * loopback, on both engines. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "http/http_stream.h"
#include "server/worker.h"

/* Only of a client that is to be cut: no other may be, however busy the machine is. */
#define SHORT_SEND_TIMEOUT_MS 100

struct fixture {
	struct http_stream stream; /* one at a time */
	struct loop *loop;
	struct ruleset ruleset;
	struct service service;
	struct worker *worker;
	struct conn_home *home; /* the worker's, for its own thread */
	struct worker_door door;
	struct net_addr addr;
	uint64_t rooms; /* by tell(), as are those below */
	uint64_t ends;  /* of on_end */
	uint64_t why;   /* the last one's, known before `ends` */
	uint64_t begun;
	uint64_t is_listening;
	bool is_drained;
};

/* What a thread has written before it tells, the one that has read what it told sees. The counters
 * of the program promise nothing of that kind. */
static void tell(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

static uint64_t told(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
}

static void await(const uint64_t *counter, uint64_t value)
{
	uint64_t give_up_at = clock_now_ns() + GIVE_UP_NS;

	while (told(counter) < value) {
		if (clock_now_ns() > give_up_at)
			fail_msg("it stays at %lu", (unsigned long)told(counter));
		usleep(100);
	}
}

static void on_room(struct http_stream *stream)
{
	tell(&CONTAINER_OF(stream, struct fixture, stream)->rooms);
}

static void on_end(struct http_stream *stream, enum http_stream_end why)
{
	struct fixture *fixture = CONTAINER_OF(stream, struct fixture, stream);

	__atomic_store_n(&fixture->why, why, __ATOMIC_RELEASE);
	tell(&fixture->ends);
}

static const struct http_stream_handler handler = {.on_room = on_room, .on_end = on_end};

static bool answer(void *arg, const struct http_request *request, struct http_reply *reply)
{
	struct fixture *fixture = arg;
	struct http_later *later = http_later_take(request, 60000);
	struct http_reply head = {.status = 200, .content_type = "text/x"};

	(void)reply;
	assert_non_null(later);
	fixture->loop = later->loop;
	fixture->stream = (struct http_stream){.handler = &handler};
	assert_true(http_stream_begin(later, &head, &fixture->stream));
	assert_int_equal(fixture->home->calls, 0); /* it holds nobody's place */
	tell(&fixture->begun);
	return true;
}

static void on_listening(void *arg, struct worker *worker)
{
	struct fixture *fixture = arg;

	fixture->home = &worker->home;
	tell(&fixture->is_listening);
}

static void on_worker_end(void *arg, int error)
{
	(void)arg;
	assert_int_equal(error, 0);
}

static int setup(void **state, enum loop_engine engine, uint64_t send_timeout_ms)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:0"), &fixture->addr));
	fixture->ruleset.config.server.handshake_timeout = 60000;
	fixture->ruleset.config.server.close_timeout = 60000;
	fixture->ruleset.config.server.send_timeout = send_timeout_ms;
	fixture->ruleset.references = 1;
	fixture->service = (struct service){
		.ruleset = &fixture->ruleset,
		.handler = {.answer = answer, .arg = fixture},
		.max_calls = 1,
	};
	fixture->door.fd = listener_bind(&fixture->addr, true);
	fixture->worker = worker_start(&(struct worker_options){
		.service = &fixture->service,
		.loop = {.engine = engine, .max_sockets = 64},
		.events = {.on_listening = on_listening, .on_end = on_worker_end, .arg = fixture},
		.doors = &(struct worker_door *){&fixture->door},
		.door_count = 1,
	});
	assert_non_null(fixture->worker);
	await(&fixture->is_listening, 1);
	*state = fixture;
	return 0;
}

static int setup_epoll(void **state)
{
	return setup(state, LOOP_ENGINE_EPOLL, 3600000);
}

static int setup_uring(void **state)
{
	return setup(state, LOOP_ENGINE_IO_URING, 3600000);
}

static int setup_short_epoll(void **state)
{
	return setup(state, LOOP_ENGINE_EPOLL, SHORT_SEND_TIMEOUT_MS);
}

static int setup_short_uring(void **state)
{
	return setup(state, LOOP_ENGINE_IO_URING, SHORT_SEND_TIMEOUT_MS);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->is_drained)
		worker_drain(fixture->worker);
	worker_join(fixture->worker);
	worker_destroy(&fixture->worker);
	assert_int_equal(fixture->ends, fixture->begun);
	free(fixture);
	return 0;
}

/* --- the client --- */

static int ask(struct fixture *fixture, const char *request, int buffer)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	assert_int_equal(connect(fd, &fixture->addr.sa, sizeof(fixture->addr.in)), 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	await(&fixture->begun, 1);
	return fd;
}

#define GET_1_1 "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

/* What stands behind the head, to the end of it; closes. */
static size_t read_body(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t got;

	while ((got = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)got;
	assert_int_equal(got, 0);
	close(fd);
	text[len] = 0;
	char *body = strstr(text, "\r\n\r\n");

	assert_non_null(body);
	len -= (size_t)(body + 4 - text);
	memmove(text, body + 4, len + 1);
	return len;
}

/* --- into the worker's thread --- */

struct errand {
	struct loop_task task;
	struct fixture *fixture;
	const char *piece; /* NULL: to be closed */
	size_t len;
	uint64_t is_done;
};

static void run_errand(struct loop_task *task)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, task);
	struct http_stream *stream = &errand->fixture->stream;

	if (told(&errand->fixture->ends) > 0)
		;
	else if (errand->piece == NULL)
		http_stream_close(stream);
	else
		assert_int_equal(http_stream_write(stream, slice_of(errand->piece, errand->len)),
				 0);
	tell(&errand->is_done);
}

static void do_errand(struct fixture *fixture, const char *piece, size_t len)
{
	struct errand errand = {
		.task.run = run_errand, .fixture = fixture, .piece = piece, .len = len};

	loop_post(fixture->loop, &errand.task);
	await(&errand.is_done, 1);
}

/* --- tests --- */

static void test_pieces(void **state)
{
	struct fixture *fixture = *state;
	char text[4096];
	int fd = ask(fixture, GET_1_1 "GET /ignored HTTP/1.1\r\n\r\n", 0);

	await(&fixture->rooms, 1); /* the head is out before there is a body */
	do_errand(fixture, "hello ", 6);
	do_errand(fixture, "", 0);
	do_errand(fixture, "0123456789abcdef!", 17);
	do_errand(fixture, NULL, 0);
	assert_int_equal(told(&fixture->why), HTTP_STREAM_CLOSED);
	read_body(fd, text, sizeof(text));
	assert_string_equal(text, "6\r\nhello \r\n11\r\n0123456789abcdef!\r\n0\r\n\r\n");
}

static void test_until_the_end_of_the_connection(void **state)
{
	struct fixture *fixture = *state;
	char text[4096];
	int fd = ask(fixture, "GET / HTTP/1.0\r\n\r\n", 0);

	do_errand(fixture, "hello ", 6);
	do_errand(fixture, "world", 5);
	do_errand(fixture, NULL, 0);
	read_body(fd, text, sizeof(text));
	assert_string_equal(text, "hello world");
}

static void test_client_leaves(void **state)
{
	struct fixture *fixture = *state;
	int fd = ask(fixture, GET_1_1, 0);

	do_errand(fixture, "hello", 5);
	close(fd);
	await(&fixture->ends, 1);
	assert_int_equal(told(&fixture->why), HTTP_STREAM_LEFT);
}

/* What it sends meanwhile is not gathered anywhere. */
static void test_client_talks(void **state)
{
	static const char noise[65536];
	struct fixture *fixture = *state;
	char text[4096];
	int fd = ask(fixture, GET_1_1, 0);

	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(write(fd, noise, sizeof(noise)), sizeof(noise));
	do_errand(fixture, "hello", 5);
	assert_int_equal(told(&fixture->ends), 0);
	shutdown(fd, SHUT_WR);
	await(&fixture->ends, 1);
	read_body(fd, text, sizeof(text));
	assert_string_equal(text, "5\r\nhello\r\n"); /* not complete, and it shows */
}

static void test_stuck_client(void **state)
{
	static char much[1 << 20];
	struct fixture *fixture = *state;
	int fd = ask(fixture, GET_1_1, 2048);

	for (unsigned i = 0; i < 16; i++)
		do_errand(fixture, much, sizeof(much));
	await(&fixture->ends, 1);
	assert_int_equal(told(&fixture->why), HTTP_STREAM_STUCK);
	close(fd);
}

/* More than the kernel holds, to one that takes it in its own time: in order, and complete. How
 * long it may take is tested where time is the test's (test_phase_stream.c). */
static void test_slow_client(void **state)
{
	enum { PIECE = 1 << 20, PIECES = 16 };
	static char piece[PIECE], taken[PIECE];
	struct fixture *fixture = *state;
	int fd = ask(fixture, "GET / HTTP/1.0\r\n\r\n", 0);
	char head[4096];
	ssize_t len;

	await(&fixture->rooms, 1); /* the head is out */
	for (unsigned i = 0; i < PIECES; i++) {
		memset(piece, 'a' + (int)i, sizeof(piece));
		do_errand(fixture, piece, sizeof(piece));
	}
	assert_true((len = recv(fd, head, sizeof(head) - 1, MSG_PEEK)) > 0);
	head[len] = 0;
	const char *body = strstr(head, "\r\n\r\n");

	assert_non_null(body);
	assert_int_equal(read(fd, head, (size_t)(body + 4 - head)), body + 4 - head);
	for (unsigned i = 0; i < PIECES; i++) {
		assert_int_equal(recv(fd, taken, sizeof(taken), MSG_WAITALL), sizeof(taken));
		memset(piece, 'a' + (int)i, sizeof(piece));
		assert_memory_equal(taken, piece, sizeof(piece));
	}
	await(&fixture->rooms, 2); /* the body too */
	assert_int_equal(told(&fixture->ends), 0);
	close(fd);
	await(&fixture->ends, 1);
	assert_int_equal(told(&fixture->why), HTTP_STREAM_LEFT);
}

/* What it was told is complete. */
static void test_gateway_stops(void **state)
{
	struct fixture *fixture = *state;
	char text[4096];
	int fd = ask(fixture, GET_1_1, 0);

	do_errand(fixture, "bye", 3);
	worker_drain(fixture->worker);
	fixture->is_drained = true;
	read_body(fd, text, sizeof(text));
	assert_string_equal(text, "3\r\nbye\r\n0\r\n\r\n");
	assert_int_equal(told(&fixture->why), HTTP_STREAM_STOPPED);
}

#define ON_BOTH_WITH(test, setup)                                      \
	{#test "/epoll", test, setup##_epoll, teardown, NULL},         \
	{                                                              \
#test "/io_uring", test, setup##_uring, teardown, NULL \
	}
#define ON_BOTH(test) ON_BOTH_WITH(test, setup)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_BOTH(test_pieces),
		ON_BOTH(test_until_the_end_of_the_connection),
		ON_BOTH(test_client_leaves),
		ON_BOTH(test_client_talks),
		ON_BOTH_WITH(test_stuck_client, setup_short),
		ON_BOTH(test_slow_client),
		ON_BOTH(test_gateway_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
