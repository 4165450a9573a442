/* SPDX-License-Identifier: Apache-2.0
 * ws_session.h - an open connection as a session: what back ends, the fleet and broadcasts may
 * do with it.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

struct ws_fan_frame;

extern const struct session_ops ws_session_ops;

/* session_push of a message to many. *out_len is what was queued of it for this one. */
int ws_session_push_frame(struct conn *conn, struct ws_fan_frame *frame, size_t *out_len);
