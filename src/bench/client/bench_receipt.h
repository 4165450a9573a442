/* SPDX-License-Identifier: Apache-2.0
 * bench_receipt.h - messages that others send through the server: when they were sent, and
 * which of them are missing, came twice or late.
 *
 * Layer: bench. Pure functions. A message that can be judged has a stamp within its first
 * BENCH_RECEIPT_REACH bytes: "gh1 NUMBER TIME", in decimal, each of at most 19 digits. The
 * number goes up by one from message to message of a client; the time is when it was sent,
 * in ns since 1970. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "bench/judge/bench_stats.h"

#define BENCH_RECEIPT_REACH  64 /* [bytes] */
#define BENCH_RECEIPT_WINDOW 64 /* numbers: an older one counts as repeated */

struct bench_stamp {
	uint64_t number;
	uint64_t sent_ns; /* by the clock on the wall */
};

/* False: the message has no stamp, or not a whole one. */
bool bench_stamp_read(struct slice message, struct bench_stamp *out_stamp);

/* What one client got. Zeroed: nothing so far. */
struct bench_receipt {
	uint64_t next;    /* one more than the highest number; only with has_begun */
	uint64_t arrived; /* bit i: the number next - 1 - i has come, or nobody waits for it */
	bool has_begun;
};

enum bench_receipt_order {
	BENCH_RECEIPT_NEXT,     /* higher than all before it */
	BENCH_RECEIPT_LATE,     /* was skipped before */
	BENCH_RECEIPT_REPEATED, /* has come, or is older than the window or the first */
};

/* A client's first message says where its numbers begin. *out_skipped is how many between
 * the highest so far and this one have not come: 0 but for BENCH_RECEIPT_NEXT. */
enum bench_receipt_order bench_receipt_take(struct bench_receipt *receipt, uint64_t number,
					    uint64_t *out_skipped);

/* The same, counted as missing, late or repeated. False: it has come before. */
bool bench_receipt_count(struct bench_receipt *receipt, uint64_t number,
			 struct bench_counters *counters);
