/* SPDX-License-Identifier: Apache-2.0
 * tls_stream_private.h - what tls_stream.c and tls_shake.c share.
 *
 * Layer: tls. */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls_records.h"
#include "tls/tls_stream.h"

/* What one call may have to send: a flight with long chains of certificates, or all that it was
 * given to send. */
#define OUT_MAX (UINT64_C(1) << 30)

/* While OpenSSL is there. */
struct shake {
	SSL *ssl;
	BIO *bio; /* owned by ssl */
	struct tls_context *context;
	/* Of the call under way. */
	struct slice in;
	struct buf *out;
	bool is_out_of_memory;
	bool has_new_keys; /* a KeyUpdate went by: the secrets are not the last ones */
	bool has_refused;  /* a new handshake */
	uint8_t updates;   /* KeyUpdates of the peer's in a row, with no text between */
	/* Records since the keys are the last ones, for whoever takes over. */
	uint64_t sealed_count;
	uint64_t opened_count;
	uint64_t finished_nonce; /* of TLS 1.2 */
	uint8_t client_secret[TLS_SECRET_MAX];
	uint8_t server_secret[TLS_SECRET_MAX];
	uint16_t hello_version; /* the highest that an old client's hello names; 0: none came */
	int alert;              /* the last one; -1: none */
	bool is_alert_from_peer;
};

/* An idle one holds this and its records. */
struct tls_stream {
	struct shake *shake; /* NULL: detached */
	struct tls_records *records;
	struct buf *held;            /* the start of a record; NULL: nothing */
	struct tls_failure *failure; /* NULL: none, or no memory to say why */
	bool is_server : 1;
	bool is_ready : 1;
	bool has_stopped : 1; /* reading */
	bool has_failed : 1;
	bool has_ended : 1;  /* writing */
	bool is_at_rest : 1; /* somebody else may have the keys (tls_handover.h) */
};

/* --- tls_stream.c --- */

/* TLS_STREAM_FAILED, with what tls_stream_failure will tell. */
enum tls_stream_result tls_stream_fail(struct tls_stream *stream, enum tls_trouble trouble,
				       const char *reason, int alert, bool is_from_peer);

/* Of a record that began: more of it. False: memory is out. */
bool tls_stream_hold(struct tls_stream *stream, struct slice bytes);

/* --- tls_shake.c --- */

/* NULL: memory is out. */
struct shake *tls_shake_create(struct tls_context *context, const char *server_name,
			       bool is_server);
/* NULL is fine. */
void tls_shake_destroy(struct shake **shake);

/* As tls_stream has them. */
enum tls_stream_result tls_shake_recv(struct tls_stream *stream, struct slice in, size_t *out_used,
				      uint8_t *out, size_t size, size_t *out_len,
				      struct buf *reply);
int tls_shake_send(struct tls_stream *stream, struct slice text, struct buf *out);
int tls_shake_end(struct tls_stream *stream, struct buf *out);

/* What was agreed on, else what the client's hello names; NULL: none came. Static text. */
const char *tls_shake_version(const struct shake *shake);
