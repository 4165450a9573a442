/* SPDX-License-Identifier: Apache-2.0
 * handover_sockets.h - the listening sockets that a process got from the one before it.
 *
 * Layer: server. In the main thread, at the start. They belong here until a worker takes them.
 * Nothing is done to one before it is taken: the other process may go on with it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

struct handover_message;

struct handover_socket {
	char place[CONFIG_PLACE_TEXT_MAX]; /* as it was configured */
	bool is_admin, is_ipv6_only;
	dev_t device; /* of the file of one with a path */
	ino_t inode;
	int fd; /* -1: taken */
};

struct handover_sockets {
	struct handover_socket *items;
	size_t count;
};

/* Which sockets are meant. */
struct handover_place {
	const struct config_place *address;
	bool is_ipv6_only, is_admin;
};

/* Takes the descriptors out of a message of the kind HANDOVER_DOORS. 0, -EPROTO or -ENOMEM. */
int handover_sockets_add(struct handover_sockets *sockets, struct handover_message *message);
void handover_sockets_finish(struct handover_sockets *sockets);

/* Is there one? NULL: no. */
const struct handover_socket *handover_sockets_find(const struct handover_sockets *sockets,
						    const struct handover_place *place);

/* One of the place that has not been taken, now the caller's, or -1: there are no more. */
int handover_sockets_take(struct handover_sockets *sockets, const struct handover_place *place);
