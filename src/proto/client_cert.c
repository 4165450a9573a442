/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/client_cert.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/hex.h"
#include "base/percent.h"
#include "proto/field_pairs.h"

/* What is decoded goes here, piece behind piece. */
struct room {
	uint8_t *data;
	size_t left;
};

/* False: a '%' without two digits behind it. */
static bool percent_text_read(struct slice text, uint8_t *out, size_t *out_len)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++) {
		int byte = text.data[i];

		if (byte == '%') {
			byte = percent_read(slice_of(text.data + i, text.len - i));
			if (byte < 0)
				return false;
			i += 2;
		}
		out[len++] = (uint8_t)byte;
	}
	*out_len = len;
	return true;
}

/* --- certificates --- */

static bool cut_start(struct slice *text, struct slice start)
{
	if (text->len < start.len || memcmp(text->data, start.data, start.len) != 0)
		return false;
	*text = slice_of(text->data + start.len, text->len - start.len);
	return true;
}

/* Of several certificates the first: those that lead to its root follow. */
static bool pem_body(struct slice *text)
{
	static const struct slice end = SLICE_LITERAL("-----END CERTIFICATE-----");

	if (!cut_start(text, SLICE_LITERAL("-----BEGIN CERTIFICATE-----")))
		return false;
	const uint8_t *at = memmem(text->data, text->len, end.data, end.len);

	if (at == NULL)
		return false;
	text->len = (size_t)(at - text->data);
	/* Its padding is the end of its text. */
	while (text->len > 0 &&
	       (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
		text->len--;
	return true;
}

static bool is_der(struct slice der)
{
	return der.len > 0 && der.data[0] == 0x30; /* a SEQUENCE: no other text passes for one */
}

/* PEM, percent-encoded, or base64 of the DER, which perhaps is too. */
static bool certificate_read(struct slice value, struct room *room, struct slice *out_der)
{
	size_t len;

	if (value.len > room->left || !percent_text_read(value, room->data, &len))
		return false;
	struct slice text = slice_of(room->data, len);
	bool is_pem = pem_body(&text);

	if (is_pem ? !base64_lines_read(text, room->data, &len)
		   : !base64_read(text, room->data, &len))
		return false;
	*out_der = slice_of(room->data, len);
	room->data += len;
	room->left -= len;
	return is_der(*out_der);
}

static enum client_cert_result bad(const char *error, const char **out_error)
{
	*out_error = error;
	return CLIENT_CERT_BAD;
}

/* --- RFC 9440 --- */

static enum client_cert_result rfc9440_read(struct slice value, struct room *room,
					    struct client_cert *cert, const char **out_error)
{
	size_t len;

	if (value.len < 2 || value.data[0] != ':' || value.data[value.len - 1] != ':' ||
	    value.len > room->left ||
	    !base64_read(slice_of(value.data + 1, value.len - 2), room->data, &len) ||
	    !is_der(slice_of(room->data, len)))
		return bad("Client-Cert is not the base64 of a certificate between two colons, as "
			   "RFC 9440 has it.",
			   out_error);
	cert->certificate = slice_of(room->data, len);
	return CLIENT_CERT_OK;
}

/* --- X-SSL-Client-... --- */

/* nginx says SUCCESS, NONE or FAILED:reason; HAProxy the number of an error, 0 if there is no
 * certificate too. */
static enum client_cert_result x_ssl_verify(const struct http_head *head, const uint8_t *data,
					    const char **out_error)
{
	struct slice verify;

	if (http_field_find(head, data, "X-SSL-Client-Verify", &verify) != 1)
		return bad("X-SSL-Client-Verify is not there once beside the certificate: let the "
			   "proxy set it, as it is not known whether the certificate is good.",
			   out_error);
	if (slice_equals(verify, SLICE_LITERAL("SUCCESS")) ||
	    slice_equals(verify, SLICE_LITERAL("0")))
		return CLIENT_CERT_OK;
	return CLIENT_CERT_NONE;
}

static struct slice unquoted(struct slice value)
{
	if (value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"')
		return slice_of(value.data + 1, value.len - 2);
	return value;
}

static enum client_cert_result x_ssl_cert_read(struct slice value, struct room *room,
					       struct client_cert *cert, const char **out_error)
{
	if (!certificate_read(unquoted(value), room, &cert->certificate))
		return bad("X-SSL-Client-Cert is neither a percent-encoded PEM nor the base64 of a "
			   "certificate.",
			   out_error);
	return CLIENT_CERT_OK;
}

/* --- X-Forwarded-Client-Cert --- */

#define FORWARDED_BAD                                                                       \
	"X-Forwarded-Client-Cert is not a list of elements like Hash=...;Subject=\"...\", " \
	"each with the certificate, or what it says."

static bool take_once(struct slice *to, struct slice value)
{
	if (to->data != NULL)
		return false;
	*to = value;
	return true;
}

static bool take_name(struct slice *names, size_t *count, struct slice value)
{
	if (*count == CLIENT_CERT_NAMES_MAX)
		return false;
	names[(*count)++] = value;
	return true;
}

/* 64 digits, of either case. */
static bool is_fingerprint(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if (hex_value(text.data[i]) < 0)
			return false;
	return text.len == 64;
}

/* What has another name (By, Chain, and what may come) says nothing of the client. */
static bool forwarded_pair_take(struct slice name, struct slice value, struct room *room,
				struct client_cert *cert)
{
	if (slice_equals_nocase(name, SLICE_LITERAL("Cert")))
		return cert->certificate.data == NULL &&
		       certificate_read(value, room, &cert->certificate);
	if (slice_equals_nocase(name, SLICE_LITERAL("Hash")))
		return is_fingerprint(value) && take_once(&cert->fingerprint, value);
	if (slice_equals_nocase(name, SLICE_LITERAL("Subject")))
		return take_once(&cert->subject, value);
	if (slice_equals_nocase(name, SLICE_LITERAL("URI")))
		return take_name(cert->uris, &cert->uri_count, value);
	if (slice_equals_nocase(name, SLICE_LITERAL("DNS")))
		return take_name(cert->dns, &cert->dns_count, value);
	return true;
}

static bool forwarded_pair_read(struct slice pair, struct room *room, struct client_cert *cert)
{
	struct slice name, value, text;

	/* An empty value, such as the Subject of a certificate without one, says nothing. */
	if (pair.len > 0 && memchr(pair.data, '=', pair.len) == pair.data + pair.len - 1)
		return true;
	if (!field_pair_split(pair, &name, &value) ||
	    !field_value_read(value, room->data, room->left, &text))
		return false;
	if (text.data == room->data) {
		room->data += text.len;
		room->left -= text.len;
	}
	return text.len == 0 || forwarded_pair_take(name, text, room, cert);
}

static enum client_cert_result forwarded_read(struct slice value, struct room *room,
					      struct client_cert *cert, const char **out_error)
{
	struct slice element = field_element_take(&value);

	while (element.len > 0) {
		struct slice pair = field_pair_take(&element);

		if (pair.len > 0 && !forwarded_pair_read(pair, room, cert))
			return bad(FORWARDED_BAD, out_error);
	}
	if (cert->certificate.len > 0)
		*cert = (struct client_cert){.certificate = cert->certificate};
	else if (cert->fingerprint.len == 0 && cert->subject.len == 0 && cert->dns_count == 0 &&
		 cert->uri_count == 0)
		return bad(FORWARDED_BAD, out_error);
	return CLIENT_CERT_OK;
}

/* --- rules --- */

static enum client_cert_result x_ssl_cn_read(struct slice value, struct room *room,
					     struct client_cert *cert, const char **out_error)
{
	(void)room;
	(void)out_error;
	cert->common_name = unquoted(value);
	return cert->common_name.len > 0 ? CLIENT_CERT_OK : CLIENT_CERT_NONE;
}

static const struct rule {
	const char *field;
	bool needs_verify;
	enum client_cert_result (*read)(struct slice value, struct room *room,
					struct client_cert *cert, const char **out_error);
} rules[] = {
	[CLIENT_CERT_RFC9440] = {"Client-Cert", false, rfc9440_read},
	[CLIENT_CERT_X_SSL_CERT] = {"X-SSL-Client-Cert", true, x_ssl_cert_read},
	[CLIENT_CERT_X_SSL_CN] = {"X-SSL-Client-CN", true, x_ssl_cn_read},
	[CLIENT_CERT_FORWARDED] = {"X-Forwarded-Client-Cert", false, forwarded_read},
};

enum client_cert_result client_cert_read(enum client_cert_rule rule_id,
					 const struct http_head *head, const uint8_t *data,
					 uint8_t *room, struct client_cert *out_cert,
					 const char **out_error)
{
	const struct rule *rule = &rules[rule_id];
	struct client_cert cert = {.dns_count = 0};
	enum client_cert_result result = CLIENT_CERT_OK;
	struct slice value;
	unsigned count = http_field_find(head, data, rule->field, &value);

	if (count == 0 || value.len == 0)
		return CLIENT_CERT_NONE;
	/* A proxy sets it; one that adds it has let the client's own pass. */
	if (count > 1)
		return bad("The field with the client's certificate is there more than once: let "
			   "the proxy replace what the client sends.",
			   out_error);
	if (rule->needs_verify)
		result = x_ssl_verify(head, data, out_error);
	if (result == CLIENT_CERT_OK)
		result = rule->read(value, &(struct room){room, CLIENT_CERT_ROOM}, &cert,
				    out_error);
	if (result == CLIENT_CERT_OK)
		*out_cert = cert;
	return result;
}

bool client_cert_is_field(struct slice name)
{
	static const char *const starts[] = {"X-SSL-Client-",
					     "SSL-Client-",
					     "X-Client-Cert",
					     "X-Forwarded-Client-Cert",
					     "X-Forwarded-Tls-Client-Cert",
					     "X-ARR-ClientCert"};

	if (slice_equals_nocase(name, SLICE_LITERAL("Client-Cert")) ||
	    slice_equals_nocase(name, SLICE_LITERAL("Client-Cert-Chain")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		if (slice_starts_nocase(name, starts[i]))
			return true;
	return false;
}
