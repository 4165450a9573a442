/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>

#include "base/bytes.h"
#include "tls_unit.h"

static const uint16_t suite_ids[] = {0x1301, 0x1302, 0x1303, 0x009c, 0x009d, 0x009e, 0x009f,
				     0xc02b, 0xc02c, 0xc02f, 0xc030, 0xcca8, 0xcca9, 0xccaa};

static uint8_t wire[4 * TLS_RECORD_MAX], text[4 * TLS_OPEN_ROOM];

/* --- vectors: RFC 8448, section 3 --- */

#define CLIENT_SECRET "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"
#define SERVER_SECRET "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"

static const struct {
	const char *name;
	bool is_from_server;
	uint64_t sequence;
	const char *text; /* "": the alert close_notify */
	const char *record;
} vectors[] = {
	{"client's data", false, 0,
	 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
	 "28292a2b2c2d2e2f3031",
	 "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a"
	 "9a20441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4"},
	{"server's data", true, 1,
	 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"
	 "28292a2b2c2d2e2f3031",
	 "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602d"
	 "cb501a59a8fcc49c4bf2e5f0a21c0047c2abf332540dd032e167c2955d"},
	{"client's close_notify", false, 1, "", "1703030013c9872760655666b74d7ff1153efd6db6d0b0e3"},
	{"server's close_notify", true, 2, "", "1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9"},
};

/* Of the side that sealed row `i`, or of the other. */
static struct tls_records *vector_end(size_t i, struct tls_crypt *crypt, bool is_sealer)
{
	struct bytes client = bytes_of_hex(CLIENT_SECRET), server = bytes_of_hex(SERVER_SECRET);

	return tls_records_create(crypt,
				  &(struct tls_agreed){
					  .suite = tls_suite_find(0x1301),
					  .is_server = vectors[i].is_from_server == is_sealer,
					  .client_secret = client.data,
					  .server_secret = server.data,
					  .sealed_count = vectors[i].sequence,
					  .opened_count = vectors[i].sequence,
				  });
}

static void test_vectors_seal(void **state)
{
	(void)state;
	struct tls_crypt *crypt = tls_crypt_create();

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct bytes want = bytes_of_hex(vectors[i].record),
			     plain = bytes_of_hex(vectors[i].text);
		struct tls_records *records = vector_end(i, crypt, true);
		size_t len;
		int r = plain.len > 0 ? tls_seal(records, crypt, slice_of(plain.data, plain.len),
						 wire, &len)
				      : tls_seal_alert(records, crypt, TLS_ALERT_CLOSE_NOTIFY, wire,
						       &len);

		ASSERT_ROW(r == 0 && len == want.len, vectors[i].name);
		ASSERT_ROW(memcmp(wire, want.data, len) == 0, vectors[i].name);
		tls_records_destroy(&records);
	}
	tls_crypt_destroy(&crypt);
}

static void test_vectors_open(void **state)
{
	(void)state;
	struct tls_crypt *crypt = tls_crypt_create();

	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		struct bytes record = bytes_of_hex(vectors[i].record),
			     want = bytes_of_hex(vectors[i].text);
		struct tls_records *records = vector_end(i, crypt, false);
		struct tls_opened opened;
		enum tls_opening r = tls_open(records, crypt, slice_of(record.data, record.len),
					      text, sizeof(text), &opened);

		ASSERT_ROW(r == (want.len > 0 ? TLS_OPENED : TLS_CLOSED), vectors[i].name);
		ASSERT_ROW(opened.used == record.len && opened.len == want.len, vectors[i].name);
		ASSERT_ROW(memcmp(text, want.data, want.len) == 0, vectors[i].name);
		tls_records_destroy(&records);
	}
	tls_crypt_destroy(&crypt);
}

/* The secret of the next generation and its keys as RFC 8446, 7.2 and 7.3 define them: HMAC-SHA256
 * over the label, by another road than the code takes. */
static void test_expand_is_hkdf(void **state)
{
	(void)state;
	/* RFC 8448, 3: "derive write traffic keys for application data" of both sides. */
	static const struct {
		const char *secret, *label, *want;
	} rows[] = {
		{CLIENT_SECRET, "key", "17422dda596ed5d9acd890e3c63f5051"},
		{CLIENT_SECRET, "iv", "5b78923dee08579033e523d9"},
		{SERVER_SECRET, "key", "9f02283b6c9c07efc26bb9f2ac92e356"},
		{SERVER_SECRET, "iv", "cf782b88dd83549aadf1e984"},
	};
	struct tls_crypt *crypt = tls_crypt_create();

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bytes secret = bytes_of_hex(rows[i].secret),
			     want = bytes_of_hex(rows[i].want);
		uint8_t out[32];

		assert_true(tls_crypt_expand(crypt, tls_suite_find(0x1301), secret.data,
					     rows[i].label, out, want.len));
		ASSERT_ROW(memcmp(out, want.data, want.len) == 0, rows[i].want);
	}
	tls_crypt_destroy(&crypt);
}

/* --- both ends ours --- */

static void fill(uint8_t *data, size_t len, unsigned seed)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(seed + i * 31 + (i >> 8));
}

static void each_suite(void (*test)(struct pair *pair, const char *name))
{
	char name[16];

	for (size_t i = 0; i < ARRAY_LEN(suite_ids); i++) {
		const struct tls_suite *suite = tls_suite_find(suite_ids[i]);
		struct pair pair;

		snprintf(name, sizeof(name), "%04x", suite_ids[i]);
		ASSERT_ROW(suite != NULL && suite->id == suite_ids[i], name);
		pair_init(&pair, suite);
		test(&pair, name);
		pair_finish(&pair);
	}
}

/* All lengths that lie at an edge, in both directions, one record after the other. */
static void round_trips(struct pair *pair, const char *name)
{
	static const size_t lens[] = {1,    2,     15,    16,    17,           255,
				      4096, 16383, 16384, 16385, 3 * 16384 + 5};
	static uint8_t plain[3 * TLS_RECORD_TEXT + 5];

	for (size_t i = 0; i < 2 * ARRAY_LEN(lens); i++) {
		struct tls_records *from = i % 2 ? pair->server : pair->client;
		struct tls_records *to = i % 2 ? pair->client : pair->server;
		size_t len = lens[i / 2], sealed_len;
		struct tls_opened opened;

		fill(plain, len, (unsigned)i);
		ASSERT_ROW(tls_seal(from, pair->crypt, slice_of(plain, len), wire, &sealed_len) ==
				   0,
			   name);
		ASSERT_ROW(sealed_len <= tls_sealed_max(from, len), name);
		ASSERT_ROW(tls_open(to, pair->crypt, slice_of(wire, sealed_len), text, sizeof(text),
				    &opened) == TLS_OPENED,
			   name);
		ASSERT_ROW(opened.used == sealed_len && opened.len == len, name);
		ASSERT_ROW(memcmp(text, plain, len) == 0, name);
	}
}

static void test_round_trips(void **state)
{
	(void)state;
	each_suite(round_trips);
}

/* What a turn produced leaves in as few records as it fits in. */
static void test_few_records(void **state)
{
	(void)state;
	struct pair pair;
	static uint8_t plain[2 * TLS_RECORD_TEXT + 1];
	size_t len, count = 0;

	pair_init(&pair, tls_suite_find(0x1301));
	assert_int_equal(
		tls_seal(pair.server, pair.crypt, slice_of(plain, sizeof(plain)), wire, &len), 0);
	for (size_t at = 0; at < len; at += TLS_RECORD_HEAD + be_read(wire + at + 3, 2))
		count++;
	assert_int_equal(count, 3);
	pair_finish(&pair);
}

/* TCP may cut anywhere: before the last byte nothing is used and nothing comes out. Exact copies on
 * the heap, so that a sanitizer sees any read behind the end. */
static void every_cut(struct pair *pair, const char *name)
{
	static const char plain[] = "a record that is cut";
	struct tls_opened opened;
	size_t len;

	ASSERT_ROW(tls_seal(pair->client, pair->crypt, slice_from_text(plain), wire, &len) == 0,
		   name);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1);

		memcpy(copy, wire, cut);
		uint8_t *exact = realloc(copy, cut > 0 ? cut : 1);

		ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(exact, cut), text,
				    sizeof(text), &opened) == TLS_OPENED,
			   name);
		ASSERT_ROW(opened.used == 0 && opened.len == 0, name);
		free(exact);
	}
	ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(wire, len), text, sizeof(text),
			    &opened) == TLS_OPENED,
		   name);
	ASSERT_ROW(opened.used == len && opened.len == strlen(plain), name);
}

static void test_every_cut(void **state)
{
	(void)state;
	each_suite(every_cut);
}

/* Each bit that is turned, of each suite, is found; in the length field it may also be a record
 * that is not whole. */
static void every_bit(struct pair *pair, const char *name)
{
	const struct tls_suite *suite = tls_suite_find((uint16_t)strtoul(name, NULL, 16));
	struct tls_opened opened;
	size_t len;

	ASSERT_ROW(tls_seal(pair->client, pair->crypt, SLICE_LITERAL("x"), wire, &len) == 0, name);
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct pair fresh;

		pair_init(&fresh, suite);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		enum tls_opening r = tls_open(fresh.server, fresh.crypt, slice_of(wire, len), text,
					      sizeof(text), &opened);
		bool is_length = bit / 8 == 3 || bit / 8 == 4;

		ASSERT_ROW(r == TLS_BROKEN || (is_length && r == TLS_OPENED && opened.used == 0),
			   name);
		ASSERT_ROW(opened.len == 0, name);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		pair_finish(&fresh);
	}
}

static void test_every_bit(void **state)
{
	(void)state;
	each_suite(every_bit);
}

/* A record that comes twice, or out of its order, is none. */
static void replayed(struct pair *pair, const char *name)
{
	struct tls_opened opened;
	size_t first, second;

	tls_seal(pair->client, pair->crypt, SLICE_LITERAL("one"), wire, &first);
	tls_seal(pair->client, pair->crypt, SLICE_LITERAL("two"), wire + first, &second);
	ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(wire, first), text, sizeof(text),
			    &opened) == TLS_OPENED,
		   name);
	ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(wire, first), text, sizeof(text),
			    &opened) == TLS_BROKEN,
		   name);
	ASSERT_ROW(opened.alert == TLS_ALERT_BAD_RECORD_MAC, name);
}

static void test_replayed(void **state)
{
	(void)state;
	each_suite(replayed);
}

/* No nonce twice: what is sealed twice is never the same, and with an explicit nonce that differs
 * too. */
static void nonces(struct pair *pair, const char *name)
{
	static uint8_t seen[64][64];
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		ASSERT_ROW(tls_seal(pair->server, pair->crypt, SLICE_LITERAL("same"), wire, &len) ==
				   0,
			   name);
		ASSERT_ROW(len <= sizeof(seen[i]), name);
		memset(seen[i], 0, sizeof(seen[i]));
		memcpy(seen[i], wire, len);
		for (size_t j = 0; j < i; j++)
			ASSERT_ROW(memcmp(seen[i] + TLS_RECORD_HEAD, seen[j] + TLS_RECORD_HEAD,
					  8) != 0,
				   name);
	}
}

static void test_nonces(void **state)
{
	(void)state;
	each_suite(nonces);
}

/* --- renewal of keys --- */

/* The key has served its time: the peer hears of it and follows, and a TLS 1.2 one ends. */
static void worn_out(struct pair *pair, const char *name)
{
	const struct tls_suite *suite = tls_suite_find((uint16_t)strtoul(name, NULL, 16));
	uint8_t secrets[3 * 48] = {1};
	struct tls_agreed agreed = pair_agreed(suite, secrets);
	struct tls_opened opened;
	size_t len;

	agreed.sealed_count = agreed.opened_count = suite->is_tls13 ? UINT64_C(1) << 24
								    : (UINT64_C(1) << 45) - 2;
	tls_records_destroy(&pair->client);
	tls_records_destroy(&pair->server);
	pair->client = tls_records_create(pair->crypt, &agreed);
	agreed.is_server = true;
	pair->server = tls_records_create(pair->crypt, &agreed);
	for (int i = 0; i < 3; i++) {
		int r = tls_seal(pair->client, pair->crypt, SLICE_LITERAL("data"), wire, &len);

		if (!suite->is_tls13 && i > 0) {
			ASSERT_ROW(r == -EOVERFLOW, name);
			continue;
		}
		ASSERT_ROW(r == 0, name);
		ASSERT_ROW(len == (suite->is_tls13 && i == 0 ? 27u : 0u) + 4 +
					   (suite->is_tls13             ? 22u
					    : suite->has_explicit_nonce ? 29u
									: 21u),
			   name);
		ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(wire, len), text,
				    sizeof(text), &opened) == TLS_OPENED,
			   name);
		ASSERT_ROW(opened.len == 4 && opened.used == len, name);
	}
}

static void test_worn_out(void **state)
{
	(void)state;
	each_suite(worn_out);
}

/* --- the end --- */

static void closed(struct pair *pair, const char *name)
{
	struct tls_opened opened;
	size_t data_len, len;

	tls_seal(pair->client, pair->crypt, SLICE_LITERAL("last words"), wire, &data_len);
	ASSERT_ROW(tls_seal_alert(pair->client, pair->crypt, TLS_ALERT_CLOSE_NOTIFY,
				  wire + data_len, &len) == 0,
		   name);
	memset(wire + data_len + len, 0x17, 40); /* not to be looked at */
	ASSERT_ROW(tls_open(pair->server, pair->crypt, slice_of(wire, data_len + len + 40), text,
			    sizeof(text), &opened) == TLS_CLOSED,
		   name);
	ASSERT_ROW(opened.used == data_len + len && opened.len == 10, name);
	/* The other direction is open still. */
	tls_seal(pair->server, pair->crypt, SLICE_LITERAL("goodbye"), wire, &len);
	ASSERT_ROW(tls_open(pair->client, pair->crypt, slice_of(wire, len), text, sizeof(text),
			    &opened) == TLS_OPENED,
		   name);
	ASSERT_ROW(opened.len == 7, name);
}

static void test_closed(void **state)
{
	(void)state;
	each_suite(closed);
}

static void alerted(struct pair *pair, const char *name)
{
	struct tls_opened opened;
	size_t len;

	tls_seal_alert(pair->server, pair->crypt, TLS_ALERT_BAD_RECORD_MAC, wire, &len);
	ASSERT_ROW(tls_open(pair->client, pair->crypt, slice_of(wire, len), text, sizeof(text),
			    &opened) == TLS_ALERTED,
		   name);
	ASSERT_ROW(opened.alert == TLS_ALERT_BAD_RECORD_MAC, name);
}

static void test_alerted(void **state)
{
	(void)state;
	each_suite(alerted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors_seal),   cmocka_unit_test(test_vectors_open),
		cmocka_unit_test(test_expand_is_hkdf), cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_few_records),    cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_bit),      cmocka_unit_test(test_replayed),
		cmocka_unit_test(test_nonces),         cmocka_unit_test(test_worn_out),
		cmocka_unit_test(test_closed),         cmocka_unit_test(test_alerted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
