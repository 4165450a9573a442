/* SPDX-License-Identifier: Apache-2.0
 * ws_session.h - an open connection as a session: what back ends, the fleet and broadcasts may
 * do with it.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

struct shared_bytes;

extern const struct session_ops ws_session_ops;

/* session_push with the frame of a whole message (ws_frame_create), of which the queue keeps a
 * reference. */
int ws_session_push_frame(struct conn *conn, struct shared_bytes *frame);
