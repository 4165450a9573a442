/* SPDX-License-Identifier: Apache-2.0
 * server_state.c - the state of a server that is no connection's: keys of session tickets, and
 * tickets of the API. Both let clients in that were let in before, so they go along; and so do
 * blocks, which somebody has asked for, how many have come lately, and who has guessed wrong. */
#include "server/server_handover.h"

#include "auth/pace.h"
#include "auth/tickets.h"
#include "base/clock.h"
#include "server/handover_format.h"
#include "server/server_private.h"

/* --- keys of session tickets, listener by listener --- */

static void tls_export(const struct server_door *door, struct state_writer *writer)
{
	char text[CONFIG_PLACE_TEXT_MAX];
	size_t begun = state_begin(writer, HANDOVER_TAG_TLS);

	state_put_text(writer, HANDOVER_TAG_TLS_PLACE, config_place_format(&door->place, text));
	server_tls_export(door->tls, writer);
	state_end(writer, begun);
}

static struct server_door *door_find(struct server_doors *doors, struct slice place)
{
	char text[CONFIG_PLACE_TEXT_MAX];

	for (size_t i = 0; i < doors->count; i++) {
		config_place_format(&doors->items[i]->place, text);
		if (doors->items[i]->tls != NULL && slice_equals(place, slice_from_text(text)))
			return doors->items[i];
	}
	return NULL;
}

/* A listener that speaks TLS no more has no use for them. */
static void tls_import(struct server *server, struct slice record)
{
	struct state_reader reader;
	struct state_field field;
	struct server_door *door = NULL;

	state_reader_init(&reader, record);
	while (state_next(&reader, &field))
		if (field.tag == HANDOVER_TAG_TLS_PLACE)
			door = door_find(&server->doors, field.value);
	state_reader_init(&reader, record);
	if (door != NULL)
		server_tls_import(door->tls, &reader);
}

static void blocks_put_record(struct server *server, struct state_writer *writer)
{
	size_t begun = state_begin(writer, HANDOVER_TAG_BLOCKS);

	blocks_export(server->blocks, clock_wall_ns() / NS_PER_MS, writer);
	state_end(writer, begun);
}

static void pace_put_record(struct server *server, struct state_writer *writer)
{
	if (server->auth.pace == NULL)
		return;
	size_t begun = state_begin(writer, HANDOVER_TAG_PACE);

	pace_export(server->auth.pace, clock_now_ns() / NS_PER_MS, writer);
	state_end(writer, begun);
}

/* --- all --- */

void server_state_export(struct server *server, struct state_writer *writer)
{
	for (size_t i = 0; i < server->doors.count; i++)
		if (server->doors.items[i]->tls != NULL)
			tls_export(server->doors.items[i], writer);
	size_t begun = state_begin(writer, HANDOVER_TAG_TICKETS);

	tickets_export(server->proofs.tickets, writer);
	state_end(writer, begun);
	blocks_put_record(server, writer);
	state_put_u64(writer, HANDOVER_TAG_ACCEPTS,
		      accept_rate_export(&server->public_service.accept_rate));
	pace_put_record(server, writer);
}

static bool accepts_import(struct server *server, const struct state_field *field)
{
	uint64_t exported;

	if (!state_u64(field, &exported))
		return false;
	accept_rate_import(&server->public_service.accept_rate, exported, clock_now_ns());
	return true;
}

bool server_state_import(struct server *server, struct state_reader *reader)
{
	struct state_field field;
	bool is_good = true;

	while (is_good && state_next(reader, &field)) {
		struct state_reader inner;

		state_reader_init(&inner, field.value);
		if (field.tag == HANDOVER_TAG_TLS)
			tls_import(server, field.value);
		else if (field.tag == HANDOVER_TAG_TICKETS)
			is_good = tickets_import(server->proofs.tickets, &inner) == 0;
		else if (field.tag == HANDOVER_TAG_BLOCKS)
			is_good = blocks_import(server->blocks, clock_wall_ns() / NS_PER_MS,
						&inner) == 0;
		else if (field.tag == HANDOVER_TAG_ACCEPTS)
			is_good = accepts_import(server, &field);
		else if (field.tag == HANDOVER_TAG_PACE)
			is_good = pace_import(server->auth.pace, &inner) == 0;
		else if (state_must_understand(field.tag))
			is_good = false;
	}
	return is_good && !reader->is_bad;
}

void server_state_forget(struct server *server)
{
	tickets_forget(server->proofs.tickets);
}
