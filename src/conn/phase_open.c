/* SPDX-License-Identifier: Apache-2.0
 * phase_open.c - an open WebSocket: messages, and back pressure.
 *
 * A client that does not take its answers, or whose back end does not take its messages, is
 * stalled: not read, with the rest of its input held, until both take something again. That is
 * looked at before each frame, so no client makes more wait than send_queue_max and one
 * message. The client's end of the stream counts behind what it sent before. */
#include "conn/phase_open.h"

#include <errno.h>

#include "conn/conn_traffic.h"
#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "conn/phase_end.h"
#include "conn/renewal.h"
#include "conn/tap.h"
#include "conn/tls_end.h"
#include "conn/uplink_road.h"
#include "conn/ws_pace.h"
#include "conn/ws_reader.h"
#include "conn/ws_timers.h"
#include "conn/ws_writer.h"
#include "fleet/rpc/rpc_gate.h"
#include "io/tcp_tls.h"

/* --- messages --- */

static int pass_up(struct conn *conn, const struct message *message)
{
	if (conn->has_uplink)
		return conn_uplink_message(conn, message);
	const struct backend *backend = conn_route(conn)->backend;

	return backend->on_message(backend, conn_session(conn), message);
}

/* For byte_rate counts what a message is, not what it was packed into. */
static enum close_reason count_inflated(struct conn *conn, const struct ws_event_data *event)
{
	size_t came = event->deflated.len, is = event->bytes.len;

	stat_add(&conn_stats(conn)->inflated_in_bytes, came);
	stat_add(&conn_stats(conn)->inflated_out_bytes, is);
	if (is <= came)
		return CLOSE_REASON_COUNT;
	stat_add(&conn_stats(conn)->compression_saved, is - came);
	return ws_pace_bytes(conn, is - came);
}

static void on_message(struct conn *conn, const struct ws_event_data *event)
{
	struct message message = {.is_text = event->opcode == WS_TEXT,
				  .bytes = event->bytes,
				  .deflated = event->deflated};
	enum close_reason too_fast = ws_pace_message(conn);

	if (too_fast == CLOSE_REASON_COUNT && event->deflated.data != NULL)
		too_fast = count_inflated(conn, event);
	if (too_fast != CLOSE_REASON_COUNT) {
		conn_ws_fail(conn, too_fast);
		return;
	}
	conn_count_message_received(conn);
	conn_ws(conn)->message_ms = conn_now_ms(conn);
	if (conn_renewal_take(conn, &message))
		return;
	conn_tap_message(conn, false, &message);
	bool is_for_backend = rpc_gate_up(conn->home->service->fleet, conn_route(conn)->config,
					  conn_session(conn), &message);

	/* The next call, sent in the stead of this one, may have found its queue full: then the
	 * connection is cut, and its uplink gone. */
	if (!is_for_backend || conn->phase != CONN_OPEN)
		return;
	int r = pass_up(conn, &message);

	if (r < 0 && conn->phase == CONN_OPEN)
		conn_ws_fail(conn, r == -ENOMEM ? CLOSE_NO_MEMORY : CLOSE_BACKEND);
}

static void on_event(struct conn *conn, enum ws_event event, const struct ws_event_data *data)
{
	switch (event) {
	case WS_EVENT_MESSAGE:
		on_message(conn, data);
		break;
	case WS_EVENT_PING:
		conn_tap_frame(conn, CONN_TAP_PING, false, data->bytes);
		if (ws_write_pong(conn, data->bytes) < 0)
			conn_ws_fail(conn, CLOSE_NO_MEMORY);
		break;
	case WS_EVENT_CLOSE:
		conn_ws_answer_close(conn, data);
		break;
	case WS_EVENT_ERROR:
		conn_ws_fail_for(conn, data);
		break;
	case WS_EVENT_PONG:
		conn_tap_frame(conn, CONN_TAP_PONG, false, data->bytes);
		break;
	case WS_EVENT_MORE:
		break;
	}
}

/* --- back pressure --- */

static bool is_output_stuck(const struct conn *conn)
{
	return tcp_queued(&conn->tcp) >= conn_limits(conn)->send_queue_max;
}

static bool is_stuck(const struct conn *conn)
{
	return is_output_stuck(conn) || conn_is_held_up(conn);
}

/* The client does not take what it asked for, or the back end what it sends: take nothing
 * more from it. */
static void stall(struct conn *conn, struct frame_rx *rx, const uint8_t *rest, size_t len,
		  struct buf *owner)
{
	tcp_read_stop(&conn->tcp);
	conn->is_pinged = false;
	conn_ws_start_waiting(conn);
	if (ws_reader_stall(conn, rx, rest, len, owner))
		conn_ws_schedule(conn);
	else
		conn_cut(conn, CLOSE_SLOW_READER);
}

/* The bytes are lent, or the end of `owner`, which is taken over if they are to be held. */
static void read_frames(struct conn *conn, uint8_t *data, size_t len, struct buf *owner)
{
	struct frame_rx *rx = ws_reader_take(conn);
	struct ws_event_data event_data;

	if (rx == NULL) {
		conn_cut(conn, CLOSE_NO_MEMORY);
		return;
	}
	while (conn->phase == CONN_OPEN) {
		if (is_stuck(conn) || ws_pace_holds(conn, rx, data, len)) {
			stall(conn, rx, data, len, owner);
			return;
		}
		enum ws_event event = ws_reader_next(rx, conn, &data, &len, &event_data);

		if (event == WS_EVENT_MORE) {
			ws_reader_keep(conn, rx);
			return;
		}
		on_event(conn, event, &event_data);
	}
	if (conn->phase == CONN_CLOSING)
		closing_read(conn, rx, data, len);
	else
		ws_reader_drop(conn->home, rx);
}

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	conn_count_received(conn, len);
	conn_ws(conn)->heard_ms = conn_now_ms(conn);
	conn->is_pinged = false;
	enum close_reason too_fast = ws_pace_bytes(conn, len);

	if (too_fast != CLOSE_REASON_COUNT)
		conn_ws_fail(conn, too_fast);
	else if (!conn->is_stalled)
		read_frames(conn, data, len, NULL);
	else if (!ws_reader_hold(conn, data, len))
		conn_cut(conn, CLOSE_SLOW_READER);
}

static void end_of_stream(struct conn *conn)
{
	conn_set_reason(conn, CLOSE_EOF);
	conn_flush_and_close(conn);
}

void conn_open_resume(struct conn *conn)
{
	struct buf held;
	struct slice rest;

	CHECK(conn->phase == CONN_OPEN);
	if (!conn->is_stalled || conn_is_held_up(conn) || ws_reader_is_stopped(conn))
		return;
	if (ws_pace_is_held(conn)) {
		if (!ws_pace_is_due(conn)) {
			conn_ws_schedule(conn);
			return;
		}
		ws_pace_let_go(conn);
		conn_ws(conn)->message_ms = conn_now_ms(conn); /* it was not idle */
	}
	if (is_output_stuck(conn)) {
		conn_ws_start_waiting(conn);
		conn_ws_schedule(conn);
		return;
	}
	ws_reader_resume(conn, &held, &rest);
	if (rest.len > 0)
		read_frames(conn, held.data + (held.len - rest.len), rest.len, &held);
	buf_finish(&held);
	if (conn->phase != CONN_OPEN || conn->is_stalled)
		return;
	if (conn->has_eof) {
		end_of_stream(conn);
		return;
	}
	tcp_read_start(&conn->tcp);
	conn_ws_schedule(conn);
}

/* What held it up there may not be here. But whoever is waited for gets no more time. */
void conn_open_thaw(struct conn *conn)
{
	conn_ws_times_thaw(conn);
	conn_ws_schedule(conn);
	if (!is_stuck(conn))
		conn_open_resume(conn);
}

/* --- the phase --- */

void conn_open(struct conn *conn)
{
	conn_phase_set(conn, CONN_OPEN);
	tcp_tls_facts_release(&conn->tcp); /* whoever asks has asked */
	ws_pace_begin(conn);
	conn_ws(conn)->heard_ms = conn_now_ms(conn);
	conn_ws(conn)->message_ms = conn_now_ms(conn);
	conn_tap_frame(conn, CONN_TAP_OPEN, false, (struct slice){0});
	conn_ws_schedule(conn);
}

void conn_open_early(struct conn *conn, uint8_t *data, size_t len)
{
	if (len > 0 && conn->phase == CONN_OPEN)
		on_recv(conn, data, len);
	else if (len > 0 && conn->phase == CONN_CLOSING)
		phase_closing.recv(conn, data, len);
}

/* What the client sent before is still held while it is stalled: conn_open_resume goes on. */
static void on_eof(struct conn *conn)
{
	if (!conn->is_stalled)
		end_of_stream(conn);
}

static void on_drained(struct conn *conn)
{
	conn_note_queued(conn);
	conn_uplink_resume(conn);
	if (conn->phase == CONN_OPEN)
		conn_open_resume(conn);
}

/* A close frame would wait behind what the client does not take. */
static void on_shed(struct conn *conn)
{
	if (tcp_held(&conn->tcp) > ws_reader_held(conn))
		conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
	else
		conn_ws_fail(conn, CLOSE_PAYLOAD_MEMORY);
}

static void hold_back(struct conn *conn)
{
	stat_add(&conn_stats(conn)->memory_stops, 1);
	stall(conn, ws_reader_take(conn), NULL, 0, NULL);
}

static void on_drain(struct conn *conn)
{
	conn_ws_close(conn, CLOSE_DRAIN);
}

const struct conn_phase phase_open = {
	.name = "open",
	.next = CONN_PHASE_BIT(CONN_CLOSING) | CONN_PHASE_BIT(CONN_FLUSH) |
		CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = on_eof,
	.tls_failed = conn_tls_linger,
	.drained = on_drained,
	.timeout = conn_ws_timeout,
	.drain = on_drain,
	.held = ws_reader_held,
	.shed = on_shed,
	.hold_back = hold_back,
	.go_on = conn_open_resume,
	.release = ws_reader_release,
};
