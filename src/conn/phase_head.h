/* SPDX-License-Identifier: Apache-2.0
 * phase_head.h - HEAD: the request is read.
 *
 * Layer: conn. */
#pragma once

#include "conn/conn.h"

extern const struct conn_phase phase_head;

/* If it is kept and nothing of a next request has come: it ends. */
void conn_end_kept(struct conn *conn);
