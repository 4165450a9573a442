/* SPDX-License-Identifier: Apache-2.0
 * tls_failure.h - why a TLS connection did not come about, or ended, in kinds that can be counted
 * and explained.
 *
 * Layer: tls. Plain data. Who complained and whose fault it is are two things: an alert
 * (RFC 8446, 6.2) is the peer's complaint about us. */
#pragma once

#include <stdbool.h>

/* X(NAME, label, text) */
#define TLS_TROUBLES(X)                                                                 \
	X(OTHER, "other", "TLS failed")                                                 \
	X(NOT_TLS, "not_tls", "what came is no TLS")                                    \
	X(VERSION, "version", "no version of TLS in common")                            \
	X(SUITE, "suite", "no cipher suite, group or signature algorithm in common")    \
	X(SERVER_NAME, "server_name", "no certificate for the name that was asked for") \
	X(NO_CERTIFICATE, "no_certificate", "no client certificate was shown")          \
	X(ISSUER, "issuer", "the certificate's issuer is not known")                    \
	X(EXPIRED, "expired", "the certificate has expired")                            \
	X(NOT_YET_VALID, "not_yet_valid", "the certificate is not valid yet")           \
	X(REVOKED, "revoked", "the certificate is revoked")                             \
	X(WRONG_NAME, "wrong_name", "the certificate is for other names")               \
	X(CERTIFICATE, "certificate", "the certificate is not accepted")                \
	X(RECORD, "record", "a record broke the protocol")                              \
	X(PLAIN_HTTP, "plain_http", "plain HTTP was spoken to a port for TLS")          \
	X(ALPN, "alpn", "no protocol above TLS in common: http/1.1 is spoken here")     \
	X(TIMEOUT, "timeout", "the handshake was not complete in time")                 \
	X(CLOSED, "closed", "the peer closed before the handshake was complete")        \
	X(MEMORY, "memory", "out of memory")

enum tls_trouble {
#define TLS_TROUBLE_VALUE(name, label, text) TLS_TROUBLE_##name,
	TLS_TROUBLES(TLS_TROUBLE_VALUE)
#undef TLS_TROUBLE_VALUE
		TLS_TROUBLE_COUNT
};

struct tls_failure {
	char reason[128]; /* OpenSSL's words, or ours */
	enum tls_trouble trouble;
	const char *version; /* agreed on, else what the client's hello names (TLS 1.3 calls itself
				1.2 there); NULL: none came; static text */
	int alert;           /* that was sent, or came; -1: none */
	bool is_from_peer;
	bool was_secured; /* it had come about */
};

/* For metrics, and for people. Static text. */
const char *tls_trouble_label(enum tls_trouble trouble);
const char *tls_trouble_text(enum tls_trouble trouble);

/* By OpenSSL's error code (0: none), and the result of verifying the peer's certificate. */
enum tls_trouble tls_trouble_of_error(unsigned long code, long verified);

/* By an alert that came. */
enum tls_trouble tls_trouble_of_alert(int alert);
