/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/reply.h"

#include "conn/access_log.h"
#include "conn/conn_trace.h"
#include "conn/hull.h"
#include "conn/keep.h"
#include "conn/phase_end.h"
#include "conn/phase_refusing.h"

/* A word for programs, of each answer that tells of something wrong. A back end gives none. */
static const char *reason_of(const struct http_reply *reply)
{
	if (reply->reason != NULL || reply->status < 400)
		return reply->reason;
	if (!reply->is_of_backend)
		return "refused";
	return route_failure_label(reply->status < 500 ? ROUTE_FAILURE_BACKEND_REFUSED
						       : ROUTE_FAILURE_BACKEND_FAILED);
}

/* If the client may have sent more than we have read, closing at once would send a
 * reset that can destroy the answer on its way. */
static void answer(struct conn *conn, struct http_reply *reply, bool may_have_rest)
{
	bool is_kept = conn_may_keep(conn);
	struct buf head = {0};
	int r = http_reply_head(
		reply,
		&(struct http_frame){
			.date = http_date_now(&conn->home->date, loop_now(conn->home->loop)),
			.kept_ms = conn_limits(conn)->keep_alive_timeout,
			.is_kept = is_kept,
		},
		&head);

	if (r == 0)
		r = tcp_write(&conn->tcp, head.data, head.len);
	if (r == 0 && !conn->is_head && reply->body.len > 0)
		r = tcp_write(&conn->tcp, reply->body.data, reply->body.len);
	buf_finish(&head);
	buf_finish(&reply->body);
	if (r < 0)
		conn_cut(conn, CLOSE_NO_MEMORY);
	else if (is_kept)
		conn_keep(conn);
	else if (may_have_rest)
		conn_linger(conn);
	else
		conn_flush_and_close(conn);
}

void conn_answer(struct conn *conn, struct http_reply *reply, bool may_have_rest)
{
	CHECK(conn->phase == CONN_HEAD || conn->phase == CONN_BODY || conn->phase == CONN_ANSWER ||
	      conn->phase == CONN_PROVING || conn->phase == CONN_ASKING);
	conn_trace_answered(conn, reply->status, reason_of(reply));
	conn_access_answered(conn, reply->status, reason_of(reply));
	if (!conn_refuse_as_browser(conn, reply))
		answer(conn, reply, may_have_rest);
	/* While it lingers the rules may be others, and nobody holds these for it. */
	if (!conn->has_presence)
		conn->way.route = NULL;
}
