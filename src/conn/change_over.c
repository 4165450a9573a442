/* SPDX-License-Identifier: Apache-2.0
 * change_over.c - one walk through all connections of a worker, some in each turn, whatever has
 * changed. A further change begins it anew. */
#include "conn/change_over.h"

#include "base/check.h"
#include "conn/address_limit.h"
#include "conn/conn.h"
#include "conn/hull.h"
#include "conn/ws_pace.h"
#include "session/ruleset.h"

/* What one turn of the loop does. */
#define TURN_VISITS_MAX 512

/* --- one connection --- */

/* Its timer was set by other limits. What is due now is done, as if it had fired. */
static void renew_timer(struct conn *conn)
{
	if (conn->phase == CONN_OPEN) {
		ws_pace_renew(conn);
		conn->home->phases[CONN_OPEN]->timeout(conn);
	} else if (conn->phase == CONN_HEAD && conn->is_kept && conn_head(conn)->rx == NULL) {
		conn_timer_start(conn, conn_limits(conn)->keep_alive_timeout);
	}
}

/* Where nothing was counted, those count that are let in. */
static bool is_to_be_counted(const struct conn *conn, const struct address_limit *old)
{
	struct net_ip client = conn_client(conn);

	if (conn->has_address_place)
		return conn->address_table != conn->home->address_now;
	return old == NULL && conn->is_counted && !net_ip_is_unix(&client);
}

static void move_address(struct conn *conn)
{
	struct conn_home *home = conn->home;
	struct address_limit *old = home->address_limits[1 - home->address_now];
	struct address_limit *now = conn_home_addresses(home);
	struct net_ip client = conn_client(conn);

	if (!is_to_be_counted(conn, old))
		return;
	if (conn->has_address_place)
		address_limit_leave(old, &client);
	/* Without memory it is not counted: it is let in already. */
	conn->has_address_place = now != NULL && address_limit_enter(now, &client) == 0;
	conn->address_table = home->address_now;
}

/* --- the walk --- */

static bool is_moving(const struct conn_home *home)
{
	return home->change_over.on_counted != NULL;
}

static void end(struct conn_home *home)
{
	struct change_over *self = &home->change_over;
	void (*on_counted)(void *arg) = self->on_counted;

	pool_walk_stop(&self->walk);
	self->is_walking = false;
	ws_paces_settle(home);
	self->on_counted = NULL;
	if (on_counted == NULL)
		return;
	home->address_limits[1 - home->address_now] = NULL;
	on_counted(self->arg);
}

static void on_timer(struct timer *timer)
{
	struct change_over *self = CONTAINER_OF(timer, struct change_over, timer);
	struct conn_home *home = CONTAINER_OF(self, struct conn_home, change_over);

	for (unsigned i = 0; i < TURN_VISITS_MAX; i++) {
		struct conn *conn = pool_walk_next(&self->walk);

		if (conn == NULL) {
			end(home);
			return;
		}
		if (is_moving(home))
			move_address(conn);
		renew_timer(conn);
	}
	loop_timer_start(home->loop, &self->timer, 0);
}

static void walk(struct conn_home *home)
{
	struct change_over *self = &home->change_over;

	if (self->is_walking)
		pool_walk_stop(&self->walk);
	self->is_walking = true;
	pool_walk_start(&self->walk, &home->conn_pool);
	loop_timer_start(home->loop, &self->timer, 0);
}

/* --- from outside --- */

void change_over_start(struct conn_home *home)
{
	loop_timer_init(&home->change_over.timer, on_timer);
}

void change_over_finish(struct conn_home *home)
{
	if (home->change_over.is_walking)
		pool_walk_stop(&home->change_over.walk);
	home->change_over.is_walking = false;
}

void change_over_rules(struct conn_home *home, struct ruleset *ruleset)
{
	struct ruleset *old = home->ruleset;

	home->ruleset = ruleset_ref(ruleset);
	ruleset_unref(&old);
	ws_paces_set(home);
	walk(home);
}

void change_over_addresses(struct conn_home *home, struct address_limit *limit,
			   void (*on_counted)(void *arg), void *arg)
{
	CHECK(!is_moving(home) && home->address_limits[1 - home->address_now] == NULL);
	home->address_now = 1 - home->address_now;
	home->address_limits[home->address_now] = limit;
	home->change_over.on_counted = on_counted;
	home->change_over.arg = arg;
	walk(home);
}
