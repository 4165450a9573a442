/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/proxied.h"

#include <errno.h>
#include <stdio.h>

#include "conn/hull.h"
#include "conn/refuse.h"
#include "conn/tls_end.h"
#include "conn/told_tls.h"
#include "proto/forwarded.h"
#include "proto/proxy_header.h"

static void client_set(struct conn *conn, const struct net_ip *ip, uint16_t port)
{
	if (net_ip_equals(&conn->client, ip))
		return;
	conn->is_proxied = true;
	conn->client = *ip;
	conn->client_port = port;
}

void conn_believe_forwarded(struct conn *conn, struct conn_request *request)
{
	const struct config_prefixes *proxies = &conn_limits(conn)->trusted_proxies;

	request->is_from_proxy = conn_client_is_trusted(conn);
	if (!request->is_from_proxy)
		return;
	struct net_ip ip = forwarded_client(request->head, request->data, &conn->client,
					    proxies->items, proxies->count);

	client_set(conn, &ip, 0);
}

/* What a trusted proxy says of the client's TLS. False: it was answered. */
static bool believe_told(struct conn *conn, int result, const char *detail)
{
	if (result == -ENOMEM)
		conn_refuse(conn, REFUSAL_MEMORY, 0, 0);
	else if (result < 0)
		conn_reject(conn, 400, "proxy", detail);
	return result == 0;
}

bool conn_believe_told(struct conn *conn, const struct conn_request *request)
{
	const char *error = NULL;
	int r = conn_told_by_request(conn, request, &error);

	return believe_told(conn, r, error);
}

static bool believe_told_by_header(struct conn *conn, const struct proxy_header *header)
{
	const char *error = "";
	char detail[256];
	int r = conn_told_by_header(conn, header, &error);

	snprintf(detail, sizeof(detail), "The PROXY header %s.", error);
	return believe_told(conn, r, detail);
}

static void client_set_by_header(struct conn *conn, const struct proxy_header *header)
{
	if (!header->has_source)
		return;
	struct net_ip ip = net_ip_of(&header->source);

	client_set(conn, &ip, net_addr_port(&header->source));
}

enum http_result conn_proxy_header_take(struct conn *conn, const uint8_t *data, size_t len,
					size_t *out_used)
{
	struct proxy_header header;
	const char *error;
	char detail[256];

	*out_used = 0;
	switch (proxy_header_parse(data, len, &header, out_used, &error)) {
	case PROXY_MORE:
		return HTTP_MORE;
	case PROXY_BAD:
		snprintf(detail, sizeof(detail), "The PROXY header %s.", error);
		conn_reject(conn, 400, "proxy", detail);
		return HTTP_BAD;
	case PROXY_OK:
		if (!believe_told_by_header(conn, &header))
			return HTTP_BAD;
		client_set_by_header(conn, &header);
		break;
	case PROXY_ABSENT:
		break;
	}
	conn->may_have_proxy = false;
	return HTTP_OK;
}

/* One that is broken cannot be answered in clear: TLS is expected. */
int conn_proxy_preamble(struct conn *conn, const uint8_t *data, size_t len)
{
	struct proxy_header header;
	const char *error;
	size_t used = 0;

	switch (proxy_header_parse(data, len, &header, &used, &error)) {
	case PROXY_MORE:
		return -EAGAIN;
	case PROXY_ABSENT:
		return 0;
	case PROXY_BAD:
		conn_tls_preamble_bad(conn, error);
		return -EPROTO;
	case PROXY_OK:
		break;
	}
	if (conn_told_by_header(conn, &header, &error) < 0) {
		conn_tls_preamble_bad(conn, error);
		return -EPROTO;
	}
	client_set_by_header(conn, &header);
	conn->may_have_proxy = false;
	/* The TLS behind it is the client's own, unless the proxy is to tell of that. */
	if (header.has_source && conn->told == NULL &&
	    conn_limits(conn)->client_certificate_header != CONFIG_TOLD_PROXY)
		conn->is_from_proxy = false;
	return (int)used;
}

bool conn_is_proxy_header(const uint8_t *data, size_t len)
{
	struct proxy_header header;
	const char *error;
	size_t used;

	return proxy_header_parse(data, len, &header, &used, &error) == PROXY_OK;
}
