/* SPDX-License-Identifier: Apache-2.0
 * ws_timers.h - how long an open WebSocket may be silent, slow, or idle.
 *
 * Layer: conn. In CONN_OPEN. */
#pragma once

#include "base/state.h"
#include "conn/conn.h"

/* The timer has fired; what it waits for may have changed. */
void conn_ws_timeout(struct conn *conn);

/* Sets it to the nearest thing that may become due. */
void conn_ws_schedule(struct conn *conn);

/* From now on the client is waited for: it must take something, or answer. */
void conn_ws_start_waiting(struct conn *conn);

/* --- while its home is frozen (conn_state.h) --- */

/* How long ago things were when time stopped. */
void conn_ws_times_export(struct conn *conn, struct state_writer *writer);
int conn_ws_times_import(struct conn *conn, struct state_reader *reader);

/* They are as long ago now. The caller sets the timer. */
void conn_ws_times_thaw(struct conn *conn);
