/* SPDX-License-Identifier: Apache-2.0
 * jwt_signature.c - one signature, by one key (RFC 7518, 3; RFC 8037, 3.1). */
#include "auth/jwt.h"

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include "base/check.h"

static bool hmac_is_good(const struct jwk *key, const struct jwt_alg *alg, struct slice input,
			 struct slice signature)
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (HMAC(alg->digest(), key->secret, (int)key->secret_len, input.data, input.len, mac,
		 &len) == NULL)
		return false;
	bool is_good = signature.len == len && CRYPTO_memcmp(mac, signature.data, len) == 0;

	OPENSSL_cleanse(mac, sizeof(mac));
	return is_good;
}

/* RFC 7518, 3.5: MGF1 with the same digest, and a salt of its size. */
static bool pss_set(EVP_PKEY_CTX *context, const EVP_MD *digest)
{
	return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) == 1 &&
	       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static bool pkey_is_good(const struct jwk *key, const struct jwt_alg *alg, struct slice input,
			 struct slice signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	const EVP_MD *digest = alg->scheme == JWT_EDDSA ? NULL : alg->digest();
	EVP_PKEY_CTX *own; /* the context's */
	bool is_good = context != NULL &&
		       EVP_DigestVerifyInit(context, &own, digest, NULL, key->pkey) == 1 &&
		       (alg->scheme != JWT_PSS || pss_set(own, digest)) &&
		       EVP_DigestVerify(context, signature.data, signature.len, input.data,
					input.len) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error(); /* nobody reads what it says about a token that is wrong */
	return is_good;
}

/* RFC 7518, 3.4: two numbers of fixed size; the library wants DER. */
static bool ecdsa_is_good(const struct jwk *key, const struct jwt_alg *alg, struct slice input,
			  struct slice signature)
{
	int half = (int)signature.len / 2;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature.data, half, NULL);
	BIGNUM *s = BN_bin2bn(signature.data + half, half, NULL);
	unsigned char *der = NULL;
	bool is_good = false;

	if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
		BN_free(r);
		BN_free(s);
	} else {
		int len = i2d_ECDSA_SIG(pair, &der);

		is_good = len > 0 && pkey_is_good(key, alg, input, slice_of(der, (size_t)len));
	}
	OPENSSL_free(der);
	ECDSA_SIG_free(pair);
	return is_good;
}

bool jwt_signature_is_good(const struct jwk *key, enum jwt_alg_id id, struct slice input,
			   struct slice signature)
{
	const struct jwt_alg *alg = &jwt_algs[id];

	CHECK(alg->kinds & (1u << key->kind));
	CHECK((key->kind == JWK_OCT) == (key->secret != NULL && key->pkey == NULL));
	if (alg->signature_size != 0 && alg->scheme != JWT_EDDSA &&
	    signature.len != alg->signature_size)
		return false;
	switch (alg->scheme) {
	case JWT_HMAC:
		return hmac_is_good(key, alg, input, signature);
	case JWT_ECDSA:
		return ecdsa_is_good(key, alg, input, signature);
	case JWT_PKCS1:
	case JWT_PSS:
	case JWT_EDDSA:
		break;
	}
	return pkey_is_good(key, alg, input, signature);
}
