/* SPDX-License-Identifier: Apache-2.0
 * tls_hello.h - is this a client that speaks TLS?
 *
 * Layer: proto. Pure function. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Could the bytes, perhaps only the first of them, be the start of a ClientHello (RFC 8446,
 * 4.1.2, 5.1)? No request of HTTP begins like it. */
static inline bool tls_is_hello(const uint8_t *data, size_t len)
{
	enum { HANDSHAKE = 22, CLIENT_HELLO = 1, TYPE_AT = 5 };

	return len > 0 && data[0] == HANDSHAKE && (len < 2 || data[1] == 3) &&
	       (len < 3 || data[2] <= 4) && (len <= TYPE_AT || data[TYPE_AT] == CLIENT_HELLO);
}
