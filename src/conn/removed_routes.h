/* SPDX-License-Identifier: Apache-2.0
 * removed_routes.h - clients of routes that were taken out of the configuration, with
 * on_removed: close.
 *
 * Layer: conn. In the worker's thread. */
#pragma once

#include "base/pool.h"
#include "io/loop.h"

struct conn_home;

/* Part of a struct conn_home. */
struct removed_routes {
	struct timer timer;
	struct pool_walk walk;
	bool is_walking; /* `walk` is under way */
	bool has_found;  /* in this walk: somebody who is not closed yet */
};

/* Once the loop is there. */
void removed_routes_init(struct conn_home *home);

/* Closes those of home->ruleset->closing, a few at a time, so that those who come back elsewhere do
 * not all come at once. Begins anew if it is under way. */
void removed_routes_close(struct conn_home *home);

/* The worker stops: everybody is closed anyway. Harmless if nothing is under way. */
void removed_routes_stop(struct conn_home *home);
