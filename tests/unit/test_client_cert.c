/* SPDX-License-Identifier: Apache-2.0
 * test_client_cert.c - fields in which proxies tell of certificates; DER is never looked into, so
 * that any few bytes that begin like it stand for one. */
#include <stdio.h>

#include "proto/client_cert.h"
#include "unit.h"

#define OK_FIELD "X-SSL-Client-Verify: SUCCESS\r\n"
#define HASH     "468ed33be74eee6556d90c0149c1309e9ba61d6425303443c0748a02dd8de688"

struct row {
	const char *name;
	enum client_cert_rule rule;
	const char *fields;
	enum client_cert_result want;
	const char *told; /* OK: as told_write has it; BAD: part of the error */
};

/* MAMBAgM= is 30 03 01 02 03, MAIBAg== 30 02 01 02, MAQBAgME 30 04 01 02 03 04. */
static const struct row rows[] = {
	{"9440", CLIENT_CERT_RFC9440, "Client-Cert: :MAMBAgM=:\r\n", CLIENT_CERT_OK,
	 "der=3003010203 "},
	{"9440, two of padding", CLIENT_CERT_RFC9440, "client-cert: :MAIBAg==:\r\n", CLIENT_CERT_OK,
	 "der=30020102 "},
	{"9440, no padding", CLIENT_CERT_RFC9440, "Client-Cert: :MAQBAgME:\r\n", CLIENT_CERT_OK,
	 "der=300401020304 "},
	{"9440 with a chain", CLIENT_CERT_RFC9440,
	 "Client-Cert: :MAMBAgM=:\r\nClient-Cert-Chain: :MAIB:, :MAIC:\r\n", CLIENT_CERT_OK,
	 "der=3003010203 "},
	{"9440, not there", CLIENT_CERT_RFC9440, "X-SSL-Client-Cert: MAMBAgM=\r\n" OK_FIELD,
	 CLIENT_CERT_NONE, NULL},
	{"9440, empty", CLIENT_CERT_RFC9440, "Client-Cert: \r\n", CLIENT_CERT_NONE, NULL},
	{"9440 twice", CLIENT_CERT_RFC9440,
	 "Client-Cert: :MAMBAgM=:\r\nClient-Cert: :MAMBAgM=:\r\n", CLIENT_CERT_BAD,
	 "more than once"},
	{"9440 as a list", CLIENT_CERT_RFC9440, "Client-Cert: :MAMBAgM=:, :MAMBAgM=:\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},
	{"9440 with a parameter", CLIENT_CERT_RFC9440, "Client-Cert: :MAMBAgM=:;a=1\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},
	{"9440 without colons", CLIENT_CERT_RFC9440, "Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_BAD,
	 "RFC 9440"},
	{"9440, one colon", CLIENT_CERT_RFC9440, "Client-Cert: :\r\n", CLIENT_CERT_BAD, "RFC 9440"},
	{"9440, nothing between", CLIENT_CERT_RFC9440, "Client-Cert: ::\r\n", CLIENT_CERT_BAD,
	 "RFC 9440"},
	{"9440, padding missing", CLIENT_CERT_RFC9440, "Client-Cert: :MAMBAgM:\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},
	{"9440, too much padding", CLIENT_CERT_RFC9440, "Client-Cert: :MAQBAgME==:\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},
	{"9440, one digit over", CLIENT_CERT_RFC9440, "Client-Cert: :MAQBAgMEA===:\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},
	{"9440, bits over", CLIENT_CERT_RFC9440, "Client-Cert: :MAMBAgN=:\r\n", CLIENT_CERT_BAD,
	 "RFC 9440"},
	{"9440, a space", CLIENT_CERT_RFC9440, "Client-Cert: :MAMB AgM=:\r\n", CLIENT_CERT_BAD,
	 "RFC 9440"},
	{"9440, base64url", CLIENT_CERT_RFC9440, "Client-Cert: :MAMB_-M=:\r\n", CLIENT_CERT_BAD,
	 "RFC 9440"},
	{"9440, no certificate", CLIENT_CERT_RFC9440, "Client-Cert: :aGVsbG8=:\r\n",
	 CLIENT_CERT_BAD, "RFC 9440"},

	{"nginx", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD "X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0AMAMB%0AAgM%3D%0A-----END%20"
		  "CERTIFICATE-----%0A\r\n",
	 CLIENT_CERT_OK, "der=3003010203 "},
	{"nginx, CRLF and a chain", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD "X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0D%0AMAQBAgME%0D%0A-----END%20"
		  "CERTIFICATE-----%0A-----BEGIN%20CERTIFICATE-----%0AMAMBAgM%3D%0A-----END%20"
		  "CERTIFICATE-----%0A\r\n",
	 CLIENT_CERT_OK, "der=300401020304 "},
	{"haproxy", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: 0\r\nX-SSL-Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_OK,
	 "der=3003010203 "},
	{"haproxy, in quotes", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: 0\r\nX-SSL-Client-Cert: \"MAMBAgM=\"\r\n", CLIENT_CERT_OK,
	 "der=3003010203 "},
	{"nginx, none", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: NONE\r\nX-SSL-Client-Cert: \r\n", CLIENT_CERT_NONE, NULL},
	{"haproxy, none", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: 0\r\nX-SSL-Client-Cert:\r\n", CLIENT_CERT_NONE, NULL},
	{"nginx, not good", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: FAILED:expired\r\nX-SSL-Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_NONE,
	 NULL},
	{"haproxy, not good", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: 10\r\nX-SSL-Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_NONE, NULL},
	{"no word whether it is good", CLIENT_CERT_X_SSL_CERT, "X-SSL-Client-Cert: MAMBAgM=\r\n",
	 CLIENT_CERT_BAD, "X-SSL-Client-Verify"},
	{"two words whether it is good", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: FAILED\r\n" OK_FIELD "X-SSL-Client-Cert: MAMBAgM=\r\n",
	 CLIENT_CERT_BAD, "X-SSL-Client-Verify"},
	{"lower-case word", CLIENT_CERT_X_SSL_CERT,
	 "X-SSL-Client-Verify: success\r\nX-SSL-Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_NONE, NULL},
	{"two certificates", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD "X-SSL-Client-Cert: MAMBAgM=\r\nX-SSL-Client-Cert: MAIBAg==\r\n", CLIENT_CERT_BAD,
	 "more than once"},
	{"PEM without its end", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD "X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0AMAMBAgM%3D%0A\r\n",
	 CLIENT_CERT_BAD, "percent-encoded"},
	{"PEM of something else", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD
	 "X-SSL-Client-Cert: -----BEGIN%20X509%20CRL-----%0AMAMBAgM%3D%0A-----END%20X509%20"
	 "CRL-----\r\n",
	 CLIENT_CERT_BAD, "percent-encoded"},
	{"PEM, padding before a line end", CLIENT_CERT_X_SSL_CERT,
	 OK_FIELD "X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0AMAMBAgM=%0A%0D%0A-----END%20"
		  "CERTIFICATE-----\r\n",
	 CLIENT_CERT_OK, "der=3003010203 "},
	{"bad percent", CLIENT_CERT_X_SSL_CERT, OK_FIELD "X-SSL-Client-Cert: MAMBAgM%3\r\n",
	 CLIENT_CERT_BAD, "percent-encoded"},
	{"(null)", CLIENT_CERT_X_SSL_CERT, OK_FIELD "X-SSL-Client-Cert: (null)\r\n",
	 CLIENT_CERT_BAD, "percent-encoded"},
	{"only the name is there", CLIENT_CERT_X_SSL_CERT, OK_FIELD "X-SSL-Client-CN: CP1\r\n",
	 CLIENT_CERT_NONE, NULL},

	{"name", CLIENT_CERT_X_SSL_CN, "X-SSL-Client-Verify: 0\r\nX-SSL-Client-CN: CP 1\r\n",
	 CLIENT_CERT_OK, "cn=CP 1 "},
	{"name in quotes", CLIENT_CERT_X_SSL_CN,
	 "X-SSL-Client-Verify: 0\r\nX-SSL-Client-CN: \"CP 1\"\r\n", CLIENT_CERT_OK, "cn=CP 1 "},
	{"empty name in quotes", CLIENT_CERT_X_SSL_CN,
	 "X-SSL-Client-Verify: 0\r\nX-SSL-Client-CN: \"\"\r\n", CLIENT_CERT_NONE, NULL},
	{"name, the client's certificate passes and is nothing", CLIENT_CERT_X_SSL_CN,
	 OK_FIELD "X-SSL-Client-CN: CP1\r\nX-SSL-Client-Cert: MAMBAgM=\r\n", CLIENT_CERT_OK,
	 "cn=CP1 "},
	{"two names", CLIENT_CERT_X_SSL_CN,
	 OK_FIELD "X-SSL-Client-CN: CP1\r\nX-SSL-Client-CN: CP2\r\n", CLIENT_CERT_BAD,
	 "more than once"},

	{"envoy", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: By=spiffe://a/b;Hash=" HASH
	 ";Subject=\"CN=CP1,O=\\\"ACME\\\"; Ltd\";URI=urn:a;DNS=a.example;DNS=b.example\r\n",
	 CLIENT_CERT_OK,
	 "subject=CN=CP1,O=\"ACME\"; Ltd hash=" HASH " dns=a.example dns=b.example "
	 "uri=urn:a "},
	{"envoy with the certificate", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Hash=" HASH
	 ";Cert=\"-----BEGIN%20CERTIFICATE-----%0AMAMBAgM%3D%0A"
	 "-----END%20CERTIFICATE-----%0A\";Subject=\"CN=x\"\r\n",
	 CLIENT_CERT_OK, "der=3003010203 "},
	{"envoy, the last counts", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Subject=\"CN=forged\",Subject=\"CN=real\"\r\n", CLIENT_CERT_OK,
	 "subject=CN=real "},
	{"envoy, an open quote before it", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Subject=\"CN=forged,URI=a,Subject=\"CN=real\"\r\n",
	 CLIENT_CERT_OK, "subject=CN=real "},
	{"envoy, an empty subject", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: By=;Hash=" HASH ";Subject=\"\";URI=\r\n", CLIENT_CERT_OK,
	 "hash=" HASH " "},
	{"envoy, only itself", CLIENT_CERT_FORWARDED, "X-Forwarded-Client-Cert: By=a\r\n",
	 CLIENT_CERT_BAD, "X-Forwarded-Client-Cert is not"},
	{"envoy, nothing last", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Subject=\"CN=forged\",\r\n", CLIENT_CERT_BAD,
	 "X-Forwarded-Client-Cert is not"},
	{"envoy, two subjects", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Subject=a;Subject=b\r\n", CLIENT_CERT_BAD,
	 "X-Forwarded-Client-Cert is not"},
	{"envoy, a short hash", CLIENT_CERT_FORWARDED, "X-Forwarded-Client-Cert: Hash=468ed33b\r\n",
	 CLIENT_CERT_BAD, "X-Forwarded-Client-Cert is not"},
	{"envoy, no pair", CLIENT_CERT_FORWARDED, "X-Forwarded-Client-Cert: CP1\r\n",
	 CLIENT_CERT_BAD, "X-Forwarded-Client-Cert is not"},
	{"envoy, a certificate that is none", CLIENT_CERT_FORWARDED,
	 "X-Forwarded-Client-Cert: Cert=\"aGVsbG8=\";Hash=" HASH "\r\n", CLIENT_CERT_BAD,
	 "X-Forwarded-Client-Cert is not"},
};

static void told_write(const struct client_cert *cert, char *out, size_t size)
{
	size_t len = 0;

#define TELL(...) len += (size_t)snprintf(out + len, size - len, __VA_ARGS__)
	out[0] = 0;
	if (cert->certificate.len > 0) {
		TELL("der=");
		for (size_t i = 0; i < cert->certificate.len; i++)
			TELL("%02x", cert->certificate.data[i]);
		TELL(" ");
	}
	if (cert->common_name.len > 0)
		TELL("cn=%.*s ", SLICE_ARG(cert->common_name));
	if (cert->subject.len > 0)
		TELL("subject=%.*s ", SLICE_ARG(cert->subject));
	if (cert->fingerprint.len > 0)
		TELL("hash=%.*s ", SLICE_ARG(cert->fingerprint));
	for (size_t i = 0; i < cert->dns_count; i++)
		TELL("dns=%.*s ", SLICE_ARG(cert->dns[i]));
	for (size_t i = 0; i < cert->uri_count; i++)
		TELL("uri=%.*s ", SLICE_ARG(cert->uris[i]));
	assert_true(len < size);
}

static enum client_cert_result read_fields(enum client_cert_rule rule, const char *fields,
					   char told[4096], const char **error)
{
	struct http_head head;
	struct http_error http_error;
	struct client_cert cert;
	size_t used, len = strlen(fields) + 64;
	char *text = malloc(len);
	uint8_t *room = malloc(CLIENT_CERT_ROOM);

	len = (size_t)snprintf(text, len, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	uint8_t *copy = malloc(len);

	memcpy(copy, text, len);
	http_head_init(&head, HTTP_REQUEST);
	assert_int_equal(
		http_head_parse(&head, &http_limits_default, copy, len, &used, &http_error),
		HTTP_OK);
	memset(&cert, 0xaa, sizeof(cert));
	enum client_cert_result r = client_cert_read(rule, &head, copy, room, &cert, error);

	if (r == CLIENT_CERT_OK)
		told_write(&cert, told, 4096);
	else
		assert_int_equal(cert.dns_count, (size_t)0xaaaaaaaaaaaaaaaa);
	free(copy);
	free(room);
	free(text);
	return r;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		static char told[4096];
		const char *error = NULL;
		enum client_cert_result r = read_fields(rows[i].rule, rows[i].fields, told, &error);

		ASSERT_ROW(r == rows[i].want, rows[i].name);
		ASSERT_ROW((r == CLIENT_CERT_BAD) == (error != NULL), rows[i].name);
		if (r == CLIENT_CERT_OK && strcmp(told, rows[i].told) != 0)
			fail_msg("row '%s': %s", rows[i].name, told);
		if (r == CLIENT_CERT_BAD)
			ASSERT_ROW(strstr(error, rows[i].told) != NULL, rows[i].name);
	}
}

/* As many as fit, and one more. */
static void test_many_names(void **state)
{
	static char fields[8000], told[4096];

	(void)state;
	for (int more = 0; more < 2; more++) {
		const char *error = NULL;
		size_t len = (size_t)snprintf(fields, sizeof(fields),
					      "X-Forwarded-Client-Cert: A=b");

		for (int i = 0; i < CLIENT_CERT_NAMES_MAX + more; i++)
			len += (size_t)snprintf(fields + len, sizeof(fields) - len,
						";DNS=%d.example", i);
		snprintf(fields + len, sizeof(fields) - len, "\r\n");
		assert_int_equal(read_fields(CLIENT_CERT_FORWARDED, fields, told, &error),
				 more ? CLIENT_CERT_BAD : CLIENT_CERT_OK);
	}
	assert_non_null(strstr(told, "dns=63.example"));
}

static void test_which_fields_tell_of_certificates(void **state)
{
	static const char *const they[] = {
		"Client-Cert",           "client-cert-chain",       "X-SSL-Client-CN",
		"x-ssl-client-anything", "X-Forwarded-Client-Cert", "ssl-client-subject-dn",
		"X-Client-Certificate"};
	static const char *const others[] = {"Client-Certs", "Client",          "X-SSL-Cipher",
					     "Cookie",       "X-Forwarded-For", ""};

	(void)state;
	for (size_t i = 0; i < sizeof(they) / sizeof(*they); i++)
		ASSERT_ROW(client_cert_is_field(slice_from_text(they[i])), they[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		ASSERT_ROW(!client_cert_is_field(slice_from_text(others[i])), others[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_many_names),
		cmocka_unit_test(test_which_fields_tell_of_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
