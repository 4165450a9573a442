/* SPDX-License-Identifier: Apache-2.0
 * renewal.h - a client whose proof ends shows a new token.
 *
 * Layer: conn. In CONN_OPEN. */
#pragma once

#include "conn/conn.h"

/* As session_ops.renew. */
int conn_renew(struct session *session, struct slice token, struct session_renewal *out_renewal);

/* A message of the client. True: it was for the gateway, is answered, and is not for the back
 * end; the connection may be closing. */
bool conn_renewal_take(struct conn *conn, const struct message *message);
