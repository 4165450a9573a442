/* SPDX-License-Identifier: Apache-2.0
 * tls_peer_x509.c - facts from a certificate as OpenSSL has it. All that it holds was chosen by
 * somebody else, if only by who signs for the clients: each text is looked at before it is kept. */
#include <errno.h>
#include <limits.h>
#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <time.h>

#include "base/net_ip.h"
#include "tls/tls_peer.h"

#define SERIAL_MAX 64 /* [bytes]; RFC 5280, 4.1.2.2, has 20 */

/* --- names --- */

static void name_add(struct tls_peer_draft *draft, int kind, const X509_NAME *name)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;

	if (bio == NULL || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		draft->is_out_of_memory = true;
	else if (BIO_get_mem_data(bio, &text) > 0) /* it may be empty: RFC 5280, 4.1.2.6 */
		tls_peer_draft_add(draft, kind, slice_of(text, (size_t)BIO_pending(bio)));
	BIO_free(bio);
}

/* Of several nobody could say which one is meant. */
static void common_name_add(struct tls_peer_draft *draft, const X509_NAME *subject)
{
	int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	unsigned char *text = NULL;

	if (index < 0)
		return;
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) {
		draft->left_out++;
		return;
	}
	int len = ASN1_STRING_to_UTF8(
		&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));

	if (len < 0)
		draft->left_out++;
	else
		tls_peer_draft_add(draft, TLS_PEER_COMMON_NAME, slice_of(text, (size_t)len));
	OPENSSL_free(text);
}

/* --- alternative names --- */

static bool is_visible_ascii(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
			return false;
	return true;
}

static void ia5_add(struct tls_peer_draft *draft, int kind, const ASN1_STRING *string)
{
	struct slice text = slice_of(ASN1_STRING_get0_data(string),
				     (size_t)ASN1_STRING_length(string));

	if (is_visible_ascii(text))
		tls_peer_draft_add(draft, kind, text);
	else
		draft->left_out++;
}

static void ip_add(struct tls_peer_draft *draft, const ASN1_STRING *string)
{
	const uint8_t *bytes = ASN1_STRING_get0_data(string);
	size_t len = (size_t)ASN1_STRING_length(string);
	struct net_ip ip = {.bytes = {[10] = 0xff, [11] = 0xff}};
	char text[NET_IP_TEXT_MAX];

	if (len != 4 && len != 16) {
		draft->left_out++;
		return;
	}
	memcpy(ip.bytes + sizeof(ip.bytes) - len, bytes, len);
	tls_peer_draft_add(draft, TLS_PEER_IP,
			   slice_from_text(net_ip_format(&ip, text, sizeof(text))));
}

/* Of other kinds (directory names, otherName) nothing is told, and none is missed. */
static void alternative_add(struct tls_peer_draft *draft, const GENERAL_NAME *name)
{
	switch (name->type) {
	case GEN_DNS:
		ia5_add(draft, TLS_PEER_DNS, name->d.dNSName);
		break;
	case GEN_URI:
		ia5_add(draft, TLS_PEER_URI, name->d.uniformResourceIdentifier);
		break;
	case GEN_EMAIL:
		ia5_add(draft, TLS_PEER_EMAIL, name->d.rfc822Name);
		break;
	case GEN_IPADD:
		ip_add(draft, name->d.iPAddress);
		break;
	default:
		break;
	}
}

static void alternatives_add(struct tls_peer_draft *draft, X509 *x509)
{
	int state;
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, &state, NULL);

	if (names == NULL) {
		draft->left_out += state != -1; /* not absent: twice, or broken */
		return;
	}
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
		alternative_add(draft, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
}

/* --- the rest --- */

static void hex_add(struct tls_peer_draft *draft, int kind, struct slice bytes, const char *digits)
{
	char text[2 * SERIAL_MAX + 1];
	size_t len = 0;

	for (size_t i = 0; i < bytes.len; i++) {
		text[len++] = digits[bytes.data[i] >> 4];
		text[len++] = digits[bytes.data[i] & 0xf];
	}
	tls_peer_draft_add(draft, kind, slice_of(text, len));
}

/* A number of more than SERIAL_MAX bytes, or below zero, is no serial number. */
static void serial_add(struct tls_peer_draft *draft, const ASN1_INTEGER *serial)
{
	struct slice bytes = slice_of(ASN1_STRING_get0_data(serial),
				      (size_t)ASN1_STRING_length(serial));

	if (bytes.len > SERIAL_MAX || ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		draft->left_out++;
	else
		hex_add(draft, TLS_PEER_SERIAL, bytes, "0123456789ABCDEF");
}

static void fingerprint_add(struct tls_peer_draft *draft, const X509 *x509)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len;

	if (X509_digest(x509, EVP_sha256(), digest, &len) == 1)
		hex_add(draft, TLS_PEER_FINGERPRINT, slice_of(digest, len), "0123456789abcdef");
	else
		draft->is_out_of_memory = true;
}

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm tm;

	return ASN1_TIME_to_tm(time, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

struct tls_peer_facts *tls_peer_facts_of(struct x509_st *x509)
{
	struct tls_peer_draft draft = {.not_before = seconds_of(X509_get0_notBefore(x509)),
				       .not_after = seconds_of(X509_get0_notAfter(x509))};

	fingerprint_add(&draft, x509);
	serial_add(&draft, X509_get0_serialNumber(x509));
	name_add(&draft, TLS_PEER_SUBJECT, X509_get_subject_name(x509));
	name_add(&draft, TLS_PEER_ISSUER, X509_get_issuer_name(x509));
	common_name_add(&draft, X509_get_subject_name(x509));
	alternatives_add(&draft, x509);
	ERR_clear_error(); /* of what was left out: it is nobody's error later */
	return tls_peer_draft_finish(&draft);
}

int tls_peer_facts_read(struct slice der, struct tls_peer_facts **out_facts)
{
	const unsigned char *at = der.data;
	X509 *x509 = der.len > LONG_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);

	ERR_clear_error();
	if (x509 == NULL || at != der.data + der.len) {
		X509_free(x509);
		return -EINVAL;
	}
	struct tls_peer_facts *facts = tls_peer_facts_of(x509);

	X509_free(x509);
	if (facts == NULL)
		return -ENOMEM;
	*out_facts = facts;
	return 0;
}
