/* SPDX-License-Identifier: Apache-2.0
 * phase_proving.h - PROVING: a client is asked who it is before anything is done for it.
 *
 * Layer: conn. */
#pragma once

#include "auth/auth.h"
#include "conn/conn.h"

extern const struct conn_phase phase_proving;

/* A request for a WebSocket, once its route is known. */
struct upgrade {
	const struct conn_request *request;
	struct slice key;
	const char *client_id;           /* of the path; NULL: the route has none */
	const struct auth_result *proof; /* NULL: nobody had to prove anything */
	uint32_t accepted_us;            /* conn_now_us of then */
};

typedef void (*conn_proved_fn)(struct conn *conn, const struct upgrade *upgrade);

/* In CONN_HEAD, before it takes any place: asks the ways of its route. If one of them is
 * satisfied, at once or later, `on_proved` goes on, with all of `upgrade` and the proof, lent, in
 * CONN_HEAD or CONN_PROVING; otherwise the client is told why not. */
void conn_prove(struct conn *conn, struct auth *auth, const struct upgrade *upgrade,
		conn_proved_fn on_proved);
