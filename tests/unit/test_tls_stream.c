/* SPDX-License-Identifier: Apache-2.0
 * test_tls_stream.c - two streams of ours, each with OpenSSL or detached, over a wire that cuts
 * anywhere. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#include "tls/tls_context_private.h"
#include "base/bytes.h"
#include "tls/tls_records_private.h"
#include "tls/tls_stream_private.h"
#include "tls/tls_ticket_keys.h"
#include "unit.h"

/* --- certificates, in files of their own --- */

static char directory[] = "/tmp/gatehouse-tls-XXXXXX";

struct files {
	char cert[128];
	char key[128];
};

enum file { FILE_EC, FILE_RSA, FILE_OTHER_EC, FILE_CLIENT, FILE_ENDED, FILE_COUNT };
static struct files files[FILE_COUNT];

/* From three hours before its end. */
static X509 *certificate_make(EVP_PKEY *key, const char *cn, const char *names, long ends_in_s)
{
	X509 *x509 = X509_new();

	X509_set_version(x509, 2);
	X509_gmtime_adj(X509_getm_notBefore(x509), ends_in_s - 3 * 3600);
	X509_gmtime_adj(X509_getm_notAfter(x509), ends_in_s);
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

static void files_make(enum file file, const char *cn, const char *names, bool is_rsa)
{
	EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *x509 = certificate_make(key, cn, names, file == FILE_ENDED ? -3600 : 3600);

	snprintf(files[file].cert, sizeof(files[file].cert), "%s/%d.pem", directory, file);
	snprintf(files[file].key, sizeof(files[file].key), "%s/%d.key", directory, file);
	FILE *out = fopen(files[file].cert, "w");

	assert_int_equal(PEM_write_X509(out, x509), 1);
	fclose(out);
	out = fopen(files[file].key, "w");
	assert_int_equal(PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(out);
	X509_free(x509);
	EVP_PKEY_free(key);
}

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	files_make(FILE_EC, "one", "DNS:one.example,DNS:*.wild.example,IP:127.0.0.1", false);
	files_make(FILE_RSA, "one", "DNS:one.example", true);
	files_make(FILE_OTHER_EC, "two", "DNS:two.example,DNS:exact.wild.example", false);
	files_make(FILE_CLIENT, "charger-7", NULL, false);
	files_make(FILE_ENDED, "charger-8", NULL, false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < FILE_COUNT; i++) {
		unlink(files[i].cert);
		unlink(files[i].key);
	}
	return rmdir(directory);
}

/* --- two ends --- */

struct end {
	struct tls_stream *stream;
	struct buf sent; /* on the wire to the other */
	struct buf text; /* what came out */
	enum tls_stream_result last;
	bool is_ready;
};

struct two {
	struct tls_context *server_context;
	struct tls_context *client_context;
	struct tls_crypt *crypt;
	struct end server;
	struct end client;
	size_t cut; /* [bytes] that the wire carries at a time; 0: all */
};

static struct tls_context *server_context(const struct tls_server_options *options)
{
	struct tls_error error = {.text = ""};
	struct tls_context *context = tls_server_context_create(options, &error);

	if (context == NULL)
		fail_msg("%s", error.text);
	return context;
}

static struct tls_context *client_context(const struct tls_client_options *options)
{
	struct tls_error error = {.text = ""};
	struct tls_context *context = tls_client_context_create(options, &error);

	if (context == NULL)
		fail_msg("%s", error.text);
	return context;
}

static void two_open(struct two *two, const char *name)
{
	two->crypt = tls_crypt_create();
	two->server.stream = tls_stream_accept(two->server_context);
	two->client.stream = tls_stream_connect(two->client_context, name);
	assert_non_null(two->server.stream);
	assert_non_null(two->client.stream);
}

static void end_finish(struct end *end)
{
	tls_stream_destroy(&end->stream);
	buf_finish(&end->sent);
	buf_finish(&end->text);
	*end = (struct end){0};
}

/* The contexts stay. */
static void two_close(struct two *two)
{
	end_finish(&two->server);
	end_finish(&two->client);
	tls_crypt_destroy(&two->crypt);
}

static void contexts_free(struct two *two)
{
	tls_context_unref(&two->server_context);
	tls_context_unref(&two->client_context);
}

static void recv_piece(struct two *two, struct end *to, struct slice piece)
{
	static uint8_t out[2 * TLS_OPEN_ROOM];
	size_t used, len;

	do {
		uint8_t *copy = malloc(piece.len + 1); /* exact, for the sanitizer */

		if (piece.len > 0)
			memcpy(copy, piece.data, piece.len);
		to->last = tls_stream_recv(to->stream, two->crypt, slice_of(copy, piece.len), &used,
					   out, sizeof(out), &len, &to->sent);
		free(copy);
		if (to->last == TLS_STREAM_READY)
			to->is_ready = true;
		assert_int_equal(buf_append(&to->text, out, len, SIZE_MAX), 0);
		CHECK(used <= piece.len);
		piece = slice_behind(piece, used);
	} while (piece.len > 0 && (to->last == TLS_STREAM_OK || to->last == TLS_STREAM_READY));
}

/* What `from` has sent arrives. False: nothing was on the wire. */
static bool carry(struct two *two, struct end *from, struct end *to)
{
	struct buf wire = from->sent;
	size_t cut = two->cut == 0 ? wire.len : two->cut;

	from->sent = (struct buf){0};
	for (size_t at = 0;
	     at < wire.len && (to->last == TLS_STREAM_OK || to->last == TLS_STREAM_READY);
	     at += cut)
		recv_piece(two, to, slice_of(wire.data + at, MIN(cut, wire.len - at)));
	buf_finish(&wire);
	return cut > 0;
}

static void shake_hands(struct two *two)
{
	recv_piece(two, &two->client, (struct slice){0});
	for (int i = 0; i < 20; i++) {
		bool is_moving = carry(two, &two->client, &two->server);

		if (!carry(two, &two->server, &two->client) && !is_moving)
			break;
	}
}

static void say(struct two *two, struct end *from, struct end *to, size_t len, const char *row)
{
	uint8_t *plain = malloc(len);

	for (size_t i = 0; i < len; i++)
		plain[i] = (uint8_t)(i * 7 + len);
	ASSERT_ROW(tls_stream_send(from->stream, two->crypt, slice_of(plain, len), &from->sent) ==
			   0,
		   row);
	carry(two, from, to);
	ASSERT_ROW(to->last == TLS_STREAM_OK, row);
	ASSERT_ROW(to->text.len == len && memcmp(to->text.data, plain, len) == 0, row);
	buf_finish(&to->text);
	free(plain);
}

static const struct tls_key_pair *pairs(const enum file *chosen, size_t count)
{
	static struct tls_key_pair list[FILE_COUNT];

	for (size_t i = 0; i < count; i++)
		list[i] = (struct tls_key_pair){files[chosen[i]].cert, files[chosen[i]].key};
	return list;
}

/* One certificate, and a client that believes any. */
static struct two plain_contexts(void)
{
	static const enum file chosen[] = {FILE_EC};

	return (struct two){
		.server_context = server_context(
			&(struct tls_server_options){.pairs = pairs(chosen, 1), .pair_count = 1}),
		.client_context = client_context(&(struct tls_client_options){.is_insecure = true}),
	};
}

/* --- a connection, whole --- */

static const struct {
	const char *name;
	uint16_t version;
	bool is_server_detached, is_client_detached;
	size_t cut;
} ways[] = {
	{"1.3, both OpenSSL's", 0x0304, false, false, 0},
	{"1.3, server ours", 0x0304, true, false, 0},
	{"1.3, client ours", 0x0304, false, true, 0},
	{"1.3, both ours", 0x0304, true, true, 0},
	{"1.3, both ours, byte by byte", 0x0304, true, true, 1},
	{"1.3, server ours, in sevens", 0x0304, true, false, 7},
	{"1.2, both OpenSSL's", 0x0303, false, false, 0},
	{"1.2, server ours", 0x0303, true, false, 0},
	{"1.2, client ours", 0x0303, false, true, 0},
	{"1.2, both ours, byte by byte", 0x0303, true, true, 1},
};

static void conversation(struct two *two, const char *row)
{
	static const size_t lens[] = {1, 1000, 16384, 50000};
	size_t most = two->cut == 1 ? 2 : ARRAY_LEN(lens);

	for (size_t i = 0; i < most; i++) {
		say(two, &two->client, &two->server, lens[i], row);
		say(two, &two->server, &two->client, lens[i], row);
	}
	ASSERT_ROW(tls_stream_end(two->server.stream, two->crypt, &two->server.sent) == 0, row);
	carry(two, &two->server, &two->client);
	ASSERT_ROW(two->client.last == TLS_STREAM_CLOSED, row);
	ASSERT_ROW(tls_stream_end(two->client.stream, two->crypt, &two->client.sent) == 0, row);
	carry(two, &two->client, &two->server);
	ASSERT_ROW(two->server.last == TLS_STREAM_CLOSED, row);
}

static void test_ways(void **state)
{
	(void)state;
	static const enum file chosen[] = {FILE_EC, FILE_RSA};
	struct tls_ticket_keys *tickets = tls_ticket_keys_create();

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct two two = {
			.server_context = server_context(&(struct tls_server_options){
				.pairs = pairs(chosen, 2), .pair_count = 2, .tickets = tickets}),
			.client_context = client_context(&(struct tls_client_options){
				.ca_file = files[FILE_EC].cert, .version = ways[i].version}),
			.cut = ways[i].cut,
		};

		two_open(&two, "one.example");
		shake_hands(&two);
		ASSERT_ROW(two.server.is_ready && two.client.is_ready, ways[i].name);
		struct tls_facts facts = tls_stream_facts(two.server.stream);

		ASSERT_ROW(strcmp(facts.version,
				  ways[i].version == 0x0304 ? "TLSv1.3" : "TLSv1.2") == 0,
			   ways[i].name);
		ASSERT_ROW(strcmp(facts.server_name, "one.example") == 0 && !facts.is_resumed,
			   ways[i].name);
		if (ways[i].is_server_detached)
			ASSERT_ROW(tls_stream_detach(two.server.stream, two.crypt), ways[i].name);
		if (ways[i].is_client_detached)
			ASSERT_ROW(tls_stream_detach(two.client.stream, two.crypt), ways[i].name);
		conversation(&two, ways[i].name);
		two_close(&two);
		contexts_free(&two);
	}
	tls_ticket_keys_unref(&tickets);
}

/* OpenSSL may have taken the head of a record, or a part of it, when it is to be let go of: then it
 * stays, and at the bounds of records it goes. Nothing is lost either way. */
static void detach_at(struct two *two, size_t cut, const char *row)
{
	static const uint8_t text[2][10] = {"the first", "the other"};
	size_t bound = 0;

	two_open(two, "one.example");
	shake_hands(two);
	for (size_t i = 0; i < 2; i++) {
		ASSERT_ROW(tls_stream_send(two->server.stream, two->crypt,
					   slice_of(text[i], sizeof(text[i])),
					   &two->server.sent) == 0,
			   row);
		bound = i == 0 ? two->server.sent.len : bound;
	}
	struct buf wire = two->server.sent;

	two->server.sent = (struct buf){0};
	ASSERT_ROW(cut <= wire.len, row);
	recv_piece(two, &two->client, slice_of(wire.data, cut));
	bool is_detached = tls_stream_detach(two->client.stream, two->crypt);

	ASSERT_ROW(is_detached == (cut == 0 || cut == bound || cut == wire.len), row);
	recv_piece(two, &two->client, slice_of(wire.data + cut, wire.len - cut));
	ASSERT_ROW(two->client.last == TLS_STREAM_OK, row);
	ASSERT_ROW(two->client.text.len == sizeof(text), row);
	assert_memory_equal(two->client.text.data, text, sizeof(text));
	buf_finish(&two->client.text);
	buf_finish(&wire);
	say(two, &two->client, &two->server, 100, row);
	say(two, &two->server, &two->client, 100, row);
	two_close(two);
}

static void test_detached_within_a_record(void **state)
{
	/* [bytes] of two records: heads, texts and what each version adds to them. */
	static const struct {
		const char *row;
		uint16_t version;
		size_t wire;
	} cases[] = {{"1.3", 0x0304, 2 * (5 + 10 + 17)}, {"1.2", 0x0303, 2 * (5 + 10 + 24)}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct two two = plain_contexts();

		tls_context_unref(&two.client_context);
		two.client_context = client_context(&(struct tls_client_options){
			.is_insecure = true, .version = cases[i].version});
		for (size_t cut = 0; cut <= cases[i].wire; cut++)
			detach_at(&two, cut, cases[i].row);
		contexts_free(&two);
	}
}

/* What an idle one holds. */
static void test_size(void **state)
{
	(void)state;
	struct two two = plain_contexts();

	two_open(&two, "one.example");
	shake_hands(&two);
	assert_true(tls_stream_detach(two.server.stream, two.crypt));
	assert_true(tls_stream_detach(two.client.stream, two.crypt));
	say(&two, &two.client, &two.server, 16384, "a large message");
	assert_true(tls_stream_size(two.server.stream) <= 256);
	two_close(&two);
	contexts_free(&two);
}

/* --- which certificate --- */

static void test_names(void **state)
{
	(void)state;
	static const struct {
		const char *asked, *want_cn;
	} rows[] = {
		{"one.example", "one"},        {"ONE.example", "one"},
		{"two.example", "two"},        {"a.wild.example", "one"},
		{"exact.wild.example", "two"}, {"a.b.wild.example", "one"},
		{"nobody.example", "one"},     {"127.0.0.1", "one"},
	};
	static const enum file chosen[] = {FILE_EC, FILE_RSA, FILE_OTHER_EC};
	struct two two = {
		.server_context = server_context(
			&(struct tls_server_options){.pairs = pairs(chosen, 3), .pair_count = 3}),
		.client_context = client_context(&(struct tls_client_options){.is_insecure = true}),
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char cn[64];

		two_open(&two, rows[i].asked);
		shake_hands(&two);
		ASSERT_ROW(two.client.is_ready, rows[i].asked);
		X509_NAME_get_text_by_NID(X509_get_subject_name(tls_stream_peer(two.client.stream)),
					  NID_commonName, cn, sizeof(cn));
		ASSERT_ROW(strcmp(cn, rows[i].want_cn) == 0, rows[i].asked);
		two_close(&two);
	}
	contexts_free(&two);
}

/* --- a new handshake in TLS 1.2 --- */

/* What OpenSSL would not say: a record of a handshake, by a detached client. */
static void forge_handshake(struct two *two, struct slice message)
{
	struct tls_records *records = two->client.stream->records;
	struct tls_half *half = &records->seal;
	uint8_t record[64] = {TLS_HANDSHAKE, 3, 3}, associated[TLS_ASSOCIATED_MAX];
	struct tls_seal seal = {.suite = records->suite, .key = tls_half_key(records, half)};
	size_t len = 8 + message.len + TLS_TAG_LEN;

	assert_true(records->suite->has_explicit_nonce && 5 + len <= sizeof(record));
	be_write(record + 3, 2, len);
	seal.associated = slice_of(
		associated, tls_associated_write(records, half, record, message.len, associated));
	memcpy(seal.nonce, half->iv, TLS_IV_LEN);
	be_write(seal.nonce + 4, 8, be_read(half->iv + 4, 8) + half->sequence++);
	memcpy(record + 5, seal.nonce + 4, 8);
	assert_true(tls_crypt_seal(two->crypt, &seal, true, &(struct tls_text){.pieces = &message},
				   message.len, -1, record + 13));
	assert_int_equal(buf_append(&two->client.sent, record, 5 + len, SIZE_MAX), 0);
}

/* It is the end. OpenSSL warns and goes on: whoever asks again and again, and takes none of the
 * warnings, would fill our memory with them. */
static void test_renegotiation(void **state)
{
	(void)state;
	static const enum file chosen[] = {FILE_EC};
	static const uint8_t hello[] = {1, 0, 0, 0};

	for (unsigned is_detached = 0; is_detached < 2; is_detached++) {
		struct two two = {
			.server_context = server_context(&(struct tls_server_options){
				.pairs = pairs(chosen, 1), .pair_count = 1}),
			.client_context = client_context(&(struct tls_client_options){
				.is_insecure = true, .version = 0x0303}),
		};

		two_open(&two, NULL);
		shake_hands(&two);
		assert_true(tls_stream_detach(two.client.stream, two.crypt));
		if (is_detached)
			assert_true(tls_stream_detach(two.server.stream, two.crypt));
		for (unsigned i = 0; i < 100 && two.server.last != TLS_STREAM_FAILED; i++) {
			forge_handshake(&two, slice_of(hello, sizeof(hello)));
			carry(&two, &two.client, &two.server);
		}
		assert_int_equal(two.server.last, TLS_STREAM_FAILED);
		assert_int_equal(tls_stream_failure(two.server.stream).trouble, TLS_TROUBLE_RECORD);
		assert_in_range(two.server.sent.len, 1, 100);
		two_close(&two);
		contexts_free(&two);
	}
}

/* --- coming back --- */

/* A whole connection, which offers *session and takes the newest in its place. */
static bool is_resumed(struct two *two, struct ssl_session_st **session, bool is_detached,
		       const char *row)
{
	two_open(two, "one.example");
	if (*session != NULL)
		tls_stream_resume(two->client.stream, *session);
	shake_hands(two);
	ASSERT_ROW(two->server.is_ready && two->client.is_ready, row);
	bool is_resumed = tls_stream_facts(two->server.stream).is_resumed;

	ASSERT_ROW(tls_stream_facts(two->client.stream).is_resumed == is_resumed, row);
	if (is_detached)
		ASSERT_ROW(tls_stream_detach(two->server.stream, two->crypt), row);
	say(two, &two->server, &two->client, 10, row); /* the ticket has come before it */
	say(two, &two->client, &two->server, 10, row);
	struct ssl_session_st *newest = tls_stream_session(two->client.stream);

	if (newest != NULL) {
		tls_session_free(session);
		*session = newest;
	}
	/* What has resumed can be detached too, the records that it has read being counted. */
	ASSERT_ROW(tls_stream_detach(two->client.stream, two->crypt), row);
	say(two, &two->client, &two->server, 100, row);
	say(two, &two->server, &two->client, 100, row);
	two_close(two);
	return is_resumed;
}

static void resumption(uint16_t version, const char *row)
{
	static const enum file chosen[] = {FILE_EC};
	struct tls_ticket_keys *tickets = tls_ticket_keys_create();
	struct tls_server_options options = {
		.pairs = pairs(chosen, 1), .pair_count = 1, .tickets = tickets};
	struct two two = {
		.server_context = server_context(&options),
		.client_context = client_context(
			&(struct tls_client_options){.is_insecure = true, .version = version}),
	};
	struct tls_context *another_node = server_context(&options);
	struct ssl_session_st *session = NULL;

	ASSERT_ROW(!is_resumed(&two, &session, true, row), row);
	ASSERT_ROW(session != NULL, row);
	ASSERT_ROW(is_resumed(&two, &session, true, row), row);
	ASSERT_ROW(is_resumed(&two, &session, false, row), row);
	/* A node that shares the keys. */
	struct tls_context *first = two.server_context;

	two.server_context = another_node;
	ASSERT_ROW(is_resumed(&two, &session, true, row), row);
	/* The key before the newest is good still, and brings a ticket of the newest. */
	assert_true(tls_ticket_keys_rotate(tickets));
	ASSERT_ROW(is_resumed(&two, &session, true, row), row);
	assert_true(tls_ticket_keys_rotate(tickets));
	ASSERT_ROW(is_resumed(&two, &session, true, row), row);
	/* Two periods later it is not. */
	assert_true(tls_ticket_keys_rotate(tickets));
	assert_true(tls_ticket_keys_rotate(tickets));
	ASSERT_ROW(!is_resumed(&two, &session, true, row), row);
	two.server_context = first;
	tls_session_free(&session);
	tls_context_unref(&another_node);
	contexts_free(&two);
	tls_ticket_keys_unref(&tickets);
}

static void test_resumption(void **state)
{
	(void)state;
	resumption(0x0304, "1.3");
	resumption(0x0303, "1.2");
}

/* Keys out of a file: the first seals, all open; a wrong length changes nothing. */
static void test_ticket_keys(void **state)
{
	(void)state;
	struct tls_ticket_keys *keys = tls_ticket_keys_create();
	uint8_t file[2 * TLS_TICKET_KEY_LEN];
	struct tls_ticket_key key;
	bool is_newest;

	memset(file, 'a', TLS_TICKET_KEY_LEN);
	memset(file + TLS_TICKET_KEY_LEN, 'b', TLS_TICKET_KEY_LEN);
	assert_false(tls_ticket_keys_set(keys, file, sizeof(file) - 1));
	assert_false(tls_ticket_keys_set(keys, file, 0));
	assert_false(tls_ticket_key_find(keys, file, &key, &is_newest));
	assert_true(tls_ticket_keys_set(keys, file, sizeof(file)));
	tls_ticket_key_newest(keys, &key);
	assert_memory_equal(&key, file, sizeof(key));
	assert_true(tls_ticket_key_find(keys, file + TLS_TICKET_KEY_LEN, &key, &is_newest));
	assert_false(is_newest);
	assert_memory_equal(&key, file + TLS_TICKET_KEY_LEN, sizeof(key));
	assert_true(tls_ticket_keys_rotate(keys));
	assert_true(tls_ticket_key_find(keys, file, &key, &is_newest));
	assert_false(is_newest);
	assert_false(tls_ticket_key_find(keys, file + TLS_TICKET_KEY_LEN, &key, &is_newest));
	tls_ticket_keys_unref(&keys);
}

/* --- clients' certificates --- */

static void test_client_certificates(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum tls_client_certificate wanted;
		bool has_one, is_known, is_let_in;
	} rows[] = {
		{"required and shown", TLS_CLIENT_REQUIRED, true, true, true},
		{"required and not shown", TLS_CLIENT_REQUIRED, false, true, false},
		{"required and unknown", TLS_CLIENT_REQUIRED, true, false, false},
		{"optional and shown", TLS_CLIENT_OPTIONAL, true, true, true},
		{"optional and not shown", TLS_CLIENT_OPTIONAL, false, true, true},
		{"optional and unknown", TLS_CLIENT_OPTIONAL, true, false, false},
		{"not asked for", TLS_CLIENT_NONE, true, false, true},
	};
	static const enum file chosen[] = {FILE_EC};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct two two = {
			.server_context = server_context(&(struct tls_server_options){
				.pairs = pairs(chosen, 1),
				.pair_count = 1,
				.client_certificate = rows[i].wanted,
				.client_ca_file = rows[i].is_known ? files[FILE_CLIENT].cert
								   : files[FILE_RSA].cert,
			}),
			.client_context = client_context(&(struct tls_client_options){
				.is_insecure = true,
				.cert_file = rows[i].has_one ? files[FILE_CLIENT].cert : NULL,
				.key_file = files[FILE_CLIENT].key,
			}),
		};

		two_open(&two, "one.example");
		shake_hands(&two);
		ASSERT_ROW(two.server.is_ready == rows[i].is_let_in, rows[i].name);
		if (rows[i].is_let_in) {
			bool is_shown = rows[i].has_one && rows[i].wanted != TLS_CLIENT_NONE;

			ASSERT_ROW((tls_stream_peer(two.server.stream) != NULL) == is_shown,
				   rows[i].name);
		} else {
			ASSERT_ROW(two.server.last == TLS_STREAM_FAILED, rows[i].name);
			struct tls_failure failure = tls_stream_failure(two.server.stream);

			ASSERT_ROW(failure.alert > 0 && !failure.is_from_peer &&
					   failure.reason[0] != 0,
				   rows[i].name);
		}
		two_close(&two);
		contexts_free(&two);
	}
}

/* --- what a failure is called, on both sides --- */

static enum tls_trouble trouble_of(struct end *end)
{
	return end->last == TLS_STREAM_FAILED || end->last == TLS_STREAM_CLOSED
		       ? tls_stream_failure(end->stream).trouble
		       : TLS_TROUBLE_COUNT;
}

static void test_troubles(void **state)
{
	(void)state;
	static const enum file chosen[] = {FILE_EC};
	static const struct {
		const char *name;
		enum file trusted;
		const char *server_name;
		uint16_t client_version;
		bool is_server_13_only, is_certificate_required;
		enum tls_trouble client, server;
	} rows[] = {
		{"unknown issuer", FILE_RSA, "one.example", 0, false, false, TLS_TROUBLE_ISSUER,
		 TLS_TROUBLE_ISSUER},
		{"another name", FILE_EC, "five.example", 0, false, false, TLS_TROUBLE_WRONG_NAME,
		 TLS_TROUBLE_CERTIFICATE},
		{"another address", FILE_EC, "127.0.0.9", 0, false, false, TLS_TROUBLE_WRONG_NAME,
		 TLS_TROUBLE_CERTIFICATE},
		{"no version", FILE_EC, "one.example", 0x0303, true, false, TLS_TROUBLE_VERSION,
		 TLS_TROUBLE_VERSION},
		{"no certificate, 1.3", FILE_EC, "one.example", 0x0304, false, true,
		 TLS_TROUBLE_NO_CERTIFICATE, TLS_TROUBLE_NO_CERTIFICATE},
		{"no certificate, 1.2", FILE_EC, "one.example", 0x0303, false, true,
		 TLS_TROUBLE_SUITE, TLS_TROUBLE_NO_CERTIFICATE},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct two two = {
			.server_context = server_context(&(struct tls_server_options){
				.pairs = pairs(chosen, 1),
				.pair_count = 1,
				.has_tls13_only = rows[i].is_server_13_only,
				.client_certificate = rows[i].is_certificate_required
							      ? TLS_CLIENT_REQUIRED
							      : TLS_CLIENT_NONE,
				.client_ca_file = files[FILE_CLIENT].cert,
			}),
			.client_context = client_context(&(struct tls_client_options){
				.ca_file = files[rows[i].trusted].cert,
				.version = rows[i].client_version,
			}),
		};

		two_open(&two, rows[i].server_name);
		shake_hands(&two);
		ASSERT_ROW(trouble_of(&two.client) == rows[i].client, rows[i].name);
		ASSERT_ROW(trouble_of(&two.server) == rows[i].server, rows[i].name);
		two_close(&two);
		contexts_free(&two);
	}
}

static void test_what_is_no_tls(void **state)
{
	(void)state;
	struct two two = plain_contexts();

	two_open(&two, "one.example");
	recv_piece(&two, &two.server, SLICE_LITERAL("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_int_equal(trouble_of(&two.server), TLS_TROUBLE_PLAIN_HTTP);
	recv_piece(&two, &two.client, SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n"));
	assert_int_equal(trouble_of(&two.client), TLS_TROUBLE_NOT_TLS);
	assert_string_equal(tls_trouble_label(TLS_TROUBLE_NOT_TLS), "not_tls");
	two_close(&two);
	contexts_free(&two);
}

/* --- bad input --- */

/* Bytes that are no TLS, and a peer that spoils any byte of its first flight: an alert or silence,
 * never a crash. */
static void test_rubbish(void **state)
{
	(void)state;
	struct two two = plain_contexts();

	two_open(&two, "one.example");
	recv_piece(&two, &two.server, SLICE_LITERAL("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
	assert_int_equal(two.server.last, TLS_STREAM_FAILED);
	two_close(&two);
	for (size_t spoilt = 0;; spoilt++) {
		two_open(&two, "one.example");
		recv_piece(&two, &two.client, (struct slice){0});
		if (spoilt >= two.client.sent.len) {
			assert_true(spoilt > 100);
			two_close(&two);
			break;
		}
		two.client.sent.data[spoilt] ^= 0x55;
		carry(&two, &two.client, &two.server);
		assert_true(two.server.last == TLS_STREAM_OK ||
			    two.server.last == TLS_STREAM_FAILED);
		assert_false(two.server.is_ready);
		two_close(&two);
	}
	contexts_free(&two);
}

/* A detached one that gets a spoilt record says why, and ends. */
static void test_spoilt_record(void **state)
{
	(void)state;
	struct two two = plain_contexts();

	two_open(&two, "one.example");
	shake_hands(&two);
	assert_true(tls_stream_detach(two.server.stream, two.crypt));
	assert_int_equal(tls_stream_send(two.client.stream, two.crypt, SLICE_LITERAL("hello"),
					 &two.client.sent),
			 0);
	two.client.sent.data[7] ^= 1;
	carry(&two, &two.client, &two.server);
	assert_int_equal(two.server.last, TLS_STREAM_FAILED);
	assert_int_equal(tls_stream_failure(two.server.stream).alert, TLS_ALERT_BAD_RECORD_MAC);
	carry(&two, &two.server, &two.client);
	assert_int_equal(two.client.last, TLS_STREAM_FAILED);
	assert_true(tls_stream_failure(two.client.stream).is_from_peer);
	two_close(&two);
	contexts_free(&two);
}

static void test_bad_files(void **state)
{
	(void)state;
	const struct {
		const char *name;
		struct tls_key_pair pair;
		const char *says;
	} rows[] = {
		{"no certificate",
		 {"/nonexistent/cert.pem", files[FILE_EC].key},
		 "/nonexistent/cert.pem: no certificate"},
		{"no key",
		 {files[FILE_EC].cert, "/nonexistent/key"},
		 "/nonexistent/key: no private key"},
		{"a key for a certificate",
		 {files[FILE_EC].key, files[FILE_EC].key},
		 "no certificate"},
		{"another's key",
		 {files[FILE_EC].cert, files[FILE_OTHER_EC].key},
		 "not that of the certificate"},
		{"a key of another kind",
		 {files[FILE_EC].cert, files[FILE_RSA].key},
		 "not that of the certificate"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_error error = {.text = ""};

		ASSERT_ROW(tls_server_context_create(
				   &(struct tls_server_options){.pairs = &rows[i].pair,
								.pair_count = 1},
				   &error) == NULL,
			   rows[i].name);
		if (strstr(error.text, rows[i].says) == NULL)
			fail_msg("row '%s': %s", rows[i].name, error.text);
	}
}

/* A session ends with what its client was believed by: another authority, or nobody asked any more,
 * and everybody shakes hands in full. */
static void test_sessions_end_with_their_authorities(void **state)
{
	(void)state;
	static const enum file chosen[] = {FILE_EC};
	static const struct {
		enum tls_client_certificate asked;
		enum file ca;
		bool is_resumed;
	} rows[] = {
		{TLS_CLIENT_OPTIONAL, FILE_CLIENT, true},
		{TLS_CLIENT_OPTIONAL, FILE_OTHER_EC, false},
		{TLS_CLIENT_NONE, FILE_CLIENT, false},
	};
	struct tls_ticket_keys *tickets = tls_ticket_keys_create();
	struct tls_server_options options = {.pairs = pairs(chosen, 1),
					     .pair_count = 1,
					     .tickets = tickets,
					     .client_certificate = TLS_CLIENT_OPTIONAL,
					     .client_ca_file = files[FILE_CLIENT].cert};
	struct two two = {
		.server_context = server_context(&options),
		.client_context = client_context(
			&(struct tls_client_options){.is_insecure = true,
						     .cert_file = files[FILE_CLIENT].cert,
						     .key_file = files[FILE_CLIENT].key}),
	};
	struct ssl_session_st *session = NULL;

	assert_false(is_resumed(&two, &session, true, "first"));
	tls_context_unref(&two.server_context);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		options.client_certificate = rows[i].asked;
		options.client_ca_file = files[rows[i].ca].cert;
		two.server_context = server_context(&options);
		two_open(&two, NULL);
		tls_stream_resume(two.client.stream, session);
		shake_hands(&two);
		/* Whoever is not believed any more does not come in at all. */
		bool was_resumed = two.server.is_ready &&
				   tls_stream_facts(two.server.stream).is_resumed;

		assert_int_equal(was_resumed, rows[i].is_resumed);
		two_close(&two);
		tls_context_unref(&two.server_context);
	}
	tls_session_free(&session);
	tls_context_unref(&two.client_context);
	tls_ticket_keys_unref(&tickets);
}

/* A session ends with its client's certificate too. This one has ended already; the context that it
 * was believed by has a clock that stands still. */
static void session_of_an_ended_certificate(uint16_t version, const char *row)
{
	static const enum file chosen[] = {FILE_EC};
	struct tls_ticket_keys *tickets = tls_ticket_keys_create();
	struct tls_server_options options = {.pairs = pairs(chosen, 1),
					     .pair_count = 1,
					     .tickets = tickets,
					     .client_certificate = TLS_CLIENT_OPTIONAL,
					     .client_ca_file = files[FILE_ENDED].cert};
	struct two two = {
		.server_context = server_context(&options),
		.client_context = client_context(
			&(struct tls_client_options){.is_insecure = true,
						     .version = version,
						     .cert_file = files[FILE_ENDED].cert,
						     .key_file = files[FILE_ENDED].key}),
	};
	struct ssl_session_st *session = NULL;

	X509_VERIFY_PARAM_set_time(SSL_CTX_get0_param(two.server_context->ctxs[0]),
				   time(NULL) - 7200);
	ASSERT_ROW(!is_resumed(&two, &session, true, row) && session != NULL, row);
	tls_context_unref(&two.server_context);
	two.server_context = server_context(&options);
	two_open(&two, NULL);
	tls_stream_resume(two.client.stream, session);
	shake_hands(&two);
	ASSERT_ROW(!two.server.is_ready, row);
	ASSERT_ROW(tls_stream_failure(two.server.stream).trouble == TLS_TROUBLE_EXPIRED, row);
	two_close(&two);
	tls_session_free(&session);
	contexts_free(&two);
	tls_ticket_keys_unref(&tickets);
}

static void test_sessions_end_with_their_certificates(void **state)
{
	(void)state;
	session_of_an_ended_certificate(0x0304, "1.3");
	session_of_an_ended_certificate(0x0303, "1.2");
}

/* What happened, and not from which part of OpenSSL that is known. */
static void test_what_happened_to_a_file(void **state)
{
	struct tls_error error = {.text = ""};

	(void)state;
	assert_null(tls_client_context_create(
		&(struct tls_client_options){.ca_file = "/nonexistent/ca.pem"}, &error));
	assert_string_equal(error.text,
			    "/nonexistent/ca.pem: no certificates of authorities can be "
			    "read from it: No such file or directory");
	assert_null(tls_client_context_create(
		&(struct tls_client_options){.is_insecure = true,
					     .cert_file = files[FILE_EC].cert,
					     .key_file = files[FILE_EC].cert},
		&error));
	assert_non_null(strstr(error.text, ".pem: no private key can be read from it"));
	assert_null(strstr(error.text, " lib"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_detached_within_a_record),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_sessions_end_with_their_authorities),
		cmocka_unit_test(test_sessions_end_with_their_certificates),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_client_certificates),
		cmocka_unit_test(test_rubbish),
		cmocka_unit_test(test_spoilt_record),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_renegotiation),
		cmocka_unit_test(test_what_happened_to_a_file),
		cmocka_unit_test(test_resumption),
		cmocka_unit_test(test_ticket_keys),
		cmocka_unit_test(test_troubles),
		cmocka_unit_test(test_what_is_no_tls),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
