/* SPDX-License-Identifier: Apache-2.0
 * upgrade.h - a request for a WebSocket: its route, its client, its answer.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "proto/ws_handshake.h"

/* In CONN_HEAD: answers with 101, or why not, or asks others first. */
void conn_upgrade(struct conn *conn, const struct conn_request *request,
		  const struct ws_upgrade *wanted);
