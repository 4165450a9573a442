/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"

#define NUMBER_MARK "{n}"

#define PORT_PLAIN 80
#define PORT_TLS   443

/* Cuts "scheme://" off, or "schemes://", which is TLS; NULL if another one stands there. */
static const char *scheme_skip(const char *text, const char *scheme, bool *out_is_tls)
{
	size_t len = strlen(scheme);

	if (strncasecmp(text, scheme, len) != 0)
		return NULL;
	*out_is_tls = text[len] == 's' || text[len] == 'S';
	if (*out_is_tls)
		len++;
	return strncmp(text + len, "://", 3) == 0 ? text + len + 3 : NULL;
}

static const char *scheme_problem(const char *scheme)
{
	return strcmp(scheme, "ws") == 0
		       ? "does not begin with ws:// or wss://, e.g. ws://127.0.0.1:8080/ws/dev-{n}"
		       : "does not begin with http:// or https://, e.g. "
			 "http://127.0.0.1:8080/health";
}

static const char *path_problem(struct slice path)
{
	if (path.len >= BENCH_PATH_MAX)
		return "has a path and query of 2048 bytes or more";
	for (size_t i = 0; i < path.len; i++) {
		uint8_t c = path.data[i];

		if (c <= ' ' || c >= 0x7f)
			return "has a space, a control character or a non-ASCII character in its "
			       "path: percent-encode it";
		if (c == '#')
			return "has a fragment ('#...'), which is never sent to a server";
		bool is_mark = c == '{' && path.len - i >= 3 &&
			       memcmp(path.data + i, NUMBER_MARK, 3) == 0;

		if (is_mark)
			i += 2;
		else if (c == '{' || c == '}')
			return "has a brace that is not part of {n}, the connection's number";
	}
	return NULL;
}

/* If none is given. */
static uint16_t port_of(const struct bench_url *url)
{
	return url->is_tls ? PORT_TLS : PORT_PLAIN;
}

/* Takes "host", "host:port" or "[address]:port" apart. */
static const char *authority_parse(struct slice text, struct bench_url *out)
{
	bool is_bracketed = text.len > 0 && text.data[0] == '[';
	const uint8_t *host_end = text.data + text.len;
	uint64_t port = port_of(out);

	if (memchr(text.data, '@', text.len) != NULL)
		return "has a user name: give it with --basic USER:PASSWORD";
	if (is_bracketed) {
		host_end = memchr(text.data, ']', text.len);
		if (host_end == NULL)
			return "has no ']' behind the IPv6 address";
	}
	size_t rest = (size_t)(text.data + text.len - host_end);
	const uint8_t *colon = rest == 0 ? memchr(text.data, ':', text.len)
					 : memchr(host_end, ':', rest);

	if (colon != NULL) {
		struct slice digits = slice_of(colon + 1,
					       (size_t)(text.data + text.len - colon) - 1);

		if (units_parse_count(digits, &port) != UNITS_OK || port == 0 || port > UINT16_MAX)
			return "has a port that is not in 1..65535 (an IPv6 address needs "
			       "brackets)";
	}
	if (is_bracketed && colon != host_end + 1 && rest != 1)
		return "has something other than a port behind the ']'";
	if (!is_bracketed && colon != NULL)
		host_end = colon;
	struct slice host = slice_of(text.data + is_bracketed,
				     (size_t)(host_end - text.data) - is_bracketed);

	if (host.len == 0)
		return "has no host";
	if (host.len >= BENCH_HOST_MAX)
		return "has a host name of 256 bytes or more";
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] <= ' ' || host.data[i] >= 0x7f || host.data[i] == '{')
			return "has a character in its host that no host name has";
	memcpy(out->host, host.data, host.len);
	out->host[host.len] = 0;
	out->port = (uint16_t)port;
	return NULL;
}

const char *bench_url_parse(const char *text, const char *scheme, struct bench_url *out)
{
	struct bench_url url = {0};
	const char *rest = scheme_skip(text, scheme, &url.is_tls);

	if (rest == NULL)
		return scheme_problem(scheme);
	struct slice authority = slice_of(rest, strcspn(rest, "/?#"));
	struct slice path = slice_from_text(rest + authority.len);
	const char *problem = authority_parse(authority, &url);

	if (problem == NULL)
		problem = path_problem(path);
	if (problem != NULL)
		return problem;
	/* A query without a path stands behind the root (RFC 9112, 3.2.1). */
	int len = snprintf(url.path, sizeof(url.path), "%s%.*s",
			   path.len == 0 || path.data[0] != '/' ? "/" : "", SLICE_ARG(path));

	if ((size_t)len >= sizeof(url.path))
		return "has a path and query of 2048 bytes or more";
	bool is_ipv6 = strchr(url.host, ':') != NULL;

	len = snprintf(url.authority, sizeof(url.authority), is_ipv6 ? "[%s]" : "%s", url.host);
	if (url.port != port_of(&url))
		snprintf(url.authority + len, sizeof(url.authority) - (size_t)len, ":%u", url.port);
	*out = url;
	return NULL;
}

size_t bench_number_write(const char *text, uint64_t number, char *out)
{
	char digits[24];
	size_t digits_len = (size_t)snprintf(digits, sizeof(digits), "%lu", (unsigned long)number);
	const char *from = text;
	char *to = out;

	CHECK(digits_len <= 8);
	for (;;) {
		const char *mark = strstr(from, NUMBER_MARK);
		size_t part = mark == NULL ? strlen(from) : (size_t)(mark - from);

		memcpy(to, from, part);
		to += part;
		if (mark == NULL)
			break;
		memcpy(to, digits, digits_len);
		to += digits_len;
		from = mark + strlen(NUMBER_MARK);
	}
	*to = 0;
	return (size_t)(to - out);
}

size_t bench_url_target(const struct bench_url *url, uint64_t number, char out[BENCH_TARGET_MAX])
{
	return bench_number_write(url->path, number, out);
}

const char *bench_url_scheme(const struct bench_url *url, const char *scheme)
{
	if (!url->is_tls)
		return scheme;
	return strcmp(scheme, "ws") == 0 ? "wss" : "https";
}
