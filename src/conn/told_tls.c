/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/told_tls.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "conn/conn.h"
#include "conn/hull.h"
#include "proto/client_cert.h"
#include "proto/proxy_tls.h"

void told_tls_destroy(struct told_tls **told)
{
	if (*told != NULL)
		tls_peer_facts_destroy(&(*told)->certificate);
	free(*told);
	*told = NULL;
}

/* Takes over the certificate. 0 or -ENOMEM. */
static int keep(struct conn *conn, const char *version, struct tls_peer_facts *certificate)
{
	CHECK(!conn->has_presence);
	told_tls_destroy(&conn->told);
	conn->told = calloc(1, sizeof(*conn->told));
	if (conn->told == NULL) {
		tls_peer_facts_destroy(&certificate);
		return -ENOMEM;
	}
	if (certificate != NULL)
		certificate->is_from_proxy = true;
	conn->told->certificate = certificate;
	conn->told->facts = (struct tcp_tls_facts){.version = version, .peer = certificate};
	return 0;
}

static int draft_finish(struct tls_peer_draft *draft, struct tls_peer_facts **out_facts)
{
	*out_facts = tls_peer_draft_finish(draft);
	return *out_facts == NULL ? -ENOMEM : 0;
}

/* The same text, for as long as the program runs. */
static const char *version_of(struct slice text)
{
	static const char *const versions[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	for (size_t i = 0; i < ARRAY_LEN(versions); i++)
		if (slice_equals(text, slice_from_text(versions[i])))
			return versions[i];
	return NULL;
}

/* --- the PROXY header --- */

/* As the errno says. */
static int header_certificate_read(const struct proxy_tls *tls, struct tls_peer_facts **out_facts)
{
	struct tls_peer_draft draft = {.not_after = 0};

	*out_facts = NULL;
	if (!tls->is_verified)
		return 0;
	if (tls->certificate.len > 0)
		return tls_peer_facts_read(tls->certificate, out_facts);
	if (tls->common_name.len == 0)
		return 0;
	tls_peer_draft_add(&draft, TLS_PEER_COMMON_NAME, tls->common_name);
	return draft_finish(&draft, out_facts);
}

int conn_told_by_header(struct conn *conn, const struct proxy_header *header,
			const char **out_error)
{
	struct tls_peer_facts *certificate;
	struct proxy_tls tls;

	if (conn_limits(conn)->client_certificate_header != CONFIG_TOLD_PROXY)
		return 0;
	const char *problem = proxy_tls_read(header->tlvs, &tls);

	if (problem != NULL) {
		*out_error = problem;
		return -EINVAL;
	}
	int r = header_certificate_read(&tls, &certificate);

	if (r == -EINVAL)
		*out_error = "has a certificate that is none";
	if (r < 0 || !tls.is_tls)
		return r;
	return keep(conn, version_of(tls.version), certificate);
}

/* --- fields of the request --- */

static void add_if_told(struct tls_peer_draft *draft, int kind, struct slice text)
{
	if (text.len > 0)
		tls_peer_draft_add(draft, kind, text);
}

/* Ours has lower-case digits. */
static void add_fingerprint(struct tls_peer_draft *draft, struct slice text)
{
	uint8_t lower[64];

	if (text.len != sizeof(lower))
		return;
	for (size_t i = 0; i < text.len; i++)
		lower[i] = (uint8_t)tolower(text.data[i]);
	tls_peer_draft_add(draft, TLS_PEER_FINGERPRINT, slice_of(lower, sizeof(lower)));
}

/* As the errno says. */
static int facts_of(const struct client_cert *cert, struct tls_peer_facts **out_facts)
{
	struct tls_peer_draft draft = {.not_after = 0};

	if (cert->certificate.len > 0)
		return tls_peer_facts_read(cert->certificate, out_facts);
	add_if_told(&draft, TLS_PEER_COMMON_NAME, cert->common_name);
	add_if_told(&draft, TLS_PEER_SUBJECT, cert->subject);
	add_fingerprint(&draft, cert->fingerprint);
	for (size_t i = 0; i < cert->dns_count; i++)
		tls_peer_draft_add(&draft, TLS_PEER_DNS, cert->dns[i]);
	for (size_t i = 0; i < cert->uri_count; i++)
		tls_peer_draft_add(&draft, TLS_PEER_URI, cert->uris[i]);
	return draft_finish(&draft, out_facts);
}

/* In the order of enum config_told. */
static const int rules[] = {
	[CONFIG_TOLD_NONE] = -1,
	[CONFIG_TOLD_PROXY] = -1,
	[CONFIG_TOLD_CLIENT_CERT] = CLIENT_CERT_RFC9440,
	[CONFIG_TOLD_X_SSL_CERT] = CLIENT_CERT_X_SSL_CERT,
	[CONFIG_TOLD_X_SSL_CN] = CLIENT_CERT_X_SSL_CN,
	[CONFIG_TOLD_FORWARDED] = CLIENT_CERT_FORWARDED,
};

static int fields_read(enum client_cert_rule rule, const struct conn_request *request,
		       uint8_t *room, struct tls_peer_facts **out_facts, const char **out_error)
{
	struct client_cert cert;

	switch (client_cert_read(rule, request->head, request->data, room, &cert, out_error)) {
	case CLIENT_CERT_NONE:
		return 0;
	case CLIENT_CERT_BAD:
		return -EINVAL;
	case CLIENT_CERT_OK:
		break;
	}
	int r = facts_of(&cert, out_facts);

	if (r == -EINVAL)
		*out_error = "The field with the client's certificate has one that cannot be read: "
			     "it is not X.509.";
	return r;
}

/* *out_facts is NULL if nothing is told. */
static int certificate_read(const struct conn *conn, const struct conn_request *request,
			    struct tls_peer_facts **out_facts, const char **out_error)
{
	int rule = rules[conn_limits(conn)->client_certificate_header];

	*out_facts = NULL;
	if (rule < 0)
		return 0;
	uint8_t *room = malloc(CLIENT_CERT_ROOM);

	if (room == NULL)
		return -ENOMEM;
	int r = fields_read((enum client_cert_rule)rule, request, room, out_facts, out_error);

	free(room);
	return r;
}

/* What a trusted proxy says once: if more than it had a say, nobody knows who was asked. */
static bool is_forwarded_tls(const struct conn_request *request)
{
	struct slice proto;

	return http_field_find(request->head, request->data, "X-Forwarded-Proto", &proto) == 1 &&
	       (slice_equals_nocase(proto, SLICE_LITERAL("https")) ||
		slice_equals_nocase(proto, SLICE_LITERAL("wss")));
}

int conn_told_by_request(struct conn *conn, const struct conn_request *request,
			 const char **out_error)
{
	struct tls_peer_facts *certificate;

	if (!conn_client_is_trusted(conn))
		return 0;
	int r = certificate_read(conn, request, &certificate, out_error);

	if (r < 0 || (certificate == NULL && !is_forwarded_tls(request)))
		return r;
	return keep(conn, NULL, certificate);
}

/* --- what counts --- */

const struct tcp_tls_facts *conn_tls_facts(const struct conn *conn)
{
	CHECK(!conn->has_presence);
	if (conn->told != NULL)
		return &conn->told->facts;
	/* A proxy's own TLS is none of its client's, whatever it says, or is made to say, of where
	 * that comes from. */
	if (conn->is_from_proxy)
		return NULL;
	return tcp_tls_facts(&conn->tcp);
}

struct told_tls *conn_told_take(struct conn *conn)
{
	CHECK(!conn->has_presence);
	struct told_tls *told = conn->told;

	conn->told = NULL;
	return told;
}
