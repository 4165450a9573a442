/* SPDX-License-Identifier: Apache-2.0
 * tls_end.h - what becomes of a connection whose TLS failed.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

/* Tells who runs the gateway, one in a second. */
void conn_tls_log(struct conn *conn);

/* The time for the handshake is over: counted and told, if it is TLS that took it. */
void conn_tls_late(struct conn *conn);

/* A PROXY header before the ClientHello cannot be believed, for this reason (a sentence fragment).
 * No answer in clear would be understood, and none is owed: the proxy is at fault. */
void conn_tls_preamble_bad(struct conn *conn, const char *error);

/* For the phases' tls_failed: our alert arrives before the end does; an answer in HTTP to whoever
 * spoke that. */
void conn_tls_linger(struct conn *conn);
void conn_tls_answer(struct conn *conn);
