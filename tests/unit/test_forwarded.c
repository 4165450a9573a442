/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "proto/forwarded.h"

#define PROXY "10.0.0.1" /* trusted, as all of 10.0.0.0/8 and fd00::/8 */
#define FWD   "Forwarded: "
#define XFF   "X-Forwarded-For: "

static struct net_ip ip_of(const char *text)
{
	struct net_ip ip;

	if (!net_ip_parse(slice_from_text(text), &ip))
		fail_msg("not an address: '%s'", text);
	return ip;
}

/* `fields` end in CRLF each. The head lies in an exact-size copy. */
static struct net_ip client_of(const char *peer_text, const char *fields)
{
	static const struct http_limits limits = {16384, HTTP_FIELDS_MAX, UINT16_MAX};
	static char text[UINT16_MAX + 1];
	struct net_prefix trusted[2];
	struct net_ip peer = ip_of(peer_text);
	struct http_head head;
	struct http_error error;
	size_t used, len = (size_t)snprintf(text, sizeof(text),
					    "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	uint8_t *copy = malloc(len);

	assert_true(len < sizeof(text));
	memcpy(copy, text, len);
	assert_null(net_prefix_parse(SLICE_LITERAL("10.0.0.0/8"), &trusted[0]));
	assert_null(net_prefix_parse(SLICE_LITERAL("fd00::/8"), &trusted[1]));
	http_head_init(&head, HTTP_REQUEST);
	ASSERT_ROW(http_head_parse(&head, &limits, copy, len, &used, &error) == HTTP_OK, fields);
	struct net_ip client = forwarded_client(&head, copy, &peer, trusted, ARRAY_LEN(trusted));

	free(copy);
	return client;
}

struct row {
	const char *name;
	const char *fields;
	const char *want;
};

static void rows_check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct net_ip got = client_of(PROXY, rows[i].fields), want = ip_of(rows[i].want);

		ASSERT_ROW(net_ip_equals(&got, &want), rows[i].name);
	}
}

static void test_walk_table(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"no field", "", PROXY},
		{"one element", XFF "192.0.2.7\r\n", "192.0.2.7"},
		{"the last one that is not trusted", XFF "192.0.2.7, 192.0.2.8\r\n", "192.0.2.8"},
		{"trusted ones are stepped over", XFF "192.0.2.6, 192.0.2.7, 10.9.9.9, fd00::1\r\n",
		 "192.0.2.7"},
		{"all are trusted", XFF "10.0.0.9, 10.0.0.8\r\n", "10.0.0.9"},
		{"no spaces", XFF "192.0.2.7,10.0.0.8\r\n", "192.0.2.7"},
		{"tabs", XFF "192.0.2.7\t,\t10.0.0.8\r\n", "192.0.2.7"},
		{"two fields", XFF "192.0.2.7\r\n" XFF "10.0.0.8\r\n", "192.0.2.7"},
		{"two fields, others between",
		 XFF "192.0.2.6\r\nX: 1\r\n" XFF "192.0.2.7, 10.0.0.9\r\nY: 2\r\n" XFF
		     "10.0.0.8\r\n",
		 "192.0.2.7"},
		{"the name's case", "x-forwarded-FOR: 192.0.2.7\r\n", "192.0.2.7"},
		{"other names",
		 "X-Forwarded: 192.0.2.7\r\nX-Forwarded-Fo: 192.0.2.7\r\n"
		 "X-Forwarded-For-: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\n",
		 PROXY},
		{"an empty field", XFF "\r\n", PROXY},
		{"empty elements", XFF ",, 192.0.2.7 , ,10.0.0.8,,\r\n" XFF "\r\n" XFF ",\r\n",
		 "192.0.2.7"},
		{"unknown ends the walk", XFF "192.0.2.7, unknown, 10.0.0.8\r\n", "10.0.0.8"},
		{"unknown next to the peer", XFF "192.0.2.7, unknown\r\n", PROXY},
		{"a mistake ends the walk over fields", XFF "192.0.2.7\r\n" XFF "192.0.2\r\n",
		 PROXY},
		{"Forwarded", FWD "for=192.0.2.7\r\n", "192.0.2.7"},
		{"Forwarded, a chain", FWD "for=192.0.2.6, for=192.0.2.7, for=10.0.0.8\r\n",
		 "192.0.2.7"},
		{"Forwarded, two fields", FWD "for=192.0.2.7\r\n" FWD "for=10.0.0.8\r\n",
		 "192.0.2.7"},
		{"both, and they disagree", XFF "192.0.2.6\r\n" FWD "for=192.0.2.7\r\n", PROXY},
		{"both, and they agree", XFF "192.0.2.7\r\n" FWD "for=192.0.2.7\r\n", "192.0.2.7"},
		{"both, and they agree by different ways",
		 XFF "192.0.2.6, 192.0.2.7, 10.0.0.8\r\n" FWD "for=192.0.2.7\r\n", "192.0.2.7"},
		{"Forwarded that says nothing", XFF "192.0.2.6\r\n" FWD "proto=https\r\n", PROXY},
		{"Forwarded is not read on in X-Forwarded-For",
		 XFF "192.0.2.6\r\n" FWD "for=10.0.0.8\r\n", PROXY},
	};
	rows_check(rows, ARRAY_LEN(rows));
}

static void test_node_table(void **state)
{
	(void)state;
	static const struct {
		const char *node;
		const char *want; /* NULL: no address */
	} rows[] = {
		{"192.0.2.7", "192.0.2.7"},
		{"192.0.2.7:567", "192.0.2.7"},
		{"192.0.2.7:65535", "192.0.2.7"},
		{"192.0.2.7:_hidden-1.x", "192.0.2.7"},
		{"2001:db8::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:443", "2001:db8::1"},
		{"[2001:db8::1]:_p", "2001:db8::1"},
		{"[2001:db8:cafe:0:ffff:ffff:ffff:ffff]:65535",
		 "2001:db8:cafe:0:ffff:ffff:ffff:ffff"},
		{"::ffff:192.0.2.7", "192.0.2.7"},
		{"[::ffff:192.0.2.7]:1", "192.0.2.7"},
		{"unknown", NULL},
		{"_hidden", NULL},
		{"client.example.com", NULL},
		{"192.0.2.7:", NULL},
		{"192.0.2.7:123456", NULL},
		{"192.0.2.7:8x", NULL},
		{"192.0.2.7:-1", NULL},
		{"192.0.2.7:_", NULL},
		{"192.0.2.7:_a b", NULL},
		{"192.0.2.7:80:80", NULL},
		{"192.0.2.7 80", NULL},
		{"192.0.2.07", NULL},
		{":80", NULL},
		{"[192.0.2.7]", NULL},
		{"[192.0.2.7]:80", NULL},
		{"[2001:db8::1", NULL},
		{"[2001:db8::1]443", NULL},
		{"[2001:db8::1]:", NULL},
		{"[2001:db8::1]]", NULL},
		{"[[2001:db8::1]]", NULL},
		{"2001:db8::1]", NULL},
		{"[]", NULL},
		{"[]:80", NULL},
		{"[", NULL},
		{"]", NULL},
		{"[2001:db8::1%eth0]", NULL},
		{"2001:db8::1:2:3:4:5:6:443", NULL},
	};
	static const char *const forms[][2] = {
		{XFF, "\r\n"}, {FWD "for=\"", "\"\r\n"}, {FWD "for=", "\r\n"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
			char fields[128];

			snprintf(fields, sizeof(fields), "%s%s%s", forms[k][0], rows[i].node,
				 forms[k][1]);
			struct net_ip got = client_of(PROXY, fields);
			struct net_ip want = ip_of(rows[i].want == NULL ? PROXY : rows[i].want);

			ASSERT_ROW(net_ip_equals(&got, &want), fields);
		}
}

static void test_forwarded_syntax_table(void **state)
{
	(void)state;
	static const struct row rows[] = {
		{"examples of RFC 7239", FWD "For=\"[2001:db8:cafe::17]:4711\"\r\n",
		 "2001:db8:cafe::17"},
		{"with other parameters", FWD "for=192.0.2.7;proto=http;by=203.0.113.43\r\n",
		 "192.0.2.7"},
		{"not the first parameter", FWD "proto=http;by=203.0.113.43;FOR=192.0.2.7\r\n",
		 "192.0.2.7"},
		{"a name that ends in for", FWD "xfor=192.0.2.6;for=192.0.2.7\r\n", "192.0.2.7"},
		{"spaces around semicolons", FWD "for=192.0.2.7 ; proto=http\r\n", "192.0.2.7"},
		{"empty pairs", FWD ";for=192.0.2.7;;\r\n", "192.0.2.7"},
		{"escapes", FWD "for=\"\\1\\92.0.2.7\\:\\8\"\r\n", "192.0.2.7"},
		{"separators in quotes", FWD "ext=\"a,b;c=d\";for=192.0.2.7;x=\",;\"\r\n",
		 "192.0.2.7"},
		{"escaped quotes in quotes",
		 FWD "for=192.0.2.7;x=\"a\\\",for=192.0.2.6;\\\\\", for=10.0.0.8;x=\"\\\"\"\r\n",
		 "192.0.2.7"},
		{"for in quotes is no parameter", FWD "x=\";for=192.0.2.6\"\r\n", PROXY},
		{"no for", FWD "by=192.0.2.7;proto=http\r\n", PROXY},
		{"two for", FWD "for=192.0.2.7;for=192.0.2.7\r\n", PROXY},
		{"an empty for and another", FWD "for=;for=192.0.2.7\r\n", PROXY},
		{"an empty value", FWD "for=\r\n", PROXY},
		{"an empty quoted value", FWD "for=\"\"\r\n", PROXY},
		{"a pair without =", FWD "for=192.0.2.7;secure\r\n", PROXY},
		{"a pair without a name", FWD "for=192.0.2.7;=x\r\n", PROXY},
		{"space before =", FWD "for =192.0.2.7\r\n", PROXY},
		{"space behind =", FWD "for= 192.0.2.7\r\n", PROXY},
		{"another value that stays open", FWD "for=192.0.2.7;x=\"y\r\n", PROXY},
		{"quotes within another value", FWD "for=192.0.2.7;x=y\"z\"\r\n", PROXY},
		{"another value that is empty", FWD "for=192.0.2.7;x=\r\n", PROXY},
		{"an address alone", FWD "192.0.2.7\r\n", PROXY},
		{"text behind the quotes", FWD "for=\"192.0.2.7\"x\r\n", PROXY},
		{"quotes that stay open", FWD "for=\"192.0.2.7\r\n", PROXY},
		{"a quote at the end", FWD "for=192.0.2.7\"\r\n", PROXY},
		{"a backslash at the end", FWD "for=\"192.0.2.7\\\r\n", PROXY},
		{"an escaped quote at the end", FWD "for=\"192.0.2.7\\\"\r\n", PROXY},
		{"a lone quote", FWD "for=\"\r\n", PROXY},
		{"spaces in the quotes", FWD "for=\" 192.0.2.7\"\r\n", PROXY},
	};
	rows_check(rows, ARRAY_LEN(rows));
}

static void test_untrusted_peer_is_the_client(void **state)
{
	(void)state;
	static const char *const peers[] = {"11.0.0.1", "192.0.2.1", "fe00::1", "::10.0.0.1"};

	for (size_t i = 0; i < ARRAY_LEN(peers); i++) {
		struct net_ip want = ip_of(peers[i]);
		struct net_ip xff = client_of(peers[i], XFF "192.0.2.7\r\n");
		struct net_ip fwd = client_of(peers[i], FWD "for=192.0.2.7\r\n");

		ASSERT_ROW(net_ip_equals(&xff, &want), peers[i]);
		ASSERT_ROW(net_ip_equals(&fwd, &want), peers[i]);
	}
}

static void test_nobody_is_trusted(void **state)
{
	(void)state;
	static const char text[] = "GET / HTTP/1.1\r\nHost: h\r\n" XFF "192.0.2.7\r\n\r\n";
	struct http_head head;
	struct http_error error;
	struct net_ip peer = ip_of(PROXY);
	size_t used;

	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, (const uint8_t *)text,
					 sizeof(text) - 1, &used, &error),
			 HTTP_OK);
	struct net_ip client = forwarded_client(&head, (const uint8_t *)text, &peer, NULL, 0);

	assert_true(net_ip_equals(&client, &peer));
}

/* A client writes what it likes; the trusted proxy puts the client's address behind it, in
 * the same field or in one of its own. */
static void test_no_text_of_the_client_hides_its_address(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"\"",
		"\\",
		"\"\\",
		"for=\"192.0.2.6",
		"for=\"192.0.2.6\\",
		"x=\"a\\\\\\",
		"\"\\\"",
		"for=\"a\"\"",
		"[",
		"for=192.0.2.6;x=\"",
		";",
		",,,",
		"\"\"\"",
		"192.0.2.6",
		"10.0.0.5",
		"for=10.0.0.5",
	};
	static const char *const forms[][2] = {
		{XFF, ", 192.0.2.7, 10.0.0.8\r\n"},
		{XFF, "\r\n" XFF "192.0.2.7\r\n"},
		{FWD, ", for=192.0.2.7\r\n"},
		{FWD, ", for=\"192.0.2.7:80\";by=\"_x\", for=\"[fd00::1]:1\"\r\n"},
		{FWD, "\r\n" FWD "for=\"192.0.2.7\"\r\n"},
	};
	struct net_ip want = ip_of("192.0.2.7");

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		for (size_t k = 0; k < ARRAY_LEN(forms); k++) {
			char fields[256];

			snprintf(fields, sizeof(fields), "%s%s%s", forms[k][0], texts[i],
				 forms[k][1]);
			struct net_ip got = client_of(PROXY, fields);

			ASSERT_ROW(net_ip_equals(&got, &want), fields);
		}
}

/* Writes "X-Forwarded-For: 192.0.2.7, 10.1.0.N, ..., 10.1.0.1" with N trusted ones. */
static const char *chain_write(char *out, size_t size, unsigned trusted_count)
{
	size_t len = (size_t)snprintf(out, size, XFF "192.0.2.7");

	for (unsigned i = trusted_count; i > 0; i--)
		len += (size_t)snprintf(out + len, size - len, ", 10.1.%u.%u", i / 256, i % 256);
	snprintf(out + len, size - len, "\r\n");
	return out;
}

static void test_walk_is_bounded(void **state)
{
	(void)state;
	static char fields[16384];
	struct net_ip within = client_of(
		PROXY, chain_write(fields, sizeof(fields), FORWARDED_ELEMENTS_MAX - 1));
	struct net_ip beyond = client_of(
		PROXY, chain_write(fields, sizeof(fields), FORWARDED_ELEMENTS_MAX));
	struct net_ip far_beyond = client_of(PROXY, chain_write(fields, sizeof(fields), 1000));
	struct net_ip client = ip_of("192.0.2.7"), last = ip_of("10.1.0.32");

	assert_int_equal(FORWARDED_ELEMENTS_MAX, 32);
	assert_true(net_ip_equals(&within, &client));
	assert_true(net_ip_equals(&beyond, &last));
	assert_true(net_ip_equals(&far_beyond, &last));
}

static void test_value_longer_than_any_address_is_none(void **state)
{
	(void)state;
	static const unsigned lens[] = {1, 117, 118, 1000};
	struct net_ip proxy = ip_of(PROXY), client = ip_of("192.0.2.7");

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		char port[1001], fields[1100];

		memset(port, 'p', lens[i]);
		port[lens[i]] = 0;
		snprintf(fields, sizeof(fields), FWD "for=\"192.0.2.7:_%s\"\r\n", port);
		struct net_ip got = client_of(PROXY, fields);

		/* 128 bytes: "192.0.2.7:_" and 117. */
		assert_true(net_ip_equals(&got, lens[i] <= 117 ? &client : &proxy));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_table),
		cmocka_unit_test(test_node_table),
		cmocka_unit_test(test_forwarded_syntax_table),
		cmocka_unit_test(test_untrusted_peer_is_the_client),
		cmocka_unit_test(test_nobody_is_trusted),
		cmocka_unit_test(test_no_text_of_the_client_hides_its_address),
		cmocka_unit_test(test_walk_is_bounded),
		cmocka_unit_test(test_value_longer_than_any_address_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
