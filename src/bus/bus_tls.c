/* SPDX-License-Identifier: Apache-2.0
 * bus_tls.c - whether the files for TLS are good, before libnats gets them.
 *
 * libnats would tell neither the file nor the reason of some mistakes, and would ask for
 * the password of a key on the terminal. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509err.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/bus.h"

#define REJECT(...) (snprintf(error, error_size, __VA_ARGS__), false)

/* A pipe without a writer would keep the start waiting. */
static bool file_check(const char *name, const char *path, char *error, size_t error_size)
{
	struct stat facts;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r = fd < 0 ? -1 : fstat(fd, &facts);
	int reason = errno;

	if (fd >= 0)
		close(fd);
	if (r < 0)
		return REJECT("%s: %s cannot be opened: %s; let the user of this process read it, "
			      "or name another file",
			      name, path, strerror(reason));
	return S_ISREG(facts.st_mode) || REJECT("%s: %s is not a file; name one", name, path);
}

/* Nobody is asked. */
static int no_password(char *out, int size, int is_for_writing, void *arg)
{
	(void)out;
	(void)size;
	(void)is_for_writing;
	(void)arg;
	return -1;
}

static bool ca_check(SSL_CTX *context, const char *path, char *error, size_t error_size)
{
	if (!file_check("ca_file", path, error, error_size))
		return false;
	return SSL_CTX_load_verify_locations(context, path, NULL) == 1 ||
	       REJECT("ca_file: %s holds no certificates (%s); write them in PEM", path,
		      ERR_reason_error_string(ERR_peek_error()));
}

static bool cert_check(SSL_CTX *context, const char *path, char *error, size_t error_size)
{
	if (!file_check("cert_file", path, error, error_size))
		return false;
	return SSL_CTX_use_certificate_chain_file(context, path) == 1 ||
	       REJECT("cert_file: %s holds no certificate that can be used (%s); write it in PEM, "
		      "and those of its issuers behind it",
		      path, ERR_reason_error_string(ERR_peek_error()));
}

static bool key_check(SSL_CTX *context, const char *path, const char *cert_path, char *error,
		      size_t error_size)
{
	if (!file_check("key_file", path, error, error_size))
		return false;
	if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) == 1)
		return true;
	unsigned long first = ERR_peek_error();
	int reason = ERR_GET_REASON(first);

	if (ERR_GET_LIB(first) == ERR_LIB_X509 &&
	    (reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH))
		return REJECT("key_file: %s is not the key of the certificate in %s; name the one "
			      "that is",
			      path, cert_path);
	return REJECT("key_file: %s holds no private key that can be used (%s); write it in PEM, "
		      "without a password",
		      path, ERR_reason_error_string(first));
}

static bool pair_check(SSL_CTX *context, const struct bus_options *options, char *error,
		       size_t error_size)
{
	if (options->cert_file == NULL && options->key_file == NULL)
		return true;
	if (options->cert_file == NULL)
		return REJECT("key_file: is set without a cert_file; set both or neither");
	if (options->key_file == NULL)
		return REJECT("cert_file: is set without a key_file; set both or neither");
	return cert_check(context, options->cert_file, error, error_size) &&
	       key_check(context, options->key_file, options->cert_file, error, error_size);
}

bool bus_tls_check(const struct bus_options *options, char *error, size_t error_size)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		return REJECT("no TLS: out of memory");
	SSL_CTX_set_default_passwd_cb(context, no_password);
	ERR_clear_error();
	bool is_good = (options->ca_file == NULL ||
			ca_check(context, options->ca_file, error, error_size)) &&
		       pair_check(context, options, error, error_size);

	ERR_clear_error();
	SSL_CTX_free(context);
	return is_good;
}
