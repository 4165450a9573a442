/* SPDX-License-Identifier: Apache-2.0
 * test_ws_deflate.c - messages compressed and decompressed; on the other side is zlib, as RFC 7692
 * describes its use, with a stream of its own for each direction. */
#include <stdio.h>
#include <time.h>
#include <zlib.h>

#include "base/clock.h"
#include "proto/ws_deflate.h"
#include "proto/ws_extensions.h"
#include "proto/ws_inflate.h"
#include "unit.h"

#define SIZE_MAX_TESTED 300000

/* --- messages --- */

enum content { JSON, NOISE, ZEROS, CONTENT_COUNT };

/* Records as services send them, from number `seed` on. */
static void json_fill(uint8_t *out, size_t len, unsigned seed)
{
	size_t at = 0;

	while (at < len) {
		char line[160];
		int n = snprintf(line, sizeof(line),
				 "{\"id\":%u,\"time\":\"2026-11-30T12:%02u:%02uZ\",\"value\":%u.%u,"
				 "\"unit\":\"kWh\",\"phase\":\"L%u\"},",
				 seed, seed / 60 % 60, seed % 60, seed * 7919 % 1000, seed % 10,
				 seed % 3 + 1);
		size_t part = MIN((size_t)n, len - at);

		memcpy(out + at, line, part);
		at += part;
		seed++;
	}
}

static void message_fill(uint8_t *out, size_t len, enum content content, unsigned seed)
{
	uint32_t noise = seed * 2654435761u + 1;

	switch (content) {
	case JSON:
		json_fill(out, len, seed);
		break;
	case NOISE:
		for (size_t i = 0; i < len; i++) {
			noise = noise * 1664525 + 1013904223;
			out[i] = (uint8_t)(noise >> 24);
		}
		break;
	case ZEROS:
	case CONTENT_COUNT:
		memset(out, 0, len);
		break;
	}
}

/* --- the other side --- */

struct peer {
	z_stream z;
	bool keeps;
};

/* zlib's streams may not be moved. */
static void receiver_init(struct peer *peer, uint8_t bits, bool keeps)
{
	*peer = (struct peer){.keeps = keeps};
	assert_int_equal(inflateInit2(&peer->z, -bits), Z_OK);
}

/* Takes a message apart as a receiver does that knows nothing of final blocks. */
static size_t receive(struct peer *peer, const uint8_t *payload, size_t len, uint8_t *out,
		      size_t size)
{
	static const uint8_t cut_off[] = {0, 0, 0xff, 0xff};
	uint8_t *in = malloc(len + 4);

	memcpy(in, payload, len);
	memcpy(in + len, cut_off, 4);
	if (!peer->keeps)
		assert_int_equal(inflateReset(&peer->z), Z_OK);
	peer->z.next_in = in;
	peer->z.avail_in = (unsigned)len + 4;
	peer->z.next_out = out;
	peer->z.avail_out = (unsigned)size;
	assert_int_equal(inflate(&peer->z, Z_SYNC_FLUSH), Z_OK);
	assert_int_equal(peer->z.avail_in, 0);
	assert_true((peer->z.data_type & 128) != 0);
	free(in);
	return size - peer->z.avail_out;
}

static void sender_init(struct peer *peer, uint8_t bits, bool keeps, int level, int strategy)
{
	*peer = (struct peer){.keeps = keeps};
	assert_int_equal(deflateInit2(&peer->z, level, Z_DEFLATED, -bits, 8, strategy), Z_OK);
}

/* With room for the tail behind it; the caller frees. */
static uint8_t *send_message(struct peer *peer, const uint8_t *message, size_t len, size_t *out_len)
{
	size_t size = len + len / 8 + 1000;
	uint8_t *out = malloc(size);

	if (!peer->keeps)
		assert_int_equal(deflateReset(&peer->z), Z_OK);
	peer->z.next_in = (uint8_t *)(uintptr_t)message;
	peer->z.avail_in = (unsigned)len;
	peer->z.next_out = out;
	peer->z.avail_out = (unsigned)size;
	assert_int_equal(deflate(&peer->z, Z_SYNC_FLUSH), Z_OK);
	assert_true(peer->z.avail_out > 0);
	*out_len = size - peer->z.avail_out - 4;
	out = realloc(out, *out_len + WS_INFLATE_TAIL); /* exact: the sanitizer sees */
	assert_non_null(out);
	return out;
}

/* --- compressing --- */

static const size_t sizes[] = {2,    3,    20,    100,   255,   256,   257,    1000,
			       4096, 4097, 20000, 32768, 32769, 65536, 131072, SIZE_MAX_TESTED};

static void test_each_receiver_reads_it(void **state)
{
	(void)state;
	static uint8_t message[SIZE_MAX_TESTED], out[SIZE_MAX_TESTED + WS_DEFLATE_ROOM],
		back[SIZE_MAX_TESTED + 1];
	struct ws_deflater *deflater = ws_deflater_create();

	for (uint8_t bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			for (unsigned kind = 0; kind < CONTENT_COUNT; kind++) {
				struct peer peer;
				struct ws_deflate_how how = {
					.level = (uint8_t)(i % 9 + 1),
					.bits = bits,
				};
				enum content content = (enum content)kind;

				receiver_init(&peer, bits, false);
				message_fill(message, sizes[i], content, bits);
				size_t len = ws_deflate(deflater, &how, slice_of(message, sizes[i]),
							out);

				assert_true(len < sizes[i]);
				assert_true(len > 0 || content == NOISE || sizes[i] < 100);
				assert_true(len == 0 || content != NOISE);
				if (len > 0) {
					assert_int_equal(
						receive(&peer, out, len, back, sizeof(back)),
						sizes[i]);
					assert_memory_equal(back, message, sizes[i]);
				}
				inflateEnd(&peer.z);
			}
	ws_deflater_destroy(&deflater);
	assert_null(deflater);
}

/* Two receivers that keep their windows, which are no larger than was agreed on, in turns; now and
 * then both get the same. */
static void test_contexts_go_on(void **state)
{
	(void)state;
	static uint8_t message[20000], out[20000 + WS_DEFLATE_ROOM], back[20001];
	struct ws_deflater *deflater = ws_deflater_create();

	for (uint8_t bits = WS_WINDOW_BITS_MIN; bits <= WS_WINDOW_BITS_MAX; bits++) {
		struct peer peers[2];
		struct ws_window windows[2] = {{.bits = bits}, {.bits = bits}};

		receiver_init(&peers[0], bits, true);
		receiver_init(&peers[1], bits, true);
		for (unsigned i = 0; i < 200; i++) {
			unsigned which = i % 3 % 2;
			size_t size = 10 + i * 7919 % (i % 20 == 0 ? 19000 : 900);
			bool is_for_many = i % 7 == 0;
			struct slice plain = slice_of(message, size);
			struct ws_deflate_how how = {
				.level = 6,
				.bits = bits,
				.window = is_for_many ? NULL : &windows[which],
			};

			message_fill(message, size, i % 11 == 5 ? NOISE : JSON, i);
			if (i == 150) /* given up */
				ws_window_clear(&windows[which]);
			size_t len = ws_deflate(deflater, &how, plain, out);

			for (unsigned k = 0; k < 2 && len > 0; k++) {
				if (!is_for_many && k != which)
					continue;
				if (is_for_many)
					assert_true(ws_window_append(&windows[k], plain));
				assert_int_equal(receive(&peers[k], out, len, back, sizeof(back)),
						 size);
				assert_memory_equal(back, message, size);
			}
		}
		for (unsigned k = 0; k < 2; k++) {
			assert_true(windows[k].len <= ws_window_size(bits));
			ws_window_clear(&windows[k]);
			inflateEnd(&peers[k].z);
		}
	}
	ws_deflater_destroy(&deflater);
}

static void test_a_context_is_worth_it(void **state)
{
	(void)state;
	uint8_t message[600], out[600 + WS_DEFLATE_ROOM];
	struct ws_deflater *deflater = ws_deflater_create();
	struct ws_window window = {.bits = 12};
	struct ws_deflate_how alone = {.level = 6, .bits = 12};
	struct ws_deflate_how kept = {.level = 6, .bits = 12, .window = &window};

	message_fill(message, sizeof(message), JSON, 1);
	size_t first = ws_deflate(deflater, &kept, slice_of(message, sizeof(message)), out);

	message_fill(message, sizeof(message), JSON, 6);
	size_t second = ws_deflate(deflater, &kept, slice_of(message, sizeof(message)), out);

	assert_true(second < first * 2 / 3);
	assert_true(second < ws_deflate(deflater, &alone, slice_of(message, sizeof(message)), out));
	ws_window_clear(&window);
	ws_deflater_destroy(&deflater);
}

/* --- windows --- */

static void test_window_has_the_last_bytes(void **state)
{
	(void)state;
	uint8_t all[3000];
	struct ws_window window = {.bits = 9};
	size_t at = 0;

	message_fill(all, sizeof(all), NOISE, 3);
	for (size_t step = 0; at + step <= sizeof(all); at += step, step = step * 2 + 1) {
		size_t len = MIN(at + step, (size_t)512);

		assert_true(ws_window_append(&window, slice_of(all + at, step)));
		assert_int_equal(window.len, len);
		assert_memory_equal(window.bytes == NULL ? all : window.bytes,
				    all + at + step - len, len);
	}
	ws_window_clear(&window);
	assert_int_equal(window.len, 0);
	assert_int_equal(window.bits, 9);
}

/* --- decompressing --- */

struct inflation {
	struct ws_inflater *inflater;
	struct buf out;
};

static struct inflation inflation_begin(void)
{
	struct inflation inflation = {.inflater = ws_inflater_create()};

	assert_non_null(inflation.inflater);
	inflation.out = ws_inflater_lend(inflation.inflater);
	return inflation;
}

static void inflation_end(struct inflation *inflation)
{
	ws_inflater_take_back(inflation->inflater, &inflation->out);
	ws_inflater_destroy(&inflation->inflater);
}

static enum ws_inflate_result inflate_copy(struct inflation *inflation, struct ws_window *window,
					   const void *payload, size_t len, uint64_t max)
{
	uint8_t *copy = malloc(len + WS_INFLATE_TAIL);

	memcpy(copy, payload, len);
	inflation->out.len = 0;
	enum ws_inflate_result result = ws_inflate(inflation->inflater, window, copy, len, max,
						   &inflation->out);

	free(copy);
	return result;
}

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *name;
	const char *payload;
	size_t len;
	const char *want; /* NULL: broken */
} payloads[] = {
	/* RFC 7692, 7.2.3 */
	{"fixed block", BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), "Hello"},
	{"stored block", BYTES("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), "Hello"},
	{"final block", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "Hello"},
	{"two blocks", BYTES("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "Hello"},
	{"empty", BYTES("\x00"), ""},
	{"nothing at all", BYTES(""), ""},
	/* final blocks */
	{"final block, nothing behind it", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00"), "Hello"},
	{"two final blocks", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
	 "HelloHello"},
	{"final block between", BYTES("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00"),
	 "HelloHello"},
	{"final empty stored block", BYTES("\x01\x00\x00\xff\xff\x00"), ""},
	/* broken */
	{"block type 3", BYTES("\x07\x00"), NULL},
	{"cut in a block", BYTES("\xf2\x48\xcd"), NULL},
	{"stored block, wrong length", BYTES("\x00\x05\x00\xfa\xfe\x48\x65\x6c\x6c\x6f\x00"), NULL},
	{"a distance before the start", BYTES("\xf2\x00\x11\x00\x00"), NULL},
	{"a tail that was not cut off", BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"),
	 NULL},
	{"noise", BYTES("\xff\xff\xff\xff\xff"), NULL},
};

static void test_payloads(void **state)
{
	(void)state;
	struct inflation inflation = inflation_begin();

	for (size_t i = 0; i < ARRAY_LEN(payloads); i++)
		for (int keeps = 0; keeps < 2; keeps++) {
			struct ws_window window = {.bits = 15};
			enum ws_inflate_result result = inflate_copy(
				&inflation, keeps ? &window : NULL, payloads[i].payload,
				payloads[i].len, 1000);

			ASSERT_ROW(result == (payloads[i].want == NULL ? WS_INFLATE_BROKEN
								       : WS_INFLATE_OK),
				   payloads[i].name);
			if (payloads[i].want != NULL)
				ASSERT_ROW(slice_equals(buf_slice(&inflation.out),
							slice_from_text(payloads[i].want)),
					   payloads[i].name);
			ws_window_clear(&window);
		}
	inflation_end(&inflation);
}

/* RFC 7692, 7.2.3.2: the second refers to the first. */
static void test_takeover_example(void **state)
{
	(void)state;
	struct inflation inflation = inflation_begin();
	struct ws_window window = {.bits = 15};

	assert_int_equal(
		inflate_copy(&inflation, &window, BYTES("\xf2\x48\xcd\xc9\xc9\x07\x00"), 9),
		WS_INFLATE_OK);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
			inflate_copy(&inflation, &window, BYTES("\xf2\x00\x11\x00\x00"), 9),
			WS_INFLATE_OK);
		assert_true(slice_equals(buf_slice(&inflation.out), SLICE_LITERAL("Hello")));
	}
	assert_int_equal(window.len, 20);
	ws_window_clear(&window);
	inflation_end(&inflation);
}

static void test_each_sender_is_read(void **state)
{
	(void)state;
	static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE};
	static uint8_t message[SIZE_MAX_TESTED];
	struct inflation inflation = inflation_begin();

	for (unsigned run = 0; run < 2 * 10 * ARRAY_LEN(strategies); run++) {
		bool keeps = run % 2 != 0;
		int level = (int)(run / 2 % 10); /* 0: stored blocks */
		uint8_t bits = (uint8_t)(9 + run % 7);
		struct peer peer;
		struct ws_window window = {.bits = bits};

		sender_init(&peer, bits, keeps, level, strategies[run / 20]);
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			size_t len;

			message_fill(message, sizes[i], (enum content)(i % CONTENT_COUNT), run);
			uint8_t *payload = send_message(&peer, message, sizes[i], &len);

			assert_true(len <= ws_inflate_input_max(sizes[i]));
			inflation.out.len = 0;
			assert_int_equal(ws_inflate(inflation.inflater, keeps ? &window : NULL,
						    payload, len, sizes[i], &inflation.out),
					 WS_INFLATE_OK);
			assert_int_equal(inflation.out.len, sizes[i]);
			assert_memory_equal(inflation.out.data, message, sizes[i]);
			free(payload);
		}
		ws_window_clear(&window);
		deflateEnd(&peer.z);
	}
	inflation_end(&inflation);
}

/* A byte more than is allowed is too much, and memory does not go far beyond what is. */
static void test_the_cap_is_exact(void **state)
{
	(void)state;
	static uint8_t message[SIZE_MAX_TESTED];
	static const size_t caps[] = {125, 126, 4095, 4096, 4097, 65536, 262144};

	for (unsigned run = 0; run < 2 * CONTENT_COUNT; run++) {
		bool keeps = run >= CONTENT_COUNT;

		for (size_t i = 0; i < ARRAY_LEN(caps); i++)
			for (size_t more = 0; more < 3; more++) {
				struct inflation inflation = inflation_begin();
				struct peer peer;
				struct ws_window window = {.bits = 15};
				size_t len, size = caps[i] - 1 + more;

				sender_init(&peer, 15, false, 6, Z_DEFAULT_STRATEGY);
				message_fill(message, size, (enum content)(run % CONTENT_COUNT), 1);
				uint8_t *payload = send_message(&peer, message, size, &len);

				assert_int_equal(inflate_copy(&inflation, keeps ? &window : NULL,
							      payload, len, caps[i]),
						 more == 2 ? WS_INFLATE_TOO_BIG : WS_INFLATE_OK);
				assert_true(inflation.out.cap <= MAX(8192, 2 * caps[i]));
				free(payload);
				ws_window_clear(&window);
				deflateEnd(&peer.z);
				inflation_end(&inflation);
			}
	}
}

static void test_a_bomb_ends_at_the_cap(void **state)
{
	(void)state;
	size_t size = 64 << 20, len;
	uint8_t *message = calloc(1, size);
	struct inflation inflation = inflation_begin();
	struct ws_window window = {.bits = 15};
	struct peer peer;

	sender_init(&peer, 15, false, 9, Z_DEFAULT_STRATEGY);
	uint8_t *payload = send_message(&peer, message, size, &len);

	assert_true(len < size / 1000);
	assert_int_equal(inflate_copy(&inflation, NULL, payload, len, 1 << 20), WS_INFLATE_TOO_BIG);
	assert_int_equal(inflate_copy(&inflation, &window, payload, len, 1 << 20),
			 WS_INFLATE_TOO_BIG);
	assert_true(inflation.out.cap <= 2 << 20);
	free(payload);
	free(message);
	ws_window_clear(&window);
	deflateEnd(&peer.z);
	inflation_end(&inflation);
}

/* --- what costs the sender little --- */

/* [ns] of this thread's processor time that a message takes. */
static uint64_t inflation_cost(struct ws_window *window, const uint8_t *payload, size_t len)
{
	struct inflation inflation = inflation_begin();
	struct timespec begun, ended;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
	assert_int_equal(inflate_copy(&inflation, window, payload, len, len), WS_INFLATE_OK);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
	assert_int_equal(inflation.out.len, 0);
	inflation_end(&inflation);
	return (uint64_t)(ended.tv_sec - begun.tv_sec) * NS_PER_S + (uint64_t)ended.tv_nsec -
	       (uint64_t)begun.tv_nsec;
}

/* A final block of two bytes does not cost a window of 32 KiB. */
static void test_final_blocks_are_cheap(void **state)
{
	(void)state;
	static uint8_t noise[32768], payload[1 << 20];
	struct ws_window window = {.bits = 15};

	message_fill(noise, sizeof(noise), NOISE, 4);
	assert_true(ws_window_append(&window, slice_of(noise, sizeof(noise))));
	for (size_t i = 0; i < sizeof(payload); i += 2)
		payload[i] = 3;
	uint64_t alone = inflation_cost(NULL, payload, sizeof(payload));

	assert_true(inflation_cost(&window, payload, sizeof(payload)) < 25 * alone);
	assert_memory_equal(window.bytes, noise, sizeof(noise));
	ws_window_clear(&window);
}

/* Behind a final block a message goes on in the same window. */
static void test_final_blocks_keep_the_window(void **state)
{
	(void)state;
	struct inflation inflation = inflation_begin();
	struct ws_window window = {.bits = 15};
	/* RFC 7692, 7.2.3.2, the first with its final bit set, and both in one message. */
	static const char both[] = "\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00";

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(inflate_copy(&inflation, &window, both, sizeof(both) - 1, 100),
				 WS_INFLATE_OK);
		assert_true(slice_equals(buf_slice(&inflation.out), SLICE_LITERAL("HelloHello")));
	}
	assert_int_equal(window.len, 20);
	assert_int_equal(inflate_copy(&inflation, NULL, both, sizeof(both) - 1, 100),
			 WS_INFLATE_BROKEN);
	ws_window_clear(&window);
	inflation_end(&inflation);
}

/* Many blocks that make nothing, before one that makes much: they are not read once for each size
 * that the buffer has had. */
static void test_attempts_are_few(void **state)
{
	(void)state;
	static const uint8_t nothing[] = {0, 0, 0, 0xff, 0xff}, end[] = {0};
	struct inflation inflation = inflation_begin();
	struct buf payload = {0};

	for (size_t i = 0; i < 20000; i++)
		assert_int_equal(buf_append(&payload, nothing, sizeof(nothing), SIZE_MAX), 0);
	assert_int_equal(buf_append(&payload, end, sizeof(end), SIZE_MAX), 0);
	assert_int_equal(inflate_copy(&inflation, NULL, payload.data, payload.len, 1 << 20),
			 WS_INFLATE_OK);
	assert_true(inflation.out.cap >= 4 * payload.len);
	inflation.out.len = 0;
	ws_inflater_take_back(inflation.inflater, &inflation.out);
	assert_int_equal(inflate_copy(&inflation, NULL, payload.data, payload.len, 200000),
			 WS_INFLATE_OK);
	assert_in_range(inflation.out.cap, 200000, 400000); /* and never more than may come */
	buf_finish(&payload);
	inflation_end(&inflation);
}

static void test_the_buffer_is_lent(void **state)
{
	(void)state;
	struct ws_inflater *inflater = ws_inflater_create();
	struct buf one = ws_inflater_lend(inflater), other = ws_inflater_lend(inflater);

	assert_non_null(buf_reserve(&one, 1000, SIZE_MAX));
	uint8_t *memory = one.data;

	ws_inflater_take_back(inflater, &one);
	assert_null(one.data);
	assert_non_null(buf_reserve(&other, 1000, SIZE_MAX));
	ws_inflater_take_back(inflater, &other); /* there is one already */
	one = ws_inflater_lend(inflater);
	assert_ptr_equal(one.data, memory);
	assert_non_null(buf_reserve(&one, 1 << 20, SIZE_MAX));
	ws_inflater_take_back(inflater, &one); /* too large to be kept */
	one = ws_inflater_lend(inflater);
	assert_null(one.data);
	ws_inflater_destroy(&inflater);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_receiver_reads_it),
		cmocka_unit_test(test_contexts_go_on),
		cmocka_unit_test(test_a_context_is_worth_it),
		cmocka_unit_test(test_window_has_the_last_bytes),
		cmocka_unit_test(test_payloads),
		cmocka_unit_test(test_takeover_example),
		cmocka_unit_test(test_each_sender_is_read),
		cmocka_unit_test(test_the_cap_is_exact),
		cmocka_unit_test(test_a_bomb_ends_at_the_cap),
		cmocka_unit_test(test_final_blocks_are_cheap),
		cmocka_unit_test(test_final_blocks_keep_the_window),
		cmocka_unit_test(test_attempts_are_few),
		cmocka_unit_test(test_the_buffer_is_lent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
