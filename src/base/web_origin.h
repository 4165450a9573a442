/* SPDX-License-Identifier: Apache-2.0
 * web_origin.h - whose page asks: scheme, host and port (RFC 6454), and what may be compared
 * with it.
 *
 * Layer: base, because both the configuration and the upgrade read them. Pure functions: no
 * allocation; what is parsed points into the text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/net_ip.h"
#include "base/slice.h"

/* [bytes] A name has at most 253. */
#define WEB_ORIGIN_MAX 320

struct web_origin {
	struct slice scheme;
	struct slice host; /* of a pattern "*.example.com": "example.com" */
	struct net_ip ip;  /* is_ip6: what stands between the brackets */
	uint16_t port;     /* 0: none is written, and the scheme has none of its own */
	bool is_ip6;
	bool is_wild; /* one label stands before the host */
};

/* "https://example.com:8443", as a browser sends it in Origin (RFC 6454, 6.2), in any case, its
 * port also where it is the scheme's own. Strict: one origin, no path, no user, no space, names of
 * ASCII. "null" is none. Returns NULL and fills *out, or a sentence fragment (static text) that
 * says what is wrong. */
const char *web_origin_parse(struct slice text, struct web_origin *out);

/* The same for a configuration: the first label may be "*", for any one label. At least two
 * labels follow it. */
const char *web_origin_parse_pattern(struct slice text, struct web_origin *out);

/* The origin of pages that come from this host, "example.com" or "[::1]:8080", by this scheme.
 * False: the host is none. */
bool web_origin_of_host(struct slice scheme, struct slice host, struct web_origin *out);

/* Is the origin, which is no pattern, this one, or one that the pattern stands for? Names and
 * schemes without case, ports by number, IPv6 addresses by value. A dot at the end of a name
 * counts, as it does for browsers. */
bool web_origin_matches(const struct web_origin *pattern, const struct web_origin *origin);
