/* SPDX-License-Identifier: Apache-2.0
 * proxy_header.h - the PROXY protocol, versions 1 and 2, as a receiver reads it.
 *
 * Layer: proto. Pure function: no I/O, no allocation, no state. What a header says is
 * the sender's word: believe it only from a trusted address.
 *
 * Version 1 is taken strictly: exactly single spaces, CRLF, addresses of the family
 * that is named, ports without leading zeros. Of UNKNOWN all up to the CRLF is skipped.
 *
 * Of version 2 the lengths of addresses and TLVs have to fit, and a CRC32c has to be right;
 * what else is in the TLVs is for proxy_tls.h. As the specification asks, a
 * LOCAL header is skipped whole. A source of TCP or UDP is taken (a proxy may speak
 * HTTP/3 with its clients); of unspecified families and of Unix sockets there is none. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net_addr.h"
#include "base/slice.h"

#define PROXY_V1_MAX 107 /* [bytes] with CRLF; set by the specification */

/* [bytes] The largest header that is taken. The specification has senders keep to 552
 * (16 and 536). All that it defines, with a Unix address and a long name in each TLV,
 * stays below 2048; a sender that puts whole certificates in does not. */
#define PROXY_HEADER_MAX 2048

enum proxy_result {
	PROXY_ABSENT, /* the bytes do not begin a header: they are the client's */
	PROXY_MORE,   /* good so far; never with PROXY_HEADER_MAX bytes */
	PROXY_OK,
	PROXY_BAD, /* a header that cannot be believed: close */
};

struct proxy_header {
	bool has_source; /* false: LOCAL, UNKNOWN or a family that is not IP */
	struct net_addr source;
	struct slice tlvs; /* of version 2; lies in the header */
};

/* Parses the header at the start of `data`; after PROXY_MORE call again with the same
 * bytes and more of them. On PROXY_OK fills *out_header and sets *out_used to its size;
 * on PROXY_BAD sets *out_error to a sentence fragment (static text) to put behind "the
 * PROXY header"; else writes nothing. */
enum proxy_result proxy_header_parse(const uint8_t *data, size_t len,
				     struct proxy_header *out_header, size_t *out_used,
				     const char **out_error);

/* Takes the next TLV off *rest; false if there is no whole one. */
bool proxy_tlv_next(struct slice *rest, uint8_t *out_type, struct slice *out_value);
