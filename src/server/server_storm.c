/* SPDX-License-Identifier: Apache-2.0
 * server_storm.c - notices that a storm of clients is over.
 *
 * Most of what clients need lies in pools, which give it back themselves. What malloc had lent
 * meanwhile (tables that grew, buffers) it keeps for later. So when much has come or gone and
 * then little does, its free pages are handed to the system, which takes some milliseconds and
 * holds malloc's locks for a part of them: not while a storm goes on. */
#include "base/check.h"
#include "base/payload.h"
#include "server/server_private.h"

#define STORM_MIN 1000 /* sockets that came or went */
#define REST_MAX  100  /* likewise, from tick to tick */

/* A loop gives its own buffers back first, after a second or two. */
#define REST_TICKS 2

bool server_storm_tick(struct server_storm *storm, uint64_t accepted, uint64_t sockets)
{
	uint64_t changes = accepted + (accepted - sockets);
	bool is_rest = changes - storm->ticked < REST_MAX;

	storm->ticked = changes;
	storm->rest_ticks = is_rest ? storm->rest_ticks + 1 : 0;
	if (storm->rest_ticks < REST_TICKS || changes - storm->trimmed < STORM_MIN)
		return false;
	storm->trimmed = changes;
	return true;
}

void server_look_for_storm(struct server *server)
{
	struct stats stats;

	server_stats(server, &stats);
	if (server_storm_tick(&server->storm, stats.sockets_accepted,
			      MIN(stats.sockets, stats.sockets_accepted)))
		payload_trim_ask();
}
