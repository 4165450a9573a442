/* SPDX-License-Identifier: Apache-2.0
 * fuzz_authorization.c - the input as the fields of a request, and as what follows "Basic". */
#include "fuzz.h"

#include <openssl/evp.h>

#include "auth/authorization.h"

/* What was read encodes to the same text again. */
static void credentials_check(struct slice base64)
{
	struct basic_credentials shown;
	unsigned char again[4 * BASIC_CREDENTIALS_MAX];

	if (!basic_credentials_read(base64, &shown)) {
		CHECK(shown.name.data == NULL && shown.secret.data == NULL);
		return;
	}
	size_t len = shown.name.len + 1 + shown.secret.len;

	CHECK(len <= BASIC_CREDENTIALS_MAX && shown.bytes[shown.name.len] == ':');
	CHECK(shown.name.data == shown.bytes &&
	      memchr(shown.name.data, ':', shown.name.len) == NULL);
	CHECK((size_t)EVP_EncodeBlock(again, shown.bytes, (int)len) == base64.len);
	CHECK(memcmp(again, base64.data, base64.len) == 0);
	basic_credentials_wipe(&shown);
}

static void request_check(struct slice fields)
{
	static const char start[] = "GET / HTTP/1.1\r\nHost: x\r\n";
	size_t len = sizeof(start) - 1 + fields.len;
	uint8_t *text = malloc(len);
	struct http_head head;
	struct http_error error;
	struct slice found = {0};
	size_t used;

	CHECK(text != NULL);
	memcpy(text, start, sizeof(start) - 1);
	if (fields.len > 0)
		memcpy(text + sizeof(start) - 1, fields.data, fields.len);
	http_head_init(&head, HTTP_REQUEST);
	if (http_head_parse(&head, &http_limits_default, text, len, &used, &error) == HTTP_OK) {
		switch (authorization_find(&head, text, "Basic", &found)) {
		case AUTHORIZATION_FOUND:
			CHECK(found.data >= text && found.data + found.len <= text + len);
			credentials_check(found);
			break;
		case AUTHORIZATION_NONE:
		case AUTHORIZATION_BAD:
			CHECK(found.data == NULL);
			break;
		}
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	credentials_check(slice_of(copy, size));
	request_check(slice_of(copy, size));
	free(copy);
	return 0;
}
