/* SPDX-License-Identifier: Apache-2.0
 * test_admission.c - max_connections, raced for by many threads. */
#include "unit.h"

#include <pthread.h>

#include "conn/admission.h"

#define THREADS 8
#define ROUNDS  20000
#define PLACES  5

static struct admission admission;
static uint64_t inside; /* atomic; counted by the threads themselves */
static uint64_t passed_max;

static void note_entry(void)
{
	uint64_t now = __atomic_add_fetch(&inside, 1, __ATOMIC_RELAXED);

	if (now > PLACES || admission_current(&admission) > PLACES)
		__atomic_store_n(&passed_max, now, __ATOMIC_RELAXED);
}

static void *enter_and_leave(void *arg)
{
	uint64_t *entries = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		if (!admission_enter(&admission))
			continue;
		note_entry();
		(*entries)++;
		/* Left here first: our own count must never be ahead of admission's. */
		__atomic_sub_fetch(&inside, 1, __ATOMIC_RELAXED);
		admission_leave(&admission);
	}
	return NULL;
}

static void *enter_only(void *arg)
{
	uint64_t *entries = arg;

	for (unsigned i = 0; i < ROUNDS; i++)
		*entries += admission_enter(&admission);
	return NULL;
}

/* Returns how often the threads were let in. */
static uint64_t race(void *(*run)(void *))
{
	pthread_t threads[THREADS];
	uint64_t entries[THREADS] = {0};
	uint64_t sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run, &entries[i]), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += entries[i];
	}
	return sum;
}

static void test_never_more_than_max_are_in(void **state)
{
	(void)state;
	admission = (struct admission){.max = PLACES};
	assert_true(race(enter_and_leave) >= PLACES);
	assert_int_equal(passed_max, 0);
	assert_int_equal(admission_current(&admission), 0);
}

static void test_exactly_max_are_let_in(void **state)
{
	(void)state;
	admission = (struct admission){.max = THREADS * ROUNDS / 2};
	assert_int_equal(race(enter_only), admission.max);
	assert_int_equal(admission_current(&admission), admission.max);
}

static void test_a_place_left_is_given_again(void **state)
{
	(void)state;
	struct admission one = {.max = 1};

	assert_true(admission_enter(&one));
	assert_false(admission_enter(&one));
	assert_int_equal(admission_current(&one), 1);
	admission_leave(&one);
	assert_int_equal(admission_current(&one), 0);
	assert_true(admission_enter(&one));
}

static void test_max_of_nothing_lets_nobody_in(void **state)
{
	(void)state;
	struct admission none = {0};

	assert_false(admission_enter(&none));
	assert_int_equal(admission_current(&none), 0);
}

/* Those of another process count, and nobody beyond them comes in. */
static void test_who_was_in_already_is_in(void **state)
{
	(void)state;
	struct admission one = {.max = 1};

	admission_import(&one);
	admission_import(&one);
	assert_int_equal(admission_current(&one), 2);
	admission_leave(&one);
	assert_false(admission_enter(&one));
	admission_leave(&one);
	assert_true(admission_enter(&one));
}

/* A limit that becomes less than what is in: they stay, and nobody comes in. */
static void test_the_limit_changes(void **state)
{
	(void)state;
	struct admission admission_of_three = {.max = 3};
	struct admission *it = &admission_of_three;

	for (int i = 0; i < 3; i++)
		assert_true(admission_enter(it));
	admission_set_max(it, 1);
	assert_int_equal(admission_max(it), 1);
	assert_int_equal(admission_current(it), 3);
	admission_leave(it);
	admission_leave(it);
	assert_false(admission_enter(it));
	admission_leave(it);
	assert_true(admission_enter(it));
	assert_false(admission_enter(it));
	admission_set_max(it, 2);
	assert_true(admission_enter(it));
	assert_false(admission_enter(it));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_never_more_than_max_are_in),
		cmocka_unit_test(test_exactly_max_are_let_in),
		cmocka_unit_test(test_a_place_left_is_given_again),
		cmocka_unit_test(test_max_of_nothing_lets_nobody_in),
		cmocka_unit_test(test_who_was_in_already_is_in),
		cmocka_unit_test(test_the_limit_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
