/* SPDX-License-Identifier: Apache-2.0
 * presence_state.h - a presence as fields (base/state.h), for the process that takes its client
 * over.
 *
 * Layer: session. In the thread of the client's worker. */
#pragma once

#include "base/state.h"
#include "session/presence.h"

/* [bytes] of a subprotocol; a longer one cannot have been agreed on. */
#define PRESENCE_SUBPROTOCOL_MAX 4095

void presence_export(const struct presence *presence, struct state_writer *writer);

/* What the fields say, before it is known which route that is here. */
struct presence_record {
	char route[PRESENCE_ROUTE_MAX + 1]; /* its name */
	char client_id[PRESENCE_CLIENT_ID_MAX + 1];
	char way[32];                                   /* "": it has proved nothing */
	char subject[PRESENCE_SUBJECT_MAX + 1];         /* "": the client id */
	char subprotocol[PRESENCE_SUBPROTOCOL_MAX + 1]; /* "": none */
	uint64_t expires_at_s;
	struct net_ip remote;
	uint64_t remote_port;
	uint64_t connection_id, generation, connected_at_ms, takeover_heat, takeover_row;
	struct traffic_record traffic;
	uint8_t attributes[ATTRIBUTES_BYTES_MAX]; /* a good block */
	size_t attributes_len;
	struct trace_context trace; /* not set: none */
	uint8_t note[PRESENCE_NOTE_MAX];
	size_t note_len;
};

/* 0; -EBADMSG: no presence can have written that; -ENOTSUP: only a newer program could. */
int presence_record_read(struct state_reader *reader, struct presence_record *out_record);

/* Where the client is now. */
struct presence_place {
	const struct client_route *route;
	struct mailbox *mailbox;
	struct session *session;
	const char *way; /* the record's, as static text; NULL: it has proved nothing */
};

/* The same client, with the same connection id, generation and time; not in the directory yet
 * (directory_import). One reference, the caller's. NULL: memory is out. */
struct presence *presence_import(const struct presence_record *record,
				 const struct presence_place *place);
