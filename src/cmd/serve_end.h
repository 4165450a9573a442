/* SPDX-License-Identifier: Apache-2.0
 * serve_end.h - how the gateway ends: readiness first, then the clients, at a pace if one is
 * configured, then what their back ends have not got yet.
 *
 * Layer: cmd. In the main thread. */
#pragma once

#include "cmd/serve_tick.h"

struct streams;

/* Waits for a signal, for `ended` to be readable (-1: nothing), or for the time (-1: for ever).
 * The signal's number, 0 for the end, -1 for the time. */
int serve_await(int signals, int ended, int timeout_ms);

/* After `what` of serve_await has said so: SIGTERM, SIGINT, or 0. Returns the exit code; with a
 * second signal it exits at once. The streams are told when the clients have gone. */
int serve_end(struct serve_tick *tick, struct streams *streams, int signals, int what);

/* Of a process that has handed over: what it has left is closed, and the service goes on in
 * another. `before_end` is called when the workers have ended, and the server can still be asked.
 */
int serve_end_handed_over(struct serve_tick *tick, int signals, void (*before_end)(void *arg),
			  void *arg);
