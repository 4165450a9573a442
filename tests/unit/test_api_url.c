/* SPDX-License-Identifier: Apache-2.0
 * test_api_url.c - paths and queries of the API: decoded, matched, refused by name. */
#include "unit.h"

#include "admin/api/api_url.h"

static const struct {
	const char *name;
	const char *raw;
	enum api_place place;
	const char *wrong; /* NULL: good */
	const char *want;
} values[] = {
	{"plain", "charger-1", API_IN_PATH, NULL, "charger-1"},
	{"empty", "", API_IN_QUERY, NULL, ""},
	{"slash and dots", "..%2F..%2fx", API_IN_PATH, NULL, "../../x"},
	{"space", "a%20b", API_IN_PATH, NULL, "a b"},
	{"plus in a path", "a+b", API_IN_PATH, NULL, "a+b"},
	{"plus in a query", "a+b%2B", API_IN_QUERY, NULL, "a b+"},
	{"emoji", "%F0%9F%94%8C", API_IN_PATH, NULL, "\xf0\x9f\x94\x8c"},
	{"percent itself", "100%25", API_IN_PATH, NULL, "100%"},
	{"NUL", "a%00b", API_IN_PATH, "has a control character", NULL},
	{"newline", "a%0ab", API_IN_PATH, "has a control character", NULL},
	{"DEL", "%7f", API_IN_PATH, "has a control character", NULL},
	{"next line of C1", "%C2%85", API_IN_PATH, "has a control character", NULL},
	{"no-break space, behind C1", "%C2%A0", API_IN_PATH, NULL, "\xc2\xa0"},
	{"cut escape", "a%2", API_IN_PATH, "has a '%' without two hexadecimal digits", NULL},
	{"no hex", "%zz", API_IN_PATH, "has a '%' without two hexadecimal digits", NULL},
	{"lone continuation", "%80", API_IN_PATH, "is not UTF-8", NULL},
	{"surrogate", "%ED%A0%80", API_IN_PATH, "is not UTF-8", NULL},
	{"cut character", "%F0%9F", API_IN_PATH, "is not UTF-8", NULL},
};

/* In memory of its exact size, so that a read behind the end is seen. */
static struct slice exact(const char *text)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, text, len);
	return slice_of(copy, len);
}

static void test_values_are_decoded_or_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct api_value value = {.text = "untouched", .len = 9};
		struct slice raw = exact(values[i].raw);
		const char *wrong = api_value_decode(raw, values[i].place, &value);

		if (values[i].wrong == NULL) {
			ASSERT_ROW(wrong == NULL, values[i].name);
			ASSERT_ROW(strcmp(value.text, values[i].want) == 0, values[i].name);
			ASSERT_ROW(value.len == strlen(values[i].want), values[i].name);
		} else {
			ASSERT_ROW(wrong != NULL && strcmp(wrong, values[i].wrong) == 0,
				   values[i].name);
			ASSERT_ROW(strcmp(value.text, "untouched") == 0, values[i].name);
		}
		free((void *)raw.data);
	}
}

static void test_a_value_has_at_most_255_bytes(void **state)
{
	(void)state;
	char raw[3 * (API_VALUE_MAX + 1) + 1];
	struct api_value value;

	for (size_t i = 0; i <= API_VALUE_MAX; i++)
		memcpy(raw + 3 * i, "%41", 4);
	assert_string_equal(api_value_decode(slice_from_text(raw), API_IN_PATH, &value),
			    "is longer than 255 bytes");
	raw[3 * API_VALUE_MAX] = 0;
	assert_null(api_value_decode(slice_from_text(raw), API_IN_PATH, &value));
	assert_int_equal(value.len, API_VALUE_MAX);
}

static void test_paths_match_segment_by_segment(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		const char *path;
		bool want;
		const char *raw[2];
	} rows[] = {
		{"node", "node", true, {NULL, NULL}},
		{"node", "nodes", false, {NULL, NULL}},
		{"node", "node/", false, {NULL, NULL}},
		{"node", "", false, {NULL, NULL}},
		{"clients/{a}/{b}", "clients/ws/x", true, {"ws", "x"}},
		{"clients/{a}/{b}", "clients/ws/a%2Fb", true, {"ws", "a%2Fb"}},
		{"clients/{a}/{b}", "clients/ws", false, {NULL, NULL}},
		{"clients/{a}/{b}", "clients/ws/", false, {NULL, NULL}},
		{"clients/{a}/{b}", "clients//x", false, {NULL, NULL}},
		{"clients/{a}/{b}", "clients/ws/x/y", false, {NULL, NULL}},
		{"clients/{a}/{b}/close", "clients/ws/x/close", true, {"ws", "x"}},
		{"clients/{a}/{b}/close", "clients/ws/x/clos", false, {NULL, NULL}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice raw[2] = {{0}, {0}};
		struct slice path = exact(rows[i].path);

		ASSERT_ROW(api_path_matches(slice_from_text(rows[i].pattern), path, raw, 2) ==
				   rows[i].want,
			   rows[i].path);
		for (size_t j = 0; rows[i].want && j < 2 && rows[i].raw[j] != NULL; j++)
			ASSERT_ROW(slice_equals(raw[j], slice_from_text(rows[i].raw[j])),
				   rows[i].path);
		free((void *)path.data);
	}
}

static void test_a_query_fills_what_is_given(void **state)
{
	(void)state;
	struct api_param params[] = {{.name = "route"}, {.name = "limit"}, {.name = "prefix"}};
	struct api_query_problem problem;

	assert_true(api_query_parse(SLICE_LITERAL("limit=10&route=ws%2d1"), params, 3, &problem));
	assert_true(params[0].is_given);
	assert_string_equal(params[0].value.text, "ws-1");
	assert_string_equal(params[1].value.text, "10");
	assert_false(params[2].is_given);
	assert_true(api_query_parse(SLICE_LITERAL(""), NULL, 0, &problem));
}

static void test_a_bad_query_is_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *query;
		const char *detail;
		const char *seen;
	} rows[] = {
		{"rout=x", "The query has an unknown parameter; known here: route, limit.",
		 "rout=x"},
		{"limit=1&", "The query has an unknown parameter; known here: route, limit.", ""},
		{"limit=1&limit=2", "The parameter 'limit' is given twice.", "limit=2"},
		{"route=%00", "The parameter 'route' has a control character.", "route=%00"},
		{"=", "The query has an unknown parameter; known here: route, limit.", "="},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct api_param params[] = {{.name = "route"}, {.name = "limit"}};
		struct api_query_problem problem;

		ASSERT_ROW(!api_query_parse(slice_from_text(rows[i].query), params, 2, &problem),
			   rows[i].query);
		assert_string_equal(problem.detail, rows[i].detail);
		ASSERT_ROW(slice_equals(problem.seen, slice_from_text(rows[i].seen)),
			   rows[i].query);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_are_decoded_or_named),
		cmocka_unit_test(test_a_value_has_at_most_255_bytes),
		cmocka_unit_test(test_paths_match_segment_by_segment),
		cmocka_unit_test(test_a_query_fills_what_is_given),
		cmocka_unit_test(test_a_bad_query_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
