/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy_tls.h"

#include "base/bytes.h"
#include "base/check.h"
#include "proto/proxy_header.h"

/* Types, as the specification of the PROXY protocol numbers them (2.2). */
#define TYPE_AUTHORITY 0x02
#define TYPE_SSL       0x20

/* Within TYPE_SSL. */
#define SUBTYPE_VERSION     0x21
#define SUBTYPE_CN          0x22
#define SUBTYPE_CIPHER      0x23
#define SUBTYPE_CERTIFICATE 0x28

#define SSL_HEAD_SIZE 5 /* flags, and four bytes: 0 if the certificate is verified */

enum { FLAG_TLS = 1, FLAG_CERTIFICATE = 2, FLAG_CERTIFICATE_OF_SESSION = 4 };

static bool take_once(struct slice *to, struct slice value)
{
	if (to->data != NULL)
		return false;
	*to = value;
	return true;
}

static struct slice *member_of(struct proxy_tls *tls, uint8_t subtype)
{
	switch (subtype) {
	case SUBTYPE_VERSION:
		return &tls->version;
	case SUBTYPE_CN:
		return &tls->common_name;
	case SUBTYPE_CIPHER:
		return &tls->suite;
	case SUBTYPE_CERTIFICATE:
		return &tls->certificate;
	default:
		return NULL;
	}
}

/* Like the specification, what there is no flag for is not looked at. */
static const char *ssl_read(struct slice value, struct proxy_tls *tls)
{
	struct slice rest, part;
	uint8_t subtype;

	if (value.len < SSL_HEAD_SIZE)
		return "has a TLV about TLS (0x20) of less than 5 bytes";
	rest = slice_of(value.data + SSL_HEAD_SIZE, value.len - SSL_HEAD_SIZE);
	while (proxy_tlv_next(&rest, &subtype, &part)) {
		struct slice *member = member_of(tls, subtype);

		if (member != NULL && !take_once(member, part))
			return "says something about TLS twice";
	}
	if (rest.len > 0)
		return "has TLVs about TLS that do not fit into theirs (0x20)";
	unsigned flags = value.data[0];

	tls->is_tls = (flags & FLAG_TLS) != 0;
	tls->has_certificate = tls->is_tls &&
			       (flags & (FLAG_CERTIFICATE | FLAG_CERTIFICATE_OF_SESSION)) != 0;
	tls->is_verified = tls->has_certificate && be_read(value.data + 1, 4) == 0;
	return NULL;
}

const char *proxy_tls_read(struct slice tlvs, struct proxy_tls *out_tls)
{
	struct proxy_tls tls = {.is_tls = false};
	struct slice value;
	uint8_t type;
	bool has_ssl = false;

	while (proxy_tlv_next(&tlvs, &type, &value)) {
		const char *problem = NULL;

		if (type == TYPE_SSL && has_ssl)
			return "has two TLVs about TLS (0x20)";
		if (type == TYPE_SSL) {
			has_ssl = true;
			problem = ssl_read(value, &tls);
		} else if (type == TYPE_AUTHORITY && !take_once(&tls.server_name, value)) {
			problem = "names two authorities (0x02)";
		}
		if (problem != NULL)
			return problem;
	}
	*out_tls = tls;
	return NULL;
}
