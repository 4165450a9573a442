/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/unicode.h"

#define TEXT(literal) literal, sizeof(literal) - 1

static void test_characters(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
		size_t len;
		size_t used;
		uint32_t character;
	} rows[] = {
		{"nothing", TEXT(""), 0, 0},
		{"NUL", TEXT("\0"), 1, 0},
		{"letter, and more", TEXT("ab"), 1, 'a'},
		{"two bytes", TEXT("\xc3\xbc"), 2, 0xfc},
		{"first of two bytes", TEXT("\xc2\x80"), 2, 0x80},
		{"three bytes", TEXT("\xe5\x85\x85"), 3, 0x5145},
		{"last before the surrogates", TEXT("\xed\x9f\xbf"), 3, 0xd7ff},
		{"first behind the surrogates", TEXT("\xee\x80\x80"), 3, 0xe000},
		{"four bytes", TEXT("\xf0\x9f\x94\x8c"), 4, 0x1f50c},
		{"the last", TEXT("\xf4\x8f\xbf\xbf"), 4, 0x10ffff},
		{"behind the last", TEXT("\xf4\x90\x80\x80"), 0, 0},
		{"lone continuation", TEXT("\x80"), 0, 0},
		{"NUL in two bytes", TEXT("\xc0\x80"), 0, 0},
		{"slash in three bytes", TEXT("\xe0\x80\xaf"), 0, 0},
		{"three in four bytes", TEXT("\xf0\x8f\xbf\xbf"), 0, 0},
		{"surrogate", TEXT("\xed\xa0\x80"), 0, 0},
		{"cut after one", TEXT("\xe5\x85"), 0, 0},
		{"another begins inside",
		 TEXT("\xc3"
		      "a"),
		 0, 0},
		{"five bytes", TEXT("\xf8\x88\x80\x80\x80"), 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t character = 99;
		size_t used = unicode_read(slice_of(rows[i].text, rows[i].len), &character);

		ASSERT_ROW(used == rows[i].used, rows[i].name);
		ASSERT_ROW(character == (used == 0 ? 99 : rows[i].character), rows[i].name);
	}
}

static void test_controls(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
		size_t len;
		bool want;
	} rows[] = {
		{"nothing", TEXT(""), false},
		{"letters", TEXT("M\xc3\xbcller 7"), false},
		{"NUL", TEXT("a\0"), true},
		{"DEL", TEXT("\x7f"), true},
		{"first of C1", TEXT("a\xc2\x80"), true},
		{"last of C1", TEXT("\xc2\x9f"), true},
		{"behind C1", TEXT("\xc2\xa0"), false},
		{"a byte of C1 in a letter", TEXT("\xe2\x82\x85"), false},
		{"behind what is no UTF-8", TEXT("\xff\x01"), true},
		{"separator of lines", TEXT("\xe2\x80\xa8"), false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(unicode_has_control(slice_of(rows[i].text, rows[i].len)) == rows[i].want,
			   rows[i].name);
	assert_true(unicode_is_deceptive(0x2028) && unicode_is_deceptive(0x2029));
	assert_true(unicode_is_deceptive(0x202e) && unicode_is_deceptive(0x2066));
	assert_true(unicode_is_deceptive(0xfeff));
	assert_false(unicode_is_deceptive(0x2027) || unicode_is_deceptive(0x202f) ||
		     unicode_is_deceptive('a'));
}

static void test_what_is_not_plain_is_written_over(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *want;
	} rows[] = {
		{"", ""},
		{"M\xc3\xbcller 7", "M\xc3\xbcller 7"},
		{"a\xff\xc3", "a??"},
		{"\x1b[31m\x7f", "?[31m?"},
		{"\xc2\x9b"
		 "31m",
		 "??31m"},
		{"a\xe2\x80\xae"
		 "b",
		 "a???b"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[32];

		snprintf(text, sizeof(text), "%s", rows[i].text);
		unicode_make_plain(text, strlen(text), '?');
		ASSERT_ROW(strcmp(text, rows[i].want) == 0, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_what_is_not_plain_is_written_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
