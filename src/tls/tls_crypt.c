/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_crypt.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/check.h"

/* A context for each direction, since turning one round costs more than a new key. */
struct aead {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

static char sha256[] = "SHA256", sha384[] = "SHA384"; /* OSSL_PARAM takes no const */

struct tls_crypt {
	struct aead aeads[TLS_AEAD_COUNT];
	EVP_MAC_CTX *hmac_sha256; /* for HKDF */
	EVP_MAC_CTX *hmac_sha384;
	EVP_KDF_CTX *prf;
};

/* --- life --- */

static bool aead_init(struct aead *aead, const char *name)
{
	aead->cipher = EVP_CIPHER_fetch(NULL, name, NULL);
	aead->seal = EVP_CIPHER_CTX_new();
	aead->open = EVP_CIPHER_CTX_new();
	return aead->cipher != NULL && aead->seal != NULL && aead->open != NULL &&
	       EVP_EncryptInit_ex2(aead->seal, aead->cipher, NULL, NULL, NULL) == 1 &&
	       EVP_DecryptInit_ex2(aead->open, aead->cipher, NULL, NULL, NULL) == 1;
}

static EVP_KDF_CTX *kdf_create(const char *name)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);

	EVP_KDF_free(kdf);
	return ctx;
}

static EVP_MAC_CTX *hmac_create(char *hash)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash, 0),
		OSSL_PARAM_construct_end(),
	};

	EVP_MAC_free(mac);
	if (ctx == NULL || EVP_MAC_CTX_set_params(ctx, params) == 1)
		return ctx;
	EVP_MAC_CTX_free(ctx);
	return NULL;
}

struct tls_crypt *tls_crypt_create(void)
{
	static const char *const names[] = {
		[TLS_AES_128_GCM] = "AES-128-GCM",
		[TLS_AES_256_GCM] = "AES-256-GCM",
		[TLS_CHACHA20_POLY1305] = "ChaCha20-Poly1305",
	};
	struct tls_crypt *crypt = calloc(1, sizeof(*crypt));
	bool is_good = crypt != NULL;

	for (size_t i = 0; i < TLS_AEAD_COUNT && is_good; i++)
		is_good = aead_init(&crypt->aeads[i], names[i]);
	if (is_good) {
		crypt->hmac_sha256 = hmac_create(sha256);
		crypt->hmac_sha384 = hmac_create(sha384);
		crypt->prf = kdf_create("TLS1-PRF");
		is_good = crypt->hmac_sha256 != NULL && crypt->hmac_sha384 != NULL &&
			  crypt->prf != NULL;
	}
	if (!is_good)
		tls_crypt_destroy(&crypt);
	return crypt;
}

void tls_crypt_destroy(struct tls_crypt **crypt)
{
	struct tls_crypt *self = *crypt;

	if (self == NULL)
		return;
	for (size_t i = 0; i < TLS_AEAD_COUNT; i++) {
		EVP_CIPHER_CTX_free(self->aeads[i].seal); /* these clean the keys in them */
		EVP_CIPHER_CTX_free(self->aeads[i].open);
		EVP_CIPHER_free(self->aeads[i].cipher);
	}
	EVP_MAC_CTX_free(self->hmac_sha256);
	EVP_MAC_CTX_free(self->hmac_sha384);
	EVP_KDF_CTX_free(self->prf);
	free(self);
	*crypt = NULL;
}

/* --- records --- */

/* False: OpenSSL is out of memory. */
static bool text_encrypt(EVP_CIPHER_CTX *ctx, struct tls_text *text, size_t len, uint8_t *out)
{
	while (len > 0) {
		struct slice piece = *text->pieces;
		size_t part = MIN(piece.len - text->at, len);
		int written;

		if (part > 0 &&
		    EVP_EncryptUpdate(ctx, out, &written, piece.data + text->at, (int)part) != 1)
			return false;
		text->at += part;
		len -= part;
		out += part;
		if (text->at == piece.len)
			*text = (struct tls_text){.pieces = text->pieces + 1};
	}
	return true;
}

bool tls_crypt_seal(struct tls_crypt *crypt, const struct tls_seal *seal, bool is_new_key,
		    struct tls_text *text, size_t len, int trailer, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = crypt->aeads[seal->suite->aead].seal;
	uint8_t last = (uint8_t)trailer;
	int written;

	CHECK(len <= INT32_MAX);
	if (EVP_EncryptInit_ex2(ctx, NULL, is_new_key ? seal->key : NULL, seal->nonce, NULL) != 1 ||
	    EVP_EncryptUpdate(ctx, NULL, &written, seal->associated.data,
			      (int)seal->associated.len) != 1 ||
	    !text_encrypt(ctx, text, len, out))
		return false;
	out += len;
	if (trailer >= 0) {
		if (EVP_EncryptUpdate(ctx, out, &written, &last, 1) != 1)
			return false;
		out += written;
	}
	return EVP_EncryptFinal_ex(ctx, out, &written) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TLS_TAG_LEN, out) == 1;
}

bool tls_crypt_open(struct tls_crypt *crypt, const struct tls_seal *seal, bool is_new_key,
		    struct slice sealed, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = crypt->aeads[seal->suite->aead].open;
	uint8_t tag[TLS_TAG_LEN];
	int len;

	CHECK(sealed.len >= TLS_TAG_LEN && sealed.len <= INT32_MAX);
	size_t text_len = sealed.len - TLS_TAG_LEN;

	memcpy(tag, sealed.data + text_len, TLS_TAG_LEN);
	if (EVP_DecryptInit_ex2(ctx, NULL, is_new_key ? seal->key : NULL, seal->nonce, NULL) != 1 ||
	    EVP_DecryptUpdate(ctx, NULL, &len, seal->associated.data, (int)seal->associated.len) !=
		    1)
		return false;
	if (text_len > 0 && EVP_DecryptUpdate(ctx, out, &len, sealed.data, (int)text_len) != 1)
		return false;
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TLS_TAG_LEN, tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, out + text_len, &len) == 1;
}

/* --- keys --- */

static char *hash_name(const struct tls_suite *suite)
{
	CHECK(suite->secret_len == 32 || suite->secret_len == 48);
	return suite->secret_len == 32 ? sha256 : sha384;
}

static OSSL_PARAM octets(const char *name, struct slice bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes.data, bytes.len);
}

/* HKDF-Expand for at most one block of the hash (RFC 5869, 2.3): a MAC of the label, with contexts
 * that are kept. OpenSSL's own takes three times as long. */
#define LABEL_MAX 32

static size_t label_write(const char *label, size_t out_len, uint8_t to[LABEL_MAX])
{
	static const char prefix[] = "tls13 ";
	size_t prefix_len = sizeof(prefix) - 1, len = strlen(label);

	CHECK(prefix_len + len + 5 <= LABEL_MAX);
	to[0] = 0;
	to[1] = (uint8_t)out_len;
	to[2] = (uint8_t)(prefix_len + len);
	memcpy(to + 3, prefix, prefix_len);
	memcpy(to + 3 + prefix_len, label, len);
	to[3 + prefix_len + len] = 0; /* no context */
	to[4 + prefix_len + len] = 1; /* the first block */
	return 5 + prefix_len + len;
}

bool tls_crypt_expand(struct tls_crypt *crypt, const struct tls_suite *suite, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t len)
{
	static const uint8_t nothing[TLS_SECRET_MAX];
	EVP_MAC_CTX *mac = suite->secret_len == 32 ? crypt->hmac_sha256 : crypt->hmac_sha384;
	uint8_t info[LABEL_MAX], block[EVP_MAX_MD_SIZE];
	size_t block_len;

	CHECK(len <= suite->secret_len);
	bool is_good = EVP_MAC_init(mac, secret, suite->secret_len, NULL) == 1 &&
		       EVP_MAC_update(mac, info, label_write(label, len, info)) == 1 &&
		       EVP_MAC_final(mac, block, &block_len, sizeof(block)) == 1;

	if (is_good)
		memcpy(out, block, len);
	EVP_MAC_init(mac, nothing, suite->secret_len, NULL); /* and it keeps no secret */
	OPENSSL_cleanse(block, sizeof(block));
	return is_good;
}

bool tls_crypt_prf(struct tls_crypt *crypt, const struct tls_suite *suite, struct slice secret,
		   struct slice seed, uint8_t *out, size_t len)
{
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash_name(suite), 0),
		octets(OSSL_KDF_PARAM_SECRET, secret),
		octets(OSSL_KDF_PARAM_SEED, seed),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_CTX_reset(crypt->prf);
	bool is_good = EVP_KDF_derive(crypt->prf, out, len, params) == 1;

	EVP_KDF_CTX_reset(crypt->prf);
	return is_good;
}
