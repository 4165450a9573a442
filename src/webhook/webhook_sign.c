/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/webhook_sign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "base/base64.h"

#define PREFIX        "whsec_"
#define KEY_LEN_MIN   24
#define KEY_LEN_MAX   64
#define KEY_TEXT_MAX  BASE64_ENCODED_LEN(KEY_LEN_MAX)
#define DIGEST_LEN    32
#define SIGNATURE_LEN (sizeof("v1,") - 1 + 4 * ((DIGEST_LEN + 2) / 3))

struct webhook_signer {
	size_t count;
	EVP_MAC_CTX *keyed[]; /* each holds its key and is started anew for a message */
};

/* The length of the key in *out_key, or 0 and *out_reason. */
static size_t key_parse(const char *secret, uint8_t *out_key, const char **out_reason)
{
	size_t prefix_len = sizeof(PREFIX) - 1;

	if (strncmp(secret, PREFIX, prefix_len) != 0) {
		*out_reason = "does not begin with '" PREFIX "'";
		return 0;
	}
	const char *text = secret + prefix_len;
	size_t text_len = strlen(text);

	if (text_len > KEY_TEXT_MAX) {
		*out_reason = "is longer than the base64 of 64 bytes";
		return 0;
	}
	size_t len;

	if (!base64_read(slice_of(text, text_len), out_key, &len))
		*out_reason = "is not base64 after '" PREFIX "'";
	else if (len < KEY_LEN_MIN || len > KEY_LEN_MAX)
		*out_reason = "does not hold 24 to 64 bytes; make one with: "
			      "echo whsec_$(openssl rand -base64 32)";
	else
		return len;
	return 0;
}

static EVP_MAC_CTX *keyed_create(EVP_MAC *hmac, const uint8_t *key, size_t len)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC_CTX *keyed = EVP_MAC_CTX_new(hmac);

	if (keyed != NULL && EVP_MAC_init(keyed, key, len, params) != 1) {
		EVP_MAC_CTX_free(keyed);
		return NULL;
	}
	return keyed;
}

static int add_secret(struct webhook_signer *signer, EVP_MAC *hmac, const char *secret,
		      const char **out_reason)
{
	uint8_t key[KEY_LEN_MAX + 3];
	size_t len = key_parse(secret, key, out_reason);
	int r = len == 0 ? -EINVAL : 0;

	if (r == 0) {
		EVP_MAC_CTX *keyed = keyed_create(hmac, key, len);

		if (keyed != NULL)
			signer->keyed[signer->count++] = keyed;
		else
			r = -ENOMEM;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

int webhook_signer_create(const char *const *secrets, size_t count, struct webhook_signer **out,
			  size_t *out_bad, const char **out_reason)
{
	struct webhook_signer *signer = calloc(1, sizeof(*signer) + count * sizeof(EVP_MAC_CTX *));
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	int r = signer == NULL || hmac == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		r = add_secret(signer, hmac, secrets[i], out_reason);
		if (r == -EINVAL)
			*out_bad = i;
	}
	EVP_MAC_free(hmac);
	if (r == 0)
		*out = signer;
	else
		webhook_signer_destroy(&signer);
	return r;
}

void webhook_signer_destroy(struct webhook_signer **signer)
{
	if (*signer == NULL)
		return;
	for (size_t i = 0; i < (*signer)->count; i++)
		EVP_MAC_CTX_free((*signer)->keyed[i]);
	free(*signer);
	*signer = NULL;
}

static bool digest_of(EVP_MAC_CTX *keyed, struct slice id, const char *timestamp, size_t len,
		      struct slice body, uint8_t *out_digest)
{
	size_t digest_len;

	return EVP_MAC_init(keyed, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(keyed, id.data, id.len) == 1 &&
	       EVP_MAC_update(keyed, (const uint8_t *)timestamp, len) == 1 &&
	       EVP_MAC_update(keyed, body.data, body.len) == 1 &&
	       EVP_MAC_final(keyed, out_digest, &digest_len, DIGEST_LEN) == 1;
}

int webhook_sign(struct webhook_signer *signer, struct slice id, uint64_t timestamp_s,
		 struct slice body, struct buf *out, size_t max)
{
	char timestamp[32];
	int len = snprintf(timestamp, sizeof(timestamp), ".%llu.", (unsigned long long)timestamp_s);
	size_t before = out->len;

	for (size_t i = 0; i < signer->count; i++) {
		uint8_t digest[DIGEST_LEN];
		unsigned char text[SIGNATURE_LEN];

		if (!digest_of(signer->keyed[i], id, timestamp, (size_t)len, body, digest)) {
			out->len = before;
			return -ENOMEM;
		}
		EVP_EncodeBlock(text, digest, DIGEST_LEN);
		int r = buf_printf(out, max, "%sv1,%s", i == 0 ? "" : " ", (char *)text);

		if (r < 0) {
			out->len = before;
			return r;
		}
	}
	return 0;
}
