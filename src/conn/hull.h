/* SPDX-License-Identifier: Apache-2.0
 * hull.h - what all phases of a connection have in common: its beginning, its timer, its way
 * from phase to phase, and its end.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

struct tls_context;

/* One without a stream, and with nothing but its phase. NULL: memory is out. */
struct conn *conn_create(struct conn_home *home, enum conn_phase_id phase);

/* What its stream tells. */
extern const struct tcp_handler conn_handler;

/* In CONN_HEAD. `tls`: the listener's, NULL: a plain one. NULL: memory is out, and what was
 * accepted is still the caller's. */
struct conn *conn_begin(struct conn_home *home, const struct tcp_accepted *accepted,
			struct tls_context *tls, unsigned listener);

/* Leaves its phase, which must allow that, for another. What the phases do not share is
 * released, and the part is zero. */
void conn_phase_set(struct conn *conn, enum conn_phase_id to);

/* [ms] and [us] of the loop's clock, cut: only differences count. */
uint32_t conn_now_ms(const struct conn *conn);
uint32_t conn_now_us(const struct conn *conn);

/* The phase's timer; it goes on from phase to phase unless it is moved. */
void conn_timer_start(struct conn *conn, uint64_t delay_ms);

/* Bounds the rest of a connection that ends. */
void conn_timer_start_end(struct conn *conn);

/* Once its route is known: why its handshake comes to nothing. The first reason counts. */
void conn_count_failure(struct conn *conn, enum route_failure failure);

/* Remembers why the connection ends, unless a reason is known already. */
void conn_set_reason(struct conn *conn, enum close_reason reason);

/* Ends it now: what waits to be sent is lost. Harmless the second time. */
void conn_cut(struct conn *conn, enum close_reason reason);

/* The same, once it has departed and has nothing more to say. */
void conn_close(struct conn *conn);

/* The gateway is stopping: 1001 for a WebSocket, the end for anything else. */
void conn_drain(struct conn *conn);

/* Cuts it now. */
void conn_abort(struct conn *conn);

/* "192.0.2.1:1234", for the log. Returns `out`. */
#define CONN_CLIENT_TEXT_MAX NET_IP_PORT_TEXT_MAX
char *conn_client_text(const struct conn *conn, char out[CONN_CLIENT_TEXT_MAX]);

/* In server.trusted_proxies. */
bool conn_client_is_trusted(const struct conn *conn);
