/* SPDX-License-Identifier: Apache-2.0
 * test_tls_peer.c - what is told of certificates, honest and odd ones. */
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <time.h>

#include "certificate_unit.h"
#include "tls/tls_peer.h"

#define TEXT(literal) SLICE_LITERAL(literal)

static struct tls_peer_facts *facts_of(X509 *unsigned_x509)
{
	X509 *x509 = certificate_signed(unsigned_x509);
	struct tls_peer_facts *facts = tls_peer_facts_of(x509);

	assert_non_null(facts);
	X509_free(x509); /* they need it no more */
	assert_int_equal(ERR_peek_error(), 0);
	return facts;
}

static void test_all_of_a_usual_one(void **state)
{
	X509 *x509 = certificate_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	(void)state;
	certificate_subject(x509, "O", MBSTRING_UTF8, TEXT("ACME, Inc."));
	certificate_subject(x509, "CN", MBSTRING_UTF8, TEXT("CP-0042"));
	alternative_push(names, GEN_DNS, TEXT("cp-0042.chargers.example"));
	alternative_push(names, GEN_URI, TEXT("urn:ocpp:CP-0042"));
	alternative_push(names, GEN_DNS, TEXT("second.example"));
	alternative_push(names, GEN_EMAIL, TEXT("ops@acme.example"));
	alternative_push(names, GEN_IPADD, TEXT("\xc0\x00\x02\x01"));
	alternative_push(names, GEN_IPADD,
			 slice_of("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16));
	certificate_alternatives(x509, names);
	BIGNUM *serial = NULL;

	BN_hex2bn(&serial, "0ABCDEF0123456789ABCDEF0123456789ABCDE");
	BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x509));
	BN_free(serial);
	struct tls_peer_facts *facts = facts_of(x509);

	assert_string_equal(facts->subject, "CN=CP-0042,O=ACME\\, Inc.");
	assert_string_equal(facts->issuer, facts->subject);
	assert_string_equal(facts->common_name, "CP-0042");
	assert_string_equal(facts->serial, "0ABCDEF0123456789ABCDEF0123456789ABCDE");
	assert_int_equal(facts->dns.count, 2);
	assert_string_equal(facts->dns.items[0], "cp-0042.chargers.example");
	assert_string_equal(facts->dns.items[1], "second.example");
	assert_int_equal(facts->uris.count, 1);
	assert_string_equal(facts->uris.items[0], "urn:ocpp:CP-0042");
	assert_int_equal(facts->emails.count, 1);
	assert_string_equal(facts->emails.items[0], "ops@acme.example");
	assert_int_equal(facts->ips.count, 2);
	assert_string_equal(facts->ips.items[0], "192.0.2.1");
	assert_string_equal(facts->ips.items[1], "2001:db8::1");
	assert_int_equal(facts->left_out, 0);
	assert_false(facts->is_from_proxy);
	assert_int_equal(facts->not_after - facts->not_before, 7200);
	assert_true(llabs(facts->not_after - 3600 - (int64_t)time(NULL)) < GIVE_UP_S);
	tls_peer_facts_destroy(&facts);
	assert_null(facts);
	tls_peer_facts_destroy(&facts);
}

/* As `openssl x509 -fingerprint -sha256` has it, but for colons and case. */
static void test_fingerprint(void **state)
{
	X509 *x509 = certificate_signed(certificate_new());
	unsigned char digest[32], *der = NULL;
	char want[65];
	int len = i2d_X509(x509, &der);

	(void)state;
	assert_int_equal(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL), 1);
	for (int i = 0; i < 32; i++)
		snprintf(want + 2 * i, 3, "%02x", digest[i]);
	struct tls_peer_facts *facts = tls_peer_facts_of(x509);

	assert_string_equal(facts->fingerprint, want);
	assert_string_equal(facts->serial, "01");
	tls_peer_facts_destroy(&facts);
	OPENSSL_free(der);
	X509_free(x509);
}

/* An empty subject is allowed, and names nobody. */
static void test_nothing_in_it(void **state)
{
	struct tls_peer_facts *facts = facts_of(certificate_new());

	(void)state;
	assert_null(facts->subject);
	assert_null(facts->issuer);
	assert_null(facts->common_name);
	assert_int_equal(
		facts->dns.count + facts->uris.count + facts->ips.count + facts->emails.count, 0);
	assert_int_equal(facts->left_out, 0);
	tls_peer_facts_destroy(&facts);
}

/* --- the common name, in every encoding --- */

static const struct {
	const char *name;
	int type;
	struct slice bytes;
	const char *want; /* NULL: left out */
	const char *subject;
} common_names[] = {
	{"utf-8", V_ASN1_UTF8STRING, TEXT("S\xc3\xa4ule"), "S\xc3\xa4ule", "CN=S\\C3\\A4ule"},
	{"printable", V_ASN1_PRINTABLESTRING, TEXT("CP 1"), "CP 1", "CN=CP 1"},
	{"bmp", V_ASN1_BMPSTRING, TEXT("\0C\0P\x20\xac"), "CP\xe2\x82\xac", "CN=CP\\E2\\82\\AC"},
	{"latin 1 in T61", V_ASN1_T61STRING, TEXT("S\xe4ule"), "S\xc3\xa4ule", "CN=S\\C3\\A4ule"},
	{"universal", V_ASN1_UNIVERSALSTRING, TEXT("\0\0\0C\0\1\xf6\x00"), "C\xf0\x9f\x98\x80",
	 "CN=C\\F0\\9F\\98\\80"},
	{"NUL at the end", V_ASN1_UTF8STRING, TEXT("CP1\0"), NULL, "CN=CP1\\00"},
	{"NUL within", V_ASN1_UTF8STRING, TEXT("CP1\0.evil"), NULL, "CN=CP1\\00.evil"},
	{"NUL in BMP", V_ASN1_BMPSTRING, TEXT("\0C\0\0\0P"), NULL, "CN=C\\00P"},
	{"NUL in IA5", V_ASN1_IA5STRING, TEXT("C\0P"), NULL, "CN=C\\00P"},
	{"line feed", V_ASN1_UTF8STRING, TEXT("CP1\nroot"), NULL, "CN=CP1\\0Aroot"},
	{"C1 control", V_ASN1_UTF8STRING, TEXT("CP\xc2\x85"), NULL, "CN=CP\\C2\\85"},
	{"turns the direction", V_ASN1_UTF8STRING,
	 TEXT("CP\xe2\x80\xae"
	      "1"),
	 NULL, "CN=CP\\E2\\80\\AE1"},
	{"empty", V_ASN1_UTF8STRING, {NULL, 0}, NULL, "CN="},
	{"looks like two", V_ASN1_UTF8STRING, TEXT("CP1,O=ACME"), "CP1,O=ACME", "CN=CP1\\,O=ACME"},
};

static void test_common_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(common_names) / sizeof(*common_names); i++) {
		const char *row = common_names[i].name, *want = common_names[i].want;
		X509 *x509 = certificate_new();

		certificate_subject(x509, "CN", common_names[i].type, common_names[i].bytes);
		struct tls_peer_facts *facts = facts_of(x509);

		if (strcmp(facts->subject, common_names[i].subject) != 0)
			fail_msg("row '%s': %s", row, facts->subject);
		ASSERT_ROW((facts->common_name == NULL) == (want == NULL), row);
		if (want != NULL)
			ASSERT_ROW(strcmp(facts->common_name, want) == 0, row);
		ASSERT_ROW(facts->left_out == (want == NULL), row);
		tls_peer_facts_destroy(&facts);
	}
}

/* OpenSSL takes no certificate apart whose names are not valid in their encoding, so none of those
 * comes as far as to have facts. */
static void test_a_wrong_encoding_is_no_certificate(void **state)
{
	static const struct slice wrong[] = {TEXT("CP\xff\xff"), TEXT("CP\xc0\x80"),
					     TEXT("\xed\xa0\x80 ")};
	unsigned char *der = NULL;
	X509 *x509 = certificate_new();

	(void)state;
	certificate_subject(x509, "CN", V_ASN1_UTF8STRING, TEXT("CPxx"));
	x509 = certificate_signed(x509);
	int len = i2d_X509(x509, &der);
	unsigned char *subject = memmem(der, (size_t)len, "CPxx", 4);

	X509_free(x509);
	assert_non_null(subject);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		const unsigned char *at = der;

		memcpy(subject, wrong[i].data, wrong[i].len);
		assert_null(d2i_X509(NULL, &at, len));
		ERR_clear_error();
	}
	OPENSSL_free(der);
}

/* Some take the first, some the last: so it is neither. */
static void test_two_common_names_are_none(void **state)
{
	X509 *x509 = certificate_new();

	(void)state;
	certificate_subject(x509, "CN", MBSTRING_UTF8, TEXT("CP1"));
	certificate_subject(x509, "CN", MBSTRING_UTF8, TEXT("CP2"));
	struct tls_peer_facts *facts = facts_of(x509);

	assert_null(facts->common_name);
	assert_int_equal(facts->left_out, 1);
	assert_string_equal(facts->subject, "CN=CP2,CN=CP1");
	tls_peer_facts_destroy(&facts);
}

/* --- alternative names --- */

static void test_odd_alternatives_are_left_out(void **state)
{
	static const struct {
		int type;
		struct slice bytes;
	} odd[] = {
		{GEN_DNS, TEXT("cp1.example\0.evil.example")},
		{GEN_DNS, TEXT("\0")},
		{GEN_DNS, TEXT("cp1 .example")},
		{GEN_DNS, TEXT("cp\xc3\xa4.example")},
		{GEN_URI, TEXT("urn:cp1\0")},
		{GEN_URI, TEXT("urn:cp1\r\nX-Evil: 1")},
		{GEN_EMAIL, TEXT("a@b\0")},
		{GEN_IPADD, TEXT("\x7f\x00\x00")},
		{GEN_DNS, {NULL, 0}},
	};
	size_t count = sizeof(odd) / sizeof(*odd);
	X509 *x509 = certificate_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();

	(void)state;
	for (size_t i = 0; i < count; i++)
		alternative_push(names, odd[i].type, odd[i].bytes);
	alternative_push(names, GEN_DNS, TEXT("good.example"));
	certificate_alternatives(x509, names);
	struct tls_peer_facts *facts = facts_of(x509);

	assert_int_equal(facts->left_out, count);
	assert_int_equal(facts->dns.count, 1);
	assert_string_equal(facts->dns.items[0], "good.example");
	assert_int_equal(facts->uris.count + facts->ips.count + facts->emails.count, 0);
	tls_peer_facts_destroy(&facts);
}

static GENERAL_NAMES *many_names(int count)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	char text[64];

	for (int i = 0; i < count; i++) {
		snprintf(text, sizeof(text), i % 2 == 0 ? "cp-%d.example" : "urn:cp-%d", i);
		alternative_push(names, i % 2 == 0 ? GEN_DNS : GEN_URI, slice_from_text(text));
	}
	return names;
}

static void test_a_hundred_alternatives(void **state)
{
	X509 *x509 = certificate_new();
	char text[64];

	(void)state;
	certificate_alternatives(x509, many_names(100));
	struct tls_peer_facts *facts = facts_of(x509);

	assert_int_equal(facts->dns.count, 50);
	assert_int_equal(facts->uris.count, 50);
	assert_int_equal(facts->left_out, 0);
	for (int i = 0; i < 50; i++) {
		snprintf(text, sizeof(text), "cp-%d.example", 2 * i);
		assert_string_equal(facts->dns.items[i], text);
		snprintf(text, sizeof(text), "urn:cp-%d", 2 * i + 1);
		assert_string_equal(facts->uris.items[i], text);
	}
	tls_peer_facts_destroy(&facts);
}

static void test_too_many_alternatives(void **state)
{
	X509 *x509 = certificate_new();

	(void)state;
	certificate_alternatives(x509, many_names(1000));
	struct tls_peer_facts *facts = facts_of(x509);

	assert_int_equal(facts->dns.count + facts->uris.count, TLS_PEER_NAMES_MAX);
	assert_int_equal(facts->left_out, 1000 - TLS_PEER_NAMES_MAX);
	assert_non_null(facts->fingerprint);
	tls_peer_facts_destroy(&facts);
}

/* What comes first has room, and what is short may still fit behind it. */
static void test_too_much_text(void **state)
{
	X509 *x509 = certificate_new();
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	static char text[TLS_PEER_TEXT_MAX];

	(void)state;
	memset(text, 'a', sizeof(text));
	alternative_push(names, GEN_URI, slice_of(text, sizeof(text)));
	alternative_push(names, GEN_DNS, slice_of(text, sizeof(text) / 2));
	alternative_push(names, GEN_URI, slice_of(text, sizeof(text) / 2));
	alternative_push(names, GEN_EMAIL, TEXT("short@example"));
	certificate_alternatives(x509, names);
	struct tls_peer_facts *facts = facts_of(x509);

	assert_int_equal(facts->left_out, 2);
	assert_int_equal(facts->dns.count, 1);
	assert_int_equal(strlen(facts->dns.items[0]), sizeof(text) / 2);
	assert_int_equal(facts->uris.count, 0);
	assert_string_equal(facts->emails.items[0], "short@example");
	tls_peer_facts_destroy(&facts);
}

/* RFC 5280, 4.2: at most one of each extension. */
static void test_alternatives_twice_are_none(void **state)
{
	X509 *x509 = certificate_new();

	(void)state;
	certificate_alternatives(x509, many_names(2));
	certificate_alternatives(x509, many_names(4));
	struct tls_peer_facts *facts = facts_of(x509);

	assert_int_equal(facts->dns.count + facts->uris.count, 0);
	assert_int_equal(facts->left_out, 1);
	tls_peer_facts_destroy(&facts);
}

static void test_odd_serials(void **state)
{
	X509 *x509 = certificate_new();
	static uint8_t many[65] = {1};

	(void)state;
	ASN1_INTEGER_set(X509_get_serialNumber(x509), -5);
	struct tls_peer_facts *facts = facts_of(x509);

	assert_null(facts->serial);
	assert_int_equal(facts->left_out, 1);
	tls_peer_facts_destroy(&facts);
	x509 = certificate_new();
	BIGNUM *number = BN_bin2bn(many, sizeof(many), NULL);

	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	BN_free(number);
	facts = facts_of(x509);
	assert_null(facts->serial);
	assert_int_equal(facts->left_out, 1);
	tls_peer_facts_destroy(&facts);
}

/* --- facts that somebody else read --- */

static void test_der(void **state)
{
	X509 *x509 = certificate_new();
	unsigned char *der = NULL;
	struct tls_peer_facts *facts = NULL;

	(void)state;
	certificate_subject(x509, "CN", MBSTRING_UTF8, TEXT("CP1"));
	x509 = certificate_signed(x509);
	size_t len = (size_t)i2d_X509(x509, &der);

	X509_free(x509);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(len);

		memcpy(copy, der, len);
		assert_int_equal(tls_peer_facts_read(slice_of(copy, cut), &facts), -EINVAL);
		free(copy);
	}
	assert_null(facts);
	assert_int_equal(tls_peer_facts_read(slice_of(der, len), &facts), 0);
	assert_string_equal(facts->common_name, "CP1");
	tls_peer_facts_destroy(&facts);
	der = OPENSSL_realloc(der, (int)len + 1);
	der[len] = 0;
	assert_int_equal(tls_peer_facts_read(slice_of(der, len + 1), &facts), -EINVAL);
	assert_int_equal(ERR_peek_error(), 0);
	OPENSSL_free(der);
}

static void test_draft(void **state)
{
	struct tls_peer_draft draft = {.is_from_proxy = true, .not_after = 7};

	(void)state;
	tls_peer_draft_add(&draft, TLS_PEER_URI, TEXT("urn:a"));
	tls_peer_draft_add(&draft, TLS_PEER_SUBJECT, TEXT("CN=a"));
	tls_peer_draft_add(&draft, TLS_PEER_DNS, TEXT("a.example"));
	tls_peer_draft_add(&draft, TLS_PEER_COMMON_NAME, TEXT("a\0"));
	tls_peer_draft_add(&draft, TLS_PEER_URI, TEXT("urn:b"));
	struct tls_peer_facts *facts = tls_peer_draft_finish(&draft);

	assert_string_equal(facts->subject, "CN=a");
	assert_null(facts->common_name);
	assert_null(facts->fingerprint);
	assert_string_equal(facts->uris.items[0], "urn:a");
	assert_string_equal(facts->uris.items[1], "urn:b");
	assert_int_equal(facts->uris.count, 2);
	assert_int_equal(facts->dns.count, 1);
	assert_int_equal(facts->left_out, 1);
	assert_int_equal(facts->not_after, 7);
	assert_true(facts->is_from_proxy);
	assert_int_equal(draft.count, 0);
	tls_peer_facts_destroy(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_of_a_usual_one),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_nothing_in_it),
		cmocka_unit_test(test_common_names),
		cmocka_unit_test(test_a_wrong_encoding_is_no_certificate),
		cmocka_unit_test(test_two_common_names_are_none),
		cmocka_unit_test(test_odd_alternatives_are_left_out),
		cmocka_unit_test(test_a_hundred_alternatives),
		cmocka_unit_test(test_too_many_alternatives),
		cmocka_unit_test(test_too_much_text),
		cmocka_unit_test(test_alternatives_twice_are_none),
		cmocka_unit_test(test_odd_serials),
		cmocka_unit_test(test_der),
		cmocka_unit_test(test_draft),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
