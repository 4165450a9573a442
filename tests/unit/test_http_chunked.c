/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "base/buf.h"
#include "proto/http_chunked.h"

/* Decodes pieces of `step` bytes, each in an exact-size copy of its own. *out_used: where the
 * decoder stopped. */
static enum http_chunked_event decode(struct http_chunked *chunked, struct slice text, size_t step,
				      struct buf *out, size_t *out_used)
{
	enum http_chunked_event event = HTTP_CHUNKED_MORE;
	size_t at = 0;

	http_chunked_init(chunked);
	while (event == HTTP_CHUNKED_MORE && at < text.len) {
		size_t size = MIN(step, text.len - at), left = size;
		uint8_t *copy = malloc(size);
		const uint8_t *in = copy;
		struct slice data;

		memcpy(copy, text.data + at, size);
		while ((event = http_chunked_next(chunked, &in, &left, &data)) ==
		       HTTP_CHUNKED_DATA) {
			assert_true(data.len > 0);
			assert_int_equal(buf_append(out, data.data, data.len, SIZE_MAX), 0);
		}
		at += size - left;
		free(copy);
	}
	*out_used = at;
	return event;
}

static const struct {
	const char *name;
	const char *text;
	const char *data; /* NULL: bad */
	size_t rest;      /* [bytes] behind the body */
} rows[] = {
	{"nothing", "0\r\n\r\n", "", 0},
	{"one chunk", "5\r\nhello\r\n0\r\n\r\n", "hello", 0},
	{"two chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!", 0},
	{"what follows is left", "1\r\na\r\n0\r\n\r\nGET /", "a", 5},
	{"digits of both cases", "0A\r\n0123456789\r\n00b\r\nabcdefghijk\r\n0\r\n\r\n",
	 "0123456789abcdefghijk", 0},
	{"many zeros", "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", "a", 0},
	{"data that looks like chunks", "7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", "0\r\n\r\n0\r", 0},
	{"extension", "1;a=b\r\nx\r\n0;c\r\n\r\n", "x", 0},
	{"extension in quotes", "1;a=\"b;\\\" c\"\r\nx\r\n0\r\n\r\n", "x", 0},
	{"blanks before an extension", "1 \t;a\r\nx\r\n0\r\n\r\n", "x", 0},
	{"bytes over 127 in an extension", "1;\xff\r\nx\r\n0\r\n\r\n", "x", 0},
	{"trailer", "1\r\nx\r\n0\r\nA: b\r\n\r\n", "x", 0},
	{"two trailers", "0\r\nA:\r\nB:\tc d\xff\r\n\r\nrest", "", 4},

	{"no size", "\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"an extension and no size", ";a\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"blank first", " 1\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"sign", "+1\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"0x", "0x1\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"no hexadecimal digit", "g\r\n", NULL, 0},
	{"blank behind the size", "1 \r\nx\r\n0\r\n\r\n", NULL, 0},
	{"two numbers", "1 1\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"16 digits are a size", "ffffffffffffffff\r\nx", "x", 0},
	{"17 digits", "00000000000000001\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"size ends in LF", "1\nx\r\n0\r\n\r\n", NULL, 0},
	{"size ends in CR", "1\rx\r\n0\r\n\r\n", NULL, 0},
	{"LF in an extension", "1;a\nx\r\n0\r\n\r\n", NULL, 0},
	{"CR in an extension", "1;a\rb\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"NUL-like control in an extension", "1;a\x01\r\nx\r\n0\r\n\r\n", NULL, 0},
	{"chunk too long", "1\r\nxy\r\n0\r\n\r\n", NULL, 0},
	{"chunk too short", "3\r\nxy\r\n0\r\n\r\n", NULL, 0},
	{"data ends in LF", "1\r\nx\n0\r\n\r\n", NULL, 0},
	{"data ends in CR", "1\r\nx\rx0\r\n\r\n", NULL, 0},
	{"body ends in LF", "0\r\n\n", NULL, 0},
	{"body ends in CR", "0\r\n\rx", NULL, 0},
	{"trailer without colon", "0\r\nA\r\n\r\n", NULL, 0},
	{"trailer without name", "0\r\n: a\r\n\r\n", NULL, 0},
	{"folded trailer", "0\r\nA: b\r\n c\r\n\r\n", NULL, 0},
	{"blank before the colon of a trailer", "0\r\nA : b\r\n\r\n", NULL, 0},
	{"LF in a trailer", "0\r\nA: b\n\r\n", NULL, 0},
	{"CR in a trailer", "0\r\nA: b\rc\r\n\r\n", NULL, 0},
	{"control character in a trailer", "0\r\nA: \x7f\r\n\r\n", NULL, 0},
};

static void test_table_whole_and_in_all_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice text = slice_from_text(rows[i].text);

		for (size_t step = 1; step <= text.len; step++) {
			struct http_chunked chunked;
			struct buf out = {0};
			size_t used;
			enum http_chunked_event event = decode(&chunked, text, step, &out, &used);
			const char *data = rows[i].data;
			bool is_open = strcmp(rows[i].name, "16 digits are a size") == 0;

			ASSERT_ROW(event == (data == NULL ? HTTP_CHUNKED_BAD
					     : is_open    ? HTTP_CHUNKED_MORE
							  : HTTP_CHUNKED_END),
				   rows[i].name);
			ASSERT_ROW((chunked.problem != NULL) == (data == NULL), rows[i].name);
			if (data != NULL) {
				ASSERT_ROW(slice_equals(buf_slice(&out), slice_from_text(data)),
					   rows[i].name);
				ASSERT_ROW(used == text.len - rows[i].rest, rows[i].name);
			}
			buf_finish(&out);
		}
	}
}

/* Every proper prefix of a good body asks for more, and hands out what is there. */
static void test_every_prefix_asks_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t end = rows[i].data == NULL ? 0 : strlen(rows[i].text) - rows[i].rest;

		for (size_t cut = 1; cut < end; cut++) {
			struct http_chunked chunked;
			struct buf out = {0};
			size_t used;
			struct slice text = slice_of(rows[i].text, cut);

			ASSERT_ROW(decode(&chunked, text, cut, &out, &used) == HTTP_CHUNKED_MORE,
				   rows[i].name);
			ASSERT_ROW(used == cut, rows[i].name);
			ASSERT_ROW(out.len <= strlen(rows[i].data), rows[i].name);
			buf_finish(&out);
		}
	}
}

/* Appends `count` times. */
static void repeat(struct buf *text, const char *part, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buf_append(text, part, strlen(part), SIZE_MAX), 0);
}

/* The limits are of the whole body, not of one line. */
static void test_extensions_and_trailers_are_limited(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *part; /* of `cost` bytes that count */
		const char *end;
		size_t cost;
		size_t max;
	} limits[] = {
		{"one extension", "x", "\r\na\r\n0\r\n\r\n", 1, HTTP_CHUNK_EXTENSIONS_MAX},
		{"many extensions", "\r\na\r\n1;x", "\r\na\r\n0\r\n\r\n", 1,
		 HTTP_CHUNK_EXTENSIONS_MAX},
		{"one trailer", "x", ":\r\n\r\n", 1, HTTP_TRAILERS_MAX - strlen(":\r\r")},
		{"many trailers", "x:\r\n", "\r\n", 3, HTTP_TRAILERS_MAX - strlen("\r")},
	};
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		for (size_t over = 0; over <= 1; over++) {
			struct buf text = {0}, out = {0};
			struct http_chunked chunked;
			size_t used;

			repeat(&text,
			       limits[i].cost == 1 && limits[i].max == HTTP_CHUNK_EXTENSIONS_MAX
				       ? "1;"
				       : "0\r\n",
			       1);
			repeat(&text, limits[i].part, limits[i].max / limits[i].cost + over);
			repeat(&text, limits[i].end, 1);
			ASSERT_ROW(decode(&chunked, buf_slice(&text), text.len, &out, &used) ==
					   (over ? HTTP_CHUNKED_BAD : HTTP_CHUNKED_END),
				   limits[i].name);
			buf_finish(&text);
			buf_finish(&out);
		}
}

static void test_after_the_end_nothing_is_taken(void **state)
{
	(void)state;
	static const char *const texts[] = {"0\r\n\r\n", "x"};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct http_chunked chunked;
		struct buf out = {0};
		size_t used, left = 3;
		enum http_chunked_event event = decode(&chunked, slice_from_text(texts[i]), 9, &out,
						       &used);
		const uint8_t more[] = "1\r\n", *in = more;
		struct slice untouched = SLICE_LITERAL("?");

		ASSERT_ROW(http_chunked_next(&chunked, &in, &left, &untouched) == event, texts[i]);
		ASSERT_ROW(in == more && left == 3 && untouched.data[0] == '?', texts[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_whole_and_in_all_steps),
		cmocka_unit_test(test_every_prefix_asks_for_more),
		cmocka_unit_test(test_extensions_and_trailers_are_limited),
		cmocka_unit_test(test_after_the_end_nothing_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
