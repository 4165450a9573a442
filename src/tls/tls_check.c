/* SPDX-License-Identifier: Apache-2.0 */
#include "tls/tls_check.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"
#include "tls/tls_ticket_keys.h"

#define DAY INT64_C(86400)

/* Before this many seconds nobody is warned: what renews by itself does so 30 days before. */
#define SOON (14 * DAY)

#define RSA_BITS_MIN 2048
#define CHAIN_MAX    16

struct checking {
	int64_t now;
	void (*tell)(void *arg, const struct tls_finding *finding);
	void *arg;
	const char *file;
	enum tls_check_part part;
};

static void tell(const struct checking *checking, bool is_mistake, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void tell(const struct checking *checking, bool is_mistake, const char *format, ...)
{
	struct tls_finding finding = {.part = checking->part, .is_mistake = is_mistake};
	int used = snprintf(finding.text, sizeof(finding.text), "%.300s: ", checking->file);
	va_list args;

	CHECK(used > 0 && (size_t)used < sizeof(finding.text));
	va_start(args, format);
	vsnprintf(finding.text + used, sizeof(finding.text) - (size_t)used, format, args);
	va_end(args);
	ERR_clear_error();
	checking->tell(checking->arg, &finding);
}

/* --- times --- */

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return time == NULL || ASN1_TIME_to_tm(time, &parts) != 1 ? 0 : (int64_t)timegm(&parts);
}

char *tls_expiry_text(int64_t expires_at, int64_t now, char out[TLS_EXPIRY_TEXT_MAX])
{
	int64_t left = expires_at > now ? expires_at - now : now - expires_at;
	bool is_days = left >= 2 * DAY;
	int64_t number = is_days ? left / DAY : left / 3600;
	const char *unit = is_days ? "days" : number == 1 ? "hour" : "hours";

	snprintf(out, TLS_EXPIRY_TEXT_MAX,
		 expires_at > now ? "in %" PRId64 " %s" : "%" PRId64 " %s ago", number, unit);
	return out;
}

static void times_check(const struct checking *checking, const X509 *x509, const char *whose)
{
	int64_t from = seconds_of(X509_get0_notBefore(x509));
	int64_t to = seconds_of(X509_get0_notAfter(x509));
	char when[TLS_EXPIRY_TEXT_MAX];

	tls_expiry_text(from > checking->now ? from : to, checking->now, when);
	if (from > checking->now)
		tell(checking, false,
		     "%s is not valid yet, only %s: clients will refuse it; bring one that is, or "
		     "set the clock of this machine",
		     whose, when);
	else if (to <= checking->now)
		tell(checking, false, "%s has expired %s: clients will refuse it; renew it", whose,
		     when);
	else if (to - checking->now < SOON)
		tell(checking, false, "%s expires %s; renew it", whose, when);
}

/* --- files --- */

static bool mode_check(const struct checking *checking, bool is_secret)
{
	struct stat facts;

	if (stat(checking->file, &facts) < 0) {
		tell(checking, true,
		     "cannot be read: %s; let the user of this process read it, or name another "
		     "file",
		     strerror(errno));
		return false;
	}
	if (is_secret && (facts.st_mode & (S_IROTH | S_IWOTH)) != 0)
		tell(checking, false,
		     "has mode %04o, so that everybody on this machine may read or write it; take "
		     "that away (chmod o-rw)",
		     (unsigned)(facts.st_mode & 07777));
	return true;
}

static BIO *file_open(const struct checking *checking)
{
	BIO *file = BIO_new_file(checking->file, "r");

	if (file == NULL)
		tell(checking, true,
		     "cannot be read: %s; let the user of this process read it, or name another "
		     "file",
		     strerror(errno));
	return file;
}

static void chain_free(X509 **chain, size_t count)
{
	for (size_t i = 0; i < count; i++)
		X509_free(chain[i]);
}

/* The certificate and those behind it; 0 if there is none, and that was told. */
static size_t chain_read(const struct checking *checking, X509 *chain[CHAIN_MAX])
{
	BIO *file = file_open(checking);
	size_t count = 0;

	if (file == NULL)
		return 0;
	while (count < CHAIN_MAX &&
	       (chain[count] = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL)) != NULL)
		count++;
	BIO_free(file);
	if (count == 0)
		tell(checking, true,
		     "holds no certificate; write it in PEM (-----BEGIN CERTIFICATE-----), those "
		     "of its issuers behind it");
	ERR_clear_error();
	return count;
}

/* --- the chain --- */

static char *name_of(const X509_NAME *name, char *out, size_t size)
{
	BIO *text = BIO_new(BIO_s_mem());
	int len = 0;

	if (text != NULL && X509_NAME_print_ex(text, name, 0, XN_FLAG_RFC2253) >= 0)
		len = BIO_read(text, out, (int)size - 1);
	out[len > 0 ? len : 0] = 0;
	BIO_free(text);
	return out;
}

static void order_check(const struct checking *checking, X509 *const *chain, size_t count)
{
	char below[128], above[128];

	for (size_t i = 0; i + 1 < count; i++) {
		if (X509_check_issued(chain[i + 1], chain[i]) == X509_V_OK)
			continue;
		tell(checking, false,
		     "certificate %zu (%s) has not signed the one before it (%s): some clients "
		     "refuse such a chain; write each behind the one that it signed",
		     i + 2, name_of(X509_get_subject_name(chain[i + 1]), above, sizeof(above)),
		     name_of(X509_get_subject_name(chain[i]), below, sizeof(below)));
		return;
	}
}

/* A certificate that tells where its issuer's is to be had is of a public authority, whose
 * issuing certificate clients do not have. */
static void issuer_check(const struct checking *checking, X509 *const *chain, size_t count)
{
	char issuer[160];
	bool is_self_signed = X509_check_issued(chain[0], chain[0]) == X509_V_OK;

	if (count > 1 || is_self_signed || X509_get_ext_by_NID(chain[0], NID_info_access, -1) < 0)
		return;
	tell(checking, false,
	     "stands alone, without its issuer's (%s): clients that do not have that refuse it; "
	     "write it behind (fullchain.pem)",
	     name_of(X509_get_issuer_name(chain[0]), issuer, sizeof(issuer)));
}

static void names_check(const struct checking *checking, X509 *x509)
{
	if (X509_get_ext_by_NID(x509, NID_subject_alt_name, -1) < 0)
		tell(checking, false,
		     "names no host (subjectAltName): most clients refuse it, whatever its CN is; "
		     "have it made with the names that clients connect to");
	if (X509_check_purpose(x509, X509_PURPOSE_SSL_SERVER, 0) != 1)
		tell(checking, false,
		     "is not for servers (keyUsage, extendedKeyUsage): clients refuse it; have one "
		     "made with serverAuth");
}

static bool strength_check(const struct checking *checking, X509 *x509)
{
	EVP_PKEY *key = X509_get0_pubkey(x509);

	if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
	    EVP_PKEY_get_bits(key) >= RSA_BITS_MIN)
		return true;
	tell(checking, true, "its RSA key has %d bits; make one with at least %d, or ECDSA",
	     EVP_PKEY_get_bits(key), RSA_BITS_MIN);
	return false;
}

static void chain_check(const struct checking *checking, X509 *const *chain, size_t count)
{
	char whose[32] = "the certificate";

	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			snprintf(whose, sizeof(whose), "certificate %zu", i + 1);
		times_check(checking, chain[i], whose);
	}
	names_check(checking, chain[0]);
	strength_check(checking, chain[0]);
	order_check(checking, chain, count);
	issuer_check(checking, chain, count);
}

/* --- the key --- */

/* Nobody is there to type it. */
static int no_password(char *out, int size, int is_writing, void *arg)
{
	(void)out;
	(void)size;
	(void)is_writing;
	*(bool *)arg = true;
	return -1;
}

static void key_check(const struct checking *checking, X509 *x509)
{
	BIO *file = mode_check(checking, true) ? file_open(checking) : NULL;
	bool has_password = false;

	if (file == NULL)
		return;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(file, NULL, no_password, &has_password);

	BIO_free(file);
	if (has_password)
		tell(checking, true,
		     "is protected by a password, which nobody could type; write the key without "
		     "(openssl pkey -in FILE -out FILE)");
	else if (key == NULL)
		tell(checking, true,
		     "holds no private key; write it in PEM (-----BEGIN PRIVATE KEY-----)");
	else if (x509 != NULL && X509_check_private_key(x509, key) != 1)
		tell(checking, true,
		     "is the key of another certificate; write the one that the certificate was "
		     "made with");
	EVP_PKEY_free(key);
	ERR_clear_error();
}

void tls_pair_check(const struct tls_key_pair *pair, int64_t now,
		    void (*tell_fn)(void *arg, const struct tls_finding *finding), void *arg)
{
	struct checking checking = {
		.now = now, .tell = tell_fn, .arg = arg, .file = pair->cert_file};
	X509 *chain[CHAIN_MAX] = {NULL};
	size_t count = mode_check(&checking, false) ? chain_read(&checking, chain) : 0;

	if (count > 0)
		chain_check(&checking, chain, count);
	checking.file = pair->key_file;
	checking.part = TLS_CHECK_KEY;
	key_check(&checking, count > 0 ? chain[0] : NULL);
	chain_free(chain, count);
}

int64_t tls_file_expires_at(const char *cert_file)
{
	BIO *file = BIO_new_file(cert_file, "r");
	X509 *x509 = file == NULL ? NULL : PEM_read_bio_X509_AUX(file, NULL, NULL, NULL);
	int64_t expires_at = x509 == NULL ? 0 : seconds_of(X509_get0_notAfter(x509));

	X509_free(x509);
	BIO_free(file);
	ERR_clear_error();
	return expires_at;
}

/* --- what is about clients --- */

void tls_ticket_file_check(const char *file,
			   void (*tell_fn)(void *arg, const struct tls_finding *finding), void *arg)
{
	struct checking checking = {
		.tell = tell_fn, .arg = arg, .file = file, .part = TLS_CHECK_KEY};

	mode_check(&checking, true);
}

static void authorities_check(const struct checking *checking)
{
	BIO *file = file_open(checking);
	size_t count = 0;
	X509 *x509;
	char name[128], whose[192];

	while (file != NULL && (x509 = PEM_read_bio_X509_AUX(file, NULL, NULL, NULL)) != NULL) {
		count++;
		snprintf(whose, sizeof(whose), "the authority %s",
			 name_of(X509_get_subject_name(x509), name, sizeof(name)));
		times_check(checking, x509, whose);
		X509_free(x509);
	}
	if (file != NULL && count == 0)
		tell(checking, true, "holds no certificate of an authority; write them in PEM");
	BIO_free(file);
	ERR_clear_error();
}

static void lists_check(const struct checking *checking)
{
	BIO *file = file_open(checking);
	size_t count = 0;
	X509_CRL *crl;
	char name[128], when[TLS_EXPIRY_TEXT_MAX];

	while (file != NULL && (crl = PEM_read_bio_X509_CRL(file, NULL, NULL, NULL)) != NULL) {
		int64_t next = seconds_of(X509_CRL_get0_nextUpdate(crl));

		count++;
		if (next != 0 && next <= checking->now)
			tell(checking, false,
			     "the list of %s is out of date, since %s: all clients of that "
			     "authority are refused; bring the next one",
			     name_of(X509_CRL_get_issuer(crl), name, sizeof(name)),
			     tls_expiry_text(next, checking->now, when));
		X509_CRL_free(crl);
	}
	if (file != NULL && count == 0)
		tell(checking, true,
		     "holds no list of revoked certificates; write it in PEM (-----BEGIN X509 "
		     "CRL-----)");
	BIO_free(file);
	ERR_clear_error();
}

void tls_clients_check(const char *ca_file, const char *crl_file, int64_t now,
		       void (*tell_fn)(void *arg, const struct tls_finding *finding), void *arg)
{
	struct checking checking = {.now = now, .tell = tell_fn, .arg = arg};

	checking.file = ca_file;
	if (ca_file != NULL && mode_check(&checking, false))
		authorities_check(&checking);
	checking.part = TLS_CHECK_KEY;
	checking.file = crl_file;
	if (crl_file != NULL && mode_check(&checking, false))
		lists_check(&checking);
}
