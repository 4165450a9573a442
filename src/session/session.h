/* SPDX-License-Identifier: Apache-2.0
 * session.h - a connected client, as back ends see it.
 *
 * Layer: session (may include base/ and io/ only). A session lives inside a connection,
 * in its worker's thread. Other threads know its presence and reach it by that. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "session/presence.h"

/* One whole message, from a client or to one. */
struct message {
	bool is_text;
	struct slice bytes; /* lent for the length of the call */
};

struct session;

struct session_ops {
	/* Queues a message to the client. 0; -ENOMEM; -EPIPE if the connection is
	 * closing. */
	int (*send)(struct session *session, const struct message *message);
	/* A newer connection of the same client is there: closes this one. */
	void (*taken_over)(struct session *session);
};

struct session {
	const struct session_ops *ops;
	struct presence *presence; /* a reference; route, client id and the other facts */
};

static inline int session_send(struct session *session, const struct message *message)
{
	return session->ops->send(session, message);
}
