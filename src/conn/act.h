/* SPDX-License-Identifier: Apache-2.0
 * act.h - the actions that a back end has answered to an event of a client
 * (fleet/actions/actions.h).
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

struct actions;

/* NULL: it is no list that can be done on the connection's route, and `problem` says why. */
struct actions *conn_actions_read(const struct conn *conn, struct slice json, char *problem,
				  size_t size);

/* Does them, in CONN_OPEN; NULL: nothing. As after an answer, no client is cut for what it has not
 * read yet: the next event waits for that. Afterwards the connection may be closing. */
void conn_act(struct conn *conn, const struct actions *actions);
