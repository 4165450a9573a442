/* SPDX-License-Identifier: Apache-2.0
 * fuzz_previous_page.c - the input as the page that the process before has left: what it counted is
 * added, and its last hour comes before ours; and what we would leave is read again as the same. */
#include "fuzz.h"

#include "admin/history.h"
#include "admin/metrics/metrics_before.h"
#include "base/metrics_text.h"

static const char page[] = "# TYPE a_total counter\na_total 5\na_total{x=\"y z\"} 7\n"
			   "# TYPE g gauge\ng 3\n# TYPE h histogram\nh_sum 1.500000\nh_count 2\n";

static size_t rows_of(struct history *history)
{
	json_t *json = history_json(history);
	size_t count = json_array_size(json_object_get(json, "rows"));

	CHECK(json != NULL && count <= HISTORY_ROWS);
	json_decref(json);
	return count;
}

static void look_at_history(struct slice input)
{
	struct history *first = history_create(), *second = history_create();
	struct buf written = {0};

	history_take(first, input);
	history_write(first, &written);
	history_take(second, buf_slice(&written));
	CHECK(rows_of(first) == rows_of(second));
	history_take(first, input);
	rows_of(first);
	buf_finish(&written);
	history_destroy(&first);
	history_destroy(&second);
}

/* No line is lost, and none is made. */
static void look_at_counters(struct slice input)
{
	struct metrics_before *before = metrics_before_create();
	struct buf sum = {0};
	size_t lines = slice_count_lines(slice_from_text(page));

	metrics_before_take(before, input);
	PRINT(&sum, "%s", page);
	metrics_before_add(before, &sum);
	CHECK(slice_count_lines(buf_slice(&sum)) == lines);
	(void)metrics_before_count(before, "a_total");
	(void)metrics_before_sum(before, "a_total");
	buf_finish(&sum);
	metrics_before_destroy(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	look_at_history(slice_of(copy, size));
	look_at_counters(slice_of(copy, size));
	free(copy);
	return 0;
}
