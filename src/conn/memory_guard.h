/* SPDX-License-Identifier: Apache-2.0
 * memory_guard.h - what a worker does when payload memory (base/payload.h) becomes scarce.
 *
 * Layer: conn. In the worker's thread. Near the limit a connection that holds much is not read
 * any more; they go on in the order in which they were stopped, one at a time, since together
 * they would never finish, and all of them once there is room again. Beyond the limit the largest
 * holders are closed: a walk through all connections, some in each turn of the loop, finds how much
 * they hold and the largest holding, and another one closes those that hold at least half of it,
 * until this worker has given back its part. Until both are done, whoever wants to hold more is
 * closed at once (PAYLOAD_OUT). */
#pragma once

#include "base/pool.h"
#include "io/loop.h"

struct conn;
struct frame_rx;
struct conn_home;

struct memory_guard {
	struct timer timer;
	struct list_node stopped;  /* of frame_rx */
	struct frame_rx *favoured; /* goes on in spite of all; NULL: none */
	uint64_t favoured_ns;      /* since when */
	struct pool_walk walk;
	bool is_on;    /* it was not calm when last looked at, or some are stopped */
	bool is_fresh; /* since then nobody was looked for who holds much */
	bool is_walking;
	bool is_closing; /* on this walk: those of at least `floor` bytes */
	size_t sum, largest, floor;
	size_t goal, gain; /* [bytes] to be given back by this walk, and what was so far */
};

/* Goes on until the worker's loop ends. */
void memory_guard_start(struct conn_home *home);

/* The loop has ended, perhaps in the middle of a walk. Harmless if it was never started. */
void memory_guard_finish(struct conn_home *home);

/* The level is not calm: looks after it from now on. */
void memory_guard_wake(struct conn_home *home);

/* Likewise, and `conn` is about to take bytes, or has taken some: it may be stopped. False: it is
 * closed. */
bool memory_guard_notice(struct conn *conn);

/* Is this one stopped? Only the guard lets it go on (phase->go_on). */
bool memory_guard_has_stopped(const struct frame_rx *rx);

/* What the connection had borrowed goes back. Harmless if the guard does not know it. */
void memory_guard_forget(struct conn_home *home, struct frame_rx *rx);
