/* SPDX-License-Identifier: Apache-2.0 */
#include "server/handover_sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/state.h"
#include "server/handover_channel.h"
#include "server/handover_format.h"

static void text_take(const struct state_field *field, char *out, size_t size)
{
	snprintf(out, size, "%.*s", SLICE_ARG(field->value));
}

/* False: it is no record of ours. */
static bool record_read(struct slice record, struct handover_socket *out)
{
	struct state_reader reader;
	struct state_field field;
	uint64_t number;

	*out = (struct handover_socket){.fd = -1};
	state_reader_init(&reader, record);
	while (state_next(&reader, &field)) {
		bool is_number = state_u64(&field, &number);

		switch (field.tag) {
		case HANDOVER_TAG_PLACE:
			text_take(&field, out->place, sizeof(out->place));
			break;
		case HANDOVER_TAG_IS_ADMIN:
			out->is_admin = is_number && number != 0;
			break;
		case HANDOVER_TAG_IPV6_ONLY:
			out->is_ipv6_only = is_number && number != 0;
			break;
		case HANDOVER_TAG_DEVICE:
			out->device = is_number ? (dev_t)number : 0;
			break;
		case HANDOVER_TAG_INODE:
			out->inode = is_number ? (ino_t)number : 0;
			break;
		default:
			if (state_must_understand(field.tag))
				return false;
		}
	}
	return !reader.is_bad && out->place[0] != 0;
}

int handover_sockets_add(struct handover_sockets *sockets, struct handover_message *message)
{
	size_t size = (sockets->count + message->fd_count) * sizeof(*sockets->items);
	struct handover_socket *items = realloc(sockets->items, MAX(size, (size_t)1));
	struct state_reader reader;
	struct state_field field;
	size_t i = 0;

	if (items == NULL)
		return -ENOMEM;
	sockets->items = items;
	state_reader_init(&reader, buf_slice(&message->body));
	while (state_next(&reader, &field)) {
		struct handover_socket *socket = &items[sockets->count];

		if (field.tag != HANDOVER_TAG_DOOR)
			continue;
		if (i == message->fd_count || !record_read(field.value, socket))
			return -EPROTO;
		socket->fd = message->fds[i];
		message->fds[i++] = -1;
		sockets->count++;
	}
	return reader.is_bad || i != message->fd_count ? -EPROTO : 0;
}

void handover_sockets_finish(struct handover_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->items[i].fd >= 0)
			close(sockets->items[i].fd);
	free(sockets->items);
	*sockets = (struct handover_sockets){0};
}

static bool is_of(const struct handover_socket *socket, const struct handover_place *place)
{
	char text[CONFIG_PLACE_TEXT_MAX];

	return socket->is_admin == place->is_admin && socket->is_ipv6_only == place->is_ipv6_only &&
	       strcmp(socket->place, config_place_format(place->address, text)) == 0;
}

const struct handover_socket *handover_sockets_find(const struct handover_sockets *sockets,
						    const struct handover_place *place)
{
	for (size_t i = 0; sockets != NULL && i < sockets->count; i++)
		if (is_of(&sockets->items[i], place))
			return &sockets->items[i];
	return NULL;
}

int handover_sockets_take(struct handover_sockets *sockets, const struct handover_place *place)
{
	for (size_t i = 0; sockets != NULL && i < sockets->count; i++) {
		struct handover_socket *socket = &sockets->items[i];

		if (!is_of(socket, place) || socket->fd < 0)
			continue;
		int fd = socket->fd;

		socket->fd = -1;
		return fd;
	}
	return -1;
}
