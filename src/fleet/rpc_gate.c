/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rpc_gate.h"

#include "base/check.h"
#include "fleet/client.h"

const struct config_route *rpc_gate_route(const struct fleet *fleet, const struct session *session)
{
	const struct config *config = fleet->config;

	for (size_t i = 0; i < config->route_count; i++)
		if (strcmp(config->routes[i].name, session->presence->route) == 0)
			return &config->routes[i];
	CHECK(!"a client without a route");
	return NULL;
}

bool rpc_gate_up(struct fleet *fleet, const struct config_route *route, struct session *session,
		 struct message *message)
{
	if (route->rpc == CONFIG_RPC_NONE || !message->is_text)
		return true;
	const struct rpc_framing framing = rpc_framing_of(route, session->presence->subprotocol);
	struct rpc *rpc = session->client == NULL ? NULL : session->client->rpc;

	return !rpc_receive(rpc, &framing, fleet->rpc, message);
}

bool rpc_gate_down(const struct fleet *fleet, const struct session *session,
		   const struct message *message)
{
	return !rpc_frame_is_call(rpc_gate_route(fleet, session)->rpc, message);
}
