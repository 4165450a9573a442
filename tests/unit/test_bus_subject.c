/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <ctype.h>
#include <errno.h>

#include "bus/bus_subject.h"

static const struct {
	const char *name;
	struct slice raw;
	const char *token;
} names[] = {
	{"plain", SLICE_LITERAL("Charger_1-a"), "Charger_1-a"},
	{"dots", SLICE_LITERAL("a.b"), "a%2Eb"},
	{"wildcards", SLICE_LITERAL("*>"), "%2A%3E"},
	{"space and line end", SLICE_LITERAL(" \r\n"), "%20%0D%0A"},
	{"NUL", SLICE_LITERAL("a\0b"), "a%00b"},
	{"percent", SLICE_LITERAL("%2E"), "%252E"},
	{"emoji", SLICE_LITERAL("\xf0\x9f\x9a\x97"), "%F0%9F%9A%97"},
	{"not UTF-8", SLICE_LITERAL("\xff\x80"), "%FF%80"},
	{"slash and tilde", SLICE_LITERAL("/~"), "%2F%7E"},
	{"dollar", SLICE_LITERAL("$SYS"), "%24SYS"},
};

static struct slice encode(struct slice raw, char *out)
{
	return slice_of(out, bus_token_encode(raw, out));
}

static void test_names_become_tokens_and_names_again(void **state)
{
	char token[BUS_TOKEN_MAX];
	uint8_t raw[BUS_NAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct slice encoded = encode(names[i].raw, token);

		ASSERT_ROW(slice_equals(encoded, slice_from_text(names[i].token)), names[i].name);
		ASSERT_ROW(
			slice_equals(slice_of(raw, bus_token_decode(encoded, raw)), names[i].raw),
			names[i].name);
	}
}

static void test_names_that_have_no_token(void **state)
{
	uint8_t long_name[BUS_NAME_MAX + 1];
	char token[BUS_TOKEN_MAX];

	(void)state;
	memset(long_name, '.', sizeof(long_name));
	assert_int_equal(bus_token_encode(slice_of(long_name, 0), token), 0);
	assert_int_equal(bus_token_encode(slice_of(long_name, BUS_NAME_MAX), token), BUS_TOKEN_MAX);
	assert_int_equal(bus_token_encode(slice_of(long_name, BUS_NAME_MAX + 1), token), 0);
}

static void test_tokens_that_nothing_encodes_to(void **state)
{
	static const char *const bad[] = {"",    "%",   "%4",  "%zz",   "%2e",     "%61",
					  "%5F", "a.b", "a*",  "a>",    "a b",     "~",
					  "%%",  "a%",  "%-1", "%2E%2", "\xc3\xbc"};
	uint8_t raw[BUS_NAME_MAX];
	uint8_t too_long[BUS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASSERT_ROW(bus_token_decode(slice_from_text(bad[i]), raw) == 0, bad[i]);
	memset(too_long, 'a', sizeof(too_long));
	assert_int_equal(bus_token_decode(slice_of(too_long, BUS_NAME_MAX), raw), BUS_NAME_MAX);
	assert_int_equal(bus_token_decode(slice_of(too_long, BUS_NAME_MAX + 1), raw), 0);
}

/* Every name of one and two bytes has a token of safe characters and no other name has
 * it: it decodes to the name it came from. */
static void test_all_short_names_keep_apart(void **state)
{
	(void)state;
	for (unsigned number = 0; number < 256 + 65536; number++) {
		uint8_t raw[2] = {(uint8_t)number, (uint8_t)((number - 256) >> 8)};
		uint8_t back[BUS_NAME_MAX];
		char token[BUS_TOKEN_MAX];
		struct slice name = slice_of(raw, number < 256 ? 1 : 2);
		struct slice encoded = encode(name, token);

		assert_true(encoded.len >= name.len && encoded.len <= 3 * name.len);
		for (size_t i = 0; i < encoded.len; i++)
			assert_true(encoded.data[i] == '%' || encoded.data[i] == '_' ||
				    encoded.data[i] == '-' ||
				    (encoded.data[i] < 0x80 && isalnum(encoded.data[i])));
		assert_true(slice_equals(slice_of(back, bus_token_decode(encoded, back)), name));
	}
}

static void test_subject_is_made_of_a_prefix_and_names(void **state)
{
	struct slice parts[] = {SLICE_LITERAL("ocpp"), SLICE_LITERAL("a.b *")};
	struct bus_subject subject = {.len = 77};

	(void)state;
	assert_int_equal(bus_subject_make("gatehouse.to", parts, 2, &subject), 0);
	assert_true(slice_equals(bus_subject_slice(&subject),
				 SLICE_LITERAL("gatehouse.to.ocpp.a%2Eb%20%2A")));
	assert_true(bus_subject_is_valid(bus_subject_slice(&subject)));
	assert_int_equal(bus_subject_make("alone", parts, 0, &subject), 0);
	assert_true(slice_equals(bus_subject_slice(&subject), SLICE_LITERAL("alone")));
	assert_int_equal(bus_subject_of_client("gatehouse.ctl", "ocpp", "a.b *", &subject), 0);
	assert_true(slice_equals(bus_subject_slice(&subject),
				 SLICE_LITERAL("gatehouse.ctl.ocpp.a%2Eb%20%2A")));
}

static void test_subject_that_cannot_be_made_is_left_alone(void **state)
{
	static uint8_t dots[BUS_NAME_MAX];
	struct slice longest = slice_of(dots, sizeof(dots));
	struct slice too_much[] = {longest, longest, longest};
	struct slice empty[] = {SLICE_LITERAL("a"), SLICE_LITERAL("")};
	struct bus_subject subject = {.len = 77};

	(void)state;
	memset(dots, '.', sizeof(dots));
	assert_int_equal(bus_subject_make("gatehouse.to", empty, 2, &subject), -EINVAL);
	assert_int_equal(bus_subject_make("gatehouse.to", too_much, 3, &subject), -EINVAL);
	assert_int_equal(subject.len, 77);
	assert_int_equal(bus_subject_make("gatehouse.to", too_much, 2, &subject), 0);
	assert_int_equal(subject.len, 12 + 2 * (1 + BUS_TOKEN_MAX));
}

static const struct {
	const char *name;
	struct slice subject;
	bool is_valid;
} subjects[] = {
	{"one token", SLICE_LITERAL("a"), true},
	{"three", SLICE_LITERAL("a.b-_%2E.$JS"), true},
	{"empty", SLICE_LITERAL(""), false},
	{"dot", SLICE_LITERAL("."), false},
	{"first empty", SLICE_LITERAL(".a"), false},
	{"last empty", SLICE_LITERAL("a."), false},
	{"middle empty", SLICE_LITERAL("a..b"), false},
	{"star", SLICE_LITERAL("a.*"), false},
	{"star inside", SLICE_LITERAL("a*b"), false},
	{"rest", SLICE_LITERAL(">"), false},
	{"space", SLICE_LITERAL("a b"), false},
	{"tab", SLICE_LITERAL("a\tb"), false},
	{"NUL", SLICE_LITERAL("a\0b"), false},
	{"DEL", SLICE_LITERAL("a\x7f"), false},
	{"not ASCII", SLICE_LITERAL("\xc3\xbc"), false},
};

static void test_valid_subjects(void **state)
{
	uint8_t longest[BUS_SUBJECT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(subjects); i++)
		ASSERT_ROW(bus_subject_is_valid(subjects[i].subject) == subjects[i].is_valid,
			   subjects[i].name);
	memset(longest, 'a', sizeof(longest));
	assert_true(bus_subject_is_valid(slice_of(longest, BUS_SUBJECT_MAX)));
	assert_false(bus_subject_is_valid(slice_of(longest, BUS_SUBJECT_MAX + 1)));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_become_tokens_and_names_again),
		cmocka_unit_test(test_names_that_have_no_token),
		cmocka_unit_test(test_tokens_that_nothing_encodes_to),
		cmocka_unit_test(test_all_short_names_keep_apart),
		cmocka_unit_test(test_subject_is_made_of_a_prefix_and_names),
		cmocka_unit_test(test_subject_that_cannot_be_made_is_left_alone),
		cmocka_unit_test(test_valid_subjects),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
