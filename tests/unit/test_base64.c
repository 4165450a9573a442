/* SPDX-License-Identifier: Apache-2.0
 * Base64 and base64url: the values of RFC 4648, and every text that is not the one of its value. */
#include "unit.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/base64.h"

typedef bool (*read_fn)(struct slice text, uint8_t *out, size_t *out_len);

/* Reads a copy of just that length; `want` NULL: it is none, and nothing is told. */
static void check(read_fn read, const char *text, const char *want)
{
	size_t size = strlen(text), len = 99;
	char *copy = malloc(size + 1);
	uint8_t *out = malloc(BASE64_DECODED_MAX(size));

	CHECK(copy != NULL && out != NULL);
	memcpy(copy, text, size + 1);
	ASSERT_ROW(read(slice_of(copy, size), out, &len) == (want != NULL), text);
	ASSERT_ROW(len == (want == NULL ? 99 : strlen(want)), text);
	if (want != NULL)
		ASSERT_ROW(memcmp(out, want, len) == 0, text);
	free(copy);
	free(out);
}

/* RFC 4648, 10. */
static const struct {
	const char *plain, *padded, *url;
} vectors[] = {
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"fooba", "Zm9vYmE=", "Zm9vYmE"},
	{"foobar", "Zm9vYmFy", "Zm9vYmFy"},
	{"\xff\xef\xbe", "/+++", "_---"},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		char text[16];

		check(base64_read, vectors[i].padded, vectors[i].plain);
		check(base64_lines_read, vectors[i].padded, vectors[i].plain);
		check(base64url_read, vectors[i].url, vectors[i].plain);
		base64_write(vectors[i].plain, strlen(vectors[i].plain), text);
		assert_string_equal(text, vectors[i].padded);
		assert_int_equal(strlen(text), BASE64_ENCODED_LEN(strlen(vectors[i].plain)));
	}
	check(base64_lines_read, "Zm9v\r\nYm\nFy", "foobar");
	check(base64url_read, "", "");
}

static void test_what_is_none(void **state)
{
	static const char *const none[] = {
		"",       "=",        "==",      "====",  "A===",   "Z",      "Zg",
		"Zg=",    "Zg===",    "Zh==",    "Zm9=",  "Zm8",    "Zm8==",  "Zm9v=",
		"Zm9v==", " Zg==",    "Zg== ",   "Z g==", "Zg=\n=", "Zg==\n", "Zm\n9v",
		"_---",   "Zg==Zg==", "Z\x80==", "Zm=v",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		check(base64_read, none[i], NULL);
	check(base64_lines_read, "\n\n", NULL);
	check(base64_lines_read, "Zg=\n=", NULL);
	check(base64_lines_read, "Zg== ", NULL);
}

/* Of all texts of four characters from these, just those are read that OpenSSL writes. */
static void test_like_openssl(void **state)
{
	static const char from[] = "AQgw/+=-_ ";
	enum { COUNT = sizeof(from) - 1 };
	size_t good = 0;

	(void)state;
	for (size_t i = 0; i < (size_t)COUNT * COUNT * COUNT * COUNT; i++) {
		const char text[] = {from[i % COUNT], from[i / COUNT % COUNT],
				     from[i / COUNT / COUNT % COUNT],
				     from[i / COUNT / COUNT / COUNT], 0};
		uint8_t out[BASE64_DECODED_MAX(4)];
		unsigned char again[5];
		size_t len;

		if (!base64_read(slice_from_text(text), out, &len))
			continue;
		good++;
		EVP_EncodeBlock(again, out, (int)len);
		ASSERT_ROW(strcmp((const char *)again, text) == 0, text);
	}
	/* Six letters, of which A, Q, g and w end one byte, and A, Q, g and w two, with zero bits.
	 */
	assert_int_equal(good, 6 * 6 * 6 * 6 + 6 * 6 * 4 + 6 * 4);
}

/* The text may lie where the bytes go. */
static void test_in_place(void **state)
{
	uint8_t place[] = "Zm9v\nYmFy";
	size_t len;

	(void)state;
	assert_true(base64_lines_read(slice_from_text((const char *)place), place, &len));
	assert_int_equal(len, 6);
	assert_memory_equal(place, "foobar", 6);
}

static void test_base64url(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		size_t len;
	} cases[] = {{"", true, 0},      {"AA", true, 1},   {"AAA", true, 2}, {"AAAA", true, 3},
		     {"_-8", true, 2},   {"A", false, 0},   {"AB", false, 0}, {"AAB", false, 0},
		     {"AA==", false, 0}, {"A A", false, 0}, {"+w", false, 0}, {"/w", false, 0},
		     {"AAAAA", false, 0}};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len = 99;

		ASSERT_ROW(base64url_read(slice_from_text(cases[i].text), out, &len) ==
				   cases[i].is_good,
			   cases[i].text);
		ASSERT_ROW(len == (cases[i].is_good ? cases[i].len : 99), cases[i].text);
	}
	for (size_t size = 0; size < 10; size++) {
		char text[16];
		uint8_t back[16];
		size_t len;

		base64url_write("\xff\x00\x80xyz\xfe\x01\x02", size, text);
		assert_int_equal(strlen(text), BASE64URL_ENCODED_LEN(size));
		assert_true(base64url_read(slice_from_text(text), back, &len) && len == size);
		assert_memory_equal(back, "\xff\x00\x80xyz\xfe\x01\x02", size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),      cmocka_unit_test(test_what_is_none),
		cmocka_unit_test(test_like_openssl), cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_base64url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
