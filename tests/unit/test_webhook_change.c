/* SPDX-License-Identifier: Apache-2.0
 * test_webhook_change.c - a webhook takes over other options while it works: what begins then has
 * them, what is under way ends as it began. */
#include "webhook_unit.h"

static void change(struct hook *hook)
{
	struct webhook_change *change = NULL;
	char error[320];

	if (webhook_change_prepare(&hook->options, &change, error, sizeof(error)) < 0)
		fail_msg("webhook_change_prepare: %s", error);
	webhook_change_apply(hook->webhook, &change);
	assert_null(change);
}

/* From now on it is about another server. */
static struct server *move_to(struct hook *hook, const struct server_step *steps, size_t count)
{
	struct server *other = server_start(steps, count);

	snprintf(hook->url, sizeof(hook->url), "http://127.0.0.1:%u/other", other->port);
	change(hook);
	return other;
}

static void test_the_next_call_goes_elsewhere(void **state)
{
	static const struct server_step here[] = {{SERVER_OK}};
	static const struct server_step there[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nthere"}};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, here, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_true(slice_equals(buf_slice(&call.call.response), SLICE_LITERAL("ok")));
	struct server *other = move_to(&hook, there, 1);

	for (unsigned i = 0; i < 3; i++) {
		hook_call(&hook, &call);
		assert_int_equal(call.call.outcome, WEBHOOK_OK);
		assert_true(slice_equals(buf_slice(&call.call.response), SLICE_LITERAL("there")));
	}
	webhook_call_release(&call.call);
	hook_finish(&hook);
	server_stop(other);
}

static void test_what_is_not_good_changes_nothing(void **state)
{
	static const struct server_step here[] = {{SERVER_OK}};
	struct webhook_change *none = NULL;
	struct hook hook;
	struct hook_call call;
	char error[320];

	(void)state;
	hook_init(&hook);
	hook_open(&hook, here, 1);
	hook.options.url = "ftp://h/";
	assert_int_equal(webhook_change_prepare(&hook.options, &none, error, sizeof(error)),
			 -EINVAL);
	assert_non_null(strstr(error, "ftp"));
	assert_null(none);
	hook.options.url = hook.url;
	assert_int_equal(webhook_change_prepare(&hook.options, &none, error, sizeof(error)), 0);
	webhook_change_discard(&none);
	webhook_change_discard(&none);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* Its attempt waits for an answer that comes late; the next one is made by the new options. */
static void test_what_is_under_way_ends_as_it_began(void **state)
{
	static const struct server_step late[] = {
		{"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", SERVER_GATE}};
	static const struct server_step there[] = {{SERVER_OK}};
	struct hook hook;
	struct hook_call call, next;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 1;
	hook_open(&hook, late, 1);
	hook_call_init(&hook, &call);
	hook_start(&hook, &call);
	SERVER_WAIT(hook.server, active, 1);
	struct server *other = move_to(&hook, there, 1);

	assert_int_equal(call.done, 0);
	hook_call_init(&hook, &next);
	hook_call(&hook, &next);
	assert_int_equal(next.call.outcome, WEBHOOK_OK);
	assert_int_equal(call.done, 0);
	server_open_gate(hook.server);
	RUN_UNTIL(&hook.io, call.done == 1);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_int_equal(call.call.attempts, 2);
	webhook_call_release(&call.call);
	webhook_call_release(&next.call);
	hook_finish(&hook);
	server_stop(other);
}

static void test_the_breaker_is_of_the_url(void **state)
{
	static const struct server_step ill[] = {{"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"}};
	static const struct server_step well[] = {{SERVER_OK}};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.breaker_failures = 1;
	hook.options.breaker_open_ms = 3600000;
	hook_open(&hook, ill, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OPEN);
	change(&hook); /* the same one is as ill as before */
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OPEN);
	struct server *other = move_to(&hook, well, 1);

	assert_int_equal(hook_stats(&hook).breaker_state, WEBHOOK_BREAKER_CLOSED);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	webhook_call_release(&call.call);
	hook_finish(&hook);
	server_stop(other);
}

/* More places: who waits for one gets it. */
static void test_more_places_are_taken_at_once(void **state)
{
	static const struct server_step silent[] = {{"", SERVER_HANG}};
	struct hook hook;
	struct hook_call calls[3];

	(void)state;
	hook_init(&hook);
	hook.options.max_in_flight = 1;
	hook_open(&hook, silent, 1);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		hook_call_init(&hook, &calls[i]);
		hook_start(&hook, &calls[i]);
	}
	SPIN_UNTIL(&hook.io, hook_stats(&hook).in_flight == 1);
	hook.options.max_in_flight = 3;
	change(&hook);
	SPIN_UNTIL(&hook.io, hook_stats(&hook).in_flight == 3);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		webhook_cancel(&calls[i].call);
	RUN_UNTIL(&hook.io, hook.done == 3);
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		webhook_call_release(&calls[i].call);
	hook_finish(&hook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_next_call_goes_elsewhere),
		cmocka_unit_test(test_what_is_not_good_changes_nothing),
		cmocka_unit_test(test_what_is_under_way_ends_as_it_began),
		cmocka_unit_test(test_the_breaker_is_of_the_url),
		cmocka_unit_test(test_more_places_are_taken_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
