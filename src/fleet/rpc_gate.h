/* SPDX-License-Identifier: Apache-2.0
 * rpc_gate.h - what passes between a client and services on a route that knows calls.
 *
 * Layer: fleet. In the thread of the client's worker. */
#pragma once

#include "fleet/fleet.h"
#include "session/session.h"

/* The route of a client. */
const struct config_route *rpc_gate_route(const struct fleet *fleet, const struct session *session);

/* A message of the client. True: it is for the back end, perhaps with a mark. False: a call has
 * waited for it. Afterwards the session may be closing. */
bool rpc_gate_up(struct fleet *fleet, const struct config_route *route, struct session *session,
		 struct message *message);

/* May a service send it as it is? False for a call in the route's framing: its answer would
 * be nobody's, and the client might be busy with another. */
bool rpc_gate_down(const struct fleet *fleet, const struct session *session,
		   const struct message *message);
