/* SPDX-License-Identifier: Apache-2.0
 * tls_suite.h - the cipher suites whose records this program protects itself.
 *
 * Layer: tls (may include base/ only, and OpenSSL). Static tables, thread-safe. A suite that is not
 * here stays with OpenSSL from the handshake to the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_KEY_MAX    32
#define TLS_SECRET_MAX 48 /* of TLS 1.3: as long as the suite's hash */
#define TLS_IV_LEN     12
#define TLS_TAG_LEN    16

enum tls_aead { TLS_AES_128_GCM, TLS_AES_256_GCM, TLS_CHACHA20_POLY1305, TLS_AEAD_COUNT };

struct tls_suite {
	uint16_t id;      /* IANA's number */
	const char *name; /* IANA's */
	uint8_t aead;
	uint8_t key_len;    /* [bytes] */
	uint8_t secret_len; /* [bytes] of the hash */
	bool is_tls13;
	/* AES-GCM in TLS 1.2: 4 bytes of the nonce are secret, and 8 travel with each record (RFC
	 * 5288, 3). All others keep 12 and mix in the sequence number (RFC 8446, 5.3; RFC 7905, 2).
	 */
	bool has_explicit_nonce;
};

/* What both sides have agreed on: static texts, as in "TLSv1.3", and IANA's name. */
struct tls_terms {
	const char *version;
	const char *suite;
};

/* NULL: not one of ours. */
const struct tls_suite *tls_suite_find(uint16_t id);

/* For counters, one for each suite and one for all that are none of ours. */
#define TLS_SUITE_COUNT  14
#define TLS_SUITE_PLACES (TLS_SUITE_COUNT + 1)
size_t tls_suite_place(uint16_t id);
const char *tls_suite_label(size_t place); /* IANA's name, or "other" */
