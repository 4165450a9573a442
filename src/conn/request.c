/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/request.h"

/* What a proxy on this machine passes on comes from loopback too. */
static bool is_local(const struct conn *conn, const struct http_head *head, const uint8_t *data)
{
	struct net_ip client = conn_client(conn);

	return net_ip_is_loopback(&client) && !conn->is_proxied &&
	       !http_has_field(head, data, "Forwarded") &&
	       !http_has_field(head, data, "X-Forwarded-For") && !http_has_field(head, data, "Via");
}

struct http_request conn_ask_of(struct conn *conn, const struct http_head *head,
				const uint8_t *data)
{
	return (struct http_request){
		.method = http_method(head, data),
		.path = http_path(head, data),
		.query = http_query(head, data),
		.head = head,
		.data = data,
		.take = conn->home->take,
		.owner = conn,
		.is_local = is_local(conn, head, data),
	};
}
