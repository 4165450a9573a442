/* SPDX-License-Identifier: Apache-2.0
 * Many calls at a time: bounds, cancelling, breaker, budget, the end; and HTTP/2 and TLS
 * against nghttpd, which others wrote. */
#include "webhook_unit.h"

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <curl/curl.h>

static const struct server_step good[] = {{SERVER_OK}};
static const struct server_step gated[] = {{SERVER_OK, SERVER_GATE}};
static const struct server_step failing[] = {{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"}};

static struct hook_call *calls_create(struct hook *hook, size_t count)
{
	struct hook_call *calls = calloc(count, sizeof(*calls));

	for (size_t i = 0; i < count; i++)
		hook_call_init(hook, &calls[i]);
	return calls;
}

static void calls_start(struct hook *hook, struct hook_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		hook_start(hook, &calls[i]);
}

static void calls_destroy(struct hook_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		webhook_call_release(&calls[i].call);
	free(calls);
}

static unsigned outcome_count(const struct hook_call *calls, size_t count,
			      enum webhook_outcome outcome)
{
	unsigned found = 0;

	for (size_t i = 0; i < count; i++) {
		assert_int_equal(calls[i].done, 1);
		found += calls[i].call.outcome == outcome;
	}
	return found;
}

/* --- bounds --- */

static void test_thousand_calls_share_a_few_connections(void **state)
{
	enum { COUNT = 1000 };
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 32;
	hook_open(&hook, good, 1);
	struct hook_call *calls = calls_create(&hook, COUNT);

	calls_start(&hook, calls, COUNT);
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_OK), COUNT);
	assert_int_equal(SERVER_READ(hook.server, requests), COUNT);
	assert_in_range(SERVER_READ(hook.server, connections), 1, 32);
	assert_in_range(SERVER_READ(hook.server, active_max), 1, 32);
	struct webhook_stats stats = hook_stats(&hook);
	uint64_t measured = 0;

	for (size_t i = 0; i < DURATIONS_BUCKETS; i++)
		measured += stats.durations.count[i];
	assert_int_equal(measured, COUNT);
	assert_int_equal(stats.calls_started, COUNT);
	assert_int_equal(stats.answers[2], COUNT);
	assert_int_equal(stats.in_flight + stats.waiting, 0);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

static void test_thousand_calls_in_flight_at_once(void **state)
{
	enum { COUNT = 1000 };
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = COUNT;
	hook_open(&hook, gated, 1);
	struct hook_call *calls = calls_create(&hook, COUNT);

	calls_start(&hook, calls, COUNT);
	SERVER_WAIT(hook.server, active, COUNT);
	assert_int_equal(hook_stats(&hook).in_flight, COUNT);
	server_open_gate(hook.server);
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_OK), COUNT);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

static void test_places_and_queue_are_bounded(void **state)
{
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 3;
	hook.options.queue_max = 4;
	hook_open(&hook, gated, 1);
	struct hook_call *calls = calls_create(&hook, 8);

	calls_start(&hook, calls, 7);
	assert_int_equal(webhook_start(hook.webhook, &calls[7].call), -EAGAIN);
	SERVER_WAIT(hook.server, active, 3);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).in_flight == 3);
	assert_int_equal(hook_stats(&hook).waiting, 4);
	assert_int_equal(hook_stats(&hook).calls_rejected, 1);
	server_open_gate(hook.server);
	RUN_UNTIL(&hook.io, hook.done == 7);
	assert_int_equal(SERVER_READ(hook.server, active_max), 3);
	hook_call(&hook, &calls[7]); /* there is room again */
	assert_int_equal(outcome_count(calls, 8, WEBHOOK_OK), 8);
	calls_destroy(calls, 8);
	hook_finish(&hook);
}

/* Whoever is told that a call is done has its place for the next. */
static void restart_once(struct webhook_call *call)
{
	struct hook_call *self = CONTAINER_OF(call, struct hook_call, call);

	hook_on_done(call);
	if (self->done < 50)
		hook_start(self->hook, self);
}

static void test_on_done_may_start_the_next_call(void **state)
{
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 1;
	hook.options.queue_max = 0;
	hook_open(&hook, good, 1);
	hook_call_init(&hook, &call);
	call.call.on_done = restart_once;
	hook_start(&hook, &call);
	RUN_UNTIL(&hook.io, call.done == 50);
	assert_int_equal(hook_stats(&hook).calls_rejected, 0);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* --- cancelling --- */

static void test_cancel_at_every_stage(void **state)
{
	static const struct server_step steps[] = {
		{SERVER_OK, SERVER_GATE},
		{"HTTP/1.1 503 Oh\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"},
	};
	struct hook hook;
	struct hook_call flying, queued, sleeping;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 1;
	hook.options.retries = 1;
	hook_open(&hook, steps, 2);
	hook_call_init(&hook, &flying);
	hook_call_init(&hook, &queued);
	hook_call_init(&hook, &sleeping);
	hook_start(&hook, &flying);
	hook_start(&hook, &queued);
	SERVER_WAIT(hook.server, active, 1);
	webhook_cancel(&queued.call);
	webhook_cancel(&queued.call); /* once more is harmless */
	RUN_UNTIL(&hook.io, queued.done == 1);
	assert_int_equal(queued.call.outcome, WEBHOOK_CANCELLED);
	assert_int_equal(queued.call.attempts, 0);
	assert_int_equal(flying.done, 0);

	webhook_cancel(&flying.call);
	RUN_UNTIL(&hook.io, flying.done == 1);
	assert_int_equal(flying.call.outcome, WEBHOOK_CANCELLED);
	assert_int_equal(flying.call.attempts, 1);
	server_open_gate(hook.server);
	SERVER_WAIT(hook.server, gone, 1); /* its connection is closed */

	hook_start(&hook, &sleeping);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).answers[5] == 1 && hook_stats(&hook).waiting == 1);
	webhook_cancel(&sleeping.call);
	RUN_UNTIL(&hook.io, sleeping.done == 1);
	assert_int_equal(sleeping.call.outcome, WEBHOOK_CANCELLED);
	webhook_cancel(&sleeping.call); /* ended */

	hook_start(&hook, &queued); /* before the webhook has seen it */
	webhook_cancel(&queued.call);
	RUN_UNTIL(&hook.io, queued.done == 2);
	assert_int_equal(queued.call.outcome, WEBHOOK_CANCELLED);
	assert_int_equal(hook_stats(&hook).calls_done[WEBHOOK_CANCELLED], 4);
	io_run_for(&hook.io, 5 * NS_PER_MS); /* nothing is told twice */
	assert_int_equal(hook.done, 4);
	hook_finish(&hook);
}

/* Each call is cancelled at another moment of its life; each ends once. */
static void test_cancel_races_with_the_end(void **state)
{
	enum { COUNT = 400 };
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 4;
	hook_open(&hook, good, 1);
	struct hook_call *calls = calls_create(&hook, COUNT);

	for (size_t i = 0; i < COUNT; i++) {
		hook_start(&hook, &calls[i]);
		if (i >= 8)
			webhook_cancel(&calls[i - i % 8].call);
		if (i % 16 == 0)
			RUN_UNTIL(&hook.io, hook.done > i / 2);
	}
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_OK) +
				 outcome_count(calls, COUNT, WEBHOOK_CANCELLED),
			 COUNT);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

/* What may have reached the back end is waited for, and not sent again; the rest is given back. */
static void test_yield_at_every_stage(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 503 Oh\r\nContent-Length: 0\r\n\r\n", SERVER_GATE},
		{"HTTP/1.1 503 Oh\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"},
		{SERVER_OK},
	};
	struct hook hook;
	struct hook_call flying, queued, sleeping;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 1;
	hook.options.retries = 1;
	hook_open(&hook, steps, ARRAY_LEN(steps));
	hook_call_init(&hook, &flying);
	hook_call_init(&hook, &queued);
	hook_call_init(&hook, &sleeping);
	hook_start(&hook, &flying);
	hook_start(&hook, &queued);
	SERVER_WAIT(hook.server, active, 1);
	webhook_yield(&queued.call);
	webhook_yield(&queued.call); /* once more is harmless */
	RUN_UNTIL(&hook.io, queued.done == 1);
	assert_int_equal(queued.call.outcome, WEBHOOK_CANCELLED);
	assert_int_equal(queued.call.attempts, 0);

	webhook_yield(&flying.call);
	io_run_for(&hook.io, 5 * NS_PER_MS);
	assert_int_equal(flying.done, 0);
	server_open_gate(hook.server);
	RUN_UNTIL(&hook.io, flying.done == 1);
	assert_int_equal(flying.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(flying.call.attempts, 1); /* though it might be tried once more */

	hook_start(&hook, &sleeping);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).answers[5] == 2 && hook_stats(&hook).waiting == 1);
	webhook_yield(&sleeping.call);
	RUN_UNTIL(&hook.io, sleeping.done == 1);
	assert_int_equal(sleeping.call.outcome, WEBHOOK_CANCELLED);
	webhook_yield(&sleeping.call); /* ended */

	hook_start(&hook, &queued); /* one that is begun anew has not been yielded */
	RUN_UNTIL(&hook.io, queued.done == 2);
	assert_int_equal(queued.call.outcome, WEBHOOK_OK);
	webhook_call_release(&queued.call);
	webhook_call_release(&flying.call);
	webhook_call_release(&sleeping.call);
	hook_finish(&hook);
}

/* --- protection of the back end --- */

/* False: the machine has taken more than `open_ms` for a call, so that it was a probe already. */
static bool opens_probes_and_closes(uint32_t open_ms)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
		{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
		{SERVER_OK},
	};
	struct hook hook;
	struct hook_call call;

	hook_init(&hook);
	hook.options.breaker_failures = 2;
	hook.options.breaker_open_ms = open_ms;
	hook_open(&hook, steps, 3);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	uint64_t before_ns = clock_now_ns();

	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(hook_stats(&hook).breaker_state, WEBHOOK_BREAKER_OPEN);
	hook_call(&hook, &call);
	if (clock_now_ns() - before_ns >= open_ms * NS_PER_MS) {
		webhook_call_release(&call.call);
		hook_finish(&hook);
		return false;
	}
	assert_int_equal(call.call.outcome, WEBHOOK_OPEN);
	assert_int_equal(call.call.attempts, 0);
	assert_in_range(call.call.retry_after_ns, 1, open_ms * NS_PER_MS);
	assert_non_null(strstr(call.call.error, "2 calls in a row failed"));
	assert_int_equal(SERVER_READ(hook.server, requests), 2);
	for (unsigned tries = 0; call.call.outcome == WEBHOOK_OPEN && tries < 10; tries++) {
		io_run_for(&hook.io, call.call.retry_after_ns + NS_PER_MS);
		hook_call(&hook, &call);
	}
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_int_equal(hook_stats(&hook).breaker_state, WEBHOOK_BREAKER_CLOSED);
	assert_int_equal(hook_stats(&hook).breaker_opens, 1);
	webhook_call_release(&call.call);
	hook_finish(&hook);
	return true;
}

static void test_breaker_opens_probes_and_closes(void **state)
{
	(void)state;
	for (uint32_t open_ms = 100; !opens_probes_and_closes(open_ms); open_ms *= 4)
		assert_true(open_ms < GIVE_UP_S * 1000);
}

static void test_one_probe_at_a_time_while_half_open(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"},
		{SERVER_OK, SERVER_GATE},
	};
	struct hook hook;
	struct hook_call probe, other;

	(void)state;
	hook_init(&hook);
	hook.options.breaker_failures = 1;
	hook.options.breaker_open_ms = 1;
	hook_open(&hook, steps, 2);
	hook_call_init(&hook, &probe);
	hook_call_init(&hook, &other);
	hook_call(&hook, &other);
	io_run_for(&hook.io, 2 * NS_PER_MS);
	hook_start(&hook, &probe);
	SERVER_WAIT(hook.server, active, 1);
	assert_int_equal(hook_stats(&hook).breaker_state, WEBHOOK_BREAKER_HALF_OPEN);
	hook_call(&hook, &other);
	assert_int_equal(other.call.outcome, WEBHOOK_OPEN);
	assert_int_equal(probe.done, 0);
	webhook_cancel(&probe.call); /* gives the place of the probe back */
	RUN_UNTIL(&hook.io, probe.done == 1);
	server_open_gate(hook.server);
	hook_call(&hook, &other);
	assert_int_equal(other.call.outcome, WEBHOOK_OK);
	webhook_call_release(&other.call);
	hook_finish(&hook);
}

static void test_open_breaker_ends_retries(void **state)
{
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 10;
	hook.options.breaker_failures = 3;
	hook.options.breaker_open_ms = 60000;
	hook_open(&hook, failing, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_SERVER_ERROR);
	assert_int_equal(call.call.attempts, 3);
	assert_non_null(strstr(call.call.error, "too many calls fail"));
	assert_int_equal(SERVER_READ(hook.server, requests), 3);
	hook_finish(&hook);
}

static void test_budget_limits_a_storm_of_retries(void **state)
{
	enum { COUNT = 200 };
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 10;
	hook.options.retry_budget_percent = 10;
	hook.options.retry_burst = 5;
	hook_open(&hook, failing, 1);
	struct hook_call *calls = calls_create(&hook, COUNT);

	calls_start(&hook, calls, COUNT);
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_FAILED), COUNT);
	struct webhook_stats stats = hook_stats(&hook);

	assert_in_range(stats.retries, 5, 5 + COUNT / 10);
	assert_int_equal(SERVER_READ(hook.server, requests), COUNT + stats.retries);
	assert_true(stats.retries_denied > 0);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

/* --- the end --- */

static void test_destroy_cancels_what_is_under_way(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 503 Oh\r\nRetry-After: 3600\r\nContent-Length: 0\r\n\r\n"},
		{SERVER_OK, SERVER_GATE},
	};
	enum { COUNT = 20 };
	struct hook hook;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 5;
	hook.options.retries = 1;
	hook_open(&hook, steps, 2);
	struct hook_call *calls = calls_create(&hook, COUNT);

	hook_start(&hook, &calls[0]);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).answers[5] == 1); /* sleeps */
	calls_start(&hook, calls + 1, COUNT - 1);
	SERVER_WAIT(hook.server, active, 5);
	webhook_destroy(&hook.webhook, 30); /* they will not end by themselves */
	assert_null(hook.webhook);
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_CANCELLED), COUNT);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

static void *open_gate_when_closing(void *arg)
{
	struct hook *hook = arg;

	server_open_gate(hook->server);
	return NULL;
}

static void test_destroy_waits_for_calls_to_end(void **state)
{
	enum { COUNT = 20 };
	struct hook hook;
	pthread_t thread;

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 5;
	hook_open(&hook, gated, 1);
	struct hook_call *calls = calls_create(&hook, COUNT);

	calls_start(&hook, calls, COUNT);
	SERVER_WAIT(hook.server, active, 5);
	CHECK(pthread_create(&thread, NULL, open_gate_when_closing, &hook) == 0);
	webhook_destroy(&hook.webhook, 60000);
	pthread_join(thread, NULL);
	RUN_UNTIL(&hook.io, hook.done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_OK), COUNT);
	calls_destroy(calls, COUNT);
	hook_finish(&hook);
}

struct starter {
	struct hook *hook;
	struct hook_call *calls;
	size_t count;
	size_t started;
};

static void *start_until_closed(void *arg)
{
	struct starter *starter = arg;

	while (starter->started < starter->count &&
	       webhook_start(starter->hook->webhook, &starter->calls[starter->started].call) == 0)
		__atomic_fetch_add(&starter->started, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* What was taken ends, whoever comes too late is told so. Two threads start calls. */
static void test_calls_started_by_many_threads_all_end(void **state)
{
	enum { COUNT = 500, THREADS = 3 };
	struct hook hook;
	struct starter starters[THREADS];
	pthread_t threads[THREADS];
	size_t started = 0;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, good, 1);
	for (size_t i = 0; i < THREADS; i++) {
		starters[i] = (struct starter){&hook, calls_create(&hook, COUNT), COUNT, 0};
		CHECK(pthread_create(&threads[i], NULL, start_until_closed, &starters[i]) == 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		started += starters[i].started;
	}
	assert_int_equal(started, COUNT * THREADS);
	webhook_destroy(&hook.webhook, 3);
	RUN_UNTIL(&hook.io, hook.done == started);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(outcome_count(starters[i].calls, COUNT, WEBHOOK_OK) +
					 outcome_count(starters[i].calls, COUNT, WEBHOOK_CANCELLED),
				 COUNT);
		calls_destroy(starters[i].calls, COUNT);
	}
	hook_finish(&hook);
}

static void test_idle_webhook_ends_at_once(void **state)
{
	struct hook hook;
	uint64_t before = clock_now_ns();

	(void)state;
	hook_init(&hook);
	hook_open(&hook, good, 1);
	webhook_destroy(&hook.webhook, 3600000);
	assert_true(clock_now_ns() - before < GIVE_UP_NS);
	hook_finish(&hook);
}

/* --- HTTP/2 and TLS --- */

static pid_t run(const char *const *words)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	int r = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)words, environ);

	posix_spawn_file_actions_destroy(&actions);
	return r == 0 ? pid : -1;
}

static void end(pid_t pid)
{
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
}

/* It was free a moment ago. */
static uint16_t free_port(void)
{
	struct server *server = server_bind(NULL, 0);
	uint16_t port = server->port;

	server_stop(server);
	return port;
}

/* Starts nghttpd, which sends every body back, or skips the test. */
static pid_t nghttpd_start(struct hook *hook, const char *dir)
{
	char port[8], key[64], certificate[64];
	uint16_t number = free_port();
	const char *const plain[] = {"nghttpd", "--no-tls", "--echo-upload", "-a", "127.0.0.1",
				     port,      NULL};
	const char *const tls[] = {"nghttpd", "--echo-upload", "-a", "127.0.0.1", port,
				   key,       certificate,     NULL};

	snprintf(port, sizeof(port), "%u", number);
	snprintf(key, sizeof(key), "%s/key.pem", dir != NULL ? dir : "");
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", dir != NULL ? dir : "");
	pid_t pid = run(dir != NULL ? tls : plain);

	if (pid < 0)
		return -1;
	hook->options.http2 = true;
	hook->options.retries = 10000; /* until it listens */
	hook->options.retry_burst = 10000;
	hook_open_port(hook, dir != NULL ? "https" : "http", number);
	return pid;
}

/* libcurl 7.88 cannot use an h2c connection twice. */
static bool h2c_is_shared(void)
{
	unsigned version = curl_version_info(CURLVERSION_NOW)->version_num;

	return version < 0x075800 || version >= 0x080000;
}

static void assert_http2_works(struct hook *hook, bool is_shared)
{
	enum { COUNT = 50 };
	struct hook_call *calls = calls_create(hook, COUNT);
	struct hook_call first;

	hook_call_init(hook, &first);
	hook_call(hook, &first);
	assert_int_equal(first.call.outcome, WEBHOOK_OK);
	webhook_call_release(&first.call);
	uint64_t connections = hook_stats(hook).connections_opened;

	hook->done = 0;
	calls_start(hook, calls, COUNT);
	RUN_UNTIL(&hook->io, hook->done == COUNT);
	assert_int_equal(outcome_count(calls, COUNT, WEBHOOK_OK), COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_true(
			slice_equals(buf_slice(&calls[i].call.response), SLICE_LITERAL("hello")));
	assert_int_equal(hook_stats(hook).connections_opened,
			 connections + (is_shared ? 0 : COUNT));
	calls_destroy(calls, COUNT);
}

static void test_http2_with_prior_knowledge(void **state)
{
	struct hook hook;

	(void)state;
	hook_init(&hook);
	pid_t pid = nghttpd_start(&hook, NULL);

	if (pid < 0) {
		print_message("skipped: no nghttpd (Debian: nghttp2-server)\n");
		hook_finish(&hook);
		skip();
	}
	assert_http2_works(&hook, h2c_is_shared());
	hook_finish(&hook);
	end(pid);
}

static bool make_certificate(char *dir)
{
	char key[64], certificate[64];
	const char *const words[] = {"openssl",
				     "req",
				     "-x509",
				     "-newkey",
				     "ec",
				     "-pkeyopt",
				     "ec_paramgen_curve:prime256v1",
				     "-nodes",
				     "-subj",
				     "/CN=test",
				     "-addext",
				     "subjectAltName=IP:127.0.0.1",
				     "-days",
				     "2",
				     "-keyout",
				     key,
				     "-out",
				     certificate,
				     NULL};
	int status;

	snprintf(key, sizeof(key), "%s/key.pem", dir);
	snprintf(certificate, sizeof(certificate), "%s/cert.pem", dir);
	pid_t pid = run(words);

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void remove_certificate(const char *dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/key.pem", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/cert.pem", dir);
	unlink(path);
	rmdir(dir);
}

static void test_tls_offers_http2_and_checks_the_certificate(void **state)
{
	char dir[] = "/tmp/webhook-XXXXXX", ca_file[64], url[64], error[256];
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	assert_non_null(mkdtemp(dir));
	snprintf(ca_file, sizeof(ca_file), "%s/cert.pem", dir);
	hook.options.ca_file = ca_file;
	pid_t pid = make_certificate(dir) ? nghttpd_start(&hook, dir) : -1;

	if (pid < 0) {
		print_message(
			"skipped: no nghttpd or no openssl (Debian: nghttp2-server openssl)\n");
		remove_certificate(dir);
		hook_finish(&hook);
		skip();
	}
	assert_http2_works(&hook, true);

	/* The same server under a name that its certificate does not have. */
	snprintf(url, sizeof(url), "https://localhost%s", strrchr(hook.url, ':'));
	webhook_destroy(&hook.webhook, 0);
	hook.options.url = url;
	assert_int_equal(webhook_create(&hook.options, &hook.webhook, error, sizeof(error)), 0);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_TLS);
	assert_int_equal(call.call.attempts, 1); /* another try would not mend it */
	hook_finish(&hook);
	end(pid);
	remove_certificate(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thousand_calls_share_a_few_connections),
		cmocka_unit_test(test_thousand_calls_in_flight_at_once),
		cmocka_unit_test(test_places_and_queue_are_bounded),
		cmocka_unit_test(test_on_done_may_start_the_next_call),
		cmocka_unit_test(test_cancel_at_every_stage),
		cmocka_unit_test(test_cancel_races_with_the_end),
		cmocka_unit_test(test_yield_at_every_stage),
		cmocka_unit_test(test_breaker_opens_probes_and_closes),
		cmocka_unit_test(test_one_probe_at_a_time_while_half_open),
		cmocka_unit_test(test_open_breaker_ends_retries),
		cmocka_unit_test(test_budget_limits_a_storm_of_retries),
		cmocka_unit_test(test_destroy_cancels_what_is_under_way),
		cmocka_unit_test(test_destroy_waits_for_calls_to_end),
		cmocka_unit_test(test_calls_started_by_many_threads_all_end),
		cmocka_unit_test(test_idle_webhook_ends_at_once),
		cmocka_unit_test(test_http2_with_prior_knowledge),
		cmocka_unit_test(test_tls_offers_http2_and_checks_the_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
