/* SPDX-License-Identifier: Apache-2.0
 * rpc_stats.h - how calls to clients ended, and how long clients took to answer.
 *
 * Layer: fleet. Relaxed atomics: any thread may count and read. */
#pragma once

#include <stdint.h>

#include "session/call_table.h"
#include "session/session.h"

/* Upper edges in milliseconds; the last bucket has none. */
#define RPC_DURATION_EDGES_MS                                                                     \
	{                                                                                         \
		1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000, 60000, 300000 \
	}
#define RPC_DURATION_BUCKETS 17

struct rpc_stats {
	uint64_t ended[CALL_OUTCOME_COUNT]; /* those refused included */
	uint64_t waiting;                   /* gauge: for their turn, or for their answer */
	uint64_t marked[MESSAGE_MARK_COUNT];
	/* From sending a call to the client's answer or error. */
	uint64_t duration_count[RPC_DURATION_BUCKETS];
	uint64_t duration_sum_us;
};

void rpc_stats_record(struct rpc_stats *stats, uint64_t duration_ns);
