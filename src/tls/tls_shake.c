/* SPDX-License-Identifier: Apache-2.0
 * tls_shake.c - a stream while OpenSSL is there: its handshake, what is known of it, and letting
 * go.
 *
 * OpenSSL reads from and writes to the memory of the call under way, through a BIO of ours. It
 * reads a record's head and then its body, never more, so that what lies behind Finished stays with
 * the caller. */
#include <errno.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hex.h"
#include "tls/tls_context_private.h"
#include "tls/tls_stream_private.h"

/* As many in a row as tls_open.c bears. */
#define UPDATES_MAX 32

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

static void key_update_note(struct shake *shake, bool is_ours)
{
	shake->has_new_keys = true;
	if (!is_ours)
		shake->updates = (uint8_t)MIN(shake->updates + 1, UPDATES_MAX + 1);
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
		/* It would go on, and warn again and again. */
		shake->has_refused |= is_written && bytes[1] == SSL_AD_NO_RENEGOTIATION;
	}
	if (content == SSL3_RT_HANDSHAKE && len >= 6 && bytes[0] == SSL3_MT_CLIENT_HELLO)
		shake->hello_version = (uint16_t)be_read(bytes + 4, 2);
	if (content == SSL3_RT_HANDSHAKE && len > 0 && bytes[0] == SSL3_MT_KEY_UPDATE)
		key_update_note(shake, is_written);
}

/* --- life --- */

void tls_shake_destroy(struct shake **shake)
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

struct shake *tls_shake_create(struct tls_context *context, const char *server_name, bool is_server)
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
		tls_shake_destroy(&shake);
		return NULL;
	}
	BIO_set_data(shake->bio, shake);
	BIO_set_init(shake->bio, 1);
	SSL_set_bio(shake->ssl, shake->bio, shake->bio);
	SSL_set_app_data(shake->ssl, shake);
	if (is_server)
		SSL_set_accept_state(shake->ssl);
	else
		SSL_set_connect_state(shake->ssl);
	SSL_set_msg_callback(shake->ssl, on_message);
	SSL_set_msg_callback_arg(shake->ssl, shake);
	return shake;
}

/* --- failures --- */

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
	enum tls_stream_result r = tls_stream_fail(stream, trouble, reason, shake->alert,
						   shake->is_alert_from_peer);

	ERR_clear_error();
	return r;
}

const char *tls_shake_version(const struct shake *shake)
{
	static const struct {
		uint16_t version;
		const char *name;
	} rows[] = {
		{SSL3_VERSION, "SSLv3"},
		{TLS1_VERSION, "TLSv1"},
		{TLS1_1_VERSION, "TLSv1.1"},
		{TLS1_2_VERSION, "TLSv1.2 or newer"}, /* 1.3 says so too */
	};

	if (SSL_get_current_cipher(shake->ssl) != NULL)
		return SSL_get_version(shake->ssl);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].version == shake->hello_version)
			return rows[i].name;
	return NULL;
}

/* --- reading and writing --- */

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
			stream->shake->updates = 0;
			continue;
		}
		if (stream->shake->updates > UPDATES_MAX)
			return tls_stream_fail(stream, TLS_TROUBLE_RECORD, "too many key updates",
					       -1, false);
		if (stream->shake->has_refused)
			return tls_stream_fail(stream, TLS_TROUBLE_RECORD,
					       "a new handshake was asked for",
					       SSL_AD_NO_RENEGOTIATION, false);
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

enum tls_stream_result tls_shake_recv(struct tls_stream *stream, struct slice in, size_t *out_used,
				      uint8_t *out, size_t size, size_t *out_len, struct buf *reply)
{
	call_begin(stream->shake, in, reply);
	enum tls_stream_result r = stream->is_ready ? openssl_read(stream, out, size, out_len)
						    : handshake(stream);

	*out_used = in.len - stream->shake->in.len;
	return r;
}

int tls_shake_send(struct tls_stream *stream, struct slice text, struct buf *out)
{
	struct shake *shake = stream->shake;
	size_t len;

	call_begin(shake, (struct slice){0}, out);
	for (size_t at = 0; at < text.len; at += len)
		if (SSL_write_ex(shake->ssl, text.data + at, text.len - at, &len) != 1)
			return shake->is_out_of_memory ? -ENOMEM : -EPIPE;
	return 0;
}

int tls_shake_end(struct tls_stream *stream, struct buf *out)
{
	call_begin(stream->shake, (struct slice){0}, out);
	return SSL_shutdown(stream->shake->ssl) < 0 ? -EPIPE : 0;
}

/* --- letting go --- */

static size_t text_max(const SSL *ssl)
{
	uint8_t code = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl)); /* RFC 6066, 4 */

	return code == 0 ? TLS_RECORD_TEXT : (size_t)256 << code;
}

/* OpenSSL has taken a part of a record. It calls that pending, but for a head without anything of
 * its body: then it only tells that the body is what it reads next. */
static bool is_within_record(const SSL *ssl)
{
	return SSL_has_pending(ssl) || strcmp(SSL_rstate_string(ssl), "RH") != 0;
}

bool tls_stream_detach(struct tls_stream *stream, struct tls_crypt *crypt)
{
	struct shake *shake = stream->shake;
	uint8_t master[TLS_MASTER_LEN], client_random[TLS_RANDOM_LEN],
		server_random[TLS_RANDOM_LEN];

	CHECK(stream->is_ready && shake != NULL);
	const struct tls_suite *suite = tls_suite_find(
		SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(shake->ssl)));

	if (suite == NULL || is_within_record(shake->ssl) || shake->has_new_keys)
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
	tls_shake_destroy(&stream->shake);
	return true;
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

SSL_SESSION *tls_session_ref(SSL_SESSION *session)
{
	SSL_SESSION_up_ref(session);
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
	const SSL_CIPHER *cipher = SSL_get_current_cipher(ssl);

	return (struct tls_facts){
		.version = SSL_get_version(ssl),
		.suite = SSL_CIPHER_standard_name(cipher),
		.suite_id = SSL_CIPHER_get_protocol_id(cipher),
		.server_name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name),
		.is_resumed = SSL_session_reused(ssl) == 1,
	};
}

struct tls_terms tls_stream_terms(const struct tls_stream *stream)
{
	CHECK(stream->is_ready);
	if (stream->shake != NULL) {
		struct tls_facts facts = tls_stream_facts(stream);

		return (struct tls_terms){facts.version, facts.suite};
	}
	const struct tls_suite *suite = tls_records_suite(stream->records);

	return (struct tls_terms){suite->is_tls13 ? "TLSv1.3" : "TLSv1.2", suite->name};
}

X509 *tls_stream_peer(const struct tls_stream *stream)
{
	CHECK(stream->is_ready && stream->shake != NULL);
	return SSL_get0_peer_certificate(stream->shake->ssl);
}
