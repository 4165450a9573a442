/* SPDX-License-Identifier: Apache-2.0
 * tls_context.h - what all TLS connections of a listener, or of a client, have in common:
 * certificates, versions, suites, whom they trust, tickets.
 *
 * Layer: tls. Made once, with file access, never by a worker; then read-only and thread-safe,
 * counted by reference. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ssl_st;
struct tls_context;
struct tls_ticket_keys;

#define TLS_PAIRS_MAX 16 /* of certificates for one listener */

enum tls_client_certificate { TLS_CLIENT_NONE, TLS_CLIENT_OPTIONAL, TLS_CLIENT_REQUIRED };

/* Files in PEM. */
struct tls_key_pair {
	const char *cert_file; /* the certificate, then those that lead to its root */
	const char *key_file;
};

struct tls_server_options {
	const struct tls_key_pair *pairs;
	size_t pair_count; /* 1 to TLS_PAIRS_MAX; the first is the default */
	bool has_tls13_only;
	enum tls_client_certificate client_certificate;
	const char *client_ca_file;      /* whoever is to be believed; NULL: none */
	const char *crl_file;            /* NULL: none */
	struct tls_ticket_keys *tickets; /* the context takes a reference; NULL: no tickets */
	bool stays_attached;             /* connections keep their SSL object (tls.detach: off) */
};

struct tls_client_options {
	const char *ca_file;   /* NULL: the system's */
	const char *cert_file; /* NULL: none */
	const char *key_file;
	bool is_insecure;    /* believes any server */
	uint16_t version;    /* 0x0303, 0x0304; 0: either */
	bool stays_attached; /* connections keep their SSL object */
};

/* What is wrong: the file, what was seen, what to do. */
struct tls_error {
	char text[512];
};

/* NULL with *out_error: a file cannot be read, does not hold what it should, or a key is another
 * certificate's. */
struct tls_context *tls_server_context_create(const struct tls_server_options *options,
					      struct tls_error *out_error);
struct tls_context *tls_client_context_create(const struct tls_client_options *options,
					      struct tls_error *out_error);

struct tls_context *tls_context_ref(struct tls_context *context);
/* NULL is fine; clears the pointer. */
void tls_context_unref(struct tls_context **context);

/* The certificate that ends first, of those that the context shows. [s] since 1970. */
int64_t tls_context_expires_at(const struct tls_context *context);

/* Do its connections keep their SSL object? */
bool tls_context_stays_attached(const struct tls_context *context);

/* For tls_stream: a new SSL object. `server_name`: whom a client wants to reach, NULL: not said.
 * NULL: memory is out. */
struct ssl_st *tls_context_ssl(const struct tls_context *context, const char *server_name);
