/* SPDX-License-Identifier: Apache-2.0
 * hist.h - a histogram of 64-bit values with at most 0.8 percent error.
 *
 * Layer: base. Log-linear: each power of two is cut into 128 equal buckets, so
 * that a percentile is exact to 1/128 from 1 ns to 2^44 ns (4.8 hours); larger
 * values count in the last bucket, max stays exact. Fixed size, no allocation.
 * Not thread-safe: one per worker, merged by whoever reports. */
#pragma once

#include <stdint.h>

#define HIST_SUB_BITS 7
#define HIST_TOP_BITS 44
#define HIST_BUCKETS  ((HIST_TOP_BITS - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t count;
	uint64_t sum;
	uint64_t min; /* meaningless while count is 0 */
	uint64_t max;
	uint64_t buckets[HIST_BUCKETS];
};

/* A zeroed struct hist is an empty one. */
void hist_record(struct hist *hist, uint64_t value);
void hist_merge(struct hist *into, const struct hist *from);

/* The smallest recorded value that `percent` (0..100) of all values do not pass,
 * as the upper edge of its bucket, never above max; 0 when empty. */
uint64_t hist_percentile(const struct hist *hist, double percent);

/* Mean of all values; 0 when empty. */
double hist_mean(const struct hist *hist);
