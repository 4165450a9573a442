/* SPDX-License-Identifier: Apache-2.0
 * test_timestamp.c - points in time: both forms, and what is neither. */
#include "unit.h"

#include "base/timestamp.h"

static const struct {
	const char *name;
	const char *text;
	bool is_good;
	uint64_t want_ms;
} rows[] = {
	{"the epoch", "1970-01-01T00:00:00Z", true, 0},
	{"a second", "2026-11-30T18:05:09Z", true, 1796061909000},
	{"lower case", "2026-11-30t18:05:09z", true, 1796061909000},
	{"a space between", "2026-11-30 18:05:09Z", true, 1796061909000},
	{"a fraction", "2026-11-30T18:05:09.25Z", true, 1796061909250},
	{"finer than ms", "2026-11-30T18:05:09.123987654Z", true, 1796061909123},
	{"to the east", "2026-12-01T02:05:09+08:00", true, 1796061909000},
	{"to the east, decoded", "2026-12-01T02:05:09 08:00", true, 1796061909000},
	{"to the west", "2026-11-30T12:35:09-05:30", true, 1796061909000},
	{"leap day", "2024-02-29T00:00:00Z", true, 1709164800000},
	{"leap day of a century", "2000-02-29T23:59:59Z", true, 951868799000},
	{"leap second", "2016-12-31T23:59:60Z", true, 1483228800000},
	{"the last", "9999-12-31T23:59:59.999Z", true, 253402300799999},
	{"no leap day", "2026-02-29T00:00:00Z", false, 0},
	{"no leap day of a century", "2100-02-29T00:00:00Z", false, 0},
	{"month 0", "2026-00-01T00:00:00Z", false, 0},
	{"month 13", "2026-13-01T00:00:00Z", false, 0},
	{"day 31", "2026-04-31T00:00:00Z", false, 0},
	{"hour 24", "2026-04-30T24:00:00Z", false, 0},
	{"no zone", "2026-11-30T18:05:09", false, 0},
	{"a date alone", "2026-11-30", false, 0},
	{"no seconds", "2026-11-30T18:05Z", false, 0},
	{"a point alone", "2026-11-30T18:05:09.Z", false, 0},
	{"something behind", "2026-11-30T18:05:09Zx", false, 0},
	{"before the epoch", "1969-12-31T23:59:59Z", false, 0},
	{"before it by the zone", "1970-01-01T00:00:00+01:00", false, 0},
	{"after it by the zone", "9999-12-31T23:59:59-01:00", false, 0},
	{"seconds", "1796061909", true, 1796061909000},
	{"seconds with a fraction", "1796061909.5", true, 1796061909500},
	{"0", "0", true, 0},
	{"milliseconds", "1796061909000", false, 0},
	{"so many digits", "99999999999999999999999999999999", false, 0},
	{"negative", "-1", false, 0},
	{"a sign", "+5", false, 0},
	{"an exponent", "1e9", false, 0},
	{"empty", "", false, 0},
	{"a word", "yesterday", false, 0},
};

/* From memory of exactly that size. */
static bool parse(const char *text, size_t len, uint64_t *out_ms)
{
	uint8_t *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, text, len);
	bool is_good = timestamp_parse(slice_of(copy, len), out_ms);

	free(copy);
	return is_good;
}

static void test_each_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t ms = 77;

		ASSERT_ROW(parse(rows[i].text, strlen(rows[i].text), &ms) == rows[i].is_good,
			   rows[i].name);
		ASSERT_ROW(ms == (rows[i].is_good ? rows[i].want_ms : 77), rows[i].name);
		for (size_t cut = 0; cut < strlen(rows[i].text); cut++)
			(void)parse(rows[i].text, cut, &ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_form)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
