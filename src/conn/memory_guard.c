/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/memory_guard.h"

#include "base/clock.h"
#include "base/payload.h"
#include "base/saturate.h"
#include "conn/conn.h"
#include "conn/conn_log.h"
#include "conn/ws_reader.h"

#define LOOK_INTERVAL_NS NS_PER_S /* while there is nothing to do */
#define BUSY_INTERVAL_NS (10 * NS_PER_MS)

/* [bytes] Who holds less is never stopped: a message of this size needs no more than what one
 * turn brings. */
#define STOP_FROM 65536

/* [bytes] Who holds less is never closed: it would free nothing worth a connection. */
#define CLOSE_FROM 4096

/* What one turn of the loop does. */
#define TURN_VISITS_MAX  512
#define TURN_RESUMES_MAX 32

/* --- what a connection holds --- */

static const struct conn_phase *phase_of(const struct conn *conn)
{
	return conn->home->phases[conn->phase];
}

/* Its stream, its uplink, and what its phase has. */
static size_t held_by(const struct conn *conn)
{
	const struct uplink *uplink = conn_uplink(conn);
	size_t held = conn->phase == CONN_GONE ? 0 : tcp_held(&conn->tcp);

	if (uplink != NULL)
		held += uplink->backend->ops->held(uplink);
	if (phase_of(conn)->held != NULL)
		held += phase_of(conn)->held(conn);
	return held;
}

/* --- closing --- */

static void tell(const struct conn *conn, size_t held)
{
	struct conn_home *home = conn->home;
	uint64_t suppressed;

	if (!log_gate_pass(&home->service->memory_gate, loop_now(home->loop), &suppressed))
		return;
	conn_log_warn(conn, "payload memory is used up: a connection that holds much is closed",
		      F_TEXT("limit", "payload_memory"), F_UINT("used", payload_used()),
		      F_UINT("max", payload_max()), F_UINT("held", held),
		      F_TEXT("remedy", refusal_table[REFUSAL_PAYLOAD_MEMORY].remedy),
		      F_UINT("suppressed", suppressed));
}

static void close_holder(struct conn *conn, size_t held)
{
	struct uplink *uplink = conn_uplink(conn);

	if (phase_of(conn)->shed == NULL)
		return;
	tell(conn, held);
	if (uplink != NULL)
		uplink->backend->ops->shed(uplink);
	phase_of(conn)->shed(conn);
}

/* --- stopping and going on --- */

bool memory_guard_has_stopped(const struct frame_rx *rx)
{
	return !list_is_empty(&rx->stopped);
}

void memory_guard_forget(struct conn_home *home, struct frame_rx *rx)
{
	list_remove(&rx->stopped);
	if (home->memory.favoured == rx)
		home->memory.favoured = NULL;
}

static bool may_stop(const struct conn *conn)
{
	return conn->phase == CONN_OPEN && ws_reader_frames(conn) != NULL && !conn->is_stalled &&
	       conn->home->memory.favoured != ws_reader_frames(conn);
}

static void stop(struct conn *conn)
{
	list_append(&conn->home->memory.stopped, &ws_reader_frames(conn)->stopped);
	phase_of(conn)->hold_back(conn);
}

static struct frame_rx *first_stopped(struct memory_guard *guard)
{
	return CONTAINER_OF(guard->stopped.next, struct frame_rx, stopped);
}

static void go_on(struct frame_rx *rx)
{
	list_remove(&rx->stopped);
	phase_of(rx->conn)->go_on(rx->conn);
}

/* Those that go on will hold more: so many as that leaves room for, each with what it has now,
 * twice as much for the message and twice for its echo. */
static void let_some_go_on(struct conn_home *home, uint64_t room)
{
	struct memory_guard *guard = &home->memory;

	for (unsigned i = 0; i < TURN_RESUMES_MAX && !list_is_empty(&guard->stopped); i++) {
		struct frame_rx *rx = first_stopped(guard);
		uint64_t growth = UINT64_C(4) * held_by(rx->conn);

		if (growth > room)
			return;
		room -= growth;
		go_on(rx);
	}
}

static void let_go_on(struct conn_home *home)
{
	struct memory_guard *guard = &home->memory;

	let_some_go_on(home, saturating_sub(payload_max() / 8 * 7, payload_used()));
	if (guard->favoured != NULL || list_is_empty(&guard->stopped))
		return;
	guard->favoured = first_stopped(guard);
	guard->favoured_ns = loop_now(home->loop);
	go_on(guard->favoured);
}

/* One that does not finish may not keep the others waiting. */
static void judge_favoured(struct conn_home *home)
{
	struct memory_guard *guard = &home->memory;
	uint64_t limit_ns = conn_home_limits(home)->send_timeout * NS_PER_MS;

	if (guard->favoured == NULL)
		return;
	struct conn *conn = guard->favoured->conn;

	if (loop_now(home->loop) - guard->favoured_ns >= limit_ns)
		close_holder(conn, held_by(conn));
}

/* --- the walks --- */

static void walk_start(struct conn_home *home)
{
	struct memory_guard *guard = &home->memory;
	uint64_t used = payload_used(), floor = payload_max() - payload_max() / 8;

	guard->is_closing = !guard->is_closing && payload_level() >= PAYLOAD_OVER &&
			    guard->largest >= CLOSE_FROM;
	if (guard->is_closing) {
		double share = used == 0 ? 0 : (double)guard->sum / (double)used;

		guard->goal = used <= floor ? 0 : (size_t)((double)(used - floor) * share) + 1;
		guard->floor = MAX(guard->largest / 2, (size_t)CLOSE_FROM);
	}
	guard->gain = 0;
	guard->sum = 0;
	guard->largest = 0;
	guard->is_walking = true;
	pool_walk_start(&guard->walk, &home->conn_pool);
}

static void visit(struct memory_guard *guard, struct conn *conn)
{
	size_t held = held_by(conn);

	guard->sum += held;
	guard->largest = MAX(guard->largest, held);
	if (!guard->is_closing && held >= STOP_FROM && may_stop(conn))
		stop(conn);
	if (!guard->is_closing || held < guard->floor || guard->gain >= guard->goal)
		return;
	guard->gain += held;
	close_holder(conn, held);
}

static void walk_on(struct memory_guard *guard)
{
	for (unsigned i = 0; i < TURN_VISITS_MAX; i++) {
		struct conn *conn = pool_walk_next(&guard->walk);

		if (conn == NULL) {
			pool_walk_stop(&guard->walk);
			guard->is_walking = false;
			return;
		}
		visit(guard, conn);
	}
}

/* --- the timer --- */

void memory_guard_wake(struct conn_home *home)
{
	struct memory_guard *guard = &home->memory;

	if (guard->is_on)
		return;
	guard->is_on = true;
	guard->is_fresh = true;
	guard->is_closing = true; /* the next walk measures */
	loop_trim(home->loop);
	loop_timer_start(home->loop, &guard->timer, 0);
}

/* The first to notice looks at once who holds much: others may have bytes in this same turn. Not
 * in memory_guard_wake, which may be called while a connection goes through its input. */
static void wake_at_once(struct conn_home *home)
{
	if (home->memory.is_on)
		return;
	memory_guard_wake(home);
	home->memory.is_fresh = false;
	walk_start(home);
	walk_on(&home->memory);
}

bool memory_guard_notice(struct conn *conn)
{
	wake_at_once(conn->home);
	if (phase_of(conn)->held == NULL)
		return conn->phase != CONN_GONE; /* an answer that is on its way does not grow */
	size_t held = held_by(conn);

	if (payload_level() == PAYLOAD_OUT && held >= CLOSE_FROM) {
		close_holder(conn, held);
		return false;
	}
	if (held >= STOP_FROM && may_stop(conn))
		stop(conn);
	return true;
}

static uint64_t look(struct conn_home *home)
{
	struct memory_guard *guard = &home->memory;

	payload_settle();
	if (!guard->is_on && payload_level() != PAYLOAD_CALM)
		memory_guard_wake(home);
	if (guard->is_walking) {
		walk_on(guard);
		return 0;
	}
	if (payload_level() >= PAYLOAD_OVER || guard->is_fresh) {
		guard->is_fresh = false;
		walk_start(home);
		return 0;
	}
	guard->is_closing = true;
	judge_favoured(home);
	let_go_on(home);
	if (payload_level() != PAYLOAD_CALM || !list_is_empty(&guard->stopped))
		return BUSY_INTERVAL_NS;
	if (payload_used() > payload_max() / 4)
		loop_trim(home->loop);
	if (guard->is_on)
		payload_trim_ask();
	guard->is_on = false;
	guard->favoured = NULL; /* what is given back from now on is not told */
	return LOOK_INTERVAL_NS;
}

static void on_timer(struct timer *timer)
{
	struct memory_guard *guard = CONTAINER_OF(timer, struct memory_guard, timer);
	struct conn_home *home = CONTAINER_OF(guard, struct conn_home, memory);
	uint64_t next_ns = look(home);

	loop_timer_start(home->loop, timer, next_ns);
}

void memory_guard_start(struct conn_home *home)
{
	list_init(&home->memory.stopped);
	loop_timer_init(&home->memory.timer, on_timer);
	loop_timer_start(home->loop, &home->memory.timer, LOOK_INTERVAL_NS);
}

void memory_guard_finish(struct conn_home *home)
{
	if (home->memory.is_walking)
		pool_walk_stop(&home->memory.walk);
	home->memory.is_walking = false;
}
