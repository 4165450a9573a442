/* SPDX-License-Identifier: Apache-2.0
 * session.h - a client's identity, as back ends see it.
 *
 * Layer: session (may include base/ only). A session lives inside a connection, in
 * its worker's thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

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
};

struct session {
	const struct session_ops *ops;
	char *client_id; /* owned; percent-decoded, never empty; NULL if the route has none */
};

static inline int session_send(struct session *session, const struct message *message)
{
	return session->ops->send(session, message);
}
