/* SPDX-License-Identifier: Apache-2.0
 * conn_import.c - into the new process: a connection is made again from its fields (conn_state.c).
 *
 * First all fields are read and the smaller ones checked; then its parts are made one by one, the
 * stream last, because it takes the descriptor; and what was made before something failed is undone
 * in reverse. It ends in CONN_OPEN, where it would have been anyway, with its stream frozen. */
#include "conn/conn_state.h"

#include <errno.h>

#include "auth/auth_type.h"
#include "conn/address_limit.h"
#include "conn/compression.h"
#include "conn/conn_state_private.h"
#include "conn/conn_traffic.h"
#include "conn/hull.h"
#include "conn/leave.h"
#include "conn/uplink_road.h"
#include "conn/ws_pace.h"
#include "conn/ws_reader.h"
#include "conn/ws_session.h"
#include "conn/ws_timers.h"
#include "fleet/client.h"
#include "io/tcp_handover.h"
#include "proto/utf8.h"
#include "session/directory.h"
#include "session/presence_state.h"

/* --- reading --- */

/* [bytes] of a route's path. */
#define PATH_MAX_LEN 4095

struct record {
	struct presence_record presence;
	char path[PATH_MAX_LEN + 1];
	/* Fields; data NULL: left out. */
	struct slice stream, times, frames, pace, client, uplink, compression;
	bool is_stalled, has_eof, is_pinged, is_from_proxy, is_proxied;
	uint64_t client_port; /* UINT64_MAX: the presence's */
	bool has_presence;
};

static int presence_read(struct record *record, struct slice bytes)
{
	struct presence_record *presence = &record->presence;
	struct state_reader reader;

	state_reader_init(&reader, bytes);
	int r = presence_record_read(&reader, presence);

	if (r < 0)
		return r;
	record->has_presence = true;
	return utf8_is_valid((const uint8_t *)presence->client_id, strlen(presence->client_id)) &&
			       utf8_is_valid(presence->attributes, presence->attributes_len)
		       ? 0
		       : -EBADMSG;
}

/* One that is longer than any of ours is of no route here. */
static int path_read(struct record *record, struct slice bytes)
{
	if (bytes.len <= PATH_MAX_LEN && bytes.len > 0) {
		memcpy(record->path, bytes.data, bytes.len);
		record->path[bytes.len] = 0;
	}
	return 0;
}

/* NULL: it is none of these. */
static struct slice *fields_of(struct record *record, uint16_t tag)
{
	switch (tag) {
	case CONN_TAG_STREAM:
		return &record->stream;
	case CONN_TAG_TIMES:
		return &record->times;
	case CONN_TAG_FRAMES:
		return &record->frames;
	case CONN_TAG_PACE:
		return &record->pace;
	case CONN_TAG_CLIENT:
		return &record->client;
	case CONN_TAG_UPLINK:
		return &record->uplink;
	case CONN_TAG_COMPRESSION:
		return &record->compression;
	default:
		return NULL;
	}
}

static bool *flag_of(struct record *record, uint16_t tag)
{
	switch (tag) {
	case CONN_TAG_IS_STALLED:
		return &record->is_stalled;
	case CONN_TAG_HAS_EOF:
		return &record->has_eof;
	case CONN_TAG_IS_PINGED:
		return &record->is_pinged;
	case CONN_TAG_IS_FROM_PROXY:
		return &record->is_from_proxy;
	case CONN_TAG_IS_PROXIED:
		return &record->is_proxied;
	default:
		return NULL;
	}
}

static int field_read(struct record *record, const struct state_field *field)
{
	struct slice *fields = fields_of(record, field->tag);
	bool *flag = flag_of(record, field->tag);

	if (fields != NULL)
		*fields = field->value;
	else if (flag != NULL)
		return state_flag(field, flag) ? 0 : -EBADMSG;
	else if (field->tag == CONN_TAG_CLIENT_PORT)
		return state_u64(field, &record->client_port) ? 0 : -EBADMSG;
	else if (field->tag == CONN_TAG_PRESENCE)
		return presence_read(record, field->value);
	else if (field->tag == CONN_TAG_PATH)
		return path_read(record, field->value);
	else if (state_must_understand(field->tag))
		return -ENOTSUP;
	return 0;
}

/* An open WebSocket. Who has sent all is read to the end, or stalled. */
static bool is_complete(const struct record *record)
{
	return record->has_presence && record->stream.data != NULL &&
	       !tcp_state_is_shut(record->stream) && (!record->has_eof || record->is_stalled) &&
	       (record->client_port <= UINT16_MAX || record->client_port == UINT64_MAX);
}

static int record_read(struct record *record, struct state_reader *reader)
{
	struct state_field field;
	int r = 0;

	*record = (struct record){.client_port = UINT64_MAX};
	while (r == 0 && state_next(reader, &field))
		r = field_read(record, &field);
	if (r == 0 && (reader->is_bad || !is_complete(record)))
		r = -EBADMSG;
	return r;
}

static struct state_reader reader_of(struct slice fields)
{
	struct state_reader reader;

	state_reader_init(&reader, fields);
	return reader;
}

/* --- making --- */

static void set_facts(struct conn *conn, const struct record *record)
{
	conn->has_eof = record->has_eof;
	conn->is_pinged = record->is_pinged;
	conn->is_from_proxy = record->is_from_proxy;
	conn->is_proxied = record->is_proxied;
	conn->is_imported = true;
	conn->client_port = (uint16_t)(record->client_port == UINT64_MAX
					       ? record->presence.remote_port
					       : record->client_port);
}

/* Its route and its name, by which nobody finds it yet. */
static int presence_make(struct conn *conn, const struct record *record)
{
	const struct presence_record *facts = &record->presence;
	const struct route_table *routes = conn_home_routes(conn->home);
	const struct route *route = routes == NULL
					    ? NULL
					    : route_table_find(routes, facts->route, record->path);
	const char *way = facts->way[0] == 0 ? NULL : auth_way_name(facts->way);

	if (route == NULL)
		return -ENOENT;
	if (way == NULL && facts->way[0] != 0)
		return -ENOTSUP;
	struct presence *presence = presence_import(facts, &(struct presence_place){
								   .route = &route->client,
								   .mailbox = &conn->home->mailbox,
								   .session = &conn->session,
								   .way = way,
							   });

	if (presence == NULL)
		return -ENOMEM;
	conn->way.route = route;
	conn->session = (struct session){.ops = &ws_session_ops, .presence = presence};
	conn->has_presence = true;
	return 0;
}

/* It has been let in: it takes its places, whatever is left of them. */
static int places_take_all(struct conn *conn)
{
	struct address_limit *addresses = conn_home_addresses(conn->home);
	struct net_ip client = conn_client(conn);

	if (addresses != NULL && !net_ip_is_unix(&client)) {
		int r = address_limit_import(addresses, &client);

		if (r < 0)
			return r;
		conn->has_address_place = true;
		conn->address_table = conn->home->address_now;
	}
	admission_import(conn->home->service->admission);
	conn->has_place = true;
	places_add(&conn_route(conn)->load->connections);
	conn->has_route_place = true;
	conn_count(conn);
	conn->is_settled = conn->is_in = true; /* counted by the process that let it in */
	return 0;
}

static int frames_make(struct conn *conn, const struct record *record)
{
	struct state_reader frames = reader_of(record->frames), pace = reader_of(record->pace);
	struct state_reader compression = reader_of(record->compression);
	int r = conn_compression_import(conn, &compression);

	if (r == 0)
		r = ws_reader_import(conn, record->is_stalled, &frames);
	ws_pace_begin(conn);
	return r < 0 ? r : ws_pace_import(conn, &pace);
}

static int stream_make(struct conn *conn, int fd, const struct record *record)
{
	struct state_reader stream = reader_of(record->stream), times = reader_of(record->times);
	int r = conn_ws_times_import(conn, &times);

	return r < 0 ? r : tcp_import(&conn->tcp, conn->home->loop, fd, &conn_handler, &stream);
}

static int make(struct conn *conn, int fd, const struct record *record)
{
	int r = presence_make(conn, record);

	if (r < 0)
		return r;
	r = frames_make(conn, record);
	if (r < 0)
		goto fail_presence;
	r = places_take_all(conn);
	if (r < 0)
		goto fail_presence;
	r = -EEXIST;
	if (!directory_import(conn->home->service->directory, conn_presence(conn)))
		goto fail_places;
	r = client_import(&conn->home->fleet, conn_session(conn), record->client);
	if (r < 0)
		goto fail_directory;
	r = conn_uplink_import(conn, record->uplink);
	if (r < 0)
		goto fail_client;
	r = stream_make(conn, fd, record);
	if (r == 0)
		return 0;
	conn_uplink_drop(conn);
fail_client:
	client_discard(conn_session(conn));
fail_directory:
	presence_detach(conn_presence(conn));
	directory_leave(conn->home->service->directory, conn_presence(conn));
fail_places:
	conn_leave(conn);
fail_presence:
	ws_reader_release(conn);
	presence_unref(&conn->session.presence);
	return r;
}

int conn_import(struct conn_home *home, unsigned listener, int fd, struct state_reader *reader)
{
	struct record record;
	int r = record_read(&record, reader);

	CHECK(listener < LISTENER_PLACES);
	if (r < 0)
		return r;
	struct conn *conn = conn_create(home, CONN_OPEN);

	if (conn == NULL)
		return -ENOMEM;
	conns_stop_time(home);
	conn->listener = (uint8_t)(listener & (LISTENER_PLACES - 1));
	set_facts(conn, &record);
	r = make(conn, fd, &record);
	if (r < 0) {
		pool_put(&home->conn_pool, conn);
		return r;
	}
	conn_note_queued(conn);
	stat_add(&home->stats.sockets, 1);
	return 0;
}
