/* SPDX-License-Identifier: Apache-2.0
 * conn_push.c - messages that a client did not ask for.
 *
 * Back pressure is for those whose client can be held back: it is not read while its
 * answers wait. A pushed message comes from somebody else, so for it send_queue_max is a
 * hard cut. */
#include <errno.h>

#include "base/shared_bytes.h"
#include "conn/conn.h"

static bool is_open(const struct conn *conn)
{
	return conn->state == CONN_OPEN && !tcp_is_closing(&conn->tcp);
}

/* 0, or why `len` bytes more cannot be queued. A message that nothing waits before has the
 * limit of its size only. */
static int make_room(struct conn *conn, size_t len)
{
	size_t queued = tcp_queued(&conn->tcp);

	if (!is_open(conn))
		return -EPIPE;
	if (queued == 0 || queued + len <= conn->home->service->limits->send_queue_max)
		return 0;
	conn_cut(conn, CLOSE_SLOW_READER);
	return -ENOBUFS;
}

int conn_push_frame(struct conn *conn, struct shared_bytes *frame)
{
	struct stats *stats = &conn->home->stats;
	int r = make_room(conn, frame->len);

	if (r == 0)
		r = tcp_write_shared(&conn->tcp, frame);
	if (r < 0)
		return r;
	stat_add(&stats->sent_bytes, frame->len);
	stat_add(&stats->messages_sent, 1);
	return 0;
}

int conn_push_message(struct session *session, const struct message *message)
{
	struct conn *conn = CONTAINER_OF(session, struct conn, session);
	int r = make_room(conn, WS_FRAME_HEAD_MAX + message->bytes.len);

	return r < 0 ? r : session_send(session, message);
}

size_t conn_queued(const struct session *session)
{
	const struct conn *conn = (const void *)((const char *)session -
						 offsetof(struct conn, session));

	return tcp_queued(&conn->tcp);
}
