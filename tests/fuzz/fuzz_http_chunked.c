/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "base/buf.h"
#include "proto/http_chunked.h"

struct outcome {
	struct http_chunked chunked;
	enum http_chunked_event event;
	struct buf data;
	size_t used;
};

/* `seed` 0: whole; 1: byte by byte; else in cuts. */
static void run(struct outcome *out, const uint8_t *bytes, size_t size, uint32_t seed)
{
	*out = (struct outcome){.event = HTTP_CHUNKED_MORE};
	http_chunked_init(&out->chunked);
	while (out->event == HTTP_CHUNKED_MORE && out->used < size) {
		size_t part = seed == 0   ? size - out->used
			      : seed == 1 ? 1
					  : fuzz_cut(&seed, size - out->used);
		size_t left = part;
		uint8_t *copy = fuzz_copy(bytes + out->used, part);
		const uint8_t *in = copy;
		struct slice data;

		while ((out->event = http_chunked_next(&out->chunked, &in, &left, &data)) ==
		       HTTP_CHUNKED_DATA) {
			CHECK(data.len > 0 && data.data >= copy && data.data + data.len <= in);
			CHECK(buf_append(&out->data, data.data, data.len, size) == 0);
		}
		CHECK(out->event != HTTP_CHUNKED_MORE || left == 0);
		CHECK(in == copy + (part - left));
		out->used += part - left;
		free(copy);
	}
}

/* However the bytes are cut, the same comes out. */
static void same_check(const struct outcome *a, const struct outcome *b)
{
	CHECK(a->event == b->event && a->used == b->used);
	CHECK(slice_equals(buf_slice(&a->data), buf_slice(&b->data)));
	CHECK(a->chunked.problem == b->chunked.problem);
	CHECK((a->event == HTTP_CHUNKED_BAD) == (a->chunked.problem != NULL));
	CHECK(a->data.len <= a->used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, bytes, cuts;

	run(&whole, data, size, 0);
	run(&bytes, data, size, 1);
	run(&cuts, data, size, (uint32_t)size + 2);
	same_check(&whole, &bytes);
	same_check(&whole, &cuts);
	if (whole.event == HTTP_CHUNKED_END)
		CHECK(memcmp(data + whole.used - 2, "\r\n", 2) == 0);
	buf_finish(&whole.data);
	buf_finish(&bytes.data);
	buf_finish(&cuts.data);
	return 0;
}
