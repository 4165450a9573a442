/* SPDX-License-Identifier: Apache-2.0
 * ws_extensions.h - what two sides agree on about permessage-deflate (RFC 6455, 9; RFC 7692, 5
 * and 7.1).
 *
 * Layer: proto. Pure functions: no allocation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/http_head.h"

#define WS_WINDOW_BITS_MIN 8
#define WS_WINDOW_BITS_MAX 15

/* What was agreed on, from our side: `out` is what we send, `in` what the peer does. All zeros:
 * no compression. */
struct ws_deflate_terms {
	uint8_t out_bits; /* of the window: WS_WINDOW_BITS_MIN..WS_WINDOW_BITS_MAX */
	uint8_t in_bits;
	bool keeps_out; /* the window goes on from message to message ("context takeover") */
	bool keeps_in;
	/* The answer says how many bits: only to a client that has spoken of them, since some
	 * know nothing of them. A smaller window than was agreed on is always right. */
	bool names_out_bits;
	bool names_in_bits;
};

static inline bool ws_deflate_is_on(const struct ws_deflate_terms *terms)
{
	return terms->out_bits != 0;
}

/* --- server --- */

/* What we would like. */
struct ws_deflate_policy {
	bool keeps_windows;
	uint8_t window_bits; /* of those that are kept, at most */
};

/* Takes the first offer that can be granted. An offer with an unknown parameter, one that stands
 * twice, or a value that is none is declined, as an extension that we do not know (RFC 7692, 5.1
 * and 7.1); so is what cannot be read at all: whoever writes it goes on without compression.
 *
 * A window of the client's is kept only if it is no larger than policy->window_bits, which the
 * client must have offered to see to. False: none; *out_terms are all zeros then. */
bool ws_deflate_choose(const struct http_head *head, const uint8_t *data,
		       const struct ws_deflate_policy *policy, struct ws_deflate_terms *out_terms);

/* The same terms without windows that are kept, which any client must take (RFC 7692, 7.1.1). */
struct ws_deflate_terms ws_deflate_without_windows(const struct ws_deflate_terms *terms);

/* "permessage-deflate; server_no_context_takeover; ...", with a NUL. */
#define WS_DEFLATE_TEXT_MAX 160
char *ws_deflate_text(const struct ws_deflate_terms *terms, char out[WS_DEFLATE_TEXT_MAX]);

/* --- client --- */

/* What a client offers that keeps no windows. */
#define WS_DEFLATE_OFFER \
	"permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* Whether an answer's extensions are good for a client that has sent WS_DEFLATE_OFFER or, with
 * `has_offered` false, none. Returns NULL and fills *out_terms, or what is wrong. */
const char *ws_deflate_accept(const struct http_head *head, const uint8_t *data, bool has_offered,
			      struct ws_deflate_terms *out_terms);
