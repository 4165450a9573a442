/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "bench/client/bench_receipt.h"

/* A copy of exactly its size, so that a sanitizer sees any read past the end. */
static bool read_copy(const char *text, struct bench_stamp *out_stamp)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, text, len);
	bool is_read = bench_stamp_read(slice_of(copy, len), out_stamp);

	free(copy);
	return is_read;
}

static void test_whole_stamps_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t number, sent_ns;
	} rows[] = {
		{"gh1 0 0", 0, 0},
		{"gh1 1 1795473251748000000", 1, UINT64_C(1795473251748000000)},
		{"gh1 7 12 and more", 7, 12},
		{"gh1 7 12\"}", 7, 12},
		{"{\"stamp\": \"gh1 42 1000\"}", 42, 1000},
		{"gh1 9999999999999999999 9999999999999999999", UINT64_C(9999999999999999999),
		 UINT64_C(9999999999999999999)},
		{"............................................................gh1 3 4", 3, 4},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_stamp stamp = {0};

		ASSERT_ROW(read_copy(rows[i].text, &stamp), rows[i].text);
		ASSERT_ROW(stamp.number == rows[i].number, rows[i].text);
		ASSERT_ROW(stamp.sent_ns == rows[i].sent_ns, rows[i].text);
	}
}

static void test_what_is_no_whole_stamp_is_none(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"g",
		"gh1",
		"gh1 ",
		"gh1 5",
		"gh1 5 ",
		"gh1 5 x",
		"gh1  5 6",
		"gh1 5  6",
		"gh1 -5 6",
		"gh2 5 6",
		"gh1 5,6",
		"gh1 10000000000000000000 6",
		"gh1 6 10000000000000000000",
		".............................................................gh1 3 4",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_stamp stamp = {98, 99};

		ASSERT_ROW(!read_copy(rows[i], &stamp), rows[i]);
		ASSERT_ROW(stamp.number == 98 && stamp.sent_ns == 99, rows[i]);
	}
}

#define ROW_MAX 6

static void test_order_is_judged_number_by_number(void **state)
{
	(void)state;
	enum { N = BENCH_RECEIPT_NEXT, L = BENCH_RECEIPT_LATE, R = BENCH_RECEIPT_REPEATED };
	static const struct {
		const char *name;
		size_t count;
		uint64_t numbers[ROW_MAX];
		int orders[ROW_MAX];
		uint64_t skipped[ROW_MAX];
	} rows[] = {
		{"in order", 3, {1, 2, 3}, {N, N, N}, {0}},
		{"begins anywhere", 3, {500, 501, 502}, {N, N, N}, {0}},
		{"begins at 0", 2, {0, 1}, {N, N}, {0}},
		{"a gap", 3, {1, 5, 6}, {N, N, N}, {0, 3, 0}},
		{"two changed places", 4, {1, 3, 2, 4}, {N, N, L, N}, {0, 1, 0, 0}},
		{"late comes twice", 4, {1, 3, 2, 2}, {N, N, L, R}, {0, 1, 0, 0}},
		{"the last again", 3, {1, 2, 2}, {N, N, R}, {0}},
		{"an old one again", 4, {1, 2, 3, 1}, {N, N, N, R}, {0}},
		{"before the first", 3, {10, 9, 11}, {N, R, N}, {0}},
		{"a gap as wide as the window", 3, {0, 64, 1}, {N, N, L}, {0, 63, 0}},
		{"late at the window's edge", 3, {0, 64, 0}, {N, N, R}, {0, 63, 0}},
		{"late behind the window", 4, {0, 66, 2, 3}, {N, N, R, L}, {0, 65, 0, 0}},
		{"a gap wider than a word", 3, {1, 1000000, 999999}, {N, N, L}, {0, 999998, 0}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_receipt receipt = {0};

		for (size_t k = 0; k < rows[i].count; k++) {
			uint64_t skipped = 99;
			int order = bench_receipt_take(&receipt, rows[i].numbers[k], &skipped);

			ASSERT_ROW(order == rows[i].orders[k], rows[i].name);
			ASSERT_ROW(skipped == rows[i].skipped[k], rows[i].name);
		}
	}
}

/* A receipt that has begun knows that the numbers begin at 0. */
static void test_counts_of_a_client_that_gets_all_twice(void **state)
{
	(void)state;
	struct bench_receipt receipt = {.has_begun = true};
	struct bench_counters counters = {0};

	assert_true(bench_receipt_count(&receipt, 2, &counters));
	assert_int_equal(counters.missing, 2);
	assert_true(bench_receipt_count(&receipt, 0, &counters));
	assert_true(bench_receipt_count(&receipt, 1, &counters));
	assert_int_equal(counters.missing, 0);
	assert_int_equal(counters.late, 2);
	for (uint64_t i = 0; i < 3; i++)
		assert_false(bench_receipt_count(&receipt, i, &counters));
	assert_int_equal(counters.repeated, 3);
	assert_int_equal(counters.late, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_stamps_are_read),
		cmocka_unit_test(test_what_is_no_whole_stamp_is_none),
		cmocka_unit_test(test_order_is_judged_number_by_number),
		cmocka_unit_test(test_counts_of_a_client_that_gets_all_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
