/* SPDX-License-Identifier: Apache-2.0
 * phase_closing.c - our close frame is out. Of what the client still sends only its own close
 * frame counts (RFC 6455, 5.5.1), or that it breaks the rules; close_timeout bounds the wait. A
 * client that was not read, because it took nothing, is read again: its close frame may be among
 * what was held. */
#include "conn/phase_closing.h"

#include <inttypes.h>
#include <stdio.h>

#include "conn/conn_log.h"
#include "conn/conn_traffic.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/phase_end.h"
#include "conn/tap.h"
#include "conn/tls_end.h"
#include "conn/uplink_road.h"
#include "conn/ws_reader.h"
#include "conn/ws_writer.h"
#include "proto/ws_close.h"

/* What the client is told of a reason. */
static const char *close_text(const struct conn *conn, enum close_reason reason,
			      char out[WS_CONTROL_MAX])
{
	if (reason != CLOSE_BACKEND_DOWN)
		return close_table[reason].text;
	snprintf(out, WS_CONTROL_MAX, "back end %s is not available",
		 conn_route(conn)->backend->name);
	return out;
}

/* --- our close frame first --- */

static void read_again(struct conn *conn)
{
	struct buf held;
	struct slice rest;

	ws_reader_resume(conn, &held, &rest);
	tcp_read_start(&conn->tcp);
	if (rest.len > 0)
		closing_read(conn, ws_reader_take(conn), held.data + (held.len - rest.len),
			     rest.len);
	buf_finish(&held);
}

void conn_ws_close_with(struct conn *conn, enum close_reason reason, uint16_t code,
			const char *text)
{
	CHECK(conn->phase == CONN_OPEN);
	conn_set_reason(conn, reason);
	conn->home->close_code = code; /* that may be another one than the reason's */
	conn_depart(conn);
	conn->home->close_code = 0;
	ws_write_close(conn, code, text);
	conn_phase_set(conn, CONN_CLOSING);
	if (conn->has_eof) {
		conn_flush_and_close(conn);
		return;
	}
	conn_timer_start(conn, conn_limits(conn)->close_timeout);
	if (conn->is_stalled)
		read_again(conn);
}

void conn_ws_close(struct conn *conn, enum close_reason reason)
{
	char text[WS_CONTROL_MAX];

	conn_ws_close_with(conn, reason, (uint16_t)close_table[reason].code,
			   close_text(conn, reason, text));
}

static void fail(struct conn *conn, enum close_reason reason, const char *text)
{
	CHECK(conn->phase == CONN_OPEN || conn->phase == CONN_CLOSING);
	conn_set_reason(conn, reason);
	if (conn->phase == CONN_OPEN)
		ws_write_close(conn, (uint16_t)close_table[reason].code, text);
	conn_linger(conn);
}

void conn_ws_fail(struct conn *conn, enum close_reason reason)
{
	char text[WS_CONTROL_MAX];

	fail(conn, reason, close_text(conn, reason, text));
}

/* --- the client's --- */

void conn_ws_answer_close(struct conn *conn, const struct ws_event_data *event)
{
	conn_tap_close(conn, false, event->close_code, event->bytes);
	conn_set_reason(conn, CLOSE_CLIENT);
	if (conn->phase == CONN_OPEN)
		ws_write_close(conn, event->close_code, "");
	conn->home->close_code = event->close_code;
	conn_flush_and_close(conn);
	conn->home->close_code = 0;
}

static enum close_reason reason_of_error(uint16_t code)
{
	switch (code) {
	case WS_CLOSE_BAD_DATA:
		return CLOSE_BAD_DATA;
	case WS_CLOSE_TOO_BIG:
		return CLOSE_TOO_BIG;
	case WS_CLOSE_INTERNAL:
		return CLOSE_NO_MEMORY;
	default:
		return CLOSE_PROTOCOL;
	}
}

/* Whoever can mend the client sees nothing but the close frame: it says what was wrong. */
void conn_ws_fail_for(struct conn *conn, const struct ws_event_data *event)
{
	char text[WS_CONTROL_MAX];

	conn_log_debug(conn, "bad frame", F_TEXT("error", event->error),
		       F_UINT("code", event->close_code));
	snprintf(text, sizeof(text), "%s", event->error);
	if (event->close_code == WS_CLOSE_TOO_BIG)
		snprintf(text, sizeof(text), "%s (%" PRIu64 " bytes)", event->error,
			 conn_limits(conn)->max_message_size);
	fail(conn, event->is_inflation ? CLOSE_BAD_DEFLATE : reason_of_error(event->close_code),
	     text);
}

void closing_read(struct conn *conn, struct frame_rx *rx, uint8_t *data, size_t len)
{
	struct ws_event_data event_data;
	enum ws_event event;

	do {
		event = ws_reader_next(rx, conn, &data, &len, &event_data);
		if (event == WS_EVENT_CLOSE)
			conn_ws_answer_close(conn, &event_data);
		else if (event == WS_EVENT_ERROR)
			conn_ws_fail_for(conn, &event_data);
	} while (event != WS_EVENT_MORE && conn->phase == CONN_CLOSING);
	if (conn->phase == CONN_CLOSING)
		ws_reader_keep(conn, rx);
	else
		ws_reader_drop(conn->home, rx);
}

/* --- the phase --- */

static void on_recv(struct conn *conn, uint8_t *data, size_t len)
{
	struct frame_rx *rx = ws_reader_take(conn);

	conn_count_received(conn, len);
	if (rx == NULL)
		conn_cut(conn, CLOSE_NO_MEMORY);
	else
		closing_read(conn, rx, data, len);
}

static void on_shed(struct conn *conn)
{
	conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
}

const struct conn_phase phase_closing = {
	.name = "closing",
	.next = CONN_PHASE_BIT(CONN_FLUSH) | CONN_PHASE_BIT(CONN_LINGER),
	.recv = on_recv,
	.eof = conn_flush_and_close,
	.tls_failed = conn_tls_linger,
	.timeout = conn_close,
	.held = ws_reader_held,
	.shed = on_shed,
	.release = ws_reader_release,
};
