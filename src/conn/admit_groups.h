/* SPDX-License-Identifier: Apache-2.0
 * admit_groups.h - groups that a client is put in as it is let in.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

/* `list` has the names of groups, with commas between, and comes from `source`, as people call
 * it. False: it is no good one, and `out_problem` says why. */
bool conn_groups_check(const struct conn *conn, struct slice list, const char *source,
		       char *out_problem, size_t size);

/* After conn_enter; the list is a good one. False: there is no room for one of them, and the
 * client is answered. */
bool conn_groups_join(struct conn *conn, struct slice list);
