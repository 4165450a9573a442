/* SPDX-License-Identifier: Apache-2.0
 * tls_open.c - records that the peer made.
 *
 * Only what has passed the AEAD is looked into, and the first fault ends it: nothing is opened
 * after it. Behind the handshake a peer may send application data, alerts, and of handshake
 * messages in TLS 1.3 KeyUpdates and, if it is the server, tickets, which we pass over. Records
 * that bring the application nothing - empty ones, warnings, KeyUpdates, tickets - cost us and not
 * the peer, so only so many may follow each other. */
#include "base/bytes.h"
#include "tls/tls_records_private.h"

#define EXPLICIT_LEN 8

/* TLS_OPENED as long as all is well. */
struct opening {
	struct tls_records *records;
	struct tls_crypt *crypt;
	struct tls_opened *out;
	bool is_new_key;
};

static enum tls_opening broken(struct opening *o, enum tls_alert alert)
{
	o->out->alert = (uint8_t)alert;
	return TLS_BROKEN;
}

static enum tls_opening idle_count(struct opening *o)
{
	if (++o->records->idle_count > TLS_IDLE_MAX)
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	return TLS_OPENED;
}

/* --- alerts --- */

static enum tls_opening alert_take(struct opening *o, struct slice body)
{
	if (body.len != 2)
		return broken(o, TLS_ALERT_DECODE_ERROR);
	uint8_t level = body.data[0], alert = body.data[1];

	if (alert == TLS_ALERT_CLOSE_NOTIFY)
		return TLS_CLOSED;
	/* In TLS 1.3 the level tells nothing: all but two are fatal (RFC 8446, 6). */
	bool is_warning = alert == TLS_ALERT_USER_CANCELED ||
			  (!o->records->suite->is_tls13 && level == 1);

	if (is_warning)
		return idle_count(o);
	o->out->alert = alert;
	return TLS_ALERTED;
}

/* --- handshake messages --- */

bool tls_message_is_allowed(const struct tls_suite *suite, bool is_server,
			    const uint8_t head[TLS_MESSAGE_HEAD])
{
	size_t len = be_read(head + 1, 3);

	if (!suite->is_tls13)
		return !is_server && head[0] == TLS_HELLO_REQUEST && len == 0;
	if (head[0] == TLS_KEY_UPDATE)
		return len == 1;
	return !is_server && head[0] == TLS_NEW_SESSION_TICKET && len <= UINT16_MAX;
}

/* `is_last`: nothing follows in its record, since what does is under another key. */
static enum tls_opening update_take(struct opening *o, uint8_t request, bool is_last)
{
	if (request > 1)
		return broken(o, TLS_ALERT_ILLEGAL_PARAMETER);
	if (!is_last)
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	if (!tls_half_update(o->records, o->crypt, &o->records->open))
		return broken(o, TLS_ALERT_INTERNAL_ERROR);
	o->is_new_key = true;
	if (request == 1)
		o->records->owes_update = true; /* once, however often it asks until we send */
	return TLS_OPENED;
}

/* The head is there. */
static enum tls_opening head_take(struct opening *o)
{
	struct tls_records *records = o->records;
	size_t len = be_read(records->message + 1, 3);

	if (!tls_message_is_allowed(records->suite, records->is_server, records->message)) {
		bool is_anew = !records->suite->is_tls13;

		return broken(o,
			      is_anew ? TLS_ALERT_NO_RENEGOTIATION : TLS_ALERT_UNEXPECTED_MESSAGE);
	}
	records->message_missing = (uint32_t)len;
	if (len == 0)
		records->message_len = 0;
	return idle_count(o);
}

static enum tls_opening body_take(struct opening *o, struct slice *rest)
{
	struct tls_records *records = o->records;
	size_t len = MIN(rest->len, (size_t)records->message_missing);
	uint8_t first = rest->data[0];

	records->message_missing -= (uint32_t)len;
	*rest = slice_of(rest->data + len, rest->len - len);
	if (records->message_missing > 0)
		return TLS_OPENED;
	records->message_len = 0;
	return records->message[0] == TLS_KEY_UPDATE ? update_take(o, first, rest->len == 0)
						     : TLS_OPENED;
}

/* Messages may be cut, and several may share a record. */
static enum tls_opening handshake_take(struct opening *o, struct slice rest)
{
	struct tls_records *records = o->records;
	enum tls_opening r = rest.len == 0 ? broken(o, TLS_ALERT_UNEXPECTED_MESSAGE) : TLS_OPENED;

	while (r == TLS_OPENED && rest.len > 0) {
		if (records->message_len == sizeof(records->message)) {
			r = body_take(o, &rest);
			continue;
		}
		records->message[records->message_len++] = rest.data[0];
		rest = slice_of(rest.data + 1, rest.len - 1);
		if (records->message_len == sizeof(records->message))
			r = head_take(o);
	}
	return r;
}

/* --- records --- */

/* `text` lies at the end of what was opened. */
static enum tls_opening text_take(struct opening *o, uint8_t content, struct slice text)
{
	struct tls_records *records = o->records;

	if (text.len > TLS_RECORD_TEXT)
		return broken(o, TLS_ALERT_RECORD_OVERFLOW);
	/* No other record may come between the pieces of a message (RFC 8446, 5.1). */
	if (records->message_len > 0 && content != TLS_HANDSHAKE)
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	switch (content) {
	case TLS_APPLICATION_DATA:
		if (text.len == 0)
			return idle_count(o);
		records->idle_count = 0;
		o->out->len += text.len;
		return TLS_OPENED;
	case TLS_ALERT:
		return alert_take(o, text);
	case TLS_HANDSHAKE:
		return handshake_take(o, text);
	default:
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	}
}

/* Behind the text of TLS 1.3 stands its content type, and behind that zeros, as many as the peer
 * likes (RFC 8446, 5.2). */
static enum tls_opening inner_take(struct opening *o, struct slice inner)
{
	if (inner.len > TLS_RECORD_TEXT + 1) /* with its padding (RFC 8446, 5.4) */
		return broken(o, TLS_ALERT_RECORD_OVERFLOW);
	while (inner.len > 0 && inner.data[inner.len - 1] == 0)
		inner.len--;
	if (inner.len == 0)
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	return text_take(o, inner.data[inner.len - 1], slice_of(inner.data, inner.len - 1));
}

static void nonce_of(const struct tls_records *records, const uint8_t *body,
		     uint8_t out[TLS_IV_LEN])
{
	const struct tls_half *half = &records->open;

	memcpy(out, half->iv, TLS_IV_LEN);
	if (records->suite->has_explicit_nonce)
		memcpy(out + TLS_IV_LEN - EXPLICIT_LEN, body, EXPLICIT_LEN);
	else
		be_write(out + 4, 8, be_read(out + 4, 8) ^ half->sequence);
}

static enum tls_opening record_open(struct opening *o, const uint8_t *record, size_t body_len,
				    uint8_t *out)
{
	struct tls_records *records = o->records;
	size_t explicit_len = records->suite->has_explicit_nonce ? EXPLICIT_LEN : 0;
	uint8_t associated[TLS_ASSOCIATED_MAX];

	if (body_len < explicit_len + TLS_TAG_LEN)
		return broken(o, TLS_ALERT_BAD_RECORD_MAC);
	struct slice sealed = {record + TLS_RECORD_HEAD + explicit_len, body_len - explicit_len};
	size_t text_len = sealed.len - TLS_TAG_LEN;
	struct tls_seal seal = {
		.suite = records->suite,
		.key = tls_half_key(records, &records->open),
		.associated = {associated, tls_associated_write(records, &records->open, record,
								text_len, associated)},
	};
	nonce_of(records, record + TLS_RECORD_HEAD, seal.nonce);
	if (!tls_crypt_open(o->crypt, &seal, o->is_new_key, sealed, out))
		return broken(o, TLS_ALERT_BAD_RECORD_MAC);
	o->is_new_key = false;
	records->open.sequence++;
	struct slice text = {out, text_len};

	return records->suite->is_tls13 ? inner_take(o, text) : text_take(o, record[0], text);
}

/* Of a record only its head is there. */
static enum tls_opening head_check(struct opening *o, const uint8_t *head, size_t body_len)
{
	bool is_tls13 = o->records->suite->is_tls13;
	size_t extra = is_tls13 ? 256 : TLS_RECORD_EXTRA;

	/* TLS 1.3 hides the type, and sets no store by the version (RFC 8446, 5.2). */
	if (is_tls13 && head[0] != TLS_APPLICATION_DATA)
		return broken(o, TLS_ALERT_UNEXPECTED_MESSAGE);
	if (!is_tls13 && be_read(head + 1, 2) != 0x0303)
		return broken(o, TLS_ALERT_PROTOCOL_VERSION);
	if (body_len > TLS_RECORD_TEXT + extra)
		return broken(o, TLS_ALERT_RECORD_OVERFLOW);
	return TLS_OPENED;
}

enum tls_opening tls_open(struct tls_records *records, struct tls_crypt *crypt, struct slice in,
			  uint8_t *out, size_t size, struct tls_opened *out_opened)
{
	struct opening o = {
		.records = records, .crypt = crypt, .out = out_opened, .is_new_key = true};
	enum tls_opening r = TLS_OPENED;

	CHECK(!records->has_eof && size >= TLS_OPEN_ROOM);
	*out_opened = (struct tls_opened){0};
	while (r == TLS_OPENED && in.len - out_opened->used >= TLS_RECORD_HEAD) {
		const uint8_t *record = in.data + out_opened->used;
		size_t body_len = be_read(record + 3, 2);

		r = head_check(&o, record, body_len);
		if (r != TLS_OPENED || in.len - out_opened->used < TLS_RECORD_HEAD + body_len ||
		    body_len > size - out_opened->len + TLS_TAG_LEN)
			break;
		r = record_open(&o, record, body_len, out + out_opened->len);
		out_opened->used += TLS_RECORD_HEAD + body_len;
	}
	records->has_eof = r != TLS_OPENED;
	return r;
}
