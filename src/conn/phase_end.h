/* SPDX-License-Identifier: Apache-2.0
 * phase_end.h - the last words of a connection: FLUSH, LINGER, GONE.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_flush;
extern const struct conn_phase phase_linger;
extern const struct conn_phase phase_gone;

/* Sends what is queued and closes; bounded by close_timeout. */
void conn_flush_and_close(struct conn *conn);

/* Sends what is queued, then FIN, and discards input until the client's, if that has
 * not come yet. */
void conn_linger(struct conn *conn);
