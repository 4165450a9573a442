/* SPDX-License-Identifier: Apache-2.0
 * net_ip.h - addresses without a port, and prefixes of them.
 *
 * Layer: base. Pure functions: no descriptor, no look-up of names. IPv4 and IPv6 are
 * one kind of value: 128 bits, so that they can be compared, cut and counted alike. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/net_addr.h"
#include "base/slice.h"

#define NET_IP_BITS    128
#define NET_IP_V4_BITS 96 /* ::ffff:0:0/96, below which the 32 bits of IPv4 are */

/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" and a NUL; with "/128". */
#define NET_IP_TEXT_MAX     46
#define NET_PREFIX_TEXT_MAX (NET_IP_TEXT_MAX + 4)

struct net_ip {
	uint8_t bytes[NET_IP_BITS / 8]; /* IPv4 as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2) */
};

struct net_prefix {
	struct net_ip ip; /* no bit behind the first `bits` is set */
	uint8_t bits;     /* 0..128; of an IPv4 prefix 96 more than in its text */
};

/* The client of a unix socket has none: all bits are zero (::), which no peer on a network has. */
struct net_ip net_ip_of(const struct net_addr *addr);
bool net_ip_is_unix(const struct net_ip *ip);
bool net_ip_is_v4(const struct net_ip *ip);
bool net_ip_is_loopback(const struct net_ip *ip); /* 127.0.0.0/8 or ::1 */
bool net_ip_equals(const struct net_ip *a, const struct net_ip *b);

/* The first `bits` (at most 128), then zeros. */
struct net_ip net_ip_cut(const struct net_ip *ip, unsigned bits);

/* Numeric, without brackets, port or scope. "::ffff:192.0.2.1" is 192.0.2.1. Writes
 * *out only on success. */
bool net_ip_parse(struct slice text, struct net_ip *out);

/* IPv4 in its dotted form; "unix:" for the client of a unix socket. Returns `out`; NET_IP_TEXT_MAX
 * bytes are always enough. */
char *net_ip_format(const struct net_ip *ip, char *out, size_t size);

/* "192.0.2.1:1234", "[::1]:1234"; with port 0, which is none, as net_ip_format. Returns `out`. */
#define NET_IP_PORT_TEXT_MAX (NET_IP_TEXT_MAX + 8)
char *net_ip_port_format(const struct net_ip *ip, uint16_t port, char *out, size_t size);

/* "10.0.0.0/8", "fd00::/8", or one address: "10.1.2.3", "::1"; or "unix:", the clients of unix
 * sockets. Returns NULL and fills
 * *out, or a sentence fragment that says what is wrong; it is good until the next call
 * in this thread. */
const char *net_prefix_parse(struct slice text, struct net_prefix *out);

/* "::/0" is IPv6 only: an IPv4 address is never in a prefix shorter than 96 bits. */
bool net_prefix_has(const struct net_prefix *prefix, const struct net_ip *ip);

/* Always with its length, but for "unix:". Returns `out`; NET_PREFIX_TEXT_MAX bytes are always
 * enough. */
char *net_prefix_format(const struct net_prefix *prefix, char *out, size_t size);
