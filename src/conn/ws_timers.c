/* SPDX-License-Identifier: Apache-2.0
 * ws_timers.c - how long an open WebSocket may be silent, slow, or idle.
 *
 * The timer is not moved with every message: it fires, looks what is due, and is set to the
 * nearest thing that may become due. While the back end holds up the client, which is not
 * read, its silence says nothing; nor while it is held back for its rate: then the timer is for
 * that. */
#include "conn/ws_timers.h"

#include <errno.h>

#include "conn/compression.h"
#include "conn/conn_traffic.h"
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
	conn_note_queued(conn);
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

	conn_window_rest(conn);
	conn_rest_traffic(conn);
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

/* --- while time stands still --- */

/* A tag keeps its meaning for ever. All in ms. */
enum {
	TAG_HEARD_MS = 1,
	TAG_MESSAGE_MS = 2,
	TAG_WAITING_MS = 3,
	TAG_HAS_PROGRESS = 4, /* 1: it has taken output since it is waited for */
};

/* [ms] What has come while the streams were made to stand still is no older than that. */
#define SETTLING_MS 60000u

/* [ms] */
static uint32_t age(const struct conn *conn, uint32_t since_ms)
{
	uint32_t passed = conn->home->frozen_ms - since_ms;

	return passed > UINT32_MAX - SETTLING_MS ? 0 : passed;
}

void conn_ws_times_export(struct conn *conn, struct state_writer *writer)
{
	const struct conn_ws_part *ws = conn_ws(conn);

	CHECK(conn->home->is_frozen);
	state_put_u64(writer, TAG_HEARD_MS, age(conn, ws->heard_ms));
	state_put_u64(writer, TAG_MESSAGE_MS, age(conn, ws->message_ms));
	state_put_u64(writer, TAG_WAITING_MS, age(conn, ws->waiting_ms));
	if (ws->progress != conn->tcp.progress)
		state_put_u64(writer, TAG_HAS_PROGRESS, 1);
}

static bool time_read(const struct conn *conn, const struct state_field *field, uint32_t *out_ms)
{
	uint64_t age_ms;

	if (!state_u64(field, &age_ms))
		return false;
	*out_ms = conn->home->frozen_ms - (uint32_t)MIN(age_ms, UINT32_MAX - SETTLING_MS);
	return true;
}

static int time_field_read(struct conn *conn, const struct state_field *field)
{
	struct conn_ws_part *ws = conn_ws(conn);
	uint64_t value;
	bool is_good;

	switch (field->tag) {
	case TAG_HEARD_MS:
		is_good = time_read(conn, field, &ws->heard_ms);
		break;
	case TAG_MESSAGE_MS:
		is_good = time_read(conn, field, &ws->message_ms);
		break;
	case TAG_WAITING_MS:
		is_good = time_read(conn, field, &ws->waiting_ms);
		break;
	case TAG_HAS_PROGRESS:
		is_good = state_u64(field, &value);
		ws->progress = conn->tcp.progress - 1;
		break;
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
	return is_good ? 0 : -EBADMSG;
}

/* What is left out was just now. */
int conn_ws_times_import(struct conn *conn, struct state_reader *reader)
{
	struct conn_ws_part *ws = conn_ws(conn);
	struct state_field field;
	int r = 0;

	ws->heard_ms = ws->message_ms = ws->waiting_ms = conn->home->frozen_ms;
	ws->progress = conn->tcp.progress;
	while (r == 0 && state_next(reader, &field))
		r = time_field_read(conn, &field);
	return r == 0 && reader->is_bad ? -EBADMSG : r;
}

void conn_ws_times_thaw(struct conn *conn)
{
	struct conn_ws_part *ws = conn_ws(conn);
	uint32_t now_ms = conn_now_ms(conn);

	CHECK(conn->home->is_frozen);
	ws->heard_ms = now_ms - age(conn, ws->heard_ms);
	ws->message_ms = now_ms - age(conn, ws->message_ms);
	ws->waiting_ms = now_ms - age(conn, ws->waiting_ms);
}
