/* SPDX-License-Identifier: Apache-2.0
 * fuzz_tls_records.c - a peer that has the keys: the input says which records it makes, how they
 * are spoilt and where TCP cuts them. Whole, and byte by byte, they come to the same. */
#include "fuzz.h"

#include "base/bytes.h"
#include "tls/tls_records.h"

#define RECORDS_MAX 12

static const uint16_t suite_ids[] = {0x1301, 0x1302, 0x1303};

/* What came of it. */
struct outcome {
	enum tls_opening result;
	uint8_t alert;
	size_t used;
	size_t len;
	uint64_t sum;
};

struct input {
	const uint8_t *data;
	size_t len;
};

static uint8_t next(struct input *input)
{
	if (input->len == 0)
		return 0;
	input->len--;
	return *input->data++;
}

static struct tls_crypt *crypt;
static uint8_t secret[TLS_SECRET_MAX], key[TLS_KEY_MAX], iv[TLS_IV_LEN];
static uint8_t wire[RECORDS_MAX * 400];

static struct tls_records *end_create(const struct tls_suite *suite, bool is_server)
{
	struct tls_records *records = tls_records_create(crypt, &(struct tls_agreed){
									.suite = suite,
									.is_server = is_server,
									.client_secret = secret,
									.server_secret = secret,
								});

	CHECK(records != NULL);
	return records;
}

/* One record with content, length, padding and bytes of the input's choice; sometimes with a bit
 * turned. */
static size_t forge(const struct tls_suite *suite, struct input *input, uint64_t sequence,
		    uint8_t *out)
{
	static const uint8_t contents[] = {23, 23, 22, 21, 20, 24};
	uint8_t inner[256 + 1 + 64];
	size_t len = next(input), padding = next(input) % 64;
	uint8_t content = contents[next(input) % sizeof(contents)], spoil = next(input);

	for (size_t i = 0; i < len; i++)
		inner[i] = next(input);
	inner[len++] = content;
	memset(inner + len, 0, padding);
	len += padding;
	out[0] = 23;
	be_write(out + 1, 2, 0x0303);
	be_write(out + 3, 2, len + TLS_TAG_LEN);
	struct tls_seal seal = {.suite = suite, .key = key, .associated = {out, TLS_RECORD_HEAD}};

	memcpy(seal.nonce, iv, TLS_IV_LEN);
	be_write(seal.nonce + 4, 8, be_read(seal.nonce + 4, 8) ^ sequence);
	struct slice piece = slice_of(inner, len);

	CHECK(tls_crypt_seal(crypt, &seal, true, &(struct tls_text){.pieces = &piece}, len, -1,
			     out + TLS_RECORD_HEAD));
	len += TLS_RECORD_HEAD + TLS_TAG_LEN;
	if (spoil >= 0xf0)
		out[spoil * 31u % len] ^= (uint8_t)(1u << (spoil & 7));
	return len;
}

static void outcome_add(struct outcome *outcome, const uint8_t *data,
			const struct tls_opened *opened)
{
	for (size_t i = 0; i < opened->len; i++)
		outcome->sum = (outcome->sum ^ data[i]) * UINT64_C(0x100000001b3);
	outcome->used += opened->used;
	outcome->len += opened->len;
	outcome->alert = opened->alert;
}

/* Gives the wire in pieces as TCP would; `seed` 0: whole. */
static struct outcome run(const struct tls_suite *suite, bool is_server, size_t wire_len,
			  uint32_t seed)
{
	struct tls_records *records = end_create(suite, is_server);
	struct outcome outcome = {.result = TLS_OPENED};
	size_t at = 0, have = 0;

	while (at + have < wire_len && outcome.result == TLS_OPENED) {
		have += seed == 0 ? wire_len : fuzz_cut(&seed, wire_len - at - have);
		uint8_t *copy = fuzz_copy(wire + at, have), *out = malloc(TLS_OPEN_ROOM);
		struct tls_opened opened;

		CHECK(out != NULL);
		outcome.result = tls_open(records, crypt, slice_of(copy, have), out, TLS_OPEN_ROOM,
					  &opened);
		CHECK(opened.used <= have && opened.len <= opened.used);
		outcome_add(&outcome, out, &opened);
		at += opened.used;
		have -= opened.used;
		free(copy);
		free(out);
	}
	tls_records_destroy(&records);
	return outcome;
}

/* The input itself, as a record and as several, is never taken for one. */
static void raw_run(const struct tls_suite *suite, const uint8_t *data, size_t size)
{
	struct tls_records *records = end_create(suite, true);
	uint8_t *copy = fuzz_copy(data, size), *out = malloc(TLS_OPEN_ROOM);
	struct tls_opened opened;

	CHECK(out != NULL);
	enum tls_opening r = tls_open(records, crypt, slice_of(copy, size), out, TLS_OPEN_ROOM,
				      &opened);

	CHECK(r == TLS_OPENED || r == TLS_BROKEN);
	CHECK(opened.len == 0);
	free(copy);
	free(out);
	tls_records_destroy(&records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, size};
	uint8_t first = next(&input);
	const struct tls_suite *suite = tls_suite_find(suite_ids[first % ARRAY_LEN(suite_ids)]);
	bool is_server = (first & 4) != 0;
	size_t len = 0;

	if (crypt == NULL)
		crypt = tls_crypt_create();
	CHECK(crypt != NULL);
	memset(secret, first, sizeof(secret));
	CHECK(tls_crypt_expand(crypt, suite, secret, "key", key, suite->key_len));
	CHECK(tls_crypt_expand(crypt, suite, secret, "iv", iv, TLS_IV_LEN));
	for (uint64_t i = 0; i < RECORDS_MAX && input.len > 0; i++)
		len += forge(suite, &input, i, wire + len);
	struct outcome whole = run(suite, is_server, len, 0);
	struct outcome cut = run(suite, is_server, len, first + 1u);

	CHECK(whole.result == cut.result && whole.alert == cut.alert);
	CHECK(whole.used == cut.used && whole.len == cut.len && whole.sum == cut.sum);
	raw_run(suite, data, size);
	return 0;
}
