/* SPDX-License-Identifier: Apache-2.0
 * tls_files.h - certificates and their keys, in files of a directory that goes with the test. */
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "tls/tls_context.h"
#include "unit.h"

struct tls_files {
	char directory[64];
	char cert[128];
	char key[128];
};

static inline X509 *tls_files_certificate(EVP_PKEY *key, const char *cn, const char *names)
{
	X509 *x509 = X509_new();

	X509_set_version(x509, 2);
	X509_gmtime_adj(X509_getm_notBefore(x509), -60);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x509, X509_get_subject_name(x509));
	if (names != NULL) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name,
								names);

		assert_non_null(extension);
		X509_add_ext(x509, extension, -1);
		X509_EXTENSION_free(extension);
	}
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	return x509;
}

/* Signed by itself. */
static inline void tls_files_make(struct tls_files *files, const char *cn, const char *names,
				  bool is_rsa)
{
	EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *x509 = tls_files_certificate(key, cn, names);

	snprintf(files->directory, sizeof(files->directory), "/tmp/gatehouse-tls-XXXXXX");
	assert_non_null(mkdtemp(files->directory));
	snprintf(files->cert, sizeof(files->cert), "%s/cert.pem", files->directory);
	snprintf(files->key, sizeof(files->key), "%s/key.pem", files->directory);
	FILE *out = fopen(files->cert, "w");

	assert_int_equal(PEM_write_X509(out, x509), 1);
	fclose(out);
	out = fopen(files->key, "w");
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
	X509_free(x509);
	EVP_PKEY_free(key);
}

static inline void tls_files_remove(struct tls_files *files)
{
	unlink(files->cert);
	unlink(files->key);
	rmdir(files->directory);
}

static inline struct tls_context *tls_files_server(const struct tls_files *files,
						   struct tls_server_options options)
{
	struct tls_key_pair pair = {files->cert, files->key};
	struct tls_error error = {.text = ""};

	options.pairs = &pair;
	options.pair_count = 1;
	struct tls_context *context = tls_server_context_create(&options, &error);

	if (context == NULL)
		fail_msg("%s", error.text);
	return context;
}
