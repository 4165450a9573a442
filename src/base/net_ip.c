/* SPDX-License-Identifier: Apache-2.0 */
#include "base/net_ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

#define V4_AT (NET_IP_V4_BITS / 8)

#define UNIX_TEXT "unix:"

static const uint8_t v4_head[V4_AT] = {[10] = 0xff, [11] = 0xff};

static struct net_ip ip_of_v4(const struct in_addr *v4)
{
	struct net_ip ip;

	memcpy(ip.bytes, v4_head, V4_AT);
	memcpy(ip.bytes + V4_AT, v4, sizeof(*v4));
	return ip;
}

static struct net_ip ip_of_v6(const struct in6_addr *v6)
{
	struct net_ip ip;

	memcpy(ip.bytes, v6, sizeof(ip.bytes));
	return ip;
}

struct net_ip net_ip_of(const struct net_addr *addr)
{
	if (addr->sa.sa_family == AF_UNIX)
		return (struct net_ip){{0}};
	return addr->sa.sa_family == AF_INET6 ? ip_of_v6(&addr->in6.sin6_addr)
					      : ip_of_v4(&addr->in.sin_addr);
}

bool net_ip_is_unix(const struct net_ip *ip)
{
	static const struct net_ip none = {{0}};

	return net_ip_equals(ip, &none);
}

bool net_ip_is_v4(const struct net_ip *ip)
{
	return memcmp(ip->bytes, v4_head, V4_AT) == 0;
}

bool net_ip_is_loopback(const struct net_ip *ip)
{
	static const struct net_ip v6 = {.bytes = {[15] = 1}};

	return net_ip_is_v4(ip) ? ip->bytes[V4_AT] == 127 : net_ip_equals(ip, &v6);
}

bool net_ip_equals(const struct net_ip *a, const struct net_ip *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct net_ip net_ip_cut(const struct net_ip *ip, unsigned bits)
{
	struct net_ip cut = {{0}};
	unsigned whole = bits / 8;

	CHECK(bits <= NET_IP_BITS);
	memcpy(cut.bytes, ip->bytes, whole);
	if (bits % 8 != 0)
		cut.bytes[whole] = ip->bytes[whole] & (uint8_t)(0xff00 >> bits % 8);
	return cut;
}

bool net_ip_parse(struct slice text, struct net_ip *out)
{
	char word[NET_IP_TEXT_MAX];
	struct in_addr v4;
	struct in6_addr v6;

	if (text.len == 0 || text.len >= sizeof(word) || memchr(text.data, 0, text.len) != NULL)
		return false;
	memcpy(word, text.data, text.len);
	word[text.len] = 0;
	if (inet_pton(AF_INET, word, &v4) == 1)
		*out = ip_of_v4(&v4);
	else if (inet_pton(AF_INET6, word, &v6) == 1)
		*out = ip_of_v6(&v6);
	else
		return false;
	return true;
}

char *net_ip_format(const struct net_ip *ip, char *out, size_t size)
{
	char text[NET_IP_TEXT_MAX];

	if (net_ip_is_unix(ip))
		snprintf(text, sizeof(text), UNIX_TEXT);
	else if (net_ip_is_v4(ip))
		inet_ntop(AF_INET, ip->bytes + V4_AT, text, sizeof(text));
	else
		inet_ntop(AF_INET6, ip->bytes, text, sizeof(text));
	snprintf(out, size, "%s", text);
	return out;
}

char *net_ip_port_format(const struct net_ip *ip, uint16_t port, char *out, size_t size)
{
	char text[NET_IP_TEXT_MAX];

	net_ip_format(ip, text, sizeof(text));
	if (port == 0)
		snprintf(out, size, "%s", text);
	else
		snprintf(out, size, net_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", text, (unsigned)port);
	return out;
}

/* Reads what stands behind the '/'. */
static const char *bits_parse(struct slice text, bool is_v4, uint8_t *out_bits)
{
	unsigned most = is_v4 ? NET_IP_BITS - NET_IP_V4_BITS : NET_IP_BITS;
	bool has_leading_zero = text.len > 1 && text.data[0] == '0';
	uint64_t bits;
	enum units_result r = units_parse_count(text, &bits);

	if (has_leading_zero || (r != UNITS_OK && r != UNITS_TOO_BIG))
		return "has no plain number behind the '/': write the length of the prefix in "
		       "bits, e.g. 10.0.0.0/8 or fd00::/8";
	if (r == UNITS_TOO_BIG || bits > most)
		return is_v4 ? "has a prefix longer than 32 bits, all that an IPv4 address has"
			     : "has a prefix longer than 128 bits, all that an IPv6 address has";
	*out_bits = (uint8_t)(NET_IP_BITS - most + bits);
	return NULL;
}

/* The text is made for the value, as strerror() does it. */
static const char *host_bits_explain(const struct net_prefix *right)
{
	static _Thread_local char text[NET_PREFIX_TEXT_MAX + 64];
	char prefix[NET_PREFIX_TEXT_MAX];

	snprintf(text, sizeof(text), "has bits set behind the prefix: write %s",
		 net_prefix_format(right, prefix, sizeof(prefix)));
	return text;
}

const char *net_prefix_parse(struct slice text, struct net_prefix *out)
{
	const uint8_t *slash = text.len > 0 ? memchr(text.data, '/', text.len) : NULL;
	struct slice ip_text = text;
	struct net_ip ip;
	struct net_prefix prefix = {.bits = NET_IP_BITS};

	if (slice_equals(text, SLICE_LITERAL(UNIX_TEXT))) {
		*out = prefix;
		return NULL;
	}
	if (slash != NULL)
		ip_text.len = (size_t)(slash - text.data);
	if (!net_ip_parse(ip_text, &ip))
		return "is not a numeric IPv4 or IPv6 address or prefix: write e.g. 192.0.2.7, "
		       "10.0.0.0/8 or fd00::/8, without brackets, port or name";
	if (net_ip_is_unix(&ip) && (slash == NULL || slice_equals(text, SLICE_LITERAL("::/128"))))
		return "is nobody's address: write ::/0 for all of IPv6, or unix: for the clients "
		       "of unix sockets";
	if (slash != NULL) {
		/* Told by the text: "::ffff:10.0.0.0/104" counts in IPv6's 128 bits. */
		bool is_dotted = memchr(ip_text.data, ':', ip_text.len) == NULL;
		struct slice bits = slice_of(slash + 1, text.len - ip_text.len - 1);
		const char *problem = bits_parse(bits, is_dotted, &prefix.bits);

		if (problem != NULL)
			return problem;
	}
	prefix.ip = net_ip_cut(&ip, prefix.bits);
	if (!net_ip_equals(&prefix.ip, &ip))
		return host_bits_explain(&prefix);
	*out = prefix;
	return NULL;
}

bool net_prefix_has(const struct net_prefix *prefix, const struct net_ip *ip)
{
	/* Clients of unix sockets are of no network, however wide. */
	if (net_ip_is_unix(ip) && prefix->bits != NET_IP_BITS)
		return false;
	struct net_ip cut = net_ip_cut(ip, prefix->bits);

	if (net_ip_is_v4(ip) && prefix->bits < NET_IP_V4_BITS)
		return false;
	return net_ip_equals(&cut, &prefix->ip);
}

char *net_prefix_format(const struct net_prefix *prefix, char *out, size_t size)
{
	char ip[NET_IP_TEXT_MAX];
	unsigned bits = prefix->bits;

	if (bits == NET_IP_BITS && net_ip_is_unix(&prefix->ip)) {
		snprintf(out, size, UNIX_TEXT);
		return out;
	}
	if (net_ip_is_v4(&prefix->ip))
		bits -= NET_IP_V4_BITS;
	snprintf(out, size, "%s/%u",
		 net_ip_is_unix(&prefix->ip) ? "::" : net_ip_format(&prefix->ip, ip, sizeof(ip)),
		 bits);
	return out;
}
