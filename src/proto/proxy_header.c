/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/proxy_header.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/net_ip.h"
#include "base/units.h"

#define V4_SIZE 4
#define V6_SIZE 16

static const struct slice v1_signature = {(const uint8_t *)"PROXY ", 6};
static const struct slice v2_signature = {(const uint8_t *)"\r\n\r\n\0\r\nQUIT\n", 12};

static bool can_begin(struct slice signature, const uint8_t *data, size_t len)
{
	return memcmp(data, signature.data, MIN(len, signature.len)) == 0;
}

/* `bytes` are V4_SIZE or V6_SIZE, in network byte order. */
static struct net_addr addr_of(sa_family_t family, const uint8_t *bytes, uint16_t port)
{
	struct net_addr addr = {.in6 = {.sin6_family = family}};

	if (family == AF_INET6)
		memcpy(&addr.in6.sin6_addr, bytes, V6_SIZE);
	else
		memcpy(&addr.in.sin_addr, bytes, V4_SIZE);
	net_addr_set_port(&addr, port);
	return addr;
}

/* Version 1: a line of text. */

enum v1_word { V1_PROTOCOL, V1_SOURCE, V1_TARGET, V1_SOURCE_PORT, V1_TARGET_PORT, V1_WORDS };

/* Fills at most V1_WORDS words; returns how many there are, counted up to one more. */
static size_t words_split(struct slice line, struct slice *out_words)
{
	size_t count = 0;

	for (;;) {
		const uint8_t *space = line.len > 0 ? memchr(line.data, ' ', line.len) : NULL;
		size_t len = space == NULL ? line.len : (size_t)(space - line.data);

		if (count == V1_WORDS)
			return V1_WORDS + 1;
		out_words[count++] = slice_of(line.data, len);
		if (space == NULL)
			return count;
		line = slice_of(space + 1, line.len - len - 1);
	}
}

static bool ip_parse(struct slice text, sa_family_t family, struct net_ip *out_ip)
{
	bool is_v6_text = text.len > 0 && memchr(text.data, ':', text.len) != NULL;

	return is_v6_text == (family == AF_INET6) && net_ip_parse(text, out_ip);
}

static bool port_parse(struct slice text, uint16_t *out_port)
{
	bool has_leading_zero = text.len > 1 && text.data[0] == '0';
	uint64_t port;

	if (has_leading_zero || units_parse_count(text, &port) != UNITS_OK || port > UINT16_MAX)
		return false;
	*out_port = (uint16_t)port;
	return true;
}

/* `line` is what stands between the signature and CRLF. NULL, or what is wrong. */
static const char *v1_line_parse(struct slice line, struct proxy_header *header)
{
	struct slice words[V1_WORDS];
	size_t count = words_split(line, words);
	struct net_ip source, target;
	uint16_t source_port, target_port;

	if (slice_equals(words[V1_PROTOCOL], SLICE_LITERAL("UNKNOWN")))
		return NULL;
	bool is_v6 = slice_equals(words[V1_PROTOCOL], SLICE_LITERAL("TCP6"));
	sa_family_t family = is_v6 ? AF_INET6 : AF_INET;

	if (!is_v6 && !slice_equals(words[V1_PROTOCOL], SLICE_LITERAL("TCP4")))
		return "names a protocol other than TCP4, TCP6 and UNKNOWN";
	if (count != V1_WORDS)
		return "has not exactly two addresses and two ports with one space between";
	if (!ip_parse(words[V1_SOURCE], family, &source) ||
	    !ip_parse(words[V1_TARGET], family, &target))
		return is_v6 ? "has an address that is not numeric IPv6, as TCP6 needs it"
			     : "has an address that is not numeric IPv4, as TCP4 needs it";
	if (!port_parse(words[V1_SOURCE_PORT], &source_port) ||
	    !port_parse(words[V1_TARGET_PORT], &target_port))
		return "has a port that is not a number in 0..65535 without leading zeros";
	header->has_source = true;
	header->source = addr_of(family,
				 source.bytes + sizeof(source.bytes) - (is_v6 ? V6_SIZE : V4_SIZE),
				 source_port);
	return NULL;
}

/* The first CR or LF of the line, or its length. */
static size_t line_end_find(struct slice line)
{
	size_t i = 0;

	while (i < line.len && line.data[i] != '\r' && line.data[i] != '\n')
		i++;
	return i;
}

static enum proxy_result v1_parse(const uint8_t *data, size_t len, struct proxy_header *header,
				  size_t *size, const char **problem)
{
	size_t end = line_end_find(slice_of(data, MIN(len, PROXY_V1_MAX)));
	struct slice rest = slice_of(data + end, len - end);

	*size = end + 2;
	if (*size > PROXY_V1_MAX)
		*problem = "has no CRLF in 107 bytes, the longest that version 1 allows";
	else if (rest.len > 0 && rest.data[0] == '\n')
		*problem = "ends in LF without CR";
	else if (rest.len < 2)
		return PROXY_MORE;
	else if (rest.data[1] != '\n')
		*problem = "has a CR without LF";
	else
		*problem = v1_line_parse(slice_of(data + v1_signature.len, end - v1_signature.len),
					 header);
	return *problem == NULL ? PROXY_OK : PROXY_BAD;
}

/* Version 2: signature, version and command, family and transport, length; addresses,
 * TLVs. */

#define V2_HEAD_SIZE 16
#define V2_TLV_HEAD  3 /* a type, two bytes of length */

struct v2_family {
	uint8_t byte; /* family and transport */
	uint8_t size; /* [bytes] the addresses and ports */
	sa_family_t family;
};

static const struct v2_family v2_unspecified = {0x00, 0, AF_UNSPEC};
static const struct v2_family v2_families[] = {
	{0x11, 12, AF_INET},  {0x12, 12, AF_INET},  {0x21, 36, AF_INET6},
	{0x22, 36, AF_INET6}, {0x31, 216, AF_UNIX}, {0x32, 216, AF_UNIX},
};

/* NULL if the byte is none that the specification defines. */
static const struct v2_family *v2_family_find(uint8_t byte)
{
	if (byte == v2_unspecified.byte)
		return &v2_unspecified;
	for (size_t i = 0; i < ARRAY_LEN(v2_families); i++)
		if (v2_families[i].byte == byte)
			return &v2_families[i];
	return NULL;
}

/* Checks the first V2_HEAD_SIZE bytes; `size` is that of the whole header. NULL and
 * *out_family, or what is wrong. */
static const char *v2_head_parse(const uint8_t *data, size_t size,
				 const struct v2_family **out_family)
{
	unsigned version = data[12] >> 4, command = data[12] & 0xf;
	const struct v2_family *family = command == 0 ? &v2_unspecified : v2_family_find(data[13]);

	if (version != 2)
		return "has the signature of version 2, but another version";
	if (command > 1)
		return "has a command other than LOCAL (0) and PROXY (1)";
	if (family == NULL)
		return "has a family and transport other than 0x00, 0x11, 0x12, 0x21, 0x22, 0x31 "
		       "and 0x32";
	if (size > PROXY_HEADER_MAX)
		return "is longer than 2048 bytes, the most that is taken: let the sender add "
		       "fewer TLVs";
	if (size - V2_HEAD_SIZE < family->size)
		return "is too short for the addresses of its family";
	*out_family = family;
	return NULL;
}

bool proxy_tlv_next(struct slice *rest, uint8_t *out_type, struct slice *out_value)
{
	size_t size = rest->len < V2_TLV_HEAD ? V2_TLV_HEAD
					      : V2_TLV_HEAD + be_read(rest->data + 1, 2);

	if (size > rest->len)
		return false;
	*out_type = rest->data[0];
	*out_value = slice_of(rest->data + V2_TLV_HEAD, size - V2_TLV_HEAD);
	*rest = slice_of(rest->data + size, rest->len - size);
	return true;
}

static bool tlvs_fit(struct slice tlvs)
{
	struct slice value;
	uint8_t type;

	while (proxy_tlv_next(&tlvs, &type, &value))
		;
	return tlvs.len == 0;
}

#define V2_TYPE_CRC32C 0x03
#define V2_CRC32C_SIZE 4

/* RFC 3720, B.4. Of at most PROXY_HEADER_MAX bytes, once for a connection: no table. */
static uint32_t crc32c_add(uint32_t crc, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* Of the whole header, with zeros in the place of `checksum`, which lies in it. */
static bool is_crc32c(struct slice whole, struct slice checksum)
{
	static const uint8_t zeros[V2_CRC32C_SIZE];
	const uint8_t *behind = checksum.data + checksum.len;
	uint32_t crc = UINT32_MAX;

	if (checksum.len != V2_CRC32C_SIZE)
		return false;
	crc = crc32c_add(crc, slice_of(whole.data, (size_t)(checksum.data - whole.data)));
	crc = crc32c_add(crc, slice_of(zeros, sizeof(zeros)));
	crc = crc32c_add(crc, slice_of(behind, (size_t)(whole.data + whole.len - behind)));
	return ~crc == be_read(checksum.data, V2_CRC32C_SIZE);
}

/* All that there are, of which one is usual. `tlvs` fit. */
static bool are_crc32cs_right(struct slice whole, struct slice tlvs)
{
	struct slice value;
	uint8_t type;

	while (proxy_tlv_next(&tlvs, &type, &value))
		if (type == V2_TYPE_CRC32C && !is_crc32c(whole, value))
			return false;
	return true;
}

/* `whole` is the header. NULL, or what is wrong. */
static const char *v2_body_parse(struct slice whole, const struct v2_family *family,
				 struct proxy_header *header)
{
	struct slice body = slice_of(whole.data + V2_HEAD_SIZE, whole.len - V2_HEAD_SIZE);
	size_t ip_size = family->family == AF_INET6 ? V6_SIZE : V4_SIZE;

	if (family->family == AF_UNSPEC)
		return NULL;
	struct slice tlvs = slice_of(body.data + family->size, body.len - family->size);

	if (!tlvs_fit(tlvs))
		return "has TLVs that do not fit into its length";
	if (!are_crc32cs_right(whole, tlvs))
		return "has a checksum (CRC32c) that is not its own";
	header->tlvs = tlvs;
	if (family->family == AF_UNIX)
		return NULL;
	header->has_source = true;
	header->source = addr_of(family->family, body.data,
				 (uint16_t)be_read(body.data + 2 * ip_size, 2));
	return NULL;
}

static enum proxy_result v2_parse(const uint8_t *data, size_t len, struct proxy_header *header,
				  size_t *size, const char **problem)
{
	const struct v2_family *family;

	if (len < V2_HEAD_SIZE)
		return PROXY_MORE;
	*size = V2_HEAD_SIZE + be_read(data + 14, 2);
	*problem = v2_head_parse(data, *size, &family);
	if (*problem == NULL && len < *size)
		return PROXY_MORE;
	if (*problem == NULL)
		*problem = v2_body_parse(slice_of(data, *size), family, header);
	return *problem == NULL ? PROXY_OK : PROXY_BAD;
}

enum proxy_result proxy_header_parse(const uint8_t *data, size_t len,
				     struct proxy_header *out_header, size_t *out_used,
				     const char **out_error)
{
	struct proxy_header header = {.has_source = false};
	enum proxy_result result;
	size_t size;
	const char *problem;

	if (len == 0)
		return PROXY_MORE;
	if (can_begin(v1_signature, data, len))
		result = v1_parse(data, len, &header, &size, &problem);
	else if (can_begin(v2_signature, data, len))
		result = v2_parse(data, len, &header, &size, &problem);
	else
		result = PROXY_ABSENT;
	if (result == PROXY_OK) {
		*out_header = header;
		*out_used = size;
	}
	if (result == PROXY_BAD)
		*out_error = problem;
	return result;
}
