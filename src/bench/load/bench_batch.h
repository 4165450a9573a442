/* SPDX-License-Identifier: Apache-2.0
 * bench_batch.h - lets the connections begin in batches.
 *
 * Layer: bench. Main thread only. */
#pragma once

#include "bench/load/bench_worker.h"

struct bench_batches {
	struct bench_worker **workers;
	uint64_t released; /* connections that were to begin so far */
	uint64_t allowed;  /* the same, rounded for each worker */
	uint64_t due_ns;   /* of the next batch; 0: the last one is not up yet */
};

/* Releases the first batch, or nothing at all without --batch: then all may begin. */
void bench_batches_init(struct bench_batches *batches, struct bench_worker **workers);

/* Releases the next one if the last is up or has failed, and the pause is over. */
void bench_batches_step(struct bench_batches *batches, const struct bench_totals *totals,
			uint64_t now_ns);
