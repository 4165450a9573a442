/* SPDX-License-Identifier: Apache-2.0
 * tls_context_private.h - what the files of contexts share.
 *
 * Layer: tls. */
#pragma once

#include <openssl/ssl.h>

#include "tls/tls_context.h"

/* A name in certificates, and the SSL_CTX that has all certificates with it. */
struct tls_name {
	char *text; /* in lower case; "*.example.com" stands for one label */
	size_t ctx;
};

struct tls_context {
	uint32_t references; /* atomic */
	SSL_CTX **ctxs;      /* the first one is the default */
	size_t ctx_count;
	struct tls_name *names; /* sorted */
	size_t name_count;
	int64_t expires_at;
	struct tls_ticket_keys *tickets;
	EVP_CIPHER *ticket_cipher; /* fetched once; NULL: no tickets */
	bool stays_attached;
};

/* NULL: memory is out. */
struct tls_context *tls_context_alloc(size_t ctx_max);

/* With what holds for both sides. NULL: OpenSSL cannot. */
SSL_CTX *tls_ctx_create(const SSL_METHOD *method);

/* Adds what OpenSSL says of the last error, and forgets it. `file` may be NULL. */
void tls_error_set(struct tls_error *error, const char *file, const char *what);

/* The certificate, its chain and its key; false with *error. */
bool tls_pair_use(SSL_CTX *ctx, const struct tls_key_pair *pair, struct tls_error *error);

/* Asks clients for certificates, or not, and binds their sessions to what they are believed by.
 * False with *error. */
bool tls_clients_use(SSL_CTX *ctx, const struct tls_server_options *options,
		     struct tls_error *error);

/* Tickets by keys of the context's. */
void tls_tickets_use(SSL_CTX *ctx, struct tls_context *context);

/* tls_shake.c: takes the secrets of TLS 1.3. */
void tls_stream_keylog(const SSL *ssl, const char *line);
