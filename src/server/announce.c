/* SPDX-License-Identifier: Apache-2.0 */
#include "server/announce.h"

#include "base/check.h"
#include "base/clock.h"
#include "conn/conn.h"

/* A node announces so many clients a second after a broker was lost. */
#define ANNOUNCEMENTS_PER_S UINT64_C(20000)
#define LOOK_INTERVAL_NS    NS_PER_S

/* What one turn of the loop does. */
#define TURN_VISITS_MAX 1024

static void run_turn(struct loop_task *task)
{
	struct announce *announce = CONTAINER_OF(task, struct announce, task);

	for (size_t i = 0; i < TURN_VISITS_MAX; i++) {
		struct conn *conn = pool_walk_next(&announce->walk);

		if (conn == NULL) {
			pool_walk_stop(&announce->walk);
			announce->is_walking = false;
			return;
		}
		if (conn->phase == CONN_OPEN && conn_session(conn)->client != NULL)
			takeover_again(conn_session(conn)->client, announce->within_ns);
	}
	loop_post(announce->home->loop, task);
}

/* A look costs one load; so nobody needs to know the workers in order to tell them. */
static void on_timer(struct timer *timer)
{
	struct announce *announce = CONTAINER_OF(timer, struct announce, timer);
	struct conn_home *home = announce->home;
	struct fleet *fleet = home->service->fleet;
	uint64_t connects = __atomic_load_n(&fleet->connects, __ATOMIC_ACQUIRE);

	loop_timer_start(home->loop, timer, LOOK_INTERVAL_NS);
	if (connects == announce->connects || announce->is_walking)
		return;
	announce->connects = connects;
	announce->within_ns = directory_count(fleet->directory) * NS_PER_S / ANNOUNCEMENTS_PER_S;
	CHECK(!announce->is_walking);
	announce->is_walking = true;
	pool_walk_start(&announce->walk, &home->conn_pool);
	run_turn(&announce->task);
}

void announce_start(struct announce *announce, struct conn_home *home)
{
	announce->home = home;
	announce->task.run = run_turn;
	loop_timer_init(&announce->timer, on_timer);
	loop_timer_start(home->loop, &announce->timer, LOOK_INTERVAL_NS);
}
