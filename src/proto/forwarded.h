/* SPDX-License-Identifier: Apache-2.0
 * forwarded.h - who the client is behind proxies that speak HTTP.
 *
 * Layer: proto. Pure function: no I/O, no allocation. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/net_ip.h"
#include "proto/http_head.h"

/* At most so many elements are read. A chain of proxies is a handful long; what is
 * farther to the left comes from the client. */
#define FORWARDED_ELEMENTS_MAX 32

/* The client's address: from Forwarded (RFC 7239) or X-Forwarded-For. `peer` is the other
 * end of the connection. As long as the address last known is in one of the trusted
 * prefixes, the element to the left of it is its word for whom it speaks. An element that is no
 * address ("unknown", "_hidden", a mistake) ends the walk as the leftmost one does: the address
 * last known counts.
 *
 * The list is read from its right end, so that nothing that a client wrote, quotes that
 * stay open among it, can change how the elements of the proxies behind it are read.
 * Fields of one name are one list in their order (RFC 9110, 5.3); empty elements do not
 * count. In both fields an element is an address, bracketed if it is IPv6 with a port;
 * Forwarded may leave out the quotes and brackets that RFC 7239 asks for, since proxies
 * do, and one that is not understood would make all its clients look like one.
 *
 * Most proxies write one of the two fields and let a client's own other one pass. So if
 * both are there and do not agree, neither is believed and the peer counts: a client can
 * pass for its proxy, but not for another client. */
struct net_ip forwarded_client(const struct http_head *head, const uint8_t *data,
			       const struct net_ip *peer, const struct net_prefix *trusted,
			       size_t trusted_count);
