/* SPDX-License-Identifier: Apache-2.0
 * blocked.h - clients that are kept out for a time (session/blocks.h) are not let in.
 *
 * Layer: conn. Before the upgrade, once the route is known. */
#pragma once

#include "conn/conn.h"

struct block;

/* `client_id` NULL: it has none yet, or one that is made here. */
bool conn_block_find(const struct conn *conn, const char *client_id, struct block *out_block);
void conn_block_refuse(struct conn *conn, const char *client_id, const struct block *block);

/* Both. True: the client is answered. */
bool conn_is_blocked(struct conn *conn, const char *client_id);

/* Closes it, with 4403. */
void conn_close_blocked(struct conn *conn, unsigned seconds);
