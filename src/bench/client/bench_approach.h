/* SPDX-License-Identifier: Apache-2.0
 * bench_approach.h - a simulated client on its way: a ticket, TCP, TLS, the opening handshake.
 *
 * Layer: bench. In the worker's thread. bench_conn.c calls it until the connection is open or has
 * failed; each step's time is recorded for itself. */
#pragma once

#include "bench/client/bench_conn.h"

/* True from the start until it is open or has failed. */
bool bench_approach_is_under_way(const struct bench_conn *conn);

/* Begins; the connection is BENCH_CONN_NEW, or goes the same way again. */
void bench_approach_start(struct bench_conn *conn, uint64_t now_ns);

/* What the stream tells meanwhile. `error` of lost: an errno, or 0 for its end. */
void bench_approach_connected(struct bench_conn *conn, int error);
void bench_approach_secured(struct bench_conn *conn);
void bench_approach_recv(struct bench_conn *conn, const uint8_t *data, size_t len, uint64_t now_ns);
void bench_approach_lost(struct bench_conn *conn, int error);

/* The stream is closed. True: it was one errand's of several, and the next has begun. */
bool bench_approach_closed(struct bench_conn *conn);

/* Fails if the step has taken too long. */
void bench_approach_check_deadline(struct bench_conn *conn, uint64_t age_ns);

/* Gives back what is lent for the way. */
void bench_approach_release(struct bench_conn *conn);
