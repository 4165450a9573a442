/* SPDX-License-Identifier: Apache-2.0
 * One call at a time: what a webhook makes of every kind of answer, and of none. */
#include "webhook_unit.h"

/* --- what the back end answers --- */

#define HEAD_ONLY "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
#define LONG_LINE "X-Long: " X4096 "\r\n"

static const struct {
	const char *name;
	struct server_step steps[3];
	uint32_t retries;
	bool must_not_retry;
	enum webhook_outcome outcome;
	enum webhook_cause cause;
	uint32_t status;
	uint32_t attempts;
	const char *text; /* in the body if good or refused, else in the error */
} answers[] = {
	{"good", {{SERVER_OK}}, 2, false, WEBHOOK_OK, WEBHOOK_CAUSE_NONE, 200, 1, "ok"},
	{"no body",
	 {{"HTTP/1.1 204 No Content\r\n\r\n"}},
	 2,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 204,
	 1,
	 ""},
	{"in chunks",
	 {{"HTTP/1.1 201 Created\r\nTransfer-Encoding: "
	   "chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n"}},
	 0,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 201,
	 1,
	 "abcde"},
	{"until the end of the connection",
	 {{"HTTP/1.0 200 OK\r\n\r\nbye", SERVER_CLOSE}},
	 0,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 1,
	 "bye"},
	{"100 before 200",
	 {{"HTTP/1.1 100 Continue\r\n\r\n" SERVER_OK}},
	 0,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 1,
	 "ok"},
	{"as long as allowed",
	 {{"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" X4096}},
	 0,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 1,
	 X4096},
	{"refused",
	 {{"HTTP/1.1 403 No\r\nContent-Length: 3\r\n\r\nwhy"}},
	 2,
	 false,
	 WEBHOOK_REFUSED,
	 WEBHOOK_CAUSE_CLIENT_ERROR,
	 403,
	 1,
	 "why"},
	{"busy, then good",
	 {{"HTTP/1.1 429 Later\r\nContent-Length: 0\r\n\r\n"}, {SERVER_OK}},
	 2,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 2,
	 "ok"},
	{"busy for ever",
	 {{"HTTP/1.1 425 Early\r\nContent-Length: 1\r\n\r\nx"}},
	 2,
	 false,
	 WEBHOOK_REFUSED,
	 WEBHOOK_CAUSE_BUSY,
	 425,
	 3,
	 "x"},
	{"500, then good",
	 {{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"}, {SERVER_OK}},
	 1,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 2,
	 "ok"},
	{"500, but it may not be sent again",
	 {{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"}, {SERVER_OK}},
	 1,
	 true,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_SERVER_ERROR,
	 500,
	 1,
	 "does not allow"},
	{"503 for ever",
	 {{"HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n"}},
	 2,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_SERVER_ERROR,
	 503,
	 3,
	 "answered 503; attempts made: 3, allowed: 3"},
	{"500, then reset, then good",
	 {{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", SERVER_CLOSE},
	  {"", SERVER_RESET},
	  {SERVER_OK}},
	 2,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 3,
	 "ok"},
	{"redirect to itself",
	 {{"HTTP/1.1 302 Found\r\nLocation: /events?again\r\nContent-Length: 0\r\n\r\n"}},
	 2,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_REDIRECT,
	 302,
	 1,
	 "'/events?again'"},
	{"redirect to nowhere",
	 {{"HTTP/1.1 304 Not Modified\r\n\r\n"}},
	 2,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_REDIRECT,
	 304,
	 1,
	 "must answer 2xx"},
	{"a status that is none",
	 {{"HTTP/1.1 777 Jackpot\r\nContent-Length: 0\r\n\r\n"}},
	 0,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_PROTOCOL,
	 777,
	 1,
	 "answered 777"},
	{"garbage",
	 {{"\x16\x03 what is this\r\n\r\n", SERVER_CLOSE}},
	 1,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_PROTOCOL,
	 0,
	 2,
	 "not HTTP"},
	{"nothing at all",
	 {{"", SERVER_CLOSE}},
	 1,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN,
	 0,
	 2,
	 "broke"},
	{"reset before the answer",
	 {{"", SERVER_RESET}},
	 1,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN,
	 0,
	 2,
	 "broke"},
	{"closed in the middle of the body",
	 {{HEAD_ONLY "12", SERVER_CLOSE}},
	 1,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN,
	 200,
	 2,
	 "broke"},
	{"reset in the middle of the body",
	 {{HEAD_ONLY "12", SERVER_RESET}, {SERVER_OK}},
	 1,
	 false,
	 WEBHOOK_OK,
	 WEBHOOK_CAUSE_NONE,
	 200,
	 2,
	 "ok"},
	{"a chunk without length",
	 {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", SERVER_CLOSE}},
	 0,
	 false,
	 WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN,
	 200,
	 1,
	 "broke"},
	{"announced too long",
	 {{"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n", SERVER_HANG}},
	 2,
	 false,
	 WEBHOOK_TOO_BIG,
	 WEBHOOK_CAUSE_TOO_BIG,
	 200,
	 1,
	 "4097 bytes; allowed are 4096"},
	{"too long without announcing it",
	 {{"HTTP/1.1 200 OK\r\n\r\n" X4096 "x", SERVER_HANG}},
	 2,
	 false,
	 WEBHOOK_TOO_BIG,
	 WEBHOOK_CAUSE_TOO_BIG,
	 200,
	 1,
	 "more than the 4096"},
	{"a head without end",
	 {{"HTTP/1.1 200 OK\r\n" LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE
		   LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE LONG_LINE
			   LONG_LINE LONG_LINE,
	   SERVER_HANG}},
	 2,
	 false,
	 WEBHOOK_TOO_BIG,
	 WEBHOOK_CAUSE_TOO_BIG,
	 200,
	 1,
	 "allowed are 65536"},
};

static size_t steps_count(const struct server_step *steps)
{
	size_t count = 1;

	while (count < 3 && steps[count].bytes != NULL)
		count++;
	return count;
}

static bool holds(struct slice text, const char *part)
{
	size_t len = strlen(part);

	return len == 0 || (text.len > 0 && memmem(text.data, text.len, part, len) != NULL);
}

static void test_every_kind_of_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const char *name = answers[i].name;
		struct hook hook;
		struct hook_call call;

		hook_init(&hook);
		hook.options.retries = answers[i].retries;
		hook_open(&hook, answers[i].steps, steps_count(answers[i].steps));
		hook_call_init(&hook, &call);
		call.call.may_retry = !answers[i].must_not_retry;
		hook_call(&hook, &call);

		bool is_answer = call.call.outcome == WEBHOOK_OK ||
				 call.call.outcome == WEBHOOK_REFUSED;
		struct slice text = is_answer ? buf_slice(&call.call.response)
					      : slice_from_text(call.call.error);
		struct webhook_stats stats = hook_stats(&hook);

		ASSERT_ROW(call.call.outcome == answers[i].outcome, name);
		ASSERT_ROW(call.call.cause == answers[i].cause, name);
		ASSERT_ROW(call.call.status == answers[i].status, name);
		ASSERT_ROW(call.call.attempts == answers[i].attempts, name);
		ASSERT_ROW(holds(text, answers[i].text), name);
		ASSERT_ROW((call.call.outcome == WEBHOOK_OK) == (call.call.error[0] == 0), name);
		ASSERT_ROW(SERVER_READ(hook.server, requests) == answers[i].attempts, name);
		ASSERT_ROW(stats.attempts == answers[i].attempts &&
				   stats.retries == answers[i].attempts - 1 &&
				   stats.calls_done[answers[i].outcome] == 1 &&
				   stats.in_flight == 0 && stats.waiting == 0,
			   name);
		webhook_call_release(&call.call);
		hook_finish(&hook);
	}
}

static void test_retry_after_is_honoured_up_to_the_bound(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 429 Later\r\nRetry-After: 3000\r\nContent-Length: 0\r\n\r\n"},
	};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 1;
	hook.options.retry_after_max_ms = 50;
	hook_open(&hook, steps, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_REFUSED);
	assert_int_equal(call.call.attempts, 2);
	assert_true(hook.server->log[1].at_ns - hook.server->log[0].at_ns >= 49 * NS_PER_MS);
	/* Who sends the event again goes by this: it would wait for as long as it is told. */
	assert_int_equal(call.call.retry_after_ns, 50 * NS_PER_MS);
	hook_finish(&hook);
}

static void test_wanted_headers_are_handed_over(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 100 Continue\r\nX-Groups: not these\r\n\r\n"
		 "HTTP/1.1 200 OK\r\nX-GROUPS:  a, b \r\nX-Groups: c\r\nX-Empty:\r\n"
		 "Content-Length: 0\r\n\r\n"},
		{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
	};
	struct webhook_header wanted[] = {
		{.name = SLICE_LITERAL("x-groups")},
		{.name = SLICE_LITERAL("x-missing")},
		{.name = SLICE_LITERAL("x-empty")},
		{.name = SLICE_LITERAL("x-groups"), .is_list = true},
		{.name = SLICE_LITERAL("x-missing"), .is_list = true},
	};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, steps, 2);
	hook_call_init(&hook, &call);
	call.call.wanted = wanted;
	call.call.wanted_count = ARRAY_LEN(wanted);
	hook_call(&hook, &call);
	assert_true(slice_equals(wanted[0].value, SLICE_LITERAL("a, b")));
	assert_null(wanted[1].value.data);
	assert_non_null(wanted[2].value.data);
	assert_int_equal(wanted[2].value.len, 0);
	assert_true(slice_equals(wanted[3].value, SLICE_LITERAL("a, b, c")));
	assert_null(wanted[4].value.data);
	hook_call(&hook, &call); /* nothing is left of the call before */
	assert_int_equal(call.call.status, 500);
	assert_null(wanted[0].value.data);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* --- time --- */

static const struct {
	const char *name;
	struct server_step step;
	uint32_t status;
} silences[] = {
	{"never answers", {"", SERVER_HANG}, 0},
	{"stops in the head", {"HTTP/1.1 200 OK\r\nContent-", SERVER_HANG}, 200},
	{"stops in the body", {HEAD_ONLY "123", SERVER_HANG}, 200},
};

/* False: the back end, which says something first, was not even that fast. */
static bool is_timed_out(size_t row, uint32_t timeout_ms)
{
	const char *name = silences[row].name;
	uint32_t retries = row == 0;
	struct hook hook;
	struct hook_call call;

	hook_init(&hook);
	hook.options.timeout_ms = timeout_ms;
	hook.options.retries = retries;
	hook_open(&hook, &silences[row].step, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	ASSERT_ROW(call.call.outcome == WEBHOOK_FAILED, name);
	ASSERT_ROW(call.call.cause == WEBHOOK_CAUSE_TIMEOUT, name);
	ASSERT_ROW(call.call.attempts == 1 + retries, name);
	ASSERT_ROW(call.call.response.len == 0, name);
	bool has_spoken = call.call.status == silences[row].status;

	if (has_spoken)
		SERVER_WAIT(hook.server, gone, 1 + retries); /* it hung up */
	webhook_call_release(&call.call);
	hook_finish(&hook);
	return has_spoken;
}

static void test_silence_is_a_timeout(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(silences); i++)
		for (uint32_t ms = 100; !is_timed_out(i, ms); ms *= 4)
			ASSERT_ROW(ms < GIVE_UP_S * 1000, silences[i].name);
}

/* False: the machine has let all that time pass before the first one's attempt. */
static bool ends_an_attempt_and_a_wait(uint64_t deadline_ms)
{
	static const struct server_step hang[] = {{"", SERVER_HANG}};
	struct hook hook;
	struct hook_call first, second;

	hook_init(&hook);
	hook.options.max_in_flight = 1;
	hook_open(&hook, hang, 1);
	hook_call_init(&hook, &first);
	hook_call_init(&hook, &second);
	first.call.deadline_ns = clock_now_ns() + deadline_ms * NS_PER_MS;
	second.call.deadline_ns = clock_now_ns() + deadline_ms / 4 * NS_PER_MS;
	hook_start(&hook, &first);
	hook_start(&hook, &second);
	RUN_UNTIL(&hook.io, second.done == 1); /* it never had its turn */
	assert_int_equal(second.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(second.call.cause, WEBHOOK_CAUSE_DEADLINE);
	assert_int_equal(second.call.attempts, 0);
	RUN_UNTIL(&hook.io, first.done == 1);
	assert_true(clock_now_ns() >= first.call.deadline_ns);
	bool was_begun = first.call.attempts == 1;

	if (was_begun)
		assert_int_equal(first.call.cause, WEBHOOK_CAUSE_TIMEOUT);
	hook_finish(&hook);
	return was_begun;
}

static void test_deadline_ends_an_attempt_a_wait_and_a_retry(void **state)
{
	static const struct server_step busy[] = {
		{"HTTP/1.1 503 Oh\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"},
	};
	struct hook hook;
	struct hook_call first;

	(void)state;
	for (uint64_t ms = 200; !ends_an_attempt_and_a_wait(ms); ms *= 4)
		assert_true(ms < GIVE_UP_S * 1000);
	hook_init(&hook);
	hook.options.retries = 5;
	hook_open(&hook, busy, 1);
	hook_call_init(&hook, &first);
	first.call.deadline_ns = clock_now_ns() + 2 * GIVE_UP_NS;
	hook_call(&hook, &first); /* at once, since waiting would be in vain */
	assert_true(clock_now_ns() < first.call.deadline_ns);
	assert_int_equal(first.call.attempts, 1);
	assert_non_null(strstr(first.call.error, "no time for attempt 2"));
	hook_finish(&hook);
}

/* --- connections --- */

static void test_connection_is_kept_and_made_anew(void **state)
{
	static const struct server_step steps[] = {
		{SERVER_OK},
		{SERVER_OK},
		{SERVER_OK, SERVER_CLOSE},
		{SERVER_OK},
	};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, steps, 4);
	hook_call_init(&hook, &call);
	for (int i = 0; i < 3; i++)
		hook_call(&hook, &call);
	SERVER_WAIT(hook.server, gone, 1);
	for (int i = 0; i < 3; i++) {
		hook_call(&hook, &call);
		assert_int_equal(call.call.outcome, WEBHOOK_OK);
		assert_int_equal(call.call.attempts, 1);
	}
	assert_int_equal(SERVER_READ(hook.server, requests), 6);
	assert_int_equal(SERVER_READ(hook.server, connections), 2);
	assert_int_equal(hook_stats(&hook).connections_opened, 2);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* A kept connection may have died of old age: libcurl sends once more by itself, with the same
 * timestamp, unless the call must not be sent twice. */
static void test_reset_of_a_kept_connection(void **state)
{
	static const struct server_step steps[] = {
		{SERVER_OK},
		{"", SERVER_RESET},
		{SERVER_OK},
		{"", SERVER_RESET},
	};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, steps, 4);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_int_equal(call.call.attempts, 1);
	assert_int_equal(SERVER_READ(hook.server, requests), 3);
	call.call.may_retry = false;
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_BROKEN);
	assert_int_equal(SERVER_READ(hook.server, requests), 4);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

static void test_refused_until_the_back_end_is_up(void **state)
{
	static const struct server_step steps[] = {{SERVER_OK}};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 100000;
	hook.options.retry_burst = 100000;
	hook.server = server_bind(steps, 1);
	hook_open_port(&hook, "http", hook.server->port);
	hook_call_init(&hook, &call);
	call.call.may_retry = false; /* what was never sent may be tried again all the same */
	hook_start(&hook, &call);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).failures[WEBHOOK_CAUSE_CONNECT] >= 3);
	assert_int_equal(call.done, 0);
	server_listen(hook.server);
	RUN_UNTIL(&hook.io, call.done == 1);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_true(call.call.attempts >= 4);
	assert_int_equal(SERVER_READ(hook.server, requests), 1);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

static void test_nobody_there_is_told_in_words(void **state)
{
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.server = server_bind(NULL, 0);
	hook_open_port(&hook, "http", hook.server->port);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_CONNECT);
	assert_non_null(strstr(call.call.error, "cannot connect to the back end: "));
	assert_non_null(strstr(call.call.error, "; attempts made: 1, allowed: 1"));
	hook_finish(&hook);
}

/* A listener whose queue is full lets new connections hang. */
static void test_connecting_takes_only_so_long(void **state)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct hook hook;
	struct hook_call call;
	int fillers[4];

	(void)state;
	hook_init(&hook);
	hook.options.connect_timeout_ms = 200;
	hook.server = server_bind(NULL, 0);
	assert_int_equal(listen(hook.server->listen_fd, 0), 0);
	addr.sin_port = htons(hook.server->port);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		CHECK(connect(fillers[i], (struct sockaddr *)&addr, sizeof(addr)) == 0 ||
		      errno == EINPROGRESS);
	}
	hook_open_port(&hook, "http", hook.server->port);
	hook_call_init(&hook, &call);
	uint64_t before = clock_now_ns();

	hook_call(&hook, &call);
	assert_true(clock_now_ns() - before >= 199 * NS_PER_MS);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_CONNECT);
	for (size_t i = 0; i < ARRAY_LEN(fillers); i++)
		close(fillers[i]);
	hook_finish(&hook);
}

/* 100 MiB are not taken: the connection is closed, and no more is kept than allowed. */
static void test_flood_is_cut_off(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 200 OK\r\nContent-Type: x\r\n\r\n", SERVER_FLOOD},
	};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.max_response_bytes = 1 << 20;
	hook_open(&hook, steps, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_TOO_BIG);
	assert_in_range(call.call.response.cap, 0, 1 << 20);
	assert_int_equal(call.call.response.len, 0);
	SERVER_WAIT(hook.server, gone, 1);
	assert_true(SERVER_READ(hook.server, flooded_bytes) < SERVER_FLOOD_SIZE / 4);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_answer),
		cmocka_unit_test(test_retry_after_is_honoured_up_to_the_bound),
		cmocka_unit_test(test_wanted_headers_are_handed_over),
		cmocka_unit_test(test_silence_is_a_timeout),
		cmocka_unit_test(test_deadline_ends_an_attempt_a_wait_and_a_retry),
		cmocka_unit_test(test_connection_is_kept_and_made_anew),
		cmocka_unit_test(test_reset_of_a_kept_connection),
		cmocka_unit_test(test_refused_until_the_back_end_is_up),
		cmocka_unit_test(test_nobody_there_is_told_in_words),
		cmocka_unit_test(test_connecting_takes_only_so_long),
		cmocka_unit_test(test_flood_is_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
