/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/renewals.h"

/* Somebody who reads two files. */
struct reader {
	struct renewals *renewals;
	uint64_t now_ns;
	char folder[32];
	char file[64], other[64];
	unsigned reads;
	const char *error; /* NULL: all is well */
};

static bool read_again(void *arg, struct renewal_error *out_error)
{
	struct reader *reader = arg;

	reader->reads++;
	if (reader->error == NULL)
		return true;
	snprintf(out_error->text, sizeof(out_error->text), "%s", reader->error);
	return false;
}

static void file_write(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	snprintf(reader->folder, sizeof(reader->folder), "/tmp/renewals.XXXXXX");
	assert_non_null(mkdtemp(reader->folder));
	snprintf(reader->file, sizeof(reader->file), "%s/a", reader->folder);
	snprintf(reader->other, sizeof(reader->other), "%s/b", reader->folder);
	file_write(reader->file, "1");
	file_write(reader->other, "1");
	reader->now_ns = NS_PER_S;
	reader->renewals = renewals_create();
	const char *files[] = {reader->file, "", reader->other, NULL};

	assert_true(
		renewals_add(reader->renewals, &(struct renewable){.what = "things",
								   .files = files,
								   .file_count = ARRAY_LEN(files),
								   .renew = read_again,
								   .arg = reader}));
	*state = reader;
	return 0;
}

static int teardown(void **state)
{
	struct reader *reader = *state;

	renewals_destroy(&reader->renewals);
	assert_null(reader->renewals);
	unlink(reader->file);
	unlink(reader->other);
	assert_int_equal(rmdir(reader->folder), 0);
	free(reader);
	return 0;
}

static void look(struct reader *reader)
{
	reader->now_ns += RENEWALS_INTERVAL_NS;
	renewals_tick(reader->renewals, reader->now_ns);
}

static void test_nothing_is_read_while_nothing_changes(void **state)
{
	struct reader *reader = *state;

	for (int i = 0; i < 100; i++)
		look(reader);
	assert_int_equal(reader->reads, 0);
}

static void test_a_change_is_read_when_it_has_settled(void **state)
{
	struct reader *reader = *state;

	file_write(reader->file, "22");
	look(reader);
	assert_int_equal(reader->reads, 0); /* its key may be on its way */
	file_write(reader->other, "22");
	look(reader);
	assert_int_equal(reader->reads, 0);
	look(reader);
	assert_int_equal(reader->reads, 1);
	look(reader);
	assert_int_equal(reader->reads, 1);
}

static void test_it_looks_once_a_second(void **state)
{
	struct reader *reader = *state;

	look(reader);
	file_write(reader->file, "22");
	for (int i = 0; i < 10; i++)
		renewals_tick(reader->renewals, reader->now_ns + (uint64_t)i);
	assert_int_equal(reader->reads, 0);
	look(reader);
	look(reader);
	assert_int_equal(reader->reads, 1);
}

static void test_what_changes_back_is_not_read(void **state)
{
	struct reader *reader = *state;
	char saved[80];

	snprintf(saved, sizeof(saved), "%s.old", reader->file);
	assert_int_equal(rename(reader->file, saved), 0);
	look(reader);
	assert_int_equal(rename(saved, reader->file), 0);
	look(reader);
	look(reader); /* rename changes the time of change: that is read */
	assert_true(reader->reads <= 1);
}

static void test_a_link_that_is_moved_is_a_change(void **state)
{
	struct reader *reader = *state;
	char link[64], next[64], first[64], second[64];

	snprintf(link, sizeof(link), "%s/..data", reader->folder);
	snprintf(next, sizeof(next), "%s/..next", reader->folder);
	snprintf(first, sizeof(first), "%s/v1", reader->folder);
	snprintf(second, sizeof(second), "%s/v2", reader->folder);
	file_write(first, "same");
	file_write(second, "same");
	assert_int_equal(symlink("v1", link), 0);
	const char *files[] = {link};
	struct reader other = {0};

	renewals_add(reader->renewals, &(struct renewable){.what = "links",
							   .files = files,
							   .file_count = 1,
							   .renew = read_again,
							   .arg = &other});
	assert_int_equal(symlink("v2", next), 0);
	assert_int_equal(rename(next, link), 0);
	look(reader);
	look(reader);
	assert_int_equal(other.reads, 1);
	assert_int_equal(reader->reads, 0);
	renewals_remove(reader->renewals, &other);
	unlink(link);
	unlink(first);
	unlink(second);
	look(reader);
	look(reader);
	assert_int_equal(other.reads, 1);
}

static void state_copy(void *arg, const struct renewal_state *state)
{
	static char error[1024];
	struct renewal_state *copy = arg;

	*copy = *state;
	if (state->error != NULL) {
		snprintf(error, sizeof(error), "%s", state->error);
		copy->error = error;
	}
}

static struct renewal_state state_of(struct reader *reader)
{
	struct renewal_state state = {0};

	renewals_each(reader->renewals, state_copy, &state);
	return state;
}

static void test_a_failure_is_told_and_tried_again(void **state)
{
	struct reader *reader = *state;

	reader->error = "a: is broken";
	file_write(reader->file, "broken");
	look(reader);
	look(reader);
	assert_int_equal(reader->reads, 1);
	assert_string_equal(state_of(reader).what, "things");
	assert_string_equal(state_of(reader).first_file, reader->file);
	assert_string_equal(state_of(reader).error, "a: is broken");
	assert_int_equal(state_of(reader).failed, 1);
	assert_int_equal(state_of(reader).renewed, 0);

	look(reader); /* nothing has changed */
	assert_int_equal(reader->reads, 1);
	reader->error = NULL;
	reader->now_ns += 60 * NS_PER_S;
	look(reader);
	assert_int_equal(reader->reads, 2);
	assert_null(state_of(reader).error);
	assert_int_equal(state_of(reader).renewed, 1);
	reader->now_ns += 60 * NS_PER_S;
	look(reader);
	assert_int_equal(reader->reads, 2);
}

static void test_a_file_that_is_gone_is_a_change(void **state)
{
	struct reader *reader = *state;

	reader->error = "a: is gone";
	unlink(reader->file);
	look(reader);
	look(reader);
	assert_int_equal(reader->reads, 1);
	reader->error = NULL;
	file_write(reader->file, "1");
	look(reader);
	look(reader);
	assert_int_equal(reader->reads, 2);
	assert_null(state_of(reader).error);
}

static void test_all_are_read_when_told_to(void **state)
{
	struct reader *reader = *state;

	assert_int_equal(renewals_all(reader->renewals, reader->now_ns), 0);
	assert_int_equal(reader->reads, 1);
	reader->error = "no";
	assert_int_equal(renewals_all(reader->renewals, reader->now_ns), 1);
	assert_int_equal(reader->reads, 2);
	assert_int_equal(state_of(reader).renewed, 1);
	assert_int_equal(state_of(reader).failed, 1);
}

int main(void)
{
#define WITH_READER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_READER(test_nothing_is_read_while_nothing_changes),
		WITH_READER(test_a_change_is_read_when_it_has_settled),
		WITH_READER(test_it_looks_once_a_second),
		WITH_READER(test_what_changes_back_is_not_read),
		WITH_READER(test_a_link_that_is_moved_is_a_change),
		WITH_READER(test_a_failure_is_told_and_tried_again),
		WITH_READER(test_a_file_that_is_gone_is_a_change),
		WITH_READER(test_all_are_read_when_told_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
