/* SPDX-License-Identifier: Apache-2.0
 * tls_crypt.h - the cryptography of TLS records: AEAD and key derivation, by OpenSSL.
 *
 * Layer: tls. One for each thread that protects records, lent to each connection for as long as it
 * has bytes to seal or to open: so a connection keeps its keys and no context. Not thread-safe. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/tls_suite.h"

struct tls_crypt;

/* NULL: memory is out, or this OpenSSL lacks an algorithm. */
struct tls_crypt *tls_crypt_create(void);
/* NULL is fine. */
void tls_crypt_destroy(struct tls_crypt **crypt);

/* What one record is protected with. */
struct tls_seal {
	const struct tls_suite *suite;
	const uint8_t *key;
	uint8_t nonce[TLS_IV_LEN];
	struct slice associated; /* data that is authenticated and not encrypted */
};

/* Text that lies in pieces, one behind the other. What is taken of it is taken off. */
struct tls_text {
	const struct slice *pieces; /* the first one that is left */
	size_t at;                  /* [bytes] of it that are taken */
};

/* `is_new_key`: the context has not been given this key since it was last used for another.
 * Takes `len` bytes of *text and writes as many, `trailer` encrypted behind them if it is not
 * negative (the content type of TLS 1.3), and the tag. `out` is apart from `text`. False: OpenSSL
 * is out of memory; `out` is worthless. */
bool tls_crypt_seal(struct tls_crypt *crypt, const struct tls_seal *seal, bool is_new_key,
		    struct tls_text *text, size_t len, int trailer, uint8_t *out);

/* The reverse: `sealed` ends with the tag; writes sealed.len - TLS_TAG_LEN bytes, which are
 * worthless if the answer is false: the record was not made with this key, nonce and data, or was
 * changed. */
bool tls_crypt_open(struct tls_crypt *crypt, const struct tls_seal *seal, bool is_new_key,
		    struct slice sealed, uint8_t *out);

/* HKDF-Expand-Label with an empty context (RFC 8446, 7.1), with the suite's hash. `len`: at most
 * suite->secret_len. False: memory is out. */
bool tls_crypt_expand(struct tls_crypt *crypt, const struct tls_suite *suite, const uint8_t *secret,
		      const char *label, uint8_t *out, size_t len);

/* The PRF of TLS 1.2 (RFC 5246, 5), with the suite's hash. False: memory is out. */
bool tls_crypt_prf(struct tls_crypt *crypt, const struct tls_suite *suite, struct slice secret,
		   struct slice seed, uint8_t *out, size_t len);
