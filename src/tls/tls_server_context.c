/* SPDX-License-Identifier: Apache-2.0
 * tls_server_context.c - a server's certificates, and which of them a client is shown.
 *
 * Certificates that share a name are in one SSL_CTX, one for each kind of key, and OpenSSL chooses
 * by the client's suites and signatures. Which SSL_CTX it is says the name that the client asks
 * for: as it stands in a certificate, else the wildcard over it, else the default, which has the
 * first certificate and those of other kinds that share a name with it. */
#include <ctype.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "tls/tls_context_private.h"
#include "tls/tls_ticket_keys.h"

/* --- names --- */

static int name_compare(const void *a, const void *b)
{
	return strcmp(((const struct tls_name *)a)->text, ((const struct tls_name *)b)->text);
}

static const struct tls_name *name_find(const struct tls_context *context, char *text)
{
	struct tls_name wanted = {.text = text};

	if (context->name_count == 0)
		return NULL;
	return bsearch(&wanted, context->names, context->name_count, sizeof(wanted), name_compare);
}

/* `name` is written to. */
static const struct tls_name *name_match(const struct tls_context *context, char *name)
{
	const struct tls_name *found = name_find(context, name);
	char *dot = strchr(name, '.');

	if (found != NULL || dot == NULL || dot == name)
		return found;
	dot[-1] = '*'; /* "a.example.com": "*.example.com" */
	return name_find(context, dot - 1);
}

static int on_server_name(SSL *ssl, int *alert, void *arg)
{
	const struct tls_context *context = arg;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	char name[256];
	size_t len = 0;

	(void)alert;
	if (asked == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	for (; asked[len] != 0 && len < sizeof(name) - 1; len++)
		name[len] = (char)tolower((unsigned char)asked[len]);
	if (len > 0 && name[len - 1] == '.')
		len--;
	name[len] = 0;
	const struct tls_name *found = name_match(context, name);

	if (found == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	SSL_set_SSL_CTX(ssl, context->ctxs[found->ctx]);
	return SSL_TLSEXT_ERR_OK;
}

/* --- the protocol above: only HTTP/1.1 --- */

/* Whoever names none, or speaks HTTP/1.0, is let through (RFC 7301, 3.2: no overlap is an alert).
 */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		   const unsigned char *in, unsigned in_len, void *arg)
{
	static const char *const ours[] = {"http/1.1", "http/1.0"};

	(void)ssl;
	(void)arg;
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		for (unsigned at = 0; at < in_len; at += 1u + in[at])
			if (in[at] == strlen(ours[i]) && at + 1u + in[at] <= in_len &&
			    memcmp(in + at + 1, ours[i], in[at]) == 0) {
				*out = in + at + 1;
				*out_len = in[at];
				return SSL_TLSEXT_ERR_OK;
			}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* --- tickets --- */

/* 1: used; 2: used, and a new one is due; 0: not known, so a full handshake; -1: an error. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char *iv, EVP_CIPHER_CTX *cipher,
		     EVP_MAC_CTX *mac, int is_new)
{
	struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_ticket_key key;
	bool is_newest = true;
	char hash[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string("key", key.hmac, sizeof(key.hmac)),
		OSSL_PARAM_construct_utf8_string("digest", hash, 0),
		OSSL_PARAM_construct_end(),
	};

	if (is_new) {
		tls_ticket_key_newest(context->tickets, &key);
		if (RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
			return -1;
		memcpy(name, key.name, TLS_TICKET_NAME_LEN);
	} else if (!tls_ticket_key_find(context->tickets, name, &key, &is_newest)) {
		return 0;
	}
	bool is_good = EVP_CipherInit_ex2(cipher, context->ticket_cipher, key.aes, iv, is_new,
					  NULL) == 1 &&
		       EVP_MAC_CTX_set_params(mac, params) == 1;

	OPENSSL_cleanse(&key, sizeof(key));
	if (!is_good)
		return -1;
	/* TLS 1.3 gives a new one each time: a client shall not show one twice (RFC 8446, C.4). */
	return is_new || (is_newest && SSL_version(ssl) < TLS1_3_VERSION) ? 1 : 2;
}

void tls_tickets_use(SSL_CTX *ctx, struct tls_context *context)
{
	if (context->tickets == NULL) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
		return;
	}
	SSL_CTX_set_app_data(ctx, context);
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
	SSL_CTX_set_num_tickets(ctx, 1); /* one is enough for a client that comes back once */
}

/* --- files --- */

bool tls_pair_use(SSL_CTX *ctx, const struct tls_key_pair *pair, struct tls_error *error)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(ctx, pair->cert_file) != 1)
		tls_error_set(error, pair->cert_file, "no certificate can be read from it");
	else if (SSL_CTX_use_PrivateKey_file(ctx, pair->key_file, SSL_FILETYPE_PEM) != 1)
		tls_error_set(error, pair->key_file,
			      ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
				      ? "the key is not that of the certificate"
				      : "no private key can be read from it");
	else if (SSL_CTX_check_private_key(ctx) != 1)
		tls_error_set(error, pair->key_file, "the key is not that of the certificate");
	else
		return true;
	return false;
}

/* --- which certificate is where --- */

/* A certificate of the configuration, and its names. */
struct loaded {
	X509 *x509;
	GENERAL_NAMES *names;
	int key_type;
};

static bool loaded_read(struct loaded *loaded, const struct tls_key_pair *pair,
			struct tls_error *error)
{
	BIO *file = BIO_new_file(pair->cert_file, "r");

	loaded->x509 = file == NULL ? NULL : PEM_read_bio_X509_AUX(file, NULL, NULL, NULL);
	BIO_free(file);
	if (loaded->x509 == NULL) {
		tls_error_set(error, pair->cert_file, "no certificate can be read from it");
		return false;
	}
	loaded->names = X509_get_ext_d2i(loaded->x509, NID_subject_alt_name, NULL, NULL);
	loaded->key_type = EVP_PKEY_get_base_id(X509_get0_pubkey(loaded->x509));
	ERR_clear_error();
	return true;
}

static void loaded_free(struct loaded *all, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		X509_free(all[i].x509);
		GENERAL_NAMES_free(all[i].names);
	}
	free(all);
}

/* The index-th DNS name in lower case, owned by the caller; NULL: there is none, or it is no text.
 */
static char *dns_name(const struct loaded *loaded, int index)
{
	const GENERAL_NAME *name = sk_GENERAL_NAME_value(loaded->names, index);

	if (name == NULL || name->type != GEN_DNS)
		return NULL;
	size_t len = (size_t)ASN1_STRING_length(name->d.dNSName);
	const char *data = (const char *)ASN1_STRING_get0_data(name->d.dNSName);

	if (len == 0 || memchr(data, 0, len) != NULL)
		return NULL;
	char *text = strndup(data, len);

	for (char *at = text; at != NULL && *at != 0; at++)
		*at = (char)tolower((unsigned char)*at);
	return text;
}

static bool has_name(const struct loaded *loaded, const char *text)
{
	bool is_found = false;

	for (int i = 0; i < sk_GENERAL_NAME_num(loaded->names) && !is_found; i++) {
		char *name = dns_name(loaded, i);

		is_found = name != NULL && strcmp(name, text) == 0;
		free(name);
	}
	return is_found;
}

/* So many SSL_CTX can there be. */
static size_t ctx_max(const struct tls_server_options *options)
{
	return 1 + options->pair_count * 16;
}

/* What goes into each SSL_CTX: bit i stands for pair i. */
struct making {
	const struct tls_server_options *options;
	struct tls_context *context;
	struct loaded *all;
	uint64_t *members; /* of each SSL_CTX */
	struct tls_error *error;
};

static bool shares_name(const struct loaded *a, const struct loaded *b)
{
	bool is_shared = X509_NAME_cmp(X509_get_subject_name(a->x509),
				       X509_get_subject_name(b->x509)) == 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(a->names) && !is_shared; i++) {
		char *name = dns_name(a, i);

		is_shared = name != NULL && has_name(b, name);
		free(name);
	}
	return is_shared;
}

/* Of each kind of key the first of the candidates. */
static uint64_t one_of_each_kind(const struct making *making, uint64_t candidates)
{
	uint64_t chosen = 0;

	for (size_t i = 0; i < making->options->pair_count; i++) {
		bool is_first = (candidates >> i & 1) != 0;

		for (size_t j = 0; j < i; j++)
			if ((chosen >> j & 1) && making->all[j].key_type == making->all[i].key_type)
				is_first = false;
		if (is_first)
			chosen |= UINT64_C(1) << i;
	}
	return chosen;
}

static SSL_CTX *ctx_make(struct making *making, uint64_t members)
{
	const struct tls_server_options *options = making->options;
	SSL_CTX *ctx = tls_ctx_create(TLS_server_method());

	if (ctx == NULL) {
		tls_error_set(making->error, NULL, "TLS cannot be set up");
		return NULL;
	}
	if (options->has_tls13_only)
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, making->context);
	SSL_CTX_set_alpn_select_cb(ctx, on_alpn, NULL);
	tls_tickets_use(ctx, making->context);
	bool is_good = tls_clients_use(ctx, options, making->error);

	for (size_t i = 0; i < options->pair_count && is_good; i++)
		if (members >> i & 1)
			is_good = tls_pair_use(ctx, &options->pairs[i], making->error);
	if (is_good)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

/* The SSL_CTX with just these, made if there is none. False with an error. */
static bool ctx_for(struct making *making, uint64_t members, size_t *out_index)
{
	struct tls_context *context = making->context;

	for (size_t i = 0; i < context->ctx_count; i++)
		if (making->members[i] == members) {
			*out_index = i;
			return true;
		}
	if (context->ctx_count == ctx_max(making->options)) {
		tls_error_set(making->error, NULL,
			      "the certificates share their names in too many ways");
		return false;
	}
	SSL_CTX *ctx = ctx_make(making, members);

	if (ctx == NULL)
		return false;
	making->members[context->ctx_count] = members;
	context->ctxs[context->ctx_count] = ctx;
	*out_index = context->ctx_count++;
	return true;
}

/* Takes `text`. */
static bool name_add(struct making *making, char *text)
{
	struct tls_context *context = making->context;
	struct tls_name *names = reallocarray(context->names, context->name_count + 1,
					      sizeof(*names));
	uint64_t members = 0;
	size_t index;

	if (names == NULL) {
		free(text);
		tls_error_set(making->error, NULL, "out of memory");
		return false;
	}
	context->names = names;
	for (size_t i = 0; i < making->options->pair_count; i++)
		if (has_name(&making->all[i], text))
			members |= UINT64_C(1) << i;
	if (!ctx_for(making, one_of_each_kind(making, members), &index)) {
		free(text);
		return false;
	}
	context->names[context->name_count++] = (struct tls_name){text, index};
	return true;
}

static bool names_add(struct making *making, size_t pair)
{
	const struct loaded *loaded = &making->all[pair];

	for (int i = 0; i < sk_GENERAL_NAME_num(loaded->names); i++) {
		char *text = dns_name(loaded, i);
		bool is_known = text == NULL;

		for (size_t j = 0; j < making->context->name_count && !is_known; j++)
			is_known = strcmp(making->context->names[j].text, text) == 0;
		if (is_known)
			free(text);
		else if (!name_add(making, text))
			return false;
	}
	return true;
}

static bool make(struct making *making)
{
	size_t count = making->options->pair_count, index;
	uint64_t members = 1;

	for (size_t i = 0; i < count; i++) {
		if (!loaded_read(&making->all[i], &making->options->pairs[i], making->error))
			return false;
		struct tm ends;

		if (ASN1_TIME_to_tm(X509_get0_notAfter(making->all[i].x509), &ends) == 1)
			making->context->expires_at = MIN(making->context->expires_at,
							  (int64_t)timegm(&ends));
		if (i > 0 && shares_name(&making->all[0], &making->all[i]))
			members |= UINT64_C(1) << i;
	}
	if (!ctx_for(making, one_of_each_kind(making, members), &index))
		return false;
	for (size_t i = 0; i < count; i++)
		if (!names_add(making, i))
			return false;
	if (making->context->name_count > 0)
		qsort(making->context->names, making->context->name_count, sizeof(struct tls_name),
		      name_compare);
	return true;
}

struct tls_context *tls_server_context_create(const struct tls_server_options *options,
					      struct tls_error *out_error)
{
	CHECK(options->pair_count > 0 && options->pair_count <= TLS_PAIRS_MAX);
	struct making making = {
		.options = options,
		.context = tls_context_alloc(ctx_max(options)),
		.all = calloc(options->pair_count, sizeof(struct loaded)),
		.members = calloc(ctx_max(options), sizeof(uint64_t)),
		.error = out_error,
	};
	bool is_good = making.context != NULL && making.all != NULL && making.members != NULL;

	if (!is_good) {
		tls_error_set(out_error, NULL, "out of memory");
	} else {
		if (options->tickets != NULL)
			making.context->tickets = tls_ticket_keys_ref(options->tickets);
		making.context->ticket_cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
		making.context->stays_attached = options->stays_attached;
	}
	if (is_good && !make(&making))
		is_good = false;
	if (making.all != NULL)
		loaded_free(making.all, options->pair_count);
	free(making.members);
	if (!is_good && making.context != NULL)
		tls_context_unref(&making.context);
	return making.context;
}
