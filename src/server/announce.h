/* SPDX-License-Identifier: Apache-2.0
 * announce.h - has a worker's clients announced again when the bus has found a broker.
 *
 * Layer: server. In the worker's thread. While the broker was away, others may have let in
 * the same clients. */
#pragma once

#include "conn/conn_home.h"
#include "io/loop.h"

struct announce {
	struct conn_home *home;
	struct timer timer;
	struct loop_task task;
	struct pool_walk walk;
	uint64_t connects;  /* of the bus, when last looked at */
	uint64_t within_ns; /* for all that this walk visits */
	bool is_walking;
};

/* Goes on until the worker's loop ends. */
void announce_start(struct announce *announce, struct conn_home *home);
