/* SPDX-License-Identifier: Apache-2.0
 * conn_walk.h - through all connections of a worker, over several turns of its loop.
 *
 * Layer: conn. In the worker's thread. */
#pragma once

#include "base/list_walk.h"

struct conn;
struct conn_home;

/* Those that come meanwhile are found, those that go are left out. */
struct conn_walk {
	struct list_walk walk;
	struct conn_home *home;
};
void conn_walk_start(struct conn_walk *walk, struct conn_home *home);
struct conn *conn_walk_next(struct conn_walk *walk); /* NULL: that was all */
void conn_walk_stop(struct conn_walk *walk);
