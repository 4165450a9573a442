/* SPDX-License-Identifier: Apache-2.0
 * bench_return.h - clients that come back when the other side ends them (--reconnect), and echoes
 * that may come late or twice (--at-least-once).
 *
 * Layer: bench. Everything runs in the worker's thread. A client that was ended waits as long as it
 * was asked to, else for a time at random that doubles with each attempt, and tries the next node.
 * Its messages keep their numbers, so that what comes of an earlier connection's is known for that.
 */
#pragma once

#include "bench/client/bench_conn.h"
#include "bench/client/bench_receipt.h"

/* Of one client; there only with one of these options. */
struct bench_return {
	struct bench_receipt receipt; /* of echoes, by their message's number */
	uint64_t lost_ns;             /* when it was ended */
	uint64_t due_ns;              /* when it tries again */
	uint32_t base;                /* messages of the connections before this one */
	uint32_t turns;               /* of the pace, that passed while it was away */
	uint32_t attempts;            /* that failed, since it was ended */
	uint32_t retry_after_s;       /* as it was asked to wait; 0: it was not */
};

void bench_return_init(struct bench_return *record);

/* The record of this client, or NULL. */
struct bench_return *bench_return_of(const struct bench_conn *conn);

/* --- coming back --- */

/* Is this an end after which it comes back? It is open. */
bool bench_return_is_wanted(const struct bench_conn *conn, enum bench_cause_kind kind, int code);

/* It was ended so, and is away from now on: counts it. The stream is the caller's to end. */
void bench_return_leave(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			struct slice label);

/* An attempt to come back has failed: counts it. */
void bench_return_retry(struct bench_conn *conn, enum bench_cause_kind kind, int code,
			struct slice label);

/* Away, with no stream: tries if it is time. */
void bench_return_check(struct bench_conn *conn, uint64_t now_ns);

/* It is open again. */
void bench_return_back(struct bench_conn *conn, uint64_t now_ns);

/* The end of the test, and it is away. */
void bench_return_give_up(struct bench_conn *conn);

/* --- what comes late or twice --- */

/* Takes an echo of any of the last messages; NULL, or what is wrong with it. *out_is_first: it had
 * not come before, and *out_sent_ns is when its message was sent. */
const char *bench_return_take(struct bench_conn *conn, struct slice echo, bool *out_is_first,
			      uint64_t *out_sent_ns);
