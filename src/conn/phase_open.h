/* SPDX-License-Identifier: Apache-2.0
 * phase_open.h - OPEN: messages, and back pressure.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_open;

/* The upgrade is answered. */
void conn_open(struct conn *conn);

/* Bytes that came before their time: right behind the upgrade, or while others were asked. */
void conn_open_early(struct conn *conn, uint8_t *data, size_t len);

/* What held up the connection may have gone: goes on if that is so. */
void conn_open_resume(struct conn *conn);

/* It comes from another process, or was to go there (conn_state.h): its time runs, with what was
 * left of it. */
void conn_open_thaw(struct conn *conn);
