/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "../json_reference.h"
#include "proto/json_scan.h"

#define X16(text) text text text text text text text text text text text text text text text text
#define X64(text) X16(text) X16(text) X16(text) X16(text)

/* In an exact-size copy, so that a read past the end is seen. */
static bool check(const char *text, size_t len, struct json_fault *fault)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct json_part part = {JSON_KIND_NONE, {0}};

	memcpy(copy, text, len);
	bool is_good = json_check(slice_of(copy, len), &part, fault);

	if (is_good)
		assert_true(part.kind != JSON_KIND_NONE && part.text.data >= copy &&
			    part.text.data + part.text.len <= copy + len);
	else
		assert_true(fault->reason != NULL && fault->at <= len &&
			    part.kind == JSON_KIND_NONE);
	free(copy);
	return is_good;
}

static const char *const good_texts[] = {
	"{}",
	"[]",
	"[[],{},[[]],{\"a\":{}}]",
	" \t\r\n[ 1 , 2 ] \n",
	"[0,-0,1,-1,10,1234567890123456789012345678901234567890]",
	"[0.0,1.5e3,1E+2,-2.25e-10,1e999]",
	"[true,false,null]",
	"{\"a\":1,\"a\":2,\"\":3}",
	"\"\"",
	"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\u0000\"]",
	"[\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80 \x7f\"]",
	"{\"k\":[{\"k\":[{\"k\":\"v\"}]}],\"l\":\"01234567890123456789\\n0123456789\"}",
	X64("[") X64("]"),
};

static void test_good_texts_are_accepted(void **state)
{
	(void)state;
	struct json_fault fault = {0};

	for (size_t i = 0; i < ARRAY_LEN(good_texts); i++) {
		ASSERT_ROW(check(good_texts[i], strlen(good_texts[i]), &fault), good_texts[i]);
		ASSERT_ROW(json_agrees((const uint8_t *)good_texts[i], strlen(good_texts[i])),
			   good_texts[i]);
	}
}

static void test_scalars_are_whole_texts_too(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum json_kind kind;
	} rows[] = {
		{"0", JSON_KIND_NUMBER},  {"-1.5E+3", JSON_KIND_NUMBER},
		{"true", JSON_KIND_BOOL}, {"false", JSON_KIND_BOOL},
		{"null", JSON_KIND_NULL}, {"\"x\"", JSON_KIND_STRING},
		{"{}", JSON_KIND_OBJECT}, {"[]", JSON_KIND_ARRAY},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_part part;
		struct json_fault fault = {0};

		ASSERT_ROW(json_check(slice_from_text(rows[i].text), &part, &fault), rows[i].text);
		ASSERT_ROW(part.kind == rows[i].kind, rows[i].text);
		ASSERT_ROW(slice_equals(part.text, slice_from_text(rows[i].text)), rows[i].text);
	}
}

/* Every text here begins with a bracket or a quote: nothing is whole before its end. */
static void test_every_cut_is_refused(void **state)
{
	(void)state;
	struct json_fault fault = {0};

	for (size_t i = 0; i < ARRAY_LEN(good_texts); i++) {
		const char *text = good_texts[i];
		size_t end = strlen(text);

		while (end > 1 && strchr(" \n", text[end - 1]) != NULL)
			end--;
		for (size_t cut = 0; cut < end; cut++)
			ASSERT_ROW(!check(text, cut, &fault), text);
	}
}

#define BAD(text) text, sizeof(text) - 1

static void test_mistakes_have_a_reason_and_a_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t len;
		size_t at;
		const char *reason; /* a part of it */
	} rows[] = {
		{BAD(""), 0, "ends where a value should be"},
		{BAD("  "), 2, "ends where a value should be"},
		{BAD("\xef\xbb[]"), 0, "value should be here"},
		{BAD("\xef\xbb\xbf\xef\xbb\xbf[]"), 3, "value should be here"},
		{BAD("\xef\xbb\xbf"), 3, "ends where a value should be"},
		{BAD("[]\xef\xbb\xbf"), 2, "nothing may follow"},
		{BAD("[] x"), 3, "nothing may follow"},
		{BAD("[]]"), 2, "nothing may follow"},
		{BAD("[1]\0"), 3, "nothing may follow"},
		{BAD("[\0]"), 1, "value should be here"},
		{BAD("[01]"), 1, "begin with 0"},
		{BAD("[-01]"), 2, "begin with 0"},
		{BAD("[00]"), 1, "begin with 0"},
		{BAD("[-]"), 2, "digit is missing"},
		{BAD("[+1]"), 1, "value should be here"},
		{BAD("[.5]"), 1, "value should be here"},
		{BAD("[1.]"), 3, "digit is missing"},
		{BAD("[1.e5]"), 3, "digit is missing"},
		{BAD("[1e]"), 3, "digit is missing"},
		{BAD("[1e+]"), 4, "digit is missing"},
		{BAD("[0x10]"), 2, "comma or ]"},
		{BAD("[NaN]"), 1, "value should be here"},
		{BAD("[nul]"), 1, "of words only"},
		{BAD("[True]"), 1, "value should be here"},
		{BAD("[truex]"), 5, "comma or ]"},
		{BAD("[1,]"), 3, "value should be here"},
		{BAD("[,1]"), 1, "value should be here"},
		{BAD("[1 2]"), 3, "comma or ]"},
		{BAD("[1}"), 2, "comma or ]"},
		{BAD("{\"a\":1]"), 6, "comma or }"},
		{BAD("{\"a\":1,}"), 7, "name in quotes"},
		{BAD("{,}"), 1, "name in quotes"},
		{BAD("{a:1}"), 1, "name in quotes"},
		{BAD("{\"a\"}"), 4, "colon"},
		{BAD("{\"a\" 1}"), 5, "colon"},
		{BAD("{\"a\":}"), 5, "value should be here"},
		{BAD("{1:1}"), 1, "name in quotes"},
		{BAD("['a']"), 1, "value should be here"},
		{BAD("[\"a\nb\"]"), 3, "control character"},
		{BAD("[\"a\0b\"]"), 3, "control character"},
		{BAD("[\"\x1f\"]"), 2, "control character"},
		{BAD("[\"\\x\"]"), 2, "backslash must be followed"},
		{BAD("[\"\\\0\"]"), 2, "backslash must be followed"},
		{BAD("[\"\\u12g4\"]"), 2, "four hexadecimal"},
		{BAD("[\"\\ud800\"]"), 2, "surrogate"},
		{BAD("[\"\\ud800\\u0041\"]"), 2, "surrogate"},
		{BAD("[\"\\ud800\\ud800\"]"), 2, "surrogate"},
		{BAD("[\"\\udc00\"]"), 2, "surrogate"},
		{BAD("[\"abcdefgh\\udc00\"]"), 10, "surrogate"},
		{BAD("[1]// c"), 3, "nothing may follow"},
		{BAD("[1,/**/2]"), 3, "value should be here"},
		{BAD("[\f1]"), 1, "value should be here"},
		{BAD("[\xa0]"), 1, "value should be here"},
		{BAD(X64("[") "[]" X64("]")), 64, "more than 64"},
		{BAD(X64("{\"\":") "[]" X64("}")), 256, "more than 64"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct json_fault fault = {0};

		ASSERT_ROW(!check(rows[i].text, rows[i].len, &fault), rows[i].text);
		ASSERT_ROW(strstr(fault.reason, rows[i].reason) != NULL, rows[i].text);
		ASSERT_ROW(fault.at == rows[i].at, rows[i].text);
		ASSERT_ROW(json_agrees((const uint8_t *)rows[i].text, rows[i].len), rows[i].text);
	}
}

/* Items. */

static void test_items_of_an_array(void **state)
{
	(void)state;
	static const char *const want[] = {"1", "\"two\"", "{\"a\":[3,4]}", "null", "[ ]"};
	struct json_scan scan;
	struct json_part part;
	struct slice name;
	enum json_kind kind;
	size_t count = 0;

	assert_true(json_scan_enter(&scan, SLICE_LITERAL(" [1, \"two\" ,{\"a\":[3,4]},null,[ ]] "),
				    &kind));
	assert_int_equal(kind, JSON_KIND_ARRAY);
	while (json_scan_next(&scan, &name, &part)) {
		assert_true(count < ARRAY_LEN(want));
		ASSERT_ROW(slice_equals(part.text, slice_from_text(want[count])), want[count]);
		assert_int_equal(name.len, 0);
		count++;
	}
	assert_null(scan.error);
	assert_int_equal(count, ARRAY_LEN(want));
	assert_false(json_scan_next(&scan, &name, &part));
}

static void test_members_of_an_object(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
		enum json_kind kind;
	} want[] = {
		{"a", "\"x\"", JSON_KIND_STRING},
		{"", "-1", JSON_KIND_NUMBER},
		{"a\\u0062", "[]", JSON_KIND_ARRAY},
		{"a", "false", JSON_KIND_BOOL},
	};
	struct json_scan scan;
	struct json_part part;
	struct slice name;
	enum json_kind kind;
	size_t count = 0;

	assert_true(json_scan_enter(
		&scan, SLICE_LITERAL("{\"a\":\"x\",\"\": -1,\"a\\u0062\":[],\"a\":false}"), &kind));
	assert_int_equal(kind, JSON_KIND_OBJECT);
	while (json_scan_next(&scan, &name, &part)) {
		assert_true(count < ARRAY_LEN(want));
		ASSERT_ROW(slice_equals(name, slice_from_text(want[count].name)), want[count].name);
		ASSERT_ROW(slice_equals(part.text, slice_from_text(want[count].value)),
			   want[count].value);
		ASSERT_ROW(part.kind == want[count].kind, want[count].value);
		count++;
	}
	assert_null(scan.error);
	assert_int_equal(count, ARRAY_LEN(want));
}

static void test_items_before_a_mistake_are_there(void **state)
{
	(void)state;
	struct json_scan scan;
	struct json_part part;
	struct slice name;
	enum json_kind kind;

	assert_true(json_scan_enter(&scan, SLICE_LITERAL("[1,\"a\",{\"b\":tru}]"), &kind));
	assert_true(json_scan_next(&scan, &name, &part));
	assert_true(json_scan_next(&scan, &name, &part));
	assert_true(slice_equals(part.text, SLICE_LITERAL("\"a\"")));
	for (int i = 0; i < 2; i++) {
		assert_false(json_scan_next(&scan, &name, &part));
		assert_string_equal(scan.error, "of words only true, false and null are known");
		assert_int_equal(scan.at, 12);
	}
}

static void test_only_containers_are_entered(void **state)
{
	(void)state;
	static const char *const texts[] = {"", " ", "1", "\"a\"", "]", "}", "x", "null"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct json_scan scan;
		enum json_kind kind = JSON_KIND_NONE;

		ASSERT_ROW(!json_scan_enter(&scan, slice_from_text(texts[i]), &kind), texts[i]);
		ASSERT_ROW(kind == JSON_KIND_NONE && scan.error == NULL, texts[i]);
	}
}

/* Against another parser. */

static const char alphabet[] = "{}[],:\"\\u0 1-.eEn/\x1f\0t";

/* Every text of up to four bytes of the alphabet, alone and inside a string. */
static void test_short_texts_are_judged_as_by_another_parser(void **state)
{
	(void)state;
	const size_t base = sizeof(alphabet) - 1;

	for (size_t len = 1, count = base; len <= 4; len++, count *= base)
		for (size_t n = 0; n < count; n++) {
			uint8_t text[6] = {'"', 0, 0, 0, 0, '"'};
			size_t rest = n;

			for (size_t i = 0; i < len; i++, rest /= base)
				text[1 + i] = (uint8_t)alphabet[rest % base];
			text[1 + len] = '"';
			if (!json_agrees(text + 1, len) || !json_agrees(text, len + 2))
				fail_msg("disagrees on %.*s", (int)len, text + 1);
		}
}

/* One byte of a good text replaced by each byte there is. */
static void test_changed_texts_are_judged_as_by_another_parser(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_texts); i++) {
		size_t len = strlen(good_texts[i]);
		uint8_t *text = malloc(len);

		memcpy(text, good_texts[i], len);
		for (size_t at = 0; at < len; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				text[at] = (uint8_t)byte;
				ASSERT_ROW(json_agrees(text, len), good_texts[i]);
			}
			text[at] = (uint8_t)good_texts[i][at];
		}
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_texts_are_accepted),
		cmocka_unit_test(test_scalars_are_whole_texts_too),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_mistakes_have_a_reason_and_a_place),
		cmocka_unit_test(test_items_of_an_array),
		cmocka_unit_test(test_members_of_an_object),
		cmocka_unit_test(test_items_before_a_mistake_are_there),
		cmocka_unit_test(test_only_containers_are_entered),
		cmocka_unit_test(test_short_texts_are_judged_as_by_another_parser),
		cmocka_unit_test(test_changed_texts_are_judged_as_by_another_parser),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
