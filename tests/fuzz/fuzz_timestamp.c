/* SPDX-License-Identifier: Apache-2.0
 * fuzz_timestamp.c - the input as a point in time: what is taken is written, and read again as the
 * same. */
#include "fuzz.h"

#include "base/clock.h"
#include "base/timestamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	char text[CLOCK_TEXT_MAX];
	uint64_t ms = UINT64_MAX, again = 0;

	if (timestamp_parse(slice_of(copy, size), &ms)) {
		clock_wall_format(ms * NS_PER_MS, text);
		/* ns since the epoch end in 2554. */
		if (ms < UINT64_MAX / NS_PER_MS)
			CHECK(timestamp_parse(slice_from_text(text), &again) && again == ms);
	} else {
		CHECK(ms == UINT64_MAX);
	}
	free(copy);
	return 0;
}
