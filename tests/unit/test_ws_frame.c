/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "proto/ws_frame.h"

#define MAX_PAYLOAD 100000

/* `needed`: with fewer bytes the answer is still WS_FRAME_MORE. */
static const struct {
	const char *name;
	enum ws_role self;
	const char *in;
	size_t needed;
	enum ws_frame_result want;
	uint64_t payload_len;
} rows[] = {
	{"masked text 5", WS_SERVER, "\x81\x85kkkk", 6, WS_FRAME_OK, 5},
	{"unmasked text 5", WS_CLIENT, "\x81\x05", 2, WS_FRAME_OK, 5},
	{"empty binary", WS_CLIENT, "\x82\x00", 2, WS_FRAME_OK, 0},
	{"125 in one byte", WS_CLIENT, "\x82\x7d", 2, WS_FRAME_OK, 125},
	{"126 in two bytes", WS_CLIENT, "\x82\x7e\x00\x7e", 4, WS_FRAME_OK, 126},
	{"65535 in two bytes", WS_CLIENT, "\x82\x7e\xff\xff", 4, WS_FRAME_OK, 65535},
	{"65536 in eight bytes", WS_SERVER, "\x82\xff\0\0\0\0\0\x01\0\0kkkk", 14, WS_FRAME_OK,
	 65536},
	{"the largest allowed", WS_CLIENT, "\x82\x7f\0\0\0\0\0\x01\x86\xa0", 10, WS_FRAME_OK,
	 100000},
	{"one over the largest", WS_CLIENT, "\x82\x7f\0\0\0\0\0\x01\x86\xa1", 10, WS_FRAME_TOO_BIG,
	 0},
	{"too big is told before the mask comes", WS_SERVER, "\x82\xff\0\0\0\0\0\x01\x86\xa1", 10,
	 WS_FRAME_TOO_BIG, 0},
	{"2^63-1", WS_CLIENT, "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10, WS_FRAME_TOO_BIG, 0},
	{"2^63", WS_CLIENT, "\x82\x7f\x80", 3, WS_FRAME_PROTOCOL, 0},
	{"long form for 5", WS_SERVER, "\x81\xfe\x00\x05", 4, WS_FRAME_PROTOCOL, 0},
	{"long form for 125", WS_CLIENT, "\x81\x7e\x00\x7d", 4, WS_FRAME_PROTOCOL, 0},
	{"longest form for 65535", WS_CLIENT, "\x81\x7f\0\0\0\0\0\0\xff\xff", 10, WS_FRAME_PROTOCOL,
	 0},
	{"client forgot the mask", WS_SERVER, "\x81\x05", 2, WS_FRAME_PROTOCOL, 0},
	{"server masks", WS_CLIENT, "\x81\x85", 2, WS_FRAME_PROTOCOL, 0},
	{"RSV1", WS_SERVER, "\xc1", 1, WS_FRAME_PROTOCOL, 0},
	{"RSV2", WS_SERVER, "\xa1", 1, WS_FRAME_PROTOCOL, 0},
	{"RSV3", WS_SERVER, "\x91", 1, WS_FRAME_PROTOCOL, 0},
	{"fragmented close", WS_SERVER, "\x08", 1, WS_FRAME_PROTOCOL, 0},
	{"fragmented ping", WS_SERVER, "\x09", 1, WS_FRAME_PROTOCOL, 0},
	{"fragmented pong", WS_SERVER, "\x0a", 1, WS_FRAME_PROTOCOL, 0},
	{"ping 125", WS_SERVER, "\x89\xfdkkkk", 6, WS_FRAME_OK, 125},
	{"ping 126", WS_SERVER, "\x89\xfe", 2, WS_FRAME_PROTOCOL, 0},
	{"close in eight-byte form", WS_SERVER, "\x88\xff", 2, WS_FRAME_PROTOCOL, 0},
	{"first fragment", WS_CLIENT, "\x01\x03", 2, WS_FRAME_OK, 3},
	{"last fragment", WS_CLIENT, "\x80\x03", 2, WS_FRAME_OK, 3},
};

/* An exact-size copy lets the sanitizer see a read past the end. */
static enum ws_frame_result parse(enum ws_role self, const void *in, size_t len,
				  struct ws_frame_head *head, size_t *used)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, in, len);
	const struct ws_frame_rules rules = {.self = self};
	enum ws_frame_result result = ws_frame_head_parse(rules, MAX_PAYLOAD, copy, len, head,
							  used);

	assert_int_equal(result == WS_FRAME_PROTOCOL,
			 ws_frame_head_problem(rules, copy, len) != NULL);
	free(copy);
	return result;
}

static void test_head_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ws_frame_head head;
		size_t used = 99;
		uint8_t first = (uint8_t)rows[i].in[0];

		ASSERT_ROW(parse(rows[i].self, rows[i].in, rows[i].needed, &head, &used) ==
				   rows[i].want,
			   rows[i].name);
		if (rows[i].want != WS_FRAME_OK) {
			ASSERT_ROW(used == 99, rows[i].name);
			continue;
		}
		ASSERT_ROW(used == rows[i].needed, rows[i].name);
		ASSERT_ROW(head.payload_len == rows[i].payload_len, rows[i].name);
		ASSERT_ROW(head.opcode == (first & 0xf), rows[i].name);
		ASSERT_ROW(head.is_final == (first >= 0x80), rows[i].name);
		ASSERT_ROW(head.has_mask == (rows[i].self == WS_SERVER), rows[i].name);
		if (head.has_mask)
			assert_memory_equal(head.mask, "kkkk", 4);
	}
}

static void test_every_proper_prefix_asks_for_more_and_writes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t len = 0; len < rows[i].needed; len++) {
			struct ws_frame_head head, before;
			size_t used = 99;

			memset(&head, 0xaa, sizeof(head));
			memset(&before, 0xaa, sizeof(before));
			ASSERT_ROW(parse(rows[i].self, rows[i].in, len, &head, &used) ==
					   WS_FRAME_MORE,
				   rows[i].name);
			ASSERT_ROW(used == 99, rows[i].name);
			assert_memory_equal(&head, &before, sizeof(head));
		}
}

static void test_all_first_bytes(void **state)
{
	(void)state;
	static const uint8_t good[] = {0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a};

	for (unsigned first = 0; first < 256; first++) {
		uint8_t byte = (uint8_t)first;
		struct ws_frame_head head;
		size_t used;
		bool is_good = memchr(good, byte, sizeof(good)) != NULL;

		assert_int_equal(parse(WS_SERVER, &byte, 1, &head, &used),
				 is_good ? WS_FRAME_MORE : WS_FRAME_PROTOCOL);
	}
}

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	static const uint64_t lens[] = {0,     1,     124,   125,   126,        127,      65534,
					65535, 65536, 65537, 99999, UINT32_MAX, INT64_MAX};
	static const uint8_t mask[4] = {1, 2, 3, 4};

	for (size_t i = 0; i < ARRAY_LEN(lens); i++)
		for (int masked = 0; masked < 2; masked++) {
			uint8_t out[WS_FRAME_HEAD_MAX];
			struct ws_frame_head head;
			size_t used;
			size_t len = ws_frame_head_write(out, WS_BINARY, lens[i],
							 masked ? mask : NULL);

			assert_int_equal(
				ws_frame_head_parse(
					(struct ws_frame_rules){masked ? WS_SERVER : WS_CLIENT},
					UINT64_MAX, out, len, &head, &used),
				WS_FRAME_OK);
			assert_int_equal(used, len);
			assert_int_equal(len, ws_frame_head_len(lens[i], masked));
			assert_false(head.is_deflated);
			assert_int_equal(head.payload_len, lens[i]);
			assert_int_equal(head.opcode, WS_BINARY);
			assert_true(head.is_final);
			if (masked)
				assert_memory_equal(head.mask, mask, 4);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head_table),
		cmocka_unit_test(test_every_proper_prefix_asks_for_more_and_writes_nothing),
		cmocka_unit_test(test_all_first_bytes),
		cmocka_unit_test(test_what_is_written_is_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
