/* SPDX-License-Identifier: Apache-2.0
 * test_tls_check.c - what is said of certificates, keys and lists, one fault at a time. */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls/tls_check.h"
#include "unit.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

static char directory[] = "/tmp/gatehouse-check-XXXXXX";
static char cert_file[64], key_file[64], absent_file[64];
static EVP_PKEY *ec, *other_ec, *rsa_1024, *rsa_2048;

static int setup(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(cert_file, sizeof(cert_file), "%s/cert.pem", directory);
	snprintf(key_file, sizeof(key_file), "%s/key.pem", directory);
	snprintf(absent_file, sizeof(absent_file), "%s/absent.pem", directory);
	ec = EVP_EC_gen("P-256");
	other_ec = EVP_EC_gen("P-256");
	rsa_1024 = EVP_RSA_gen(1024);
	rsa_2048 = EVP_RSA_gen(2048);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(ec);
	EVP_PKEY_free(other_ec);
	EVP_PKEY_free(rsa_1024);
	EVP_PKEY_free(rsa_2048);
	unlink(cert_file);
	unlink(key_file);
	return rmdir(directory);
}

/* --- files --- */

/* What is zero is as it should be: P-256, a name, half a year, signed by itself. */
struct making {
	const char *cn;
	EVP_PKEY *key;
	int64_t from, to; /* [s] from NOW */
	bool has_no_name;
	const char *usage;  /* extendedKeyUsage */
	const char *access; /* authorityInfoAccess */
	X509 *issuer;
	EVP_PKEY *issuer_key;
};

static void extend(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x509, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static X509 *make(struct making making)
{
	const char *cn = making.cn == NULL ? "gateway" : making.cn;
	EVP_PKEY *key = making.key == NULL ? ec : making.key;
	X509 *x509 = X509_new();

	X509_set_version(x509, 2);
	ASN1_TIME_set(X509_getm_notBefore(x509), NOW + (making.from == 0 ? -DAY : making.from));
	ASN1_TIME_set(X509_getm_notAfter(x509), NOW + (making.to == 0 ? 180 * DAY : making.to));
	X509_set_pubkey(x509, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x509,
			     X509_get_subject_name(making.issuer == NULL ? x509 : making.issuer));
	if (!making.has_no_name)
		extend(x509, NID_subject_alt_name, "DNS:gateway.example");
	if (making.usage != NULL)
		extend(x509, NID_ext_key_usage, making.usage);
	if (making.access != NULL)
		extend(x509, NID_info_access, making.access);
	assert_true(X509_sign(x509, making.issuer == NULL ? key : making.issuer_key, EVP_sha256()) >
		    0);
	return x509;
}

static void text_write(const char *file, const char *text)
{
	FILE *to = fopen(file, "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
}

static void key_write(EVP_PKEY *key, const char *password)
{
	FILE *to = fopen(key_file, "w");

	assert_int_equal(PEM_write_PrivateKey(to, key, password == NULL ? NULL : EVP_aes_128_cbc(),
					      (const unsigned char *)password,
					      password == NULL ? 0 : (int)strlen(password), NULL,
					      NULL),
			 1);
	fclose(to);
	assert_int_equal(chmod(key_file, 0600), 0);
}

/* One behind the other; frees them. `b` may be NULL. */
static void chain_write(X509 *a, X509 *b)
{
	FILE *to = fopen(cert_file, "w");

	assert_int_equal(PEM_write_X509(to, a), 1);
	if (b != NULL)
		assert_int_equal(PEM_write_X509(to, b), 1);
	fclose(to);
	X509_free(a);
	X509_free(b);
}

/* --- what is told --- */

struct told {
	size_t count;
	struct tls_finding findings[8];
};

static void on_finding(void *arg, const struct tls_finding *finding)
{
	struct told *told = arg;

	assert_true(told->count < ARRAY_LEN(told->findings));
	told->findings[told->count++] = *finding;
}

static struct told pair_told(int64_t now)
{
	struct tls_key_pair pair = {cert_file, key_file};
	struct told told = {0};

	tls_pair_check(&pair, now, on_finding, &told);
	return told;
}

static struct told files_told(X509 *x509, EVP_PKEY *key)
{
	chain_write(x509, NULL);
	key_write(key, NULL);
	return pair_told(NOW);
}

#define MISTAKE true
#define WARNING false

static void assert_finding(const struct tls_finding *finding, enum tls_check_part part,
			   bool is_mistake, const char *file, const char *words)
{
	size_t len = strlen(file);

	if (finding->part != part || finding->is_mistake != is_mistake ||
	    strncmp(finding->text, file, len) != 0 || strncmp(finding->text + len, ": ", 2) != 0 ||
	    strstr(finding->text + len, words) == NULL)
		fail_msg("wanted '%s' of %s, not '%s' (%s, part %d)", words, file, finding->text,
			 finding->is_mistake ? "a mistake" : "a warning", finding->part);
}

static void assert_only(struct told told, enum tls_check_part part, bool is_mistake,
			const char *file, const char *words)
{
	if (told.count != 1)
		fail_msg("wanted '%s' alone, not %zu findings", words, told.count);
	assert_finding(&told.findings[0], part, is_mistake, file, words);
}

static void assert_nothing(struct told told, const char *row)
{
	if (told.count > 0)
		fail_msg("%s: %s", row, told.findings[0].text);
}

/* --- pairs --- */

static void test_a_good_pair_is_no_matter(void **state)
{
	(void)state;
	assert_nothing(files_told(make((struct making){0}), ec), "ECDSA");
	assert_nothing(files_told(make((struct making){.key = rsa_2048}), rsa_2048), "RSA");
	assert_nothing(files_told(make((struct making){.usage = "serverAuth,clientAuth"}), ec),
		       "for servers too");
}

static void test_times(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		int64_t from, to;
		const char *words; /* NULL: none */
	} rows[] = {
		{"began yesterday", -DAY, 0, NULL},
		{"begins in a second", 1, 0, "the certificate is not valid yet, only in 0 hours"},
		{"begins in 3 days", 3 * DAY, 0,
		 "the certificate is not valid yet, only in 3 days"},
		{"ended now", -9 * DAY, -1, "the certificate has expired 0 hours ago"},
		{"ended long ago", -90 * DAY, -9 * DAY, "the certificate has expired 9 days ago"},
		{"ends in a day", 0, DAY, "the certificate expires in 24 hours; renew it"},
		{"ends soon", 0, 14 * DAY - 1, "the certificate expires in 13 days"},
		{"ends in 14 days", 0, 14 * DAY, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told told = files_told(
			make((struct making){.from = rows[i].from, .to = rows[i].to}), ec);

		if (rows[i].words == NULL)
			assert_nothing(told, rows[i].name);
		else
			assert_only(told, TLS_CHECK_CERT, WARNING, cert_file, rows[i].words);
	}
}

/* At its very second it has ended. */
static void test_the_last_second(void **state)
{
	(void)state;
	chain_write(make((struct making){.to = DAY}), NULL);
	key_write(ec, NULL);
	assert_only(pair_told(NOW + DAY - 1), TLS_CHECK_CERT, WARNING, cert_file, "expires in");
	assert_only(pair_told(NOW + DAY), TLS_CHECK_CERT, WARNING, cert_file, "has expired");
}

static void test_what_it_is_for(void **state)
{
	(void)state;
	assert_only(files_told(make((struct making){.has_no_name = true}), ec), TLS_CHECK_CERT,
		    WARNING, cert_file, "names no host (subjectAltName)");
	assert_only(files_told(make((struct making){.usage = "clientAuth"}), ec), TLS_CHECK_CERT,
		    WARNING, cert_file, "is not for servers");
	assert_only(files_told(make((struct making){.key = rsa_1024}), rsa_1024), TLS_CHECK_CERT,
		    MISTAKE, cert_file, "its RSA key has 1024 bits; make one with at least 2048");
}

static void test_chains(void **state)
{
	(void)state;
	static const char access[] = "caIssuers;URI:http://ca.example/ca.der";
	X509 *ca = make((struct making){.cn = "authority", .key = other_ec});
	X509 *old_ca = make((struct making){.cn = "authority", .key = other_ec, .to = -1});
	X509 *stranger = make((struct making){.cn = "stranger", .key = other_ec});
	struct making leaf = {.issuer = ca, .issuer_key = other_ec, .access = access};

	key_write(ec, NULL);
	chain_write(make(leaf), NULL);
	assert_only(pair_told(NOW), TLS_CHECK_CERT, WARNING, cert_file,
		    "stands alone, without its issuer's (CN=authority)");
	chain_write(make(leaf), X509_dup(ca));
	assert_nothing(pair_told(NOW), "with its issuer's");
	chain_write(make((struct making){.access = access}), NULL);
	assert_nothing(pair_told(NOW), "signed by itself");
	leaf.access = NULL;
	chain_write(make(leaf), NULL);
	assert_nothing(pair_told(NOW), "of an authority that clients have");
	chain_write(make(leaf), stranger);
	assert_only(pair_told(NOW), TLS_CHECK_CERT, WARNING, cert_file,
		    "certificate 2 (CN=stranger) has not signed the one before it (CN=gateway)");
	chain_write(make(leaf), old_ca);
	assert_only(pair_told(NOW), TLS_CHECK_CERT, WARNING, cert_file,
		    "certificate 2 has expired 0 hours ago");
	X509_free(ca);
}

static void test_files_without_what_they_should_have(void **state)
{
	(void)state;
	struct tls_key_pair pair = {absent_file, key_file};
	struct told told = {0};

	key_write(ec, NULL);
	text_write(cert_file, "nothing of the kind\n");
	assert_only(pair_told(NOW), TLS_CHECK_CERT, MISTAKE, cert_file, "holds no certificate");
	/* Of a key whose certificate is not known nothing is said. */
	tls_pair_check(&pair, NOW, on_finding, &told);
	assert_only(told, TLS_CHECK_CERT, MISTAKE, absent_file,
		    "cannot be read: No such file or directory");
	chain_write(make((struct making){0}), NULL);
	pair = (struct tls_key_pair){cert_file, absent_file};
	told.count = 0;
	tls_pair_check(&pair, NOW, on_finding, &told);
	assert_only(told, TLS_CHECK_KEY, MISTAKE, absent_file, "cannot be read: No such file");
}

static void test_keys(void **state)
{
	(void)state;
	assert_only(files_told(make((struct making){0}), other_ec), TLS_CHECK_KEY, MISTAKE,
		    key_file, "is the key of another certificate");
	assert_only(files_told(make((struct making){0}), rsa_2048), TLS_CHECK_KEY, MISTAKE,
		    key_file, "is the key of another certificate");
	key_write(ec, "secret");
	assert_only(pair_told(NOW), TLS_CHECK_KEY, MISTAKE, key_file, "is protected by a password");
	text_write(key_file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
	assert_only(pair_told(NOW), TLS_CHECK_KEY, MISTAKE, key_file, "holds no private key");
	key_write(ec, NULL);
	assert_int_equal(chmod(key_file, 0644), 0);
	assert_only(pair_told(NOW), TLS_CHECK_KEY, WARNING, key_file, "has mode 0644");
	assert_int_equal(chmod(key_file, 0602), 0);
	assert_only(pair_told(NOW), TLS_CHECK_KEY, WARNING, key_file, "has mode 0602");
	assert_int_equal(chmod(key_file, 0640), 0);
	assert_nothing(pair_told(NOW), "a group may");
}

/* Nothing hides what is behind it. */
static void test_all_at_once(void **state)
{
	(void)state;
	struct told told = files_told(
		make((struct making){
			.key = rsa_1024, .from = -9 * DAY, .to = -3 * DAY, .has_no_name = true}),
		ec);

	assert_int_equal(told.count, 4);
	assert_finding(&told.findings[0], TLS_CHECK_CERT, WARNING, cert_file, "has expired");
	assert_finding(&told.findings[1], TLS_CHECK_CERT, WARNING, cert_file, "names no host");
	assert_finding(&told.findings[2], TLS_CHECK_CERT, MISTAKE, cert_file, "1024 bits");
	assert_finding(&told.findings[3], TLS_CHECK_KEY, MISTAKE, key_file, "another certificate");
}

/* --- what is about clients --- */

static struct told clients_told(const char *ca_file, const char *crl_file)
{
	struct told told = {0};

	tls_clients_check(ca_file, crl_file, NOW, on_finding, &told);
	return told;
}

static void test_authorities(void **state)
{
	(void)state;
	assert_nothing(clients_told(NULL, NULL), "no files");
	chain_write(make((struct making){.cn = "one"}), make((struct making){.cn = "two"}));
	assert_nothing(clients_told(cert_file, NULL), "two");
	chain_write(make((struct making){.cn = "one"}),
		    make((struct making){.cn = "two", .from = -9 * DAY, .to = -2 * DAY}));
	assert_only(clients_told(cert_file, NULL), TLS_CHECK_CERT, WARNING, cert_file,
		    "the authority CN=two has expired 2 days ago");
	text_write(cert_file, "");
	assert_only(clients_told(cert_file, NULL), TLS_CHECK_CERT, MISTAKE, cert_file,
		    "holds no certificate of an authority");
	assert_only(clients_told(absent_file, NULL), TLS_CHECK_CERT, MISTAKE, absent_file,
		    "cannot be read");
}

/* `next`: [s] from NOW; 0: it does not say. */
static void list_write(int64_t next)
{
	X509_CRL *crl = X509_CRL_new();
	X509_NAME *name = X509_NAME_new();
	ASN1_TIME *time = ASN1_TIME_set(NULL, NOW - 30 * DAY);
	FILE *to = fopen(key_file, "w");

	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"operator", -1,
				   -1, 0);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, name);
	X509_CRL_set1_lastUpdate(crl, time);
	if (next != 0)
		X509_CRL_set1_nextUpdate(crl, ASN1_TIME_set(time, NOW + next));
	assert_true(X509_CRL_sign(crl, ec, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509_CRL(to, crl), 1);
	fclose(to);
	ASN1_TIME_free(time);
	X509_NAME_free(name);
	X509_CRL_free(crl);
}

static void test_lists(void **state)
{
	(void)state;
	list_write(DAY);
	assert_nothing(clients_told(NULL, key_file), "good for a day");
	list_write(0);
	assert_nothing(clients_told(NULL, key_file), "without an end");
	list_write(-5 * DAY);
	assert_only(clients_told(NULL, key_file), TLS_CHECK_KEY, WARNING, key_file,
		    "the list of CN=operator is out of date, since 5 days ago");
	text_write(key_file, "");
	assert_only(clients_told(NULL, key_file), TLS_CHECK_KEY, MISTAKE, key_file,
		    "holds no list of revoked certificates");
	assert_only(clients_told(NULL, absent_file), TLS_CHECK_KEY, MISTAKE, absent_file,
		    "cannot be read");
}

static struct told tickets_told(const char *file)
{
	struct told told = {0};

	tls_ticket_file_check(file, on_finding, &told);
	return told;
}

static void test_ticket_files(void **state)
{
	(void)state;
	text_write(key_file, "80 bytes");
	assert_int_equal(chmod(key_file, 0600), 0);
	assert_nothing(tickets_told(key_file), "its owner's");
	assert_int_equal(chmod(key_file, 0604), 0);
	assert_only(tickets_told(key_file), TLS_CHECK_KEY, WARNING, key_file, "has mode 0604");
	assert_only(tickets_told(absent_file), TLS_CHECK_KEY, MISTAKE, absent_file,
		    "cannot be read");
}

/* --- when --- */

static void test_ends(void **state)
{
	(void)state;
	static const struct {
		int64_t at;
		const char *text;
	} rows[] = {
		{0, "0 hours ago"},           {1, "in 0 hours"},
		{3600, "in 1 hour"},          {7199, "in 1 hour"},
		{2 * DAY - 1, "in 47 hours"}, {2 * DAY, "in 2 days"},
		{9 * DAY + 1, "in 9 days"},   {-3600, "1 hour ago"},
		{-3 * DAY, "3 days ago"},
	};
	char out[TLS_EXPIRY_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(tls_expiry_text(NOW + rows[i].at, NOW, out), rows[i].text);
	/* Of the first in the file, whatever is behind it. */
	chain_write(make((struct making){.to = 5 * DAY}), make((struct making){.to = DAY}));
	assert_int_equal(tls_file_expires_at(cert_file), NOW + 5 * DAY);
	text_write(cert_file, "nothing");
	assert_int_equal(tls_file_expires_at(cert_file), 0);
	assert_int_equal(tls_file_expires_at(absent_file), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_pair_is_no_matter),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_the_last_second),
		cmocka_unit_test(test_what_it_is_for),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_files_without_what_they_should_have),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_authorities),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_ticket_files),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
