/* SPDX-License-Identifier: Apache-2.0
 * ws_pace.h - how fast one client may send: server.message_rate and byte_rate.
 *
 * Layer: conn. In CONN_OPEN. What is kept of a client lies beside its struct conn (pool_side), and
 * only if one of the two is set; else nothing here costs a byte or more than one look.
 *
 * Each rate is a bucket, kept as the time at which it will be full again (the generic cell rate
 * algorithm): what comes moves that on, and a client is within its rate as long as it is less
 * than the burst ahead of the clock. With message_rate_action: wait it is stalled (ws_reader.h)
 * until it is: TCP holds it back, and nothing is lost. With close it is told 1008. */
#pragma once

#include "base/state.h"
#include "conn/conn.h"

/* The rates as the ruleset in force has them; in each home. If they were others before, those who
 * are held back must be looked at again (change_over.h), and then ws_paces_settle. */
void ws_paces_set(struct conn_home *home);

/* This one owes no more than a whole burst of the new ones. */
void ws_pace_renew(struct conn *conn);

/* Nobody is held back by older rates any more: if there are none now, nothing is kept. */
void ws_paces_settle(struct conn_home *home);

/* The connection is open: it has its whole burst. */
void ws_pace_begin(struct conn *conn);

/* What has come is counted. CLOSE_REASON_COUNT: it may; else why it is to be closed. */
enum close_reason ws_pace_bytes(struct conn *conn, size_t len);
enum close_reason ws_pace_message(struct conn *conn);

/* Is nothing more to be taken from it for now, but the control frame that `data` goes on with? It
 * is held back then, until ws_pace_let_go. */
bool ws_pace_holds(struct conn *conn, const struct frame_rx *rx, const uint8_t *data, size_t len);

bool ws_pace_is_held(const struct conn *conn);
/* [ms] at least 1, until it may go on. */
uint64_t ws_pace_wait_ms(const struct conn *conn);
/* Is it within its rates again? */
bool ws_pace_is_due(const struct conn *conn);
/* It is not stalled any more, for whatever reason. Harmless if it was not held back. */
void ws_pace_let_go(struct conn *conn);

/* What it has used of its rates, for another process (conn_state.h). Where there are no rates here,
 * what comes of them is forgotten. */
void ws_pace_export(const struct conn *conn, struct state_writer *writer);
int ws_pace_import(struct conn *conn, struct state_reader *reader);
