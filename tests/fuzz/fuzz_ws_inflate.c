/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <zlib.h>

#include "proto/ws_extensions.h"
#include "proto/ws_inflate.h"

/* The input is a flag byte and a payload, which is read in both ways, and by zlib alone. */
static enum ws_inflate_result read_payload(struct ws_inflater *inflater, struct ws_window *window,
					   const uint8_t *data, size_t size, uint64_t max,
					   struct buf *out)
{
	uint8_t *copy = malloc(size + WS_INFLATE_TAIL);

	CHECK(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	enum ws_inflate_result result = ws_inflate(inflater, window, copy, size, max, out);

	CHECK(result != WS_INFLATE_OK || out->len <= max);
	CHECK(out->cap <= MAX(2 * max, (uint64_t)8192));
	free(copy);
	return result;
}

/* What zlib makes of a payload without final blocks; SIZE_MAX: it does not take it. */
static size_t reference_len(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
	static const uint8_t cut_off[4] = {0, 0, 0xff, 0xff};
	z_stream z = {0};
	size_t len = SIZE_MAX;

	CHECK(inflateInit2(&z, -WS_WINDOW_BITS_MAX) == Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)data;
	z.avail_in = (unsigned)size;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	int r = inflate(&z, Z_SYNC_FLUSH);

	if ((r == Z_OK || r == Z_BUF_ERROR) && z.avail_in == 0) {
		z.next_in = (uint8_t *)(uintptr_t)cut_off;
		z.avail_in = 4;
		r = inflate(&z, Z_SYNC_FLUSH);
		if (r == Z_OK && z.avail_in == 0 && z.avail_out > 0 && z.data_type & 128)
			len = room - z.avail_out;
	}
	inflateEnd(&z);
	return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t limits[] = {0, 1, 125, 1000, 4096, 70000, 1 << 20, 200};
	static uint8_t room[1 << 20];

	if (size < 1 || size > 65536)
		return 0;
	uint64_t max = limits[data[0] & 7];
	struct ws_inflater *inflater = ws_inflater_create();
	struct ws_window window = {.bits = (uint8_t)(WS_WINDOW_BITS_MIN + (data[0] >> 3 & 7))};
	struct buf alone = {0}, kept = {0}, again = {0};

	CHECK(inflater != NULL);
	enum ws_inflate_result first = read_payload(inflater, NULL, data + 1, size - 1, max,
						    &alone);
	enum ws_inflate_result second = read_payload(inflater, &window, data + 1, size - 1, max,
						     &kept);
	size_t len = size == 1 ? 0 : reference_len(data + 1, size - 1, room, sizeof(room));

	CHECK(first != WS_INFLATE_NO_MEMORY && second != WS_INFLATE_NO_MEMORY);
	if (first == WS_INFLATE_OK && second == WS_INFLATE_OK)
		CHECK(slice_equals(buf_slice(&alone), buf_slice(&kept)));
	if (len != SIZE_MAX && len <= max) {
		CHECK(first == WS_INFLATE_OK && second == WS_INFLATE_OK);
		CHECK(slice_equals(buf_slice(&alone), slice_of(room, len)));
	}
	if (second == WS_INFLATE_OK)
		CHECK(window.len == MIN(kept.len, ws_window_size(window.bits)));
	/* With a context that has something in it. */
	(void)read_payload(inflater, &window, data + 1, size - 1, max, &again);
	ws_window_clear(&window);
	buf_finish(&alone);
	buf_finish(&kept);
	buf_finish(&again);
	ws_inflater_destroy(&inflater);
	return 0;
}
