/* SPDX-License-Identifier: Apache-2.0
 * jwt.h - tokens: signed JWTs in the compact form (RFC 7519, RFC 7515), read as RFC 8725 asks.
 *
 * Layer: auth. No I/O, no clock; from any thread. What holds here:
 * - The algorithm is one of `rules->algs`. The token's `alg` only chooses among them, and a key
 *   is tried only if it is of that algorithm's kind, so that no public key becomes a secret.
 *   "none" does not exist.
 * - Nothing of a token is believed before its signature is good, but `alg`, `kid`, `typ`,
 *   `cty`, `crit` and `b64`, which can only lead to a refusal or to a key of ours. Keys and
 *   addresses that a token brings along (jwk, jku, x5c, x5u) are never looked at.
 * - A member that occurs twice, an encrypted token (five parts), one within another (`cty`),
 *   anything critical (`crit`) and detached or unencoded payloads (`b64`) are refused.
 * - It ends: without `exp` it is no token for a gateway that keeps connections for days. */
#pragma once

#include <jansson.h>

#include "auth/jwk.h"

#define JWT_MAX 8192 /* [bytes] of a token */

/* A token without `kid` is tried with each key that fits; a signature costs up to a
 * millisecond, so not with more than so many. */
#define JWT_TRIES_MAX 8

/* X(NAME, label, detail): the label is the `reason` in problem documents and metrics. */
#define JWT_FAULT_TABLE(X)                                                                    \
	X(NONE, "", "")                                                                       \
	X(TOO_LONG, "token_too_long", "The token is longer than 8192 bytes.")                 \
	X(MALFORMED, "token_malformed",                                                       \
	  "The token is not a signed JWT: three parts of base64url with points between, the " \
	  "first two of them JSON objects without a member twice.")                           \
	X(ENCRYPTED, "token_encrypted",                                                       \
	  "The token is encrypted (five parts); only signed "                                 \
	  "ones are read.")                                                                   \
	X(NESTED, "token_nested", "The token holds another one ('cty'); that is not read.")   \
	X(TYPE, "token_type", "The token's 'typ' is neither 'JWT' nor 'at+jwt'.")             \
	X(CRITICAL, "token_critical",                                                         \
	  "The token asks for extensions ('crit', 'b64'), and none is known here.")           \
	X(ALGORITHM, "token_algorithm",                                                       \
	  "The token's 'alg' is none of those that this route allows.")                       \
	X(NO_KEY, "token_key", "No key fits the token's 'alg' and 'kid'.")                    \
	X(SIGNATURE, "token_signature", "The token's signature is not good.")                 \
	X(CLAIMS, "token_claims", "A claim of the token is missing or not of its type.")      \
	X(EXPIRED, "token_expired", "The token's time ('exp') is over.")                      \
	X(TOO_EARLY, "token_not_yet", "The token's time ('nbf', 'iat') has not come.")        \
	X(ISSUER, "token_issuer", "The token is not of the issuer that this route trusts.")   \
	X(AUDIENCE, "token_audience", "The token is for somebody else ('aud').")              \
	X(NO_MEMORY, "memory", "Memory is out.")

#define JWT_FAULT_ENUM(NAME, ...) JWT_FAULT_##NAME,
enum jwt_fault { JWT_FAULT_TABLE(JWT_FAULT_ENUM) JWT_FAULT_COUNT };

const char *jwt_fault_label(enum jwt_fault fault);
const char *jwt_fault_detail(enum jwt_fault fault);

struct jwt_rules {
	uint32_t algs;               /* bits of enum jwt_alg_id */
	const char *issuer;          /* NULL: any */
	const char *audience;        /* NULL: the token must name none (RFC 7519, 4.1.3) */
	uint32_t leeway_s;           /* by which the issuer's clock may be off */
	const char *const *required; /* names of claims that it must have */
	size_t required_count;
};

struct jwt {
	json_t *claims;     /* the caller's to json_decref */
	int64_t expires_at; /* s since the epoch: `exp` */
};

/* `now_s` since the epoch. *out_jwt is written if there is no fault. */
enum jwt_fault jwt_read(struct slice token, const struct jwt_rules *rules,
			const struct jwk_set *keys, int64_t now_s, struct jwt *out_jwt);

/* jwt_signature.c: is `signature` that of `input` by this key? The key fits the algorithm. */
bool jwt_signature_is_good(const struct jwk *key, enum jwt_alg_id alg, struct slice input,
			   struct slice signature);
