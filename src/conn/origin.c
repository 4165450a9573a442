/* SPDX-License-Identifier: Apache-2.0
 * origin.c - only browsers are bound by this: they tell in Origin whose page asks, and send the
 * user's cookies whoever that is. Any other program can write what it likes, so what a proxy says
 * of the host opens nothing to it that an Origin of its own would not. */
#include "conn/origin.h"

#include <stdio.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/web_origin.h"
#include "conn/hull.h"
#include "conn/refuse.h"
#include "io/tcp_tls.h"
#include "proto/http_text.h"

static const char detail_same[] =
	"The Origin is not that of this host (the route has origins: same), as the request shows "
	"it: scheme and Host, or X-Forwarded-Proto and X-Forwarded-Host of a proxy in "
	"server.trusted_proxies. Mend these, or list the Origin in routes[].origins.";

static bool refuse(struct conn *conn, const char *reason, const char *detail, struct slice seen)
{
	counter_add(&conn_route(conn)->load->origins_refused, 1);
	conn_count_failure(conn, ROUTE_FAILURE_ORIGIN);
	conn_reject_about(
		conn,
		&(struct problem){.status = 403, .reason = reason, .detail = detail, .seen = seen});
	return false;
}

/* The first of what the proxies have written, which is the client's; empty: nothing. */
static struct slice forwarded(const struct conn_request *request, const char *name)
{
	struct slice list = {0}, item = {0};

	if (request->is_from_proxy)
		http_field_find(request->head, request->data, name, &list);
	while (item.len == 0 && http_list_next(&list, &item))
		;
	return item;
}

static bool is_one_of(struct slice word, struct slice one, struct slice other)
{
	return slice_equals_nocase(word, one) || slice_equals_nocase(word, other);
}

/* What the client used: some proxies write the scheme of WebSockets. */
static struct slice scheme_of(const struct conn *conn, const struct conn_request *request)
{
	const struct slice http = SLICE_LITERAL("http"), https = SLICE_LITERAL("https");
	struct slice proto = forwarded(request, "X-Forwarded-Proto");

	if (is_one_of(proto, https, SLICE_LITERAL("wss")))
		return https;
	if (is_one_of(proto, http, SLICE_LITERAL("ws")))
		return http;
	return tcp_is_sealed(&conn->tcp) ? https : http;
}

static bool is_same(const struct conn *conn, const struct conn_request *request,
		    const struct web_origin *origin)
{
	struct slice host = forwarded(request, "X-Forwarded-Host");
	struct web_origin own;

	if (host.len == 0)
		host = http_host(request->head, request->data);
	return web_origin_of_host(scheme_of(conn, request), host, &own) &&
	       web_origin_matches(&own, origin);
}

static bool is_listed(const struct config_tokens *list, const struct web_origin *origin)
{
	struct web_origin pattern;

	for (size_t i = 0; i < list->count; i++) {
		CHECK(web_origin_parse_pattern(slice_from_text(list->items[i]), &pattern) == NULL);
		if (web_origin_matches(&pattern, origin))
			return true;
	}
	return false;
}

static bool is_own(struct conn *conn, const struct conn_request *request, struct slice text)
{
	const struct config_route *route = conn_route(conn)->config;
	struct web_origin origin;
	const char *problem = web_origin_parse(text, &origin);

	if (problem != NULL) {
		char detail[256];

		snprintf(detail, sizeof(detail), "The Origin %s.", problem);
		return refuse(conn, "origin_malformed", detail, text);
	}
	if (config_route_origins(route) == CONFIG_ORIGINS_SAME)
		return is_same(conn, request, &origin) ||
		       refuse(conn, "origin_foreign", detail_same, text);
	return is_listed(&route->origins.list, &origin) ||
	       refuse(conn, "origin_foreign",
		      "Pages of this Origin may not connect here: routes[].origins does not list "
		      "it.",
		      text);
}

bool conn_origin_is_good(struct conn *conn, const struct conn_request *request)
{
	const struct config_route *route = conn_route(conn)->config;
	struct slice text = {0};
	unsigned count = http_field_find(request->head, request->data, "Origin", &text);

	if (count == 0 && route->require_origin == CONFIG_SWITCH_TRUE)
		return refuse(conn, "origin_missing",
			      "There is no Origin, which browsers send and this route requires.",
			      (struct slice){0});
	if (count == 0 || config_route_origins(route) == CONFIG_ORIGINS_ANY)
		return true;
	if (count > 1)
		return refuse(conn, "origin_repeated", "There is more than one Origin.",
			      (struct slice){0});
	return is_own(conn, request, text);
}
