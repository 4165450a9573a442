/* SPDX-License-Identifier: Apache-2.0
 * broadcast.h - one message to every client of a route, or of all.
 *
 * Layer: server. The frame is made once and shared by the workers. Each goes through its
 * own clients over several turns of its loop, so that a broadcast delays the other traffic
 * of a turn by a bounded amount only. Who connects meanwhile gets it too; who cannot take
 * it is closed as a slow reader and holds nobody back. */
#pragma once

#include "session/session.h"
#include "server/server.h"

struct broadcast_result {
	uint64_t delivered; /* queued to the client's socket */
	uint64_t cut;       /* slow readers, closed for it */
	uint64_t failed;    /* memory was out */
};

struct broadcast_order {
	const char *route;      /* a route's name, NULL: all; lives until on_done */
	struct message message; /* lent for the length of the call */
	struct loop *home;
	/* Once, in the thread of `home`; never from inside the call. */
	void (*on_done)(void *arg, const struct broadcast_result *result);
	void *arg;
};

/* 0 or -ENOMEM: then on_done does not come. */
int broadcast_start(struct server *server, const struct broadcast_order *order);
