/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/bytes.h"
#include "proto/utf8.h"
#include "proto/ws_close.h"

/* RFC 6455, 7.4, and the IANA registry for 1012..1014. */
static bool rule(unsigned code)
{
	switch (code) {
	case 1004: /* reserved */
	case 1005: /* never on the wire */
	case 1006: /* never on the wire */
	case 1015: /* never on the wire */
		return false;
	default:
		return (code >= 1000 && code <= 1014) || (code >= 3000 && code <= 4999);
	}
}

static void test_all_codes_against_the_rule(void **state)
{
	(void)state;
	for (unsigned code = 0; code <= UINT16_MAX; code++) {
		uint8_t body[2];
		uint16_t got = 7;
		struct slice reason;

		assert_int_equal(ws_close_code_is_valid((uint16_t)code), rule(code));
		be_write(body, 2, code);
		assert_int_equal(ws_close_parse(slice_of(body, 2), &got, &reason),
				 rule(code) ? 0 : WS_CLOSE_PROTOCOL);
		assert_int_equal(got, rule(code) ? code : 7);
	}
}

static void test_body_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *body;
		size_t len;
		uint16_t want; /* 0: good */
		uint16_t code;
		size_t reason_len;
	} rows[] = {
		{"empty", "", 0, 0, WS_CLOSE_NO_STATUS, 0},
		{"one byte", "\x03", 1, WS_CLOSE_PROTOCOL, 0, 0},
		{"code only", "\x03\xe8", 2, 0, 1000, 0},
		{"code and reason", "\x03\xe9gone", 6, 0, 1001, 4},
		{"reason in UTF-8", "\x0f\xa0\xc3\xa4", 4, 0, 4000, 2},
		{"reason cut inside a character", "\x03\xe8\xc3", 3, WS_CLOSE_BAD_DATA, 0, 0},
		{"reason not UTF-8", "\x03\xe8\xff", 3, WS_CLOSE_BAD_DATA, 0, 0},
		{"bad code before bad reason", "\x03\xed\xff", 3, WS_CLOSE_PROTOCOL, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint8_t *copy = malloc(rows[i].len > 0 ? rows[i].len : 1);
		uint16_t code = 7;
		struct slice reason = {0};

		memcpy(copy, rows[i].body, rows[i].len);
		ASSERT_ROW(ws_close_parse(slice_of(copy, rows[i].len), &code, &reason) ==
				   rows[i].want,
			   rows[i].name);
		ASSERT_ROW(code == (rows[i].want == 0 ? rows[i].code : 7), rows[i].name);
		ASSERT_ROW(reason.len == rows[i].reason_len, rows[i].name);
		free(copy);
	}
}

static void test_written_body_is_read(void **state)
{
	(void)state;
	uint8_t out[125];
	uint16_t code;
	struct slice reason;
	size_t len = ws_close_write(out, WS_CLOSE_GOING_AWAY, "server is draining");

	assert_int_equal(len, 20);
	assert_int_equal(ws_close_parse(slice_of(out, len), &code, &reason), 0);
	assert_int_equal(code, WS_CLOSE_GOING_AWAY);
	assert_true(slice_equals(reason, SLICE_LITERAL("server is draining")));
	assert_int_equal(ws_close_write(out, WS_CLOSE_NO_STATUS, "unused"), 0);
	assert_int_equal(ws_close_write(out, WS_CLOSE_NORMAL, ""), 2);
}

/* 0..3 ASCII bytes in front move the edge through every place of a character. */
static void test_long_reason_is_cut_between_characters(void **state)
{
	(void)state;
	static const char *const characters[] = {"x", "\xc3\xa4", "\xe2\x82\xac",
						 "\xf0\x9f\x98\x80"};

	for (size_t i = 0; i < ARRAY_LEN(characters); i++)
		for (size_t shift = 0; shift < 4; shift++) {
			char text[400] = "aaa";
			uint8_t out[125];
			size_t width = strlen(characters[i]);

			text[shift] = 0;
			for (size_t k = 0; k < 80; k++)
				memcpy(text + shift + k * width, characters[i], width + 1);
			size_t len = ws_close_write(out, 1000, text);
			size_t whole = MIN(strlen(text), shift + (123 - shift) / width * width);

			assert_int_equal(len, 2 + whole);
			assert_true(utf8_is_valid(out + 2, len - 2));
			assert_memory_equal(out + 2, text, len - 2);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_codes_against_the_rule),
		cmocka_unit_test(test_body_table),
		cmocka_unit_test(test_written_body_is_read),
		cmocka_unit_test(test_long_reason_is_cut_between_characters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
