/* SPDX-License-Identifier: Apache-2.0
 * conn_traffic.h - what a client sends and is sent: counted for its worker, and for itself.
 *
 * Layer: conn. In the worker's thread, from CONN_OPEN on. */
#pragma once

#include "conn/conn.h"

/* [bytes] of frames, their heads included. */
static inline void conn_count_received(struct conn *conn, size_t bytes)
{
	stat_add(&conn_stats(conn)->received_bytes, bytes);
	stat_add(&conn_route_counts(conn)->received_bytes, bytes);
	traffic_add_bytes(&conn_presence(conn)->traffic, TRAFFIC_IN, bytes,
			  loop_now(conn->home->loop));
}

static inline void conn_count_message_received(struct conn *conn)
{
	stat_add(&conn_stats(conn)->messages_received, 1);
	stat_add(&conn_route_counts(conn)->messages_received, 1);
	traffic_add_message(&conn_presence(conn)->traffic, TRAFFIC_IN, loop_now(conn->home->loop));
}

/* [bytes] For its worker, and for itself. */
static inline void conn_set_queued(struct conn *conn, size_t bytes)
{
	struct traffic *traffic = &conn_presence(conn)->traffic;
	struct stats *stats = conn_stats(conn);
	uint32_t before = traffic_queued(traffic);

	traffic_set_queued(traffic, bytes, loop_now(conn->home->loop));
	uint32_t now = traffic_queued(traffic);

	stat_add(&stats->send_queue_bytes, (uint64_t)now - before);
	stat_add(&stats->send_queue_clients, (uint64_t)(now > 0) - (before > 0));
}

/* What waits for it; to be called whenever that is more, and when it is nothing. */
static inline void conn_note_queued(struct conn *conn)
{
	conn_set_queued(conn, tcp_queued(&conn->tcp));
}

/* The client is silent, and may have been so for a while. */
static inline void conn_rest_traffic(struct conn *conn)
{
	traffic_rest(&conn_presence(conn)->traffic, loop_now(conn->home->loop));
}

/* The frame is in the queue. */
static inline void conn_count_sent(struct conn *conn, size_t bytes)
{
	stat_add(&conn_stats(conn)->sent_bytes, bytes);
	stat_add(&conn_route_counts(conn)->sent_bytes, bytes);
	traffic_add_bytes(&conn_presence(conn)->traffic, TRAFFIC_OUT, bytes,
			  loop_now(conn->home->loop));
	conn_note_queued(conn);
}

static inline void conn_count_message_sent(struct conn *conn)
{
	stat_add(&conn_stats(conn)->messages_sent, 1);
	stat_add(&conn_route_counts(conn)->messages_sent, 1);
	traffic_add_message(&conn_presence(conn)->traffic, TRAFFIC_OUT, loop_now(conn->home->loop));
}
