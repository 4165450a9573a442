/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authorization.h"

#include <string.h>

#include <openssl/crypto.h>

#include "base/base64.h"

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

bool basic_credentials_read(struct slice base64, struct basic_credentials *out)
{
	size_t len = 0;
	const uint8_t *colon = NULL;

	if (base64.len <= BASE64_ENCODED_LEN(BASIC_CREDENTIALS_MAX) &&
	    base64_read(base64, out->bytes, &len) && len <= BASIC_CREDENTIALS_MAX)
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
