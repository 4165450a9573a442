/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/utf8.h"
#include "proto/ws_close.h"
#include "proto/ws_decoder.h"

/* What the decoder reported: a sum over all events, in order. */
struct trace {
	uint64_t sum;
	size_t event_count;
	size_t error_at; /* [bytes] given when the error came; SIZE_MAX: none */
	uint64_t max_message_size;
	struct ws_inflater *inflater; /* NULL: nothing was agreed on */
	bool keeps_window;
};

static void trace_add(struct trace *trace, uint64_t value)
{
	trace->sum = (trace->sum ^ value) * UINT64_C(0x100000001b3);
}

static void event_check(const struct trace *trace, enum ws_event event,
			const struct ws_event_data *data)
{
	switch (event) {
	case WS_EVENT_MESSAGE:
		CHECK(data->opcode == WS_TEXT || data->opcode == WS_BINARY);
		CHECK(data->bytes.len <= trace->max_message_size);
		if (data->opcode == WS_TEXT)
			CHECK(utf8_is_valid(data->bytes.data, data->bytes.len));
		break;
	case WS_EVENT_PING:
	case WS_EVENT_PONG:
		CHECK(data->bytes.len <= WS_CONTROL_MAX);
		break;
	case WS_EVENT_CLOSE:
		CHECK(data->bytes.len <= WS_CONTROL_MAX - 2);
		CHECK(data->close_code == WS_CLOSE_NO_STATUS ||
		      ws_close_code_is_valid(data->close_code));
		CHECK(utf8_is_valid(data->bytes.data, data->bytes.len));
		break;
	case WS_EVENT_ERROR:
		CHECK(data->close_code == WS_CLOSE_PROTOCOL ||
		      data->close_code == WS_CLOSE_BAD_DATA ||
		      data->close_code == WS_CLOSE_TOO_BIG);
		CHECK(data->error != NULL);
		break;
	case WS_EVENT_MORE:
		break;
	}
}

static void event_add(struct trace *trace, enum ws_event event, const struct ws_event_data *data)
{
	event_check(trace, event, data);
	trace->event_count++;
	trace_add(trace, event);
	trace_add(trace, data->opcode);
	trace_add(trace, data->close_code);
	trace_add(trace, data->bytes.len);
	for (size_t i = 0; i < data->bytes.len; i++)
		trace_add(trace, data->bytes.data[i]);
}

/* What is under way may hold. */
static uint64_t memory_max(const struct trace *trace)
{
	return trace->inflater == NULL
		       ? trace->max_message_size
		       : 2 * (ws_inflate_input_max(trace->max_message_size) + WS_INFLATE_TAIL);
}

/* Feeds one piece; returns 0 after an error. */
static int piece_feed(struct ws_decoder *decoder, enum ws_role self, const uint8_t *data,
		      size_t size, struct trace *trace)
{
	uint8_t *copy = fuzz_copy(data, size), *in = copy;
	size_t len = size;
	struct ws_event_data out;
	enum ws_event event;

	do {
		event = ws_decoder_next(decoder, self, trace->max_message_size, &in, &len, &out);
		CHECK(in == copy + size - len);
		if (event != WS_EVENT_MORE)
			event_add(trace, event, &out);
	} while (event != WS_EVENT_MORE && event != WS_EVENT_ERROR);
	CHECK(event == WS_EVENT_ERROR || len == 0);
	CHECK(decoder->message.cap <= memory_max(trace));
	if (event == WS_EVENT_ERROR) {
		CHECK(ws_decoder_next(decoder, self, trace->max_message_size, &in, &len, &out) ==
		      WS_EVENT_ERROR);
		CHECK(!ws_decoder_is_idle(decoder));
	}
	free(copy);
	return event != WS_EVENT_ERROR;
}

/* `seed` 0: whole; 1: byte by byte; else in cuts. */
static struct trace run(enum ws_role self, const struct trace *how, const uint8_t *data,
			size_t size, uint32_t seed)
{
	struct ws_decoder decoder;
	struct ws_window window = {.bits = 10};
	struct trace trace = *how;
	int is_good = 1;

	ws_decoder_init(&decoder);
	ws_decoder_inflates_by(&decoder, how->inflater, how->keeps_window ? &window : NULL);
	for (size_t at = 0; at < size && is_good;) {
		size_t len = seed == 0 ? size : seed == 1 ? 1 : fuzz_cut(&seed, size - at);

		is_good = piece_feed(&decoder, self, data + at, len, &trace);
		at += len;
		if (!is_good)
			trace.error_at = at;
		/* Memory follows what came, not what was announced. */
		CHECK(decoder.message.cap <= MAX((size_t)256, 2 * (at + WS_INFLATE_TAIL)));
	}
	ws_decoder_finish(&decoder);
	ws_window_clear(&window);
	CHECK(ws_decoder_is_idle(&decoder));
	return trace;
}

static void same_check(const struct trace *a, const struct trace *b)
{
	CHECK(a->event_count == b->event_count);
	CHECK(a->sum == b->sum);
	CHECK((a->error_at == SIZE_MAX) == (b->error_at == SIZE_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* The largest is no option's: a decompressed message of that size would fit. */
	static const uint64_t limits[] = {0, 5, 125, 1000, 70000, 1 << 20, INT64_MAX, 200};

	if (size < 1)
		return 0;
	/* The first byte chooses the role, the limit, and what was agreed on. */
	enum ws_role self = data[0] & 1 ? WS_CLIENT : WS_SERVER;
	struct trace how = {
		.max_message_size = limits[data[0] >> 1 & 7],
		.error_at = SIZE_MAX,
		.inflater = data[0] & 0x10 ? ws_inflater_create() : NULL,
		.keeps_window = data[0] & 0x20,
	};

	data++;
	size--;
	struct trace whole = run(self, &how, data, size, 0);
	struct trace bytes = run(self, &how, data, size, 1);
	struct trace cuts = run(self, &how, data, size, (uint32_t)size + 2);

	same_check(&whole, &bytes);
	same_check(&whole, &cuts);
	/* Cuts may hold an error back to their end, never beyond. */
	CHECK(bytes.error_at <= cuts.error_at && cuts.error_at <= whole.error_at);
	ws_inflater_destroy(&how.inflater);
	return 0;
}
