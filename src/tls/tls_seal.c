/* SPDX-License-Identifier: Apache-2.0
 * tls_seal.c - records that we make.
 *
 * A nonce is made in one place, nonce_next(), which counts the sequence number on before the nonce
 * is used: so none comes twice with one key, whatever fails afterwards. */
#include <errno.h>

#include "base/bytes.h"
#include "tls/tls_records_private.h"

#define EXPLICIT_LEN 8

/* An AES-GCM key may protect 2^24.5 full records (RFC 8446, 5.5); we renew any key of TLS 1.3 a
 * little earlier. */
#define RENEW_AT (UINT64_C(1) << 24)

#define KEY_UPDATE_LEN 5

size_t tls_sealed_max(const struct tls_records *records, size_t len)
{
	size_t count = len / records->text_max + 1;

	return len + (count + 1) * (TLS_RECORD_HEAD + TLS_RECORD_EXTRA) + KEY_UPDATE_LEN;
}

static void nonce_next(const struct tls_suite *suite, struct tls_half *half,
		       uint8_t out[TLS_IV_LEN])
{
	uint64_t sequence = half->sequence++;

	CHECK(sequence < TLS_WORN_OUT_AT);
	memcpy(out, half->iv, TLS_IV_LEN);
	uint64_t low = be_read(out + 4, 8);

	be_write(out + 4, 8, suite->has_explicit_nonce ? low + sequence : low ^ sequence);
}

/* Of `text_len` bytes of *text. Returns where the record ends; NULL: memory is out. */
static uint8_t *record_seal(struct tls_records *records, struct tls_crypt *crypt,
			    enum tls_content content, struct tls_text *text, size_t text_len,
			    bool is_new_key, uint8_t *out)
{
	const struct tls_suite *suite = records->suite;
	struct tls_half *half = &records->seal;
	size_t explicit_len = suite->has_explicit_nonce ? EXPLICIT_LEN : 0;
	size_t len = explicit_len + text_len + (suite->is_tls13 ? 1 : 0) + TLS_TAG_LEN;
	uint8_t associated[TLS_ASSOCIATED_MAX];

	CHECK(text_len <= TLS_RECORD_TEXT);
	out[0] = suite->is_tls13 ? TLS_APPLICATION_DATA : content;
	be_write(out + 1, 2, 0x0303);
	be_write(out + 3, 2, len);
	struct tls_seal seal = {
		.suite = suite,
		.key = tls_half_key(records, half),
		.associated = {associated,
			       tls_associated_write(records, half, out, text_len, associated)},
	};
	nonce_next(suite, half, seal.nonce);
	uint8_t *to = out + TLS_RECORD_HEAD;

	memcpy(to, seal.nonce + TLS_IV_LEN - EXPLICIT_LEN, explicit_len);
	if (!tls_crypt_seal(crypt, &seal, is_new_key, text, text_len,
			    suite->is_tls13 ? (int)content : -1, to + explicit_len))
		return NULL;
	return to + len;
}

/* Under the old key; what follows is under the new one (RFC 8446, 4.6.3). */
static uint8_t *update_seal(struct tls_records *records, struct tls_crypt *crypt, uint8_t *out)
{
	static const uint8_t message[KEY_UPDATE_LEN] = {TLS_KEY_UPDATE, 0, 0, 1,
							0 /* update_not_requested */};

	struct slice piece = slice_of(message, sizeof(message));

	out = record_seal(records, crypt, TLS_HANDSHAKE, &(struct tls_text){.pieces = &piece},
			  piece.len, true, out);
	if (out == NULL || !tls_half_update(records, crypt, &records->seal))
		return NULL;
	records->owes_update = false;
	return out;
}

static int seal(struct tls_records *records, struct tls_crypt *crypt, enum tls_content content,
		const struct slice *pieces, size_t count, uint8_t *out, size_t *out_len)
{
	struct tls_text text = {.pieces = pieces};
	size_t left = 0;

	uint8_t *at = out;
	bool is_new_key = true;

	CHECK(!records->has_ended);
	for (size_t i = 0; i < count; i++)
		left += pieces[i].len;
	if (records->owes_update ||
	    (records->suite->is_tls13 && records->seal.sequence >= RENEW_AT))
		at = update_seal(records, crypt, at);
	if (records->seal.sequence + left / records->text_max + 1 >= TLS_WORN_OUT_AT)
		return -EOVERFLOW;
	while (at != NULL && left > 0) {
		size_t len = MIN(left, (size_t)records->text_max);

		at = record_seal(records, crypt, content, &text, len, is_new_key, at);
		left -= len;
		is_new_key = false;
	}
	if (at == NULL)
		return -ENOMEM;
	*out_len = (size_t)(at - out);
	return 0;
}

int tls_seal(struct tls_records *records, struct tls_crypt *crypt, struct slice text, uint8_t *out,
	     size_t *out_len)
{
	return seal(records, crypt, TLS_APPLICATION_DATA, &text, 1, out, out_len);
}

int tls_seal_pieces(struct tls_records *records, struct tls_crypt *crypt,
		    const struct slice *pieces, size_t count, uint8_t *out, size_t *out_len)
{
	return seal(records, crypt, TLS_APPLICATION_DATA, pieces, count, out, out_len);
}

static bool is_warning(enum tls_alert alert)
{
	return alert == TLS_ALERT_CLOSE_NOTIFY || alert == TLS_ALERT_USER_CANCELED ||
	       alert == TLS_ALERT_NO_RENEGOTIATION;
}

int tls_seal_alert(struct tls_records *records, struct tls_crypt *crypt, enum tls_alert alert,
		   uint8_t *out, size_t *out_len)
{
	uint8_t body[2] = {is_warning(alert) ? 1 : 2, (uint8_t)alert};
	struct slice text = slice_of(body, sizeof(body));
	int r = seal(records, crypt, TLS_ALERT, &text, 1, out, out_len);

	records->has_ended = true;
	return r;
}
