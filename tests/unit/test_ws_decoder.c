/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "proto/ws_decoder.h"
#include "proto/ws_mask.h"

#define MAX_SIZE 1000

/* --- streams --- */

struct stream {
	uint8_t bytes[8192];
	size_t len;
};

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* `first` is the first byte of the head: FIN and opcode. */
static void put_frame(struct stream *stream, enum ws_role to, uint8_t first, const void *payload,
		      size_t len)
{
	uint8_t *at = stream->bytes + stream->len;
	size_t head_len = ws_frame_head_write(at, first & 0xf, len, to == WS_SERVER ? mask : NULL);

	at[0] = first;
	memcpy(at + head_len, payload, len);
	if (to == WS_SERVER)
		ws_mask_apply(at + head_len, len, mask, 0);
	stream->len += head_len + len;
	assert_true(stream->len <= sizeof(stream->bytes));
}

static void put_text_frame(struct stream *stream, uint8_t first, const char *payload)
{
	put_frame(stream, WS_SERVER, first, payload, strlen(payload));
}

/* --- what comes out, as text --- */

struct record {
	char text[16384];
	size_t len;
	bool has_failed;
};

static void record_add(struct record *record, enum ws_event event, const struct ws_event_data *data)
{
	static const char letters[] = {[WS_EVENT_PING] = 'p',
				       [WS_EVENT_PONG] = 'q',
				       [WS_EVENT_CLOSE] = 'c',
				       [WS_EVENT_ERROR] = 'E'};
	char letter = event != WS_EVENT_MESSAGE ? letters[event]
		      : data->opcode == WS_TEXT ? 't'
						: 'b';

	record->len += (size_t)snprintf(record->text + record->len,
					sizeof(record->text) - record->len, "%c", letter);
	if (event == WS_EVENT_CLOSE || event == WS_EVENT_ERROR)
		record->len += (size_t)snprintf(record->text + record->len,
						sizeof(record->text) - record->len, "%d",
						data->close_code);
	record->len += (size_t)snprintf(record->text + record->len,
					sizeof(record->text) - record->len, "(%.*s)",
					SLICE_ARG(data->bytes));
	if (event == WS_EVENT_ERROR) {
		assert_non_null(data->error);
		record->has_failed = true;
	}
}

/* Feeds an exact-size copy, so that the sanitizer sees a read past the end. */
static void feed(struct ws_decoder *decoder, enum ws_role self, const uint8_t *bytes, size_t len,
		 struct record *record)
{
	uint8_t *copy = malloc(len > 0 ? len : 1), *in = copy;
	struct ws_event_data data;
	enum ws_event event;

	memcpy(copy, bytes, len);
	while (!record->has_failed && (event = ws_decoder_next(decoder, self, MAX_SIZE, &in, &len,
							       &data)) != WS_EVENT_MORE)
		record_add(record, event, &data);
	assert_true(record->has_failed || len == 0);
	assert_true(decoder->message.cap <= MAX_SIZE);
	free(copy);
}

/* NULL: nothing was agreed on. */
static struct ws_inflater *inflater;

static void feed_in_three(const struct stream *stream, enum ws_role self, size_t a, size_t b,
			  struct record *record)
{
	struct ws_decoder decoder;

	*record = (struct record){0};
	ws_decoder_init(&decoder);
	ws_decoder_inflates_by(&decoder, inflater, NULL);
	feed(&decoder, self, stream->bytes, a, record);
	feed(&decoder, self, stream->bytes + a, b - a, record);
	feed(&decoder, self, stream->bytes + b, stream->len - b, record);
	ws_decoder_finish(&decoder);
}

static void feed_by_bytes(const struct stream *stream, enum ws_role self, struct record *record)
{
	struct ws_decoder decoder;

	*record = (struct record){0};
	ws_decoder_init(&decoder);
	ws_decoder_inflates_by(&decoder, inflater, NULL);
	for (size_t i = 0; i < stream->len; i++)
		feed(&decoder, self, stream->bytes + i, 1, record);
	ws_decoder_finish(&decoder);
}

/* Whole, byte by byte and in all two and three pieces. */
static void expect(const struct stream *stream, enum ws_role self, const char *want)
{
	static struct record record;

	feed_by_bytes(stream, self, &record);
	assert_string_equal(record.text, want);
	size_t step = stream->len > 200 ? 37 : 1;

	for (size_t a = 0; a <= stream->len; a += step)
		for (size_t b = a; b <= stream->len; b += step) {
			feed_in_three(stream, self, a, b, &record);
			assert_string_equal(record.text, want);
		}
}

/* --- tests --- */

static void test_rfc6455_examples(void **state)
{
	(void)state;
	struct stream unmasked = {.bytes = "\x81\x05Hello\x01\x03Hel\x80\x02lo\x89\x05Hello",
				  .len = 7 + 5 + 4 + 7};
	struct stream masked = {.bytes = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
					 "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
				.len = 22};

	expect(&unmasked, WS_CLIENT, "t(Hello)t(Hello)p(Hello)");
	expect(&masked, WS_SERVER, "t(Hello)q(Hello)");
}

static void text_append(char *text, size_t size, const char *more)
{
	size_t len = strlen(text);

	assert_true(len + strlen(more) < size);
	memcpy(text + len, more, strlen(more) + 1);
}

static void test_control_frames_at_every_place_between_fragments(void **state)
{
	(void)state;
	static const char *const parts[] = {"Hel", "", "lo \xe2", "\x82\xac", ""};

	for (unsigned places = 0; places < 1u << (ARRAY_LEN(parts) + 1); places++) {
		struct stream stream = {.len = 0};
		char want[200] = "";

		for (size_t i = 0; i <= ARRAY_LEN(parts); i++) {
			if (places & 1u << i) {
				put_text_frame(&stream, 0x80 | WS_PING, "beat");
				if (i < ARRAY_LEN(parts))
					text_append(want, sizeof(want), "p(beat)");
			}
			if (i < ARRAY_LEN(parts))
				put_text_frame(&stream,
					       (uint8_t)((i == 0 ? WS_TEXT : WS_CONTINUATION) |
							 (i + 1 == ARRAY_LEN(parts) ? 0x80 : 0)),
					       parts[i]);
		}
		text_append(want, sizeof(want), "t(Hello \xe2\x82\xac)");
		if (places & 1u << ARRAY_LEN(parts))
			text_append(want, sizeof(want), "p(beat)");
		expect(&stream, WS_SERVER, want);
	}
}

static void test_frame_sequences(void **state)
{
	(void)state;
	static const struct {
		const char *want;
		struct {
			uint8_t first;
			const char *payload;
		} frames[5]; /* up to first == 0 with no payload */
	} rows[] = {
		{"t()", {{0x81, ""}}},
		{"b()b(x)", {{0x82, ""}, {0x82, "x"}}},
		{"t()", {{0x01, ""}, {0x00, ""}, {0x80, ""}}},
		{"t(ab)", {{0x01, "a"}, {0x00, ""}, {0x80, "b"}}},
		{"t(b)", {{0x01, ""}, {0x80, "b"}}},
		{"p()q()", {{0x89, ""}, {0x8a, ""}}},
		{"c1000(bye)",
		 {{0x88, "\x03\xe8"
			 "bye"}}},
		{"c1005()", {{0x88, ""}}},
		{"E1002()", {{0x88, "\x03"}}},
		{"E1002()", {{0x88, "\x03\xed"}}},
		{"E1007()", {{0x88, "\x03\xe8\xff"}}},
		{"E1002()", {{0x80, "x"}}}, /* continues nothing */
		{"E1002()", {{0x00, "x"}}},
		{"t(x)E1002()", {{0x81, "x"}, {0x80, "y"}}},
		{"E1002()", {{0x01, "x"}, {0x81, "y"}}}, /* message in a message */
		{"E1002()", {{0x01, "x"}, {0x02, "y"}}},
		{"E1002()", {{0x01, "x"}, {0x09, "y"}}}, /* fragmented ping */
		{"p(y)E1002()", {{0x01, "x"}, {0x89, "y"}, {0x83, "z"}}},
		{"E1002()", {{0xc1, "x"}}}, /* RSV1 */
		{"E1007()", {{0x81, "\xff"}}},
		{"E1007()", {{0x81, "ok \xe2\x82"}}}, /* ends in a character */
		{"E1007()", {{0x01, "\xe2"}, {0x80, ""}}},
		{"E1007()", {{0x01, "\xe2"}, {0x80, "(\xa1"}}},
		{"t(\xe2\x82\xac)", {{0x01, "\xe2"}, {0x00, "\x82"}, {0x80, "\xac"}}},
		{"b(\xff)t(x)", {{0x82, "\xff"}, {0x81, "x"}}}, /* binary is not checked */
		{"b(\xe2)t(x)", {{0x82, "\xe2"}, {0x81, "x"}}},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream stream = {.len = 0};

		for (size_t k = 0; k < 5 && rows[i].frames[k].payload != NULL; k++)
			put_text_frame(&stream, rows[i].frames[k].first, rows[i].frames[k].payload);
		expect(&stream, WS_SERVER, rows[i].want);
	}
}

/* How many bytes of the stream must come until the error shows. */
static size_t error_at(const struct stream *stream, enum ws_role self)
{
	struct ws_decoder decoder;
	static struct record record;
	size_t i;

	record = (struct record){0};
	ws_decoder_init(&decoder);
	for (i = 0; i < stream->len && !record.has_failed; i++)
		feed(&decoder, self, stream->bytes + i, 1, &record);
	assert_true(record.has_failed);
	ws_decoder_finish(&decoder);
	return i;
}

static void test_errors_come_with_the_first_bad_byte(void **state)
{
	(void)state;
	struct stream text = {.len = 0}, fragment = {.len = 0}, second = {.len = 0};

	put_text_frame(&text, 0x81, "good \xe2\x82\xac but \xed\xa0 not this, and more behind");
	assert_int_equal(error_at(&text, WS_SERVER), 6 + 5 + 3 + 5 + 2);
	put_text_frame(&fragment, 0x01, "\xf4\x90 and the rest");
	assert_int_equal(error_at(&fragment, WS_SERVER), 6 + 2);
	put_text_frame(&second, 0x01, "\xf4");
	put_text_frame(&second, 0x00, "\x90 and the rest");
	assert_int_equal(error_at(&second, WS_SERVER), 7 + 6 + 1);

	static const struct {
		const char *name;
		const char *bytes;
		size_t len;
		size_t at;
		enum ws_role self;
	} rows[] = {
		{"unknown opcode", "\x83\x80kkkk", 6, 1, WS_SERVER},
		{"RSV2", "\xa1\x80kkkk", 6, 1, WS_SERVER},
		{"continues nothing", "\x80\x80kkkk", 6, 1, WS_SERVER},
		{"fragmented close", "\x08\x80kkkk", 6, 1, WS_SERVER},
		{"not masked", "\x81\x05hello", 7, 2, WS_SERVER},
		{"masked", "\x81\x85kkkkhello", 11, 2, WS_CLIENT},
		{"ping of 126", "\x89\xfe\x00\x7ekkkk", 8, 2, WS_SERVER},
		{"2^63", "\x82\xff\x80\0\0\0\0\0\0\0kkkk", 14, 3, WS_SERVER},
		{"too big", "\x82\xfe\x03\xe9kkkk", 8, 4, WS_SERVER},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stream stream = {.len = rows[i].len};

		memcpy(stream.bytes, rows[i].bytes, rows[i].len);
		ASSERT_ROW(error_at(&stream, rows[i].self) == rows[i].at, rows[i].name);
	}
}

static void test_limit_holds_over_all_fragments(void **state)
{
	(void)state;
	uint8_t filler[MAX_SIZE + 1];
	struct stream exact = {.len = 0}, over = {.len = 0}, split = {.len = 0};
	char want[MAX_SIZE + 10];

	memset(filler, 'z', sizeof(filler));
	put_frame(&exact, WS_SERVER, 0x02, filler, 600);
	put_frame(&exact, WS_SERVER, 0x80, filler, 400);
	put_text_frame(&exact, 0x89, "p");
	snprintf(want, sizeof(want), "b(%.*s)p(p)", MAX_SIZE, (const char *)filler);
	expect(&exact, WS_SERVER, want);
	put_frame(&over, WS_SERVER, 0x82, filler, MAX_SIZE + 1);
	expect(&over, WS_SERVER, "E1009()");
	put_frame(&split, WS_SERVER, 0x02, filler, 600);
	put_frame(&split, WS_SERVER, 0x00, filler, 400);
	put_text_frame(&split, 0x89, "control frames do not count");
	put_text_frame(&split, 0x00, "");
	put_frame(&split, WS_SERVER, 0x80, filler, 1);
	expect(&split, WS_SERVER, "p(control frames do not count)E1009()");
}

/* Cut everywhere: between fragments, in a head, and in a payload. */
static void test_a_lowered_limit_fails_the_message_under_way(void **state)
{
	(void)state;
	struct stream stream = {.len = 0};

	put_text_frame(&stream, 0x02, "12345");
	put_text_frame(&stream, 0x80, "67890");
	for (size_t cut = 6 + 1; cut < stream.len; cut++) {
		struct ws_decoder decoder;
		struct stream copy = stream;
		struct ws_event_data data;
		uint8_t *in = copy.bytes;
		size_t len = cut;

		ws_decoder_init(&decoder);
		assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, 10, &in, &len, &data),
				 WS_EVENT_MORE);
		len = stream.len - cut;
		assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, 3, &in, &len, &data),
				 WS_EVENT_ERROR);
		assert_int_equal(data.close_code, 1009);
		ws_decoder_finish(&decoder);
	}
}

static void test_error_stays(void **state)
{
	(void)state;
	struct ws_decoder decoder;
	struct ws_event_data data;
	uint8_t bytes[] = "\x83\x81\x05Hello", *in = bytes;
	size_t len = 8;

	ws_decoder_init(&decoder);
	for (int i = 0; i < 3; i++) {
		data = (struct ws_event_data){0};
		assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, MAX_SIZE, &in, &len, &data),
				 WS_EVENT_ERROR);
		assert_int_equal(data.close_code, 1002);
		assert_string_equal(data.error, "the opcode is unknown");
		assert_false(ws_decoder_is_idle(&decoder));
	}
	ws_decoder_finish(&decoder);
	assert_true(ws_decoder_is_idle(&decoder));
}

static void test_whole_message_is_handed_out_where_it_lies(void **state)
{
	(void)state;
	struct ws_decoder decoder;
	struct stream stream = {.len = 0};
	struct ws_event_data data;
	uint8_t *in = stream.bytes;

	put_text_frame(&stream, 0x81, "Hello");
	put_text_frame(&stream, 0x82, "again");
	ws_decoder_init(&decoder);
	assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, MAX_SIZE, &in, &stream.len, &data),
			 WS_EVENT_MESSAGE);
	assert_ptr_equal(data.bytes.data, stream.bytes + 6);
	assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, MAX_SIZE, &in, &stream.len, &data),
			 WS_EVENT_MESSAGE);
	assert_ptr_equal(data.bytes.data, stream.bytes + 17);
	assert_null(decoder.message.data);
	assert_int_equal(stream.len, 0);
	assert_true(ws_decoder_is_idle(&decoder));
}

static void test_idle_only_between_messages(void **state)
{
	(void)state;
	struct ws_decoder decoder;
	struct stream stream = {.len = 0};
	struct ws_event_data data;

	put_text_frame(&stream, 0x01, "He");
	put_text_frame(&stream, 0x89, "ping");
	put_text_frame(&stream, 0x80, "llo");
	ws_decoder_init(&decoder);
	for (size_t i = 0; i < stream.len; i++) {
		uint8_t *in = stream.bytes + i;
		size_t len = 1;

		assert_int_equal(ws_decoder_is_idle(&decoder), i == 0);
		while (ws_decoder_next(&decoder, WS_SERVER, MAX_SIZE, &in, &len, &data) !=
		       WS_EVENT_MORE)
			assert_false(ws_decoder_is_idle(&decoder));
	}
	assert_true(ws_decoder_is_idle(&decoder));
	ws_decoder_finish(&decoder);
}

/* Wide registers, a length of 64 bits, and cuts inside characters and key turns. */
static void test_large_text_in_two_pieces(void **state)
{
	(void)state;
	enum { TEXT_LEN = 70000 };
	static char text[TEXT_LEN + 8];
	static uint8_t wire[TEXT_LEN + WS_FRAME_HEAD_MAX];
	size_t head_len = ws_frame_head_write(wire, WS_TEXT, TEXT_LEN, mask);

	for (size_t i = 0; i < TEXT_LEN; i += 7)
		memcpy(text + i, "\xf0\x9f\x98\x80\xe2\x82\xac", 7);
	memset(text + 700 * 7, 'a', 150 * 7);
	memset(text + TEXT_LEN - 7, 'z', 7);
	memcpy(wire + head_len, text, TEXT_LEN);
	ws_mask_apply(wire + head_len, TEXT_LEN, mask, 0);
	for (size_t cut = 0; cut <= head_len + TEXT_LEN; cut += cut < 100 ? 1 : 1009) {
		struct ws_decoder decoder;
		struct ws_event_data data;
		uint8_t *copy = malloc(sizeof(wire)), *in = copy;
		size_t len = cut;

		memcpy(copy, wire, sizeof(wire));
		ws_decoder_init(&decoder);
		assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, TEXT_LEN, &in, &len, &data),
				 WS_EVENT_MORE);
		len = head_len + TEXT_LEN - cut;
		assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, TEXT_LEN, &in, &len, &data),
				 WS_EVENT_MESSAGE);
		assert_int_equal(data.bytes.len, TEXT_LEN);
		assert_memory_equal(data.bytes.data, text, TEXT_LEN);
		ws_decoder_finish(&decoder);
		free(copy);
	}
}

/* A peer that announces much and sends little, or nothing at all many times. */
static void test_memory_follows_the_bytes_that_came(void **state)
{
	(void)state;
	struct ws_decoder decoder;
	struct ws_event_data data;
	uint8_t head[] = "\x82\x7f\0\0\0\0\x40\0\0\0 some";
	uint8_t *in = head;
	size_t len = 15;

	ws_decoder_init(&decoder);
	assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, UINT32_MAX, &in, &len, &data),
			 WS_EVENT_MORE);
	assert_true(decoder.message.cap <= 256);
	ws_decoder_finish(&decoder);

	for (int i = 0; i < 10000; i++) {
		uint8_t empty[] = {i == 0 ? 0x02 : 0x00, 0x00};

		in = empty;
		len = 2;
		assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, MAX_SIZE, &in, &len, &data),
				 WS_EVENT_MORE);
	}
	assert_int_equal(decoder.message.cap, 0);
	ws_decoder_finish(&decoder);
}

static void test_large_memory_is_given_back_small_is_kept(void **state)
{
	(void)state;
	static const size_t sizes[] = {1000, WS_DECODER_KEPT_MAX, WS_DECODER_KEPT_MAX + 1, 300000};

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct ws_decoder decoder;
		struct ws_event_data data;
		uint8_t *bytes = calloc(1, sizes[i] + WS_FRAME_HEAD_MAX), *in = bytes;
		size_t head_len = ws_frame_head_write(bytes, WS_BINARY, sizes[i], NULL);
		size_t len = head_len + sizes[i] - 1;

		ws_decoder_init(&decoder);
		assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, 1 << 20, &in, &len, &data),
				 WS_EVENT_MORE);
		len = 1;
		assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, 1 << 20, &in, &len, &data),
				 WS_EVENT_MESSAGE);
		assert_int_equal(data.bytes.len, sizes[i]);
		assert_int_equal(ws_decoder_next(&decoder, WS_CLIENT, 1 << 20, &in, &len, &data),
				 WS_EVENT_MORE);
		assert_true(ws_decoder_is_idle(&decoder));
		assert_int_equal(decoder.message.data != NULL, sizes[i] <= WS_DECODER_KEPT_MAX);
		ws_decoder_finish(&decoder);
		free(bytes);
	}
}

/* --- compressed messages --- */

#define HELLO "\xf2\x48\xcd\xc9\xc9\x07\x00" /* RFC 7692, 7.2.3.1 */

static const struct {
	const char *name;
	struct {
		uint8_t first; /* FIN, RSV and opcode */
		const char *payload;
		size_t len;
	} frames[4];
	const char *want;
} deflated[] = {
	{"whole", {{0xc1, HELLO, 7}, {0x81, "plain", 5}}, "t(Hello)t(plain)"},
	{"fragments, a ping between",
	 {{0x41, HELLO, 3}, {0x89, "p", 1}, {0x00, "", 0}, {0x80, "\xc9\xc9\x07\x00", 4}},
	 "p(p)t(Hello)"},
	{"binary", {{0xc2, HELLO, 7}, {0xc2, "\x00", 1}, {0xc2, "", 0}}, "b(Hello)b()b()"},
	{"RSV1 on a ping", {{0xc9, "", 0}}, "E1002()"},
	{"RSV1 on a continuation", {{0x41, HELLO, 3}, {0xc0, "", 0}}, "E1002()"},
	{"RSV2", {{0xa1, "", 0}}, "E1002()"},
	{"no DEFLATE data", {{0xc1, "\x07\x00", 2}}, "E1007()"},
	{"cut off", {{0xc1, HELLO, 4}}, "E1007()"},
	{"not UTF-8: a stored ff", {{0xc1, "\x00\x01\x00\xfe\xff\xff\x00", 7}}, "E1007()"},
	{"half a character", {{0xc1, "\x00\x01\x00\xfe\xff\xc3\x00", 7}}, "E1007()"},
};

static void test_compressed_messages(void **state)
{
	(void)state;
	inflater = ws_inflater_create();
	for (size_t i = 0; i < ARRAY_LEN(deflated); i++) {
		struct stream stream = {.len = 0};

		for (size_t k = 0; k < 4 && deflated[i].frames[k].payload != NULL; k++)
			put_frame(&stream, WS_SERVER, deflated[i].frames[k].first,
				  deflated[i].frames[k].payload, deflated[i].frames[k].len);
		expect(&stream, WS_SERVER, deflated[i].want);
	}
	ws_inflater_destroy(&inflater);
}

static void test_without_agreement_rsv1_is_an_error(void **state)
{
	(void)state;
	struct stream stream = {.len = 0};

	put_frame(&stream, WS_SERVER, 0xc1, HELLO, 7);
	expect(&stream, WS_SERVER, "E1002()");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc6455_examples),
		cmocka_unit_test(test_control_frames_at_every_place_between_fragments),
		cmocka_unit_test(test_frame_sequences),
		cmocka_unit_test(test_errors_come_with_the_first_bad_byte),
		cmocka_unit_test(test_limit_holds_over_all_fragments),
		cmocka_unit_test(test_a_lowered_limit_fails_the_message_under_way),
		cmocka_unit_test(test_error_stays),
		cmocka_unit_test(test_whole_message_is_handed_out_where_it_lies),
		cmocka_unit_test(test_idle_only_between_messages),
		cmocka_unit_test(test_large_text_in_two_pieces),
		cmocka_unit_test(test_memory_follows_the_bytes_that_came),
		cmocka_unit_test(test_large_memory_is_given_back_small_is_kept),
		cmocka_unit_test(test_compressed_messages),
		cmocka_unit_test(test_without_agreement_rsv1_is_an_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
