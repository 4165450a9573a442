/* SPDX-License-Identifier: Apache-2.0 */
#include "base/state.h"

#include <errno.h>

#include "base/check.h"
#include "base/payload.h"

#define SMALLEST  1024
#define BEGUN_NOT SIZE_MAX /* state_begin has failed */

static void le_write(uint8_t *out, size_t width, uint64_t value)
{
	for (size_t i = 0; i < width; i++)
		out[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t le_read(const uint8_t *in, size_t width)
{
	uint64_t value = 0;

	for (size_t i = width; i > 0; i--)
		value = value << 8 | in[i - 1];
	return value;
}

/* --- writing --- */

void state_writer_init(struct state_writer *writer, struct buf *out, size_t max)
{
	*writer = (struct state_writer){.out = out, .max = max};
}

/* Not by realloc, which leaves what was there behind for anybody. */
static bool grow(struct buf *buf, size_t need, size_t max)
{
	size_t cap = MAX(buf->cap, (size_t)SMALLEST);

	while (cap < need)
		cap *= 2;
	cap = MIN(cap, max);
	uint8_t *data = payload_alloc(cap);

	if (data == NULL)
		return false;
	if (buf->len > 0)
		memcpy(data, buf->data, buf->len);
	size_t len = buf->len;

	state_wipe(buf);
	*buf = (struct buf){.data = data, .len = len, .cap = cap};
	return true;
}

void state_wipe(struct buf *buf)
{
	if (buf->data != NULL)
		explicit_bzero(buf->data, buf->cap);
	buf_finish(buf);
}

uint8_t *state_put_room(struct state_writer *writer, uint16_t tag, size_t len)
{
	struct buf *out = writer->out;

	if (writer->error != 0)
		return NULL;
	if (len > UINT32_MAX || out->len > writer->max || writer->max - out->len < STATE_HEAD ||
	    len > writer->max - out->len - STATE_HEAD) {
		writer->error = -EMSGSIZE;
		return NULL;
	}
	size_t need = out->len + STATE_HEAD + len;

	if (need > out->cap && !grow(out, need, writer->max)) {
		writer->error = -ENOMEM;
		return NULL;
	}
	uint8_t *head = out->data + out->len;

	le_write(head, 2, tag);
	le_write(head + 2, 4, len);
	out->len = need;
	return head + STATE_HEAD;
}

void state_put_bytes(struct state_writer *writer, uint16_t tag, struct slice bytes)
{
	uint8_t *to = state_put_room(writer, tag, bytes.len);

	if (to != NULL && bytes.len > 0)
		memcpy(to, bytes.data, bytes.len);
}

void state_put_flag(struct state_writer *writer, uint16_t tag, bool value)
{
	if (value)
		state_put_u64(writer, tag, 1);
}

void state_put_text(struct state_writer *writer, uint16_t tag, const char *text)
{
	if (text != NULL)
		state_put_bytes(writer, tag, slice_from_text(text));
}

void state_put_u64(struct state_writer *writer, uint16_t tag, uint64_t value)
{
	size_t width = 0;

	while (width < 8 && value >> (8 * width) != 0)
		width++;
	uint8_t *to = state_put_room(writer, tag, width);

	if (to != NULL)
		le_write(to, width, value);
}

size_t state_begin(struct state_writer *writer, uint16_t tag)
{
	return state_put_room(writer, tag, 0) == NULL ? BEGUN_NOT : writer->out->len;
}

void state_end(struct state_writer *writer, size_t begun)
{
	if (writer->error != 0)
		return;
	CHECK(begun != BEGUN_NOT && begun >= STATE_HEAD && begun <= writer->out->len);
	size_t len = writer->out->len - begun;

	if (len > UINT32_MAX)
		writer->error = -EMSGSIZE;
	else
		le_write(writer->out->data + begun - 4, 4, len);
}

/* --- reading --- */

void state_reader_init(struct state_reader *reader, struct slice bytes)
{
	*reader = (struct state_reader){.rest = bytes};
}

bool state_next(struct state_reader *reader, struct state_field *out_field)
{
	struct slice rest = reader->rest;

	if (rest.len == 0 || reader->is_bad)
		return false;
	reader->is_bad = rest.len < STATE_HEAD || le_read(rest.data + 2, 4) > rest.len - STATE_HEAD;
	if (reader->is_bad)
		return false;
	size_t len = le_read(rest.data + 2, 4);

	out_field->tag = (uint16_t)le_read(rest.data, 2);
	out_field->value = slice_of(rest.data + STATE_HEAD, len);
	reader->rest = slice_of(rest.data + STATE_HEAD + len, rest.len - STATE_HEAD - len);
	return true;
}

bool state_u64(const struct state_field *field, uint64_t *out_value)
{
	if (field->value.len > 8)
		return false;
	*out_value = le_read(field->value.data, field->value.len);
	return true;
}

bool state_u64_max(const struct state_field *field, uint64_t max, uint64_t *out_value)
{
	uint64_t value;

	if (!state_u64(field, &value) || value > max)
		return false;
	*out_value = value;
	return true;
}

bool state_flag(const struct state_field *field, bool *out_value)
{
	uint64_t value;

	if (!state_u64_max(field, 1, &value))
		return false;
	*out_value = value == 1;
	return true;
}

bool state_text(const struct state_field *field, char *out_text, size_t size)
{
	struct slice text = field->value;

	if (text.len == 0 || text.len >= size || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(out_text, text.data, text.len);
	out_text[text.len] = 0;
	return true;
}

bool state_bytes(const struct state_field *field, uint8_t *out_bytes, size_t len)
{
	if (field->value.len != len)
		return false;
	memcpy(out_bytes, field->value.data, len);
	return true;
}

bool state_must_understand(uint16_t tag)
{
	return (tag & STATE_MUST) != 0;
}
