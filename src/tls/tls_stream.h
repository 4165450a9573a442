/* SPDX-License-Identifier: Apache-2.0
 * tls_stream.h - one TLS connection: OpenSSL shakes hands, then its records are ours
 * (tls_records.h).
 *
 * Layer: tls. Bytes in, bytes out: no I/O, no clock. Belongs to one thread, which lends the struct
 * tls_crypt.
 *
 * Life: tls_stream_recv until TLS_STREAM_READY, while the facts and the peer's certificate can be
 * asked for; then tls_stream_detach, after which an idle stream holds its keys and nothing else. A
 * suite that is not ours, or a caller that does not detach, stays with OpenSSL, and all else is the
 * same. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "tls/tls_context.h"
#include "tls/tls_crypt.h"
#include "tls/tls_failure.h"

struct tls_stream;

enum tls_stream_result {
	TLS_STREAM_OK,     /* go on */
	TLS_STREAM_READY,  /* once: the handshake is done. What is left of `in` is to be given again
			    */
	TLS_STREAM_CLOSED, /* the peer's close_notify, or an alert of its: no more plain text comes
			    */
	TLS_STREAM_FAILED, /* send what is in `reply`, then close; tls_stream_failure tells why */
};

/* NULL: memory is out. The stream holds a reference to the context until it is detached. */
struct tls_stream *tls_stream_accept(struct tls_context *context);
/* `server_name`: a name or an address. What it says first comes out of tls_stream_recv with nothing
 * in. */
struct tls_stream *tls_stream_connect(struct tls_context *context, const char *server_name);
/* NULL is fine. */
void tls_stream_destroy(struct tls_stream **stream);

/* Takes bytes of the peer's: *out_used of them. Plain text goes to `out`, which has `size` bytes,
 * at least TLS_OPEN_ROOM; *out_len of them. If not all of `in` is used and the answer is
 * TLS_STREAM_OK, there was no room: call again. What must be sent to the peer is appended to
 * `reply`. Neither may be called again after CLOSED or FAILED; sending may go on after CLOSED. */
enum tls_stream_result tls_stream_recv(struct tls_stream *stream, struct tls_crypt *crypt,
				       struct slice in, size_t *out_used, uint8_t *out, size_t size,
				       size_t *out_len, struct buf *reply);

/* After TLS_STREAM_READY. Appends `text`, sealed. 0 or -ENOMEM, or -EOVERFLOW as tls_seal has it;
 * -EPIPE: it has failed, or was ended. */
int tls_stream_send(struct tls_stream *stream, struct tls_crypt *crypt, struct slice text,
		    struct buf *out);

/* The same for text in `count` pieces: as few records as it fits in, or with OpenSSL one of each.
 */
int tls_stream_send_pieces(struct tls_stream *stream, struct tls_crypt *crypt,
			   const struct slice *pieces, size_t count, struct buf *out);

/* Appends close_notify; nothing may be sent after. The same errors. */
int tls_stream_end(struct tls_stream *stream, struct tls_crypt *crypt, struct buf *out);

/* After TLS_STREAM_READY: gives up the SSL object if it can. False: the suite is none of ours, or
 * memory is out; all goes on as before. */
bool tls_stream_detach(struct tls_stream *stream, struct tls_crypt *crypt);
bool tls_stream_is_detached(const struct tls_stream *stream);

/* [bytes] that tls_stream_send appends for so many of plain text, at most, or tls_stream_end. Of a
 * detached stream, whose `out` is not made larger if it has room for them. */
size_t tls_stream_sealed_max(const struct tls_stream *stream, size_t len);

/* [bytes] of payload memory: the start of a record that is not whole yet. */
size_t tls_stream_held(const struct tls_stream *stream);

/* --- coming back: clients only --- */

struct ssl_session_st;

/* Before the first tls_stream_recv: offers the session, of which the caller keeps its reference. */
void tls_stream_resume(struct tls_stream *stream, struct ssl_session_st *session);

/* What the server's newest ticket makes possible, else what the stream was resumed with; for the
 * caller to free with tls_session_free. NULL: there is none yet. In TLS 1.3 they come behind the
 * handshake, and are lost once it is detached. */
struct ssl_session_st *tls_stream_session(struct tls_stream *stream);
void tls_session_free(struct ssl_session_st **session); /* NULL in it is fine */
struct ssl_session_st *tls_session_ref(struct ssl_session_st *session);

/* --- what is known of it, from TLS_STREAM_READY until it is detached --- */

struct x509_st;

struct tls_facts {
	const char *version;     /* "TLSv1.3"; static text */
	const char *suite;       /* as IANA names it; static text */
	uint16_t suite_id;       /* IANA's number of it */
	const char *server_name; /* that the client asked for; NULL: none; lives as long as the SSL
				    object */
	bool is_resumed;
};
struct tls_facts tls_stream_facts(const struct tls_stream *stream);

/* The first two, also of one that is detached. */
struct tls_terms tls_stream_terms(const struct tls_stream *stream);

/* The peer's, verified; NULL: it showed none. Owned by the stream. */
struct x509_st *tls_stream_peer(const struct tls_stream *stream);

/* --- why it failed --- */

/* After TLS_STREAM_FAILED, or a CLOSED that was an alert. */
struct tls_failure tls_stream_failure(const struct tls_stream *stream);
bool tls_stream_has_failed(const struct tls_stream *stream);

/* [bytes] that it holds of its own, without what OpenSSL holds. */
size_t tls_stream_size(const struct tls_stream *stream);
