/* SPDX-License-Identifier: Apache-2.0
 * fuzz_state.c - any bytes, read as state: what is read lies in the input, one field behind the
 * other, and written again it is the same bytes. */
#include "fuzz.h"

#include "base/state.h"

#define DEPTH_MAX 8

static void number_check(const struct state_field *field)
{
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;
	struct state_field again;
	uint64_t value = 99, same = 98;

	CHECK(state_u64(field, &value) == (field->value.len <= 8));
	if (field->value.len > 8) {
		CHECK(value == 99);
		return;
	}
	state_writer_init(&writer, &buf, 64);
	state_put_u64(&writer, field->tag, value);
	state_reader_init(&reader, buf_slice(&buf));
	CHECK(state_next(&reader, &again) && again.tag == field->tag);
	CHECK(again.value.len <= field->value.len);
	CHECK(state_u64(&again, &same) && same == value);
	state_wipe(&buf);
}

/* Writes what it reads. What is a record all through is written as one. */
static void copy(struct state_writer *writer, struct slice bytes, unsigned depth)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, bytes);
	while (state_next(&reader, &field)) {
		CHECK(field.value.data >= bytes.data &&
		      field.value.data + field.value.len <= bytes.data + bytes.len);
		number_check(&field);
		struct state_reader inner;
		struct state_field part;

		state_reader_init(&inner, field.value);
		while (state_next(&inner, &part))
			;
		if (inner.is_bad || depth == DEPTH_MAX) {
			state_put_bytes(writer, field.tag, field.value);
			continue;
		}
		size_t record = state_begin(writer, field.tag);

		copy(writer, field.value, depth + 1);
		state_end(writer, record);
	}
	CHECK(reader.is_bad == (reader.rest.len > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *exact = fuzz_copy(data, size);
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, slice_of(exact, size));
	while (state_next(&reader, &field))
		;
	size_t whole = size - reader.rest.len;

	state_writer_init(&writer, &buf, size);
	copy(&writer, slice_of(exact, size), 0);
	CHECK(writer.error == 0);
	CHECK(buf.len == whole && (whole == 0 || memcmp(buf.data, exact, whole) == 0));
	state_wipe(&buf);
	free(exact);
	return 0;
}
