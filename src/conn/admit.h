/* SPDX-License-Identifier: Apache-2.0
 * admit.h - whether a client may come in.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"
#include "session/directory.h"

/* How a connection wants to come in. */
struct conn_entry {
	enum directory_policy policy;
	uint8_t missing; /* places (leave.h) that it can only inherit */
};

/* By the route's takeover. */
enum directory_policy conn_policy(const struct config_route *route);

/* A place within the limits, or an answer why not. `conn` has its route and its presence. The
 * caller sets the policy. */
bool conn_reserve(struct conn *conn, struct conn_entry *entry);

/* Then a place in the directory, or an answer why not. */
bool conn_enter(struct conn *conn, const struct conn_entry *entry);
