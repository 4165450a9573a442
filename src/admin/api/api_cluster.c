/* SPDX-License-Identifier: Apache-2.0
 * api_cluster.c - the nodes that this one hears of. */
#include "admin/api/api_call.h"
#include "server/server_nodes.h"

void api_cluster(struct api_call *call)
{
	struct server *server = call->api->server;
	struct bus_status status;

	if (!api_query(call, NULL, 0))
		return;
	bus_status(server_fleet(server)->bus, &status);
	api_reply_json(call->reply, 200,
		       json_pack("{s:{s:s, s:b, s:s}, s:o}", "bus", "type",
				 server_fleet(server)->is_clustered ? "nats" : "embedded",
				 "connected", (int)status.is_connected, "detail", status.detail,
				 "nodes", server_nodes_json(server)));
}
