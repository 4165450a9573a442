/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "proto/http_head.h"
#include "proto/tls_hello.h"

#define HOST "Host: h\r\n"
#define REQ  "GET / HTTP/1.1\r\n"

static const struct http_limits tight = {.max_line = 40, .max_fields = 4, .max_total = 120};

/* Feeds exact-size copies of growing prefixes, each at another place, so that the
 * sanitizer sees both a read past the end and a kept pointer. `step` bytes more each
 * time. Returns how many bytes were given when the answer came. */
static size_t parse(struct http_head *head, enum http_kind kind, const struct http_limits *limits,
		    struct slice text, size_t step, enum http_result *out_result, size_t *out_used,
		    struct http_error *out_error)
{
	size_t len = MIN(step, text.len);

	http_head_init(head, kind);
	for (;; len = MIN(len + step, text.len)) {
		uint8_t *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, text.data, len);
		*out_result = http_head_parse(head, limits, copy, len, out_used, out_error);
		free(copy);
		if (*out_result != HTTP_MORE || len == text.len)
			return len;
	}
}

static const struct {
	const char *name;
	const char *text;
	uint16_t status; /* 0: good; 1: more is needed */
} request_rows[] = {
	{"simple", REQ HOST "\r\n", 0},
	{"HTTP/1.0 needs no Host", "GET / HTTP/1.0\r\n\r\n", 0},
	{"no white space before the value", REQ "Host:h\r\n\r\n", 0},
	{"white space around the value", REQ "Host: \t h \t\r\n\r\n", 0},
	{"empty value", REQ HOST "X:\r\n\r\n", 0},
	{"empty value of blanks", REQ HOST "X:  \t\r\n\r\n", 0},
	{"tab inside a value", REQ HOST "X: a\tb\r\n\r\n", 0},
	{"bytes over 127 in a value", REQ HOST "X: \xc3\xa4\xff\r\n\r\n", 0},
	{"colon in a value", REQ HOST "X: a:b\r\n\r\n", 0},
	{"every token character", "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1\r\n" HOST "\r\n", 0},
	{"query", "GET /?a=/b?c HTTP/1.1\r\n" HOST "\r\n", 0},
	{"absolute form", "GET http://h:8/x HTTP/1.1\r\n" HOST "\r\n", 0},
	{"absolute form without a path", "GET HTTPS://h HTTP/1.1\r\n" HOST "\r\n", 0},
	{"ws URL", "GET ws://h/x HTTP/1.1\r\n" HOST "\r\n", 0},
	{"wss URL in capitals", "GET WSS://h:1/x HTTP/1.1\r\n" HOST "\r\n", 0},
	{"URL of another host", "GET http://g/x HTTP/1.1\r\n" HOST "\r\n", 0},
	{"IPv6 URL", "GET ws://[::1]:80/ HTTP/1.1\r\n" HOST "\r\n", 0},
	{"asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
	{"one empty line first", "\r\n" REQ HOST "\r\n", 0},
	{"an empty line of LF first", "\n" REQ HOST "\r\n", 0},
	{"empty lines of both kinds first", "\n\r\n\n" REQ HOST "\r\n", 0},
	{"as many empty lines as are skipped", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n" REQ HOST "\r\n",
	 0},
	{"IPv6 host", REQ "Host: [::1]:8080\r\n\r\n", 0},
	{"empty host", REQ "Host:\r\n\r\n", 0},

	{"cut in the version", "GET / HTTP/1.", 1},
	{"cut before the last LF", REQ HOST "\r", 1},
	{"nothing", "", 1},
	{"an empty line and nothing", "\r\n", 1},

	{"one empty line too many", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\n" REQ HOST "\r\n", 400},
	{"CR without LF first", "\r" REQ HOST "\r\n", 400},
	{"two CRs first", "\r\r\n" REQ HOST "\r\n", 400},
	{"a blank first", " \r\n" REQ HOST "\r\n", 400},
	{"bare LF after the request line", "GET / HTTP/1.1\n" HOST "\r\n", 400},
	{"bare LF after a field", REQ "Host: h\n\r\n", 400},
	{"bare LF at the end", REQ HOST "\n", 400},
	{"bare CR in the request line", "GET /\rx HTTP/1.1\r\n" HOST "\r\n", 400},
	{"bare CR in a value", REQ HOST "X: a\rb\r\n\r\n", 400},
	{"two CRs", REQ "Host: h\r\r\n\r\n", 400},
	{"DEL in a value", REQ HOST "X: a\x7f\r\n\r\n", 400},
	{"control character in a value", REQ HOST "X: a\x01\r\n\r\n", 400},
	{"control character in a name", REQ HOST "X\x01: a\r\n\r\n", 400},
	{"TLS instead of HTTP", "\x16\x03\x01\x02", 400},
	{"folded field", REQ HOST "X: a\r\n b\r\n\r\n", 400},
	{"folded with a tab", REQ HOST "X: a\r\n\tb\r\n\r\n", 400},
	{"blank before the first field", REQ " Host: h\r\n\r\n", 400},
	{"space before the colon", REQ HOST "X : a\r\n\r\n", 400},
	{"tab before the colon", REQ HOST "X\t: a\r\n\r\n", 400},
	{"no name", REQ HOST ": a\r\n\r\n", 400},
	{"no colon", REQ HOST "X\r\n\r\n", 400},
	{"name not a token", REQ HOST "X(y): a\r\n\r\n", 400},
	{"name over 127", REQ HOST "\xc3\xa4: a\r\n\r\n", 400},
	{"method not a token", "G(T / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"no method", " / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"two spaces", "GET  / HTTP/1.1\r\n" HOST "\r\n", 400},
	{"two spaces before the version", "GET /  HTTP/1.1\r\n" HOST "\r\n", 400},
	{"tab for space", "GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"space at the end", "GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
	{"no version", "GET /\r\n" HOST "\r\n", 400},
	{"small letters", "GET / http/1.1\r\n" HOST "\r\n", 400},
	{"no digit", "GET / HTTP/1.x\r\n" HOST "\r\n", 400},
	{"two digits", "GET / HTTP/1.10\r\n" HOST "\r\n", 400},
	{"another protocol", "GET / HTTQ/1.1\r\n" HOST "\r\n", 400},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", 505},
	{"HTTP/0.9", "GET / HTTP/0.9\r\n" HOST "\r\n", 505},
	{"HTTP/2 with prior knowledge", "PRI * HTTP/2.0\r\n\r\n", 505},
	{"asterisk form without OPTIONS", "GET * HTTP/1.1\r\n" HOST "\r\n", 400},
	{"asterisk and more", "OPTIONS *? HTTP/1.1\r\n" HOST "\r\n", 400},
	{"authority form", "CONNECT h:80 HTTP/1.1\r\n" HOST "\r\n", 400},
	{"relative target", "GET x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"another scheme", "GET ftp://h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"no authority", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"no authority with ws", "GET ws:///x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"a scheme and nothing", "GET wss:// HTTP/1.1\r\n" HOST "\r\n", 400},
	{"a scheme and a query", "GET ws://?x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"a port without a host", "GET ws://:80/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"one slash", "GET ws:/x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"a URL of no host", "GET http://a<b/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"name and password", "GET http://a:b@h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"name and password with ws", "GET wss://a:b@h/ HTTP/1.1\r\n" HOST "\r\n", 400},
	{"fragment", "GET /#x HTTP/1.1\r\n" HOST "\r\n", 400},
	{"target over 127", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", 400},
	{"no Host", REQ "\r\n", 400},
	{"two Hosts", REQ HOST "host: h\r\n\r\n", 400},
	{"Host with a space", REQ "Host: a b\r\n\r\n", 400},
	{"Host with a list", REQ "Host: a,b\r\n\r\n", 400},
	{"Host with a path", REQ "Host: a/b\r\n\r\n", 400},
	{"Host over 127", REQ "Host: \xc3\xa4\r\n\r\n", 400},
	{"one Content-Length", REQ HOST "Content-Length: 10\r\n\r\n", 0},
	{"two Content-Lengths", REQ HOST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
	{"Content-Length with sign", REQ HOST "Content-Length: +1\r\n\r\n", 400},
	{"Content-Length list", REQ HOST "Content-Length: 1, 1\r\n\r\n", 400},
	{"empty Content-Length", REQ HOST "Content-Length:\r\n\r\n", 400},
	{"length and coding", REQ HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	 400},
	{"space before the colon of a length", REQ HOST "Content-Length : 1\r\n\r\n", 400},
	{"folded length", REQ HOST "Content-Length:\r\n 1\r\n\r\n", 400},
	{"hexadecimal Content-Length", REQ HOST "Content-Length: 0x1\r\n\r\n", 400},
	{"chunked", REQ HOST "Transfer-Encoding: Chunked\r\n\r\n", 0},
	{"chunked with empty items", REQ HOST "Transfer-Encoding: ,chunked,\r\n\r\n", 0},
	{"chunked with HTTP/1.0", "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"two codings", REQ HOST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
	{"chunked is not the last", REQ HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
	{"chunked twice", REQ HOST "Transfer-Encoding: chunked, chunked\r\n\r\n", 400},
	{"chunked in two fields",
	 "GET / HTTP/1.1\r\nHost:\r\nTransfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	 400},
	{"no chunked", REQ HOST "Transfer-Encoding: identity\r\n\r\n", 400},
	{"nearly chunked", REQ HOST "Transfer-Encoding: xchunked\r\n\r\n", 400},
	{"chunked with a parameter", REQ HOST "Transfer-Encoding: chunked;a=b\r\n\r\n", 400},
	{"empty coding", REQ HOST "Transfer-Encoding:\r\n\r\n", 400},

	/* The limits: lines of 40 bytes, 4 fields, 120 bytes in all. */
	{"request line at the limit", "GET /45678901234567890123456789 HTTP/1.1\r\n" HOST "\r\n",
	 0},
	{"request line over the limit", "GET /456789012345678901234567890 HTTP/1.1\r\n", 414},
	{"field at the limit", REQ HOST "X: 4567890123456789012345678901234567890\r\n\r\n", 0},
	{"field over the limit", REQ HOST "X: 45678901234567890123456789012345678901\r\n\r\n", 431},
	{"request line over the limit and not ended",
	 "GET /45678901234567890123456789012345678901234567890", 414},
	{"four fields", REQ HOST "A:\r\nB:\r\nC:\r\n\r\n", 0},
	{"five fields", REQ HOST "A:\r\nB:\r\nC:\r\nD:\r\n\r\n", 431},
	{"120 bytes in all",
	 REQ HOST "A: 4567890123456789012345678901234567\r\n"
		  "B: 4567890123456789012345678901234567890\r\n"
		  "C: 4567890\r\n\r\n",
	 0},
	{"121 bytes in all",
	 REQ HOST "A: 4567890123456789012345678901234567\r\n"
		  "B: 4567890123456789012345678901234567890\r\n"
		  "C: 45678901\r\n\r\n",
	 431},
};

static void test_request_table_whole_and_in_all_steps(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(request_rows); i++) {
		struct slice text = slice_from_text(request_rows[i].text);

		for (size_t step = 1; step <= text.len + 1; step++) {
			struct http_head head;
			enum http_result result;
			size_t used = 999;
			struct http_error error = {.status = 999};
			size_t given = parse(&head, HTTP_REQUEST, &tight, text, step, &result,
					     &used, &error);
			uint16_t status = request_rows[i].status;

			ASSERT_ROW(result == (status == 0   ? HTTP_OK
					      : status == 1 ? HTTP_MORE
							    : HTTP_BAD),
				   request_rows[i].name);
			ASSERT_ROW(error.status == (result == HTTP_BAD ? status : 999),
				   request_rows[i].name);
			ASSERT_ROW(used == (result == HTTP_OK ? text.len : 999),
				   request_rows[i].name);
			ASSERT_ROW(result != HTTP_OK || given == text.len, request_rows[i].name);
		}
	}
}

static void test_nul_is_refused_everywhere(void **state)
{
	(void)state;
	static const char good[] = REQ HOST "X: y\r\n\r\n";

	for (size_t at = 0; at < sizeof(good) - 1; at++) {
		char text[sizeof(good)];
		struct http_head head;
		enum http_result result;
		size_t used;
		struct http_error error = {0};

		memcpy(text, good, sizeof(good));
		text[at] = 0;
		parse(&head, HTTP_REQUEST, &http_limits_default, slice_of(text, sizeof(good) - 1),
		      1, &result, &used, &error);
		assert_int_equal(result, HTTP_BAD);
		assert_int_equal(error.status, 400);
	}
}

static void test_what_follows_the_head_is_left_alone(void **state)
{
	(void)state;
	struct slice text = SLICE_LITERAL(REQ HOST "\r\n\x01GET\n\n\n");
	struct http_head head;
	enum http_result result;
	size_t used = 0;
	struct http_error error;

	parse(&head, HTTP_REQUEST, &http_limits_default, text, text.len, &result, &used, &error);
	assert_int_equal(result, HTTP_OK);
	assert_int_equal(used, text.len - 7);
}

/* An answer that has come does not change when it is asked for again. */
static void test_asking_again_gives_the_same(void **state)
{
	(void)state;
	static const uint8_t text[] = REQ HOST "X: y\r\n\r\n";
	struct http_head head;
	struct http_error error;
	size_t used = 0;

	http_head_init(&head, HTTP_REQUEST);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(http_head_parse(&head, &http_limits_default, text,
						 sizeof(text) - 1, &used, &error),
				 HTTP_OK);
		assert_int_equal(used, sizeof(text) - 1);
		assert_int_equal(head.field_count, 2);
	}
}

/* Linear time: the bytes already scanned are not read again, so changing them
 * behind the parser's back does not show. */
static void test_scanned_bytes_are_not_read_again(void **state)
{
	(void)state;
	uint8_t text[] = REQ HOST "X: yyyyyyyyyyyy\r\n\r\n";
	struct http_head head;
	struct http_error error;
	size_t used = 0, cut = sizeof(text) - 8;

	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(http_head_parse(&head, &http_limits_default, text, cut, &used, &error),
			 HTTP_MORE);
	assert_int_equal(head.scanned, cut);
	text[cut - 1] = '\n';
	assert_int_equal(
		http_head_parse(&head, &http_limits_default, text, sizeof(text) - 1, &used, &error),
		HTTP_OK);
}

static void test_parts_of_a_request(void **state)
{
	(void)state;
	static const uint8_t text[] = "PATCH /a/b?c=d HTTP/1.0\r\n"
				      "Accept: x, Y ,\r\n"
				      "X-Two:  first \r\n"
				      "x-tWO: second\r\n"
				      "accept:\tlast\r\n\r\n";
	struct http_head head;
	struct http_error error;
	struct slice value = {0};
	size_t used;

	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(
		http_head_parse(&head, &http_limits_default, text, sizeof(text) - 1, &used, &error),
		HTTP_OK);
	assert_true(slice_equals(http_method(&head, text), SLICE_LITERAL("PATCH")));
	assert_true(slice_equals(http_target(&head, text), SLICE_LITERAL("/a/b?c=d")));
	assert_true(slice_equals(http_path(&head, text), SLICE_LITERAL("/a/b")));
	assert_int_equal(head.minor_version, 0);
	assert_int_equal(http_field_find(&head, text, "X-TWO", &value), 2);
	assert_true(slice_equals(value, SLICE_LITERAL("first")));
	assert_int_equal(http_field_find(&head, text, "X-Tw", &value), 0);
	assert_true(slice_equals(value, SLICE_LITERAL("first")));
	assert_true(http_field_has_token(&head, text, "accept", "X"));
	assert_true(http_field_has_token(&head, text, "accept", "y"));
	assert_true(http_field_has_token(&head, text, "Accept", "LAST"));
	assert_false(http_field_has_token(&head, text, "accept", "x, Y"));
	assert_false(http_field_has_token(&head, text, "accept", "las"));
	assert_false(http_field_has_token(&head, text, "none", "x"));
}

static void test_path_table(void **state)
{
	(void)state;
	static const struct {
		const char *target;
		const char *path;
		const char *query;
	} rows[] = {
		{"/", "/", ""},
		{"/?", "/", ""},
		{"/a?b?c", "/a", "b?c"},
		{"//a", "//a", ""},
		{"/a:b://c", "/a:b://c", ""},
		{"http://h", "/", ""},
		{"http://h?x=/y", "/", "x=/y"},
		{"http://h/", "/", ""},
		{"HTTPS://h:80/a/b?c", "/a/b", "c"},
		{"http://[::1]:80/a", "/a", ""},
		{"ws://h:80//a?b", "//a", "b"},
		{"wss://h?a:b://c", "/", "a:b://c"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[200];
		struct http_head head;
		struct http_error error;
		size_t used;

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\n" HOST "\r\n", rows[i].target);
		http_head_init(&head, HTTP_REQUEST);
		ASSERT_ROW(http_head_parse(&head, &http_limits_default, (uint8_t *)text,
					   strlen(text), &used, &error) == HTTP_OK,
			   rows[i].target);
		ASSERT_ROW(slice_equals(http_path(&head, (uint8_t *)text),
					slice_from_text(rows[i].path)),
			   rows[i].target);
		ASSERT_ROW(slice_equals(http_query(&head, (uint8_t *)text),
					slice_from_text(rows[i].query)),
			   rows[i].target);
	}
}

static void request_read(struct http_head *head, const char *text)
{
	struct http_error error;
	size_t used;

	http_head_init(head, HTTP_REQUEST);
	ASSERT_ROW(http_head_parse(head, &http_limits_default, (const uint8_t *)text, strlen(text),
				   &used, &error) == HTTP_OK,
		   text);
}

/* The host of a URL counts more than the field (RFC 9112, 3.2.2). */
static void test_host_table(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *host;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: a:1\r\n\r\n", "a:1"},
		{"GET http://b:2/ HTTP/1.1\r\nHost: a:1\r\n\r\n", "b:2"},
		{"GET ws://b HTTP/1.1\r\nHost: a:1\r\n\r\n", "b"},
		{"GET wss://b?x HTTP/1.1\r\nHost: a:1\r\n\r\n", "b"},
		{"OPTIONS * HTTP/1.1\r\nHost: a:1\r\n\r\n", "a:1"},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", ""},
		{"GET / HTTP/1.0\r\n\r\n", ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head;

		request_read(&head, rows[i].text);
		ASSERT_ROW(slice_equals(http_host(&head, (const uint8_t *)rows[i].text),
					slice_from_text(rows[i].host)),
			   rows[i].text);
	}
}

static void test_body_table(void **state)
{
	(void)state;
	static const struct {
		const char *fields;
		struct http_body want;
	} rows[] = {
		{"", {HTTP_BODY_NONE, 0}},
		{"Content-Length: 0\r\n", {HTTP_BODY_NONE, 0}},
		{"Content-Length: 00\r\n", {HTTP_BODY_NONE, 0}},
		{"Content-Length: 007\r\n", {HTTP_BODY_LENGTH, 7}},
		{"Content-Length: 18446744073709551614\r\n", {HTTP_BODY_LENGTH, UINT64_MAX - 1}},
		{"Content-Length: 18446744073709551616\r\n", {HTTP_BODY_LENGTH, UINT64_MAX}},
		{"Content-Length: 99999999999999999999999\r\n", {HTTP_BODY_LENGTH, UINT64_MAX}},
		{"Transfer-Encoding: chunked\r\n", {HTTP_BODY_CHUNKED, 0}},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[200];
		struct http_head head;

		snprintf(text, sizeof(text), REQ HOST "%s\r\n", rows[i].fields);
		request_read(&head, text);
		struct http_body body = http_request_body(&head, (uint8_t *)text);

		ASSERT_ROW(body.kind == rows[i].want.kind, rows[i].fields);
		ASSERT_ROW(body.len == rows[i].want.len, rows[i].fields);
	}
}

static void test_persistence_table(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is_persistent;
	} rows[] = {
		{REQ HOST "\r\n", true},
		{REQ HOST "Connection: keep-alive\r\n\r\n", true},
		{REQ HOST "Connection: close\r\n\r\n", false},
		{REQ HOST "Connection: x, Close\r\n\r\n", false},
		{REQ HOST "Connection: keep-alive\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head;

		request_read(&head, rows[i].text);
		ASSERT_ROW(http_is_persistent(&head, (const uint8_t *)rows[i].text) ==
				   rows[i].is_persistent,
			   rows[i].text);
	}
}

static void test_response_table(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint16_t status; /* 0: refused */
		const char *reason;
	} rows[] = {
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, "Switching Protocols"},
		{"HTTP/1.1 503 \r\nRetry-After: 1\r\n\r\n", 503, ""},
		{"HTTP/1.1 503\r\n\r\n", 503, ""},
		{"HTTP/1.0 200 Caf\xc3\xa9\ttwo  \r\n\r\n", 200, "Caf\xc3\xa9\ttwo  "},
		{"HTTP/1.1 599 x\r\n\r\n", 599, "x"},
		{"HTTP/1.1 600 x\r\n\r\n", 0, ""},
		{"HTTP/1.1 099 x\r\n\r\n", 0, ""},
		{"HTTP/1.1 20 x\r\n\r\n", 0, ""},
		{"HTTP/1.1 2000\r\n\r\n", 0, ""},
		{"HTTP/1.1 2x0 OK\r\n\r\n", 0, ""},
		{"HTTP/1.1  200 OK\r\n\r\n", 0, ""},
		{"HTTP/1.1\r\n\r\n", 0, ""},
		{"HTTP/2.0 200 OK\r\n\r\n", 0, ""},
		{"ICY 200 OK\r\n\r\n", 0, ""},
		{"\r\n\r\n", 0, ""},
		{"\r\nHTTP/1.1 200 OK\r\n\r\n", 0, ""},
		{"HTTP/1.1 200 OK\r\nX : y\r\n\r\n", 0, ""},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice text = slice_from_text(rows[i].text);

		for (size_t step = 1; step <= text.len; step++) {
			struct http_head head;
			struct http_error error;
			enum http_result result;
			size_t used;

			parse(&head, HTTP_RESPONSE, &http_limits_default, text, step, &result,
			      &used, &error);
			ASSERT_ROW(result == (rows[i].status != 0 ? HTTP_OK : HTTP_BAD),
				   rows[i].text);
			if (result != HTTP_OK)
				continue;
			ASSERT_ROW(head.status == rows[i].status, rows[i].text);
			ASSERT_ROW(
				slice_equals(slice_of(text.data + head.reason_at, head.reason_len),
					     slice_from_text(rows[i].reason)),
				rows[i].text);
		}
	}
}

static void test_tls_hello_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct slice bytes;
		bool is_hello;
	} rows[] = {
		{"TLS 1.0 record", SLICE_LITERAL("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
		 true},
		{"TLS 1.2 record", SLICE_LITERAL("\x16\x03\x03\x00\x40\x01"), true},
		{"cut behind the version", SLICE_LITERAL("\x16\x03\x03"), true},
		{"one byte", SLICE_LITERAL("\x16"), true},
		{"another version", SLICE_LITERAL("\x16\x02"), false},
		{"no version", SLICE_LITERAL("\x16\x03\x05"), false},
		{"a ServerHello", SLICE_LITERAL("\x16\x03\x03\x00\x40\x02"), false},
		{"an alert", SLICE_LITERAL("\x15\x03\x03\x00\x02"), false},
		{"a request", SLICE_LITERAL("GET / HTTP/1.1"), false},
		{"nothing", SLICE_LITERAL(""), false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(tls_is_hello(rows[i].bytes.data, rows[i].bytes.len) == rows[i].is_hello,
			   rows[i].name);
}

/* The largest head that offsets of 16 bits can describe. */
static void test_largest_head(void **state)
{
	(void)state;
	static const struct http_limits loose = {60000, HTTP_FIELDS_MAX, UINT16_MAX};
	static char text[UINT16_MAX + 1];
	struct http_head head;
	struct http_error error;
	struct slice value;
	size_t used;

	int len = snprintf(text, sizeof(text), REQ HOST "A: ");
	memset(text + len, 'a', 40000);
	len += 40000;
	len += snprintf(text + len, 16, "\r\nB: ");
	memset(text + len, 'b', sizeof(text) - (size_t)len);
	memcpy(text + UINT16_MAX - 4, "\r\n\r\n", 4);
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(
		http_head_parse(&head, &loose, (uint8_t *)text, sizeof(text), &used, &error),
		HTTP_OK);
	assert_int_equal(used, UINT16_MAX);
	assert_int_equal(http_field_find(&head, (uint8_t *)text, "B", &value), 1);
	assert_int_equal(value.len, UINT16_MAX - 4 - (size_t)len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_table_whole_and_in_all_steps),
		cmocka_unit_test(test_nul_is_refused_everywhere),
		cmocka_unit_test(test_what_follows_the_head_is_left_alone),
		cmocka_unit_test(test_asking_again_gives_the_same),
		cmocka_unit_test(test_scanned_bytes_are_not_read_again),
		cmocka_unit_test(test_parts_of_a_request),
		cmocka_unit_test(test_path_table),
		cmocka_unit_test(test_host_table),
		cmocka_unit_test(test_body_table),
		cmocka_unit_test(test_persistence_table),
		cmocka_unit_test(test_response_table),
		cmocka_unit_test(test_tls_hello_table),
		cmocka_unit_test(test_largest_head),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
