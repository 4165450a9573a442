/* SPDX-License-Identifier: Apache-2.0
 * uplink_road.h - the road from a connection to its asynchronous back end: opened before the
 * client is answered, closed as the connection begins to end.
 *
 * Layer: conn. What comes back is heard by home->ears (uplink_ears.h). */
#pragma once

#include "base/state.h"
#include "conn/conn.h"

struct tcp_tls_facts;

/* Asks the back end whether the client may come in, by `deadline_ns` of clock_now_ns. `tls`: of
 * the client; NULL: none. False: memory is out. */
bool conn_uplink_open(struct conn *conn, const struct conn_request *request,
		      const struct tcp_tls_facts *tls, uint64_t deadline_ns);

/* The client is in. Nothing happens if its back end is a synchronous one; nor below. */
void conn_uplink_connected(struct conn *conn);

/* A message from the client. 0 or a negative errno; not for a synchronous back end. */
int conn_uplink_message(struct conn *conn, const struct message *message);

/* The client has been sent the answer to this call of its own. */
void conn_uplink_answered(struct conn *conn, uint64_t call);

/* More may be sent to the client. */
void conn_uplink_resume(struct conn *conn);

/* The connection begins to end, for its reason; `code` of a close frame, 0: the reason's. */
void conn_uplink_close(struct conn *conn, uint16_t code);

/* The uplink has closed itself. */
void conn_uplink_forget(struct conn *conn);

/* --- from one process to another (conn_state.h) --- */

/* One field of this tag, unless its back end is a synchronous one. 0, or a negative errno: the
 * client cannot go. */
int conn_uplink_export(const struct conn *conn, uint16_t tag, struct state_writer *writer);

/* Of a client that is in; its route and its presence are known. `state`: of the field; data NULL:
 * there was none. 0; -ENOENT: its back end here takes no events, and there may be some; -ENOMEM:
 * or what it says is not good. */
int conn_uplink_import(struct conn *conn, struct slice state);

/* Whatever was imported is forgotten. */
void conn_uplink_drop(struct conn *conn);

/* What it waits for may begin, if it was imported and has not begun already. */
void conn_uplink_thaw(struct conn *conn);

/* The client is in the other process: the back end is told nothing. */
void conn_uplink_hand_over(struct conn *conn);
