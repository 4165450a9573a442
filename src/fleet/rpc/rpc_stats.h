/* SPDX-License-Identifier: Apache-2.0
 * rpc_stats.h - how calls to clients ended, and how long clients took to answer.
 *
 * Layer: fleet. Relaxed atomics: any thread may count and read. */
#pragma once

#include <stdint.h>

#include "base/durations.h"
#include "session/call_table.h"
#include "session/session.h"

struct rpc_stats {
	uint64_t ended[CALL_OUTCOME_COUNT]; /* those refused included */
	uint64_t waiting;                   /* gauge: for their turn, or for their answer */
	uint64_t marked[MESSAGE_MARK_COUNT];
	/* From sending a call to the client's answer or error,
	 * in buckets of durations_long_us. */
	struct durations durations;
};
