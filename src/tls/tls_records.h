/* SPDX-License-Identifier: Apache-2.0
 * tls_records.h - what is left of a TLS connection when its handshake is done: keys, and the
 * records that are made with them (RFC 8446, 5; RFC 5246, 6.2 with the AEADs of RFC 5288 and RFC
 * 7905).
 *
 * Layer: tls. Bytes in, bytes out: no I/O, no clock. Belongs to one thread. A handshake of
 * OpenSSL's ends, its secrets go in here, and its SSL object may go: 170 to 230 bytes are left, of
 * which 68 to 100 in each direction are key, IV, sequence number and the secret that the next key
 * comes from. docs/tls-records.md says why it is right. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "tls/tls_crypt.h"

#define TLS_RECORD_HEAD  5
#define TLS_RECORD_TEXT  16384 /* [bytes] of plain text, at most (RFC 8446, 5.1) */
#define TLS_RECORD_EXTRA 24    /* explicit nonce and tag, or content type and tag */
#define TLS_RECORD_MAX   (TLS_RECORD_HEAD + TLS_RECORD_TEXT + 256) /* a whole one that we take */
#define TLS_OPEN_ROOM    (TLS_RECORD_TEXT + 256)                   /* that one record may need */
#define TLS_RANDOM_LEN   32
#define TLS_MASTER_LEN   48

/* RFC 8446, 6; of 100 (RFC 5246, 7.2.2) only the name is used in TLS 1.2. */
enum tls_alert {
	TLS_ALERT_CLOSE_NOTIFY = 0,
	TLS_ALERT_UNEXPECTED_MESSAGE = 10,
	TLS_ALERT_BAD_RECORD_MAC = 20,
	TLS_ALERT_RECORD_OVERFLOW = 22,
	TLS_ALERT_ILLEGAL_PARAMETER = 47,
	TLS_ALERT_DECODE_ERROR = 50,
	TLS_ALERT_PROTOCOL_VERSION = 70,
	TLS_ALERT_INTERNAL_ERROR = 80,
	TLS_ALERT_USER_CANCELED = 90,
	TLS_ALERT_NO_RENEGOTIATION = 100,
};

/* What the handshake agreed on; everything is copied. */
struct tls_agreed {
	const struct tls_suite *suite;
	bool is_server;
	/* TLS 1.3: the application traffic secrets, suite->secret_len bytes each. */
	const uint8_t *client_secret;
	const uint8_t *server_secret;
	/* TLS 1.2. */
	const uint8_t *master;        /* TLS_MASTER_LEN */
	const uint8_t *client_random; /* TLS_RANDOM_LEN */
	const uint8_t *server_random;
	uint64_t explicit_nonce; /* of the first record that we sealed, as it stood on the wire;
				    AES-GCM only */
	/* [bytes] of plain text in a record of ours, at most, if the peer has asked for small ones
	 * (RFC 6066, 4); 0: as many as there may be. */
	size_t text_max;
	/* Records that were already made with these keys: in TLS 1.2 the Finished of each side; in
	 * TLS 1.3 tickets, which the server seals. */
	uint64_t sealed_count;
	uint64_t opened_count;
};

struct tls_records;

/* NULL: memory is out. */
struct tls_records *tls_records_create(struct tls_crypt *crypt, const struct tls_agreed *agreed);
/* Overwrites the keys. NULL is fine. */
void tls_records_destroy(struct tls_records **records);
const struct tls_suite *tls_records_suite(const struct tls_records *records);
/* [bytes] of memory that one with this suite holds. */
size_t tls_records_size(const struct tls_suite *suite);

/* --- sealing --- */

/* [bytes] that tls_seal may write for so many of plain text. */
size_t tls_sealed_max(const struct tls_records *records, size_t len);

/* Seals `text` as application data, in as few records as it fits in, and before it a KeyUpdate if
 * the peer has asked for one or the key has served its time. `out` is apart from `text` and has
 * room for tls_sealed_max(records, text.len). 0; -ENOMEM; -EOVERFLOW: a key of TLS 1.2, which
 * cannot be renewed, has served its time. After an error only tls_records_destroy may follow. Not
 * after an alert was sealed. */
int tls_seal(struct tls_records *records, struct tls_crypt *crypt, struct slice text, uint8_t *out,
	     size_t *out_len);

/* The same for text in `count` pieces. */
int tls_seal_pieces(struct tls_records *records, struct tls_crypt *crypt,
		    const struct slice *pieces, size_t count, uint8_t *out, size_t *out_len);

/* The last record of this direction: close_notify, or why the connection ends. `out` has room for
 * tls_sealed_max(records, 2). */
int tls_seal_alert(struct tls_records *records, struct tls_crypt *crypt, enum tls_alert alert,
		   uint8_t *out, size_t *out_len);

/* --- opening --- */

enum tls_opening {
	TLS_OPENED,  /* as many records as are whole, and as there is room for in `out` */
	TLS_CLOSED,  /* the peer's close_notify: nothing that follows is to be read. We may go on
			sending */
	TLS_ALERTED, /* the peer gave up, with out->alert: nothing may be sent any more */
	TLS_BROKEN,  /* the peer broke the protocol: out->alert is to be sealed, then the end */
};

struct tls_opened {
	size_t used; /* [bytes] of `in`: whole records */
	size_t len;  /* [bytes] of plain text, in `out`; good also with TLS_CLOSED */
	uint8_t alert;
};

/* Opens the records at the start of `in`. What is left of it is the start of a record, of
 * TLS_RECORD_MAX bytes at most, that the caller keeps and gives again with more behind it; or it
 * did not fit into `out` any more, which has `size` bytes, at least TLS_OPEN_ROOM. `out` is apart
 * from `in`. */
enum tls_opening tls_open(struct tls_records *records, struct tls_crypt *crypt, struct slice in,
			  uint8_t *out, size_t size, struct tls_opened *out_opened);
