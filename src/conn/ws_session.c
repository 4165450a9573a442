/* SPDX-License-Identifier: Apache-2.0
 * ws_session.c - messages to a client, and its close, for others.
 *
 * Back pressure is for those whose client can be held back: it is not read while its
 * answers wait. A pushed message comes from somebody else, so for it send_queue_max is a
 * hard cut. */
#include "conn/ws_session.h"

#include <errno.h>

#include "base/payload.h"
#include "base/shared_bytes.h"
#include "conn/blocked.h"
#include "conn/compression.h"
#include "conn/hull.h"
#include "conn/phase_closing.h"
#include "conn/phase_open.h"
#include "conn/renewal.h"
#include "conn/uplink_road.h"
#include "conn/ws_pace.h"
#include "conn/ws_writer.h"
#include "io/tcp_tls.h"
#include "proto/ws_frame.h"

static int send_message(struct session *session, const struct message *message)
{
	struct conn *conn = conn_of_session(session);

	return conn->phase == CONN_OPEN ? ws_write_message(conn, message) : -EPIPE;
}

/* 0, or why `len` bytes more cannot be queued. A message that nothing waits before has the
 * limit of its size only. */
static int make_room(struct conn *conn, size_t len)
{
	size_t queued = tcp_queued(&conn->tcp);

	if (conn->phase != CONN_OPEN)
		return -EPIPE;
	if (payload_level() != PAYLOAD_CALM)
		memory_guard_wake(conn->home);
	if (queued > 0 && payload_level() == PAYLOAD_OUT) {
		conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
		return -ENOBUFS;
	}
	if (queued == 0 || queued + len <= conn_limits(conn)->send_queue_max)
		return 0;
	conn_cut(conn, CLOSE_SLOW_READER);
	return -ENOBUFS;
}

int ws_session_push_frame(struct conn *conn, struct ws_fan_frame *frame, size_t *out_len)
{
	struct shared_bytes *form = conn->phase == CONN_OPEN ? ws_fan_frame_form(frame, conn)
							     : frame->plain;
	int r = make_room(conn, form->len);

	if (r == 0)
		r = ws_write_frame(conn, frame, form);
	if (r == 0)
		*out_len = form->len;
	return r;
}

static int push_message(struct session *session, const struct message *message)
{
	struct conn *conn = conn_of_session(session);
	int r = make_room(conn, WS_FRAME_HEAD_MAX + message->bytes.len);

	return r < 0 ? r : ws_write_message(conn, message);
}

static int close_session(struct session *session, uint16_t code, const char *reason)
{
	struct conn *conn = conn_of_session(session);

	if (conn->phase != CONN_OPEN)
		return -EPIPE;
	conn_ws_close_with(conn, CLOSE_REQUESTED, code, reason);
	return 0;
}

static size_t queued(const struct session *session)
{
	return tcp_queued(&conn_of_session(session)->tcp);
}

static bool is_held_back(const struct session *session)
{
	const struct conn *conn = conn_of_session(session);

	return conn->phase == CONN_OPEN && ws_pace_is_held(conn);
}

static bool compression(const struct session *session, struct session_compression *out)
{
	struct ws_deflate_terms terms;

	if (!conn_compression_terms(conn_of_session(session), &terms))
		return false;
	*out = (struct session_compression){.out_bits = terms.out_bits,
					    .in_bits = terms.in_bits,
					    .keeps_out = terms.keeps_out,
					    .keeps_in = terms.keeps_in};
	return true;
}

static bool tls(const struct session *session, struct session_tls *out)
{
	struct tls_terms terms = tcp_tls_terms(&conn_of_session(session)->tcp);

	if (terms.version == NULL)
		return false;
	*out = (struct session_tls){.version = terms.version, .suite = terms.suite};
	return true;
}

static struct fleet_home *home_of(struct session *session)
{
	return &conn_of_session(session)->home->fleet;
}

static void answered(struct session *session, uint64_t call)
{
	struct conn *conn = conn_of_session(session);

	if (!conn->has_uplink)
		return;
	conn_uplink_answered(conn, call);
	if (conn->phase == CONN_OPEN)
		conn_open_resume(conn);
}

static void taken_over(struct session *session)
{
	struct conn *conn = conn_of_session(session);

	CHECK(conn->phase == CONN_OPEN); /* any other has departed */
	conn_ws_close(conn, CLOSE_TAKEN_OVER);
}

/* Once it is closing it has departed, and nobody waits for the end of its proof. */
static void expired(struct session *session)
{
	struct conn *conn = conn_of_session(session);

	CHECK(conn->phase == CONN_OPEN);
	conn_ws_close(conn, CLOSE_EXPIRED);
}

static void blocked(struct session *session, unsigned seconds)
{
	struct conn *conn = conn_of_session(session);

	CHECK(conn->phase == CONN_OPEN); /* any other has departed */
	conn_close_blocked(conn, seconds);
}

const struct session_ops ws_session_ops = {
	.send = send_message,
	.push = push_message,
	.close = close_session,
	.queued = queued,
	.is_held_back = is_held_back,
	.compression = compression,
	.tls = tls,
	.home = home_of,
	.answered = answered,
	.taken_over = taken_over,
	.blocked = blocked,
	.expired = expired,
	.renew = conn_renew,
};
