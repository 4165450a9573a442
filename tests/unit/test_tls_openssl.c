/* SPDX-License-Identifier: Apache-2.0
 * test_tls_openssl.c - our records against OpenSSL's own. */
#include "tls_openssl_unit.h"

static uint8_t wire[8 * TLS_RECORD_MAX];

struct talk {
	const char *name;
	struct tls_crypt *crypt;
	struct tls_records *ours;
	SSL *theirs;
};

static void say(const struct talk *talk, size_t len)
{
	static uint8_t plain[3 * TLS_RECORD_TEXT], got[3 * TLS_RECORD_TEXT];
	size_t sealed_len, total = 0;

	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 13 + len);
	ASSERT_ROW(tls_seal(talk->ours, talk->crypt, slice_of(plain, len), wire, &sealed_len) == 0,
		   talk->name);
	BIO_write(SSL_get_rbio(talk->theirs), wire, (int)sealed_len);
	while (total < len) {
		int n = SSL_read(talk->theirs, got + total, (int)(sizeof(got) - total));

		ASSERT_ROW(n > 0, talk->name);
		total += (size_t)n;
	}
	ASSERT_ROW(total == len && memcmp(plain, got, len) == 0, talk->name);
}

/* What OpenSSL has written goes to us. */
static enum tls_opening hear(const struct talk *talk, struct tls_opened *opened)
{
	uint8_t *data;
	long len = BIO_get_mem_data(SSL_get_wbio(talk->theirs), &data);
	enum tls_opening r = tls_open(talk->ours, talk->crypt, slice_of(data, (size_t)len), text,
				      sizeof(text), opened);

	ASSERT_ROW(opened->used == (size_t)len, talk->name);
	(void)BIO_reset(SSL_get_wbio(talk->theirs));
	return r;
}

static void listen_to(const struct talk *talk, size_t len)
{
	static uint8_t plain[3 * TLS_RECORD_TEXT];
	struct tls_opened opened;

	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 17 + len);
	ASSERT_ROW(SSL_write(talk->theirs, plain, (int)len) == (int)len, talk->name);
	ASSERT_ROW(hear(talk, &opened) == TLS_OPENED, talk->name);
	ASSERT_ROW(opened.len == len && memcmp(text, plain, len) == 0, talk->name);
}

static void key_updates(const struct talk *talk)
{
	struct tls_opened opened;

	/* It asks: we follow, and answer with our next data, which it follows. */
	for (int i = 0; i < 3; i++) {
		ASSERT_ROW(SSL_key_update(talk->theirs, SSL_KEY_UPDATE_REQUESTED) == 1, talk->name);
		ASSERT_ROW(SSL_do_handshake(talk->theirs) == 1, talk->name);
		ASSERT_ROW(hear(talk, &opened) == TLS_OPENED && opened.len == 0, talk->name);
		listen_to(talk, 10);
		say(talk, 20);
	}
	ASSERT_ROW(SSL_key_update(talk->theirs, SSL_KEY_UPDATE_NOT_REQUESTED) == 1, talk->name);
	listen_to(talk, 10);
	say(talk, 20);
}

static void conversation(const struct talk *talk, bool is_tls13)
{
	static const size_t lens[] = {1, 100, 16384, 40000};
	struct tls_opened opened;
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		say(talk, lens[i]);
		listen_to(talk, lens[i]);
	}
	if (is_tls13)
		key_updates(talk);
	ASSERT_ROW(tls_seal_alert(talk->ours, talk->crypt, TLS_ALERT_CLOSE_NOTIFY, wire, &len) == 0,
		   talk->name);
	BIO_write(SSL_get_rbio(talk->theirs), wire, (int)len);
	ASSERT_ROW(SSL_read(talk->theirs, text, sizeof(text)) == 0, talk->name);
	ASSERT_ROW(SSL_get_error(talk->theirs, 0) == SSL_ERROR_ZERO_RETURN, talk->name);
	SSL_shutdown(talk->theirs);
	ASSERT_ROW(hear(talk, &opened) == TLS_CLOSED, talk->name);
}

static void one(size_t row, bool is_server_ours)
{
	SSL_CTX *client_ctx = context_make(row, false), *server_ctx = context_make(row, true);
	struct end client, server;
	const char *name = suites[row].name;

	end_init(&client, client_ctx, false);
	end_init(&server, server_ctx, true);
	shake_hands(&client, &server, name);
	ASSERT_ROW(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(server.ssl)) == suites[row].id,
		   name);
	struct tls_crypt *crypt = tls_crypt_create();
	const struct end *ours = is_server_ours ? &server : &client,
			 *theirs = is_server_ours ? &client : &server;
	struct talk talk = {name, crypt, take_over(crypt, ours, theirs), theirs->ssl};

	ASSERT_ROW(talk.ours != NULL, name);
	conversation(&talk, suites[row].is_tls13);
	tls_records_destroy(&talk.ours);
	tls_crypt_destroy(&crypt);
	SSL_free(client.ssl);
	SSL_free(server.ssl);
	SSL_CTX_free(client_ctx);
	SSL_CTX_free(server_ctx);
}

static void test_server_is_ours(void **state)
{
	(void)state;
	for (size_t row = 0; row < ARRAY_LEN(suites); row++)
		one(row, true);
}

static void test_client_is_ours(void **state)
{
	(void)state;
	for (size_t row = 0; row < ARRAY_LEN(suites); row++)
		one(row, false);
}

/* Each has a counter of its own, under the name that OpenSSL has for it. */
static void test_labels_are_of_iana(void **state)
{
	(void)state;
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl = SSL_new(ctx);
	bool is_taken[TLS_SUITE_PLACES] = {false};

	assert_int_equal(ARRAY_LEN(suites), TLS_SUITE_COUNT);
	for (size_t row = 0; row < ARRAY_LEN(suites); row++) {
		const uint8_t id[2] = {(uint8_t)(suites[row].id >> 8), (uint8_t)suites[row].id};
		const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, id);
		size_t place = tls_suite_place(suites[row].id);

		ASSERT_ROW(cipher != NULL, suites[row].name);
		ASSERT_ROW(place < TLS_SUITE_COUNT && !is_taken[place], suites[row].name);
		ASSERT_ROW(strcmp(tls_suite_label(place), SSL_CIPHER_standard_name(cipher)) == 0,
			   suites[row].name);
		is_taken[place] = true;
	}
	assert_int_equal(tls_suite_place(0x002f), TLS_SUITE_COUNT); /* CBC */
	assert_string_equal(tls_suite_label(TLS_SUITE_COUNT), "other");
	SSL_free(ssl);
	SSL_CTX_free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_is_ours),
		cmocka_unit_test(test_client_is_ours),
		cmocka_unit_test(test_labels_are_of_iana),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
