/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet/rpc/rpc_gate.h"

#include <errno.h>

#include "fleet/client.h"
#include "fleet/rpc/rpc_frame.h"
#include "proto/utf8.h"

/* Both framings are of text, and devices that write it into binary frames, or services that call
 * it application/octet-stream, mean no other. */
static void take_for_text(struct message *message)
{
	if (!message->is_text)
		message->is_text = utf8_is_valid(message->bytes.data, message->bytes.len);
}

bool rpc_gate_up(struct fleet *fleet, const struct config_route *route, struct session *session,
		 struct message *message)
{
	if (route->rpc == CONFIG_RPC_NONE)
		return true;
	take_for_text(message);
	if (!message->is_text)
		return true;
	const struct rpc_framing framing = rpc_framing_of(route,
							  presence_subprotocol(session->presence));
	struct rpc *rpc = session->client == NULL ? NULL : session->client->rpc;

	return !rpc_receive(rpc, &framing, fleet->rpc, message);
}

int rpc_gate_down(struct session *session, struct message *message,
		  int (*send)(struct session *session, const struct message *message))
{
	const struct config_route *route = session_route(session);
	struct rpc_frame frame;

	if (route->rpc != CONFIG_RPC_NONE)
		take_for_text(message);
	if (route->rpc == CONFIG_RPC_NONE || !message->is_text)
		return send(session, message);
	const struct rpc_framing framing = rpc_framing_of(route,
							  presence_subprotocol(session->presence));

	rpc_frame_read(&framing, message->bytes, &frame);
	if (frame.kind == RPC_CALL)
		return -EPERM;
	int r = send(session, message);
	/* Also what is no good answer is all that the client gets. */
	uint64_t call = frame.kind == RPC_NOTICE ? 0 : rpc_frame_number(&framing, &frame);

	if (r == 0 && call != 0)
		session->ops->answered(session, call);
	return r;
}
