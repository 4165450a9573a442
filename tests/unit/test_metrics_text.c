/* SPDX-License-Identifier: Apache-2.0
 * Samples of a table of numbers, with a label and without, and their rows of the reference. */
#include "unit.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/metrics_text.h"

struct counts {
	uint64_t first;
	char between[3];
	uint64_t second;
};

static const struct metrics_number numbers[] = {
	{"a_first_total", "counter", "First.", offsetof(struct counts, first)},
	{"a_second", "gauge", "Second.", offsetof(struct counts, second)},
};

static void page_is(struct buf *page, const char *want)
{
	assert_int_equal(buf_slice(page).len, strlen(want));
	assert_memory_equal(buf_slice(page).data, want, strlen(want));
	buf_finish(page);
}

static void test_numbers_of_one(void **state)
{
	struct counts counts = {.first = 7, .second = UINT64_MAX};
	struct buf page = {0};

	(void)state;
	metrics_print_numbers(&page, numbers, ARRAY_LEN(numbers), &counts);
	page_is(&page, "# HELP a_first_total First.\n"
		       "# TYPE a_first_total counter\n"
		       "a_first_total 7\n"
		       "# HELP a_second Second.\n"
		       "# TYPE a_second gauge\n"
		       "a_second 18446744073709551615\n");
}

static void test_number_of_several(void **state)
{
	struct counts here = {.second = 1}, there = {.second = 2};
	struct buf page = {0};

	(void)state;
	metrics_print_number_head(&page, &numbers[1]);
	metrics_print_number(&page, &numbers[1], "route", "here", &here);
	metrics_print_number(&page, &numbers[1], "route", "", &there);
	page_is(&page, "# HELP a_second Second.\n"
		       "# TYPE a_second gauge\n"
		       "a_second{route=\"here\"} 1\n"
		       "a_second{route=\"\"} 2\n");
}

static void test_rows_of_the_reference(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	(void)state;
	assert_non_null(to);
	metrics_print_number_rows(to, numbers, ARRAY_LEN(numbers));
	assert_int_equal(fclose(to), 0);
	assert_string_equal(text, "| `a_first_total` | counter | First. |\n"
				  "| `a_second` | gauge | Second. |\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_of_one),
		cmocka_unit_test(test_number_of_several),
		cmocka_unit_test(test_rows_of_the_reference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
