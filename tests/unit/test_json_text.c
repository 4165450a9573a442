/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "proto/json_scan.h"
#include "proto/json_text.h"

#define FIXED(text) SLICE_LITERAL(text)

static const struct {
	const char *name;
	struct slice text; /* between the quotes */
	struct slice plain;
	size_t chars;
} rows[] = {
	{"empty", FIXED(""), FIXED(""), 0},
	{"no escapes", FIXED("abc"), FIXED("abc"), 3},
	{"short escapes", FIXED("\\\"\\\\\\/\\b\\f\\n\\r\\t"), FIXED("\"\\/\b\f\n\r\t"), 8},
	{"one byte", FIXED("\\u0041\\u007f"), FIXED("A\x7f"), 2},
	{"NUL", FIXED("a\\u0000b"), FIXED("a\0b"), 3},
	{"two bytes", FIXED("\\u0080\\u00fc\\u07FF"), FIXED("\xc2\x80\xc3\xbc\xdf\xbf"), 3},
	{"three bytes", FIXED("\\u0800\\u20ac\\uFFFD"),
	 FIXED("\xe0\xa0\x80\xe2\x82\xac\xef\xbf\xbd"), 3},
	{"first of the pairs", FIXED("\\ud800\\udc00"), FIXED("\xf0\x90\x80\x80"), 1},
	{"last of the pairs", FIXED("\\uDBFF\\uDFFF"), FIXED("\xf4\x8f\xbf\xbf"), 1},
	{"characters as they are", FIXED("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"),
	 FIXED("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80"), 3},
	{"mixed, long", FIXED("0123456789\\n0123456789\xc3\xbc\\u00fc!"),
	 FIXED("0123456789\n0123456789\xc3\xbc\xc3\xbc!"), 24},
};

static void test_unescape(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *room = malloc(rows[i].text.len + 1);
		struct slice plain = json_text_unescape(rows[i].text, room);

		ASSERT_ROW(slice_equals(plain, rows[i].plain), rows[i].name);
		ASSERT_ROW(json_text_chars(rows[i].text) == rows[i].chars, rows[i].name);
		free(room);
	}
}

static void test_text_without_escapes_is_not_copied(void **state)
{
	(void)state;
	struct slice text = FIXED("abc");

	assert_ptr_equal(json_text_unescape(text, NULL).data, text.data);
}

static void test_equals(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t other = 0; other < ARRAY_LEN(rows); other++)
			ASSERT_ROW(json_text_equals(rows[i].text, rows[other].plain) ==
					   (i == other),
				   rows[i].name);
	assert_false(json_text_equals(FIXED("ab"), FIXED("abc")));
	assert_false(json_text_equals(FIXED("abc"), FIXED("ab")));
	assert_false(json_text_equals(FIXED("\\u20ac"), FIXED("\xe2\x82")));
}

/* What a run may hold, at every place in a word. */
static void test_runs_end_at_what_must_be_escaped(void **state)
{
	(void)state;
	for (unsigned byte = 0; byte < 256; byte++)
		for (size_t at = 0; at < 20; at++) {
			uint8_t text[20];
			bool is_stop = byte < 0x20 || byte == '"' || byte == '\\';

			memset(text, 'a' + (int)(at % 2) * 0x80, sizeof(text));
			text[at] = (uint8_t)byte;
			assert_int_equal(json_text_run(text, sizeof(text)),
					 is_stop ? at : sizeof(text));
		}
}

/* Every character, written, is a string that stands for that character. */
static void test_written_strings_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct json_piece piece = JSON_PLAIN(rows[i].plain);
		struct buf out = {0};
		struct json_part part;
		struct json_fault fault;

		ASSERT_ROW(json_write(&out, 1000, &piece, 1) == 0, rows[i].name);
		ASSERT_ROW(json_check(buf_slice(&out), &part, &fault), rows[i].name);
		ASSERT_ROW(part.kind == JSON_KIND_STRING, rows[i].name);
		ASSERT_ROW(json_text_equals(json_part_inside(&part), rows[i].plain), rows[i].name);
		buf_finish(&out);
	}
}

static void test_escapes_that_are_written(void **state)
{
	(void)state;
	const struct json_piece pieces[] = {
		JSON_LITERAL("["),
		JSON_PLAIN(FIXED("\"\\/\b\f\n\r\t\x01\x1f\x7f\0\xc3\xbc")),
		JSON_LITERAL("]"),
	};
	struct buf out = {0};

	assert_int_equal(json_write(&out, 1000, pieces, ARRAY_LEN(pieces)), 0);
	assert_true(slice_equals(
		buf_slice(&out),
		FIXED("[\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u0000\xc3\xbc\"]")));
	buf_finish(&out);
}

static void test_all_or_nothing_is_written(void **state)
{
	(void)state;
	const struct json_piece good[] = {JSON_LITERAL("["), JSON_PLAIN(FIXED("a\n\x01z")),
					  JSON_LITERAL("]")};
	const struct json_piece bad[] = {JSON_LITERAL("["), JSON_PLAIN(FIXED("a\xff"))};
	struct buf out = {0};
	const size_t whole = 1 + 14; /* "x" and ["a\n\u0001z"] */

	assert_int_equal(buf_append(&out, "x", 1, 100), 0);
	for (size_t max = 1; max < whole; max++) {
		assert_int_equal(json_write(&out, max, good, ARRAY_LEN(good)), -EMSGSIZE);
		assert_int_equal(out.len, 1);
	}
	assert_int_equal(json_write(&out, 100, bad, ARRAY_LEN(bad)), -EILSEQ);
	assert_int_equal(out.len, 1);
	assert_int_equal(json_write(&out, whole, good, ARRAY_LEN(good)), 0);
	assert_int_equal(out.len, whole);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unescape),
		cmocka_unit_test(test_text_without_escapes_is_not_copied),
		cmocka_unit_test(test_equals),
		cmocka_unit_test(test_runs_end_at_what_must_be_escaped),
		cmocka_unit_test(test_written_strings_read_back),
		cmocka_unit_test(test_escapes_that_are_written),
		cmocka_unit_test(test_all_or_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
