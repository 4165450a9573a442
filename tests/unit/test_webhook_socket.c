/* SPDX-License-Identifier: Apache-2.0
 * A webhook that gets no socket: that is not the back end's fault. */
#include "webhook_unit.h"

#include <fcntl.h>
#include <sys/resource.h>

#define NOFILE    256
#define WITHIN_MS 5000

static int fillers[NOFILE];
static size_t filler_count;

/* Takes every descriptor that the limit leaves. */
static void fill(void)
{
	const struct rlimit limit = {NOFILE, NOFILE};
	int fd;

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		fillers[filler_count++] = fd;
	assert_int_equal(errno, EMFILE);
}

static void spill(void)
{
	while (filler_count > 0)
		close(fillers[--filler_count]);
}

/* A peer that closes each connection, so that each request wants a socket of its own. */
static void socket_hook_open(struct hook *hook, uint32_t retries)
{
	static const struct server_step step = {
		"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n", SERVER_CLOSE};

	hook_init(hook);
	hook->options.retries = retries;
	hook->options.breaker_failures = 1;
	hook->options.retry_budget_percent = 0;
	hook->options.retry_burst = 0;
	hook_open(hook, &step, 1);
}

static void test_no_descriptor_is_no_fault_of_the_back_end(void **state)
{
	struct hook hook;
	struct hook_call call;

	(void)state;
	socket_hook_open(&hook, 2);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	SERVER_WAIT(hook.server, gone, 1);
	fill();
	hook_call(&hook, &call);
	spill();
	assert_int_equal(call.call.outcome, WEBHOOK_FAILED);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_NO_SOCKET);
	assert_int_equal(call.call.attempts, 3); /* without a budget: nobody has seen them */
	assert_non_null(strstr(call.call.error, "nofile; 256 allowed"));
	assert_int_equal(hook_stats(&hook).failures[WEBHOOK_CAUSE_NO_SOCKET], 3);
	assert_int_equal(hook_stats(&hook).breaker_opens, 0);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_int_equal(SERVER_READ(hook.server, requests), 2);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* Names are looked up through descriptors too. */
static void test_no_descriptor_for_a_name(void **state)
{
	struct hook hook;
	struct hook_call call;
	char error[256];

	(void)state;
	hook_init(&hook);
	hook.options.url = "http://gatehouse-test.invalid/";
	hook.options.connect_timeout_ms = 5000; /* where nobody answers for names */
	assert_int_equal(webhook_create(&hook.options, &hook.webhook, error, sizeof(error)), 0);
	hook_call_init(&hook, &call);
	fill();
	hook_call(&hook, &call);
	spill();
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_NO_SOCKET);
	hook_call(&hook, &call);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_CONNECT);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

static void test_a_back_end_that_is_down_is_still_that(void **state)
{
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.breaker_failures = 1;
	hook.server = server_bind(NULL, 0);
	hook_open_port(&hook, "http", hook.server->port);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.cause, WEBHOOK_CAUSE_CONNECT);
	assert_int_equal(hook_stats(&hook).breaker_opens, 1);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_back_end_that_is_down_is_still_that),
		cmocka_unit_test(test_no_descriptor_is_no_fault_of_the_back_end),
		cmocka_unit_test(test_no_descriptor_for_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
