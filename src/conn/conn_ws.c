/* SPDX-License-Identifier: Apache-2.0
 * conn_ws.c - the WebSocket: messages, back pressure, the closing handshake. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "fleet/rpc/rpc_gate.h"
#include "proto/ws_close.h"
#include "conn/conn.h"

/* Input that may still come after reading was stopped is held; so much of it means
 * that the client goes on sending while it takes nothing. */
#define HELD_MAX (16 * 1048576)

static struct stats *stats_of(const struct conn *conn)
{
	return &conn->home->stats;
}

static const struct config_server *limits_of(const struct conn *conn)
{
	return conn->home->service->limits;
}

/* --- output --- */

static int send_frame(struct conn *conn, enum ws_opcode opcode, struct slice payload)
{
	uint8_t *to = tcp_reserve(&conn->tcp, WS_FRAME_HEAD_MAX + payload.len);

	if (to == NULL)
		return -ENOMEM;
	size_t head_len = ws_frame_head_write(to, opcode, payload.len, NULL);

	if (payload.len > 0)
		memcpy(to + head_len, payload.data, payload.len);
	tcp_commit(&conn->tcp, head_len + payload.len);
	stat_add(&stats_of(conn)->sent_bytes, head_len + payload.len);
	return 0;
}

static int send_message(struct session *session, const struct message *message)
{
	struct conn *conn = CONTAINER_OF(session, struct conn, session);

	if (conn->state != CONN_OPEN)
		return -EPIPE;
	int r = send_frame(conn, message->is_text ? WS_TEXT : WS_BINARY, message->bytes);

	if (r == 0)
		stat_add(&stats_of(conn)->messages_sent, 1);
	return r;
}

static void close_taken_over(struct session *session)
{
	struct conn *conn = CONTAINER_OF(session, struct conn, session);

	CHECK(conn->state == CONN_OPEN); /* any other has departed */
	conn_ws_close(conn, CLOSE_TAKEN_OVER);
}

static int close_session(struct session *session, uint16_t code, const char *reason);

static struct fleet_home *home_of(struct session *session)
{
	return &CONTAINER_OF(session, struct conn, session)->home->fleet;
}

static const struct session_ops session_ops = {
	.send = send_message,
	.push = conn_push_message,
	.close = close_session,
	.queued = conn_queued,
	.home = home_of,
	.answered = conn_uplink_answered,
	.taken_over = close_taken_over,
};

int conn_ws_ping(struct conn *conn)
{
	int r = send_frame(conn, WS_PING, (struct slice){0});

	if (r == 0)
		stat_add(&stats_of(conn)->pings_sent, 1);
	return r;
}

/* Out of memory here leaves the connection without a close frame; it ends all the
 * same. */
static void send_close(struct conn *conn, uint16_t code, const char *text)
{
	uint8_t body[WS_CONTROL_MAX];
	size_t len = ws_close_write(body, code, text);

	send_frame(conn, WS_CLOSE, slice_of(body, len));
}

/* --- what is lent while a message is under way --- */

static struct frame_rx *borrow_frames(struct conn *conn)
{
	struct conn_home *home = conn->home;
	struct frame_rx *rx = conn->frames;

	if (rx != NULL)
		return rx;
	rx = home->spare_frames;
	home->spare_frames = NULL;
	if (rx == NULL) {
		rx = pool_get(&home->frame_pool);
		if (rx == NULL)
			return NULL;
		ws_decoder_init(&rx->decoder);
		rx->held = (struct buf){0};
	}
	conn->frames = rx;
	stat_add(&home->stats.partial, 1);
	return rx;
}

static void give_back_frames(struct conn *conn)
{
	struct conn_home *home = conn->home;
	struct frame_rx *rx = conn->frames;

	conn->frames = NULL;
	stat_sub(&home->stats.partial, 1);
	if (home->spare_frames == NULL) {
		home->spare_frames = rx;
		return;
	}
	ws_decoder_finish(&rx->decoder);
	pool_put(&home->frame_pool, rx);
}

static void set_stalled(struct conn *conn, bool is_stalled)
{
	if (conn->is_stalled == is_stalled)
		return;
	conn->is_stalled = is_stalled;
	stat_add(&stats_of(conn)->stalled, is_stalled ? 1 : (uint64_t)-1);
}

/* Forgets everything received and not dealt with. */
void conn_ws_release(struct conn *conn)
{
	set_stalled(conn, false);
	if (conn->frames == NULL)
		return;
	ws_decoder_finish(&conn->frames->decoder);
	buf_finish(&conn->frames->held);
	give_back_frames(conn);
}

/* --- closing --- */

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

static void fail(struct conn *conn, enum close_reason reason, const char *text)
{
	conn_set_reason(conn, reason);
	conn_ws_release(conn);
	if (conn->state == CONN_OPEN)
		send_close(conn, (uint16_t)close_table[reason].code, text);
	conn_linger(conn);
}

void conn_ws_fail(struct conn *conn, enum close_reason reason)
{
	char text[WS_CONTROL_MAX];

	fail(conn, reason, close_text(conn, reason, text));
}

static void start_closing(struct conn *conn, enum close_reason reason, uint16_t code,
			  const char *text)
{
	conn_set_reason(conn, reason);
	conn_depart(conn);
	send_close(conn, code, text);
	conn->state = CONN_CLOSING;
	if (conn->is_stalled) {
		conn_ws_release(conn);
		tcp_read_start(&conn->tcp);
	}
	if (conn->has_eof)
		conn_flush_and_close(conn);
	else
		conn_timer_start(conn, limits_of(conn)->close_timeout);
}

void conn_ws_close(struct conn *conn, enum close_reason reason)
{
	char text[WS_CONTROL_MAX];

	start_closing(conn, reason, (uint16_t)close_table[reason].code,
		      close_text(conn, reason, text));
}

static int close_session(struct session *session, uint16_t code, const char *reason)
{
	struct conn *conn = CONTAINER_OF(session, struct conn, session);

	if (conn->state != CONN_OPEN || tcp_is_closing(&conn->tcp))
		return -EPIPE;
	start_closing(conn, CLOSE_REQUESTED, code, reason);
	return 0;
}

static void on_close_frame(struct conn *conn, const struct ws_event_data *event)
{
	conn_set_reason(conn, CLOSE_CLIENT);
	conn_uplink_close(conn, event->close_code);
	if (conn->state == CONN_OPEN)
		send_close(conn, event->close_code, "");
	conn_flush_and_close(conn);
}

/* --- start --- */

void conn_ws_start(struct conn *conn)
{
	conn->state = CONN_OPEN;
	conn->session.ops = &session_ops;
	conn->heard_ms = conn_now_ms(conn);
	conn->message_ms = conn->heard_ms;
	conn_ws_schedule(conn);
}

/* --- input --- */

static int pass_up(struct conn *conn, const struct message *message)
{
	if (conn->has_uplink)
		return conn->uplink->backend->ops->message(conn->uplink, message);
	const struct backend *backend = conn->route->backend;

	return backend->on_message(backend, &conn->session, message);
}

static void on_message(struct conn *conn, const struct ws_event_data *event)
{
	struct message message = {.is_text = event->opcode == WS_TEXT, .bytes = event->bytes};

	stat_add(&stats_of(conn)->messages_received, 1);
	conn->message_ms = conn_now_ms(conn);
	bool is_for_backend = rpc_gate_up(conn->home->service->fleet, conn_route(conn)->config,
					  &conn->session, &message);

	/* The next call, sent in the stead of this one, may have found its queue full: then the
	 * connection is cut, and its uplink gone. */
	if (!is_for_backend || conn->state != CONN_OPEN || tcp_is_closing(&conn->tcp))
		return;
	int r = pass_up(conn, &message);

	if (r < 0 && conn->state == CONN_OPEN)
		conn_ws_fail(conn, r == -ENOMEM ? CLOSE_NO_MEMORY : CLOSE_BACKEND);
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
static void on_bad_frame(struct conn *conn, const struct ws_event_data *data)
{
	char text[WS_CONTROL_MAX];

	log_debug("bad frame", F_TEXT("error", data->error), F_UINT("code", data->close_code),
		  F_TEXT("client_id", conn->session.presence->client_id));
	snprintf(text, sizeof(text), "%s", data->error);
	if (data->close_code == WS_CLOSE_TOO_BIG)
		snprintf(text, sizeof(text), "%s (%" PRIu64 " bytes)", data->error,
			 limits_of(conn)->max_message_size);
	fail(conn, reason_of_error(data->close_code), text);
}

/* False: the connection takes no further input, and what it had borrowed is gone or
 * goes with it. After our close frame only the client's counts (RFC 6455, 5.5.1). */
static bool on_event(struct conn *conn, enum ws_event event, const struct ws_event_data *data)
{
	bool is_open = conn->state == CONN_OPEN;

	switch (event) {
	case WS_EVENT_MESSAGE:
		if (is_open)
			on_message(conn, data);
		break;
	case WS_EVENT_PING:
		if (is_open && send_frame(conn, WS_PONG, data->bytes) < 0)
			conn_ws_fail(conn, CLOSE_NO_MEMORY);
		break;
	case WS_EVENT_CLOSE:
		on_close_frame(conn, data);
		break;
	case WS_EVENT_ERROR:
		on_bad_frame(conn, data);
		break;
	case WS_EVENT_PONG:
	case WS_EVENT_MORE:
		break;
	}
	return !tcp_is_closing(&conn->tcp) &&
	       (conn->state == CONN_OPEN || conn->state == CONN_CLOSING);
}

static void hold(struct conn *conn, const uint8_t *data, size_t len)
{
	if (buf_append(&conn->frames->held, data, len, HELD_MAX) < 0)
		conn_cut(conn, CLOSE_SLOW_READER);
}

/* The client does not take what it asked for, or the back end what it sends: take nothing
 * more from it. */
static void stall(struct conn *conn, const uint8_t *rest, size_t len)
{
	set_stalled(conn, true);
	stat_add(&stats_of(conn)->stalls, 1);
	tcp_read_stop(&conn->tcp);
	conn->is_pinged = false;
	conn_ws_start_waiting(conn);
	hold(conn, rest, len);
	conn_ws_schedule(conn);
}

static bool is_output_stuck(const struct conn *conn)
{
	return tcp_queued(&conn->tcp) >= limits_of(conn)->send_queue_max;
}

static bool is_stuck(const struct conn *conn)
{
	return is_output_stuck(conn) || conn_is_held_up(conn);
}

static void process(struct conn *conn, uint8_t *data, size_t len)
{
	struct frame_rx *rx = borrow_frames(conn);
	struct ws_event_data event_data;

	if (rx == NULL) {
		conn_cut(conn, CLOSE_NO_MEMORY);
		return;
	}
	for (;;) {
		if (conn->state == CONN_OPEN && is_stuck(conn)) {
			stall(conn, data, len);
			return;
		}
		enum ws_event event = ws_decoder_next(&rx->decoder, WS_SERVER,
						      limits_of(conn)->max_message_size, &data,
						      &len, &event_data);

		if (event == WS_EVENT_MORE)
			break;
		if (!on_event(conn, event, &event_data))
			return;
	}
	if (ws_decoder_is_idle(&rx->decoder))
		give_back_frames(conn);
}

void conn_ws_recv(struct conn *conn, uint8_t *data, size_t len)
{
	stat_add(&stats_of(conn)->received_bytes, len);
	conn->heard_ms = conn_now_ms(conn);
	conn->is_pinged = false;
	if (conn->is_stalled)
		hold(conn, data, len);
	else
		process(conn, data, len);
}

void conn_ws_drained(struct conn *conn)
{
	if (conn->has_uplink)
		conn->uplink->backend->ops->resume(conn->uplink);
	conn_ws_resume(conn);
}

void conn_ws_resume(struct conn *conn)
{
	if (!conn->is_stalled || conn_is_held_up(conn))
		return;
	if (is_output_stuck(conn)) {
		conn_ws_start_waiting(conn);
		conn_ws_schedule(conn);
		return;
	}
	struct buf held = conn->frames->held;

	conn->frames->held = (struct buf){0};
	set_stalled(conn, false);
	process(conn, held.data, held.len);
	buf_finish(&held);
	if (conn->state != CONN_OPEN || conn->is_stalled)
		return;
	if (conn->has_eof) {
		conn_set_reason(conn, CLOSE_EOF);
		conn_flush_and_close(conn);
		return;
	}
	tcp_read_start(&conn->tcp);
	conn_ws_schedule(conn);
}
