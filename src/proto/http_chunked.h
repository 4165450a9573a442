/* SPDX-License-Identifier: Apache-2.0
 * http_chunked.h - the body of a message with "Transfer-Encoding: chunked" (RFC 9112, 7.1).
 *
 * Layer: proto. No I/O, no allocation, no copy: the data is handed out where it lies.
 * Extensions and trailers are checked and forgotten. As strict as http_head.h: lines end in
 * CRLF, and what two readers could take for two things is an error. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* [bytes] over the whole body: of what is neither data nor the size of a chunk, so that
 * nobody sends without end what nobody wants; and of the trailers. */
#define HTTP_CHUNK_EXTENSIONS_MAX 4096
#define HTTP_TRAILERS_MAX         8192

/* [bytes] of the digits of one size. */
#define HTTP_CHUNK_DIGITS_MAX 16

struct http_chunked {
	uint64_t left;           /* [bytes] of the chunk under way */
	uint32_t extensions_len; /* [bytes] so far */
	uint32_t trailers_len;   /* [bytes] so far */
	uint8_t digit_count;     /* of the size under way */
	uint8_t state;
	const char *problem; /* NULL: none so far; static text */
};

enum http_chunked_event {
	HTTP_CHUNKED_MORE, /* all input is taken */
	HTTP_CHUNKED_DATA, /* *out_data has the next piece */
	HTTP_CHUNKED_END,  /* the body is complete; what is left of the input is not its own */
	HTTP_CHUNKED_BAD,  /* see `problem`; every further call says so again */
};

void http_chunked_init(struct http_chunked *chunked);

/* Takes input up to the end of the next event, and advances *in and *len past it. Call again
 * until another event than HTTP_CHUNKED_DATA. *out_data is written with that only: a view of
 * the input, never empty. */
enum http_chunked_event http_chunked_next(struct http_chunked *chunked, const uint8_t **in,
					  size_t *len, struct slice *out_data);
