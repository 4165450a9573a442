/* SPDX-License-Identifier: Apache-2.0
 * broadcast.h - one message to every client of a route, of a group, or of all.
 *
 * Layer: server. The frame is made once and shared by the workers and by the queues of the
 * clients. Each worker goes through its own clients over several turns of its loop, so that
 * broadcasts delay the other traffic of a turn by a bounded amount only, and it takes one
 * broadcast after the other, so that none overtakes another. Who connects meanwhile gets
 * it too, who joins the group once its turn has begun does not; who cannot take it is
 * closed as a slow reader and holds nobody back. */
#pragma once

#include "fleet/group/fan_out.h"
#include "server/server.h"

struct broadcast_result {
	uint64_t delivered; /* queued to the client's socket */
	uint64_t cut;       /* slow readers, closed for it */
	uint64_t failed;    /* memory was out */
	uint64_t bytes;     /* of the frame that they shared */
};

struct broadcast_order {
	struct fan_out what; /* lent for the length of the call, but for the route's name */
	struct loop *home;
	/* Once, in the thread of `home`; never from inside the call. */
	void (*on_done)(void *arg, const struct broadcast_result *result);
	void *arg;
};

/* To the clients of this node. 0 or -ENOMEM: then on_done does not come. */
int broadcast_start(struct server *server, const struct broadcast_order *order);

/* In the worker's thread, which is about to hand its clients over: all that has come for them is
 * queued to them. */
void broadcast_worker_settle(struct worker *worker);

/* For a worker that begins: also what others have published reaches its clients. */
void broadcast_worker_init(struct worker *worker);
