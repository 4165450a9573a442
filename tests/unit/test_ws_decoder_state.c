/* SPDX-License-Identifier: Apache-2.0
 * test_ws_decoder_state.c - a decoder that goes on in another process: wherever its input is cut,
 * what comes out is the same; and what no decoder has written is refused. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "proto/ws_decoder.h"
#include "proto/ws_mask.h"

#define MAX_SIZE  100000
#define STATE_MAX (1 << 20)

/* --- what comes out, as text --- */

struct record {
	char text[4096];
	size_t len;
};

static void record_add(struct record *record, enum ws_event event, const struct ws_event_data *data)
{
	int len = snprintf(record->text + record->len, sizeof(record->text) - record->len,
			   "%d:%u:%u:%zu(%.*s)", event,
			   event == WS_EVENT_MESSAGE ? data->opcode : 0,
			   event >= WS_EVENT_CLOSE ? data->close_code : 0, data->bytes.len,
			   (int)MIN(data->bytes.len, (size_t)40), (const char *)data->bytes.data);

	record->len += (size_t)len;
	assert_true(record->len < sizeof(record->text));
}

/* False: the peer broke the rules. */
static bool feed(struct ws_decoder *decoder, enum ws_role self, const uint8_t *bytes, size_t len,
		 struct record *record)
{
	uint8_t *copy = malloc(len > 0 ? len : 1), *in = copy;
	struct ws_event_data data;
	enum ws_event event;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	while ((event = ws_decoder_next(decoder, self, MAX_SIZE, &in, &len, &data)) !=
		       WS_EVENT_MORE &&
	       event != WS_EVENT_ERROR)
		record_add(record, event, &data);
	if (event == WS_EVENT_ERROR)
		record_add(record, event, &data);
	free(copy);
	return event != WS_EVENT_ERROR;
}

/* Another one goes on in its place; from a copy of exactly that size. */
static void move(struct ws_decoder *decoder, enum ws_role self)
{
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;

	state_writer_init(&writer, &buf, STATE_MAX);
	ws_decoder_export(decoder, &writer);
	assert_int_equal(writer.error, 0);
	assert_true(ws_decoder_is_idle(decoder) == (buf.len == 0));
	ws_decoder_finish(decoder);
	uint8_t *copy = malloc(buf.len > 0 ? buf.len : 1);

	assert_non_null(copy);
	if (buf.len > 0)
		memcpy(copy, buf.data, buf.len);
	state_reader_init(&reader, slice_of(copy, buf.len));
	assert_int_equal(ws_decoder_import(decoder, self, &reader), 0);
	assert_true(ws_decoder_is_idle(decoder) == (buf.len == 0));
	free(copy);
	buf_finish(&buf);
}

/* --- inputs --- */

struct stream {
	uint8_t bytes[70000];
	size_t len;
};

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

/* `first` is the first byte of the head: FIN and opcode. */
static void put(struct stream *stream, enum ws_role to, uint8_t first, const void *payload,
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

static const struct {
	const char *name;
	struct {
		uint8_t first;
		const char *payload;
	} frames[6]; /* up to first == 0 */
} inputs[] = {
	{"text", {{0x81, "Hello \xe2\x82\xac and \xf0\x9f\x98\x80!"}, {0x82, "x"}}},
	{"empty", {{0x81, ""}, {0x82, ""}, {0x89, ""}}},
	{"fragments",
	 {{0x01, "a\xe2"}, {0x89, "beat"}, {0x10, "\x82"}, {0x8a, "q"}, {0x80, "\xac."}}},
	{"binary", {{0x02, "\xff\xfe"}, {0x10, ""}, {0x10, "\xe2\x82"}, {0x80, "\xff"}}},
	{"close", {{0x81, "bye"}, {0x88, "\x03\xe8going"}}},
	{"not UTF-8", {{0x01, "ab\xf4"}, {0x10, ""}, {0x80, "\x90"}}},
	{"cut off in a character", {{0x81, "\xe2\x82"}}},
	{"message in a message", {{0x01, "ab"}, {0x81, "c"}}},
	{"bad close code", {{0x88, "\x03\xed"}}},
	{"no such opcode", {{0x82, "x"}, {0x83, "c"}}},
};

/* A continuation without FIN is 0x10 in the table, where 0 is its end. */
static void build(struct stream *stream, size_t i, enum ws_role to)
{
	stream->len = 0;
	for (size_t k = 0; k < ARRAY_LEN(inputs[i].frames) && inputs[i].frames[k].first != 0; k++)
		put(stream, to, inputs[i].frames[k].first & (uint8_t)~0x10,
		    inputs[i].frames[k].payload, strlen(inputs[i].frames[k].payload));
}

static struct record whole(const struct stream *stream, enum ws_role self)
{
	struct ws_decoder decoder;
	struct record record = {.len = 0};

	ws_decoder_init(&decoder);
	feed(&decoder, self, stream->bytes, stream->len, &record);
	ws_decoder_finish(&decoder);
	return record;
}

static void move_at(const struct stream *stream, enum ws_role self, size_t cut, const char *want,
		    const char *name)
{
	struct ws_decoder decoder;
	struct record record = {.len = 0};

	ws_decoder_init(&decoder);
	if (feed(&decoder, self, stream->bytes, cut, &record)) {
		move(&decoder, self);
		feed(&decoder, self, stream->bytes + cut, stream->len - cut, &record);
	}
	ASSERT_ROW(strcmp(record.text, want) == 0, name);
	ws_decoder_finish(&decoder);
}

/* Behind each byte it goes to another process. */
static void move_always(const struct stream *stream, enum ws_role self, const char *want,
			const char *name)
{
	struct ws_decoder decoder;
	struct record record = {.len = 0};

	ws_decoder_init(&decoder);
	for (size_t i = 0; i < stream->len && feed(&decoder, self, stream->bytes + i, 1, &record);
	     i++)
		move(&decoder, self);
	ASSERT_ROW(strcmp(record.text, want) == 0, name);
	ws_decoder_finish(&decoder);
}

static void test_goes_on_at_every_byte(void **state)
{
	(void)state;
	static const enum ws_role roles[] = {WS_SERVER, WS_CLIENT};
	static struct stream stream;

	for (size_t i = 0; i < ARRAY_LEN(inputs); i++)
		for (size_t k = 0; k < ARRAY_LEN(roles); k++) {
			build(&stream, i, roles[k]);
			struct record want = whole(&stream, roles[k]);

			for (size_t cut = 0; cut <= stream.len; cut++)
				move_at(&stream, roles[k], cut, want.text, inputs[i].name);
			move_always(&stream, roles[k], want.text, inputs[i].name);
		}
}

/* Heads of all three lengths, and places in the mask that are no multiples of 4. */
static void test_goes_on_in_long_messages(void **state)
{
	(void)state;
	static struct stream stream;
	static uint8_t payload[66000];

	for (size_t i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7);
	put(&stream, WS_SERVER, 0x02, payload, 300);
	put(&stream, WS_SERVER, 0x80, payload, sizeof(payload));
	struct record want = whole(&stream, WS_SERVER);

	for (size_t cut = 0; cut < 340; cut++)
		move_at(&stream, WS_SERVER, cut, want.text, "long");
	for (size_t cut = 340; cut < stream.len; cut += 331)
		move_at(&stream, WS_SERVER, cut, want.text, "long");
}

/* A limit that is lower by now counts from the next bytes on. */
static void test_a_lower_limit(void **state)
{
	(void)state;
	static const uint8_t bytes[] = "\x02\x85"
				       "abcdefghi\x80\x81"
				       "abcdx";
	struct ws_decoder decoder;
	struct record record = {.len = 0};
	uint8_t rest[] = "\x80\x81"
			 "abcdx",
		*in = rest;
	size_t len = sizeof(rest) - 1;
	struct ws_event_data data;

	ws_decoder_init(&decoder);
	assert_true(feed(&decoder, WS_SERVER, bytes, 11, &record));
	move(&decoder, WS_SERVER);
	assert_int_equal(ws_decoder_next(&decoder, WS_SERVER, 3, &in, &len, &data), WS_EVENT_ERROR);
	assert_int_equal(data.close_code, 1009);
	ws_decoder_finish(&decoder);
}

/* --- what is refused --- */

struct field {
	uint16_t tag;
	const char *value;
	size_t len;
};

#define FIELD(tag, value)                     \
	{                                     \
		tag, value, sizeof(value) - 1 \
	}

static const struct {
	const char *name;
	int want;
	struct field fields[8]; /* up to tag == 0 */
} records[] = {
	{"nothing", 0, {{0}}},
	{"an unknown tag", 0, {FIELD(0x7000, "what")}},
	{"one that must be understood", -ENOTSUP, {FIELD(0xf000, "")}},
	{"a text", 0, {FIELD(1, "\x01"), FIELD(2, "a\xe2")}},
	{"a text that is none", -EBADMSG, {FIELD(1, "\x01"), FIELD(2, "a\xff")}},
	{"bytes", 0, {FIELD(1, "\x02"), FIELD(2, "a\xff")}},
	{"a message twice", -EBADMSG, {FIELD(1, "\x02"), FIELD(2, "a"), FIELD(2, "b")}},
	{"a message of no kind", -EBADMSG, {FIELD(2, "a")}},
	{"a message of no such kind", -EBADMSG, {FIELD(1, "\x08")}},
	{"a kind too large", -EBADMSG, {FIELD(1, "\x01\x01")}},
	{"a number that is none", -EBADMSG, {FIELD(1, "\x01\0\0\0\0\0\0\0\0")}},
	{"part of a head", 0, {FIELD(8, "\x81\xfe\x01")}},
	{"a whole head", -EBADMSG, {FIELD(8, "\x81\x85mask")}},
	{"a head and more", -EBADMSG, {FIELD(8, "\x81\x85maskab")}},
	{"a head that is wrong", -EBADMSG, {FIELD(8, "\x83")}},
	{"a head that is too long", -EBADMSG, {FIELD(8, "\x81\xff\0\0\0\0\0\1\0\0mask-")}},
	{"in a frame",
	 0,
	 {FIELD(1, "\x02"), FIELD(2, "ab"), FIELD(3, "\x02"), FIELD(4, "\x05"), FIELD(5, "\x02"),
	  FIELD(6, "mask"), FIELD(7, "\x01")}},
	{"beyond its end",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(2, "ab"), FIELD(3, "\x02"), FIELD(4, "\x02"), FIELD(5, "\x02"),
	  FIELD(6, "mask")}},
	{"without a mask",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(2, "ab"), FIELD(3, "\x02"), FIELD(4, "\x05"), FIELD(5, "\x02")}},
	{"a mask too short",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(3, "\x02"), FIELD(4, "\x05"), FIELD(6, "mas")}},
	{"more bytes than came",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(2, "a"), FIELD(3, "\x02"), FIELD(4, "\x05"), FIELD(5, "\x02"),
	  FIELD(6, "mask")}},
	{"a frame of another message",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(3, "\x01"), FIELD(4, "\x05"), FIELD(6, "mask")}},
	{"a continuation of nothing", -EBADMSG, {FIELD(3, ""), FIELD(4, "\x05"), FIELD(6, "mask")}},
	{"a frame of 2^63 bytes",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(3, "\x02"), FIELD(4, "\0\0\0\0\0\0\0\x80"), FIELD(6, "mask")}},
	{"a frame and a head",
	 -EBADMSG,
	 {FIELD(1, "\x02"), FIELD(3, "\x02"), FIELD(4, "\x05"), FIELD(6, "mask"),
	  FIELD(8, "\x81")}},
	{"a ping",
	 0,
	 {FIELD(3, "\x09"), FIELD(4, "\x05"), FIELD(5, "\x02"), FIELD(6, "mask"), FIELD(7, "\x01"),
	  FIELD(9, "ab")}},
	{"a ping that is not its frame's",
	 -EBADMSG,
	 {FIELD(3, "\x09"), FIELD(4, "\x05"), FIELD(5, "\x02"), FIELD(6, "mask"), FIELD(7, "\x01"),
	  FIELD(9, "abc")}},
	{"a ping in fragments", -EBADMSG, {FIELD(3, "\x09"), FIELD(4, "\x05"), FIELD(6, "mask")}},
	{"a large ping",
	 -EBADMSG,
	 {FIELD(3, "\x09"), FIELD(4, "\x7e"), FIELD(6, "mask"), FIELD(7, "\x01")}},
	{"a ping of no frame", -EBADMSG, {FIELD(9, "ab")}},
};

static void test_what_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(records); i++) {
		struct buf buf = {0};
		struct state_writer writer;
		struct state_reader reader;
		struct ws_decoder decoder;

		state_writer_init(&writer, &buf, STATE_MAX);
		for (const struct field *field = records[i].fields; field->tag != 0; field++)
			state_put_bytes(&writer, field->tag, slice_of(field->value, field->len));
		state_reader_init(&reader, buf_slice(&buf));
		ws_decoder_init(&decoder);
		ASSERT_ROW(ws_decoder_import(&decoder, WS_SERVER, &reader) == records[i].want,
			   records[i].name);
		ASSERT_ROW(records[i].want == 0 || ws_decoder_is_idle(&decoder), records[i].name);
		ws_decoder_finish(&decoder);
		buf_finish(&buf);
	}
}

/* Cut short, or with a byte that is another: it is refused, or it can go on; nothing else. */
static void test_garbled(void **state)
{
	(void)state;
	static struct stream stream;
	struct ws_decoder decoder;
	struct record record = {.len = 0};
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;

	build(&stream, 2, WS_SERVER);
	ws_decoder_init(&decoder);
	assert_true(feed(&decoder, WS_SERVER, stream.bytes, 12, &record));
	state_writer_init(&writer, &buf, STATE_MAX);
	ws_decoder_export(&decoder, &writer);
	assert_int_equal(writer.error, 0);
	for (size_t cut = 0; cut < buf.len; cut++) {
		ws_decoder_finish(&decoder);
		state_reader_init(&reader, slice_of(buf.data, cut));
		if (ws_decoder_import(&decoder, WS_SERVER, &reader) < 0)
			assert_true(ws_decoder_is_idle(&decoder));
	}
	for (size_t at = 0; at < buf.len; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			ws_decoder_finish(&decoder);
			buf.data[at] ^= (uint8_t)(1u << bit);
			state_reader_init(&reader, buf_slice(&buf));
			record = (struct record){.len = 0};
			if (ws_decoder_import(&decoder, WS_SERVER, &reader) == 0)
				feed(&decoder, WS_SERVER, stream.bytes + 12, stream.len - 12,
				     &record);
			else
				assert_true(ws_decoder_is_idle(&decoder));
			buf.data[at] ^= (uint8_t)(1u << bit);
		}
	ws_decoder_finish(&decoder);
	buf_finish(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_goes_on_at_every_byte),
		cmocka_unit_test(test_goes_on_in_long_messages),
		cmocka_unit_test(test_a_lower_limit),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_garbled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
