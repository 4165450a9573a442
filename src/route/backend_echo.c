/* SPDX-License-Identifier: Apache-2.0
 * backend_echo.c - the built-in back end: every message goes back to its client (backend.h). */
#include "route/backend.h"

static int echo(const struct backend *backend, struct session *session,
		const struct message *message)
{
	(void)backend;
	return session_send(session, message);
}

const struct backend backend_echo = {.name = "echo", .on_message = echo};
