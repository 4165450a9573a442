/* SPDX-License-Identifier: Apache-2.0
 * test_stats.c - counters of a worker. */
#include "unit.h"

#include "conn/stats.h"

#define FIELDS (sizeof(struct stats) / sizeof(uint64_t))

/* The n-th number is base * (n + 1). */
static struct stats numbered(uint64_t base)
{
	uint64_t values[FIELDS];
	struct stats stats;

	for (size_t i = 0; i < FIELDS; i++)
		values[i] = base * (i + 1);
	memcpy(&stats, values, sizeof(stats));
	return stats;
}

static void test_merge_adds_every_field(void **state)
{
	(void)state;
	struct stats sum = {0};
	struct stats first = numbered(1), second = numbered(1000), want = numbered(1001);

	stats_merge(&sum, &first);
	assert_memory_equal(&sum, &first, sizeof(sum));
	stats_merge(&sum, &second);
	assert_memory_equal(&sum, &want, sizeof(sum));
}

static void test_a_gauge_goes_down_to_nothing(void **state)
{
	(void)state;
	struct stats stats = {0};

	stat_add(&stats.connections, 3);
	stat_sub(&stats.connections, 1);
	assert_int_equal(stats.connections, 2);
	stat_sub(&stats.connections, 2);
	assert_int_equal(stats.connections, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_adds_every_field),
		cmocka_unit_test(test_a_gauge_goes_down_to_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
