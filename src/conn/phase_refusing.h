/* SPDX-License-Identifier: Apache-2.0
 * phase_refusing.h - REFUSING: a browser is told why it may not come in (refuse_browsers: close).
 *
 * Layer: conn. To a page a refused upgrade is a failure without a cause, close code 1006. Where the
 * route says so, the upgrade is answered and closed at once instead, with a code that the page
 * sees; after a pause, so that a page which tries again and again costs little. */
#pragma once

#include "conn/conn.h"
#include "http/http_reply.h"

extern const struct conn_phase phase_refusing;

/* Instead of this answer, whose body is freed then. False: it is to be sent as it is; the route
 * does not say so, no upgrade was asked for, no code stands for the status, or refuse_browsers_max
 * are being told already. */
bool conn_refuse_as_browser(struct conn *conn, struct http_reply *reply);

/* The upgrade of a connection whose request is no longer at hand, and which is about to be refused:
 * the key, and a subprotocol that it offered (empty: none). What is told of another connection is
 * forgotten. */
void conn_remember_upgrade(struct conn *conn, const uint8_t key[WS_KEY_LEN],
			   struct slice subprotocol);

/* It was not refused. */
void conn_forget_upgrade(struct conn *conn);

/* The first of a list of subprotocols that can be agreed on for show; empty: there is none. */
struct slice conn_subprotocol_for_show(struct slice list);
