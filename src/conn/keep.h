/* SPDX-License-Identifier: Apache-2.0
 * keep.h - a connection goes on to its next request (RFC 9112, 9.3).
 *
 * Layer: conn. Requests are answered one after the other: what comes while an answer is under
 * way is held, and dealt with when the answer is with the kernel. So the output of a client that
 * sends requests and reads no answers is bounded by one answer. */
#pragma once

#include "conn/conn.h"

/* Begins another head. NULL: memory is out. */
struct head_rx *head_rx_create(struct conn_home *home);
/* NULL is fine. */
void head_rx_destroy(struct conn_home *home, struct head_rx *rx);
/* 0 or a negative errno: memory is out, or the client sends too much. */
int head_rx_add(struct head_rx *rx, const uint8_t *data, size_t len);

/* Holds bytes of further requests in *next, made if it is NULL, and stops reading when they
 * are many. What does not fit ends the connection. */
void conn_next_add(struct conn *conn, struct head_rx **next, const uint8_t *data, size_t len);

/* Before an answer is written: may the next request come on this connection? Takes a place of
 * server.keep_alive_max, if it has none. */
bool conn_may_keep(struct conn *conn);

/* After it: waits for the next request, in CONN_HEAD. */
void conn_keep(struct conn *conn);
