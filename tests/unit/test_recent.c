/* SPDX-License-Identifier: Apache-2.0
 * test_recent.c - what took how long in the last minute. */
#include "unit.h"

#include "admin/recent.h"

static struct durations so_many(uint64_t count)
{
	return (struct durations){.count = {[3] = count}, .sum_us = 10 * count};
}

static uint64_t recently(struct recent *recent, const char *name, uint64_t count)
{
	struct durations counted = so_many(count);

	recent_cut(recent, name, &counted);
	assert_int_equal(counted.sum_us, 10 * counted.count[3]);
	return counted.count[3];
}

static void note(struct recent *recent, const char *name, uint64_t count, uint64_t now_ns)
{
	struct durations counted = so_many(count);

	recent_note(recent, name, &counted, now_ns);
}

static void test_what_is_older_is_cut(void **state)
{
	(void)state;
	struct recent *recent = recent_create();

	assert_int_equal(recently(recent, "a", 7), 7); /* nothing was noted */
	note(recent, "a", 5, 1);
	note(recent, "b", 1000, 1);
	assert_int_equal(recently(recent, "a", 7), 7);
	note(recent, "a", 10, 1 + RECENT_STEP_NS - 1); /* too soon for a step */
	note(recent, "a", 20, 1 + RECENT_STEP_NS);
	assert_int_equal(recently(recent, "a", 25), 25);
	note(recent, "a", 30, 1 + 2 * RECENT_STEP_NS);
	assert_int_equal(recently(recent, "a", 35), 15);
	note(recent, "a", 40, 1 + 3 * RECENT_STEP_NS);
	assert_int_equal(recently(recent, "a", 40), 10);
	assert_int_equal(recently(recent, "b", 1001), 1001);
	/* A back end of this name was taken out, and there is another one. */
	assert_int_equal(recently(recent, "a", 3), 0);
	recent_destroy(&recent);
	assert_null(recent);
	recent_destroy(&recent);
}

static void test_what_is_not_told_of_is_forgotten(void **state)
{
	(void)state;
	struct recent *recent = recent_create();

	for (uint64_t step = 1; step <= 3; step++)
		note(recent, "a", 10 * step, step * RECENT_STEP_NS);
	assert_int_equal(recently(recent, "a", 100), 80);
	recent_tick(recent, 7 * RECENT_STEP_NS);
	assert_int_equal(recently(recent, "a", 100), 80);
	recent_tick(recent, 7 * RECENT_STEP_NS + 1);
	assert_int_equal(recently(recent, "a", 100), 100);
	recent_destroy(&recent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_older_is_cut),
		cmocka_unit_test(test_what_is_not_told_of_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
