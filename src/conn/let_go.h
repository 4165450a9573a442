/* SPDX-License-Identifier: Apache-2.0
 * let_go.h - a client is asked to go elsewhere, in a paced drain.
 *
 * Layer: conn. In the connection's thread. */
#pragma once

#include "conn/conn.h"

/* Is something of it under way that is better ended first: a message that is not whole, an event
 * that its back end does not have yet or is to answer, a call that waits for the client? Of an open
 * WebSocket. */
bool conn_is_busy(struct conn *conn);

/* Closes an open WebSocket with 1012 and "retry-after=N": it shall not come back before so many
 * seconds. */
void conn_let_go(struct conn *conn, uint64_t retry_after_s);
