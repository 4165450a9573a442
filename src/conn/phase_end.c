/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/phase_end.h"

#include "conn/hull.h"
#include "conn/leave.h"

void conn_flush_and_close(struct conn *conn)
{
	conn_depart(conn);
	conn_phase_set(conn, CONN_FLUSH);
	if (tcp_queued(&conn->tcp) == 0)
		conn_close(conn);
	else
		conn_timer_start_end(conn);
}

void conn_linger(struct conn *conn)
{
	if (conn->has_eof) {
		conn_flush_and_close(conn);
		return;
	}
	conn_depart(conn);
	conn_phase_set(conn, CONN_LINGER);
	tcp_shutdown(&conn->tcp);
	tcp_read_start(&conn->tcp);
	conn_timer_start_end(conn);
}

static void on_shed(struct conn *conn)
{
	conn_cut(conn, CLOSE_PAYLOAD_MEMORY);
}

const struct conn_phase phase_flush = {
	.name = "flush",
	.drained = conn_close,
	.timeout = conn_close,
	.shed = on_shed,
};

const struct conn_phase phase_linger = {
	.name = "linger",
	.next = CONN_PHASE_BIT(CONN_FLUSH),
	.eof = conn_flush_and_close,
	.timeout = conn_close,
	.shed = on_shed,
};

const struct conn_phase phase_gone = {
	.name = "gone",
};
