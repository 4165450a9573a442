/* SPDX-License-Identifier: Apache-2.0
 * test_log_file.c - lines to a file by a thread of its own: what is asked before makes nothing, and
 * in the end it is known what became of each line. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log_file.h"
#include "unit.h"

static char directory[] = "/tmp/gatehouse_log_XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(path_of("lines"));
	return rmdir(directory);
}

static void on_told(void *arg, const char *path, int error)
{
	(void)path;
	*(int *)arg = error;
}

/* As root the check is run, and the file written by somebody who is not. */
static void test_a_check_makes_no_file(void **state)
{
	(void)state;
	struct stat ignored;

	assert_int_equal(log_file_check(path_of("lines")), 0);
	assert_true(stat(path_of("lines"), &ignored) < 0 && errno == ENOENT);
	assert_int_equal(log_file_check(path_of("none/lines")), -ENOENT);
	assert_int_equal(log_file_check("/dev/null/lines"), -ENOTDIR);
	assert_int_equal(log_file_check(directory), -EISDIR);
	assert_int_equal(log_file_check("/dev/full"), 0);
}

static struct log_file_stats write_lines(const char *path, unsigned count)
{
	struct log_file_stats last = {.written = 99};
	struct log_file *file;
	int told = 0;

	assert_int_equal(log_file_create(path, on_told, &told, &file), 0);
	for (unsigned i = 0; i < count; i++)
		log_file_put(file, "line\n", 5);
	log_file_destroy(&file, &last);
	assert_null(file);
	return last;
}

static void test_the_last_word_counts_every_line(void **state)
{
	(void)state;
	struct log_file_stats last = write_lines(path_of("lines"), 7);
	struct stat there;

	assert_true(last.written == 7 && last.dropped_disk == 0 && last.dropped_full == 0);
	assert_true(stat(path_of("lines"), &there) == 0 && there.st_size == 35);
	last = write_lines("/dev/full", 7);
	assert_true(last.written == 0 && last.dropped_disk == 7 && last.dropped_full == 0);
}

static void test_what_finds_no_room_is_counted(void **state)
{
	(void)state;
	static char line[LOG_FILE_BUFFER + 1];
	struct log_file_stats stats;
	struct log_file *file;
	int told;

	assert_int_equal(log_file_create("/dev/null", on_told, &told, &file), 0);
	log_file_put(file, line, sizeof(line));
	log_file_stats(file, &stats);
	assert_true(stats.dropped_full == 1);
	log_file_destroy(&file, NULL);
	log_file_destroy(&file, NULL);
}

/* What it finds out as it looks for the first time stays said, and no line is called written that
 * nobody finds. */
static struct log_file_stats write_after(void (*change)(void), int *out_told)
{
	struct log_file_stats last = {.written = 99};
	struct log_file *file;

	*out_told = 0;
	assert_int_equal(log_file_create(path_of("lines"), on_told, out_told, &file), 0);
	change();
	assert_int_equal(mkdir(path_of("lines"), 0700), 0);
	log_file_put(file, "line\n", 5);
	log_file_destroy(&file, &last);
	assert_int_equal(rmdir(path_of("lines")), 0);
	return last;
}

static void remove_it(void)
{
	assert_int_equal(unlink(path_of("lines")), 0);
}

static void move_it(void)
{
	char from[256];

	snprintf(from, sizeof(from), "%s", path_of("lines"));
	assert_int_equal(rename(from, path_of("moved")), 0);
}

static void test_a_file_that_cannot_be_made_anew(void **state)
{
	(void)state;
	int told;
	struct stat moved;

	unlink(path_of("lines"));
	struct log_file_stats last = write_after(remove_it, &told);

	assert_true(last.written == 0 && last.dropped_disk == 1 && told == EISDIR);
	last = write_after(move_it, &told);
	assert_true(last.written == 1 && last.dropped_disk == 0 && told == EISDIR);
	assert_true(stat(path_of("moved"), &moved) == 0 && moved.st_size == 5);
	unlink(path_of("moved"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_check_makes_no_file),
		cmocka_unit_test(test_the_last_word_counts_every_line),
		cmocka_unit_test(test_what_finds_no_room_is_counted),
		cmocka_unit_test(test_a_file_that_cannot_be_made_anew),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
