/* SPDX-License-Identifier: Apache-2.0
 * Files read whole: regular ones, what is none, what is too large; and the lines of a text. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/slice.h"

struct place {
	char folder[32];
	char path[64];
};

static int setup(void **state)
{
	static struct place place;

	snprintf(place.folder, sizeof(place.folder), "/tmp/test-file-XXXXXX");
	assert_non_null(mkdtemp(place.folder));
	snprintf(place.path, sizeof(place.path), "%s/it", place.folder);
	*state = &place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->path);
	assert_int_equal(rmdir(place->folder), 0);
	return 0;
}

static void file_write(const char *path, const char *text, mode_t mode)
{
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	assert_true(fputs(text, to) >= 0);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_a_file_is_loaded_whole(void **state)
{
	struct place *place = *state;
	struct file_content content;

	file_write(place->path, "some text", 0640);
	assert_int_equal(file_load(place->path, 9, &content), 0);
	assert_int_equal(content.len, 9);
	assert_memory_equal(content.data, "some text", 9);
	assert_int_equal(content.mode & 0777, 0640);
	free(content.data);
	assert_int_equal(file_load(place->path, 8, &content), -EFBIG);
	file_write(place->path, "", 0600);
	assert_int_equal(file_load(place->path, 8, &content), 0);
	assert_int_equal(content.len, 0);
	free(content.data);
}

static void test_a_file_is_read_as_far_as_there_is_room(void **state)
{
	struct place *place = *state;
	char out[16];

	file_write(place->path, "some text", 0600);
	assert_int_equal(file_read(place->path, out, sizeof(out)), 9);
	assert_memory_equal(out, "some text", 9);
	assert_int_equal(file_read(place->path, out, 4), 4);
}

/* None of these is waited for. */
static void test_what_is_no_file(void **state)
{
	struct place *place = *state;
	struct file_content content;
	char out[16];

	assert_int_equal(file_load(place->path, 9, &content), -ENOENT);
	assert_int_equal(file_read(place->path, out, sizeof(out)), -ENOENT);
	assert_int_equal(file_load(place->folder, 9, &content), -EISDIR);
	assert_int_equal(file_read(place->folder, out, sizeof(out)), -EISDIR);
	assert_int_equal(mkfifo(place->path, 0600), 0);
	assert_int_equal(file_load(place->path, 9, &content), -ESPIPE);
	assert_int_equal(file_read(place->path, out, sizeof(out)), 0);
}

static void test_lines(void **state)
{
	static const struct {
		const char *text;
		const char *lines; /* with '|' behind each */
		size_t count;
	} cases[] = {
		{"", "|", 1},
		{"a", "a|", 1},
		{"a\n", "a||", 2},
		{"a\r\nb", "a|b|", 2},
		{"\r\n\r\n", "|||", 3},
		{"a\r\r\n", "a\r||", 2},
		{"a\rb\n", "a\rb||", 2},
		{"\r", "|", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice text = slice_from_text(cases[i].text), line;
		char got[32] = "";
		size_t len = 0, count = 0;

		ASSERT_ROW(slice_count_lines(text) == cases[i].count, cases[i].text);
		for (; slice_next_line(&text, &line); count++)
			len += (size_t)snprintf(got + len, sizeof(got) - len, "%.*s|",
						(int)line.len, (const char *)line.data);
		ASSERT_ROW(count == cases[i].count, cases[i].text);
		ASSERT_ROW(strcmp(got, cases[i].lines) == 0, cases[i].text);
	}
	assert_int_equal(slice_count_lines((struct slice){0}), 0);
}

int main(void)
{
#define AT_PLACE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		AT_PLACE(test_a_file_is_loaded_whole),
		AT_PLACE(test_a_file_is_read_as_far_as_there_is_room),
		AT_PLACE(test_what_is_no_file),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
