/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/claims.h"

#include "base/clock.h"
#include "conn/conn.h"

/* A node announces so many clients a second after a broker was lost. */
#define ANNOUNCEMENTS_PER_S UINT64_C(20000)
#define LOOK_INTERVAL_NS    NS_PER_S

/* What one turn of the loop does. */
#define TURN_VISITS_MAX 1024

static void run_turn(struct loop_task *task)
{
	struct claims *claims = CONTAINER_OF(task, struct claims, task);

	for (size_t i = 0; i < TURN_VISITS_MAX; i++) {
		struct conn *conn = conn_walk_next(&claims->walk);

		if (conn == NULL) {
			conn_walk_stop(&claims->walk);
			claims->is_walking = false;
			return;
		}
		if (conn->state == CONN_OPEN && conn->session.client != NULL)
			takeover_again(conn->session.client, claims->within_ns);
	}
	loop_post(claims->walk.worker->loop, task);
}

/* A look costs one load; so nobody needs to know the workers in order to tell them. */
static void on_timer(struct timer *timer)
{
	struct claims *claims = CONTAINER_OF(timer, struct claims, timer);
	struct worker *worker = CONTAINER_OF(claims, struct worker, claims);
	struct fleet *fleet = worker->service->fleet;
	uint64_t connects = __atomic_load_n(&fleet->connects, __ATOMIC_ACQUIRE);

	loop_timer_start(worker->loop, timer, LOOK_INTERVAL_NS);
	if (connects == claims->connects || claims->is_walking)
		return;
	claims->connects = connects;
	claims->within_ns = directory_count(fleet->directory) * NS_PER_S / ANNOUNCEMENTS_PER_S;
	claims->is_walking = true;
	conn_walk_start(&claims->walk, worker);
	run_turn(&claims->task);
}

void claims_start(struct worker *worker)
{
	struct claims *claims = &worker->claims;

	claims->task.run = run_turn;
	loop_timer_init(&claims->timer, on_timer);
	loop_timer_start(worker->loop, &claims->timer, LOOK_INTERVAL_NS);
}
