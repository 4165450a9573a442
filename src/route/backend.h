/* SPDX-License-Identifier: Apache-2.0
 * backend.h - what a back end is to a route.
 *
 * Layer: route. One back end serves all workers at once: its functions run in the
 * thread of the session's worker. */
#pragma once

#include <stdbool.h>

#include "session/session.h"

struct backend {
	const char *name;
	/* Takes one message from a client. 0, or a negative errno: then the connection
	 * is closed with 1011. */
	int (*on_message)(const struct backend *backend, struct session *session,
			  const struct message *message);
};

/* Sends every message back to its client. */
extern const struct backend backend_echo;
