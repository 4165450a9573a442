/* SPDX-License-Identifier: Apache-2.0
 * upgrade_answer.h - the 101.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "proto/ws_extensions.h"

struct upgrade_answer {
	struct slice key;
	const char *subprotocol;         /* NULL: none */
	struct ws_deflate_terms deflate; /* chosen, not granted yet */
	uint32_t accepted_us;            /* conn_now_us of when the connection was accepted */
};

/* Answers 101 and opens the WebSocket; false: memory is out, and the connection was cut. */
bool conn_upgrade_finish(struct conn *conn, const struct upgrade_answer *answer);
