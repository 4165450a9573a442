/* SPDX-License-Identifier: Apache-2.0
 * drain_pace.h - one worker's part in a drain.
 *
 * Layer: server. In the worker's thread, but for drain_pace_wake and what is told. It walks over
 * the worker's connections again and again, a few with each tick of one timer, and lets those go
 * whose turn has come; no client has a timer for it. */
#pragma once

#include "conn/conn_home.h"
#include "server/drain.h"

/* For others to read, by drain_pace_told. */
struct drain_told {
	uint64_t number; /* of the order that this is about */
	uint64_t left;   /* UINT64_MAX: not counted yet */
	uint64_t busy;   /* of them, whose turn has come, and that have something under way */
	uint64_t closed;
	uint64_t closed_busy; /* of them, when patience was over */
};

struct drain_pace {
	struct drain *drain; /* NULL: nobody is let go here */
	struct conn_home *home;
	struct loop_task task;
	bool is_posted; /* atomic */
	bool is_stopped;
	bool is_walking;
	struct timer timer;
	struct pool_walk walk;
	uint64_t found, found_busy; /* by the walk */
	struct drain_told told;     /* counters */
};

/* Before its loop is known to others. */
void drain_pace_init(struct drain_pace *pace, struct drain *drain, struct conn_home *home);

/* From any thread, while the loop takes tasks: there is something new. */
void drain_pace_wake(struct drain_pace *pace);

/* All clients are about to be closed at once. */
void drain_pace_stop(struct drain_pace *pace);

/* From any thread. */
struct drain_told drain_pace_told(const struct drain_pace *pace);
