/* SPDX-License-Identifier: Apache-2.0
 * conn_state.c - out of the old process: what a connection is, as fields, and how it goes without
 * anybody noticing. What is private to others is written by them, each below a tag of its own. The
 * way in is in conn_import.c. */
#include "conn/conn_state.h"

#include "base/clock.h"
#include "conn/compression.h"
#include "conn/conn_state_private.h"
#include "conn/conns.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/phase_open.h"
#include "conn/uplink_road.h"
#include "conn/ws_pace.h"
#include "conn/ws_reader.h"
#include "conn/ws_timers.h"
#include "fleet/client.h"
#include "io/tcp_handover.h"
#include "session/directory.h"
#include "session/presence_state.h"

/* --- standing still --- */

static void freeze(struct conn *conn)
{
	if (conn->phase == CONN_OPEN)
		tcp_freeze(&conn->tcp);
}

void conns_stop_time(struct conn_home *home)
{
	if (home->is_frozen)
		return;
	home->is_frozen = true;
	home->frozen_ms = (uint32_t)(loop_now(home->loop) / NS_PER_MS);
}

void conns_freeze(struct conn_home *home)
{
	conns_stop_time(home);
	conns_each(home, freeze);
}

/* It may have begun to end meanwhile. */
static void thaw(struct conn *conn)
{
	if (conn->phase != CONN_GONE)
		tcp_thaw(&conn->tcp);
	if (conn->phase != CONN_OPEN)
		return;
	if (conn->is_imported)
		client_thaw(conn_session(conn));
	conn_uplink_thaw(conn);
	conn_open_thaw(conn);
}

void conns_thaw(struct conn_home *home)
{
	if (!home->is_frozen)
		return;
	loop_catch_up(home->loop);
	conns_each(home, thaw);
	home->is_frozen = false;
}

/* --- export --- */

/* One that was taken over, and has not been told yet, is to be told here. */
static bool may_go(struct conn *conn)
{
	return conn->phase == CONN_OPEN && tcp_is_frozen(&conn->tcp) &&
	       presence_session(conn_presence(conn)) != NULL &&
	       directory_has(conn->home->service->directory, conn_presence(conn));
}

static void put_flags(const struct conn *conn, struct state_writer *writer)
{
	state_put_flag(writer, CONN_TAG_IS_STALLED, conn->is_stalled);
	state_put_flag(writer, CONN_TAG_HAS_EOF, conn->has_eof);
	state_put_flag(writer, CONN_TAG_IS_PINGED, conn->is_pinged);
	state_put_flag(writer, CONN_TAG_IS_FROM_PROXY, conn->is_from_proxy);
	state_put_flag(writer, CONN_TAG_IS_PROXIED, conn->is_proxied);
	if (conn->client_port != conn_presence(conn)->remote_port)
		state_put_u64(writer, CONN_TAG_CLIENT_PORT, conn->client_port);
}

static void put_parts(struct conn *conn, struct state_writer *writer)
{
	size_t begun = state_begin(writer, CONN_TAG_PRESENCE);

	presence_export(conn_presence(conn), writer);
	state_end(writer, begun);
	begun = state_begin(writer, CONN_TAG_TIMES);
	conn_ws_times_export(conn, writer);
	state_end(writer, begun);
	begun = state_begin(writer, CONN_TAG_FRAMES);
	ws_reader_export(conn, writer);
	state_end(writer, begun);
	if (conn->deflate_bits != 0) {
		begun = state_begin(writer, CONN_TAG_COMPRESSION);
		conn_compression_export(conn, writer);
		state_end(writer, begun);
	}
	begun = state_begin(writer, CONN_TAG_PACE);
	ws_pace_export(conn, writer);
	state_end(writer, begun);
	if (conn_session(conn)->client == NULL)
		return;
	begun = state_begin(writer, CONN_TAG_CLIENT);
	client_export(conn_session(conn), writer);
	state_end(writer, begun);
}

static int put_stream(struct conn *conn, struct state_writer *writer)
{
	size_t begun = state_begin(writer, CONN_TAG_STREAM);
	int r = tcp_export(&conn->tcp, writer);

	state_end(writer, begun);
	return r;
}

enum conn_going conn_export(struct conn *conn, struct state_writer *writer)
{
	size_t at = writer->out->len;
	int before = writer->error;

	CHECK(conn->home->is_frozen);
	if (!may_go(conn))
		return CONN_STAYS;
	state_put_text(writer, CONN_TAG_PATH, conn_route(conn)->config->path);
	put_flags(conn, writer);
	put_parts(conn, writer);
	if (conn_uplink_export(conn, CONN_TAG_UPLINK, writer) == 0 &&
	    put_stream(conn, writer) == 0 && writer->error == 0)
		return CONN_GOES;
	/* There may be keys in it. */
	if (writer->out->len > at)
		explicit_bzero(writer->out->data + at, writer->out->len - at);
	writer->out->len = at;
	writer->error = before;
	return CONN_STAYS;
}

/* --- it has gone --- */

void conn_forget(struct conn *conn)
{
	CHECK(conn->phase == CONN_OPEN && conn->home->is_frozen);
	conn_depart_unsaid(conn);
	conn_leave(conn);
	conn_phase_set(conn, CONN_GONE);
	tcp_forget(&conn->tcp);
}
