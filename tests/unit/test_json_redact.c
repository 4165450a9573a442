/* SPDX-License-Identifier: Apache-2.0
 * test_json_redact.c - JSON without what must not be seen. Each case is tried, too, with every
 * smaller room to write to: what is cut has been redacted before. */
#include "proto/json_redact.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/json_scan.h"
#include "proto/utf8.h"
#include "unit.h"

#define TEXT_SIZE (JSON_REDACT_TEXT_MAX + 1)

static struct json_redact_rules rules_of(const char *const names[])
{
	struct json_redact_rules rules = {0};

	for (size_t i = 0; names[i] != NULL; i++)
		assert_true(json_redact_add(&rules, slice_from_text(names[i])));
	return rules;
}

static struct json_redact_rules the_rules(void)
{
	static const char *const names[] = {"*password*",       "idTag", "*token", "pin*",
					    "AuthorizationKey", NULL};

	return rules_of(names);
}

/* Exactly as much memory as is needed. */
struct outcome {
	enum json_redact_result result;
	struct json_redacted done;
	uint8_t *out;
};

static struct outcome redact(const struct json_redact_rules *rules, struct slice text, size_t max)
{
	struct outcome outcome = {.out = malloc(max + 1)};
	uint8_t *copy = malloc(text.len + 1), *room = malloc(text.len + 1);

	memcpy(copy, text.data, text.len);
	outcome.result = json_redact(rules, slice_of(copy, text.len), room, outcome.out, max,
				     &outcome.done);
	free(copy);
	free(room);
	return outcome;
}

static const struct {
	const char *name, *text, *want;
	size_t hidden;
} cases[] = {
	{"nothing to hide", "{\"a\": [1, \"b\", null, true]}", "{\"a\": [1, \"b\", null, true]}",
	 0},
	{"a member", "{\"password\":\"x\",\"b\":1}", "{\"password\":\"***\",\"b\":1}", 1},
	{"any case", "{\"PassWord\":\"x\"}", "{\"PassWord\":\"***\"}", 1},
	{"an escaped name", "{\"\\u0070assword\":\"x\"}", "{\"\\u0070assword\":\"***\"}", 1},
	{"an escaped capital", "{\"p\\u0041ssword\":\"x\"}", "{\"p\\u0041ssword\":\"***\"}", 1},
	{"a longer name", "{\"newPassword2\":\"x\"}", "{\"newPassword2\":\"***\"}", 1},
	{"only the whole name", "{\"idTagInfo\":{\"status\":\"Accepted\"}}",
	 "{\"idTagInfo\":{\"status\":\"Accepted\"}}", 0},
	{"star behind", "{\"pinCode\":1,\"spin\":2}", "{\"pinCode\":\"***\",\"spin\":2}", 1},
	{"star before", "{\"idToken\":1,\"tokenType\":2}", "{\"idToken\":\"***\",\"tokenType\":2}",
	 1},
	{"twice", "{\"idTag\":\"a\",\"idTag\":\"b\"}", "{\"idTag\":\"***\",\"idTag\":\"***\"}", 2},
	{"nested", "[{\"a\":{\"b\":[{\"idTag\":\"x\"}]}}]",
	 "[{\"a\":{\"b\":[{\"idTag\":\"***\"}]}}]", 1},
	{"an object", "{\"idToken\":{\"idToken\":\"x\",\"n\":[1,{}]},\"b\":2}",
	 "{\"idToken\":\"***\",\"b\":2}", 1},
	{"an array", "{\"idTag\" : [\"a\",\"b\"] ,\"c\":2}", "{\"idTag\" : \"***\" ,\"c\":2}", 1},
	{"null and numbers", "{\"pin\":null,\"pin\":-1.5e3,\"pin\":true}",
	 "{\"pin\":\"***\",\"pin\":\"***\",\"pin\":\"***\"}", 3},
	{"space", " { \"idTag\"\n:\t\"x\" } ", " { \"idTag\"\n:\t\"***\" } ", 1},
	{"a string with a quote", "{\"idTag\":\"a\\\"b\\\\\",\"c\":1}",
	 "{\"idTag\":\"***\",\"c\":1}", 1},

	/* Where the name is a value. */
	{"ChangeConfiguration",
	 "[2,\"1\",\"ChangeConfiguration\",{\"key\":\"AuthorizationKey\",\"value\":\"s3\"}]",
	 "[2,\"1\",\"ChangeConfiguration\",{\"key\":\"AuthorizationKey\",\"value\":\"***\"}]", 1},
	{"the value first", "{\"value\":\"s3\",\"key\":\"AuthorizationKey\",\"readonly\":false}",
	 "{\"value\":\"***\",\"key\":\"AuthorizationKey\",\"readonly\":false}", 1},
	{"GetConfiguration",
	 "{\"configurationKey\":[{\"key\":\"A\",\"value\":\"1\"},{\"key\":\"AuthorizationKey\","
	 "\"value\":\"s3\"}]}",
	 "{\"configurationKey\":[{\"key\":\"A\",\"value\":\"1\"},{\"key\":\"AuthorizationKey\","
	 "\"value\":\"***\"}]}",
	 1},
	{"SetVariables",
	 "{\"setVariableData\":[{\"attributeValue\":\"s3\",\"component\":{\"name\":\"Sec\"},"
	 "\"variable\":{\"name\":\"BasicAuthPassword\"}},{\"attributeValue\":\"1\"}]}",
	 "{\"setVariableData\":[{\"attributeValue\":\"***\",\"component\":{\"name\":\"***\"},"
	 "\"variable\":{\"name\":\"BasicAuthPassword\"}},{\"attributeValue\":\"1\"}]}",
	 2},
	{"objects in objects", "{\"v\":\"s3\",\"a\":{\"b\":{\"name\":\"idTag\"}},\"n\":5}",
	 "{\"v\":\"***\",\"a\":{\"b\":{\"name\":\"idTag\"}},\"n\":\"***\"}", 2},
	{"an escaped value", "{\"key\":\"\\u0069dTag\",\"value\":1}",
	 "{\"key\":\"\\u0069dTag\",\"value\":\"***\"}", 1},
	{"pairs", "[[\"idTag\",\"x\"],[\"b\",\"y\"]]", "[[\"***\",\"***\"],[\"b\",\"y\"]]", 2},
	{"it may be the secret itself", "{\"key\":\"idTag\",\"value\":\"MyPassword1\"}",
	 "{\"key\":\"idTag\",\"value\":\"***\"}", 1},
	{"below", "{\"key\":\"idTag\",\"v\":{\"w\":[\"s\",1]}}",
	 "{\"key\":\"idTag\",\"v\":{\"w\":[\"***\",\"***\"]}}", 2},

	{"behind one in a hidden member",
	 "[{\"idTag\":{\"key\":\"idTag\"}},{\"key\":\"idTag\",\"v\":\"s\"}]",
	 "[{\"idTag\":\"***\"},{\"key\":\"idTag\",\"v\":\"***\"}]", 2},

	/* Names of several parts. */
	{"a part of a name", "{\"Connector1.AuthorizationKey[0]\":\"s\",\"a.b\":1}",
	 "{\"Connector1.AuthorizationKey[0]\":\"***\",\"a.b\":1}", 1},
	{"a part of a name as a value", "{\"key\":\"Sec/AuthorizationKey\",\"value\":\"s\"}",
	 "{\"key\":\"***\",\"value\":\"***\"}", 2},
	{"space around one", "{\"key\":\" idTag\\n\",\"value\":\"s\"}",
	 "{\"key\":\"***\",\"value\":\"***\"}", 2},
	{"not a part", "{\"key\":\"Sec/AuthorizationKeyLength\",\"value\":5,\"a.idTags\":6}",
	 "{\"key\":\"***\",\"value\":5,\"a.idTags\":6}", 1},
	{"no more than separators", "{\"..\":1,\"\":\"://\"}", "{\"..\":1,\"\":\"://\"}", 0},

	/* Secrets by themselves. */
	{"a URL with a user", "{\"location\":\"ftp://cs:s3@h/fw.bin\",\"retries\":2}",
	 "{\"location\":\"***\",\"retries\":2}", 1},
	{"one behind another", "[\"see http://h/a, https://s3@h\"]", "[\"***\"]", 1},
	{"a URL without one", "[\"https://h/a@b?c=@d#@\",\"a@b://\",\"x://y z@\"]",
	 "[\"https://h/a@b?c=@d#@\",\"a@b://\",\"x://y z@\"]", 0},
	{"a signed token", "{\"auth\":\"Bearer eyJhbGciOiJub25lIn0.e30.\"}", "{\"auth\":\"***\"}",
	 1},
	{"a word like its begin", "[\"eyJ\",\"keyJ1\"]", "[\"eyJ\",\"keyJ1\"]", 0},

	/* Text in text. */
	{"JSON in a string", "{\"data\":\"{\\\"password\\\":\\\"x\\\"}\"}", "{\"data\":\"***\"}",
	 1},
	{"escaped in a string", "{\"data\":\"{\\\"\\\\u0070assword\\\":1}\"}", "{\"data\":\"***\"}",
	 1},
	{"in the middle", "{\"url\":\"https://x/?Password=y\"}", "{\"url\":\"***\"}", 1},
	{"JSON without secrets", "{\"data\":\"{\\\"a\\\":1}\"}", "{\"data\":\"{\\\"a\\\":1}\"}", 0},
	{"a whole string", "\"the password is x\"", "\"***\"", 1},
	{"a number", "17", "17", 0},
	{"a mark", "\xef\xbb\xbf{\"idTag\":1}", "\xef\xbb\xbf{\"idTag\":\"***\"}", 1},
	{"empty", "{}", "{}", 0},
	{"other letters", "{\"é\":\"\xf0\x9f\x94\x91\",\"idTag\":\"é\"}",
	 "{\"é\":\"\xf0\x9f\x94\x91\",\"idTag\":\"***\"}", 1},
};

static void test_cases(void **state)
{
	struct json_redact_rules rules = the_rules();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct slice text = slice_from_text(cases[i].text);
		struct slice want = slice_from_text(cases[i].want);

		for (size_t max = 0; max <= want.len + 2; max++) {
			struct outcome got = redact(&rules, text, max);

			ASSERT_ROW(got.result == JSON_REDACT_DONE, cases[i].name);
			ASSERT_ROW(got.done.len <= max, cases[i].name);
			ASSERT_ROW(got.done.is_cut == (max < want.len), cases[i].name);
			ASSERT_ROW(memcmp(got.out, want.data, got.done.len) == 0, cases[i].name);
			ASSERT_ROW(got.done.len + 4 > MIN(max, want.len), cases[i].name);
			ASSERT_ROW(utf8_is_valid(got.out, got.done.len), cases[i].name);
			if (max >= want.len)
				ASSERT_ROW(got.done.len == want.len &&
						   got.done.hidden == cases[i].hidden,
					   cases[i].name);
			free(got.out);
		}
	}
}

/* Half a document may have its secret anywhere. */
static void test_what_is_no_json(void **state)
{
	static const char *const texts[] = {
		"",
		"password=x",
		"{\"password\":\"x\"",
		"{\"a\":1}{\"idTag\":2}",
		"{'idTag':1}",
		"{\"idTag\":01}",
		"\"\\ud800\"",
		"nul",
		"{\"a\":\"\x01\"}",
	};
	struct json_redact_rules rules = the_rules();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct outcome got = redact(&rules, slice_from_text(texts[i]), 100);

		ASSERT_ROW(got.result == JSON_REDACT_NOT_JSON, texts[i]);
		ASSERT_ROW(got.done.len == 0, texts[i]);
		free(got.out);
	}
}

/* Every cut of a good text, too. */
static void test_every_cut(void **state)
{
	struct json_redact_rules rules = the_rules();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = strlen(cases[i].text);

		for (size_t cut = 0; cut < len; cut++) {
			struct outcome got = redact(&rules, slice_of(cases[i].text, cut), 400);

			if (got.result == JSON_REDACT_DONE) /* a shorter number, less space */
				ASSERT_ROW(memcmp(got.out, cases[i].want, got.done.len) == 0,
					   cases[i].name);
			free(got.out);
		}
	}
}

static void test_bounds(void **state)
{
	struct json_redact_rules rules = the_rules();
	char *text = malloc(TEXT_SIZE);
	struct outcome got;

	(void)state;
	memset(text, ' ', TEXT_SIZE);
	text[0] = '1';
	got = redact(&rules, slice_of(text, JSON_REDACT_TEXT_MAX), 10);
	assert_int_equal(got.result, JSON_REDACT_DONE);
	free(got.out);
	got = redact(&rules, slice_of(text, JSON_REDACT_TEXT_MAX + 1), 10);
	assert_int_equal(got.result, JSON_REDACT_TOO_LARGE);
	free(got.out);

	/* As deep as may be, and one more. */
	for (unsigned depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
		size_t len = 0;

		for (unsigned i = 0; i < depth; i++)
			len += (size_t)snprintf(text + len, TEXT_SIZE - len, "{\"a\":");
		len += (size_t)snprintf(text + len, TEXT_SIZE - len, "\"idTag\"");
		memset(text + len, '}', depth);
		got = redact(&rules, slice_of(text, len + depth), 1000);
		assert_int_equal(got.result,
				 depth == JSON_DEPTH_MAX ? JSON_REDACT_DONE : JSON_REDACT_NOT_JSON);
		free(got.out);
	}

	/* More marked containers than can be kept track of. */
	for (unsigned count = 256; count <= 257; count++) {
		size_t len = (size_t)snprintf(text, TEXT_SIZE, "[0");

		for (unsigned i = 0; i < count; i++)
			len += (size_t)snprintf(text + len, TEXT_SIZE - len,
						",{\"key\":\"idTag\",\"value\":\"s3\"}");
		len += (size_t)snprintf(text + len, TEXT_SIZE - len, "]");
		got = redact(&rules, slice_of(text, len), JSON_REDACT_TEXT_MAX);
		assert_int_equal(got.result,
				 count == 256 ? JSON_REDACT_DONE : JSON_REDACT_TOO_MUCH);
		if (count == 256)
			assert_int_equal(got.done.hidden, 256);
		free(got.out);
	}
	free(text);
}

static void test_rules(void **state)
{
	static const char *const bad[] = {
		"",      "*",
		"**",    "a*b",
		"*a*b*", "0123456789012345678901234567890123456789012345678901234567890123x"};
	struct json_redact_rules rules = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASSERT_ROW(!json_redact_add(&rules, slice_from_text(bad[i])), bad[i]);
	for (size_t i = 0; i < JSON_REDACT_RULES_MAX; i++)
		assert_true(json_redact_add(&rules, SLICE_LITERAL("*name*")));
	assert_false(json_redact_add(&rules, SLICE_LITERAL("name")));

	struct json_redact_rules some = the_rules();

	assert_true(json_redact_mentions(&some, SLICE_LITERAL("my PASSWORD is")));
	assert_true(json_redact_mentions(&some, SLICE_LITERAL("idtagx")));
	assert_false(json_redact_mentions(&some, SLICE_LITERAL("passwor")));
	assert_false(json_redact_mentions(&some, SLICE_LITERAL("")));
}

/* Without rules all JSON is shown. */
static void test_no_rules(void **state)
{
	struct json_redact_rules rules = {0};
	const char *text = "{\"password\":\"x\",\"a\":\"password x\"}";
	struct outcome got = redact(&rules, slice_from_text(text), 100);

	(void)state;
	assert_int_equal(got.done.len, strlen(text));
	assert_memory_equal(got.out, text, got.done.len);
	free(got.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),     cmocka_unit_test(test_what_is_no_json),
		cmocka_unit_test(test_every_cut), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_rules),     cmocka_unit_test(test_no_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
