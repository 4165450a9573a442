/* SPDX-License-Identifier: Apache-2.0
 * bench_shape.h - what some connections do in the hold beside staying open: slow readers
 * do not read, those with a lifetime make room for new ones.
 *
 * Layer: bench. Everything runs in the worker's thread. */
#pragma once

#include "bench/client/bench_conn.h"

/* The hold begins. */
void bench_shape_begin(struct bench_conn *conn, uint64_t now_ns);

/* --- slow readers --- */

/* Stops reading and, without --receive, starts to send; does nothing for others. */
void bench_shape_slow_start(struct bench_conn *conn, uint64_t now_ns);

/* Is this how a peer gets rid of a slow reader? */
bool bench_shape_is_slow_end(const struct bench_conn *conn, enum bench_cause_kind kind, int code);

/* The peer has ended it, as it may: counts it. */
void bench_shape_slow_end(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			  struct slice label);

/* The peer has kept it to the end. */
void bench_shape_slow_held(struct bench_conn *conn);

/* --- churn --- */

/* If its time is over. */
void bench_shape_check_lifetime(struct bench_conn *conn, uint64_t now_ns);

/* A retiring connection has got an echo. */
void bench_shape_retire(struct bench_conn *conn, uint64_t now_ns);

/* Open in the place of a retired one. */
void bench_shape_reopened(struct bench_conn *conn, uint64_t now_ns);
