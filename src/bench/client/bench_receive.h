/* SPDX-License-Identifier: Apache-2.0
 * bench_receive.h - with --receive: takes what services send to the clients.
 *
 * Layer: bench. Everything runs in the worker's thread. */
#pragma once

#include "bench/client/bench_conn.h"

/* A message for an open connection. */
void bench_receive_take(struct bench_conn *conn, struct slice message, uint64_t now_ns);

/* The connection is a new one in the place of the old: its numbers begin anew. */
void bench_receive_renew(struct bench_conn *conn);
