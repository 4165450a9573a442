/* SPDX-License-Identifier: Apache-2.0
 * rpc_gate.h - what passes between a client and services on a route that knows calls.
 *
 * Layer: fleet. In the thread of the client's worker. */
#pragma once

#include "fleet/fleet.h"
#include "session/session.h"

/* A message of the client; one that is UTF-8 is text, whatever its frame said. True: it is for the
 * back end, perhaps with a mark, or, as a call, with its number. False: a call has waited for it.
 * Afterwards the session may be closing. */
bool rpc_gate_up(struct fleet *fleet, const struct config_route *route, struct session *session,
		 struct message *message);

/* A message of a service, which becomes text as above: sends it with session_send or session_push,
 * and returns what that does. If it answers a call of the client's, the session is told. -EPERM: it
 * is a call itself, and is not sent: its answer would be nobody's, and the client might be busy
 * with another. */
int rpc_gate_down(struct session *session, struct message *message,
		  int (*send)(struct session *session, const struct message *message));
