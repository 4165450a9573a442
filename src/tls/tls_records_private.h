/* SPDX-License-Identifier: Apache-2.0
 * tls_records_private.h - what tls_records.c, tls_seal.c and tls_open.c share.
 *
 * Layer: tls. */
#pragma once

#include "base/check.h"
#include "tls/tls_records.h"

enum tls_content {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
};

enum tls_message {
	TLS_HELLO_REQUEST = 0,
	TLS_NEW_SESSION_TICKET = 4,
	TLS_KEY_UPDATE = 24,
};

/* TLS 1.2 has no way to renew a key. So many records take a year at a million and a half a second.
 */
#define TLS_WORN_OUT_AT (UINT64_C(1) << 45)

/* Records in a row that bring the application nothing. */
#define TLS_IDLE_MAX 32

#define TLS_MESSAGE_HEAD 4 /* [bytes] of a handshake message: type and length */

/* One direction. `iv`: 12 bytes that the sequence number is mixed into; with an explicit nonce 4
 * secret bytes, and 8 that the sequence number is added to. */
struct tls_half {
	uint64_t sequence; /* of the next record */
	uint8_t iv[TLS_IV_LEN];
};

struct tls_records {
	const struct tls_suite *suite;
	struct tls_half open;
	struct tls_half seal;
	/* A handshake message under way: its head, and how much of its body is still to come. */
	uint32_t message_missing; /* [bytes] */
	uint16_t text_max;        /* [bytes] in a record of ours */
	uint8_t message[TLS_MESSAGE_HEAD];
	uint8_t message_len; /* [bytes] of the head that came; 4: the body is coming */
	uint8_t idle_count;  /* records in a row that brought nothing for the application */
	bool is_server : 1;
	bool owes_update : 1; /* the peer asked for one of ours (RFC 8446, 4.6.3) */
	bool has_ended : 1;   /* our last record is sealed */
	bool has_eof : 1;     /* the peer's last one is opened, or was broken */
	uint8_t material[];   /* the open key, the seal key, then in TLS 1.3 the secrets in the same
				 order */
};

static inline uint8_t *tls_half_key(struct tls_records *records, const struct tls_half *half)
{
	return records->material + (half == &records->open ? 0 : records->suite->key_len);
}

static inline uint8_t *tls_half_secret(struct tls_records *records, const struct tls_half *half)
{
	CHECK(records->suite->is_tls13);
	return records->material + 2 * records->suite->key_len +
	       (half == &records->open ? 0 : records->suite->secret_len);
}

/* The key and the IV of TLS 1.3 from the half's secret; the sequence begins anew. */
bool tls_half_derive(struct tls_records *records, struct tls_crypt *crypt, struct tls_half *half);

/* The next secret in place of the half's, and its key (RFC 8446, 7.2). */
bool tls_half_update(struct tls_records *records, struct tls_crypt *crypt, struct tls_half *half);

/* Of a handshake message that the peer may send behind the handshake, `is_server` being ours. */
bool tls_message_is_allowed(const struct tls_suite *suite, bool is_server,
			    const uint8_t head[TLS_MESSAGE_HEAD]);

/* What is authenticated beside the text: in TLS 1.3 the head of the record, in TLS 1.2 the sequence
 * number, and the head with the length of the text (RFC 5246, 6.2.3.3). Returns its length. */
#define TLS_ASSOCIATED_MAX 13
size_t tls_associated_write(const struct tls_records *records, const struct tls_half *half,
			    const uint8_t head[TLS_RECORD_HEAD], size_t text_len,
			    uint8_t out[TLS_ASSOCIATED_MAX]);
