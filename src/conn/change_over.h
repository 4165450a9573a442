/* SPDX-License-Identifier: Apache-2.0
 * change_over.h - the connections of a worker when the rules change.
 *
 * Layer: conn. In the worker's thread, between two turns. What is new holds at once for those that
 * come, and as their limits for all that are there; their timers and rates, and the counts of their
 * addresses, follow in the turns after, some of them in each. */
#pragma once

#include <stdbool.h>

#include "base/pool.h"
#include "io/loop.h"

struct address_limit;
struct conn_home;
struct ruleset;

struct change_over {
	struct timer timer;
	struct pool_walk walk;
	bool is_walking;
	/* When all have been counted there; NULL: nobody is to be told. */
	void (*on_counted)(void *arg);
	void *arg;
};

void change_over_start(struct conn_home *home);

/* The loop has ended, perhaps in the middle of a walk. Harmless if it was never started. */
void change_over_finish(struct conn_home *home);

/* From now on these are in force; takes a reference. */
void change_over_rules(struct conn_home *home, struct ruleset *ruleset);

/* From now on connections are counted by address in `limit`, NULL: nowhere; those that are there
 * are moved. Then `on_counted` is called, from loop_run only: nothing of this home is counted where
 * it was before. Not while another such call is under way; and neither table may refuse anybody
 * until all homes have told, so that no place in one is inherited by a connection that counts in
 * the other. */
void change_over_addresses(struct conn_home *home, struct address_limit *limit,
			   void (*on_counted)(void *arg), void *arg);
