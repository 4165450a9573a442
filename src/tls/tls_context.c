/* SPDX-License-Identifier: Apache-2.0
 * tls_context.c - what both kinds of contexts share, and the client's. */
#include "tls/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reference.h"
#include "tls/tls_context_private.h"
#include "tls/tls_ticket_keys.h"

/* Forward secrecy and AEAD for all but the two that the OCPP security profiles ask for too (RFC
 * 9325, 4.2; OCPP 1.6 security whitepaper, A00.FR.318). */
#define SUITES_12                                                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:" \
	"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"   \
	"AES128-GCM-SHA256:AES256-GCM-SHA384"
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define GROUPS    "X25519:P-256:P-384"

/* The last error is the one nearest to us. Where it says no more than from which library it came
 * ("system lib", "PEM lib"), that library's own says what happened; 0: it does not either. */
static unsigned long telling_error(void)
{
	unsigned long last = ERR_peek_last_error(), code;

	if (ERR_GET_LIB(last) == ERR_LIB_SYS || !ERR_COMMON_ERROR(last))
		return last;
	while ((code = ERR_get_error()) != 0)
		if (ERR_GET_LIB(code) == ERR_LIB_SYS || !ERR_COMMON_ERROR(code))
			return code;
	return 0;
}

void tls_error_set(struct tls_error *error, const char *file, const char *what)
{
	unsigned long code = telling_error();
	const char *reason = ERR_reason_error_string(code);

	if (ERR_GET_LIB(code) == ERR_LIB_SYS)
		reason = strerror(ERR_GET_REASON(code));
	snprintf(error->text, sizeof(error->text), "%s%s%s%s%s", file == NULL ? "" : file,
		 file == NULL ? "" : ": ", what, reason == NULL ? "" : ": ",
		 reason == NULL ? "" : reason);
	ERR_clear_error();
}

/* A key with a password is none: nobody is there to type it, and OpenSSL would wait for that. */
static int no_password(char *out, int size, int is_writing, void *arg)
{
	(void)out;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

SSL_CTX *tls_ctx_create(const SSL_METHOD *method)
{
	SSL_CTX *ctx = SSL_CTX_new(method);

	if (ctx == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_keylog_callback(ctx, tls_stream_keylog);
	SSL_CTX_set_default_passwd_cb(ctx, no_password);
	if (SSL_CTX_set_cipher_list(ctx, SUITES_12) == 1 &&
	    SSL_CTX_set_ciphersuites(ctx, SUITES_13) == 1 &&
	    SSL_CTX_set1_groups_list(ctx, GROUPS) == 1)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* --- clients --- */

static bool client_trust(SSL_CTX *ctx, const struct tls_client_options *options,
			 struct tls_error *error)
{
	SSL_CTX_set_verify(ctx, options->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	if (options->ca_file == NULL ? SSL_CTX_set_default_verify_paths(ctx) == 1
				     : SSL_CTX_load_verify_file(ctx, options->ca_file) == 1)
		return true;
	tls_error_set(error, options->ca_file,
		      "no certificates of authorities can be read from it");
	return false;
}

struct tls_context *tls_client_context_create(const struct tls_client_options *options,
					      struct tls_error *out_error)
{
	struct tls_context *context = tls_context_alloc(1);

	if (context == NULL) {
		tls_error_set(out_error, NULL, "out of memory");
		return NULL;
	}
	context->stays_attached = options->stays_attached;
	SSL_CTX *ctx = context->ctxs[0] = tls_ctx_create(TLS_client_method());

	context->ctx_count = 1;
	if (ctx == NULL) {
		tls_error_set(out_error, NULL, "TLS cannot be set up");
	} else if (client_trust(ctx, options, out_error)) {
		struct tls_key_pair pair = {options->cert_file, options->key_file};

		SSL_CTX_set_min_proto_version(ctx, options->version == 0 ? TLS1_2_VERSION
									 : options->version);
		SSL_CTX_set_max_proto_version(ctx, options->version);
		if (pair.cert_file == NULL || tls_pair_use(ctx, &pair, out_error))
			return context;
	}
	tls_context_unref(&context);
	return NULL;
}

/* --- life --- */

struct tls_context *tls_context_alloc(size_t ctx_max)
{
	struct tls_context *context = calloc(1, sizeof(*context));

	if (context == NULL)
		return NULL;
	context->references = 1;
	context->expires_at = INT64_MAX;
	context->ctxs = calloc(ctx_max, sizeof(SSL_CTX *));
	if (context->ctxs == NULL)
		tls_context_unref(&context);
	return context;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
	reference_take(&context->references);
	return context;
}

void tls_context_unref(struct tls_context **context)
{
	struct tls_context *self = *context;

	*context = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	for (size_t i = 0; i < self->ctx_count; i++)
		SSL_CTX_free(self->ctxs[i]);
	for (size_t i = 0; i < self->name_count; i++)
		free(self->names[i].text);
	tls_ticket_keys_unref(&self->tickets);
	EVP_CIPHER_free(self->ticket_cipher);
	free(self->names);
	free(self->ctxs);
	free(self);
}

int64_t tls_context_expires_at(const struct tls_context *context)
{
	return context->expires_at;
}

bool tls_context_stays_attached(const struct tls_context *context)
{
	return context->stays_attached;
}

/* An address is no name that a server could be asked for (RFC 6066, 3), but stands in certificates
 * too. */
static bool server_name_set(SSL *ssl, const char *name)
{
	if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) == 1)
		return true;
	return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
}

SSL *tls_context_ssl(const struct tls_context *context, const char *server_name)
{
	SSL *ssl = SSL_new(context->ctxs[0]);

	if (ssl == NULL || server_name == NULL || server_name_set(ssl, server_name))
		return ssl;
	SSL_free(ssl);
	return NULL;
}
