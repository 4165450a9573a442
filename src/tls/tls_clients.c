/* SPDX-License-Identifier: Apache-2.0
 * tls_clients.c - which clients a server believes, by their certificates.
 *
 * A session that is resumed shows no certificate: what was verified when it began is what counts.
 * So sessions are bound to the authorities and the list of revoked certificates that they were made
 * with, and after a change of either everybody is verified again. Nodes that share ticket keys need
 * the same files to take up each other's sessions. And a session is none any more when its client's
 * certificate has ended: else tickets, which bring new ones, would make it last for ever. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls_context_private.h"

/* NULL is fine. False: it cannot be read. */
static bool file_digest(EVP_MD_CTX *digest, const char *path)
{
	uint8_t bytes[4096];
	size_t len;
	FILE *file = path == NULL ? NULL : fopen(path, "re");
	bool is_good = true;

	/* What is not there is something else than what is empty. */
	EVP_DigestUpdate(digest, path == NULL ? "-" : "+", 1);
	if (file == NULL)
		return path == NULL;
	while (is_good && (len = fread(bytes, 1, sizeof(bytes), file)) > 0)
		is_good = EVP_DigestUpdate(digest, bytes, len) == 1;
	is_good = is_good && ferror(file) == 0;
	fclose(file);
	return is_good;
}

/* Gives sessions the name of what their clients were verified with. */
static bool sessions_name(SSL_CTX *ctx, const struct tls_server_options *options,
			  struct tls_error *error)
{
	bool is_asking = options->client_certificate != TLS_CLIENT_NONE;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	uint8_t kind = (uint8_t)options->client_certificate, name[EVP_MAX_MD_SIZE];
	unsigned len;
	bool is_good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 &&
		       EVP_DigestUpdate(digest, &kind, 1) == 1;
	const char *files[] = {options->client_ca_file, options->crl_file};

	for (size_t i = 0; is_good && is_asking && i < 2; i++) {
		is_good = file_digest(digest, files[i]);
		if (!is_good)
			snprintf(error->text, sizeof(error->text), "%s: cannot be read: %s",
				 files[i], strerror(errno));
	}
	is_good = is_good && EVP_DigestFinal_ex(digest, name, &len) == 1 &&
		  SSL_CTX_set_session_id_context(ctx, name, SSL_MAX_SID_CTX_LENGTH) == 1;
	EVP_MD_CTX_free(digest);
	return is_good;
}

static SSL_TICKET_RETURN on_session(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
				    size_t name_len, SSL_TICKET_STATUS status, void *arg)
{
	bool is_renewed = status == SSL_TICKET_SUCCESS_RENEW;

	(void)ssl;
	(void)name;
	(void)name_len;
	(void)arg;
	if (status != SSL_TICKET_SUCCESS && !is_renewed)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	const X509 *x509 = SSL_SESSION_get0_peer(session);

	/* 0: it is no time. */
	if (x509 != NULL && X509_cmp_current_time(X509_get0_notAfter(x509)) <= 0)
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return is_renewed ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

bool tls_clients_use(SSL_CTX *ctx, const struct tls_server_options *options,
		     struct tls_error *error)
{
	if (!sessions_name(ctx, options, error))
		return false;
	if (options->client_certificate == TLS_CLIENT_NONE)
		return true;
	SSL_CTX_set_session_ticket_cb(ctx, NULL, on_session, NULL);
	SSL_CTX_set_verify(ctx,
			   SSL_VERIFY_PEER | (options->client_certificate == TLS_CLIENT_REQUIRED
						      ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT
						      : 0),
			   NULL);
	STACK_OF(X509_NAME) *names = options->client_ca_file == NULL
					     ? NULL
					     : SSL_load_client_CA_file(options->client_ca_file);

	if (names == NULL || SSL_CTX_load_verify_file(ctx, options->client_ca_file) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		tls_error_set(error, options->client_ca_file,
			      "no certificates of authorities can be read from it");
		return false;
	}
	SSL_CTX_set_client_CA_list(ctx, names);
	if (options->crl_file == NULL)
		return true;
	X509_STORE *store = SSL_CTX_get_cert_store(ctx);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (lookup == NULL ||
	    X509_load_crl_file(lookup, options->crl_file, X509_FILETYPE_PEM) < 1) {
		tls_error_set(error, options->crl_file,
			      "no list of revoked certificates can be read from it");
		return false;
	}
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
	return true;
}
