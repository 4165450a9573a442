/* SPDX-License-Identifier: Apache-2.0
 * conn_walk.h - through all connections of a worker, over several turns of its loop.
 *
 * Layer: conn. In the worker's thread. */
#pragma once

#include "base/list.h"

struct conn;
struct worker;

/* Those that come meanwhile are found, those that go are left out. */
struct conn_walk {
	struct list_node node; /* in worker->walks */
	struct list_node *next;
	struct worker *worker;
};
void conn_walk_start(struct conn_walk *walk, struct worker *worker);
struct conn *conn_walk_next(struct conn_walk *walk); /* NULL: that was all */
void conn_walk_stop(struct conn_walk *walk);
