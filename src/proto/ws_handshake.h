/* SPDX-License-Identifier: Apache-2.0
 * ws_handshake.h - the opening handshake of RFC 6455 (4.1, 4.2), both sides.
 *
 * Layer: proto. No I/O. SHA-1 and base64 are OpenSSL's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/http_head.h"

#define WS_KEY_LEN    24 /* base64 of 16 bytes */
#define WS_ACCEPT_LEN 28 /* base64 of a SHA-1 */

enum ws_upgrade_result {
	WS_UPGRADE_OK,    /* a good request for a WebSocket */
	WS_UPGRADE_NONE,  /* an ordinary HTTP request: it does not ask for one */
	WS_UPGRADE_ERROR, /* asks for one, wrongly: answer with *out_error */
};

struct ws_upgrade {
	struct slice key;    /* points into the request; WS_KEY_LEN bytes */
	struct slice origin; /* empty if not sent */
};

/* Checks a parsed request against RFC 6455, 4.2.1: GET, HTTP/1.1, one Host, Upgrade
 * has "websocket", Connection has "Upgrade", one Sec-WebSocket-Key that decodes to
 * 16 bytes, Sec-WebSocket-Version 13 (else status 426, to be answered with
 * "Sec-WebSocket-Version: 13"), and no body (status 400; "Content-Length: 0" is none). 405
 * for another method. A key without an Upgrade is an error too: a proxy on
 * the way has dropped it, and the answer says so. Fills *out_upgrade only
 * on WS_UPGRADE_OK, *out_error only on WS_UPGRADE_ERROR. */
enum ws_upgrade_result ws_upgrade_check(const struct http_head *head, const uint8_t *data,
					struct ws_upgrade *out_upgrade,
					struct http_error *out_error);

/* Has OpenSSL load what the digest needs, some milliseconds' work and 2 MB of pages, which else the
 * first handshake would do; and sees that it digests as RFC 6455, 1.3, says. */
void ws_handshake_prepare(void);

/* Sec-WebSocket-Accept for a key, without a NUL. */
void ws_accept_value(struct slice key, char out[WS_ACCEPT_LEN]);

/* Finds the first of `ours`, an array of NUL-terminated names with the best first, that is
 * among the client's. False: there is none in common. An item of the client's list that is
 * empty, repeated or no token is none that we speak, and so no harm (RFC 9110, 5.6.1). */
bool ws_subprotocol_choose(const struct http_head *head, const uint8_t *data,
			   const char *const *ours, size_t ours_count, size_t *out_index);

/* True if the client sent a Sec-WebSocket-Protocol header at all. */
bool ws_subprotocol_is_asked(const struct http_head *head, const uint8_t *data);

/* Values of header fields; NULL: it has none of them. */
struct ws_response {
	const char *subprotocol;
	const char *extensions; /* ws_extensions.h */
	const char *date;
};

/* Writes the 101 answer. Returns its size, or 0 if `size` is too small (256 bytes + the
 * subprotocol and the extensions are enough). */
size_t ws_response_write(char *out, size_t size, struct slice key,
			 const struct ws_response *response);

/* --- client --- */

struct ws_request {
	const char *host;         /* "127.0.0.1:8080" */
	const char *target;       /* "/ws/dev-1?x=y" */
	const char *subprotocols; /* "a, b" or NULL */
	const char *extensions;   /* or NULL */
	const char *headers;      /* further lines, each ending in CRLF, or NULL */
};

/* Writes the request for a random 16-byte nonce, whose base64 goes to out_key
 * (without a NUL). Returns its size, or 0 if `size` is too small. */
size_t ws_request_write(char *out, size_t size, const struct ws_request *request,
			const uint8_t nonce[16], char out_key[WS_KEY_LEN]);

/* Checks a parsed 101 answer (4.1): Upgrade, Connection, the accept value for `key`,
 * at most one subprotocol and only from `subprotocols` (the text of the request, or
 * NULL). Returns NULL if it is good, else what is wrong. Not for other statuses. Its extensions
 * are for ws_deflate_accept. */
const char *ws_response_check(const struct http_head *head, const uint8_t *data,
			      const char key[WS_KEY_LEN], const char *subprotocols);
