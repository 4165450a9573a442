/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "bench/judge/bench_series.h"

/* --- latencies --- */

static void test_buckets_hold_every_value_to_a_32nd(void **state)
{
	(void)state;
	for (unsigned bit = BENCH_LATENCY_LOW_BITS; bit < BENCH_LATENCY_TOP_BITS; bit++) {
		for (uint64_t step = 0; step < 7; step++) {
			uint64_t ns = (UINT64_C(1) << bit) + (step << bit) / 7;
			struct bench_latency_counts counts = {0};

			counts.buckets[bench_latency_bucket(ns)] = 1;
			uint64_t max_ns = bench_latency_quantiles(&counts).max_ns;

			assert_in_range(max_ns, ns, ns + ns / 32);
		}
	}
}

static void test_values_outside_count_at_the_edges(void **state)
{
	(void)state;
	assert_int_equal(bench_latency_bucket(0), 0);
	assert_int_equal(bench_latency_bucket(1023), 0);
	assert_int_equal(bench_latency_bucket(1024), 1);
	assert_int_equal(bench_latency_bucket((UINT64_C(1) << 40) - 1), BENCH_LATENCY_BUCKETS - 1);
	assert_int_equal(bench_latency_bucket(UINT64_MAX), BENCH_LATENCY_BUCKETS - 1);
}

static void test_quantiles_of_a_known_distribution(void **state)
{
	(void)state;
	static struct bench_latency latency;
	struct bench_latency_counts counts = {0};

	for (uint64_t ms = 1; ms <= 1000; ms++)
		bench_latency_record(&latency, ms * NS_PER_MS);
	bench_latency_add(&counts, &latency);
	struct bench_quantiles got = bench_latency_quantiles(&counts);

	assert_int_equal(got.count, 1000);
	assert_in_range(got.p50_ns, 500 * NS_PER_MS, 516 * NS_PER_MS);
	assert_in_range(got.p90_ns, 900 * NS_PER_MS, 929 * NS_PER_MS);
	assert_in_range(got.p99_ns, 990 * NS_PER_MS, 1021 * NS_PER_MS);
	assert_in_range(got.max_ns, 1000 * NS_PER_MS, 1032 * NS_PER_MS);
}

static void test_no_values_are_all_zero(void **state)
{
	(void)state;
	static const struct bench_latency_counts none;
	struct bench_quantiles got = bench_latency_quantiles(&none);

	assert_true(got.count == 0 && got.p50_ns == 0 && got.p99_ns == 0 && got.max_ns == 0);
}

/* --- series --- */

struct series_test {
	struct bench_series series;
	struct bench_recorder recorder;
	struct bench_sample sample;
};

static struct series_test *series_test(void)
{
	struct series_test *test = calloc(1, sizeof(*test));

	assert_non_null(test);
	bench_recorder_init(&test->recorder, &test->series, 1);
	return test;
}

/* `count` more echoes that took `ms`. */
static void echo(struct series_test *test, uint64_t count, uint64_t ms)
{
	test->sample.echo.buckets[bench_latency_bucket(ms * NS_PER_MS)] += count;
}

/* A second passes. */
static void tick(struct series_test *test)
{
	test->sample.at_s += 1;
	bench_recorder_add(&test->recorder, &test->sample);
}

static void test_a_point_has_its_own_interval_only(void **state)
{
	(void)state;
	struct series_test *test = series_test();
	const struct bench_point *points = test->series.points;

	echo(test, 100, 1);
	test->sample.cpu_s = 0.5;
	tick(test);
	echo(test, 10, 800);
	test->sample.totals.received = 110;
	test->sample.cpu_s = 1.75;
	tick(test);
	tick(test);
	assert_int_equal(test->series.count, 3);
	assert_int_equal(points[0].echo.count, 100);
	assert_true(points[0].echo.max_ns < 2 * NS_PER_MS);
	assert_true(points[0].cpu > 0.49 && points[0].cpu < 0.51);
	assert_int_equal(points[1].echo.count, 10);
	assert_true(points[1].echo.p50_ns >= 800 * NS_PER_MS);
	assert_int_equal(points[1].totals.received, 110);
	assert_true(points[1].cpu > 1.24 && points[1].cpu < 1.26);
	assert_int_equal(points[2].echo.count, 0);
	assert_int_equal(points[2].handshake.count, 0);
	free(test);
}

static void test_series_keeps_its_span_in_fixed_room(void **state)
{
	(void)state;
	struct series_test *test = series_test();

	for (uint64_t i = 1; i <= 5000; i++) {
		test->sample.totals.connected = i;
		tick(test);
	}
	assert_in_range(test->series.count, BENCH_SERIES_MAX / 2, BENCH_SERIES_MAX - 1);
	for (unsigned i = 0; i < test->series.count; i++) {
		uint64_t at = (uint64_t)((i + 1) * test->series.interval_s);

		assert_int_equal(test->series.points[i].totals.connected, at);
		assert_int_equal((uint64_t)test->series.points[i].at_s, at);
	}
	free(test);
}

/* 95 fast echoes in one second and 5 slow ones in the next: their common p50 is fast
 * and their p99 slow, which no arithmetic on the two seconds' percentiles gives. */
static void test_merged_intervals_have_the_quantiles_of_all_values(void **state)
{
	(void)state;
	struct series_test *test = series_test();

	for (unsigned i = 0; i < BENCH_SERIES_MAX; i++) {
		echo(test, i % 2 == 0 ? 95 : 5, i % 2 == 0 ? 1 : 800);
		test->sample.cpu_s += i % 2 == 0 ? 0.2 : 0.6;
		tick(test);
	}
	assert_int_equal(test->series.count, BENCH_SERIES_MAX / 2);
	for (unsigned i = 0; i < test->series.count; i++) {
		const struct bench_point *point = &test->series.points[i];

		assert_int_equal(point->echo.count, 100);
		assert_true(point->echo.p90_ns < 2 * NS_PER_MS);
		assert_true(point->echo.p99_ns >= 800 * NS_PER_MS);
		assert_true(point->cpu > 0.39 && point->cpu < 0.41);
	}
	free(test);
}

static void test_the_end_is_a_point_however_short(void **state)
{
	(void)state;
	struct series_test *test = series_test();

	test->sample.at_s = 0.25;
	test->sample.cpu_s = 0.1;
	test->sample.totals.connected = 7;
	bench_recorder_mark(&test->recorder, &test->sample);
	assert_int_equal(test->series.count, 1);
	assert_int_equal(test->series.points[0].totals.connected, 7);
	assert_true(test->series.points[0].cpu > 0.39 && test->series.points[0].cpu < 0.41);
	free(test);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_hold_every_value_to_a_32nd),
		cmocka_unit_test(test_values_outside_count_at_the_edges),
		cmocka_unit_test(test_quantiles_of_a_known_distribution),
		cmocka_unit_test(test_no_values_are_all_zero),
		cmocka_unit_test(test_a_point_has_its_own_interval_only),
		cmocka_unit_test(test_series_keeps_its_span_in_fixed_room),
		cmocka_unit_test(test_merged_intervals_have_the_quantiles_of_all_values),
		cmocka_unit_test(test_the_end_is_a_point_however_short),
	};

	return cmocka_run_group_tests_name("bench_series", tests, NULL, NULL);
}
