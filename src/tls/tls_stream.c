/* SPDX-License-Identifier: Apache-2.0
 * tls_stream.c - a stream: OpenSSL's while it shakes hands, and then ours.
 *
 * While OpenSSL is there it reads from and writes to the memory of the call under way, through a
 * BIO of ours. It reads a record's head and then its body, never more, so that what lies behind
 * Finished stays with the caller. */
#include "tls/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hex.h"
#include "tls/tls_context_private.h"
#include "tls/tls_records.h"

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
	/* Records since the keys are the last ones, for whoever takes over. */
	uint64_t sealed_count;
	uint64_t opened_count;
	uint64_t finished_nonce; /* of TLS 1.2 */
	uint8_t client_secret[TLS_SECRET_MAX];
	uint8_t server_secret[TLS_SECRET_MAX];
	int alert; /* the last one; -1: none */
	bool is_alert_from_peer;
	bool has_new_keys; /* a KeyUpdate went by: the secrets are not the last ones */
};

struct tls_stream {
	struct shake *shake; /* NULL: detached */
	struct tls_records *records;
	struct buf held; /* the start of a record */
	struct tls_failure *failure;
	bool is_server;
	bool is_ready;
	bool has_stopped; /* reading */
	bool has_failed;  /* also where there is no memory to say why */
	bool has_ended;   /* writing */
};

/* --- OpenSSL's input and output --- */

static int bio_read(BIO *bio, char *data, int size)
{
	struct shake *shake = BIO_get_data(bio);
	size_t len = MIN(shake->in.len, (size_t)size);

	BIO_clear_retry_flags(bio);
	if (len == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(data, shake->in.data, len);
	shake->in = slice_of(shake->in.data + len, shake->in.len - len);
	return (int)len;
}

static int bio_write(BIO *bio, const char *data, int len)
{
	struct shake *shake = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (buf_append(shake->out, data, (size_t)len, OUT_MAX) == 0)
		return len;
	shake->is_out_of_memory = true;
	return -1;
}

static long bio_ctrl(BIO *bio, int command, long number, void *data)
{
	(void)bio;
	(void)number;
	(void)data;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method;

static void bio_method_make(void)
{
	bio_method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "memory of a call");
	CHECK(bio_method != NULL);
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_ctrl);
}

/* --- what OpenSSL tells --- */

static bool secret_take(const char *line, const char *label, uint8_t *out)
{
	size_t len = strlen(label);
	const char *hex = strrchr(line, ' ');

	if (strncmp(line, label, len) != 0 || line[len] != ' ' || hex == NULL)
		return false;
	hex++;
	for (size_t i = 0; i < TLS_SECRET_MAX && hex_value((uint8_t)hex[2 * i]) >= 0; i++)
		out[i] = (uint8_t)(hex_value((uint8_t)hex[2 * i]) << 4 |
				   hex_value((uint8_t)hex[2 * i + 1]));
	return true;
}

void tls_stream_keylog(const SSL *ssl, const char *line)
{
	struct shake *shake = SSL_get_app_data(ssl);

	if (!secret_take(line, "CLIENT_TRAFFIC_SECRET_0", shake->client_secret))
		secret_take(line, "SERVER_TRAFFIC_SECRET_0", shake->server_secret);
}

static void on_message(int is_written, int version, int content, const void *data, size_t len,
		       SSL *ssl, void *arg)
{
	struct shake *shake = arg;
	const uint8_t *bytes = data;

	(void)version;
	(void)ssl;
	if (content == SSL3_RT_HEADER)
		(*(is_written ? &shake->sealed_count : &shake->opened_count))++;
	if (content == SSL3_RT_ALERT && len == 2) {
		shake->alert = bytes[1];
		shake->is_alert_from_peer = !is_written;
	}
	if (content == SSL3_RT_HANDSHAKE && len > 0 && bytes[0] == SSL3_MT_KEY_UPDATE)
		shake->has_new_keys = true;
}

/* --- life --- */

static void shake_destroy(struct shake **shake)
{
	if (*shake == NULL)
		return;
	/* Else OpenSSL takes the connection for cut, and its session for one not to be resumed. */
	if ((*shake)->ssl != NULL && SSL_is_init_finished((*shake)->ssl))
		SSL_set_shutdown((*shake)->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free((*shake)->ssl);
	tls_context_unref(&(*shake)->context);
	OPENSSL_cleanse(*shake, sizeof(**shake));
	free(*shake);
	*shake = NULL;
}

static struct shake *shake_create(struct tls_context *context, const char *server_name)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct shake *shake = calloc(1, sizeof(*shake));

	if (shake == NULL)
		return NULL;
	pthread_once(&once, bio_method_make);
	shake->context = tls_context_ref(context);
	shake->alert = -1;
	shake->ssl = tls_context_ssl(context, server_name);
	shake->bio = BIO_new(bio_method);
	if (shake->ssl == NULL || shake->bio == NULL) {
		BIO_free(shake->bio);
		shake_destroy(&shake);
		return NULL;
	}
	BIO_set_data(shake->bio, shake);
	BIO_set_init(shake->bio, 1);
	SSL_set_bio(shake->ssl, shake->bio, shake->bio);
	SSL_set_app_data(shake->ssl, shake);
	SSL_set_msg_callback(shake->ssl, on_message);
	SSL_set_msg_callback_arg(shake->ssl, shake);
	return shake;
}

static struct tls_stream *stream_create(struct tls_context *context, const char *server_name,
					bool is_server)
{
	struct tls_stream *stream = calloc(1, sizeof(*stream));

	if (stream == NULL)
		return NULL;
	stream->is_server = is_server;
	stream->shake = shake_create(context, server_name);
	if (stream->shake == NULL)
		tls_stream_destroy(&stream);
	else if (is_server)
		SSL_set_accept_state(stream->shake->ssl);
	else
		SSL_set_connect_state(stream->shake->ssl);
	return stream;
}

struct tls_stream *tls_stream_accept(struct tls_context *context)
{
	return stream_create(context, NULL, true);
}

struct tls_stream *tls_stream_connect(struct tls_context *context, const char *server_name)
{
	return stream_create(context, server_name, false);
}

void tls_stream_destroy(struct tls_stream **stream)
{
	struct tls_stream *self = *stream;

	if (self == NULL)
		return;
	shake_destroy(&self->shake);
	tls_records_destroy(&self->records);
	buf_finish(&self->held);
	free(self->failure);
	free(self);
	*stream = NULL;
}

size_t tls_stream_size(const struct tls_stream *stream)
{
	return sizeof(*stream) + stream->held.cap +
	       (stream->shake == NULL ? 0 : sizeof(*stream->shake)) +
	       (stream->records == NULL ? 0 : tls_records_size(tls_records_suite(stream->records)));
}

/* --- failures --- */

static enum tls_stream_result failed(struct tls_stream *stream, enum tls_trouble trouble,
				     const char *reason, int alert, bool is_from_peer)
{
	stream->has_stopped = true;
	stream->has_failed = true;
	stream->failure = calloc(1, sizeof(*stream->failure));
	if (stream->failure == NULL)
		return TLS_STREAM_FAILED;
	snprintf(stream->failure->reason, sizeof(stream->failure->reason), "%s", reason);
	stream->failure->trouble = trouble;
	stream->failure->version = stream->shake == NULL ? NULL
							 : SSL_get_version(stream->shake->ssl);
	stream->failure->alert = alert;
	stream->failure->is_from_peer = is_from_peer;
	return TLS_STREAM_FAILED;
}

/* The first error that speaks of TLS; what is below it, as a cipher that failed, comes before. */
static unsigned long error_take(void)
{
	unsigned long first = ERR_get_error(), code = first;

	while (code != 0 && ERR_GET_LIB(code) != ERR_LIB_SSL)
		code = ERR_get_error();
	return code == 0 ? first : code;
}

static enum tls_stream_result openssl_failed(struct tls_stream *stream)
{
	struct shake *shake = stream->shake;
	unsigned long code = error_take();
	long verified = SSL_get_verify_result(shake->ssl);
	enum tls_trouble trouble = tls_trouble_of_error(code, verified);
	const char *reason = ERR_reason_error_string(code);

	if (shake->is_out_of_memory)
		trouble = TLS_TROUBLE_MEMORY;
	if (ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		reason = X509_verify_cert_error_string(verified);
	if (reason == NULL || shake->is_out_of_memory)
		reason = tls_trouble_text(trouble);
	enum tls_stream_result r = failed(stream, trouble, reason, shake->alert,
					  shake->is_alert_from_peer);

	ERR_clear_error();
	return r;
}

struct tls_failure tls_stream_failure(const struct tls_stream *stream)
{
	if (stream->failure == NULL)
		return (struct tls_failure){
			.reason = "out of memory", .trouble = TLS_TROUBLE_MEMORY, .alert = -1};
	return *stream->failure;
}

bool tls_stream_has_failed(const struct tls_stream *stream)
{
	return stream->has_failed;
}

/* --- with OpenSSL --- */

/* The nonce of our Finished in TLS 1.2: the record behind change_cipher_spec. */
static void finished_look(struct shake *shake, const uint8_t *data, size_t len)
{
	uint8_t last = 0;

	for (size_t at = 0; at + TLS_RECORD_HEAD + 8 <= len;
	     at += TLS_RECORD_HEAD + be_read(data + at + 3, 2)) {
		if (data[at] == SSL3_RT_HANDSHAKE && last == SSL3_RT_CHANGE_CIPHER_SPEC)
			shake->finished_nonce = be_read(data + at + TLS_RECORD_HEAD, 8);
		last = data[at];
	}
}

static enum tls_stream_result handshake(struct tls_stream *stream)
{
	struct shake *shake = stream->shake;
	size_t out_at = shake->out->len;

	shake->sealed_count = shake->opened_count = 0;
	int r = SSL_do_handshake(shake->ssl);

	if (shake->out->len > out_at)
		finished_look(shake, shake->out->data + out_at, shake->out->len - out_at);
	if (r != 1)
		return SSL_get_error(shake->ssl, r) == SSL_ERROR_WANT_READ ? TLS_STREAM_OK
									   : openssl_failed(stream);
	stream->is_ready = true;
	/* With the keys that stay there are so far: in TLS 1.2 both Finished; in TLS 1.3 the
	 * server's tickets, which it makes in the step that ends its handshake. */
	shake->opened_count = SSL_version(shake->ssl) < TLS1_3_VERSION;
	if (SSL_version(shake->ssl) < TLS1_3_VERSION)
		shake->sealed_count = 1;
	else if (!stream->is_server)
		shake->sealed_count = 0;
	return TLS_STREAM_READY;
}

static enum tls_stream_result openssl_read(struct tls_stream *stream, uint8_t *out, size_t size,
					   size_t *out_len)
{
	SSL *ssl = stream->shake->ssl;

	while (*out_len < size) {
		size_t len;

		if (SSL_read_ex(ssl, out + *out_len, size - *out_len, &len) == 1) {
			*out_len += len;
			continue;
		}
		switch (SSL_get_error(ssl, 0)) {
		case SSL_ERROR_WANT_READ:
			return TLS_STREAM_OK;
		case SSL_ERROR_ZERO_RETURN:
			stream->has_stopped = true;
			return TLS_STREAM_CLOSED;
		default:
			return openssl_failed(stream);
		}
	}
	return TLS_STREAM_OK;
}

static void call_begin(struct shake *shake, struct slice in, struct buf *out)
{
	ERR_clear_error();
	shake->in = in;
	shake->out = out;
}

static enum tls_stream_result openssl_recv(struct tls_stream *stream, struct slice in,
					   size_t *out_used, uint8_t *out, size_t size,
					   size_t *out_len, struct buf *reply)
{
	call_begin(stream->shake, in, reply);
	enum tls_stream_result r = stream->is_ready ? openssl_read(stream, out, size, out_len)
						    : handshake(stream);

	*out_used = in.len - stream->shake->in.len;
	return r;
}

static int openssl_send(struct tls_stream *stream, struct slice text, struct buf *out)
{
	struct shake *shake = stream->shake;
	size_t len;

	call_begin(shake, (struct slice){0}, out);
	for (size_t at = 0; at < text.len; at += len)
		if (SSL_write_ex(shake->ssl, text.data + at, text.len - at, &len) != 1)
			return shake->is_out_of_memory ? -ENOMEM : -EPIPE;
	return 0;
}

/* --- without --- */

static enum tls_stream_result peer_failed(struct tls_stream *stream, struct tls_crypt *crypt,
					  uint8_t alert, struct buf *reply)
{
	size_t max = tls_sealed_max(stream->records, 2), len;
	uint8_t *to = buf_reserve(reply, max, OUT_MAX);

	if (to != NULL && tls_seal_alert(stream->records, crypt, alert, to, &len) == 0)
		reply->len += len;
	return failed(stream, TLS_TROUBLE_RECORD, "a record broke the protocol", alert, false);
}

static enum tls_stream_result opening_result(struct tls_stream *stream, struct tls_crypt *crypt,
					     enum tls_opening opening, uint8_t alert,
					     struct buf *reply)
{
	switch (opening) {
	case TLS_OPENED:
		return TLS_STREAM_OK;
	case TLS_CLOSED:
		stream->has_stopped = true;
		return TLS_STREAM_CLOSED;
	case TLS_ALERTED:
		failed(stream, tls_trouble_of_alert(alert), "the peer gave up", alert, true);
		return TLS_STREAM_CLOSED;
	case TLS_BROKEN:
		break;
	}
	return peer_failed(stream, crypt, alert, reply);
}

/* [bytes] missing to what is held until its record is whole; of its head first. */
static size_t held_missing(const struct buf *held)
{
	if (held->len < TLS_RECORD_HEAD)
		return TLS_RECORD_HEAD - held->len;
	size_t whole = TLS_RECORD_HEAD +
		       MIN(be_read(held->data + 3, 2), (uint64_t)TLS_RECORD_MAX - TLS_RECORD_HEAD);

	return whole > held->len ? whole - held->len : 0;
}

/* A record that began in an earlier call. */
static enum tls_stream_result held_open(struct tls_stream *stream, struct tls_crypt *crypt,
					struct slice *in, uint8_t *out, size_t size,
					size_t *out_len, struct buf *reply)
{
	struct buf *held = &stream->held;
	struct tls_opened opened;
	size_t missing;

	while ((missing = held_missing(held)) > 0 && in->len > 0) {
		size_t len = MIN(missing, in->len);

		if (buf_append(held, in->data, len, TLS_RECORD_MAX) < 0)
			return failed(stream, TLS_TROUBLE_MEMORY, "out of memory", -1, false);
		*in = slice_of(in->data + len, in->len - len);
	}
	if (held->len < TLS_RECORD_HEAD)
		return TLS_STREAM_OK;
	enum tls_opening opening = tls_open(stream->records, crypt, buf_slice(held), out + *out_len,
					    size - *out_len, &opened);

	*out_len += opened.len;
	if (opened.used > 0)
		buf_finish(held);
	return opening_result(stream, crypt, opening, opened.alert, reply);
}

/* Keeps what is the start of a record. */
static enum tls_stream_result rest_hold(struct tls_stream *stream, struct slice *in)
{
	if (in->len > 0 && buf_append(&stream->held, in->data, in->len, TLS_RECORD_MAX) < 0)
		return failed(stream, TLS_TROUBLE_MEMORY, "out of memory", -1, false);
	*in = (struct slice){0};
	return TLS_STREAM_OK;
}

static bool is_whole(struct slice in)
{
	return in.len >= TLS_RECORD_HEAD && in.len >= TLS_RECORD_HEAD + be_read(in.data + 3, 2);
}

static enum tls_stream_result records_recv(struct tls_stream *stream, struct tls_crypt *crypt,
					   struct slice in, size_t *out_used, uint8_t *out,
					   size_t size, size_t *out_len, struct buf *reply)
{
	enum tls_stream_result r = TLS_STREAM_OK;
	struct slice rest = in;
	struct tls_opened opened;

	if (stream->held.len > 0)
		r = held_open(stream, crypt, &rest, out, size, out_len, reply);
	if (r == TLS_STREAM_OK && stream->held.len == 0 && size - *out_len >= TLS_OPEN_ROOM) {
		enum tls_opening opening = tls_open(stream->records, crypt, rest, out + *out_len,
						    size - *out_len, &opened);

		*out_len += opened.len;
		rest = slice_of(rest.data + opened.used, rest.len - opened.used);
		r = opening_result(stream, crypt, opening, opened.alert, reply);
	}
	if (r == TLS_STREAM_OK && stream->held.len == 0 && !is_whole(rest))
		r = rest_hold(stream, &rest);
	*out_used = in.len - rest.len;
	return r;
}

/* --- either --- */

enum tls_stream_result tls_stream_recv(struct tls_stream *stream, struct tls_crypt *crypt,
				       struct slice in, size_t *out_used, uint8_t *out, size_t size,
				       size_t *out_len, struct buf *reply)
{
	CHECK(!stream->has_stopped && size >= TLS_OPEN_ROOM);
	*out_len = 0;
	if (stream->shake != NULL)
		return openssl_recv(stream, in, out_used, out, size, out_len, reply);
	return records_recv(stream, crypt, in, out_used, out, size, out_len, reply);
}

int tls_stream_send_pieces(struct tls_stream *stream, struct tls_crypt *crypt,
			   const struct slice *pieces, size_t count, struct buf *out)
{
	size_t sealed, len = 0;
	int r = 0;

	if (stream->has_failed || stream->has_ended)
		return -EPIPE;
	CHECK(stream->is_ready);
	if (stream->shake != NULL) {
		for (size_t i = 0; i < count && r == 0; i++)
			r = openssl_send(stream, pieces[i], out);
		return r;
	}
	for (size_t i = 0; i < count; i++)
		len += pieces[i].len;
	uint8_t *to = buf_reserve(out, tls_sealed_max(stream->records, len), OUT_MAX);

	r = to == NULL ? -ENOMEM
		       : tls_seal_pieces(stream->records, crypt, pieces, count, to, &sealed);
	if (r == 0)
		out->len += sealed;
	return r;
}

int tls_stream_send(struct tls_stream *stream, struct tls_crypt *crypt, struct slice text,
		    struct buf *out)
{
	return tls_stream_send_pieces(stream, crypt, &text, 1, out);
}

int tls_stream_end(struct tls_stream *stream, struct tls_crypt *crypt, struct buf *out)
{
	size_t len;

	if (stream->has_failed || stream->has_ended)
		return -EPIPE;
	CHECK(stream->is_ready);
	stream->has_ended = true;
	if (stream->shake != NULL) {
		call_begin(stream->shake, (struct slice){0}, out);
		return SSL_shutdown(stream->shake->ssl) < 0 ? -EPIPE : 0;
	}
	uint8_t *to = buf_reserve(out, tls_sealed_max(stream->records, 2), OUT_MAX);
	int r = to == NULL
			? -ENOMEM
			: tls_seal_alert(stream->records, crypt, TLS_ALERT_CLOSE_NOTIFY, to, &len);

	if (r == 0)
		out->len += len;
	return r;
}

/* --- letting go --- */

static size_t text_max(const SSL *ssl)
{
	uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)); /* RFC 6066, 4 */

	return code == 0 ? TLS_RECORD_TEXT : (size_t)256 << code;
}

bool tls_stream_detach(struct tls_stream *stream, struct tls_crypt *crypt)
{
	struct shake *shake = stream->shake;
	uint8_t master[TLS_MASTER_LEN], client_random[TLS_RANDOM_LEN],
		server_random[TLS_RANDOM_LEN];

	CHECK(stream->is_ready && shake != NULL);
	const struct tls_suite *suite = tls_suite_find(
		SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(shake->ssl)));

	if (suite == NULL || SSL_has_pending(shake->ssl) || shake->has_new_keys)
		return false;
	if (!suite->is_tls13)
		SSL_SESSION_get_master_key(SSL_get_session(shake->ssl), master, sizeof(master));
	SSL_get_client_random(shake->ssl, client_random, sizeof(client_random));
	SSL_get_server_random(shake->ssl, server_random, sizeof(server_random));
	stream->records = tls_records_create(crypt, &(struct tls_agreed){
							    .suite = suite,
							    .is_server = stream->is_server,
							    .client_secret = shake->client_secret,
							    .server_secret = shake->server_secret,
							    .master = master,
							    .client_random = client_random,
							    .server_random = server_random,
							    .explicit_nonce = shake->finished_nonce,
							    .text_max = text_max(shake->ssl),
							    .sealed_count = shake->sealed_count,
							    .opened_count = shake->opened_count,
						    });
	OPENSSL_cleanse(master, sizeof(master));
	if (stream->records == NULL)
		return false;
	shake_destroy(&stream->shake);
	return true;
}

bool tls_stream_is_detached(const struct tls_stream *stream)
{
	return stream->records != NULL;
}

size_t tls_stream_sealed_max(const struct tls_stream *stream, size_t len)
{
	CHECK(stream->records != NULL);
	return tls_sealed_max(stream->records, MAX(len, (size_t)2));
}

size_t tls_stream_held(const struct tls_stream *stream)
{
	return stream->held.cap;
}

/* --- coming back --- */

void tls_stream_resume(struct tls_stream *stream, SSL_SESSION *session)
{
	CHECK(!stream->is_server && !stream->is_ready);
	SSL_set_session(stream->shake->ssl, session); /* one that does not fit is not offered */
}

SSL_SESSION *tls_stream_session(struct tls_stream *stream)
{
	CHECK(!stream->is_server && stream->shake != NULL);
	SSL_SESSION *session = SSL_get1_session(stream->shake->ssl);

	if (session != NULL && !SSL_SESSION_is_resumable(session))
		tls_session_free(&session);
	return session;
}

void tls_session_free(SSL_SESSION **session)
{
	SSL_SESSION_free(*session);
	*session = NULL;
}

/* --- facts --- */

struct tls_facts tls_stream_facts(const struct tls_stream *stream)
{
	CHECK(stream->is_ready && stream->shake != NULL);
	SSL *ssl = stream->shake->ssl;

	return (struct tls_facts){
		.version = SSL_get_version(ssl),
		.suite = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)),
		.server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
		.is_resumed = SSL_session_reused(ssl) == 1,
	};
}

X509 *tls_stream_peer(const struct tls_stream *stream)
{
	CHECK(stream->is_ready && stream->shake != NULL);
	return SSL_get0_peer_certificate(stream->shake->ssl);
}
