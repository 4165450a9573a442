/* SPDX-License-Identifier: Apache-2.0
 * fuzz_pace.c - the input as what another process tells of wrong proofs: what is taken is told
 * again, and is the same. */
#include "fuzz.h"

#include "auth/pace.h"
#include "base/state.h"

#define NOW_MS UINT64_C(1000000)

static void told(struct pace *pace, struct buf *out)
{
	struct state_writer writer;

	state_writer_init(&writer, out, SIZE_MAX / 2);
	pace_export(pace, NOW_MS, &writer);
	CHECK(writer.error == 0);
}

static void check(struct slice text)
{
	struct pace *pace = pace_create(5), *again = pace_create(5);
	struct state_reader reader;
	struct buf first = {0}, second = {0};

	state_reader_init(&reader, text);
	(void)pace_import(pace, &reader);
	told(pace, &first);
	state_reader_init(&reader, buf_slice(&first));
	CHECK(pace_import(again, &reader) == 0);
	told(again, &second);
	CHECK(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
	CHECK(pace_stats(again).used <= pace_stats(pace).used);
	buf_finish(&first);
	buf_finish(&second);
	pace_destroy(&pace);
	pace_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	check(slice_of(copy, size));
	free(copy);
	return 0;
}
