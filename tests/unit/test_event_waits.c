/* SPDX-License-Identifier: Apache-2.0
 * test_event_waits.c - how old the oldest event is. */
#include "unit.h"

#include <pthread.h>

#include "route/event_waits.h"

static void test_the_oldest_of_a_queue(void **state)
{
	(void)state;
	struct event_waits waits = {0};
	struct event_wait first, second, third;

	assert_int_equal(event_waits_oldest_ns(&waits), 0);
	event_waits_add(&waits, &first, 100, false);
	event_waits_add(&waits, &second, 200, false);
	event_waits_add(&waits, &third, 300, false);
	assert_int_equal(event_waits_oldest_ns(&waits), 100);
	event_waits_remove(&waits, &second);
	assert_int_equal(event_waits_oldest_ns(&waits), 100);
	event_waits_remove(&waits, &first);
	assert_int_equal(event_waits_oldest_ns(&waits), 300);
	event_waits_remove(&waits, &third);
	assert_int_equal(event_waits_oldest_ns(&waits), 0);
}

/* They come in the order of their clients. */
static void test_those_from_another_process(void **state)
{
	(void)state;
	struct event_waits waits = {0};
	struct event_wait late, early, own;

	event_waits_add(&waits, &late, 500, true);
	event_waits_add(&waits, &early, 100, true);
	event_waits_add(&waits, &own, 900, false);
	assert_int_equal(event_waits_oldest_ns(&waits), 100);
	event_waits_remove(&waits, &early);
	assert_int_equal(event_waits_oldest_ns(&waits), 100); /* at least one of them waits */
	event_waits_remove(&waits, &late);
	assert_int_equal(event_waits_oldest_ns(&waits), 900);
	event_waits_remove(&waits, &own);
	event_waits_add(&waits, &late, 700, true);
	assert_int_equal(event_waits_oldest_ns(&waits), 700);
	event_waits_remove(&waits, &late);
}

#define PER_THREAD 20000

static void *work(void *arg)
{
	struct event_waits *waits = arg;
	struct event_wait window[8];

	for (size_t i = 0; i < PER_THREAD; i++) {
		if (i >= ARRAY_LEN(window))
			event_waits_remove(waits, &window[i % ARRAY_LEN(window)]);
		event_waits_add(waits, &window[i % ARRAY_LEN(window)], 1000 + i, i % 3 == 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(window); i++)
		event_waits_remove(waits, &window[i]);
	return NULL;
}

static void test_many_threads(void **state)
{
	(void)state;
	struct event_waits waits = {0};
	pthread_t threads[2 * EVENT_WAITS_SHARDS + 1]; /* more than one in a shard */

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, &waits), 0);
	for (size_t i = 0; i < 100; i++) {
		uint64_t oldest_ns = event_waits_oldest_ns(&waits);

		assert_true(oldest_ns == 0 || (oldest_ns >= 1000 && oldest_ns < 1000 + PER_THREAD));
	}
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(event_waits_oldest_ns(&waits), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_of_a_queue),
		cmocka_unit_test(test_those_from_another_process),
		cmocka_unit_test(test_many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
