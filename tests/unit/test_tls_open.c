/* SPDX-License-Identifier: Apache-2.0
 * test_tls_open.c - a peer that has the keys and breaks the rules. */
#include <stdio.h>

#include "base/bytes.h"
#include "tls_unit.h"

static uint8_t wire[64 * TLS_RECORD_MAX], text[4 * TLS_OPEN_ROOM];

/* What a peer seals its records with, apart from the code under test but for the AEAD. */
struct forger {
	struct tls_crypt *crypt;
	const struct tls_suite *suite;
	uint8_t secret[TLS_SECRET_MAX];
	uint8_t key[TLS_KEY_MAX];
	uint8_t iv[TLS_IV_LEN];
	uint64_t sequence;
};

static void forger_key(struct forger *forger)
{
	assert_true(tls_crypt_expand(forger->crypt, forger->suite, forger->secret, "key",
				     forger->key, forger->suite->key_len));
	assert_true(tls_crypt_expand(forger->crypt, forger->suite, forger->secret, "iv", forger->iv,
				     TLS_IV_LEN));
	forger->sequence = 0;
}

/* The client's secrets of tls_unit.h's pair if it forges for a server, else the server's. */
static void forger_init(struct forger *forger, struct pair *pair, const struct tls_suite *suite,
			bool is_client)
{
	*forger = (struct forger){
		.crypt = pair->crypt, .suite = suite, .sequence = suite->is_tls13 ? 0 : 1};
	uint8_t secrets[3 * 48], seed[13 + 64], block[2 * (32 + 4)];

	for (size_t i = 0; i < sizeof(secrets); i++)
		secrets[i] = (uint8_t)(i * 7 + suite->id);
	if (suite->is_tls13) {
		memcpy(forger->secret, secrets + (is_client ? 0 : 48), suite->secret_len);
		forger_key(forger);
		return;
	}
	assert_true(suite->has_explicit_nonce);
	memcpy(seed, "key expansion", 13);
	memcpy(seed + 13, secrets + 96, 32);
	memcpy(seed + 45, secrets + 48, 32);
	assert_true(tls_crypt_prf(pair->crypt, suite, slice_of(secrets, 48),
				  slice_of(seed, sizeof(seed)), block,
				  2 * ((size_t)suite->key_len + 4)));
	memcpy(forger->key, block + (is_client ? 0 : suite->key_len), suite->key_len);
	memcpy(forger->iv, block + 2 * suite->key_len + (is_client ? 0 : 4), 4);
}

/* A record with this content, and in TLS 1.3 with so many zeros behind it. Returns its length. */
static size_t forge(struct forger *forger, uint8_t content, struct slice body, size_t padding,
		    uint8_t *out)
{
	bool is_tls13 = forger->suite->is_tls13;
	static uint8_t inner[2 * TLS_RECORD_MAX];
	uint8_t associated[13];
	size_t len = body.len;

	memcpy(inner, body.data, body.len);
	if (is_tls13) {
		inner[len++] = content;
		memset(inner + len, 0, padding);
		len += padding;
	}
	out[0] = is_tls13 ? 23 : content;
	be_write(out + 1, 2, 0x0303);
	be_write(out + 3, 2, len + 16 + (is_tls13 ? 0 : 8));
	struct tls_seal seal = {
		.suite = forger->suite, .key = forger->key, .associated = {associated, 13}};

	memcpy(seal.nonce, forger->iv, TLS_IV_LEN);
	if (is_tls13) {
		memcpy(associated, out, 5);
		seal.associated.len = 5;
		be_write(seal.nonce + 4, 8, be_read(seal.nonce + 4, 8) ^ forger->sequence);
	} else {
		be_write(associated, 8, forger->sequence);
		memcpy(associated + 8, out, 3);
		be_write(associated + 11, 2, len);
		be_write(seal.nonce + 4, 8, 1000 + forger->sequence);
		memcpy(out + 5, seal.nonce + 4, 8);
	}
	forger->sequence++;
	size_t at = is_tls13 ? 5 : 13;

	struct slice piece = slice_of(inner, len);

	assert_true(tls_crypt_seal(forger->crypt, &seal, true, &(struct tls_text){.pieces = &piece},
				   len, -1, out + at));
	return at + len + TLS_TAG_LEN;
}

struct piece {
	uint8_t content; /* 0: no more */
	const char *hex;
	size_t count; /* of such records; 0: one */
	size_t padding;
};

#define SERVER true
#define CLIENT false

static const struct {
	const char *name;
	uint16_t suite;
	bool is_server; /* who opens */
	struct piece pieces[4];
	enum tls_opening want;
	uint8_t alert;
	size_t len;
} rows[] = {
	{"padding", 0x1301, SERVER, {{23, "6869", 0, 300}}, TLS_OPENED, 0, 2},
	{"nothing but padding", 0x1301, SERVER, {{0x00, "0000", 1, 40}}, TLS_BROKEN, 10, 0},
	{"empty data", 0x1301, SERVER, {{23, "", 32, 0}}, TLS_OPENED, 0, 0},
	{"too many empty ones", 0x1301, SERVER, {{23, "", 33, 0}}, TLS_BROKEN, 10, 0},
	{"empty ones between others",
	 0x1302,
	 SERVER,
	 {{23, "", 32}, {23, "61"}, {23, "", 32}},
	 TLS_OPENED,
	 0,
	 1},
	{"empty handshake", 0x1303, SERVER, {{22, ""}}, TLS_BROKEN, 10, 0},
	{"empty alert", 0x1303, SERVER, {{21, ""}}, TLS_BROKEN, 50, 0},
	{"two alerts in one", 0x1301, SERVER, {{21, "01000100"}}, TLS_BROKEN, 50, 0},
	{"change_cipher_spec", 0x1301, SERVER, {{20, "01"}}, TLS_BROKEN, 10, 0},
	{"unknown content", 0x1301, SERVER, {{24, "0000"}}, TLS_BROKEN, 10, 0},
	{"user_canceled, then close_notify",
	 0x1301,
	 SERVER,
	 {{21, "015a"}, {21, "0100"}},
	 TLS_CLOSED,
	 0,
	 0},
	{"too many warnings", 0x1301, SERVER, {{21, "015a", 33}}, TLS_BROKEN, 10, 0},
	{"a fatal one that calls itself a warning",
	 0x1301,
	 SERVER,
	 {{21, "0114"}},
	 TLS_ALERTED,
	 20,
	 0},
	{"an alert unknown to us", 0x1301, SERVER, {{21, "02ff"}}, TLS_ALERTED, 255, 0},
	{"data behind close_notify",
	 0x1301,
	 SERVER,
	 {{23, "61"}, {21, "0100"}, {23, "62"}},
	 TLS_CLOSED,
	 0,
	 1},
	{"client_hello anew", 0x1301, SERVER, {{22, "010000020303"}}, TLS_BROKEN, 10, 0},
	{"a ticket from a client", 0x1301, SERVER, {{22, "040000020303"}}, TLS_BROKEN, 10, 0},
	{"finished anew", 0x1301, SERVER, {{22, "1400000101"}}, TLS_BROKEN, 10, 0},
	{"key_update of two bytes", 0x1301, SERVER, {{22, "180000020000"}}, TLS_BROKEN, 10, 0},
	{"key_update of none", 0x1301, SERVER, {{22, "18000000"}}, TLS_BROKEN, 10, 0},
	{"key_update that asks for what is not",
	 0x1301,
	 SERVER,
	 {{22, "1800000102"}},
	 TLS_BROKEN,
	 47,
	 0},
	{"key_update with more behind it",
	 0x1301,
	 SERVER,
	 {{22, "180000010018"}},
	 TLS_BROKEN,
	 10,
	 0},
	{"data inside a message", 0x1301, SERVER, {{22, "1800"}, {23, "61"}}, TLS_BROKEN, 10, 0},
	{"an alert inside a message",
	 0x1301,
	 SERVER,
	 {{22, "18000001"}, {21, "0100"}},
	 TLS_BROKEN,
	 10,
	 0},
	{"a ticket", 0x1301, CLIENT, {{22, "0400000401020304"}, {23, "61"}}, TLS_OPENED, 0, 1},
	{"a ticket in pieces",
	 0x1301,
	 CLIENT,
	 {{22, "04"}, {22, "000004010203"}, {22, "04"}, {23, "61"}},
	 TLS_OPENED,
	 0,
	 1},
	{"two tickets in one",
	 0x1301,
	 CLIENT,
	 {{22, "04000001010400000102"}, {23, "6161"}},
	 TLS_OPENED,
	 0,
	 2},
	{"an endless ticket", 0x1301, CLIENT, {{22, "04ffffff00"}}, TLS_BROKEN, 10, 0},
	{"too many tickets", 0x1301, CLIENT, {{22, "0400000101", 33}}, TLS_BROKEN, 10, 0},
	{"too many tickets in one",
	 0x1301,
	 CLIENT,
	 {{22, "04000001010400000101", 17}},
	 TLS_BROKEN,
	 10,
	 0},
	{"an empty ticket", 0x1301, CLIENT, {{22, "04000000"}, {23, "61"}}, TLS_OPENED, 0, 1},
	{"1.2: client_hello anew", 0xc02b, SERVER, {{22, "010000020303"}}, TLS_BROKEN, 100, 0},
	{"1.2: hello_request", 0xc02b, CLIENT, {{22, "00000000"}, {23, "61"}}, TLS_OPENED, 0, 1},
	{"1.2: hello_request without end",
	 0xc02b,
	 CLIENT,
	 {{22, "00000000", 33}},
	 TLS_BROKEN,
	 10,
	 0},
	{"1.2: hello_request of a client", 0xc02b, SERVER, {{22, "00000000"}}, TLS_BROKEN, 100, 0},
	{"1.2: key_update", 0xc02b, SERVER, {{22, "1800000100"}}, TLS_BROKEN, 100, 0},
	{"1.2: change_cipher_spec", 0xc02b, SERVER, {{20, "01"}}, TLS_BROKEN, 10, 0},
	{"1.2: no_renegotiation is a warning",
	 0xc02f,
	 SERVER,
	 {{21, "0164"}, {23, "61"}},
	 TLS_OPENED,
	 0,
	 1},
	{"1.2: a fatal alert", 0xc02f, SERVER, {{21, "0228"}}, TLS_ALERTED, 40, 0},
	{"1.2: too many warnings", 0x009d, SERVER, {{21, "0164", 33}}, TLS_BROKEN, 10, 0},
	{"1.2: empty data", 0x009c, SERVER, {{23, "", 32}, {23, "61"}}, TLS_OPENED, 0, 1},
	{"1.2: close_notify", 0xc030, SERVER, {{23, "61"}, {21, "0100"}}, TLS_CLOSED, 0, 1},
};

static size_t pieces_forge(struct forger *forger, const struct piece *pieces)
{
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows[0].pieces); i++) {
		struct bytes body = bytes_of_hex(pieces[i].hex == NULL ? "" : pieces[i].hex);
		bool is_there = pieces[i].content != 0 || pieces[i].hex != NULL;

		for (size_t j = 0; is_there && j < MAX(pieces[i].count, (size_t)1); j++)
			len += forge(forger, pieces[i].content, slice_of(body.data, body.len),
				     pieces[i].padding, wire + len);
	}
	return len;
}

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_suite *suite = tls_suite_find(rows[i].suite);
		struct forger forger;
		struct pair pair;
		struct tls_opened opened;

		pair_init(&pair, suite);
		forger_init(&forger, &pair, suite, rows[i].is_server);
		size_t len = pieces_forge(&forger, rows[i].pieces);
		enum tls_opening r = tls_open(rows[i].is_server ? pair.server : pair.client,
					      pair.crypt, slice_of(wire, len), text, sizeof(text),
					      &opened);

		ASSERT_ROW(r == rows[i].want, rows[i].name);
		ASSERT_ROW(opened.alert == rows[i].alert, rows[i].name);
		ASSERT_ROW(opened.len == rows[i].len, rows[i].name);
		pair_finish(&pair);
	}
}

/* --- sizes --- */

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint16_t suite;
		size_t len, padding;
		enum tls_opening want;
	} sizes[] = {
		{"largest", 0x1301, 16384, 0, TLS_OPENED},
		{"one more", 0x1301, 16385, 0, TLS_BROKEN},
		{"largest with its padding", 0x1301, 16000, 384, TLS_OPENED},
		{"padding over it", 0x1301, 16000, 385, TLS_BROKEN},
		{"more than a record may have", 0x1301, 16384, 241, TLS_BROKEN},
		{"1.2: largest", 0xc02b, 16384, 0, TLS_OPENED},
		{"1.2: one more", 0xc02b, 16385, 0, TLS_BROKEN},
	};
	static uint8_t body[2 * TLS_RECORD_TEXT];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		const struct tls_suite *suite = tls_suite_find(sizes[i].suite);
		struct forger forger;
		struct pair pair;
		struct tls_opened opened;

		pair_init(&pair, suite);
		forger_init(&forger, &pair, suite, true);
		size_t len = forge(&forger, 23, slice_of(body, sizes[i].len), sizes[i].padding,
				   wire);
		enum tls_opening r = tls_open(pair.server, pair.crypt, slice_of(wire, len), text,
					      TLS_OPEN_ROOM, &opened);

		ASSERT_ROW(r == sizes[i].want, sizes[i].name);
		if (r == TLS_OPENED)
			ASSERT_ROW(opened.len == sizes[i].len, sizes[i].name);
		else
			ASSERT_ROW(opened.alert == TLS_ALERT_RECORD_OVERFLOW, sizes[i].name);
		pair_finish(&pair);
	}
}

/* A head alone is enough to refuse a record that would be too long, or is none. */
static void test_heads(void **state)
{
	(void)state;
	static const struct {
		const char *name, *hex;
		uint16_t suite;
		uint8_t alert;
	} heads[] = {
		{"too long", "1703034101", 0x1301, TLS_ALERT_RECORD_OVERFLOW},
		{"plain alert", "1503030002", 0x1301, TLS_ALERT_UNEXPECTED_MESSAGE},
		{"http", "474554202f", 0x1301, TLS_ALERT_UNEXPECTED_MESSAGE},
		{"too short for a tag",
		 "170303000f"
		 "000000000000000000000000000000",
		 0x1301, TLS_ALERT_BAD_RECORD_MAC},
		{"empty", "1703030000", 0x1301, TLS_ALERT_BAD_RECORD_MAC},
		{"1.2: too long", "1703034019", 0xc02b, TLS_ALERT_RECORD_OVERFLOW},
		{"1.2: another version", "1703010020", 0xc02b, TLS_ALERT_PROTOCOL_VERSION},
	};

	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct bytes in = bytes_of_hex(heads[i].hex);
		struct pair pair;
		struct tls_opened opened;

		pair_init(&pair, tls_suite_find(heads[i].suite));
		ASSERT_ROW(tls_open(pair.server, pair.crypt, slice_of(in.data, in.len), text,
				    sizeof(text), &opened) == TLS_BROKEN,
			   heads[i].name);
		ASSERT_ROW(opened.alert == heads[i].alert, heads[i].name);
		pair_finish(&pair);
	}
}

/* With room for one record, they come one by one. */
static void test_little_room(void **state)
{
	(void)state;
	static uint8_t body[TLS_RECORD_TEXT];
	struct pair pair;
	struct tls_opened opened;
	size_t len = 0, at = 0, count = 0;

	pair_init(&pair, tls_suite_find(0x1303));
	for (int i = 0; i < 3; i++) {
		size_t one;

		assert_int_equal(tls_seal(pair.client, pair.crypt, slice_of(body, sizeof(body)),
					  wire + len, &one),
				 0);
		len += one;
	}
	for (; at < len; at += opened.used, count++) {
		assert_int_equal(tls_open(pair.server, pair.crypt, slice_of(wire + at, len - at),
					  text, TLS_OPEN_ROOM, &opened),
				 TLS_OPENED);
		assert_int_equal(opened.len, TLS_RECORD_TEXT);
	}
	assert_int_equal(count, 3);
	pair_finish(&pair);
}

/* --- KeyUpdate --- */

static void forger_update(struct forger *forger)
{
	uint8_t next[TLS_SECRET_MAX];

	assert_true(tls_crypt_expand(forger->crypt, forger->suite, forger->secret, "traffic upd",
				     next, forger->suite->secret_len));
	memcpy(forger->secret, next, forger->suite->secret_len);
	forger_key(forger);
}

/* Each under the key that the one before made; the answer waits for our own next data, however many
 * ask. */
static void test_key_updates(void **state)
{
	(void)state;
	static const uint16_t ids[] = {0x1301, 0x1302, 0x1303};
	static const uint8_t asking[] = {24, 0, 0, 1, 1};

	for (size_t i = 0; i < ARRAY_LEN(ids); i++) {
		const struct tls_suite *suite = tls_suite_find(ids[i]);
		struct forger forger;
		struct pair pair;
		struct tls_opened opened;
		size_t len = 0;

		pair_init(&pair, suite);
		forger_init(&forger, &pair, suite, true);
		for (int j = 0; j < 20; j++) {
			len += forge(&forger, 22, slice_of(asking, 3), 0,
				     wire + len); /* in two pieces */
			len += forge(&forger, 22, slice_of(asking + 3, 2), 0, wire + len);
			forger_update(&forger);
			len += forge(&forger, 23, SLICE_LITERAL("x"), 0, wire + len);
		}
		assert_int_equal(tls_open(pair.server, pair.crypt, slice_of(wire, len), text,
					  sizeof(text), &opened),
				 TLS_OPENED);
		assert_int_equal(opened.len, 20);
		/* One KeyUpdate and the data, which the client follows. */
		assert_int_equal(
			tls_seal(pair.server, pair.crypt, SLICE_LITERAL("yes"), wire, &len), 0);
		assert_int_equal(len, 27 + 25);
		assert_int_equal(tls_open(pair.client, pair.crypt, slice_of(wire, len), text,
					  sizeof(text), &opened),
				 TLS_OPENED);
		assert_int_equal(opened.len, 3);
		assert_int_equal(
			tls_seal(pair.server, pair.crypt, SLICE_LITERAL("yes"), wire, &len), 0);
		assert_int_equal(len, 25);
		assert_int_equal(tls_open(pair.client, pair.crypt, slice_of(wire, len), text,
					  sizeof(text), &opened),
				 TLS_OPENED);
		pair_finish(&pair);
	}
}

static void test_key_update_flood(void **state)
{
	(void)state;
	static const uint8_t update[] = {24, 0, 0, 1, 0};
	struct forger forger;
	struct pair pair;
	struct tls_opened opened;
	size_t len = 0;

	pair_init(&pair, tls_suite_find(0x1301));
	forger_init(&forger, &pair, tls_suite_find(0x1301), true);
	for (int i = 0; i < 33; i++) {
		len += forge(&forger, 22, slice_of(update, sizeof(update)), 0, wire + len);
		forger_update(&forger);
	}
	assert_int_equal(
		tls_open(pair.server, pair.crypt, slice_of(wire, len), text, sizeof(text), &opened),
		TLS_BROKEN);
	assert_int_equal(opened.alert, TLS_ALERT_UNEXPECTED_MESSAGE);
	pair_finish(&pair);
}

/* Data under the old key behind a KeyUpdate is no data. */
static void test_old_key(void **state)
{
	(void)state;
	static const uint8_t update[] = {24, 0, 0, 1, 0};
	struct forger forger;
	struct pair pair;
	struct tls_opened opened;

	pair_init(&pair, tls_suite_find(0x1301));
	forger_init(&forger, &pair, tls_suite_find(0x1301), true);
	size_t len = forge(&forger, 22, slice_of(update, sizeof(update)), 0, wire);

	len += forge(&forger, 23, SLICE_LITERAL("old"), 0, wire + len);
	assert_int_equal(
		tls_open(pair.server, pair.crypt, slice_of(wire, len), text, sizeof(text), &opened),
		TLS_BROKEN);
	assert_int_equal(opened.alert, TLS_ALERT_BAD_RECORD_MAC);
	assert_int_equal(opened.len, 0);
	pair_finish(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),       cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_heads),       cmocka_unit_test(test_little_room),
		cmocka_unit_test(test_key_updates), cmocka_unit_test(test_key_update_flood),
		cmocka_unit_test(test_old_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
