/* SPDX-License-Identifier: Apache-2.0
 * drain_pace.c - the walk of a drain. Each client that is meant is seen once in each walk, and is
 * let go when its turn has come; if it has something under way, when that has ended, which a later
 * walk sees, or when patience is over. A walk takes a small part of the drain, so that the closes
 * are as even as the plan; over very many clients it takes as long as is cheap. */
#include "server/drain_pace.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "conn/let_go.h"

#define TICK_NS        (10 * NS_PER_MS)
#define IDLE_TICK_NS   (200 * NS_PER_MS) /* nobody is left: some may be on their way in */
#define WALKS_PER_PLAN 1000
#define WALK_MIN_NS    (20 * NS_PER_MS)
#define WALK_MAX_NS    NS_PER_S

/* Of one tick. */
#define VISITS_MIN 32
#define VISITS_MAX 2048

static bool is_meant(const struct drain_plan *plan, struct conn *conn, uint32_t *out_place)
{
	const struct drain_scope *scope = &plan->scope;

	if (conn->phase != CONN_OPEN ||
	    !drain_plan_place(plan, conn_presence(conn)->connection_id, out_place))
		return false;
	const struct client *client = conn_session(conn)->client;

	return (scope->route[0] == 0 ||
		strcmp(scope->route, presence_route_name(conn_presence(conn))) == 0) &&
	       (scope->group[0] == 0 || (client != NULL && group_has(client, scope->group)));
}

static void let_go(struct drain_pace *pace, const struct drain_plan *plan, struct conn *conn,
		   bool is_busy)
{
	uint64_t after_s = 1 + random_u32(&pace->home->random) % MAX(plan->retry_after_s, 1);

	conn_let_go(conn, after_s);
	counter_add(&pace->told.closed, 1);
	counter_add(&pace->told.closed_busy, is_busy);
	uint64_t left = counter_read(&pace->told.left);

	if (left != UINT64_MAX && left > 0)
		counter_set(&pace->told.left, left - 1);
}

static void visit(struct drain_pace *pace, const struct drain_plan *plan, struct conn *conn,
		  uint64_t now_ns)
{
	uint32_t place;

	if (!is_meant(plan, conn, &place))
		return;
	uint64_t due_ns = drain_plan_due_ns(plan, place);

	if (now_ns < due_ns) {
		pace->found++;
		return;
	}
	bool is_busy = conn_is_busy(conn);

	if (is_busy && now_ns - due_ns < plan->patience_ns) {
		pace->found++;
		pace->found_busy++;
		return;
	}
	let_go(pace, plan, conn, is_busy);
}

/* --- walks --- */

static void walk_stop(struct drain_pace *pace)
{
	if (pace->is_walking)
		pool_walk_stop(&pace->walk);
	pace->is_walking = false;
}

static void walk_start(struct drain_pace *pace)
{
	CHECK(!pace->is_walking);
	pace->found = pace->found_busy = 0;
	pace->is_walking = true;
	pool_walk_start(&pace->walk, &pace->home->conn_pool);
}

/* Everybody has been seen. */
static void walk_end(struct drain_pace *pace)
{
	walk_stop(pace);
	counter_set(&pace->told.busy, pace->found_busy);
	counter_set(&pace->told.left, pace->found);
}

/* Another order: what was counted for the one before says nothing. */
static void begin(struct drain_pace *pace, uint64_t number)
{
	walk_stop(pace);
	counter_set(&pace->told.left, UINT64_MAX);
	counter_set(&pace->told.busy, 0);
	counter_set(&pace->told.closed, 0);
	counter_set(&pace->told.closed_busy, 0);
	__atomic_store_n(&pace->told.number, number, __ATOMIC_RELEASE);
}

static uint64_t visits_of_tick(const struct drain_pace *pace, const struct drain_plan *plan)
{
	uint64_t part_ns = (plan->end_ns - plan->begin_ns) / WALKS_PER_PLAN;
	uint64_t walk_ns = MIN(MAX(part_ns, WALK_MIN_NS), WALK_MAX_NS);
	uint64_t visits = pace->home->conn_pool.live_count * TICK_NS / walk_ns + 1;

	return MIN(MAX(visits, (uint64_t)VISITS_MIN), (uint64_t)VISITS_MAX);
}

static void go_on(struct drain_pace *pace, const struct drain_plan *plan, uint64_t now_ns)
{
	if (!pace->is_walking)
		walk_start(pace);
	for (uint64_t left = visits_of_tick(pace, plan); left > 0; left--) {
		struct conn *conn = pool_walk_next(&pace->walk);

		if (conn == NULL) {
			walk_end(pace);
			return;
		}
		visit(pace, plan, conn, now_ns);
	}
}

/* --- the timer --- */

static void tick(struct drain_pace *pace)
{
	struct drain_view view;
	uint64_t now_ns = loop_now(pace->home->loop);

	if (pace->is_stopped)
		return;
	if (!drain_look(pace->drain, now_ns, &view)) {
		walk_stop(pace);
		loop_timer_stop(pace->home->loop, &pace->timer);
		return;
	}
	if (view.number != pace->told.number)
		begin(pace, view.number);
	go_on(pace, &view.plan, now_ns);
	bool is_idle = !pace->is_walking && counter_read(&pace->told.left) == 0;

	loop_timer_start(pace->home->loop, &pace->timer, is_idle ? IDLE_TICK_NS : TICK_NS);
}

static void on_timer(struct timer *timer)
{
	tick(CONTAINER_OF(timer, struct drain_pace, timer));
}

static void run_wake(struct loop_task *task)
{
	struct drain_pace *pace = CONTAINER_OF(task, struct drain_pace, task);

	__atomic_store_n(&pace->is_posted, false, __ATOMIC_RELEASE);
	tick(pace);
}

void drain_pace_init(struct drain_pace *pace, struct drain *drain, struct conn_home *home)
{
	*pace = (struct drain_pace){.drain = drain, .home = home, .task = {.run = run_wake}};
	loop_timer_init(&pace->timer, on_timer);
}

void drain_pace_wake(struct drain_pace *pace)
{
	if (!__atomic_exchange_n(&pace->is_posted, true, __ATOMIC_ACQ_REL))
		loop_post(pace->home->loop, &pace->task);
}

void drain_pace_stop(struct drain_pace *pace)
{
	if (pace->drain == NULL || pace->is_stopped)
		return;
	pace->is_stopped = true;
	walk_stop(pace);
	loop_timer_stop(pace->home->loop, &pace->timer);
}

struct drain_told drain_pace_told(const struct drain_pace *pace)
{
	uint64_t number = __atomic_load_n(&pace->told.number, __ATOMIC_ACQUIRE);

	return (struct drain_told){
		.number = number,
		.left = counter_read(&pace->told.left),
		.busy = counter_read(&pace->told.busy),
		.closed = counter_read(&pace->told.closed),
		.closed_busy = counter_read(&pace->told.closed_busy),
	};
}
