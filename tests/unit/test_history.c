/* SPDX-License-Identifier: Apache-2.0
 * test_history.c - the last hour, and how it goes from process to process. */
#include "unit.h"

#include "admin/history.h"
#include "base/clock.h"

#define STEP_NS (HISTORY_INTERVAL_MS * NS_PER_MS)

static struct history_row row_of(uint64_t at_ms, uint64_t accepted)
{
	return (struct history_row){
		{[HISTORY_AT] = at_ms, [HISTORY_CONNECTIONS] = 5, [HISTORY_ACCEPTED] = accepted}};
}

static void add(struct history *history, uint64_t at_ms, uint64_t accepted)
{
	struct history_row row = row_of(at_ms, accepted);

	history_add(history, &row, at_ms * NS_PER_MS);
}

static uint64_t number_at(json_t *history, size_t row, enum history_column column)
{
	json_t *rows = json_object_get(history, "rows");

	return (uint64_t)json_integer_value(json_array_get(json_array_get(rows, row), column));
}

/* Does it have rows of these times, with these of the column? */
static void assert_rows(struct history *history, enum history_column column, size_t count,
			const uint64_t (*wanted)[2])
{
	json_t *json = history_json(history);

	assert_int_equal(json_array_size(json_object_get(json, "rows")), count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(number_at(json, i, HISTORY_AT), wanted[i][0]);
		assert_int_equal(number_at(json, i, column), wanted[i][1]);
	}
	json_decref(json);
}

static void test_the_oldest_goes(void **state)
{
	(void)state;
	struct history *history = history_create();

	for (size_t i = 0; i < HISTORY_ROWS + 3; i++)
		add(history, i, 10 * i);
	json_t *json = history_json(history);

	assert_int_equal(json_array_size(json_object_get(json, "rows")), HISTORY_ROWS);
	assert_int_equal(number_at(json, 0, HISTORY_AT), 3);
	assert_int_equal(number_at(json, HISTORY_ROWS - 1, HISTORY_ACCEPTED),
			 10 * (HISTORY_ROWS + 2));
	json_decref(json);
	history_destroy(&history);
	assert_null(history);
	history_destroy(&history);
}

static void test_a_row_is_due_every_step(void **state)
{
	(void)state;
	struct history *history = history_create();
	struct history_row row = row_of(1, 1);

	assert_true(history_is_due(history, 1000 * STEP_NS));
	history_add(history, &row, 1000 * STEP_NS);
	assert_false(history_is_due(history, 1001 * STEP_NS - 1));
	assert_true(history_is_due(history, 1001 * STEP_NS));
	/* A little late: the next is in step all the same. */
	history_add(history, &row, 1001 * STEP_NS + STEP_NS / 5);
	assert_true(history_is_due(history, 1002 * STEP_NS));
	/* After a pause no rows are made up. */
	history_add(history, &row, 1010 * STEP_NS);
	assert_false(history_is_due(history, 1011 * STEP_NS - 1));
	history_destroy(&history);
}

static void test_the_next_process_goes_on(void **state)
{
	(void)state;
	struct history *old = history_create(), *new = history_create();
	struct buf page = {0};

	add(old, 100, 3);
	add(old, 200, 7);
	add(new, 300, 0);
	add(new, 400, 2);
	history_write(old, &page);
	history_take(new, buf_slice(&page));
	assert_rows(new, HISTORY_ACCEPTED, 4,
		    (uint64_t[][2]){{100, 3}, {200, 7}, {300, 7}, {400, 9}});
	/* A gauge is what it is. */
	assert_rows(new, HISTORY_CONNECTIONS, 4,
		    (uint64_t[][2]){{100, 5}, {200, 5}, {300, 5}, {400, 5}});
	buf_finish(&page);
	history_destroy(&old);
	history_destroy(&new);
}

static void test_two_full_ones_keep_the_newest(void **state)
{
	(void)state;
	struct history *old = history_create(), *new = history_create();
	struct buf page = {0};

	for (size_t i = 0; i < HISTORY_ROWS; i++) {
		add(old, i, i);
		add(new, HISTORY_ROWS + i, 0);
	}
	history_write(old, &page);
	history_take(new, buf_slice(&page));
	json_t *json = history_json(new);

	assert_int_equal(number_at(json, 0, HISTORY_AT), HISTORY_ROWS);
	assert_int_equal(number_at(json, 0, HISTORY_ACCEPTED), HISTORY_ROWS - 1);
	json_decref(json);
	buf_finish(&page);
	history_destroy(&old);
	history_destroy(&new);
}

static void test_lines_that_are_none(void **state)
{
	(void)state;
	static const char page[] = "gatehouse_connections 1\n"
				   "# gatehouse_history\n"
				   "# gatehouse_history 1 2 3\n"
				   "# gatehouse_history 1 2 3 4 5 6 7 8 x\n"
				   "# gatehouse_history 1 2 3 4 5 6 7 8 99999999999999999999\n"
				   "# gatehouse_history 1 2 3 4 5 6 7 8 -9\n"
				   "# gatehouse_historyX 1 2 3 4 5 6 7 8 9\n"
				   "# gatehouse_history 11 2 3 4 5 6 7 8 9\n"
				   "# gatehouse_history 12 2 4 4 5 6 7 8 9 of a newer version";
	struct history *history = history_create();

	history_take(history, slice_from_text(page));
	assert_rows(history, HISTORY_ACCEPTED, 2, (uint64_t[][2]){{11, 3}, {12, 4}});
	history_take(history, (struct slice){0});
	assert_rows(history, HISTORY_ACCEPTED, 2, (uint64_t[][2]){{11, 3}, {12, 4}});
	history_destroy(&history);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_oldest_goes),
		cmocka_unit_test(test_a_row_is_due_every_step),
		cmocka_unit_test(test_the_next_process_goes_on),
		cmocka_unit_test(test_two_full_ones_keep_the_newest),
		cmocka_unit_test(test_lines_that_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
