/* SPDX-License-Identifier: Apache-2.0
 * test_accept_rate.c - connections per second, by a made-up clock and by many threads. */
#include "unit.h"

#include <pthread.h>

#include "base/clock.h"
#include "conn/accept_rate.h"

#define START_NS (1000 * NS_PER_S)

static unsigned take_all(struct accept_rate *limit, uint64_t now_ns, uint64_t *out_wait_ns)
{
	unsigned count = 0;

	while (count < 100000 && accept_rate_take(limit, now_ns, out_wait_ns))
		count++;
	return count;
}

static void test_burst_then_rate(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t rate, burst;
		unsigned at_once, after_a_second;
	} rows[] = {
		{"burst defaults to a second's worth", 100, 0, 100, 100},
		{"a small burst", 1000, 10, 10, 10},
		{"one by one", 50, 1, 1, 1},
		{"a large burst fills at the rate", 10, 1000, 1000, 10},
		{"one per second", 1, 0, 1, 1},
		{"fastest", 1000000, 5, 5, 5},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct accept_rate limit;
		uint64_t wait_ns = 0;

		accept_rate_init(&limit, rows[i].rate, rows[i].burst);
		ASSERT_ROW(take_all(&limit, START_NS, &wait_ns) == rows[i].at_once, rows[i].name);
		ASSERT_ROW(wait_ns == NS_PER_S / rows[i].rate, rows[i].name);
		ASSERT_ROW(!accept_rate_take(&limit, START_NS + wait_ns - 1, &wait_ns),
			   rows[i].name);
		ASSERT_ROW(wait_ns == 1, rows[i].name);
		ASSERT_ROW(take_all(&limit, START_NS + NS_PER_S, &wait_ns) ==
				   rows[i].after_a_second,
			   rows[i].name);
	}
}

/* Nobody is forgiven by going to the next process, unless that allows fewer at once. */
static void test_the_next_process_goes_on(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t rate, burst, later_ns;
		unsigned more;
	} rows[] = {
		{"the same", 100, 100, 0, 0},
		{"half a second later", 100, 100, NS_PER_S / 2, 50},
		{"long after", 100, 100, 100 * NS_PER_S, 100},
		{"a larger burst", 100, 150, 0, 50},
		{"a smaller burst", 100, 10, NS_PER_S / 10, 0},
		{"no limit", 0, 0, 0, 100000},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct accept_rate before, after;
		uint64_t now_ns = START_NS + rows[i].later_ns, wait_ns = 0;

		accept_rate_init(&before, 100, 100);
		accept_rate_init(&after, rows[i].rate, rows[i].burst);
		assert_int_equal(take_all(&before, START_NS, &wait_ns), 100);
		accept_rate_import(&after, accept_rate_export(&before), now_ns);
		ASSERT_ROW(take_all(&after, now_ns, &wait_ns) == rows[i].more, rows[i].name);
		ASSERT_ROW(wait_ns <= NS_PER_S / 100, rows[i].name);
	}
}

static void test_zero_is_no_limit(void **state)
{
	(void)state;
	struct accept_rate limit;
	uint64_t wait_ns = 7;

	accept_rate_init(&limit, 0, 0);
	assert_int_equal(take_all(&limit, START_NS, &wait_ns), 100000);
	assert_int_equal(wait_ns, 7);
}

/* Over an hour at ten times the rate, exactly the rate comes through. */
static void test_long_run_is_the_rate(void **state)
{
	(void)state;
	struct accept_rate limit;
	uint64_t wait_ns;
	unsigned taken = 0;

	accept_rate_init(&limit, 20, 5);
	for (uint64_t ms = 0; ms < 3600 * 1000; ms += 5)
		taken += accept_rate_take(&limit, START_NS + ms * NS_PER_MS, &wait_ns);
	assert_int_equal(taken, 5 - 1 + 20 * 3600);
}

/* What was let in by one rate keeps nobody out for long by another. */
static void test_the_rate_changes(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t rate, burst;
		unsigned at_once, after_a_second;
	} rows[] = {
		{"faster", 1000, 1000, 0, 1000},
		{"slower, and less at once", 1, 1, 0, 1},
		{"more at once", 1, 2000, 1000, 1},
		{"none", 0, 0, 100000, 100000},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct accept_rate limit;
		uint64_t wait_ns;

		accept_rate_init(&limit, 1, 1000);
		ASSERT_ROW(take_all(&limit, START_NS, &wait_ns) == 1000, rows[i].name);
		accept_rate_set(&limit, rows[i].rate, rows[i].burst, START_NS);
		ASSERT_ROW(take_all(&limit, START_NS, &wait_ns) == rows[i].at_once, rows[i].name);
		ASSERT_ROW(take_all(&limit, START_NS + NS_PER_S, &wait_ns) ==
				   rows[i].after_a_second,
			   rows[i].name);
	}
}

/* There was no limit. */
static void test_the_rate_is_switched_on(void **state)
{
	(void)state;
	struct accept_rate limit;
	uint64_t wait_ns;

	accept_rate_init(&limit, 0, 0);
	take_all(&limit, START_NS, &wait_ns);
	accept_rate_set(&limit, 10, 3, START_NS);
	assert_int_equal(take_all(&limit, START_NS, &wait_ns), 3);
}

#define THREADS 8

static struct accept_rate raced;

static void *race(void *arg)
{
	unsigned *taken = arg;
	uint64_t wait_ns;

	for (unsigned i = 0; i < 20000; i++)
		*taken += accept_rate_take(&raced, START_NS, &wait_ns);
	return NULL;
}

static void test_threads_share_one_bucket(void **state)
{
	(void)state;
	pthread_t threads[THREADS];
	unsigned taken[THREADS] = {0};
	unsigned sum = 0;

	accept_rate_init(&raced, 1000, 5000);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, race, &taken[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += taken[i];
	}
	assert_int_equal(sum, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_the_next_process_goes_on),
		cmocka_unit_test(test_zero_is_no_limit),
		cmocka_unit_test(test_long_run_is_the_rate),
		cmocka_unit_test(test_the_rate_changes),
		cmocka_unit_test(test_the_rate_is_switched_on),
		cmocka_unit_test(test_threads_share_one_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
