/* SPDX-License-Identifier: Apache-2.0
 * test_stats.c - counters of a worker: sums, and the histogram of handshakes. */
#include "unit.h"

#include "base/clock.h"
#include "server/stats.h"

#define FIELDS (sizeof(struct stats) / sizeof(uint64_t))

static const uint64_t edges_us[] = STATS_HANDSHAKE_EDGES_US;

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

/* The bucket of one handshake, and nothing else is counted. */
static size_t bucket_of(uint64_t duration_ns)
{
	struct stats stats = {0};
	size_t found = STATS_HANDSHAKE_BUCKETS;

	stats_record_handshake(&stats, duration_ns);
	assert_int_equal(stats.handshake_sum_us, duration_ns / NS_PER_US);
	for (size_t i = 0; i < STATS_HANDSHAKE_BUCKETS; i++) {
		if (stats.handshake_count[i] == 0)
			continue;
		assert_int_equal(stats.handshake_count[i], 1);
		assert_int_equal(found, STATS_HANDSHAKE_BUCKETS);
		found = i;
	}
	return found;
}

/* Prometheus: a bucket counts what is at most its edge. */
static void test_an_edge_belongs_to_its_bucket(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	for (size_t i = 0; i < ARRAY_LEN(edges_us); i++) {
		assert_int_equal(bucket_of((edges_us[i] - 1) * NS_PER_US), i);
		assert_int_equal(bucket_of(edges_us[i] * NS_PER_US), i);
		assert_int_equal(bucket_of((edges_us[i] + 1) * NS_PER_US), i + 1);
	}
	assert_int_equal(bucket_of(UINT64_MAX), STATS_HANDSHAKE_BUCKETS - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_adds_every_field),
		cmocka_unit_test(test_a_gauge_goes_down_to_nothing),
		cmocka_unit_test(test_an_edge_belongs_to_its_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
