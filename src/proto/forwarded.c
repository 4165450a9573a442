/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/forwarded.h"

#include <ctype.h>

#include "base/check.h"
#include "proto/field_pairs.h"

#define NODE_TEXT_MAX 128 /* [bytes] an address and a port, even one that is a name */

static bool is_trusted(const struct net_ip *ip, const struct net_prefix *trusted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (net_prefix_has(&trusted[i], ip))
			return true;
	return false;
}

/* Elements, from the right to the left. */

struct walk {
	const struct http_head *head;
	const uint8_t *data;
	struct slice name;
	size_t fields_left; /* not yet begun */
	struct slice rest;  /* of the field that is being read; data == NULL: none */
};

static bool field_next(struct walk *walk)
{
	while (walk->fields_left > 0) {
		const struct http_field *field = &walk->head->fields[--walk->fields_left];
		struct slice name = slice_of(walk->data + field->name_at, field->name_len);

		if (!slice_equals_nocase(name, walk->name))
			continue;
		walk->rest = slice_of(walk->data + field->value_at, field->value_len);
		return true;
	}
	return false;
}

static bool walk_next(struct walk *walk, struct slice *out_element)
{
	while (walk->rest.data != NULL || field_next(walk)) {
		struct slice element = field_element_take(&walk->rest);

		if (element.len == 0)
			continue;
		*out_element = element;
		return true;
	}
	return false;
}

/* Nodes: an address and perhaps a port. */

static bool is_port_name_char(uint8_t byte)
{
	return isalnum(byte) || byte == '.' || byte == '_' || byte == '-';
}

/* At most five digits, or a name that begins with '_' (RFC 7239, 6.3). */
static bool is_port(struct slice text)
{
	bool is_name = text.len > 0 && text.data[0] == '_';

	for (size_t i = 0; i < text.len; i++)
		if (is_name ? !is_port_name_char(text.data[i]) : !isdigit(text.data[i]))
			return false;
	return is_name ? text.len > 1 : text.len >= 1 && text.len <= 5;
}

static struct slice behind(struct slice text, size_t at)
{
	return slice_of(text.data + at, text.len - at);
}

static bool bracketed_parse(struct slice text, struct net_ip *out_ip)
{
	const uint8_t *end = memchr(text.data, ']', text.len);
	size_t len = end == NULL ? 0 : (size_t)(end - text.data);
	struct slice host = slice_of(text.data + 1, len > 0 ? len - 1 : 0);

	if (host.len == 0 || memchr(host.data, ':', host.len) == NULL)
		return false;
	struct slice rest = behind(text, len + 1);

	if (rest.len > 0 && (rest.data[0] != ':' || !is_port(behind(rest, 1))))
		return false;
	return net_ip_parse(host, out_ip);
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80". */
static bool node_parse(struct slice text, struct net_ip *out_ip)
{
	if (text.len == 0)
		return false;
	if (text.data[0] == '[')
		return bracketed_parse(text, out_ip);
	if (net_ip_parse(text, out_ip))
		return true;
	const uint8_t *colon = memchr(text.data, ':', text.len);

	if (colon == NULL)
		return false;
	size_t len = (size_t)(colon - text.data);

	return is_port(behind(text, len + 1)) && net_ip_parse(slice_of(text.data, len), out_ip);
}

/* Pairs of an element of Forwarded: for=...;by=... */

static bool for_value_parse(struct slice value, struct net_ip *out_ip)
{
	uint8_t buffer[NODE_TEXT_MAX];

	return field_value_read(value, buffer, sizeof(buffer), &value) && node_parse(value, out_ip);
}

/* One "for" must be there, and no more (RFC 7239, 4). */
static bool forwarded_element_parse(struct slice element, struct net_ip *out_ip)
{
	struct slice value, name, node = {0};

	while (element.len > 0) {
		struct slice pair = field_pair_take(&element);

		if (pair.len == 0)
			continue;
		if (!field_pair_split(pair, &name, &value))
			return false;
		if (!slice_equals_nocase(name, SLICE_LITERAL("for")))
			continue;
		if (node.data != NULL)
			return false;
		node = value;
	}
	return for_value_parse(node, out_ip);
}

/* How one of the two fields is named and read. */
struct reading {
	struct slice name;
	bool (*parse)(struct slice element, struct net_ip *out_ip);
};

static struct net_ip client_by(const struct reading *reading, const struct http_head *head,
			       const uint8_t *data, const struct net_ip *peer,
			       const struct net_prefix *trusted, size_t trusted_count)
{
	struct walk walk = {head, data, reading->name, head->field_count, {0}};
	struct net_ip client = *peer;
	struct slice element;

	for (int i = 0; i < FORWARDED_ELEMENTS_MAX; i++)
		if (!is_trusted(&client, trusted, trusted_count) || !walk_next(&walk, &element) ||
		    !reading->parse(element, &client))
			break;
	return client;
}

struct net_ip forwarded_client(const struct http_head *head, const uint8_t *data,
			       const struct net_ip *peer, const struct net_prefix *trusted,
			       size_t trusted_count)
{
	const struct reading readings[] = {
		{SLICE_LITERAL("Forwarded"), forwarded_element_parse},
		{SLICE_LITERAL("X-Forwarded-For"), node_parse},
	};
	struct net_ip client = *peer;
	bool has_one = false;

	for (size_t i = 0; i < ARRAY_LEN(readings); i++) {
		if (!http_has_field(head, data, (const char *)readings[i].name.data))
			continue;
		struct net_ip found = client_by(&readings[i], head, data, peer, trusted,
						trusted_count);

		if (has_one && !net_ip_equals(&found, &client))
			return *peer;
		client = found;
		has_one = true;
	}
	return client;
}
