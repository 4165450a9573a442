/* SPDX-License-Identifier: Apache-2.0
 * certificate_unit.h - certificates made at test time, odd ones too. */
#pragma once

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/slice.h"
#include "unit.h"

/* No names at all, the serial number 1, from an hour ago for two. */
static inline X509 *certificate_new(void)
{
	X509 *x509 = X509_new();

	assert_non_null(x509);
	X509_set_version(x509, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
	X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
	return x509;
}

/* `type`: V_ASN1_UTF8STRING and the like, with the bytes as they are; MBSTRING_UTF8: as fits. */
static inline void certificate_subject(X509 *x509, const char *field, int type, struct slice text)
{
	X509_NAME *subject = X509_get_subject_name(x509);
	X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_NID(
		NULL, OBJ_txt2nid(field), V_ASN1_UTF8STRING, (const unsigned char *)"x", 1);

	assert_non_null(entry);
	if (type & MBSTRING_FLAG) {
		assert_int_equal(X509_NAME_ENTRY_set_data(entry, type, text.data, (int)text.len),
				 1);
	} else {
		ASN1_STRING *data = X509_NAME_ENTRY_get_data(entry);

		/* Past OpenSSL's checks of what a name may hold. */
		data->type = type;
		assert_int_equal(ASN1_STRING_set(data, text.data, (int)text.len), 1);
	}
	assert_int_equal(X509_NAME_add_entry(subject, entry, -1, 0), 1);
	X509_NAME_ENTRY_free(entry);
}

/* `type`: GEN_DNS, GEN_URI, GEN_EMAIL, GEN_IPADD. */
static inline void alternative_push(GENERAL_NAMES *names, int type, struct slice bytes)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *string = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING
								     : V_ASN1_IA5STRING);

	assert_non_null(string);
	assert_int_equal(ASN1_STRING_set(string, bytes.data, (int)bytes.len), 1);
	GENERAL_NAME_set0_value(name, type, string);
	assert_true(sk_GENERAL_NAME_push(names, name) > 0);
}

/* Takes `names` over. May be called again: a certificate with the extension twice. */
static inline void certificate_alternatives(X509 *x509, GENERAL_NAMES *names)
{
	X509_EXTENSION *extension = X509V3_EXT_i2d(NID_subject_alt_name, 0, names);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
	GENERAL_NAMES_free(names);
}

/* Signs with a key of its own; the issuer is the subject, if there is none yet. Then reads it back
 * as a peer would: what was set is what is in the DER. */
static inline X509 *certificate_signed(X509 *x509)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	unsigned char *der = NULL;

	assert_non_null(key);
	assert_int_equal(X509_set_pubkey(x509, key), 1);
	if (X509_NAME_entry_count(X509_get_issuer_name(x509)) == 0)
		X509_set_issuer_name(x509, X509_get_subject_name(x509));
	assert_true(X509_sign(x509, key, EVP_sha256()) > 0);
	int len = i2d_X509(x509, &der);
	const unsigned char *at = der;
	X509 *back = d2i_X509(NULL, &at, len);

	assert_non_null(back);
	OPENSSL_free(der);
	X509_free(x509);
	EVP_PKEY_free(key);
	return back;
}
