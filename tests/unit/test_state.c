/* SPDX-License-Identifier: Apache-2.0
 * test_state.c - state.h: what is written comes back; what is cut, foreign or too much is refused.
 */
#include "unit.h"

#include <errno.h>

#include "base/payload.h"
#include "base/state.h"

#define ROOMY 100000

static struct state_writer writer_of(struct buf *buf, size_t max)
{
	struct state_writer writer;

	state_writer_init(&writer, buf, max);
	return writer;
}

/* The next field of the reader's, which must be there. */
static struct state_field next_of(struct state_reader *reader)
{
	struct state_field field;

	assert_true(state_next(reader, &field));
	return field;
}

/* --- numbers --- */

static void test_numbers_take_what_they_need(void **state)
{
	(void)state;
	static const struct {
		uint64_t value;
		size_t len;
	} rows[] = {
		{0, 0},
		{1, 1},
		{255, 1},
		{256, 2},
		{0xffffff, 3},
		{UINT32_MAX, 4},
		{UINT64_C(1) << 32, 5},
		{UINT64_MAX >> 8, 7},
		{UINT64_MAX, 8},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf buf = {0};
		struct state_writer writer = writer_of(&buf, ROOMY);
		struct state_reader reader;
		uint64_t value = 77;

		state_put_u64(&writer, (uint16_t)(i + 1), rows[i].value);
		assert_int_equal(writer.error, 0);
		assert_int_equal(buf.len, STATE_HEAD + rows[i].len);
		state_reader_init(&reader, buf_slice(&buf));
		struct state_field field = next_of(&reader);

		assert_int_equal(field.tag, i + 1);
		assert_true(state_u64(&field, &value));
		assert_true(value == rows[i].value);
		state_wipe(&buf);
	}
}

/* Whoever writes them longer is understood, up to 8 bytes. */
static void test_long_numbers(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {5, 1, 0, 0, 0, 0, 0, 0, 0};
	uint64_t value = 77;

	assert_true(state_u64(&(struct state_field){1, slice_of(bytes, 8)}, &value));
	assert_int_equal(value, 0x105);
	value = 77;
	assert_false(state_u64(&(struct state_field){1, slice_of(bytes, 9)}, &value));
	assert_int_equal(value, 77);
}

static void test_flags_and_bounds(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, ROOMY);
	struct state_reader reader;
	bool flag = false;
	uint64_t value = 77;

	state_put_flag(&writer, 1, false);
	assert_int_equal(buf.len, 0);
	state_put_flag(&writer, 2, true);
	state_put_u64(&writer, 3, 2);
	state_reader_init(&reader, buf_slice(&buf));
	struct state_field field = next_of(&reader);

	assert_int_equal(field.tag, 2);
	assert_true(state_flag(&field, &flag) && flag);
	field = next_of(&reader);
	assert_false(state_flag(&field, &flag));
	assert_false(state_u64_max(&field, 1, &value));
	assert_true(flag && value == 77);
	assert_true(state_u64_max(&field, 2, &value));
	assert_int_equal(value, 2);
	state_wipe(&buf);
}

static void test_texts(void **state)
{
	(void)state;
	char text[4] = "old";

	assert_false(state_text(&(struct state_field){1, SLICE_LITERAL("")}, text, sizeof(text)));
	assert_false(
		state_text(&(struct state_field){1, SLICE_LITERAL("four")}, text, sizeof(text)));
	assert_false(state_text(&(struct state_field){1, slice_of("a\0b", 3)}, text, sizeof(text)));
	assert_string_equal(text, "old");
	assert_true(state_text(&(struct state_field){1, SLICE_LITERAL("new")}, text, sizeof(text)));
	assert_string_equal(text, "new");
}

static void test_bytes(void **state)
{
	(void)state;
	uint8_t bytes[3] = {1, 2, 3};

	assert_false(state_bytes(&(struct state_field){1, SLICE_LITERAL("ab")}, bytes, 3));
	assert_false(state_bytes(&(struct state_field){1, SLICE_LITERAL("abcd")}, bytes, 3));
	assert_memory_equal(bytes, "\1\2\3", 3);
	assert_true(state_bytes(&(struct state_field){1, SLICE_LITERAL("a\0c")}, bytes, 3));
	assert_memory_equal(bytes, "a\0c", 3);
}

/* --- a record with all there is --- */

/* Bytes that stay the same for ever: other versions read them. */
static void test_bytes_on_the_wire(void **state)
{
	(void)state;
	static const uint8_t want[] = {
		0x01, 0x00, 2, 0, 0, 0, 0x34, 0x12,      /* a number */
		0x02, 0x80, 9, 0, 0, 0,                  /* a record that must be understood */
		0x03, 0x01, 3, 0, 0, 0, 'a',  'b',  'c', /* in it a text */
		0x04, 0x00, 0, 0, 0, 0,                  /* and behind it nothing */
	};
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, ROOMY);

	state_put_u64(&writer, 1, 0x1234);
	size_t record = state_begin(&writer, 2 | STATE_MUST);

	state_put_text(&writer, 0x103, "abc");
	state_put_text(&writer, 0x104, NULL);
	state_end(&writer, record);
	state_put_bytes(&writer, 4, (struct slice){0});
	assert_int_equal(writer.error, 0);
	assert_int_equal(buf.len, sizeof(want));
	assert_memory_equal(buf.data, want, sizeof(want));
	assert_false(state_must_understand(1));
	assert_true(state_must_understand(2 | STATE_MUST));
	state_wipe(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.len, 0);
}

static void records_write(struct state_writer *writer, unsigned depth)
{
	size_t record = state_begin(writer, 7);

	state_put_u64(writer, 1, depth);
	if (depth > 0)
		records_write(writer, depth - 1);
	state_put_u64(writer, 2, depth + 1000);
	state_end(writer, record);
}

static void records_read(struct slice bytes, unsigned depth)
{
	struct state_reader reader;
	struct state_field field;
	uint64_t value;

	state_reader_init(&reader, bytes);
	field = next_of(&reader);
	assert_true(field.tag == 1 && state_u64(&field, &value) && value == depth);
	if (depth > 0) {
		field = next_of(&reader);
		assert_int_equal(field.tag, 7);
		records_read(field.value, depth - 1);
	}
	field = next_of(&reader);
	assert_true(field.tag == 2 && state_u64(&field, &value) && value == depth + 1000);
	assert_false(state_next(&reader, &field));
	assert_false(reader.is_bad);
}

/* The buffer grows meanwhile, and what begun says is still right. */
static void test_records_in_records(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, ROOMY);
	struct state_reader reader;

	records_write(&writer, 300);
	assert_int_equal(writer.error, 0);
	state_reader_init(&reader, buf_slice(&buf));
	struct state_field field = next_of(&reader);

	records_read(field.value, 300);
	state_wipe(&buf);
}

/* A writer goes on where the buffer ends. */
static void test_appends(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer first = writer_of(&buf, ROOMY), second;
	struct state_reader reader;

	state_put_u64(&first, 1, 1);
	second = writer_of(&buf, ROOMY);
	state_put_u64(&second, 2, 2);
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(next_of(&reader).tag, 1);
	assert_int_equal(next_of(&reader).tag, 2);
	state_wipe(&buf);
}

/* --- what is refused --- */

static void test_every_cut(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, ROOMY);

	state_put_bytes(&writer, 1, SLICE_LITERAL("hello"));
	size_t first = buf.len;

	state_put_u64(&writer, 2, 300);
	for (size_t cut = 0; cut <= buf.len; cut++) {
		uint8_t *copy = malloc(cut > 0 ? cut : 1);
		struct state_reader reader;
		struct state_field field = {.tag = 99};
		unsigned count = 0;

		memcpy(copy, buf.data, cut);
		state_reader_init(&reader, slice_of(copy, cut));
		while (state_next(&reader, &field))
			count++;
		assert_int_equal(count, cut == buf.len ? 2 : cut >= first ? 1 : 0);
		assert_int_equal(reader.is_bad, cut != 0 && cut != first && cut != buf.len);
		assert_false(state_next(&reader, &field));
		assert_int_equal(field.tag, count == 0 ? 99 : count);
		free(copy);
	}
	state_wipe(&buf);
}

static void test_length_beyond_the_end(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {1, 0, 0xff, 0xff, 0xff, 0xff, 'x'};
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, slice_of(bytes, sizeof(bytes)));
	assert_false(state_next(&reader, &field));
	assert_true(reader.is_bad);
}

/* At `max` bytes nothing more is written, what is there stays whole, and the first error is kept.
 */
static void test_too_much(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t max;
		size_t len;
	} rows[] = {
		{"nothing fits", 0, 0},
		{"a head does not fit", STATE_HEAD - 1, 0},
		{"a value does not fit", STATE_HEAD + 9, 0},
		{"it fits", STATE_HEAD + 10, STATE_HEAD + 10},
		{"no head behind it", 2 * STATE_HEAD + 9, STATE_HEAD + 10},
		{"a head behind it", 2 * STATE_HEAD + 10, 2 * STATE_HEAD + 10},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf buf = {0};
		struct state_writer writer = writer_of(&buf, rows[i].max);

		state_put_bytes(&writer, 1, SLICE_LITERAL("0123456789"));
		size_t record = state_begin(&writer, 2);

		state_end(&writer, record);
		ASSERT_ROW(buf.len == rows[i].len, rows[i].name);
		bool is_all = rows[i].len == 2 * STATE_HEAD + 10;

		ASSERT_ROW(writer.error == (is_all ? 0 : -EMSGSIZE), rows[i].name);
		state_put_u64(&writer, 3, 0);
		ASSERT_ROW(buf.len == rows[i].len && writer.error == -EMSGSIZE, rows[i].name);
		state_wipe(&buf);
	}
}

/* More than a length can say is refused before any memory is asked for. */
static void test_longer_than_a_length(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, SIZE_MAX);

	assert_null(state_put_room(&writer, 1, (size_t)UINT32_MAX + 1));
	assert_int_equal(writer.error, -EMSGSIZE);
	assert_int_equal(buf.len, 0);
	assert_null(buf.data);
}

/* Its memory is on the account of payload, and leaves it. */
static void test_account(void **state)
{
	(void)state;
	static uint8_t much[3 * PAYLOAD_CHUNK];
	struct buf buf = {0};
	struct state_writer writer = writer_of(&buf, 4 * sizeof(much));

	payload_settle();
	uint64_t before = payload_used();

	state_put_bytes(&writer, 1, slice_of(much, sizeof(much)));
	state_put_bytes(&writer, 1, slice_of(much, sizeof(much)));
	payload_settle();
	assert_true(payload_used() >= before + 2 * sizeof(much));
	state_wipe(&buf);
	payload_settle();
	assert_int_equal(payload_used(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_take_what_they_need),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_flags_and_bounds),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bytes_on_the_wire),
		cmocka_unit_test(test_records_in_records),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_length_beyond_the_end),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_longer_than_a_length),
		cmocka_unit_test(test_account),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
