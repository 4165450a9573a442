/* SPDX-License-Identifier: Apache-2.0
 * fuzz_ws_decoder_state.c - a decoder that goes on in another process: a stream that is moved at
 * every cut comes to the same as one that is not; and whatever is taken for a decoder's state, is
 * one. */
#include "fuzz.h"

#include <errno.h>

#include "proto/utf8.h"
#include "proto/ws_decoder.h"

#define STATE_MAX (64 << 20)

struct trace {
	uint64_t sum;
	size_t event_count;
	bool has_failed;
};

static void trace_add(struct trace *trace, uint64_t value)
{
	trace->sum = (trace->sum ^ value) * UINT64_C(0x100000001b3);
}

static void event_add(struct trace *trace, enum ws_event event, const struct ws_event_data *data)
{
	trace->event_count++;
	trace->has_failed = event == WS_EVENT_ERROR;
	trace_add(trace, event);
	trace_add(trace, data->close_code);
	trace_add(trace, data->bytes.len);
	for (size_t i = 0; i < data->bytes.len; i++)
		trace_add(trace, data->bytes.data[i]);
	CHECK(event != WS_EVENT_MESSAGE || data->opcode != WS_TEXT ||
	      utf8_is_valid(data->bytes.data, data->bytes.len));
}

static void feed(struct ws_decoder *decoder, enum ws_role self, uint64_t max_message_size,
		 const uint8_t *data, size_t size, struct trace *trace)
{
	uint8_t *copy = fuzz_copy(data, size), *in = copy;
	size_t len = size;
	struct ws_event_data out;
	enum ws_event event;

	do {
		event = ws_decoder_next(decoder, self, max_message_size, &in, &len, &out);
		if (event != WS_EVENT_MORE)
			event_add(trace, event, &out);
	} while (event != WS_EVENT_MORE && event != WS_EVENT_ERROR);
	free(copy);
}

/* NULL: nothing was agreed on. */
static struct ws_inflater *inflater;

/* The other one, in its place, writes the same again. */
static void move(struct ws_decoder *decoder, enum ws_role self)
{
	struct buf first = {0}, second = {0};
	struct state_writer writer;
	struct state_reader reader;

	state_writer_init(&writer, &first, STATE_MAX);
	ws_decoder_export(decoder, &writer);
	CHECK(writer.error == 0);
	bool is_idle = ws_decoder_is_idle(decoder);

	ws_decoder_finish(decoder);
	state_reader_init(&reader, buf_slice(&first));
	ws_decoder_inflates_by(decoder, inflater, NULL);
	CHECK(ws_decoder_import(decoder, self, &reader) == 0);
	CHECK(ws_decoder_is_idle(decoder) == is_idle);
	state_writer_init(&writer, &second, STATE_MAX);
	ws_decoder_export(decoder, &writer);
	CHECK(slice_equals(buf_slice(&first), buf_slice(&second)));
	buf_finish(&first);
	buf_finish(&second);
}

static struct trace run(enum ws_role self, uint64_t max_message_size, const uint8_t *data,
			size_t size, bool is_moved)
{
	struct ws_decoder decoder;
	struct trace trace = {.sum = 0};
	uint32_t seed = (uint32_t)size + 2;

	ws_decoder_init(&decoder);
	ws_decoder_inflates_by(&decoder, inflater, NULL);
	for (size_t at = 0; at < size && !trace.has_failed;) {
		size_t len = fuzz_cut(&seed, size - at);

		feed(&decoder, self, max_message_size, data + at, len, &trace);
		at += len;
		if (is_moved && !trace.has_failed)
			move(&decoder, self);
	}
	ws_decoder_finish(&decoder);
	return trace;
}

/* The first part is taken for a state, the rest for what comes then. */
static void raw_run(enum ws_role self, uint64_t max_message_size, const uint8_t *data, size_t size,
		    size_t state_len)
{
	uint8_t *copy = fuzz_copy(data, state_len);
	struct ws_decoder decoder;
	struct state_reader reader;
	struct trace trace = {.sum = 0};

	ws_decoder_init(&decoder);
	ws_decoder_inflates_by(&decoder, inflater, NULL);
	state_reader_init(&reader, slice_of(copy, state_len));
	int r = ws_decoder_import(&decoder, self, &reader);

	free(copy);
	CHECK(r == 0 || r == -EBADMSG || r == -ENOTSUP);
	if (r == 0) {
		move(&decoder, self);
		feed(&decoder, self, max_message_size, data + state_len, size - state_len, &trace);
	} else {
		CHECK(ws_decoder_is_idle(&decoder));
	}
	ws_decoder_finish(&decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t limits[] = {0, 5, 125, 1000, 70000, 1 << 20, INT64_MAX, 200};

	if (size < 2)
		return 0;
	/* The first byte chooses the role, the limit and compression, the second how much is a
	 * state. */
	enum ws_role self = data[0] & 1 ? WS_CLIENT : WS_SERVER;
	uint64_t max_message_size = limits[data[0] >> 1 & 7];
	size_t state_len = MIN((size_t)data[1], size - 2);

	inflater = data[0] & 0x10 ? ws_inflater_create() : NULL;
	data += 2;
	size -= 2;
	struct trace stays = run(self, max_message_size, data, size, false);
	struct trace moves = run(self, max_message_size, data, size, true);

	CHECK(stays.sum == moves.sum && stays.event_count == moves.event_count);
	raw_run(self, max_message_size, data, size, state_len);
	ws_inflater_destroy(&inflater);
	return 0;
}
