/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/slice.h"
#include "proto/utf8.h"
#include "proto/utf8_kernels.h"

/* After M. Kuhn's UTF-8 stress test. `bad_at`: the first byte that no valid
 * continuation can follow; -1: none; valid text ends at a character's edge. */
static const struct {
	const char *name;
	const char *text;
	int bad_at;
	bool is_cut; /* ends inside a character that is good so far */
} rows[] = {
	{"empty", "", -1, false},
	{"ASCII with all edges", "\x01 ~\x7f", -1, false},
	{"Greek", "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5", -1, false},
	{"U+0080, the first of two", "\xc2\x80", -1, false},
	{"U+0800, the first of three", "\xe0\xa0\x80", -1, false},
	{"U+10000, the first of four", "\xf0\x90\x80\x80", -1, false},
	{"U+07FF, the last of two", "\xdf\xbf", -1, false},
	{"U+FFFF, the last of three", "\xef\xbf\xbf", -1, false},
	{"U+10FFFF, the last of all", "\xf4\x8f\xbf\xbf", -1, false},
	{"U+D7FF, before the surrogates", "\xed\x9f\xbf", -1, false},
	{"U+E000, after the surrogates", "\xee\x80\x80", -1, false},
	{"U+FFFD", "\xef\xbf\xbd", -1, false},
	{"U+FFFE is a noncharacter, and valid", "\xef\xbf\xbe", -1, false},
	{"U+110000", "\xf4\x90\x80\x80", 1, false},
	{"U+140000", "\xf5\x80\x80\x80", 0, false},
	{"five bytes", "\xf8\x88\x80\x80\x80", 0, false},
	{"six bytes", "\xfc\x84\x80\x80\x80\x80", 0, false},
	{"fe", "\xfe", 0, false},
	{"ff", "\xff", 0, false},
	{"lone continuation 80", "\x80", 0, false},
	{"lone continuation bf", "\xbf", 0, false},
	{"continuation after ASCII", "a\x80", 1, false},
	{"one continuation too many", "\xc3\xa4\x80", 2, false},
	{"lead of two, then space", "\xc3 ", 1, false},
	{"lead of three, then space", "\xe1 ", 1, false},
	{"lead of four, then space", "\xf1 ", 1, false},
	{"two of three, then space", "\xe1\x80 ", 2, false},
	{"three of four, then space", "\xf1\x80\x80 ", 3, false},
	{"lead after lead", "\xc3\xc3", 1, false},
	{"overlong two, c0", "\xc0\xaf", 0, false},
	{"overlong two, c1", "\xc1\xbf", 0, false},
	{"overlong three", "\xe0\x80\xaf", 1, false},
	{"overlong three, the largest", "\xe0\x9f\xbf", 1, false},
	{"overlong four", "\xf0\x80\x80\xaf", 1, false},
	{"overlong four, the largest", "\xf0\x8f\xbf\xbf", 1, false},
	{"overlong NUL", "\xc0\x80", 0, false},
	{"surrogate U+D800", "\xed\xa0\x80", 1, false},
	{"surrogate U+DFFF", "\xed\xbf\xbf", 1, false},
	{"surrogate pair", "\xed\xa0\x80\xed\xb0\x80", 1, false},
	{"cut after one of two", "\xc3", -1, true},
	{"cut after one of three", "\xe2", -1, true},
	{"cut after two of three", "\xe2\x82", -1, true},
	{"cut after one of four", "\xf0", -1, true},
	{"cut after two of four", "\xf0\x9f", -1, true},
	{"cut after three of four", "\xf0\x9f\x98", -1, true},
	{"RFC 6455 torture: bad after good",
	 "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80"
	 "edited",
	 12, false},
};

/* The definition, as plain as it can be: RFC 3629, table of section 4. */
static bool plain_is_valid(const uint8_t *data, size_t len)
{
	for (size_t at = 0; at < len;) {
		uint8_t lead = data[at++];
		size_t more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
		uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
		static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};

		if ((lead >= 0x80 && lead < 0xc0) || lead >= 0xf8 || len - at < more)
			return false;
		for (size_t i = 0; i < more; i++, at++) {
			if ((data[at] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (data[at] & 0x3f);
		}
		if (point < smallest[more] || point > 0x10ffff ||
		    (point >= 0xd800 && point <= 0xdfff))
			return false;
	}
	return true;
}

/* An exact-size copy lets the sanitizer see a read past the end. */
static uint32_t feed_copy(uint32_t state, const void *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, data, len);
	state = utf8_feed(state, copy, len);
	free(copy);
	return state;
}

static void test_table_byte_by_byte_fails_at_the_first_bad_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint32_t now = UTF8_BOUNDARY;
		int bad_at = -1;

		for (size_t at = 0; at < strlen(rows[i].text) && bad_at < 0; at++) {
			now = feed_copy(now, rows[i].text + at, 1);
			if (now == UTF8_REJECT)
				bad_at = (int)at;
		}
		ASSERT_ROW(bad_at == rows[i].bad_at, rows[i].name);
		if (bad_at < 0)
			ASSERT_ROW((now != UTF8_BOUNDARY) == rows[i].is_cut, rows[i].name);
	}
}

/* In the middle of long text, so that each row meets the wide registers at each
 * place of a block; `filler` is one character. */
static void row_check_at_each_place(size_t row, const char *filler)
{
	size_t filler_len = strlen(filler), len = strlen(rows[row].text);
	uint8_t text[256];

	for (size_t before = 0; before <= 72; before += filler_len)
		for (size_t after = 0; after <= 66; after += 3 * filler_len) {
			size_t size = before + len + after;

			for (size_t i = 0; i < size; i += filler_len)
				memcpy(text + i, filler, filler_len);
			for (size_t i = 0; i < after; i += filler_len)
				memcpy(text + before + len + i, filler, filler_len);
			memcpy(text + before, rows[row].text, len);
			bool is_good = feed_copy(UTF8_BOUNDARY, text, size) == UTF8_BOUNDARY;

			ASSERT_ROW(is_good == plain_is_valid(text, size), rows[row].name);
			ASSERT_ROW(is_good == (rows[row].bad_at < 0 && !rows[row].is_cut),
				   rows[row].name);
			size_t good_len = before +
					  (rows[row].bad_at < 0 ? len : (size_t)rows[row].bad_at);

			ASSERT_ROW(feed_copy(UTF8_BOUNDARY, text, good_len) != UTF8_REJECT,
				   rows[row].name);
			if (rows[row].bad_at >= 0)
				ASSERT_ROW(feed_copy(UTF8_BOUNDARY, text, good_len + 1) ==
						   UTF8_REJECT,
					   rows[row].name);
		}
}

static void test_table_at_each_place_of_a_block(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		row_check_at_each_place(i, "a");
		row_check_at_each_place(i, "\xc3\xa4");
		row_check_at_each_place(i, "\xe2\x82\xac");
		row_check_at_each_place(i, "\xf0\x9f\x98\x80");
	}
}

static void test_every_cut_gives_the_same_state(void **state)
{
	(void)state;
	static const char text[] = "plain \xc3\xa4 and \xe2\x82\xac, \xf0\x9f\x98\x80 and a long "
				   "run of ASCII behind it \xe6\xbc\xa2\xe5\xad\x97\xed\x9f\xbf!";
	const size_t len = sizeof(text) - 1;

	for (size_t a = 0; a <= len; a++)
		for (size_t b = a; b <= len; b++) {
			uint32_t now = feed_copy(UTF8_BOUNDARY, text, a);

			assert_int_equal(now, feed_copy(UTF8_BOUNDARY, text, a));
			now = feed_copy(now, text + a, b - a);
			now = feed_copy(now, text + b, len - b);
			assert_int_equal(now, UTF8_BOUNDARY);
		}
}

/* All pairs and all triples of lead and second byte: both ends of every table. */
static void test_every_sequence_up_to_three_bytes(void **state)
{
	(void)state;
	static const uint8_t thirds[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
					 0xbf, 0xc0, 0xc2, 0xe0, 0xf0, 0xff};
	uint8_t block[64];

	memset(block, 'x', sizeof(block));
	for (unsigned pair = 0; pair < 65536; pair++) {
		block[30] = (uint8_t)(pair >> 8);
		block[31] = (uint8_t)pair;
		for (size_t i = 0; i < sizeof(thirds); i++) {
			block[32] = thirds[i];
			bool is_good = plain_is_valid(block, sizeof(block));

			if (utf8_is_valid(block, sizeof(block)) != is_good)
				fail_msg("%04x %02x", pair, thirds[i]);
		}
	}
}

/* A kernel may stop early, but never takes what is not whole and valid. */
static void test_kernels_take_only_whole_valid_characters(void **state)
{
	(void)state;
	uint32_t seed = 12345;
	static const char *const pieces[] = {"a",
					     "ASCII text that fills a register or so.",
					     "\xc3\xa4",
					     "\xe2\x82\xac",
					     "\xf0\x9f\x98\x80",
					     "\xff",
					     "\xed\xa0\x80",
					     "\xe2\x82"};

	for (unsigned round = 0; round < 20000; round++) {
		uint8_t text[256];
		size_t len = 0;
		/* Bad pieces (the last three) in a quarter of the rounds. */
		size_t choices = round % 4 == 0 ? ARRAY_LEN(pieces) : ARRAY_LEN(pieces) - 3;

		while (len < 200) {
			seed = seed * 1664525 + 1013904223;
			const char *piece = pieces[(seed >> 16) % choices];

			memcpy(text + len, piece, strlen(piece));
			len += strlen(piece);
		}
		for (size_t k = 0; k < utf8_kernel_count; k++) {
			if (!utf8_kernels[k].is_supported())
				continue;
			size_t run = utf8_kernels[k].run(text, len);

			ASSERT_ROW(run <= len, utf8_kernels[k].name);
			ASSERT_ROW(plain_is_valid(text, run), utf8_kernels[k].name);
		}
		assert_int_equal(utf8_is_valid(text, len), plain_is_valid(text, len));
	}
}

static void test_kernels_take_all_of_ascii(void **state)
{
	(void)state;
	for (size_t k = 0; k < utf8_kernel_count; k++) {
		if (!utf8_kernels[k].is_supported())
			continue;
		for (size_t len = 0; len <= 300; len++) {
			uint8_t *text = malloc(len + 1);

			memset(text, 'x', len + 1);
			ASSERT_ROW(utf8_kernels[k].run(text, len) == len, utf8_kernels[k].name);
			for (size_t at = 0; at < len; at++) {
				text[at] = 0x80;
				ASSERT_ROW(utf8_kernels[k].run(text, len) <= at,
					   utf8_kernels[k].name);
				text[at] = 'x';
			}
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_byte_by_byte_fails_at_the_first_bad_byte),
		cmocka_unit_test(test_table_at_each_place_of_a_block),
		cmocka_unit_test(test_every_cut_gives_the_same_state),
		cmocka_unit_test(test_every_sequence_up_to_three_bytes),
		cmocka_unit_test(test_kernels_take_only_whole_valid_characters),
		cmocka_unit_test(test_kernels_take_all_of_ascii),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
