/* SPDX-License-Identifier: Apache-2.0
 * client_cert.h - a client's certificate, as a proxy that ended its TLS tells of it in the request.
 *
 * Layer: proto. Pure functions: no I/O, no allocation. What a field says is its sender's word:
 * believe it only from a trusted proxy, and only the one field that this proxy is known to set
 * whatever the client sends. A client may send all the others, with the certificate of somebody
 * else, which is no secret. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http_head.h"

/* Which field is believed. */
enum client_cert_rule {
	/* RFC 9440: ":" and the base64 of the DER and ":". Client-Cert-Chain is not looked at: the
	 * proxy has verified it. */
	CLIENT_CERT_RFC9440,
	/* X-SSL-Client-Cert: percent-encoded PEM (nginx: $ssl_client_escaped_cert) or the base64 of
	 * the DER (HAProxy: ssl_c_der,base64), with X-SSL-Client-Verify (SUCCESS, or 0). */
	CLIENT_CERT_X_SSL_CERT,
	/* X-SSL-Client-CN (HAProxy: ssl_c_s_dn(cn)), with the same X-SSL-Client-Verify. */
	CLIENT_CERT_X_SSL_CN,
	/* X-Forwarded-Client-Cert, of Envoy; of its elements the last, which is the trusted
	 * proxy's own. */
	CLIENT_CERT_FORWARDED,
};

#define CLIENT_CERT_ROOM      16384 /* [bytes] enough for what any field that is read can hold */
#define CLIENT_CERT_NAMES_MAX 64

/* The slices lie in the request or in `room`, and are empty if nothing is told. With the
 * certificate itself nothing else is taken. */
struct client_cert {
	struct slice certificate; /* DER; not looked into */
	struct slice common_name;
	struct slice subject;     /* RFC 2253 */
	struct slice fingerprint; /* SHA-256 in hex */
	struct slice dns[CLIENT_CERT_NAMES_MAX];
	struct slice uris[CLIENT_CERT_NAMES_MAX];
	size_t dns_count;
	size_t uri_count;
};

enum client_cert_result {
	CLIENT_CERT_NONE, /* the client has shown none, or none that the proxy found good */
	CLIENT_CERT_OK,
	CLIENT_CERT_BAD, /* the field is not as the rule has it */
};

/* CLIENT_CERT_OK fills *out_cert; CLIENT_CERT_BAD sets *out_error to a sentence (static text);
 * nothing else is written but `room`, which has CLIENT_CERT_ROOM bytes. */
enum client_cert_result client_cert_read(enum client_cert_rule rule, const struct http_head *head,
					 const uint8_t *data, uint8_t *room,
					 struct client_cert *out_cert, const char **out_error);

/* Is it one of the fields by which proxies tell of certificates, of any rule or of none? */
bool client_cert_is_field(struct slice name);
