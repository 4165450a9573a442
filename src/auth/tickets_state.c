/* SPDX-License-Identifier: Apache-2.0
 * tickets_state.c - the table of tickets, as fields for the next process (base/state.h). */
#include "auth/tickets_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"

/* A tag keeps its meaning for ever. */
enum {
	TAG_LAST_NUMBER = 1,
	TAG_TICKET = 2, /* fields; of each */

	TAG_TICKET_NUMBER = 1,
	TAG_TICKET_LEFT_MS = 2,
	TAG_TICKET_HASH = 3, /* SHA-256 of its secret */
	TAG_TICKET_ROUTE = 4,
	TAG_TICKET_CLIENT_ID = 5,
	TAG_TICKET_GROUPS = 6,
	TAG_TICKET_SUBPROTOCOL = 7,
};

static void kept_export(const struct kept *kept, uint64_t now_ns, struct state_writer *writer)
{
	size_t begun = state_begin(writer, TAG_TICKET);

	state_put_u64(writer, TAG_TICKET_NUMBER, kept->number);
	state_put_u64(writer, TAG_TICKET_LEFT_MS, (kept->ends_ns - now_ns) / NS_PER_MS);
	state_put_bytes(writer, TAG_TICKET_HASH, slice_of(kept->hash, sizeof(kept->hash)));
	state_put_text(writer, TAG_TICKET_ROUTE, kept->route);
	state_put_text(writer, TAG_TICKET_CLIENT_ID, kept->ticket.client_id);
	state_put_text(writer, TAG_TICKET_GROUPS, kept->ticket.groups);
	state_put_text(writer, TAG_TICKET_SUBPROTOCOL, kept->ticket.subprotocol);
	state_end(writer, begun);
}

void tickets_export(struct tickets *tickets, struct state_writer *writer)
{
	uint64_t now_ns = clock_now_ns();

	pthread_mutex_lock(&tickets->mutex);
	state_put_u64(writer, TAG_LAST_NUMBER, tickets->last_number);
	for (struct list_node *at = tickets->all.next; at != &tickets->all; at = at->next) {
		const struct kept *kept = CONTAINER_OF(at, struct kept, node);

		if (kept->ends_ns > now_ns)
			kept_export(kept, now_ns, writer);
	}
	tickets->has_moved = true;
	pthread_mutex_unlock(&tickets->mutex);
}

void tickets_take_back(struct tickets *tickets)
{
	pthread_mutex_lock(&tickets->mutex);
	tickets->has_moved = false;
	pthread_mutex_unlock(&tickets->mutex);
}

static int text_read(const struct state_field *field, char **out)
{
	struct slice text = field->value;

	if (*out != NULL || text.len == 0 || memchr(text.data, 0, text.len) != NULL)
		return -EBADMSG;
	*out = slice_to_text(text);
	return *out == NULL ? -ENOMEM : 0;
}

static int ticket_field_read(struct kept *kept, uint64_t now_ns, const struct state_field *field)
{
	uint64_t left_ms;

	switch (field->tag) {
	case TAG_TICKET_NUMBER:
		return state_u64(field, &kept->number) ? 0 : -EBADMSG;
	case TAG_TICKET_LEFT_MS:
		if (!state_u64(field, &left_ms) || left_ms > UINT32_MAX)
			return -EBADMSG;
		kept->ends_ns = now_ns + left_ms * NS_PER_MS;
		return 0;
	case TAG_TICKET_HASH:
		return state_bytes(field, kept->hash, sizeof(kept->hash)) ? 0 : -EBADMSG;
	case TAG_TICKET_ROUTE:
		return text_read(field, &kept->route);
	case TAG_TICKET_CLIENT_ID:
		return text_read(field, &kept->ticket.client_id);
	case TAG_TICKET_GROUPS:
		return text_read(field, &kept->ticket.groups);
	case TAG_TICKET_SUBPROTOCOL:
		return text_read(field, &kept->ticket.subprotocol);
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
}

static int ticket_read(struct tickets *tickets, uint64_t now_ns, struct slice bytes)
{
	struct kept *kept = calloc(1, sizeof(*kept));
	struct state_reader reader;
	struct state_field field;
	int r = kept == NULL ? -ENOMEM : 0;

	state_reader_init(&reader, bytes);
	while (r == 0 && state_next(&reader, &field))
		r = ticket_field_read(kept, now_ns, &field);
	if (r == 0 && (reader.is_bad || kept->number == 0 || kept->number > tickets->last_number ||
		       kept->ends_ns == 0 || kept->route == NULL || kept->ticket.client_id == NULL))
		r = -EBADMSG;
	if (r == 0)
		tickets_attach(tickets, kept);
	else
		kept_free(kept);
	return r;
}

static int import_field(struct tickets *tickets, uint64_t now_ns, const struct state_field *field)
{
	switch (field->tag) {
	case TAG_LAST_NUMBER:
		return state_u64(field, &tickets->last_number) ? 0 : -EBADMSG;
	case TAG_TICKET:
		return ticket_read(tickets, now_ns, field->value);
	default:
		return state_must_understand(field->tag) ? -ENOTSUP : 0;
	}
}

int tickets_import(struct tickets *tickets, struct state_reader *reader)
{
	uint64_t now_ns = clock_now_ns();
	struct state_field field;
	int r = 0;

	pthread_mutex_lock(&tickets->mutex);
	CHECK(tickets->last_number == 0 && list_is_empty(&tickets->all));
	while (r == 0 && state_next(reader, &field))
		r = import_field(tickets, now_ns, &field);
	if (r == 0 && reader->is_bad)
		r = -EBADMSG;
	if (r < 0) {
		tickets_drop_all(tickets);
		tickets->last_number = 0;
	}
	pthread_mutex_unlock(&tickets->mutex);
	return r;
}

void tickets_forget(struct tickets *tickets)
{
	pthread_mutex_lock(&tickets->mutex);
	tickets_drop_all(tickets);
	pthread_mutex_unlock(&tickets->mutex);
}
