/* SPDX-License-Identifier: Apache-2.0
 * tls_records.c - keys: from the handshake, and from a KeyUpdate on. */
#include "tls/tls_records.h"

#include <openssl/crypto.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tls/tls_memory.h"
#include "tls/tls_records_private.h"

#define SALT_LEN 4 /* RFC 5288, 3 */

static size_t material_len(const struct tls_suite *suite)
{
	return 2 * ((size_t)suite->key_len + (suite->is_tls13 ? suite->secret_len : 0));
}

size_t tls_records_size(const struct tls_suite *suite)
{
	return sizeof(struct tls_records) + material_len(suite);
}

/* --- TLS 1.3 --- */

bool tls_half_derive(struct tls_records *records, struct tls_crypt *crypt, struct tls_half *half)
{
	const uint8_t *secret = tls_half_secret(records, half);

	half->sequence = 0;
	return tls_crypt_expand(crypt, records->suite, secret, "key", tls_half_key(records, half),
				records->suite->key_len) &&
	       tls_crypt_expand(crypt, records->suite, secret, "iv", half->iv, TLS_IV_LEN);
}

bool tls_half_update(struct tls_records *records, struct tls_crypt *crypt, struct tls_half *half)
{
	uint8_t next[TLS_SECRET_MAX], *secret = tls_half_secret(records, half);
	bool is_good = tls_crypt_expand(crypt, records->suite, secret, "traffic upd", next,
					records->suite->secret_len);

	/* The numbers begin anew, so the key must be another one. */
	CHECK(!is_good || memcmp(secret, next, records->suite->secret_len) != 0);
	if (is_good)
		memcpy(secret, next, records->suite->secret_len);
	OPENSSL_cleanse(next, sizeof(next));
	return is_good && tls_half_derive(records, crypt, half);
}

static bool keys_13(struct tls_records *records, struct tls_crypt *crypt,
		    const struct tls_agreed *agreed)
{
	const uint8_t *ours = agreed->is_server ? agreed->server_secret : agreed->client_secret;
	const uint8_t *theirs = agreed->is_server ? agreed->client_secret : agreed->server_secret;

	memcpy(tls_half_secret(records, &records->open), theirs, agreed->suite->secret_len);
	memcpy(tls_half_secret(records, &records->seal), ours, agreed->suite->secret_len);
	return tls_half_derive(records, crypt, &records->open) &&
	       tls_half_derive(records, crypt, &records->seal);
}

/* --- TLS 1.2 --- */

/* The keys of client and server, then their IVs (RFC 5246, 6.3). */
static void block_cut(struct tls_records *records, const uint8_t *block, size_t iv_len)
{
	size_t key_len = records->suite->key_len;
	size_t ours = records->is_server ? 1 : 0, theirs = 1 - ours;
	const uint8_t *ivs = block + 2 * key_len;

	memcpy(tls_half_key(records, &records->open), block + theirs * key_len, key_len);
	memcpy(tls_half_key(records, &records->seal), block + ours * key_len, key_len);
	memcpy(records->open.iv, ivs + theirs * iv_len, iv_len);
	memcpy(records->seal.iv, ivs + ours * iv_len, iv_len);
}

static bool keys_12(struct tls_records *records, struct tls_crypt *crypt,
		    const struct tls_agreed *agreed)
{
	static const char label[] = "key expansion";
	uint8_t seed[sizeof(label) - 1 + 2 * TLS_RANDOM_LEN];
	uint8_t block[2 * (TLS_KEY_MAX + TLS_IV_LEN)];
	size_t iv_len = agreed->suite->has_explicit_nonce ? SALT_LEN : TLS_IV_LEN;

	memcpy(seed, label, sizeof(label) - 1);
	memcpy(seed + sizeof(label) - 1, agreed->server_random, TLS_RANDOM_LEN);
	memcpy(seed + sizeof(label) - 1 + TLS_RANDOM_LEN, agreed->client_random, TLS_RANDOM_LEN);
	bool is_good = tls_crypt_prf(crypt, agreed->suite, slice_of(agreed->master, TLS_MASTER_LEN),
				     slice_of(seed, sizeof(seed)), block,
				     2 * (agreed->suite->key_len + iv_len));

	if (is_good)
		block_cut(records, block, iv_len);
	OPENSSL_cleanse(block, sizeof(block));
	/* Ours goes on from where the handshake began, so that none comes twice. */
	if (agreed->suite->has_explicit_nonce)
		be_write(records->seal.iv + SALT_LEN, 8, agreed->explicit_nonce);
	return is_good;
}

/* --- life --- */

struct tls_records *tls_records_create(struct tls_crypt *crypt, const struct tls_agreed *agreed)
{
	struct tls_records *records = tls_memory_get(tls_records_size(agreed->suite));

	if (records == NULL)
		return NULL;
	memset(records, 0, tls_records_size(agreed->suite));
	records->suite = agreed->suite;
	records->is_server = agreed->is_server;
	records->text_max = (uint16_t)(agreed->text_max == 0 ? TLS_RECORD_TEXT : agreed->text_max);
	CHECK(agreed->text_max <= TLS_RECORD_TEXT);
	if (!(agreed->suite->is_tls13 ? keys_13 : keys_12)(records, crypt, agreed)) {
		tls_records_destroy(&records);
		return NULL;
	}
	records->open.sequence = agreed->opened_count;
	records->seal.sequence = agreed->sealed_count;
	return records;
}

const struct tls_suite *tls_records_suite(const struct tls_records *records)
{
	return records->suite;
}

void tls_records_destroy(struct tls_records **records)
{
	if (*records == NULL)
		return;
	size_t size = tls_records_size((*records)->suite);

	OPENSSL_cleanse(*records, size);
	tls_memory_put(*records, size);
	*records = NULL;
}

size_t tls_associated_write(const struct tls_records *records, const struct tls_half *half,
			    const uint8_t head[TLS_RECORD_HEAD], size_t text_len,
			    uint8_t out[TLS_ASSOCIATED_MAX])
{
	if (records->suite->is_tls13) {
		memcpy(out, head, TLS_RECORD_HEAD);
		return TLS_RECORD_HEAD;
	}
	be_write(out, 8, half->sequence);
	memcpy(out + 8, head, 3);
	be_write(out + 11, 2, text_len);
	return TLS_ASSOCIATED_MAX;
}
