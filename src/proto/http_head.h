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

/* Parses on. `data`, `len`: everything from the first byte of the head. On HTTP_OK
 * *out_used is the size of the head with its empty line; on HTTP_BAD *out_error is
 * filled; else neither is written. An empty line before a request is not
 * tolerated.
 *
 * A request must have one valid Host (none is good with HTTP/1.0), at most one
 * Content-Length, and that not beside a Transfer-Encoding: all else is 400. The
 * target is a path or an http URL; "*" and "host:port" are 400. */
enum http_result http_head_parse(struct http_head *head, const struct http_limits *limits,
				 const uint8_t *data, size_t len, size_t *out_used,
				 struct http_error *out_error);

/* Views into the same bytes. */
struct slice http_method(const struct http_head *head, const uint8_t *data);
struct slice http_target(const struct http_head *head, const uint8_t *data);

/* Is there a field of this name? */
bool http_has_field(const struct http_head *head, const uint8_t *data, const char *name);

/* The target without the query; of an absolute URL its path ("/" if it has none). */
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
