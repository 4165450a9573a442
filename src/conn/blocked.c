/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/blocked.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "conn/conn_log.h"
#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "conn/reply.h"
#include "proto/ws_close.h"
#include "session/blocks.h"

/* Why is for who blocked it, and not for the client. */
static void tell(struct conn *conn, const struct block *block)
{
	struct service *service = conn->home->service;
	char id[17];
	uint64_t suppressed;

	if (!log_gate_pass(&service->block_gate, loop_now(conn->home->loop), &suppressed))
		return;
	snprintf(id, sizeof(id), "%016" PRIx64, block->id);
	conn_log_info(conn, "a blocked client was not let in", F_TEXT("block", id),
		      F_TEXT("reason", block->reason[0] == 0 ? NULL : block->reason),
		      F_UINT("suppressed", suppressed));
}

bool conn_block_find(const struct conn *conn, const char *client_id, struct block *out_block)
{
	struct blocks *blocks = conn->home->service->blocks;
	struct net_ip client = conn_client(conn);

	return blocks != NULL && blocks_are_any(blocks) &&
	       blocks_find(blocks, conn_route(conn)->config->name, client_id, &client,
			   clock_wall_ns() / NS_PER_MS, out_block);
}

void conn_block_refuse(struct conn *conn, const char *client_id, const struct block *block)
{
	struct http_reply reply = {0};

	conn_count_rejected(conn);
	stat_add(&conn_stats(conn)->blocked, 1);
	conn_count_failure(conn, ROUTE_FAILURE_BLOCKED);
	conn->home->claimed_id = client_id;
	tell(conn, block);
	http_reply_retry_after(&reply, block_seconds_left(block, clock_wall_ns() / NS_PER_MS));
	http_reply_problem_about(&reply, &(struct problem){
						 .status = 403,
						 .reason = "blocked",
						 .detail = block->target.client_id[0] != 0
								   ? "This client is blocked for a "
								     "while."
								   : "Clients of this address are "
								     "blocked for a while.",
					 });
	conn_answer(conn, &reply, true);
	conn->home->claimed_id = NULL;
}

bool conn_is_blocked(struct conn *conn, const char *client_id)
{
	struct block block;

	if (!conn_block_find(conn, client_id, &block))
		return false;
	conn_block_refuse(conn, client_id, &block);
	return true;
}

/* As a page is told that is not let in (phase_refusing.c). */
void conn_close_blocked(struct conn *conn, unsigned seconds)
{
	char text[WS_CONTROL_MAX];

	snprintf(text, sizeof(text), "%s; retry-after=%u", close_table[CLOSE_BLOCKED].text,
		 seconds);
	conn_ws_close_with(conn, CLOSE_BLOCKED, (uint16_t)close_table[CLOSE_BLOCKED].code, text);
}
