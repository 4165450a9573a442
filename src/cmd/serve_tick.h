/* SPDX-License-Identifier: Apache-2.0
 * serve_tick.h - what is looked at, and told to the service manager, as time passes.
 *
 * Layer: cmd. In the main thread, while the gateway serves and while it ends. */
#pragma once

#include "server/server.h"

struct serve_tick {
	struct server *server;
	uint64_t next_ns;        /* to look at the loops, and feed the watchdog */
	uint64_t next_status_ns; /* to say how things are */
	bool is_ending;          /* the manager's patience is asked for, too */
	bool is_watched;         /* it restarts us if we say nothing */
};

void serve_tick_init(struct serve_tick *tick, struct server *server);

/* [ms] How long may be slept between two ticks, if nothing else needs to be done. */
int serve_tick_interval_ms(const struct serve_tick *tick);

/* Cheap, as often as one likes: sees whether all loops turn and feeds the watchdog if they do, says
 * how things are, and logs how far a drain is. */
void serve_tick(struct serve_tick *tick);
