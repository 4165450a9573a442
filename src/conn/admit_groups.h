/* SPDX-License-Identifier: Apache-2.0
 * admit_groups.h - groups that the back end puts a client in as it lets it in.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

/* `list` has the names of groups, with commas between. False: it is no good one, and
 * `out_problem` says why. */
bool conn_groups_check(const struct conn *conn, struct slice list, char *out_problem, size_t size);

/* After conn_enter; the list is a good one. False: there is no room for one of them, and the
 * client is answered. */
bool conn_groups_join(struct conn *conn, struct slice list);
