/* SPDX-License-Identifier: Apache-2.0
 * jwk.h - keys that tokens are signed with: a JWK Set (RFC 7517), and which algorithm a key
 * fits (RFC 7518, RFC 8037).
 *
 * Layer: auth. No I/O, no clock. A set is counted by reference and never changes, so all
 * workers read one; what it holds of secrets is zeroed at its end.
 *
 * A key has one kind, made from its own members, and an algorithm names the kinds that it
 * takes (jwt_alg_fits). There is no way to use a key as something that it is not: what an
 * HMAC takes is `secret`, which only keys of kind OCT have. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum jwk_kind { JWK_OCT, JWK_RSA, JWK_P256, JWK_P384, JWK_P521, JWK_ED25519, JWK_ED448 };

#define JWK_BIT(kind) (1u << JWK_##kind)

enum jwt_scheme { JWT_HMAC, JWT_PKCS1, JWT_PSS, JWT_ECDSA, JWT_EDDSA };

/* X(NAME, scheme, kinds of keys, digest, [bytes] of a signature; 0: of the key's own size)
 * "none" is not in the table, so no token can ask for it and nobody can configure it. */
#define JWT_ALG_TABLE(X)                                \
	X(RS256, PKCS1, JWK_BIT(RSA), EVP_sha256, 0)    \
	X(RS384, PKCS1, JWK_BIT(RSA), EVP_sha384, 0)    \
	X(RS512, PKCS1, JWK_BIT(RSA), EVP_sha512, 0)    \
	X(PS256, PSS, JWK_BIT(RSA), EVP_sha256, 0)      \
	X(PS384, PSS, JWK_BIT(RSA), EVP_sha384, 0)      \
	X(PS512, PSS, JWK_BIT(RSA), EVP_sha512, 0)      \
	X(ES256, ECDSA, JWK_BIT(P256), EVP_sha256, 64)  \
	X(ES384, ECDSA, JWK_BIT(P384), EVP_sha384, 96)  \
	X(ES512, ECDSA, JWK_BIT(P521), EVP_sha512, 132) \
	X(HS256, HMAC, JWK_BIT(OCT), EVP_sha256, 32)    \
	X(HS384, HMAC, JWK_BIT(OCT), EVP_sha384, 48)    \
	X(HS512, HMAC, JWK_BIT(OCT), EVP_sha512, 64)    \
	X(EdDSA, EDDSA, JWK_BIT(ED25519) | JWK_BIT(ED448), EVP_md_null, 0)

#define JWT_ALG_ENUM(NAME, ...) JWT_##NAME,
enum jwt_alg_id { JWT_ALG_TABLE(JWT_ALG_ENUM) JWT_ALG_COUNT };

struct jwt_alg {
	const char *name;
	const EVP_MD *(*digest)(void);
	enum jwt_scheme scheme;
	uint32_t kinds; /* bits of enum jwk_kind */
	size_t signature_size;
};

extern const struct jwt_alg jwt_algs[JWT_ALG_COUNT];

/* By its name, which is exact (RFC 7515, 4.1.1). False: there is no such one here. */
bool jwt_alg_find(struct slice name, enum jwt_alg_id *out_alg);

#define JWK_SET_MAX_BYTES 262144
#define JWK_SET_MAX_KEYS  128
#define JWK_ID_MAX        255
#define JWK_RSA_MIN_BITS  2048 /* RFC 7518, 3.3 */
#define JWK_RSA_MAX_BITS  8192
#define JWK_SECRET_MIN    32 /* RFC 7518, 3.2: as long as the digest, checked for each */
#define JWK_SECRET_MAX    4096

struct jwk {
	enum jwk_kind kind;
	uint32_t algs;   /* bits of enum jwt_alg_id that it may verify */
	EVP_PKEY *pkey;  /* not OCT */
	uint8_t *secret; /* OCT */
	size_t secret_len;
	char *id; /* NULL: it has none */
};

struct jwk_set {
	uint32_t references;
	size_t count;   /* at least 1 */
	size_t skipped; /* keys in it that are not for us: encryption, kinds that are not known */
	struct jwk keys[];
};

/* Secrets are good in a file that only we read, and never in what everybody may fetch. */
enum jwk_source { JWK_FROM_FILE, JWK_FROM_URL };

/* Reads {"keys": [...]}, or one key alone. Keys that are not for verifying, of an unknown
 * kind or too weak are left out (RFC 7517, 5), and if none is left that is an error, which
 * says why of the first. The set is the caller's, with one reference. 0; -EINVAL with what
 * is wrong in `error`, never with a key's value; -ENOMEM. */
int jwk_set_read(struct slice text, enum jwk_source source, struct jwk_set **out_set, char *error,
		 size_t error_size);

struct jwk_set *jwk_set_ref(struct jwk_set *set);

/* NULL in it is fine; clears it. From any thread. */
void jwk_set_unref(struct jwk_set **set);
