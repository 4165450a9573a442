/* SPDX-License-Identifier: Apache-2.0
 * ws_timers.h - how long an open WebSocket may be silent, slow, or idle.
 *
 * Layer: conn. In CONN_OPEN. */
#pragma once

#include "conn/conn.h"

/* The timer has fired; what it waits for may have changed. */
void conn_ws_timeout(struct conn *conn);

/* Sets it to the nearest thing that may become due. */
void conn_ws_schedule(struct conn *conn);

/* From now on the client is waited for: it must take something, or answer. */
void conn_ws_start_waiting(struct conn *conn);
