/* SPDX-License-Identifier: Apache-2.0
 * bench_traffic.h - what an open connection sends, and how it judges what comes back.
 *
 * Layer: bench. Everything runs in the worker's thread. */
#pragma once

#include "bench/client/bench_conn.h"

/* Closed loop: sends until `depth` messages are in flight. */
void bench_traffic_fill(struct bench_conn *conn, uint64_t now_ns);

/* Sends what the message pace has planned up to now. */
void bench_traffic_send_due(struct bench_conn *conn, uint64_t now_ns);

/* A slow reader's: sends until the queue is full. */
void bench_traffic_flood(struct bench_conn *conn, uint64_t now_ns);

/* A connection that has been replaced takes part again, from now on: what the pace
 * planned while it was away was nobody's to send. */
void bench_traffic_rejoin(struct bench_conn *conn, uint64_t now_ns);

/* Takes received bytes of an open or closing connection; they are overwritten. */
void bench_traffic_take(struct bench_conn *conn, uint8_t *data, size_t len, uint64_t now_ns);

/* Queues a close frame. */
void bench_traffic_close(struct bench_conn *conn, uint16_t code);
