/* SPDX-License-Identifier: Apache-2.0
 * bench_latency.h - latencies that the main thread can read while a worker records them.
 *
 * Layer: bench. Coarser than base/hist.h (3 percent instead of 0.8), for percentiles
 * over time: a worker only ever adds, the main thread takes differences. From 1 us to
 * 18 minutes; what is outside counts at the edge. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define BENCH_LATENCY_SUB_BITS 5
#define BENCH_LATENCY_LOW_BITS 10 /* below 2^10 ns all is one bucket */
#define BENCH_LATENCY_TOP_BITS 40
#define BENCH_LATENCY_BUCKETS \
	(((BENCH_LATENCY_TOP_BITS - BENCH_LATENCY_LOW_BITS) << BENCH_LATENCY_SUB_BITS) + 1)

/* Written by one worker. */
struct bench_latency {
	_Atomic uint64_t buckets[BENCH_LATENCY_BUCKETS];
};

/* A copy, a sum or a difference of them: the main thread's. */
struct bench_latency_counts {
	uint64_t buckets[BENCH_LATENCY_BUCKETS];
};

/* Each is the upper edge of its bucket, so never below the true value and at most 1/32
 * above it; all 0 if count is. */
struct bench_quantiles {
	uint64_t count;
	uint64_t p50_ns, p90_ns, p99_ns, max_ns;
};

/* By the one thread that writes it: cheaper than a locked add. */
static inline void bench_count_add(_Atomic uint64_t *counter, uint64_t more)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + more, memory_order_relaxed);
}

static inline void bench_count(_Atomic uint64_t *counter)
{
	bench_count_add(counter, 1);
}

static inline unsigned bench_latency_bucket(uint64_t ns)
{
	if (ns < UINT64_C(1) << BENCH_LATENCY_LOW_BITS)
		return 0;
	unsigned top = 63u - (unsigned)__builtin_clzll(ns);

	if (top >= BENCH_LATENCY_TOP_BITS)
		return BENCH_LATENCY_BUCKETS - 1;
	unsigned sub = (unsigned)(ns >> (top - BENCH_LATENCY_SUB_BITS)) &
		       ((1u << BENCH_LATENCY_SUB_BITS) - 1);

	return 1 + ((top - BENCH_LATENCY_LOW_BITS) << BENCH_LATENCY_SUB_BITS) + sub;
}

static inline void bench_latency_record(struct bench_latency *latency, uint64_t ns)
{
	bench_count(&latency->buckets[bench_latency_bucket(ns)]);
}

/* Adds what a worker has recorded up to now. */
void bench_latency_add(struct bench_latency_counts *counts, const struct bench_latency *latency);

void bench_latency_merge(struct bench_latency_counts *into,
			 const struct bench_latency_counts *from);

/* What `now` has more than `before`, an earlier state of the same. */
void bench_latency_since(const struct bench_latency_counts *now,
			 const struct bench_latency_counts *before,
			 struct bench_latency_counts *out);

struct bench_quantiles bench_latency_quantiles(const struct bench_latency_counts *counts);
