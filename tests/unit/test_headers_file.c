/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <unistd.h>

#include "route/headers_file.h"

static const struct {
	const char *name;
	const char *text;
	size_t count;      /* 0: refused */
	const char *wrong; /* in the message */
} rows[] = {
	{"one", "Authorization: Bearer s3cret\n", 1, NULL},
	{"without an end of the line", "X-Key:s3cret", 1, NULL},
	{"spaces, empty lines, comments", "# ours\r\n\r\n  X-Key :s3cret\r\n", 0,
	 ":3: 'X-Key?' (6 bytes)"},
	{"a colon in the value", "X-Key: s3cret:s3cret\n\n#\nCookie: a=s3cret; b\n", 2, NULL},
	{"one name twice", "X-Key: s3cret\nX-Key: s3cret\n", 2, NULL},
	{"nothing", "", 0, ": has no header"},
	{"comments alone", "# X: y\n\n", 0, ": has no header"},
	{"no colon", "X-A: b\nBearer s3cret\n", 0, ":2: there is no ':'"},
	{"no name", ": s3cret\n", 0, ":1: '' (0 bytes) is no name of a header"},
	{"a bad name", "X Key: s3cret\n", 0, ":1: 'X?Key' (5 bytes) is no name of a header"},
	{"no value", "X-Key:  \n", 0, ":1: header 'X-Key' has no value"},
	{"a control character", "X-Key: s3cret\x01\n", 0,
	 "'X-Key' holds a control character at offset 6"},
	{"a CR in the middle", "X-Key: s3cret\rX: y\n", 0,
	 "'X-Key' holds a control character at offset 6"},
	{"the length", "content-length: 7\n", 0,
	 ":1: header 'content-length' is set by the gateway"},
	{"the type", "Content-Type: s3cret\n", 0, "'Content-Type' is set by the gateway"},
	{"the encoding", "Content-Encoding: s3cret\n", 0,
	 "'Content-Encoding' is set by the gateway"},
	{"the host", "Host: s3cret\n", 0, "'Host' is set by the gateway"},
	{"an attribute", "CE-ClientId: s3cret\n", 0, "'CE-ClientId' is set by the gateway"},
	{"a signature", "X: y\nWebhook-Signature: s3cret\n", 0,
	 ":2: header 'Webhook-Signature' is set"},
	{"a trace", "traceparent: s3cret\n", 0, "'traceparent' is set by the gateway"},
	{"framing", "Transfer-Encoding: chunked\n", 0, "'Transfer-Encoding' is set by the gateway"},
};

static int read_text(const char *text, size_t len, struct static_headers *out_headers, char *error,
		     size_t error_size)
{
	char name[] = "/tmp/gatehouse-headers-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	int r = headers_file_read(name, out_headers, error, error_size);

	unlink(name);
	return r;
}

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct static_headers headers = {0};
		char error[320];
		int r = read_text(rows[i].text, strlen(rows[i].text), &headers, error,
				  sizeof(error));

		ASSERT_ROW((r == 0) == (rows[i].count > 0), rows[i].name);
		ASSERT_ROW(headers.count == rows[i].count, rows[i].name);
		if (r < 0) {
			ASSERT_ROW(strstr(error, rows[i].wrong) != NULL, error);
			ASSERT_ROW(strstr(error, "s3cret") == NULL, error);
		}
		static_headers_finish(&headers);
		ASSERT_ROW(headers.count == 0, rows[i].name);
	}
}

static void test_names_and_values(void **state)
{
	static const char text[] = "  Authorization:  Bearer a:b \t\r\n#\nx-key: 1\n";
	struct static_headers headers;
	char error[320];

	(void)state;
	assert_int_equal(read_text(text, strlen(text), &headers, error, sizeof(error)), 0);
	assert_int_equal(headers.count, 2);
	assert_true(slice_equals(headers.items[0].name, SLICE_LITERAL("Authorization")));
	assert_true(slice_equals(headers.items[0].value, SLICE_LITERAL("Bearer a:b")));
	assert_true(slice_equals(headers.items[1].name, SLICE_LITERAL("x-key")));
	assert_true(slice_equals(headers.items[1].value, SLICE_LITERAL("1")));
	static_headers_finish(&headers);
}

static void test_bounds(void **state)
{
	struct static_headers headers;
	char error[320], text[20000];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < STATIC_HEADERS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "X-%zu: y\n", i);
	assert_int_equal(read_text(text, len, &headers, error, sizeof(error)), 0);
	assert_int_equal(headers.count, STATIC_HEADERS_MAX);
	static_headers_finish(&headers);
	len += (size_t)snprintf(text + len, sizeof(text) - len, "X: y\n");
	assert_true(read_text(text, len, &headers, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, ":33: there are more than 32 headers"));
	memset(text, '#', sizeof(text));
	assert_true(read_text(text, sizeof(text), &headers, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, "is larger than 16384 bytes"));
	assert_true(read_text("X: a\0b\n", 7, &headers, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, ":1: there is a byte 0"));
	assert_true(headers_file_read("/no/such/file", &headers, error, sizeof(error)) < 0);
	assert_non_null(strstr(error, "/no/such/file cannot be read: No such file"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_names_and_values),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
