/* SPDX-License-Identifier: Apache-2.0
 * tls_openssl_unit.h - OpenSSL shakes hands with itself, then one of its ends is replaced by
 * records of ours. */
#pragma once

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tls_unit.h"

static const struct {
	const char *name;
	uint16_t id;
	bool is_tls13;
	bool has_rsa;
} suites[] = {
	{"TLS_AES_128_GCM_SHA256", 0x1301, true, false},
	{"TLS_AES_256_GCM_SHA384", 0x1302, true, true},
	{"TLS_CHACHA20_POLY1305_SHA256", 0x1303, true, false},
	{"AES128-GCM-SHA256", 0x009c, false, true},
	{"AES256-GCM-SHA384", 0x009d, false, true},
	{"DHE-RSA-AES128-GCM-SHA256", 0x009e, false, true},
	{"DHE-RSA-AES256-GCM-SHA384", 0x009f, false, true},
	{"ECDHE-ECDSA-AES128-GCM-SHA256", 0xc02b, false, false},
	{"ECDHE-ECDSA-AES256-GCM-SHA384", 0xc02c, false, false},
	{"ECDHE-RSA-AES128-GCM-SHA256", 0xc02f, false, true},
	{"ECDHE-RSA-AES256-GCM-SHA384", 0xc030, false, true},
	{"ECDHE-RSA-CHACHA20-POLY1305", 0xcca8, false, true},
	{"ECDHE-ECDSA-CHACHA20-POLY1305", 0xcca9, false, false},
	{"DHE-RSA-CHACHA20-POLY1305", 0xccaa, false, true},
};

static uint8_t text[8 * TLS_OPEN_ROOM];

/* --- OpenSSL's two ends --- */

struct secrets {
	uint8_t client[TLS_SECRET_MAX];
	uint8_t server[TLS_SECRET_MAX];
};

/* One side of the handshake, and what it has put on the wire last. */
struct end {
	SSL *ssl;
	bool is_server;
	uint64_t finished_nonce; /* of TLS 1.2 */
	size_t record_count;     /* sealed ones of TLS 1.3 that came behind its Finished: tickets */
	struct secrets secrets;
};

static inline EVP_PKEY *key_make(bool is_rsa)
{
	EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

	assert_non_null(key);
	return key;
}

static inline void certificate_use(SSL_CTX *ctx, bool is_rsa)
{
	EVP_PKEY *key = key_make(is_rsa);
	X509 *x509 = X509_new();

	X509_set_version(x509, 2);
	X509_gmtime_adj(X509_getm_notBefore(x509), 0);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	X509_set_pubkey(x509, key);
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x509), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	X509_free(x509);
	EVP_PKEY_free(key);
}

static inline void on_keylog(const SSL *ssl, const char *line)
{
	struct end *end = SSL_get_app_data(ssl);
	const char *hex = strrchr(line, ' ') + 1;
	struct bytes bytes = bytes_of_hex(hex);

	if (strncmp(line, "CLIENT_TRAFFIC_SECRET_0 ", 24) == 0)
		memcpy(end->secrets.client, bytes.data, bytes.len);
	if (strncmp(line, "SERVER_TRAFFIC_SECRET_0 ", 24) == 0)
		memcpy(end->secrets.server, bytes.data, bytes.len);
}

static inline SSL_CTX *context_make(size_t row, bool is_server)
{
	SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	int version = suites[row].is_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_dh_auto(ctx, 1);
	SSL_CTX_set_keylog_callback(ctx, on_keylog);
	assert_int_equal(suites[row].is_tls13 ? SSL_CTX_set_ciphersuites(ctx, suites[row].name)
					      : SSL_CTX_set_cipher_list(ctx, suites[row].name),
			 1);
	if (is_server)
		certificate_use(ctx, suites[row].has_rsa);
	return ctx;
}

static inline void end_init(struct end *end, SSL_CTX *ctx, bool is_server)
{
	*end = (struct end){.ssl = SSL_new(ctx), .is_server = is_server};
	SSL_set_app_data(end->ssl, end);
	SSL_set_bio(end->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (is_server)
		SSL_set_accept_state(end->ssl);
	else
		SSL_set_connect_state(end->ssl);
}

/* Reads off what has to be known of the records that `from` makes. */
static inline void records_look(struct end *from, const uint8_t *data, size_t len, bool was_done)
{
	for (size_t at = 0; at + TLS_RECORD_HEAD <= len;
	     at += TLS_RECORD_HEAD + be_read(data + at + 3, 2)) {
		if (data[at] == 22 && at > 0 &&
		    data[at - 6] == 20) /* behind change_cipher_spec: Finished */
			from->finished_nonce = be_read(data + at + TLS_RECORD_HEAD, 8);
		if (data[at] == 23 && was_done)
			from->record_count++;
	}
}

static inline bool carry(struct end *from, struct end *to)
{
	uint8_t *data;
	/* A server of TLS 1.3 makes its tickets when it has had the client's Finished. */
	bool was_done = from->is_server && SSL_is_init_finished(from->ssl);
	long len = BIO_get_mem_data(SSL_get_wbio(from->ssl), &data);

	if (len <= 0)
		return false;
	records_look(from, data, (size_t)len, was_done);
	BIO_write(SSL_get_rbio(to->ssl), data, (int)len);
	(void)BIO_reset(SSL_get_wbio(from->ssl));
	return true;
}

static inline void shake_hands(struct end *client, struct end *server, const char *name)
{
	for (int i = 0; i < 20; i++) {
		SSL_do_handshake(client->ssl);
		bool is_moving = carry(client, server);

		SSL_do_handshake(server->ssl);
		if (!carry(server, client) && !is_moving)
			break;
	}
	ASSERT_ROW(SSL_is_init_finished(client->ssl) && SSL_is_init_finished(server->ssl), name);
	/* The tickets are not for whoever takes over. */
	if (client->record_count + server->record_count > 0)
		ASSERT_ROW(SSL_read(client->ssl, text, sizeof(text)) <= 0, name);
}

/* --- one of ours in place of `end` --- */

static inline struct tls_records *take_over(struct tls_crypt *crypt, const struct end *end,
					    const struct end *other)
{
	uint8_t master[TLS_MASTER_LEN], client_random[TLS_RANDOM_LEN],
		server_random[TLS_RANDOM_LEN];
	const struct tls_suite *suite = tls_suite_find(
		SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(end->ssl)));

	SSL_SESSION_get_master_key(SSL_get_session(end->ssl), master, sizeof(master));
	SSL_get_client_random(end->ssl, client_random, sizeof(client_random));
	SSL_get_server_random(end->ssl, server_random, sizeof(server_random));
	return tls_records_create(crypt,
				  &(struct tls_agreed){
					  .suite = suite,
					  .is_server = end->is_server,
					  .client_secret = end->secrets.client,
					  .server_secret = end->secrets.server,
					  .master = master,
					  .client_random = client_random,
					  .server_random = server_random,
					  .explicit_nonce = end->finished_nonce,
					  .sealed_count = suite->is_tls13 ? end->record_count : 1,
					  .opened_count = suite->is_tls13 ? other->record_count : 1,
				  });
}
