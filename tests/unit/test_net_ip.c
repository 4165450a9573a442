/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/net_ip.h"

static const struct net_ip untouched = {"abcdefghijklmno"};

/* An exact-size copy lets the sanitizer see a read past the end. */
static bool parse(const char *text, struct net_ip *out)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	bool is_good = net_ip_parse(slice_of(copy, len), out);

	free(copy);
	return is_good;
}

static const char *prefix_parse(const char *text, struct net_prefix *out)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	const char *problem = net_prefix_parse(slice_of(copy, len), out);

	free(copy);
	return problem;
}

static struct net_ip ip_of(const char *text)
{
	struct net_ip ip;

	assert_true(parse(text, &ip));
	return ip;
}

static void test_ip_table(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
		bool is_v4;
	} rows[] = {
		{"0.0.0.0", "0.0.0.0", true},
		{"192.0.2.7", "192.0.2.7", true},
		{"255.255.255.255", "255.255.255.255", true},
		{"::", "unix:", false},
		{"::1", "::1", false},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1", false},
		{"::ffff:192.0.2.7", "192.0.2.7", true},
		{"0:0:0:0:0:FFFF:c000:0207", "192.0.2.7", true},
		{"0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255", true},
		{"::fffe:192.0.2.7", "::fffe:c000:207", false},
		{"64:ff9b::192.0.2.7", "64:ff9b::c000:207", false},
		{"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		 "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", false},
		{"", NULL, false},
		{" 192.0.2.7", NULL, false},
		{"192.0.2.7 ", NULL, false},
		{"192.0.2", NULL, false},
		{"192.0.2.7.", NULL, false},
		{"192.0.2.256", NULL, false},
		{"192.0.2.07", NULL, false},
		{"192.0.2.0x7", NULL, false},
		{"3221225991", NULL, false},
		{"192.0.2.7:80", NULL, false},
		{"[::1]", NULL, false},
		{"[::1]:80", NULL, false},
		{"::1%lo", NULL, false},
		{"fe80::1%1", NULL, false},
		{"1:2:3:4:5:6:7", NULL, false},
		{"1:2:3:4:5:6:7:8:9", NULL, false},
		{"1::2::3", NULL, false},
		{"00001::", NULL, false},
		{"localhost", NULL, false},
		{"0000:0000:0000:0000:0000:ffff:255.255.255.2555", NULL, false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_ip ip = untouched;
		char text[NET_IP_TEXT_MAX];

		ASSERT_ROW(parse(rows[i].in, &ip) == (rows[i].out != NULL), rows[i].in);
		if (rows[i].out == NULL) {
			ASSERT_ROW(net_ip_equals(&ip, &untouched), rows[i].in);
			continue;
		}
		assert_string_equal(net_ip_format(&ip, text, sizeof(text)), rows[i].out);
		ASSERT_ROW(net_ip_is_v4(&ip) == rows[i].is_v4, rows[i].in);
	}
}

static void test_nul_is_no_end(void **state)
{
	(void)state;
	struct net_ip ip = untouched;

	assert_false(net_ip_parse(SLICE_LITERAL("192.0.2.7\0"), &ip));
	assert_false(net_ip_parse(SLICE_LITERAL("::1\0x"), &ip));
	assert_false(net_ip_parse((struct slice){0}, &ip));
	assert_true(net_ip_equals(&ip, &untouched));
}

static void test_ip_of_a_socket_address(void **state)
{
	(void)state;
	static const struct {
		const char *addr;
		const char *ip;
	} rows[] = {
		{"192.0.2.7:80", "192.0.2.7"},
		{"[2001:db8::1]:80", "2001:db8::1"},
		/* What an accept on a dual-stack listener gives. */
		{"[::ffff:192.0.2.7]:80", "192.0.2.7"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_addr addr;

		assert_null(net_addr_parse(slice_from_text(rows[i].addr), &addr));
		struct net_ip ip = net_ip_of(&addr), want = ip_of(rows[i].ip);

		ASSERT_ROW(net_ip_equals(&ip, &want), rows[i].addr);
	}
}

static void test_cut_keeps_exactly_the_first_bits(void **state)
{
	(void)state;
	struct net_ip ones;

	memset(&ones, 0xff, sizeof(ones));
	for (unsigned bits = 0; bits <= NET_IP_BITS; bits++) {
		struct net_ip cut = net_ip_cut(&ones, bits);

		for (unsigned i = 0; i < NET_IP_BITS; i++)
			assert_int_equal(cut.bytes[i / 8] >> (7 - i % 8) & 1, i < bits);
	}
	struct net_ip ip = ip_of("2001:db8:1:2:3:4:5:6");
	struct net_ip cut = net_ip_cut(&ip, 64), want = ip_of("2001:db8:1:2::");

	assert_true(net_ip_equals(&cut, &want));
	cut = net_ip_cut(&ip, NET_IP_BITS);
	assert_true(net_ip_equals(&cut, &ip));
}

static void test_prefix_table(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
		unsigned bits;
		const char *problem; /* a part of it */
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0/8", 104, NULL},
		{"0.0.0.0/0", "0.0.0.0/0", 96, NULL},
		{"10.1.2.3", "10.1.2.3/32", 128, NULL},
		{"10.1.2.3/32", "10.1.2.3/32", 128, NULL},
		{"10.1.2.2/31", "10.1.2.2/31", 127, NULL},
		{"172.16.0.0/12", "172.16.0.0/12", 108, NULL},
		{"fd00::/8", "fd00::/8", 8, NULL},
		{"::1", "::1/128", 128, NULL},
		{"::/0", "::/0", 0, NULL},
		{"::/1", "::/1", 1, NULL},
		{"unix:", "unix:", 128, NULL},
		{"::", NULL, 0, "unix: for the clients"},
		{"::/128", NULL, 0, "unix: for the clients"},
		{"2001:db8:8000::/33", "2001:db8:8000::/33", 33, NULL},
		{"::ffff:10.0.0.0/104", "10.0.0.0/8", 104, NULL},
		{"::ffff:0:0/96", "0.0.0.0/0", 96, NULL},
		{"10.0.0.1/8", NULL, 0, "write 10.0.0.0/8"},
		{"172.31.255.255/12", NULL, 0, "write 172.16.0.0/12"},
		{"1.2.3.4/0", NULL, 0, "write 0.0.0.0/0"},
		{"2001:db8::1/64", NULL, 0, "write 2001:db8::/64"},
		{"2001:db8:8000::/32", NULL, 0, "write 2001:db8::/32"},
		{"::ffff:10.0.0.0/8", NULL, 0, "write ::/8"},
		{"::ffff:10.0.0.1/104", NULL, 0, "write 10.0.0.0/8"},
		{"::ffff:0:0/95", NULL, 0, "write ::fffe:0:0/95"},
		{"10.0.0.0/33", NULL, 0, "longer than 32 bits"},
		{"fd00::/129", NULL, 0, "longer than 128 bits"},
		{"fd00::/99999999999999999999", NULL, 0, "longer than 128 bits"},
		{"10.0.0.0/", NULL, 0, "no plain number"},
		{"10.0.0.0/08", NULL, 0, "no plain number"},
		{"10.0.0.0/+8", NULL, 0, "no plain number"},
		{"10.0.0.0/8/8", NULL, 0, "no plain number"},
		{"10.0.0.0/255.0.0.0", NULL, 0, "no plain number"},
		{"10.0.0.0 /8", NULL, 0, "not a numeric"},
		{"10.0.0.0:80", NULL, 0, "not a numeric"},
		{"[fd00::]/8", NULL, 0, "not a numeric"},
		{"10/8", NULL, 0, "not a numeric"},
		{"/8", NULL, 0, "not a numeric"},
		{"", NULL, 0, "not a numeric"},
		{"proxy.example.com", NULL, 0, "not a numeric"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_prefix prefix = {untouched, 77};
		char text[NET_PREFIX_TEXT_MAX];
		const char *problem = prefix_parse(rows[i].in, &prefix);

		if (rows[i].out == NULL) {
			ASSERT_ROW(problem != NULL && strstr(problem, rows[i].problem) != NULL,
				   rows[i].in);
			ASSERT_ROW(prefix.bits == 77 && net_ip_equals(&prefix.ip, &untouched),
				   rows[i].in);
			continue;
		}
		ASSERT_ROW(problem == NULL, rows[i].in);
		ASSERT_ROW(prefix.bits == rows[i].bits, rows[i].in);
		assert_string_equal(net_prefix_format(&prefix, text, sizeof(text)), rows[i].out);
	}
}

static void test_prefix_has_table(void **state)
{
	(void)state;
	static const struct {
		const char *prefix;
		const char *ip;
		bool want;
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.0", true},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "9.255.255.255", false},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "::10.1.2.3", false},
		{"10.0.0.0/8", "a00::", false},
		{"172.16.0.0/12", "172.31.255.255", true},
		{"172.16.0.0/12", "172.32.0.0", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "::1", false},
		{"::/0", "::1", true},
		{"unix:", "::", true},
		{"unix:", "::1", false},
		{"10.0.0.0/8", "::", false},
		{"::/0", "::", false},
		{"::/0", "ffff::", true},
		{"::/0", "192.0.2.7", false},
		{"::/64", "192.0.2.7", false},
		{"fd00::/8", "fdff::1", true},
		{"fd00::/8", "fe00::1", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"::1", "::1", true},
		{"::1", "::", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_prefix prefix;
		struct net_ip ip = ip_of(rows[i].ip);

		assert_null(prefix_parse(rows[i].prefix, &prefix));
		ASSERT_ROW(net_prefix_has(&prefix, &ip) == rows[i].want, rows[i].prefix);
	}
}

static void test_short_room_cuts_the_text(void **state)
{
	(void)state;
	struct net_prefix prefix;
	char text[4];

	assert_null(prefix_parse("10.0.0.0/8", &prefix));
	assert_string_equal(net_ip_format(&prefix.ip, text, sizeof(text)), "10.");
	assert_string_equal(net_prefix_format(&prefix, text, sizeof(text)), "10.");
}

static void test_loopback_is_127_and_one(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.255.255.254", true},
		{"::ffff:127.0.0.1", true},
		{"::1", true},
		{"128.0.0.1", false},
		{"10.0.0.127", false},
		{"::2", false},
		{"::", false},
		{"7f00::1", false},
		{"0.0.0.0", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct net_ip ip;

		ASSERT_ROW(net_ip_parse(slice_from_text(rows[i].text), &ip), rows[i].text);
		ASSERT_ROW(net_ip_is_loopback(&ip) == rows[i].want, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loopback_is_127_and_one),
		cmocka_unit_test(test_ip_table),
		cmocka_unit_test(test_nul_is_no_end),
		cmocka_unit_test(test_ip_of_a_socket_address),
		cmocka_unit_test(test_cut_keeps_exactly_the_first_bits),
		cmocka_unit_test(test_prefix_table),
		cmocka_unit_test(test_prefix_has_table),
		cmocka_unit_test(test_short_room_cuts_the_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
