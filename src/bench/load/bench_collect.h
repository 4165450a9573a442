/* SPDX-License-Identifier: Apache-2.0
 * bench_collect.h - what all workers counted, put together after the test.
 *
 * Layer: bench. Main thread, after the workers' threads have ended. */
#pragma once

#include "bench/judge/bench_stats.h"
#include "bench/load/bench_worker.h"

/* Adds to *result, in which what was measured while the test ran is there already:
 * series, connect_s and its like, cores. */
void bench_collect(const struct bench_setup *setup, struct bench_worker *const *workers,
		   struct bench_result *result);
