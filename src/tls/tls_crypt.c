/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_crypt.h"

#include <openssl/core_names.h>
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

struct tls_crypt {
	struct aead aeads[TLS_AEAD_COUNT];
	EVP_KDF_CTX *expand; /* HKDF-Expand-Label */
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
		crypt->expand = kdf_create("TLS13-KDF");
		crypt->prf = kdf_create("TLS1-PRF");
		is_good = crypt->expand != NULL && crypt->prf != NULL;
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
	EVP_KDF_CTX_free(self->expand);
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
	static char sha256[] = "SHA256", sha384[] = "SHA384"; /* OSSL_PARAM takes no const */

	CHECK(suite->secret_len == 32 || suite->secret_len == 48);
	return suite->secret_len == 32 ? sha256 : sha384;
}

static OSSL_PARAM octets(const char *name, struct slice bytes)
{
	return OSSL_PARAM_construct_octet_string(name, (void *)(uintptr_t)bytes.data, bytes.len);
}

bool tls_crypt_expand(struct tls_crypt *crypt, const struct tls_suite *suite, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t len)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash_name(suite), 0),
		octets(OSSL_KDF_PARAM_KEY, slice_of(secret, suite->secret_len)),
		octets(OSSL_KDF_PARAM_PREFIX, slice_from_text("tls13 ")),
		octets(OSSL_KDF_PARAM_LABEL, slice_from_text(label)),
		OSSL_PARAM_construct_end(),
	};

	EVP_KDF_CTX_reset(crypt->expand);
	bool is_good = EVP_KDF_derive(crypt->expand, out, len, params) == 1;

	EVP_KDF_CTX_reset(crypt->expand); /* and it keeps no secret */
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
