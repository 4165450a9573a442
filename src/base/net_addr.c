/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net_addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

/* Copies a part of the text as a NUL-terminated word; false if it does not fit. */
static bool copy_word(struct slice text, char *out, size_t size)
{
	if (text.len >= size || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(out, text.data, text.len);
	out[text.len] = 0;
	return true;
}

static const char *port_parse(struct slice text, uint16_t *out_port)
{
	uint64_t port;

	if (text.len == 0 || units_parse_count(text, &port) != UNITS_OK)
		return "has no port number behind the colon";
	if (port > UINT16_MAX)
		return "has a port over 65535";
	*out_port = (uint16_t)port;
	return NULL;
}

static bool host_parse(struct slice host, bool is_bracketed, struct net_addr *out)
{
	char word[INET6_ADDRSTRLEN + 1];

	if (host.len == 0 && !is_bracketed) {
		out->in.sin_family = AF_INET;
		return true;
	}
	if (host.len == 0 || !copy_word(host, word, sizeof(word)))
		return false;
	if (is_bracketed) {
		out->in6.sin6_family = AF_INET6;
		return inet_pton(AF_INET6, word, &out->in6.sin6_addr) == 1;
	}
	out->in.sin_family = AF_INET;
	return inet_pton(AF_INET, word, &out->in.sin_addr) == 1;
}

const char *net_addr_parse(struct slice text, struct net_addr *out)
{
	struct net_addr addr = {0};
	bool is_bracketed = text.len > 0 && text.data[0] == '[';
	const uint8_t *colon = text.len == 0 ? NULL : memrchr(text.data, ':', text.len);

	if (colon == NULL)
		return "has no port: write ADDRESS:PORT, e.g. 0.0.0.0:8080 or [::]:8080";
	struct slice host = slice_of(text.data, (size_t)(colon - text.data));
	struct slice port_text = slice_of(colon + 1, text.len - host.len - 1);
	uint16_t port;

	if (is_bracketed) {
		if (host.len < 2 || host.data[host.len - 1] != ']')
			return "has no ']' before the port";
		host = slice_of(host.data + 1, host.len - 2);
	} else if (host.len > 0 && memchr(host.data, ':', host.len) != NULL) {
		return "is an IPv6 address without brackets: write [ADDRESS]:PORT";
	}
	const char *problem = port_parse(port_text, &port);

	if (problem != NULL)
		return problem;
	if (!host_parse(host, is_bracketed, &addr))
		return "is not a numeric IPv4 or [IPv6] address";
	net_addr_set_port(&addr, port);
	*out = addr;
	return NULL;
}

char *net_addr_format(const struct net_addr *addr, char *out, size_t size)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr->sa.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &addr->in6.sin6_addr, host, sizeof(host));
		snprintf(out, size, "[%s]:%u", host, net_addr_port(addr));
	} else {
		inet_ntop(AF_INET, &addr->in.sin_addr, host, sizeof(host));
		snprintf(out, size, "%s:%u", host, net_addr_port(addr));
	}
	return out;
}

socklen_t net_addr_len(const struct net_addr *addr)
{
	return addr->sa.sa_family == AF_INET6 ? sizeof(addr->in6) : sizeof(addr->in);
}

uint16_t net_addr_port(const struct net_addr *addr)
{
	return ntohs(addr->sa.sa_family == AF_INET6 ? addr->in6.sin6_port : addr->in.sin_port);
}

void net_addr_set_port(struct net_addr *addr, uint16_t port)
{
	if (addr->sa.sa_family == AF_INET6)
		addr->in6.sin6_port = htons(port);
	else
		addr->in.sin_port = htons(port);
}

bool net_addr_is_wildcard(const struct net_addr *addr)
{
	if (addr->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr);
	return addr->in.sin_addr.s_addr == INADDR_ANY;
}

bool net_addr_is_loopback(const struct net_addr *addr)
{
	if (addr->sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&addr->in6.sin6_addr);
	return ntohl(addr->in.sin_addr.s_addr) >> 24 == 127;
}
