/* SPDX-License-Identifier: Apache-2.0
 * secret.h - the secret of a user, as a users file has it and as it is compared.
 *
 * Layer: auth. Two kinds. One is a digest: of a key that a machine drew at random, which nobody can
 * guess, so that one SHA-256 is enough and 20,000 logins cost nothing. The other is crypt(3)'s, for
 * passwords that people choose, and slow on purpose: not for a worker's thread. A key that stands
 * in the file as it is becomes a digest as it is read; so no secret is kept in memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* How a client writes its secret. */
enum secret_format {
	SECRET_TEXT, /* the bytes that it sends */
	/* OCPP's AuthorizationKey and BasicAuthPassword: 32 to 40 hexadecimal digits stand for
	 * octets, and 16 to 20 bytes are what they are; nothing else is a secret. */
	SECRET_OCPP,
};

#define SECRET_DIGEST_LEN 32

enum secret_kind { SECRET_DIGEST, SECRET_CRYPT };

struct secret {
	enum secret_kind kind;
	bool is_guessable;                 /* chosen by people, as far as can be told */
	uint8_t digest[SECRET_DIGEST_LEN]; /* DIGEST */
	struct slice crypt;                /* CRYPT; in the text that it was read from */
};

/* One of a users file: "sha256:" and 64 hexadecimal digits or the base64 of as many bits; what
 * crypt(3) has made, "$y$...", "$6$...", "$2b$..."; "plain:" and the secret; and with SECRET_OCPP
 * the key itself. NULL and *out, or what is wrong, as the end of a sentence; static text. */
const char *secret_parse(struct slice text, enum secret_format format, struct secret *out);

/* Of what a client has sent, so that it can be compared. False: no secret can look like this, and
 * the digest is of nothing, but took as long. */
bool secret_digest(struct slice sent, enum secret_format format, uint8_t out[SECRET_DIGEST_LEN]);

/* In constant time. */
bool secret_digest_equals(const uint8_t a[SECRET_DIGEST_LEN], const uint8_t b[SECRET_DIGEST_LEN]);

/* Slow, and blocks nothing but its thread. `sent` without a NUL, at most SECRET_CRYPT_MAX bytes. */
#define SECRET_CRYPT_MAX 511
bool secret_crypt_matches(const char *sent, const char *crypted);

/* [bytes] that hold any "$...$..." with its NUL. */
#define SECRET_CRYPTED_MAX 384

/* A new one of the kind that this system prefers. False: the system cannot make one, or `sent` is
 * too long. */
bool secret_crypt_new(const char *sent, char out[SECRET_CRYPTED_MAX]);

/* "sha256:" and the digest. */
#define SECRET_DIGEST_TEXT_MAX (sizeof("sha256:") + 2 * SECRET_DIGEST_LEN)
char *secret_digest_format(const uint8_t digest[SECRET_DIGEST_LEN],
			   char out[SECRET_DIGEST_TEXT_MAX]);
