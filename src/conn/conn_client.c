/* SPDX-License-Identifier: Apache-2.0
 * conn_client.c - who the client is, for the log and for what proxies say (hull.h). */
#include "conn/hull.h"

char *conn_client_text(const struct conn *conn, char out[CONN_CLIENT_TEXT_MAX])
{
	struct net_ip remote = conn_client(conn);

	return net_ip_port_format(&remote, conn->client_port, out, CONN_CLIENT_TEXT_MAX);
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
