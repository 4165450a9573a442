/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/web_origin.h"

/* From an exact-size copy, which the caller frees. */
static const char *parse_copy(const char *text, bool is_pattern, struct web_origin *out,
			      uint8_t **out_copy)
{
	size_t len = strlen(text);

	*out_copy = malloc(len > 0 ? len : 1);
	assert_non_null(*out_copy);
	memcpy(*out_copy, text, len);
	return is_pattern ? web_origin_parse_pattern(slice_of(*out_copy, len), out)
			  : web_origin_parse(slice_of(*out_copy, len), out);
}

static void test_good_ones(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *host;
		unsigned port;
	} rows[] = {
		{"https://example.com", "example.com", 443},
		{"http://example.com", "example.com", 80},
		{"https://example.com:8443", "example.com", 8443},
		{"https://example.com:443", "example.com", 443},
		{"HTTPS://Example.COM", "Example.COM", 443},
		{"http://localhost:3000", "localhost", 3000},
		{"http://127.0.0.1:65535", "127.0.0.1", 65535},
		{"http://[::1]", "::1", 80},
		{"https://[2001:db8::1]:8443", "2001:db8::1", 8443},
		{"https://xn--bcher-kva.example", "xn--bcher-kva.example", 443},
		{"https://example.com.", "example.com.", 443},
		{"https://a_b.example.com", "a_b.example.com", 443},
		{"chrome-extension://abcdefghijklmnop", "abcdefghijklmnop", 0},
		{"capacitor://localhost", "localhost", 0},
		{"app+x.1-y://id:1", "id", 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct web_origin origin;
		uint8_t *copy;

		ASSERT_ROW(parse_copy(rows[i].text, false, &origin, &copy) == NULL, rows[i].text);
		ASSERT_ROW(slice_equals(origin.host, slice_from_text(rows[i].host)), rows[i].text);
		ASSERT_ROW(origin.port == rows[i].port && !origin.is_wild, rows[i].text);
		free(copy);
	}
}

static void test_bad_ones(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"",
		"null",
		"NULL",
		"example.com",
		"//example.com",
		"://example.com",
		"https:",
		"https:/",
		"https://",
		"https:///",
		"file://",
		"https://example.com/",
		"https://example.com/path",
		"https://example.com?x",
		"https://example.com#x",
		"https://user@example.com",
		"https://user:pw@example.com",
		"https://a b",
		"https://a https://b",
		"https://a,https://b",
		"https://a\t",
		" https://a",
		"https://a:",
		"https://a:0",
		"https://a:080",
		"https://a:65536",
		"https://a:999999",
		"https://a:8x",
		"https://a:-1",
		"https://[::1",
		"https://[]",
		"https://[1.2.3.4]",
		"https://[::1]x",
		"https://[::1]:",
		"https://[::g]",
		"https://[::1%25eth0]",
		"https://a..b",
		"https://.a",
		"https://.",
		"https://a%41",
		"https://*.example.com",
		("https://b\xc3\xbc"
		 "cher.example"),
		"1https://a",
		"ht_tp://a",
		"https://a\\b",
		"https://a:1:2",
		"https://::1",
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct web_origin origin = {.port = 7};
		uint8_t *copy;

		ASSERT_ROW(parse_copy(rows[i], false, &origin, &copy) != NULL, rows[i]);
		ASSERT_ROW(origin.port == 7, rows[i]);
		free(copy);
	}
}

static void test_too_long(void **state)
{
	(void)state;
	char text[512] = "https://";
	struct web_origin origin;

	memset(text + 8, 'a', 63);
	assert_null(web_origin_parse(slice_of(text, 8 + 63), &origin));
	memset(text + 8, 'a', 64);
	assert_non_null(web_origin_parse(slice_of(text, 8 + 64), &origin));
	for (size_t i = 0; i < 400; i++)
		text[8 + i] = i % 2 == 0 ? 'a' : '.';
	assert_null(web_origin_parse(slice_of(text, 8 + 254), &origin));
	assert_non_null(web_origin_parse(slice_of(text, 8 + 255), &origin));
	assert_non_null(web_origin_parse(slice_of(text, 8 + 400), &origin));
}

static void test_patterns(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"*",
		"https://*",
		"https://*.",
		"https://*.com",
		"https://*.com.",
		"https://*.localhost",
		"https://a.*.example.com",
		"https://*a.example.com",
		"https://a*.example.com",
		"https://*.*.example.com",
		"*://a.example.com",
		"https://*.example.com/",
		"https://*.0.0.1",
		"https://**.example.com",
		"null",
	};
	struct web_origin pattern;
	uint8_t *copy;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ASSERT_ROW(parse_copy(bad[i], true, &pattern, &copy) != NULL, bad[i]);
		free(copy);
	}
	assert_null(parse_copy("https://*.example.com:8443", true, &pattern, &copy));
	assert_true(pattern.is_wild && pattern.port == 8443);
	free(copy);
}

static void test_matches(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *origin;
		bool want;
	} rows[] = {
		{"https://example.com", "https://example.com", true},
		{"https://example.com", "https://EXAMPLE.com", true},
		{"HTTPS://example.com", "https://example.com:443", true},
		{"http://example.com:80", "http://example.com", true},
		{"https://example.com", "http://example.com", false},
		{"https://example.com", "http://example.com:443", false},
		{"https://example.com", "https://example.com:8443", false},
		{"https://example.com", "https://example.com.", false},
		{"https://example.com", "https://www.example.com", false},
		{"https://example.com", "https://example.com.evil.test", false},
		{"https://example.com", "https://evilexample.com", false},
		{"https://example.com", "https://example.co", false},
		{"https://*.example.com", "https://www.example.com", true},
		{"https://*.example.com", "https://WWW.Example.com", true},
		{"https://*.example.com", "https://example.com", false},
		{"https://*.example.com", "https://a.b.example.com", false},
		{"https://*.example.com", "https://evilexample.com", false},
		{"https://*.example.com", "https://www.example.com.evil.test", false},
		{"https://*.example.com", "https://www.example.com:444", false},
		{"https://*.example.com", "http://www.example.com", false},
		{"http://[::1]:80", "http://[0:0:0:0:0:0:0:1]", true},
		{"http://[::1]", "http://[::2]", false},
		{"http://[::ffff:1.2.3.4]", "http://1.2.3.4", false},
		{"app://id", "app://id", true},
		{"app://id", "app://id:1", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct web_origin pattern, origin;
		uint8_t *copies[2];

		ASSERT_ROW(parse_copy(rows[i].pattern, true, &pattern, &copies[0]) == NULL,
			   rows[i].pattern);
		ASSERT_ROW(parse_copy(rows[i].origin, false, &origin, &copies[1]) == NULL,
			   rows[i].origin);
		ASSERT_ROW(web_origin_matches(&pattern, &origin) == rows[i].want, rows[i].origin);
		free(copies[0]);
		free(copies[1]);
	}
}

static void test_of_host(void **state)
{
	(void)state;
	static const struct {
		const char *scheme, *host, *origin; /* NULL: the host is none */
	} rows[] = {
		{"http", "example.com", "http://example.com"},
		{"http", "example.com:8080", "http://example.com:8080"},
		{"https", "example.com", "https://example.com:443"},
		{"https", "[::1]:8443", "https://[::1]:8443"},
		{"http", "Example.com:80", "http://example.com"},
		{"http", "", NULL},
		{"http", "a b", NULL},
		{"http", "*.example.com", NULL},
		{"http", "example.com/", NULL},
		{"http", "u@example.com", NULL},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct web_origin host, origin;
		bool is_host = web_origin_of_host(slice_from_text(rows[i].scheme),
						  slice_from_text(rows[i].host), &host);

		ASSERT_ROW(is_host == (rows[i].origin != NULL), rows[i].host);
		if (!is_host)
			continue;
		ASSERT_ROW(web_origin_parse(slice_from_text(rows[i].origin), &origin) == NULL,
			   rows[i].host);
		ASSERT_ROW(web_origin_matches(&host, &origin), rows[i].host);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_ones), cmocka_unit_test(test_bad_ones),
		cmocka_unit_test(test_too_long),  cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_matches),   cmocka_unit_test(test_of_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
