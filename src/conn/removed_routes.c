/* SPDX-License-Identifier: Apache-2.0
 * removed_routes.c - walks over all connections, a part of them in each tick, and closes those
 * whose route is one of the names that are to go. Whoever is still being let in is left until he is
 * in: so walk follows upon walk until one finds nobody. */
#include "conn/removed_routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "conn/conn.h"
#include "conn/phase_closing.h"
#include "proto/ws_close.h"

/* 500 closes each second, of one worker. */
#define TICK_NS    (100 * NS_PER_MS)
#define CLOSES_MAX 50
#define VISITS_MAX 20000

static bool is_closing_name(const struct conn_home *home, const char *name)
{
	const struct ruleset_closing *closing = &home->ruleset->closing;

	for (size_t i = 0; i < closing->count; i++)
		if (strcmp(closing->items[i], name) == 0)
			return true;
	return false;
}

/* Is it in, or about to be, on such a route? */
static bool is_meant(const struct conn *conn)
{
	bool has_come = conn->phase == CONN_OPEN || conn->phase == CONN_ASKING ||
			conn->phase == CONN_PROVING;

	return has_come && is_closing_name(conn->home, conn_route(conn)->config->name);
}

static void walk_stop(struct removed_routes *self)
{
	if (self->is_walking)
		pool_walk_stop(&self->walk);
	self->is_walking = false;
}

static void walk_start(struct conn_home *home)
{
	struct removed_routes *self = &home->removed;

	pool_walk_start(&self->walk, &home->conn_pool);
	self->is_walking = true;
	self->has_found = false;
}

/* All come back at once otherwise, to another node that has the route, or to be told 404. */
static void let_go(struct conn *conn)
{
	struct conn_home *home = conn->home;
	uint64_t most_s = home->ruleset->config.server.drain_retry_after / 1000;
	char reason[WS_CONTROL_MAX];

	snprintf(reason, sizeof(reason), "%s; retry-after=%" PRIu64,
		 close_table[CLOSE_ROUTE_REMOVED].text,
		 1 + random_u32(&home->random) % MAX(most_s, 1));
	conn_ws_close_with(conn, CLOSE_ROUTE_REMOVED,
			   (uint16_t)close_table[CLOSE_ROUTE_REMOVED].code, reason);
}

/* True: the walk is over. */
static bool walk_on(struct conn_home *home)
{
	struct removed_routes *self = &home->removed;
	unsigned closes = 0;

	for (unsigned visits = 0; visits < VISITS_MAX && closes < CLOSES_MAX; visits++) {
		struct conn *conn = pool_walk_next(&self->walk);

		if (conn == NULL)
			return true;
		if (!is_meant(conn))
			continue;
		self->has_found = true;
		if (conn->phase != CONN_OPEN)
			continue;
		let_go(conn);
		closes++;
	}
	return false;
}

static void on_timer(struct timer *timer)
{
	struct conn_home *home = CONTAINER_OF(timer, struct conn_home, removed.timer);
	struct removed_routes *self = &home->removed;

	if (!self->is_walking)
		walk_start(home);
	if (walk_on(home)) {
		walk_stop(self);
		if (!self->has_found)
			return;
	}
	loop_timer_start(home->loop, timer, TICK_NS);
}

void removed_routes_init(struct conn_home *home)
{
	loop_timer_init(&home->removed.timer, on_timer);
}

void removed_routes_close(struct conn_home *home)
{
	removed_routes_stop(home);
	if (home->ruleset->closing.count > 0 && !home->is_draining)
		loop_timer_start(home->loop, &home->removed.timer, 0);
}

void removed_routes_stop(struct conn_home *home)
{
	walk_stop(&home->removed);
	loop_timer_stop(home->loop, &home->removed.timer);
}
