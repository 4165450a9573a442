/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/bytes.h"
#include "proto/proxy_header.h"

#define SIG         "\r\n\r\n\0\r\nQUIT\n"
#define V4          "\xc0\0\x02\x07\xc0\0\x02\x63\x9c\x40\x01\xbb" /* 192.0.2.7:40000 to .99:443 */
#define V6          "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x63"
#define V6_PORTS    "\x9c\x40\x01\xbb"
#define SIXTEEN     "0123456789abcdef"
#define UNIX_ADDR   SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN "0123456789ab"
#define LONGEST_V6  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
#define BYTES(text) text, sizeof(text) - 1

/* `in` has no byte more than the answer needs: with fewer it is still PROXY_MORE. */
struct row {
	const char *name;
	const char *in;
	size_t len;
	enum proxy_result want;
	const char *told; /* PROXY_OK: the source, "" if none; PROXY_BAD: part of the error */
};

static const struct row rows[] = {
	{"v1 TCP4", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 40000 443\r\n"), PROXY_OK,
	 "192.0.2.7:40000"},
	{"v1 TCP4, smallest", BYTES("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), PROXY_OK, "0.0.0.0:0"},
	{"v1 TCP4, longest", BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	 PROXY_OK, "255.255.255.255:65535"},
	{"v1 TCP6", BYTES("PROXY TCP6 2001:db8::7 ::1 40000 443\r\n"), PROXY_OK,
	 "[2001:db8::7]:40000"},
	{"v1 TCP6, longest", BYTES("PROXY TCP6 " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n"),
	 PROXY_OK, "[" LONGEST_V6 "]:65535"},
	{"v1 TCP6 of a dual-stack socket",
	 BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::ffff:192.0.2.99 40000 443\r\n"), PROXY_OK,
	 "[::ffff:192.0.2.7]:40000"},
	{"v1 UNKNOWN", BYTES("PROXY UNKNOWN\r\n"), PROXY_OK, ""},
	{"v1 UNKNOWN, 107 bytes",
	 BYTES("PROXY UNKNOWN " LONGEST_V6 " " LONGEST_V6 " 65535 65535\r\n"), PROXY_OK, ""},
	{"v1 UNKNOWN, anything", BYTES("PROXY UNKNOWN  \0 \x7f what ever\r\n"), PROXY_OK, ""},
	{"v1 UNKNOWN, 108 bytes", BYTES("PROXY UNKNOWN " LONGEST_V6 " " LONGEST_V6 " 65535 65535 "),
	 PROXY_BAD, "no CRLF in 107 bytes"},
	{"v1 UNKNOWNS", BYTES("PROXY UNKNOWNS\r\n"), PROXY_BAD, "a protocol other than"},
	{"v1 lower case", BYTES("PROXY tcp4 192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "a protocol other than"},
	{"v1 UDP4", BYTES("PROXY UDP4 192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "a protocol other than"},
	{"v1 nothing", BYTES("PROXY \r\n"), PROXY_BAD, "a protocol other than"},
	{"v1 leading space", BYTES("PROXY  TCP4 192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "a protocol other than"},
	{"v1 tab", BYTES("PROXY TCP4\t192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "a protocol other than"},
	{"v1 TCP4 alone", BYTES("PROXY TCP4\r\n"), PROXY_BAD, "not exactly two"},
	{"v1 one port", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1\r\n"), PROXY_BAD,
	 "not exactly two"},
	{"v1 three ports", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1 2 3\r\n"), PROXY_BAD,
	 "not exactly two"},
	{"v1 two spaces", BYTES("PROXY TCP4 192.0.2.7  192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "not exactly two"},
	{"v1 trailing space", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1 2 \r\n"), PROXY_BAD,
	 "not exactly two"},
	{"v1 two spaces for a port", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99  2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 empty source", BYTES("PROXY TCP4  192.0.2.99 1 2\r\n"), PROXY_BAD, "not numeric IPv4"},
	{"v1 IPv6 in TCP4", BYTES("PROXY TCP4 ::1 ::1 1 2\r\n"), PROXY_BAD, "not numeric IPv4"},
	{"v1 mapped in TCP4", BYTES("PROXY TCP4 ::ffff:192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "not numeric IPv4"},
	{"v1 IPv4 in TCP6", BYTES("PROXY TCP6 192.0.2.7 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "not numeric IPv6"},
	{"v1 bad target", BYTES("PROXY TCP4 192.0.2.7 192.0.2.256 1 2\r\n"), PROXY_BAD,
	 "not numeric IPv4"},
	{"v1 leading zero in address", BYTES("PROXY TCP4 192.0.2.07 192.0.2.99 1 2\r\n"), PROXY_BAD,
	 "not numeric IPv4"},
	{"v1 brackets", BYTES("PROXY TCP6 [::1] ::1 1 2\r\n"), PROXY_BAD, "not numeric IPv6"},
	{"v1 scope", BYTES("PROXY TCP6 fe80::1%1 ::1 1 2\r\n"), PROXY_BAD, "not numeric IPv6"},
	{"v1 NUL in address", BYTES("PROXY TCP6 ::1\0 ::1 1 2\r\n"), PROXY_BAD, "not numeric IPv6"},
	{"v1 port 65536", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 65536 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 target port 65536", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1 65536\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 port 080", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 080 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 port 00", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 00 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 port +1", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 +1 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 port -1", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 -1 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 port 0x50", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 0x50 2\r\n"), PROXY_BAD,
	 "a port that is not"},
	{"v1 LF alone", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1 2\n"), PROXY_BAD, "LF without CR"},
	{"v1 CR alone", BYTES("PROXY TCP4 192.0.2.7 192.0.2.99 1 2\rG"), PROXY_BAD,
	 "CR without LF"},
	{"v1 LF in UNKNOWN", BYTES("PROXY UNKNOWN\n"), PROXY_BAD, "LF without CR"},

	{"no header: a request", BYTES("G"), PROXY_ABSENT, NULL},
	{"no header: a method like it", BYTES("PROXYI"), PROXY_ABSENT, NULL},
	{"no header: a method like it, shorter", BYTES("PROP"), PROXY_ABSENT, NULL},
	{"no header: lower case", BYTES("p"), PROXY_ABSENT, NULL},
	{"no header: TLS", BYTES("\x16"), PROXY_ABSENT, NULL},
	{"no header: an empty line", BYTES("\r\nG"), PROXY_ABSENT, NULL},
	{"no header: almost the signature", BYTES("\r\n\r\n\0\r\nQUIT\r"), PROXY_ABSENT, NULL},

	{"v2 TCP over IPv4", BYTES(SIG "\x21\x11\0\x0c" V4), PROXY_OK, "192.0.2.7:40000"},
	{"v2 UDP over IPv4", BYTES(SIG "\x21\x12\0\x0c" V4), PROXY_OK, "192.0.2.7:40000"},
	{"v2 TCP over IPv6", BYTES(SIG "\x21\x21\0\x24" V6 V6_PORTS), PROXY_OK,
	 "[2001:db8::7]:40000"},
	{"v2 UDP over IPv6", BYTES(SIG "\x21\x22\0\x24" V6 V6_PORTS), PROXY_OK,
	 "[2001:db8::7]:40000"},
	{"v2 Unix stream", BYTES(SIG "\x21\x31\0\xd8" UNIX_ADDR UNIX_ADDR), PROXY_OK, ""},
	{"v2 unspecified", BYTES(SIG "\x21\0\0\0"), PROXY_OK, ""},
	{"v2 unspecified, with bytes", BYTES(SIG "\x21\0\0\x03xyz"), PROXY_OK, ""},
	{"v2 LOCAL", BYTES(SIG "\x20\0\0\0"), PROXY_OK, ""},
	{"v2 LOCAL, its addresses do not count", BYTES(SIG "\x20\x11\0\x0c" V4), PROXY_OK, ""},
	{"v2 LOCAL, its family does not count", BYTES(SIG "\x20\xff\0\x01x"), PROXY_OK, ""},
	{"v2 with TLVs", BYTES(SIG "\x21\x11\0\x17" V4 "\x01\0\x02h2\x04\0\0\xea\0\0"), PROXY_OK,
	 "192.0.2.7:40000"},
	{"v2 IPv6 with a TLV", BYTES(SIG "\x21\x21\0\x28" V6 V6_PORTS "\x05\0\x01x"), PROXY_OK,
	 "[2001:db8::7]:40000"},
	{"v2 with its checksum",
	 BYTES(SIG "\x21\x11\0\x18" V4 "\x03\0\x04\xad\x3a\x16\x14\x01\0\x02h2"), PROXY_OK,
	 "192.0.2.7:40000"},
	{"v2 with the checksum of another",
	 BYTES(SIG "\x21\x11\0\x18" V4 "\x03\0\x04\xad\x3a\x16\x14\x01\0\x02h3"), PROXY_BAD,
	 "CRC32c"},
	{"v2 with a checksum of 3 bytes",
	 BYTES(SIG "\x21\x11\0\x12" V4 "\x03\0\x03"
		   "abc"),
	 PROXY_BAD, "CRC32c"},
	{"v2 version 1", BYTES(SIG "\x11\x11\0\x0c"), PROXY_BAD, "another version"},
	{"v2 version 3", BYTES(SIG "\x31\x11\0\x0c"), PROXY_BAD, "another version"},
	{"v2 command 2", BYTES(SIG "\x22\x11\0\x0c"), PROXY_BAD, "a command other than"},
	{"v2 family 4", BYTES(SIG "\x21\x41\0\x0c"), PROXY_BAD, "a family and transport"},
	{"v2 transport 3", BYTES(SIG "\x21\x13\0\x0c"), PROXY_BAD, "a family and transport"},
	{"v2 IPv4 without transport", BYTES(SIG "\x21\x10\0\x0c"), PROXY_BAD,
	 "a family and transport"},
	{"v2 transport without family", BYTES(SIG "\x21\x01\0\x0c"), PROXY_BAD,
	 "a family and transport"},
	{"v2 IPv4 of 11 bytes", BYTES(SIG "\x21\x11\0\x0b"), PROXY_BAD, "too short"},
	{"v2 IPv4 of no bytes", BYTES(SIG "\x21\x11\0\0"), PROXY_BAD, "too short"},
	{"v2 IPv6 of 35 bytes", BYTES(SIG "\x21\x21\0\x23"), PROXY_BAD, "too short"},
	{"v2 Unix of 215 bytes", BYTES(SIG "\x21\x31\0\xd7"), PROXY_BAD, "too short"},
	{"v2 one byte of a TLV", BYTES(SIG "\x21\x11\0\x0d" V4 "\x01"), PROXY_BAD, "TLVs"},
	{"v2 two bytes of a TLV", BYTES(SIG "\x21\x11\0\x0e" V4 "\x01\0"), PROXY_BAD, "TLVs"},
	{"v2 TLV too long by one", BYTES(SIG "\x21\x11\0\x10" V4 "\x01\0\x02h"), PROXY_BAD, "TLVs"},
	{"v2 second TLV too long", BYTES(SIG "\x21\x11\0\x12" V4 "\x01\0\0\x02\xff\xff"), PROXY_BAD,
	 "TLVs"},
	{"v2 Unix with a bad TLV", BYTES(SIG "\x21\x31\0\xd9" UNIX_ADDR UNIX_ADDR "\x01"),
	 PROXY_BAD, "TLVs"},
	{"v2 of 2049 bytes", BYTES(SIG "\x21\x11\x07\xf1"), PROXY_BAD, "longer than 2048"},
	{"v2 of 65551 bytes", BYTES(SIG "\x20\0\xff\xff"), PROXY_BAD, "longer than 2048"},
};

struct answer {
	enum proxy_result result;
	struct proxy_header header;
	size_t used;
	const char *error;
};

/* Parses an exact-size copy, so that the sanitizer sees a read past the end, and asserts
 * that only what belongs to the result was written. */
static struct answer parse(const char *in, size_t len, const char *name)
{
	struct answer answer, before;
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memset(&before, 0xaa, sizeof(before));
	answer = before;
	memcpy(copy, in, len);
	answer.result = proxy_header_parse(copy, len, &answer.header, &answer.used, &answer.error);
	free(copy);
	if (answer.result != PROXY_OK) {
		assert_memory_equal(&answer.header, &before.header, sizeof(before.header));
		ASSERT_ROW(answer.used == before.used, name);
	}
	if (answer.result != PROXY_BAD)
		ASSERT_ROW(answer.error == before.error, name);
	return answer;
}

static void row_check(const struct row *row, const struct answer *answer)
{
	char text[NET_ADDR_TEXT_MAX];

	ASSERT_ROW(answer->result == row->want, row->name);
	if (row->want == PROXY_BAD)
		ASSERT_ROW(strstr(answer->error, row->told) != NULL, row->name);
	if (row->want != PROXY_OK)
		return;
	ASSERT_ROW(answer->used == row->len, row->name);
	ASSERT_ROW(answer->header.has_source == (row->told[0] != 0), row->name);
	if (answer->header.has_source)
		assert_string_equal(net_addr_format(&answer->header.source, text, sizeof(text)),
				    row->told);
}

static void test_header_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct answer answer = parse(rows[i].in, rows[i].len, rows[i].name);

		row_check(&rows[i], &answer);
	}
}

static void test_every_proper_prefix_asks_for_more(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t len = 0; len < rows[i].len; len++)
			ASSERT_ROW(parse(rows[i].in, len, rows[i].name).result == PROXY_MORE,
				   rows[i].name);
}

static void test_what_follows_changes_nothing(void **state)
{
	(void)state;
	static const struct row tails[] = {
		{.in = BYTES("\r\n")}, {.in = BYTES("\n")},      {.in = BYTES(" ")},
		{.in = BYTES("0")},    {.in = BYTES("GET / ")},  {.in = BYTES("\0\0\0\0")},
		{.in = BYTES(SIG)},    {.in = BYTES("PROXY T")},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(tails); k++) {
			char text[1024];

			assert_true(rows[i].len + tails[k].len <= sizeof(text));
			memcpy(text, rows[i].in, rows[i].len);
			memcpy(text + rows[i].len, tails[k].in, tails[k].len);
			struct answer answer = parse(text, rows[i].len + tails[k].len,
						     rows[i].name);

			row_check(&rows[i], &answer);
		}
}

static void test_no_bytes_ask_for_more(void **state)
{
	(void)state;
	struct proxy_header header;
	size_t used;
	const char *error;

	assert_int_equal(proxy_header_parse(NULL, 0, &header, &used, &error), PROXY_MORE);
}

/* One TLV fills the header up to exactly the largest size, in every cut. */
static void test_largest_header_is_taken(void **state)
{
	(void)state;
	static char text[PROXY_HEADER_MAX];
	size_t behind = PROXY_HEADER_MAX - 16, tlv = behind - 12 - 3;

	memcpy(text, SIG "\x21\x11\0\0" V4, 16 + 12);
	be_write((uint8_t *)text + 14, 2, behind);
	text[28] = '\x04';
	be_write((uint8_t *)text + 29, 2, tlv);
	for (size_t len = 0; len < PROXY_HEADER_MAX; len++)
		assert_int_equal(parse(text, len, "largest").result, PROXY_MORE);
	struct answer answer = parse(text, PROXY_HEADER_MAX, "largest");

	assert_int_equal(answer.result, PROXY_OK);
	assert_int_equal(answer.used, PROXY_HEADER_MAX);
	be_write((uint8_t *)text + 29, 2, tlv + 1);
	assert_int_equal(parse(text, PROXY_HEADER_MAX, "largest").result, PROXY_BAD);
	be_write((uint8_t *)text + 29, 2, tlv - 1);
	assert_int_equal(parse(text, PROXY_HEADER_MAX, "largest").result, PROXY_BAD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_table),
		cmocka_unit_test(test_every_proper_prefix_asks_for_more),
		cmocka_unit_test(test_what_follows_changes_nothing),
		cmocka_unit_test(test_no_bytes_ask_for_more),
		cmocka_unit_test(test_largest_header_is_taken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
