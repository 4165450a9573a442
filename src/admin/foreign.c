/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/foreign.h"

#include <string.h>

#include "base/check.h"
#include "base/net_ip.h"
#include "base/web_origin.h"
#include "proto/http_head.h"

static bool is_host_local(struct slice host)
{
	struct net_ip ip;

	if (host.len == 0 || host.data[0] == '[')
		return true; /* an IPv6 address: no name that somebody else could point at us */
	for (size_t i = 0; i < host.len; i++)
		if (host.data[i] == ':')
			host.len = i;
	return slice_equals_nocase(host, SLICE_LITERAL("localhost")) || net_ip_parse(host, &ip);
}

/* What a browser says of who asks (Fetch Metadata). Without it no page asks, or one that is not
 * from https or from this machine: that one shows by its Origin or its Host. */
static bool is_of_other_site(const struct http_request *request)
{
	struct slice site;

	return http_field_find(request->head, request->data, "Sec-Fetch-Site", &site) > 0 &&
	       !slice_equals_nocase(site, SLICE_LITERAL("same-origin")) &&
	       !slice_equals_nocase(site, SLICE_LITERAL("none"));
}

static bool is_of_other_origin(const struct http_request *request, struct slice host)
{
	const struct slice schemes[] = {SLICE_LITERAL("http"), SLICE_LITERAL("https")};
	struct web_origin origin, own;
	struct slice text;
	unsigned count = http_field_find(request->head, request->data, "Origin", &text);

	if (count == 0)
		return false;
	if (count > 1 || web_origin_parse(text, &origin) != NULL)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (web_origin_of_host(schemes[i], host, &own) && web_origin_matches(&own, &origin))
			return false;
	return true;
}

bool foreign_page_asks(const struct http_request *request)
{
	struct slice host = http_host(request->head, request->data);

	return !is_host_local(host) || is_of_other_site(request) ||
	       is_of_other_origin(request, host);
}

bool foreign_name_is_asked(const struct http_request *request)
{
	return request->is_local && !is_host_local(http_host(request->head, request->data));
}
