/* SPDX-License-Identifier: Apache-2.0 */
#include "base/web_origin.h"

#include <ctype.h>

#define LABEL_MAX 63  /* [bytes] RFC 1035, 2.3.4 */
#define HOST_MAX  254 /* [bytes] with the dot of the root */

static struct slice behind(struct slice text, size_t at)
{
	return slice_of(text.data + at, text.len - at);
}

/* RFC 3986, 3.1. */
static bool is_scheme(struct slice text)
{
	if (text.len == 0 || !isalpha(text.data[0]))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!isalnum(text.data[i]) &&
		    (text.data[i] == 0 || strchr("+-.", text.data[i]) == NULL))
			return false;
	return true;
}

static uint16_t port_of_scheme(struct slice scheme)
{
	if (slice_equals_nocase(scheme, SLICE_LITERAL("https")) ||
	    slice_equals_nocase(scheme, SLICE_LITERAL("wss")))
		return 443;
	if (slice_equals_nocase(scheme, SLICE_LITERAL("http")) ||
	    slice_equals_nocase(scheme, SLICE_LITERAL("ws")))
		return 80;
	return 0;
}

/* --- the host --- */

static const char *label_problem(struct slice label)
{
	if (label.len == 0)
		return "has an empty label in its host";
	if (label.len > LABEL_MAX)
		return "has a label of more than 63 bytes in its host";
	for (size_t i = 0; i < label.len; i++) {
		uint8_t byte = label.data[i];

		if (byte >= 0x80)
			return "has a host that is not ASCII: write it as browsers send it, in "
			       "punycode (xn--...)";
		if (byte == '*')
			return "has a '*' that is not its first label: only one label, the first, "
			       "may be one, as in https://*.example.com";
		if (!isalnum(byte) && byte != '-' && byte != '_')
			return "has a character in its host that no name has";
	}
	return NULL;
}

static bool is_number(struct slice label)
{
	for (size_t i = 0; i < label.len; i++)
		if (!isdigit(label.data[i]))
			return false;
	return label.len > 0;
}

/* *out_last is the last label but the empty one behind a dot at the end. */
static const char *name_problem(struct slice host, size_t *out_labels, struct slice *out_last)
{
	struct slice rest = host, label = {0};

	if (host.len == 0)
		return "has no host";
	if (host.len > HOST_MAX)
		return "has a host of more than 253 bytes";
	*out_labels = 0;
	while (slice_next(&rest, '.', &label)) {
		if (label.len == 0 && rest.data == NULL && *out_labels > 0)
			break; /* the root's dot */
		const char *problem = label_problem(label);

		if (problem != NULL)
			return problem;
		*out_last = label;
		++*out_labels;
	}
	return NULL;
}

static const char *name_parse(struct slice host, bool may_be_wild, struct web_origin *out)
{
	struct slice last = {0};
	size_t labels = 0;
	bool is_wild = may_be_wild && host.len > 1 && host.data[0] == '*' && host.data[1] == '.';

	if (is_wild)
		host = behind(host, 2);
	const char *problem = name_problem(host, &labels, &last);

	if (problem != NULL)
		return problem;
	if (is_wild && (labels < 2 || is_number(last)))
		return "is too wide: at least two labels of a name follow a '*', as in "
		       "https://*.example.com";
	out->host = host;
	out->is_wild = is_wild;
	return NULL;
}

/* --- what stands behind the scheme --- */

static const char *port_parse(struct slice text, uint16_t *out_port)
{
	uint32_t port = 0;

	for (size_t i = 0; i < text.len && i < 6; i++) {
		if (!isdigit(text.data[i]))
			return "has a port that is no number";
		port = port * 10 + (text.data[i] - '0');
	}
	if (text.len == 0 || text.len > 5 || text.data[0] == '0' || port > UINT16_MAX)
		return "has a port that is not in 1..65535";
	*out_port = (uint16_t)port;
	return NULL;
}

static const char *ip6_parse(struct slice authority, struct web_origin *out, struct slice *out_rest)
{
	const uint8_t *end = memchr(authority.data, ']', authority.len);
	size_t len = end == NULL ? 0 : (size_t)(end - authority.data);
	struct slice text = slice_of(authority.data + 1, len > 0 ? len - 1 : 0);

	if (text.len == 0 || memchr(text.data, ':', text.len) == NULL ||
	    !net_ip_parse(text, &out->ip))
		return "has no IPv6 address between its brackets";
	out->is_ip6 = true;
	out->host = text;
	*out_rest = behind(authority, len + 1);
	return NULL;
}

static const char *authority_parse(struct slice authority, bool may_be_wild, struct web_origin *out)
{
	const char *problem;
	struct slice rest;

	if (authority.len > 0 && authority.data[0] == '[') {
		problem = ip6_parse(authority, out, &rest);
	} else {
		const uint8_t *colon = authority.len == 0
					       ? NULL
					       : memchr(authority.data, ':', authority.len);
		size_t len = colon == NULL ? authority.len : (size_t)(colon - authority.data);

		problem = name_parse(slice_of(authority.data, len), may_be_wild, out);
		rest = behind(authority, len);
	}
	if (problem != NULL)
		return problem;
	if (rest.len == 0) {
		out->port = port_of_scheme(out->scheme);
		return NULL;
	}
	return rest.data[0] == ':' ? port_parse(behind(rest, 1), &out->port)
				   : "has something behind the brackets of its address";
}

/* --- all of it --- */

/* What people write that is no origin, so that they are told what it is. */
static const char *common_problem(struct slice text)
{
	if (text.len == 0)
		return "is empty";
	if (text.len > WEB_ORIGIN_MAX)
		return "is longer than 320 bytes";
	if (slice_equals_nocase(text, SLICE_LITERAL("null")))
		return "is what any page can send from a sandboxed frame, so it tells nobody apart";
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= ' ' || text.data[i] == ',' || text.data[i] == 0x7f)
			return "is more than one, or has a space";
	return NULL;
}

/* Where "://" stands; text.len if it does not. */
static size_t mark_find(struct slice text)
{
	for (size_t i = 0; i + 3 <= text.len; i++)
		if (memcmp(text.data + i, "://", 3) == 0)
			return i;
	return text.len;
}

static const char *parse(struct slice text, bool may_be_wild, struct web_origin *out)
{
	struct web_origin origin = {0};
	const char *problem = common_problem(text);

	if (problem != NULL)
		return problem;
	size_t at = mark_find(text);

	origin.scheme = slice_of(text.data, at);
	if (at == text.len || !is_scheme(origin.scheme))
		return "has no scheme: write https://HOST or https://HOST:PORT";
	struct slice authority = behind(text, at + 3);

	for (size_t i = 0; i < authority.len; i++) {
		if (authority.data[i] == '@')
			return "has a user before its host: write https://HOST or "
			       "https://HOST:PORT";
		if (strchr("/?#\\", authority.data[i]) != NULL)
			return "has something behind its host: write https://HOST or "
			       "https://HOST:PORT, without a path";
	}
	problem = authority_parse(authority, may_be_wild, &origin);
	if (problem == NULL)
		*out = origin;
	return problem;
}

const char *web_origin_parse(struct slice text, struct web_origin *out)
{
	return parse(text, false, out);
}

const char *web_origin_parse_pattern(struct slice text, struct web_origin *out)
{
	return parse(text, true, out);
}

bool web_origin_of_host(struct slice scheme, struct slice host, struct web_origin *out)
{
	struct web_origin origin = {.scheme = scheme};

	if (host.len > WEB_ORIGIN_MAX || authority_parse(host, false, &origin) != NULL)
		return false;
	*out = origin;
	return true;
}

/* Is it the host behind one label and a dot? */
static bool is_under(struct slice host, struct slice parent)
{
	const uint8_t *dot = memchr(host.data, '.', host.len);
	size_t at = dot == NULL ? host.len : (size_t)(dot - host.data);

	return at > 0 && at < host.len && slice_equals_nocase(behind(host, at + 1), parent);
}

bool web_origin_matches(const struct web_origin *pattern, const struct web_origin *origin)
{
	if (!slice_equals_nocase(pattern->scheme, origin->scheme) ||
	    pattern->port != origin->port || pattern->is_ip6 != origin->is_ip6)
		return false;
	if (pattern->is_ip6)
		return net_ip_equals(&pattern->ip, &origin->ip);
	return pattern->is_wild ? is_under(origin->host, pattern->host)
				: slice_equals_nocase(pattern->host, origin->host);
}
