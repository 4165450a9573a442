/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/let_go.h"

#include <inttypes.h>
#include <stdio.h>

#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "proto/ws_close.h"

static bool has_events(const struct conn *conn)
{
	const struct uplink *uplink = conn_uplink(conn);

	return uplink != NULL && uplink->backend->ops->is_busy != NULL &&
	       uplink->backend->ops->is_busy(uplink);
}

static bool has_calls(const struct conn *conn)
{
	const struct client *client = conn->session.client;

	return client != NULL && client->rpc != NULL && rpc_is_waiting(client->rpc);
}

bool conn_is_busy(struct conn *conn)
{
	CHECK(conn->phase == CONN_OPEN && conn->has_presence);
	return conn_ws(conn)->frames != NULL || has_events(conn) || has_calls(conn);
}

void conn_let_go(struct conn *conn, uint64_t retry_after_s)
{
	char reason[WS_CONTROL_MAX];

	snprintf(reason, sizeof(reason), "%s=%" PRIu64, close_table[CLOSE_PACED_DRAIN].text,
		 retry_after_s);
	conn_ws_close_with(conn, CLOSE_PACED_DRAIN, (uint16_t)close_table[CLOSE_PACED_DRAIN].code,
			   reason);
}
