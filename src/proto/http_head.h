/* SPDX-License-Identifier: Apache-2.0
 * http_head.h - a strict, resumable parser for HTTP/1.1 message heads (RFC 9112).
 *
 * Layer: proto. No I/O, no allocation. The caller keeps the bytes of the head
 * contiguous from its first byte on and calls again with more of them; the parser
 * remembers how far it came, so that a head that trickles in costs linear time.
 * Positions are offsets, so the bytes may move between calls.
 *
 * Strict: lines end in CRLF; no bare LF or CR, no folding, no space before the
 * colon, no control characters in values; HTTP/1.0 is told apart, other versions
 * are refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define HTTP_FIELDS_MAX 64

struct http_limits {
	uint32_t max_line;   /* [bytes] one line without CRLF */
	uint32_t max_fields; /* at most HTTP_FIELDS_MAX */
	uint32_t max_total;  /* [bytes] the whole head; at most 65535 */
};

struct http_field {
	uint16_t name_at;
	uint16_t name_len;
	uint16_t value_at; /* without the white space around */
	uint16_t value_len;
};

enum http_kind { HTTP_REQUEST, HTTP_RESPONSE };

struct http_head {
	enum http_kind kind;
	uint32_t scanned;               /* [bytes] looked at for the end of the line */
	uint32_t line_at;               /* where the current line starts */
	uint16_t method_at, method_len; /* requests */
	uint16_t target_at, target_len; /* requests; as it came */
	uint16_t status;                /* responses: 100..599 */
	uint16_t reason_at, reason_len; /* responses */
	uint8_t minor_version;          /* HTTP/1.0 or 1.1 */
	bool has_start_line;
	uint16_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
};

enum http_result {
	HTTP_MORE, /* good so far */
	HTTP_OK,   /* complete */
	HTTP_BAD,  /* see http_error */
};

struct http_error {
	uint16_t status;    /* what a server answers: 400, 414, 431, 501, 505 */
	const char *detail; /* one sentence; static text */
};

extern const struct http_limits http_limits_default; /* 8 KiB, 64 fields, 16 KiB */

void http_head_init(struct http_head *head, enum http_kind kind);

/* Empty lines that a client may send before its request (RFC 9112, 2.2); some end the body
 * of the request before with one. */
#define HTTP_BLANK_MAX 16 /* [bytes] */

/* Parses on. `data`, `len`: everything from the first byte of the head. On HTTP_OK
 * *out_used is the size of the head with its empty line; on HTTP_BAD *out_error is
 * filled; else neither is written. Before a request HTTP_BLANK_MAX bytes of empty lines are
 * skipped, also such as end in LF alone; they are a part of the head's size.
 *
 * A request must have one valid Host (none is good with HTTP/1.0), at most one
 * Content-Length, and that not beside a Transfer-Encoding, which must end in "chunked",
 * once, and needs HTTP/1.1: all else is 400, and a coding other than chunked 501. The
 * target is a path, or a URL of http, https, ws or wss, or with OPTIONS "*"; "host:port"
 * is 400. */
enum http_result http_head_parse(struct http_head *head, const struct http_limits *limits,
				 const uint8_t *data, size_t len, size_t *out_used,
				 struct http_error *out_error);

/* Is this an answer that only announces another one, which follows (RFC 9110, 15.2)? */
static inline bool http_is_interim(const struct http_head *head)
{
	return head->status < 200 && head->status != 101;
}

/* Views into the same bytes. */
struct slice http_method(const struct http_head *head, const uint8_t *data);
struct slice http_target(const struct http_head *head, const uint8_t *data);

/* Is there a field of this name? */
bool http_has_field(const struct http_head *head, const uint8_t *data, const char *name);

/* Whom the request is for: the authority of an absolute URL, which takes precedence
 * (RFC 9112, 3.2.2), else the Host; empty if there is neither. */
struct slice http_host(const struct http_head *head, const uint8_t *data);

/* What follows a request's head. */
struct http_body {
	enum { HTTP_BODY_NONE, HTTP_BODY_LENGTH, HTTP_BODY_CHUNKED } kind;
	uint64_t len; /* HTTP_BODY_LENGTH: at least 1; too large a number is UINT64_MAX */
};
struct http_body http_request_body(const struct http_head *head, const uint8_t *data);

/* Does the client want to go on with this connection after the answer? With HTTP/1.0 it
 * has to ask for it (RFC 9112, 9.3). */
bool http_is_persistent(const struct http_head *head, const uint8_t *data);

/* The target without the query; of an absolute URL its path ("/" if it has none; "*" with
 * OPTIONS). */
struct slice http_path(const struct http_head *head, const uint8_t *data);

/* What stands behind the first '?' of the target; empty if there is none. */
struct slice http_query(const struct http_head *head, const uint8_t *data);

/* How many fields have this name; *out_value is the first one's value (untouched
 * if none). */
unsigned http_field_find(const struct http_head *head, const uint8_t *data, const char *name,
			 struct slice *out_value);

/* Is `token` in the comma-separated lists of all fields with this name? Compares
 * without case (RFC 9110, 5.6.1). */
bool http_field_has_token(const struct http_head *head, const uint8_t *data, const char *name,
			  const char *token);

/* The same, with case. */
bool http_field_has_item(const struct http_head *head, const uint8_t *data, const char *name,
			 const char *item);
