/* SPDX-License-Identifier: Apache-2.0
 * fuzz_api_url.c - the input as a value, as a path and as a query of the API. */
#include "fuzz.h"

#include <stdio.h>

#include "admin/api/api_url.h"
#include "proto/utf8.h"

/* What was taken is what it may be, and comes back from its escaped form. */
static void value_check(const struct api_value *value)
{
	char escaped[3 * API_VALUE_MAX + 1];
	struct api_value again;

	CHECK(value->len <= API_VALUE_MAX && strlen(value->text) == value->len);
	CHECK(utf8_is_valid((const uint8_t *)value->text, value->len));
	for (size_t i = 0; i < value->len; i++) {
		CHECK((uint8_t)value->text[i] >= ' ' && value->text[i] != 0x7f);
		snprintf(escaped + 3 * i, 4, "%%%02X", (uint8_t)value->text[i]);
	}
	CHECK(api_value_decode(slice_of(escaped, 3 * value->len), API_IN_QUERY, &again) == NULL);
	CHECK(again.len == value->len && memcmp(again.text, value->text, value->len) == 0);
}

static void decode_check(struct slice text, enum api_place place)
{
	struct api_value value = {.len = SIZE_MAX};

	if (api_value_decode(text, place, &value) == NULL)
		value_check(&value);
	else
		CHECK(value.len == SIZE_MAX);
}

static void path_check(struct slice text)
{
	static const char *const patterns[] = {"node", "clients/{a}/{b}", "clients/{a}/{b}/close"};
	unsigned matches = 0;

	for (size_t i = 0; i < ARRAY_LEN(patterns); i++) {
		struct slice raw[2] = {{0}, {0}};

		if (!api_path_matches(slice_from_text(patterns[i]), text, raw, 2))
			continue;
		matches++;
		for (size_t j = 0; i > 0 && j < 2; j++) {
			CHECK(raw[j].len > 0 && raw[j].data >= text.data);
			CHECK(raw[j].data + raw[j].len <= text.data + text.len);
			CHECK(memchr(raw[j].data, '/', raw[j].len) == NULL);
		}
	}
	CHECK(matches <= 1);
}

static void query_check(struct slice text)
{
	struct api_param params[] = {{.name = "a"}, {.name = "limit"}};
	struct api_query_problem problem = {.detail = ""};
	bool is_good = api_query_parse(text, params, ARRAY_LEN(params), &problem);

	CHECK(is_good == (problem.detail[0] == 0));
	for (size_t i = 0; i < ARRAY_LEN(params); i++)
		if (params[i].is_given)
			value_check(&params[i].value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	struct slice text = slice_of(copy, size);

	decode_check(text, API_IN_PATH);
	decode_check(text, API_IN_QUERY);
	path_check(text);
	query_check(text);
	free(copy);
	return 0;
}
