/* SPDX-License-Identifier: Apache-2.0
 * ws_timers.c - how long an open WebSocket may be silent, slow, or idle.
 *
 * The timer is not moved with every message: it fires, looks what is due, and is set to the
 * nearest thing that may become due. While the back end holds up the client, which is not
 * read, its silence says nothing; nor while it is held back for its rate: then the timer is for
 * that. */
#include "conn/ws_timers.h"

#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "conn/phase_open.h"
#include "conn/ws_pace.h"
#include "conn/ws_reader.h"
#include "conn/ws_writer.h"

/* [ms] until `limit` has passed since then; 0: it has. */
static uint64_t time_left(const struct conn *conn, uint32_t since_ms, uint64_t limit_ms)
{
	uint32_t passed = conn_now_ms(conn) - since_ms;

	return limit_ms > passed ? limit_ms - passed : 0;
}

void conn_ws_schedule(struct conn *conn)
{
	const struct config_server *limits = conn_limits(conn);
	uint64_t next = UINT64_MAX;

	if (conn_is_held_up(conn)) {
		loop_timer_stop(conn->home->loop, &conn->timer);
		return;
	}
	if (ws_pace_is_held(conn))
		next = ws_pace_wait_ms(conn);
	else if (conn->is_stalled)
		next = time_left(conn, conn_ws(conn)->waiting_ms, limits->send_timeout);
	else if (conn->is_pinged)
		/* The answer does not move the timer: it is looked for before the next ping is due.
		 */
		next = MIN(time_left(conn, conn_ws(conn)->waiting_ms, limits->pong_timeout),
			   MAX(limits->ping_interval, UINT64_C(1)));
	else if (limits->ping_interval > 0)
		next = time_left(conn, conn_ws(conn)->heard_ms, limits->ping_interval);
	if (limits->idle_timeout > 0 && !ws_pace_is_held(conn))
		next = MIN(next, time_left(conn, conn_ws(conn)->message_ms, limits->idle_timeout));
	if (next == UINT64_MAX)
		loop_timer_stop(conn->home->loop, &conn->timer);
	else
		conn_timer_start(conn, MAX(next, UINT64_C(1)));
}

void conn_ws_start_waiting(struct conn *conn)
{
	conn_ws(conn)->progress = conn->tcp.progress;
	conn_ws(conn)->waiting_ms = conn_now_ms(conn);
}

/* A slow client that takes something now and then may stay. */
static bool takes_output(struct conn *conn)
{
	if (tcp_queued(&conn->tcp) == 0 || conn_ws(conn)->progress == conn->tcp.progress)
		return false;
	conn_ws_start_waiting(conn);
	return true;
}

static void send_ping(struct conn *conn)
{
	if (ws_write_ping(conn) < 0) {
		conn_ws(conn)->heard_ms = conn_now_ms(
			conn); /* tries again after the next silence */
		return;
	}
	conn->is_pinged = true;
	conn_ws_start_waiting(conn);
}

void conn_ws_timeout(struct conn *conn)
{
	const struct config_server *limits = conn_limits(conn);

	if (conn_is_held_up(conn))
		return;
	if (ws_pace_is_held(conn)) {
		conn_open_resume(conn);
		return;
	}
	if (limits->idle_timeout > 0 &&
	    time_left(conn, conn_ws(conn)->message_ms, limits->idle_timeout) == 0) {
		conn_ws_close(conn, CLOSE_IDLE);
		return;
	}
	if (conn->is_stalled) {
		if (time_left(conn, conn_ws(conn)->waiting_ms, limits->send_timeout) == 0 &&
		    !takes_output(conn)) {
			if (ws_reader_is_stopped(conn))
				conn_ws_fail(conn, CLOSE_PAYLOAD_MEMORY);
			else
				conn_cut(conn, CLOSE_SLOW_READER);
			return;
		}
	} else if (conn->is_pinged) {
		/* The ping may wait behind what a slow client is still taking. */
		if (time_left(conn, conn_ws(conn)->waiting_ms, limits->pong_timeout) == 0 &&
		    !takes_output(conn)) {
			conn_ws_fail(conn, CLOSE_PONG_TIMEOUT);
			return;
		}
	} else if (limits->ping_interval > 0 &&
		   time_left(conn, conn_ws(conn)->heard_ms, limits->ping_interval) == 0) {
		send_ping(conn);
	}
	conn_ws_schedule(conn);
}
