/* SPDX-License-Identifier: Apache-2.0 */
#include "session/presence_state.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "session/directory.h"

/* A tag keeps its meaning for ever. */
enum {
	TAG_ROUTE = 1,
	TAG_CLIENT_ID = 2,
	TAG_SUBPROTOCOL = 3, /* left out: none */
	TAG_REMOTE = 4,      /* 16 bytes */
	TAG_REMOTE_PORT = 5,
	TAG_CONNECTION_ID = 6,
	TAG_GENERATION = 7,
	TAG_CONNECTED_AT_MS = 8,
	TAG_TAKEOVER_HEAT = 9,
	TAG_PROOF = 10,      /* fields; left out: it has proved nothing */
	TAG_TRAFFIC = 11,    /* fields of traffic.h */
	TAG_ATTRIBUTES = 12, /* a block; left out: none */
	TAG_TRACE = 13,      /* its traceparent; left out: none */
	TAG_NOTE = 14,       /* left out: none */
	TAG_TAKEOVER_ROW = 15,

	TAG_PROOF_WAY = 1,
	TAG_PROOF_SUBJECT = 2,      /* left out: the client id */
	TAG_PROOF_EXPIRES_AT_S = 3, /* left out: never */
};

/* --- writing --- */

static void proof_export(const struct presence *presence, struct state_writer *writer)
{
	struct presence_proof proof;

	if (!presence_proof(presence, &proof))
		return;
	size_t begun = state_begin(writer, TAG_PROOF);

	state_put_text(writer, TAG_PROOF_WAY, proof.way);
	if (proof.subject != presence->client_id)
		state_put_text(writer, TAG_PROOF_SUBJECT, proof.subject);
	if (proof.expires_at_s != 0)
		state_put_u64(writer, TAG_PROOF_EXPIRES_AT_S, proof.expires_at_s);
	state_end(writer, begun);
}

void presence_export(const struct presence *presence, struct state_writer *writer)
{
	struct net_ip remote = presence_remote(presence);
	char parent[TRACE_PARENT_LEN + 1];
	struct trace_context trace;

	state_put_text(writer, TAG_ROUTE, presence_route_name(presence));
	state_put_text(writer, TAG_CLIENT_ID, presence->client_id);
	state_put_text(writer, TAG_SUBPROTOCOL, presence_subprotocol(presence));
	state_put_bytes(writer, TAG_REMOTE, slice_of(remote.bytes, sizeof(remote.bytes)));
	state_put_u64(writer, TAG_REMOTE_PORT, presence->remote_port);
	state_put_u64(writer, TAG_CONNECTION_ID, presence->connection_id);
	state_put_u64(writer, TAG_GENERATION, presence->generation);
	state_put_u64(writer, TAG_CONNECTED_AT_MS, presence->connected_at_ms);
	state_put_u64(writer, TAG_TAKEOVER_HEAT, presence->takeover_heat);
	state_put_u64(writer, TAG_TAKEOVER_ROW, presence->takeover_row);
	proof_export(presence, writer);
	size_t begun = state_begin(writer, TAG_TRAFFIC);

	traffic_export(&presence->traffic, writer);
	state_end(writer, begun);
	if (presence->has_attributes)
		state_put_bytes(writer, TAG_ATTRIBUTES, presence_attributes(presence));
	if (presence->has_note)
		state_put_bytes(writer, TAG_NOTE, presence_note(presence));
	if (presence_trace(presence, &trace))
		state_put_text(writer, TAG_TRACE, trace_parent_write(&trace, parent));
}

/* --- reading --- */

static int unknown(const struct state_field *field)
{
	return state_must_understand(field->tag) ? -ENOTSUP : 0;
}

static int proof_field_read(const struct state_field *field, struct presence_record *record)
{
	bool is_good;

	switch (field->tag) {
	case TAG_PROOF_WAY:
		is_good = state_text(field, record->way, sizeof(record->way));
		break;
	case TAG_PROOF_SUBJECT:
		is_good = state_text(field, record->subject, sizeof(record->subject));
		break;
	case TAG_PROOF_EXPIRES_AT_S:
		is_good = state_u64(field, &record->expires_at_s);
		break;
	default:
		return unknown(field);
	}
	return is_good ? 0 : -EBADMSG;
}

static int proof_read(struct slice bytes, struct presence_record *record)
{
	struct state_reader reader;
	struct state_field field;
	int r = 0;

	state_reader_init(&reader, bytes);
	while (r == 0 && state_next(&reader, &field))
		r = proof_field_read(&field, record);
	return r == 0 && (reader.is_bad || record->way[0] == 0) ? -EBADMSG : r;
}

static bool attributes_read(struct slice block, struct presence_record *record)
{
	if (block.len == 0 || !attributes_are_good(block))
		return false;
	memcpy(record->attributes, block.data, block.len);
	record->attributes_len = block.len;
	return true;
}

/* Two texts with a NUL between, and no other (conn/access_log.h). */
static bool note_read(struct slice note, struct presence_record *record)
{
	size_t nuls = 0;

	for (size_t i = 0; i < note.len; i++)
		nuls += note.data[i] == 0;
	if (note.len > sizeof(record->note) || nuls != 1)
		return false;
	memcpy(record->note, note.data, note.len);
	record->note_len = note.len;
	return true;
}

static int field_read(const struct state_field *field, struct presence_record *record)
{
	bool is_good;

	switch (field->tag) {
	case TAG_ROUTE:
		is_good = state_text(field, record->route, sizeof(record->route));
		break;
	case TAG_CLIENT_ID:
		is_good = state_text(field, record->client_id, sizeof(record->client_id));
		break;
	case TAG_SUBPROTOCOL:
		is_good = state_text(field, record->subprotocol, sizeof(record->subprotocol));
		break;
	case TAG_REMOTE:
		is_good = state_bytes(field, record->remote.bytes, sizeof(record->remote.bytes));
		break;
	case TAG_REMOTE_PORT:
		is_good = state_u64(field, &record->remote_port);
		break;
	case TAG_CONNECTION_ID:
		is_good = state_u64(field, &record->connection_id);
		break;
	case TAG_GENERATION:
		is_good = state_u64(field, &record->generation);
		break;
	case TAG_CONNECTED_AT_MS:
		is_good = state_u64(field, &record->connected_at_ms);
		break;
	case TAG_TAKEOVER_HEAT:
		is_good = state_u64(field, &record->takeover_heat);
		break;
	case TAG_NOTE:
		is_good = note_read(field->value, record);
		break;
	case TAG_TAKEOVER_ROW:
		is_good = state_u64(field, &record->takeover_row);
		break;
	case TAG_TRACE:
		is_good = trace_parent_read(field->value, &record->trace);
		break;
	case TAG_PROOF:
		return proof_read(field->value, record);
	case TAG_TRAFFIC:
		return traffic_read(&record->traffic, field->value, clock_now_ns());
	case TAG_ATTRIBUTES:
		is_good = attributes_read(field->value, record);
		break;
	default:
		return unknown(field);
	}
	return is_good ? 0 : -EBADMSG;
}

static bool is_complete(const struct presence_record *record)
{
	return record->route[0] != 0 && record->client_id[0] != 0 &&
	       record->remote_port <= UINT16_MAX && record->connection_id > 0 &&
	       record->connection_id <= DIRECTORY_ID_MAX && record->generation > 0 &&
	       record->generation <= UINT32_MAX && record->connected_at_ms <= PRESENCE_TIME_MAX &&
	       record->takeover_heat <= DIRECTORY_HEAT_MAX && record->takeover_row <= UINT8_MAX;
}

int presence_record_read(struct state_reader *reader, struct presence_record *out_record)
{
	struct presence_record record = {.route = ""};
	struct state_field field;
	int r = 0;

	while (r == 0 && state_next(reader, &field))
		r = field_read(&field, &record);
	if (r == 0 && (reader->is_bad || !is_complete(&record)))
		r = -EBADMSG;
	if (r == 0)
		*out_record = record;
	return r;
}

struct presence *presence_import(const struct presence_record *record,
				 const struct presence_place *place)
{
	const struct presence_proof proof = {
		.way = place->way,
		.subject = record->subject[0] == 0 ? NULL : record->subject,
		.expires_at_s = record->expires_at_s,
	};
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = place->route,
		.client_id = record->client_id,
		.subprotocol = slice_from_text(record->subprotocol),
		.remote = record->remote,
		.remote_port = (uint16_t)record->remote_port,
		.mailbox = place->mailbox,
		.session = place->session,
		.proof = place->way == NULL ? NULL : &proof,
		.attributes = slice_of(record->attributes, record->attributes_len),
		.trace = &record->trace,
		.note = slice_of(record->note, record->note_len),
	});

	if (presence == NULL)
		return NULL;
	presence->connection_id = record->connection_id & DIRECTORY_ID_MAX;
	presence->generation = (uint32_t)record->generation;
	presence->connected_at_ms = record->connected_at_ms & PRESENCE_TIME_MAX;
	presence->takeover_heat = record->takeover_heat & DIRECTORY_HEAT_MAX;
	presence->takeover_row = (uint8_t)record->takeover_row;
	traffic_import(&presence->traffic, &record->traffic);
	return presence;
}
