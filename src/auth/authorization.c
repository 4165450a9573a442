/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authorization.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

enum authorization_result authorization_find(const struct http_head *head, const uint8_t *data,
					     const char *scheme, struct slice *out_credentials)
{
	struct slice value = {0};
	size_t len = strlen(scheme);
	unsigned count = http_field_find(head, data, "Authorization", &value);

	if (count > 1)
		return AUTHORIZATION_BAD;
	if (count == 0 || !slice_starts_nocase(value, scheme) ||
	    (value.len > len && value.data[len] != ' '))
		return AUTHORIZATION_NONE;
	*out_credentials = slice_trim(slice_of(value.data + len, value.len - len));
	return AUTHORIZATION_FOUND;
}

/* EVP_DecodeBlock is lenient and counts padding as bytes; what does not encode to the same text
 * again is refused. */
static bool base64_read(struct slice text, uint8_t *out, size_t *out_len)
{
	unsigned char again[4 * ((BASIC_CREDENTIALS_MAX + 2) / 3) + 1];

	if (text.len == 0 || text.len % 4 != 0 || text.len >= sizeof(again))
		return false;
	int decoded = EVP_DecodeBlock(out, text.data, (int)text.len);

	if (decoded < 0)
		return false;
	size_t padding = (size_t)(text.data[text.len - 1] == '=') +
			 (size_t)(text.data[text.len - 2] == '=');

	*out_len = (size_t)decoded - padding;
	EVP_EncodeBlock(again, out, (int)*out_len);
	bool is_same = memcmp(again, text.data, text.len) == 0;

	OPENSSL_cleanse(again, sizeof(again));
	return is_same;
}

bool basic_credentials_read(struct slice base64, struct basic_credentials *out)
{
	size_t len = 0;
	const uint8_t *colon = NULL;

	if (base64_read(base64, out->bytes, &len) && len <= BASIC_CREDENTIALS_MAX)
		colon = memchr(out->bytes, ':', len);
	if (colon == NULL) {
		basic_credentials_wipe(out);
		return false;
	}
	out->name = slice_of(out->bytes, (size_t)(colon - out->bytes));
	out->secret = slice_of(colon + 1, len - out->name.len - 1);
	return true;
}

void basic_credentials_wipe(struct basic_credentials *credentials)
{
	OPENSSL_cleanse(credentials, sizeof(*credentials));
}
