/* SPDX-License-Identifier: Apache-2.0
 * conn_client.c - who the client is, for the log and for what proxies say (hull.h). */
#include <stdio.h>

#include "conn/hull.h"

char *conn_client_text(const struct conn *conn, char out[CONN_CLIENT_TEXT_MAX])
{
	char ip[NET_IP_TEXT_MAX];
	struct net_ip remote = conn_client(conn);
	bool is_v4 = net_ip_is_v4(&remote);

	net_ip_format(&remote, ip, sizeof(ip));
	if (conn->client_port == 0)
		snprintf(out, CONN_CLIENT_TEXT_MAX, "%s", ip);
	else
		snprintf(out, CONN_CLIENT_TEXT_MAX, is_v4 ? "%s:%u" : "[%s]:%u", ip,
			 conn->client_port);
	return out;
}

bool conn_client_is_trusted(const struct conn *conn)
{
	const struct config_prefixes *proxies = &conn_limits(conn)->trusted_proxies;
	struct net_ip client = conn_client(conn);

	for (size_t i = 0; i < proxies->count; i++)
		if (net_prefix_has(&proxies->items[i], &client))
			return true;
	return false;
}
