/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench/judge/bench_expect.h"

/* 10,000 asked for, 9,990 connected and held, 10 refused; 200 messages, 199 echoes. */
static void fill(struct bench_result *result)
{
	static const struct slice nothing;

	result->wanted = 10000;
	result->totals = (struct bench_totals){.started = 10000,
					       .connected = 9990,
					       .failed = 10,
					       .held = 9990,
					       .closed_cleanly = 9990,
					       .sent = 200,
					       .received = 199,
					       .unstamped = 19,
					       .missing = 3,
					       .late = 2,
					       .disconnected = 500,
					       .reconnected = 499,
					       .away = 1};
	result->pushed = 2;
	for (unsigned i = 0; i < 7; i++)
		bench_causes_add(&result->causes, BENCH_CAUSE_HTTP, 503, nothing, nothing, i, 0);
	for (unsigned i = 0; i < 3; i++)
		bench_causes_add(&result->causes, BENCH_CAUSE_HTTP, 404, nothing, nothing, i, 0);
	for (uint64_t i = 1; i <= 100; i++)
		hist_record(&result->echo, i * NS_PER_MS);
	hist_record(&result->handshake, 2 * NS_PER_S);
}

static void test_thresholds_against_a_result(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_met;
		const char *seen;
	} rows[] = {
		{"connected==100%", false, "99.9% (9990 of 10000)"},
		{"connected>=99.9%", true, "99.9% (9990 of 10000)"},
		{"connected > 99.9 %", false, "99.9% (9990 of 10000)"},
		{"held>=9990", true, "9990"},
		{"held>9990", false, "9990"},
		{"failed<=10", true, "10"},
		{"failed<10", false, "10"},
		{"failed!=10", false, "10"},
		{"failed!=11", true, "10"},
		{"refused==0", false, "10"},
		{"refused==10", true, "10"},
		{"dropped==0", true, "0"},
		{"dropped==0%", true, "0% (0 of 10000)"},
		{"closed_cleanly==9990", true, "9990"},
		{"messages>0", true, "200"},
		{"echoed==100%", false, "99.5% (199 of 200)"},
		{"echoed==99.5%", true, "99.5% (199 of 200)"},
		{"received==199", true, "199"},
		{"unstamped<10%", true, "9.54% (19 of 199)"},
		{"missing==0", false, "3"},
		{"late<=2", true, "2"},
		{"repeated==0", true, "0"},
		{"duplicates==0%", true, "0% (0 of 199)"},
		{"lost==0", false, "1"},
		{"lost<=0.5%", true, "0.5% (1 of 200)"},
		{"disconnected<=5%", true, "5% (500 of 10000)"},
		{"reconnected==500", false, "499"},
		{"away==0", false, "1"},
		{"pushed==2", true, "2"},
		{"delivered==199", true, "199"},
		{"delivered==100%", false, "0.99% (199 of 20000)"},
		{"comeback.max<30s", false, "nothing measured"},
		{"p50<60ms", true, NULL},
		{"p99<50ms", false, NULL},
		{"echo.max<=100ms", true, "100 ms"},
		{"echo.max<0.1s", false, "100 ms"},
		{"max<100001us", true, "100 ms"},
		{"handshake.p99<1s", false, "2.00 s"},
		{"handshake.max==2000000000ns", true, "2.00 s"},
		{"handshake.max<1m", true, "2.00 s"},
	};
	struct bench_result *result = calloc(1, sizeof(*result));

	fill(result);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_expect expect;
		struct bench_check check;
		char error[1024] = "";

		ASSERT_ROW(bench_expect_parse(rows[i].text, &expect, error, sizeof(error)) == 0,
			   rows[i].text);
		bench_expect_check(&expect, result, &check);
		ASSERT_ROW(check.is_met == rows[i].is_met, rows[i].text);
		ASSERT_ROW(rows[i].seen == NULL || strcmp(check.seen, rows[i].seen) == 0,
			   check.seen);
		ASSERT_ROW(strcmp(check.text, rows[i].text) == 0, rows[i].text);
	}
	free(result);
}

static void test_what_was_not_measured_meets_nothing(void **state)
{
	(void)state;
	static const char *const rows[] = {"p99<1m",           "p99>=0ns",     "p99!=5s",
					   "handshake.max<1m", "echoed==100%", "echoed>=0%",
					   "missing==0%"};
	struct bench_result *result = calloc(1, sizeof(*result));

	result->wanted = 5;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_expect expect;
		struct bench_check check;
		char error[1024];

		ASSERT_ROW(bench_expect_parse(rows[i], &expect, error, sizeof(error)) == 0,
			   rows[i]);
		bench_expect_check(&expect, result, &check);
		ASSERT_ROW(!check.is_met, rows[i]);
		ASSERT_ROW(check.seen[0] != 0, rows[i]);
	}
	free(result);
}

/* 99.999% must neither pass as 100% nor read like it. */
static void test_percent_is_exact(void **state)
{
	(void)state;
	struct bench_result *result = calloc(1, sizeof(*result));
	struct bench_expect expect;
	struct bench_check check;
	char error[1024];

	result->wanted = 16000000;
	result->totals.connected = 15999999;
	assert_int_equal(bench_expect_parse("connected==100%", &expect, error, sizeof(error)), 0);
	bench_expect_check(&expect, result, &check);
	assert_false(check.is_met);
	assert_string_equal(check.seen, "99.99% (15999999 of 16000000)");
	result->totals.connected++;
	bench_expect_check(&expect, result, &check);
	assert_true(check.is_met);
	free(result);
}

static void test_mistakes_are_explained(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *part;
	} rows[] = {
		{"", "does not begin with a metric"},
		{"==1", "does not begin with a metric"},
		{"conected==1", "did you mean connected?"},
		{"handshake.p9<1s", "did you mean handshake.p"},
		{"zebra==1", "Known are connected, failed"},
		{"Connected==1", "did you mean connected?"},
		{"connected", "nothing where one of =="},
		{"connected=1", "'=' where one of =="},
		{"connected===1", "'===' where one of =="},
		{"connected=>1", "'=>' where one of =="},
		{"connected==", "no number"},
		{"connected==ten", "no number"},
		{"connected==-1", "no number"},
		{"connected==.5", "no number"},
		{"connected==5.", "no number"},
		{"connected==1.2.3", "two points"},
		{"connected==12345678901234567", "at most 15 digits"},
		{"connected==1ms", "its number is plain or has a %"},
		{"connected==1%%", "its number is plain or has a %"},
		{"connected==1 % x", "behind its end"},
		{"connected==1,5", "behind its end"},
		{"p99<50", "needs a unit"},
		{"p99<50%", "needs a unit"},
		{"p99<5 days", "needs a unit"},
		{"p99<1e3ms", "behind its end"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_expect expect = {.metric = 77};
		char error[1024] = "";

		ASSERT_ROW(bench_expect_parse(rows[i].text, &expect, error, sizeof(error)) ==
				   -EINVAL,
			   rows[i].text);
		ASSERT_ROW(strstr(error, rows[i].part) != NULL, error);
		ASSERT_ROW(expect.metric == 77, "out parameter touched");
	}
}

static void test_length_is_bounded(void **state)
{
	(void)state;
	struct bench_expect expect;
	char error[1024];
	char text[BENCH_EXPECT_TEXT_MAX + 1];

	memset(text, ' ', sizeof(text));
	memcpy(text, "held==1", 7);
	text[BENCH_EXPECT_TEXT_MAX - 1] = 0;
	assert_int_equal(bench_expect_parse(text, &expect, error, sizeof(error)), 0);
	text[BENCH_EXPECT_TEXT_MAX - 1] = ' ';
	text[BENCH_EXPECT_TEXT_MAX] = 0;
	assert_int_equal(bench_expect_parse(text, &expect, error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "longer than 127"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds_against_a_result),
		cmocka_unit_test(test_what_was_not_measured_meets_nothing),
		cmocka_unit_test(test_percent_is_exact),
		cmocka_unit_test(test_mistakes_are_explained),
		cmocka_unit_test(test_length_is_bounded),
	};

	return cmocka_run_group_tests_name("bench_expect", tests, NULL, NULL);
}
