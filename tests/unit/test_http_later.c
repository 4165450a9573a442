/* SPDX-License-Identifier: Apache-2.0
 * test_http_later.c - answers that come later: once, in time or not, with and without
 * somebody who waits for them. A worker of its own thread, asked over loopback. */
#include "unit.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/http_later.h"
#include "server/worker.h"

#define MAX_CALLS  2
#define TIMEOUT_MS 200

/* What answer() takes; the test's thread replies. */
struct asked {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct http_later *taken[MAX_CALLS];
	size_t count;
	bool is_listening;
	uint64_t timeout_ms;
};

struct fixture {
	struct asked asked;
	struct ruleset ruleset;
	struct service service;
	struct worker *worker;
	struct worker_door door;
	struct net_addr addr;
};

static void reply_text(struct http_reply *reply, const char *text)
{
	reply->status = 200;
	reply->content_type = "text/plain";
	assert_int_equal(buf_append(&reply->body, text, strlen(text), 1000), 0);
}

static void keep(struct asked *asked, struct http_later *later)
{
	pthread_mutex_lock(&asked->mutex);
	asked->taken[asked->count++] = later;
	pthread_cond_signal(&asked->changed);
	pthread_mutex_unlock(&asked->mutex);
}

static bool answer(void *arg, const struct http_request *request, struct http_reply *reply)
{
	struct asked *asked = arg;
	struct http_later *later = http_later_take(request, asked->timeout_ms);

	if (later == NULL) {
		http_reply_problem(reply, 503, "full");
	} else if (slice_equals(request->path, SLICE_LITERAL("/at-once"))) {
		struct http_reply now = {0};

		reply_text(&now, "at once");
		http_later_reply(later, &now);
	} else {
		keep(asked, later);
	}
	return true;
}

static bool wants_body(void *arg, const struct http_request *request)
{
	(void)arg;
	return !http_request_is_read(request);
}

static void on_listening(void *arg, struct worker *worker)
{
	struct asked *asked = arg;

	(void)worker;
	pthread_mutex_lock(&asked->mutex);
	asked->is_listening = true;
	pthread_cond_signal(&asked->changed);
	pthread_mutex_unlock(&asked->mutex);
}

static void on_end(void *arg, int error)
{
	(void)arg;
	assert_int_equal(error, 0);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_null(net_addr_parse(SLICE_LITERAL("127.0.0.1:0"), &fixture->addr));
	pthread_mutex_init(&fixture->asked.mutex, NULL);
	pthread_cond_init(&fixture->asked.changed, NULL);
	fixture->asked.timeout_ms = 60000;
	fixture->ruleset.config.server.handshake_timeout = 60000;
	fixture->ruleset.config.server.close_timeout = 60000;
	fixture->ruleset.references = 1;
	fixture->service = (struct service){
		.ruleset = &fixture->ruleset,
		.handler = {.answer = answer, .wants_body = wants_body, .arg = &fixture->asked},
		.max_body = 1000,
		.max_calls = MAX_CALLS,
	};
	fixture->door.fd = listener_bind(&fixture->addr, true);
	fixture->worker = worker_start(&(struct worker_options){
		.service = &fixture->service,
		.loop = {.engine = LOOP_ENGINE_EPOLL},
		.events = {.on_listening = on_listening, .on_end = on_end, .arg = &fixture->asked},
		.doors = &(struct worker_door *){&fixture->door},
		.door_count = 1,
	});
	assert_non_null(fixture->worker);
	pthread_mutex_lock(&fixture->asked.mutex);
	while (!fixture->asked.is_listening)
		pthread_cond_wait(&fixture->asked.changed, &fixture->asked.mutex);
	pthread_mutex_unlock(&fixture->asked.mutex);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	worker_drain(fixture->worker); /* every test closes what it opened */
	worker_join(fixture->worker);
	worker_destroy(&fixture->worker);
	free(fixture);
	return 0;
}

/* --- the client --- */

static int ask(struct fixture *fixture, const char *request)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &fixture->addr.sa, sizeof(fixture->addr.in)), 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	return fd;
}

static int ask_get(struct fixture *fixture, const char *path)
{
	char request[128];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	return ask(fixture, request);
}

/* All until the gateway's end of it; closes. */
static void assert_answer(int fd, const char *status, const char *part)
{
	char text[4096];
	size_t len = 0;

	for (ssize_t got = 1; got > 0; len += (size_t)got) {
		got = read(fd, text + len, sizeof(text) - 1 - len);
		assert_true(got >= 0);
	}
	text[len] = 0;
	close(fd);
	if (strncmp(text, status, strlen(status)) != 0 || strstr(text, part) == NULL)
		fail_msg("not '%s' with '%s':\n%s", status, part, text);
}

static struct http_later *await_taken(struct fixture *fixture, size_t index)
{
	struct asked *asked = &fixture->asked;

	pthread_mutex_lock(&asked->mutex);
	while (asked->count <= index)
		pthread_cond_wait(&asked->changed, &asked->mutex);
	struct http_later *later = asked->taken[index];
	pthread_mutex_unlock(&asked->mutex);
	return later;
}

/* --- into the worker's thread --- */

struct errand {
	struct loop_task task;
	struct http_later *later;
	const char *text;
	bool is_done; /* atomic */
};

static void run_reply(struct loop_task *task)
{
	struct errand *errand = CONTAINER_OF(task, struct errand, task);
	struct http_reply reply = {0};

	reply_text(&reply, errand->text);
	http_later_reply(errand->later, &reply);
	__atomic_store_n(&errand->is_done, true, __ATOMIC_RELEASE);
}

static void reply_and_wait(struct http_later *later, const char *text)
{
	struct errand errand = {.task.run = run_reply, .later = later, .text = text};

	loop_post(later->loop, &errand.task);
	while (!__atomic_load_n(&errand.is_done, __ATOMIC_ACQUIRE))
		usleep(100);
}

/* --- tests --- */

static void test_answer_comes_from_another_thread(void **state)
{
	int fd = ask_get(*state, "/later");
	struct http_later *later = await_taken(*state, 0);

	assert_true(slice_equals(later->request.path, SLICE_LITERAL("/later")));
	reply_and_wait(later, "it is done");
	assert_answer(fd, "HTTP/1.1 200 OK\r\n", "\r\n\r\nit is done");
}

static void test_body_lives_until_the_answer(void **state)
{
	int fd = ask(*state, "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
	struct http_later *later = await_taken(*state, 0);

	assert_true(slice_equals(later->request.body, SLICE_LITERAL("hello")));
	reply_and_wait(later, "read");
	assert_answer(fd, "HTTP/1.1 200 OK\r\n", "read");
}

static void test_answer_may_come_from_inside_answer(void **state)
{
	assert_answer(ask_get(*state, "/at-once"), "HTTP/1.1 200 OK\r\n", "at once");
	assert_answer(ask(*state, "PUT /at-once HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"),
		      "HTTP/1.1 200 OK\r\n", "at once");
}

static void test_late_answer_finds_nobody(void **state)
{
	struct fixture *fixture = *state;

	fixture->asked.timeout_ms = TIMEOUT_MS;
	int fd = ask_get(fixture, "/late");
	struct http_later *later = await_taken(fixture, 0);

	assert_answer(fd, "HTTP/1.1 504 Gateway Timeout\r\n", "has not answered in time");
	reply_and_wait(later, "too late");
}

static void test_client_that_has_gone_is_not_answered(void **state)
{
	int fd = ask_get(*state, "/gone");
	struct http_later *later = await_taken(*state, 0);
	struct linger reset = {.l_onoff = 1};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	/* The next request goes through the same loop, so the reset has been seen. */
	assert_answer(ask_get(*state, "/at-once"), "HTTP/1.1 200 OK\r\n", "at once");
	reply_and_wait(later, "for nobody");
}

static void test_places_are_bounded_and_come_back(void **state)
{
	int first = ask_get(*state, "/1");
	struct http_later *later = await_taken(*state, 0);
	int second = ask_get(*state, "/2");
	struct http_later *other = await_taken(*state, 1);

	assert_answer(ask_get(*state, "/3"), "HTTP/1.1 503 Service Unavailable\r\n", "full");
	reply_and_wait(later, "first");
	assert_answer(ask_get(*state, "/at-once"), "HTTP/1.1 200 OK\r\n", "at once");
	reply_and_wait(other, "second");
	assert_answer(first, "HTTP/1.1 200 OK\r\n", "first");
	assert_answer(second, "HTTP/1.1 200 OK\r\n", "second");
}

#define LATER_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LATER_TEST(test_answer_comes_from_another_thread),
		LATER_TEST(test_body_lives_until_the_answer),
		LATER_TEST(test_answer_may_come_from_inside_answer),
		LATER_TEST(test_late_answer_finds_nobody),
		LATER_TEST(test_client_that_has_gone_is_not_answered),
		LATER_TEST(test_places_are_bounded_and_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
