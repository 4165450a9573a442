/* SPDX-License-Identifier: Apache-2.0
 * refuse.h - the answers of a connection that is not let in: why, and what to do.
 *
 * Layer: conn. After each of them the connection ends. */
#pragma once

#include "conn/conn.h"
#include "http/problem.h"

/* The client's own mistake: a problem document with `reason`, a word for programs, and `detail`. */
void conn_reject(struct conn *conn, unsigned status, const char *reason, const char *detail);

/* The same with further members; the log has them too. */
void conn_reject_about(struct conn *conn, const struct problem *problem);

/* A limit's: the same with the limit's name and numbers. */
void conn_refuse(struct conn *conn, enum refusal refusal, uint64_t current, uint64_t max);
void conn_refuse_for_descriptors(struct conn *conn);
void conn_refuse_for_memory(struct conn *conn); /* of payload */

/* [s] Spread at random, so that the refused do not come back all at once. */
unsigned conn_retry_after_s(struct conn *conn);

/* 409: its client is connected, on a route that keeps the oldest. */
void conn_conflict(struct conn *conn);
