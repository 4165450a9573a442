/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "proto/utf8.h"
#include "proto/utf8_kernels.h"

/* RFC 3629 as plain as it can be. Returns the size of the longest start that is no
 * error yet; *out_is_whole: it ends at a character's edge. */
static size_t plain_good_len(const uint8_t *data, size_t len, int *out_is_whole)
{
	size_t at = 0;

	*out_is_whole = 1;
	while (at < len) {
		uint8_t lead = data[at];
		size_t need = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
		uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
		uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

		if (lead > 0xf4 || (lead >= 0x80 && lead < 0xc2))
			return at;
		for (size_t i = 1; i < need; i++) {
			*out_is_whole = 0;
			if (at + i == len)
				return len;
			if (data[at + i] < low || data[at + i] > high)
				return at + i;
			low = 0x80;
			high = 0xbf;
		}
		*out_is_whole = 1;
		at += need;
	}
	return len;
}

static void kernels_check(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < utf8_kernel_count; i++) {
		int is_whole;

		if (!utf8_kernels[i].is_supported())
			continue;
		size_t run = utf8_kernels[i].run(data, size);

		CHECK(run <= size);
		CHECK(plain_good_len(data, run, &is_whole) == run && is_whole);
	}
}

static void pieces_check(const uint8_t *data, size_t size, size_t good_len, uint32_t want)
{
	uint32_t seed = (uint32_t)size * 2654435761u + (size > 0 ? data[0] : 0);
	uint32_t state = UTF8_BOUNDARY;

	for (size_t at = 0; at < size;) {
		size_t len = fuzz_cut(&seed, size - at);
		uint8_t *piece = fuzz_copy(data + at, len);

		state = utf8_feed(state, piece, len);
		free(piece);
		at += len;
		/* It fails with the piece that holds the first bad byte, not later. */
		CHECK((state == UTF8_REJECT) == (at > good_len));
	}
	CHECK(state == want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);
	int is_whole;
	size_t good_len = plain_good_len(copy, size, &is_whole);
	uint32_t state = utf8_feed(UTF8_BOUNDARY, copy, size);

	CHECK((state == UTF8_REJECT) == (good_len < size));
	if (good_len == size)
		CHECK((state == UTF8_BOUNDARY) == is_whole);
	CHECK(utf8_is_valid(copy, size) == (good_len == size && is_whole));
	kernels_check(copy, size);
	pieces_check(copy, size, good_len, state);
	free(copy);
	return 0;
}
