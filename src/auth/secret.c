/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/secret.h"

#include <crypt.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "auth/crypt_cost.h"
#include "base/base64.h"
#include "base/check.h"
#include "base/hex.h"

#define OCPP_KEY_MIN 16 /* [bytes] */
#define OCPP_KEY_MAX 20

/* [bytes] of the base64 of a digest, with its padding. */
#define DIGEST_BASE64_LEN BASE64_ENCODED_LEN(SECRET_DIGEST_LEN)

/* --- digests --- */

/* `out` has room for half as many bytes. */
static bool hex_octets(struct slice text, uint8_t *out)
{
	int bad = (int)(text.len % 2);

	for (size_t i = 0; i + 1 < text.len; i += 2) {
		int high = hex_value(text.data[i]), low = hex_value(text.data[i + 1]);

		bad |= high < 0 || low < 0;
		out[i / 2] = (uint8_t)((unsigned)high << 4 | (unsigned)low);
	}
	return bad == 0;
}

/* The octets that OCPP means; `out` holds them if they were written in digits. */
static bool ocpp_octets(struct slice sent, uint8_t out[OCPP_KEY_MAX], struct slice *out_octets)
{
	*out_octets = sent;
	if (sent.len >= OCPP_KEY_MIN && sent.len <= OCPP_KEY_MAX)
		return true;
	*out_octets = slice_of(out, sent.len / 2);
	return sent.len >= 2 * (size_t)OCPP_KEY_MIN && sent.len <= 2 * (size_t)OCPP_KEY_MAX &&
	       hex_octets(sent, out);
}

bool secret_digest(struct slice sent, enum secret_format format, uint8_t out[SECRET_DIGEST_LEN])
{
	uint8_t octets[OCPP_KEY_MAX] = {0};
	struct slice meant = sent;
	bool is_good = format != SECRET_OCPP || ocpp_octets(sent, octets, &meant);

	if (!is_good)
		meant = slice_of(octets, sizeof(octets));
	SHA256(meant.data == NULL ? octets : meant.data, meant.len, out);
	OPENSSL_cleanse(octets, sizeof(octets));
	return is_good;
}

bool secret_digest_equals(const uint8_t a[SECRET_DIGEST_LEN], const uint8_t b[SECRET_DIGEST_LEN])
{
	return CRYPTO_memcmp(a, b, SECRET_DIGEST_LEN) == 0;
}

char *secret_digest_format(const uint8_t digest[SECRET_DIGEST_LEN],
			   char out[SECRET_DIGEST_TEXT_MAX])
{
	size_t at = (size_t)snprintf(out, SECRET_DIGEST_TEXT_MAX, "sha256:");

	for (size_t i = 0; i < SECRET_DIGEST_LEN; i++)
		at += (size_t)snprintf(out + at, SECRET_DIGEST_TEXT_MAX - at, "%02x", digest[i]);
	return out;
}

/* --- what the file has --- */

static bool take_prefix(struct slice *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || memcmp(text->data, prefix, len) != 0)
		return false;
	*text = slice_of(text->data + len, text->len - len);
	return true;
}

static bool base64_digest(struct slice text, uint8_t out[SECRET_DIGEST_LEN])
{
	uint8_t padded[DIGEST_BASE64_LEN], bytes[BASE64_DECODED_MAX(DIGEST_BASE64_LEN)];
	size_t len;

	if (text.len != DIGEST_BASE64_LEN && text.len != DIGEST_BASE64_LEN - 1)
		return false;
	memcpy(padded, text.data, text.len);
	if (text.len < DIGEST_BASE64_LEN)
		padded[text.len] = '=';
	if (!base64_read(slice_of(padded, sizeof(padded)), bytes, &len) || len != SECRET_DIGEST_LEN)
		return false;
	memcpy(out, bytes, SECRET_DIGEST_LEN);
	return true;
}

static const char *digest_parse(struct slice text, struct secret *out)
{
	out->kind = SECRET_DIGEST;
	if ((text.len == 2 * (size_t)SECRET_DIGEST_LEN && hex_octets(text, out->digest)) ||
	    base64_digest(text, out->digest))
		return NULL;
	return "has sha256: without 64 hexadecimal digits, or the base64 of 32 bytes, behind it";
}

/* Of a kind that crypt(3) knows here, that is not known to be weak, and not too dear to check. */
static const char *crypt_parse(struct slice text, struct secret *out)
{
	char setting[SECRET_CRYPTED_MAX];

	if (text.len >= sizeof(setting))
		return "has a hash that is too long for crypt(3)";
	memcpy(setting, text.data, text.len);
	setting[text.len] = 0;
	if (crypt_checksalt(setting) != CRYPT_SALT_OK)
		return "has a hash of a kind that crypt(3) does not know here, or that is too "
		       "weak; make one with gatehouse secret";
	const char *hash = strrchr(setting, '$');

	if (hash - setting < 4 || strlen(hash) < 20)
		return "has the beginning of a crypt(3) hash, but not all of it";
	const char *problem = crypt_cost_problem(setting);

	if (problem != NULL)
		return problem;
	out->kind = SECRET_CRYPT;
	out->is_guessable = true;
	out->crypt = text;
	return NULL;
}

static const char *plain_parse(struct slice text, enum secret_format format, struct secret *out)
{
	out->kind = SECRET_DIGEST;
	if (text.len == 0)
		return "has an empty secret";
	out->is_guessable = format == SECRET_TEXT;
	if (!secret_digest(text, format, out->digest))
		return "has a key that is neither 16 to 20 characters nor 32 to 40 hexadecimal "
		       "digits (secret_format: ocpp)";
	return NULL;
}

const char *secret_parse(struct slice text, enum secret_format format, struct secret *out)
{
	*out = (struct secret){0};
	if (take_prefix(&text, "sha256:"))
		return digest_parse(text, out);
	if (text.len > 0 && text.data[0] == '$')
		return crypt_parse(text, out);
	if (take_prefix(&text, "plain:"))
		return plain_parse(text, format, out);
	if (text.len == 0)
		return "has no secret behind the ':'";
	if (format == SECRET_OCPP)
		return plain_parse(text, format, out);
	return "has a secret of no known kind: write sha256:..., what crypt(3) has made ($y$..., "
	       "$6$..., $2b$...), or plain:...; gatehouse secret makes such lines";
}

/* --- crypt(3) --- */

bool secret_crypt_matches(const char *sent, const char *crypted)
{
	struct crypt_data *data = calloc(1, sizeof(*data));
	bool is_good = false;

	if (data == NULL)
		return false;
	const char *made = strlen(sent) > SECRET_CRYPT_MAX ? NULL : crypt_r(sent, crypted, data);

	/* Failure is a text that no good setting begins with. */
	if (made != NULL && made[0] != '*' && strlen(made) == strlen(crypted))
		is_good = CRYPTO_memcmp(made, crypted, strlen(crypted)) == 0;
	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return is_good;
}

bool secret_crypt_new(const char *sent, char out[SECRET_CRYPTED_MAX])
{
	char setting[CRYPT_GENSALT_OUTPUT_SIZE];
	struct crypt_data *data = calloc(1, sizeof(*data));
	bool is_good = false;

	if (data == NULL)
		return false;
	if (strlen(sent) <= SECRET_CRYPT_MAX &&
	    crypt_gensalt_rn("$y$", 0, NULL, 0, setting, sizeof(setting)) != NULL) {
		const char *made = crypt_r(sent, setting, data);

		is_good = made != NULL && made[0] != '*' && strlen(made) < SECRET_CRYPTED_MAX;
		if (is_good)
			memcpy(out, made, strlen(made) + 1);
	}
	OPENSSL_cleanse(data, sizeof(*data));
	free(data);
	return is_good;
}
