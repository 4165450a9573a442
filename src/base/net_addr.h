/* SPDX-License-Identifier: Apache-2.0
 * net_addr.h - socket addresses as text and back.
 *
 * Layer: base. Pure functions: no descriptor, no look-up of names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <netinet/in.h>

#include "base/slice.h"

struct net_addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
};

/* "[" 45 characters "%" scope "]:65535" and a NUL. */
#define NET_ADDR_TEXT_MAX 80

/* Numeric only: "127.0.0.1:8080", "[::1]:8080", ":8080" (all IPv4). Returns NULL
 * and fills *out, or a sentence fragment that says what is wrong. */
const char *net_addr_parse(struct slice text, struct net_addr *out);

char *net_addr_format(const struct net_addr *addr, char *out, size_t size);
socklen_t net_addr_len(const struct net_addr *addr);
uint16_t net_addr_port(const struct net_addr *addr);
void net_addr_set_port(struct net_addr *addr, uint16_t port);

/* 0.0.0.0 or ::. */
bool net_addr_is_wildcard(const struct net_addr *addr);

/* 127.0.0.0/8 or ::1. */
bool net_addr_is_loopback(const struct net_addr *addr);
