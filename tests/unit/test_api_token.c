/* SPDX-License-Identifier: Apache-2.0
 * test_api_token.c - the API's token: where it comes from, and who has it. */
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/api/api_token.h"

static struct config_text text_of(const char *text)
{
	struct config_text result = {0};

	memcpy(result.text, text, strlen(text) + 1);
	return result;
}

/* A new file of the test's own; its name in config->token_file. */
static void write_file(struct config_admin *config, const char *content, mode_t mode)
{
	config->token_file = text_of("/tmp/gatehouse-token-XXXXXX");
	int fd = mkstemp(config->token_file.text);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_only_the_whole_token_is_good(void **state)
{
	(void)state;
	struct api_token token = {.text = text_of("s3cret-Token")};
	static const struct {
		const char *field;
		enum api_token_result want;
	} rows[] = {
		{"Bearer s3cret-Token", API_TOKEN_GOOD},
		{"bearer s3cret-Token", API_TOKEN_GOOD},
		{"Bearer  s3cret-Token ", API_TOKEN_GOOD},
		{"", API_TOKEN_MISSING},
		{"Bearer", API_TOKEN_MISSING},
		{"Basic s3cret-Token", API_TOKEN_MISSING},
		{"Bearer ", API_TOKEN_WRONG},
		{"Bearer s3cret-Toke", API_TOKEN_WRONG},
		{"Bearer s3cret-Token1", API_TOKEN_WRONG},
		{"Bearer S3cret-Token", API_TOKEN_WRONG},
		{"Bearer s3cret-Token s3cret-Token", API_TOKEN_WRONG},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(api_token_check(&token, slice_from_text(rows[i].field)) == rows[i].want,
			   rows[i].field);
}

static void test_a_token_longer_than_any_is_wrong(void **state)
{
	(void)state;
	struct api_token token = {.text = text_of("x")};
	char field[7 + CONFIG_TEXT_MAX + 1] = "Bearer ";

	memset(field + 7, 'x', CONFIG_TEXT_MAX);
	assert_int_equal(api_token_check(&token, slice_from_text(field)), API_TOKEN_WRONG);
}

static void test_without_any_there_is_none(void **state)
{
	(void)state;
	struct config_admin config = {0};
	struct api_token token = {.text = text_of("old")};
	struct api_token_error error;

	assert_true(api_token_load(&config, &token, &error));
	assert_false(api_token_is_set(&token));
}

static void test_a_file_gives_it_without_its_line_end(void **state)
{
	(void)state;
	static const char *const contents[] = {"s3cret", "s3cret\n", "s3cret\r\n"};

	for (size_t i = 0; i < ARRAY_LEN(contents); i++) {
		struct config_admin config = {0};
		struct api_token token;
		struct api_token_error error;

		write_file(&config, contents[i], 0640);
		ASSERT_ROW(api_token_load(&config, &token, &error), contents[i]);
		assert_string_equal(token.text.text, "s3cret");
		unlink(config.token_file.text);
	}
}

static void assert_refused(const struct config_admin *config, const char *part)
{
	struct api_token token = {.text = text_of("untouched")};
	struct api_token_error error;

	assert_false(api_token_load(config, &token, &error));
	if (strstr(error.text, part) == NULL)
		fail_msg("no '%s' in: %s", part, error.text);
	assert_null(strstr(error.text, "s3cret"));
	assert_string_equal(token.text.text, "untouched");
}

static void test_bad_files_are_refused_without_their_content(void **state)
{
	(void)state;
	static const struct {
		const char *content;
		mode_t mode;
		const char *part;
	} rows[] = {
		{"s3cret", 0644, "mode 0644, so that everybody on this machine may read"},
		{"s3cret", 0602, "chmod o-rw"},
		{"", 0600, "does not hold a secret"},
		{"\n", 0600, "does not hold a secret"},
		{"s3cret s3cret", 0600, "visible ASCII"},
		{"s3cret\ns3cret\n", 0600, "on one line"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct config_admin config = {0};

		write_file(&config, rows[i].content, rows[i].mode);
		assert_refused(&config, rows[i].part);
		unlink(config.token_file.text);
	}
}

static void test_no_file_a_directory_and_two_tokens_are_refused(void **state)
{
	(void)state;
	struct config_admin config = {.token_file = text_of("/nonexistent/token")};

	assert_refused(&config, "cannot be opened: No such file");
	config.token_file = text_of("/tmp");
	assert_refused(&config, "is not a file");
	config.token = text_of("s3cret");
	assert_refused(&config, "are both set");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_whole_token_is_good),
		cmocka_unit_test(test_a_token_longer_than_any_is_wrong),
		cmocka_unit_test(test_without_any_there_is_none),
		cmocka_unit_test(test_a_file_gives_it_without_its_line_end),
		cmocka_unit_test(test_bad_files_are_refused_without_their_content),
		cmocka_unit_test(test_no_file_a_directory_and_two_tokens_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
