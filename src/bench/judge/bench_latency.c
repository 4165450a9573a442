/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_latency.h"

/* The largest value of the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	if (bucket == 0)
		return (UINT64_C(1) << BENCH_LATENCY_LOW_BITS) - 1;
	unsigned sub = (bucket - 1) & ((1u << BENCH_LATENCY_SUB_BITS) - 1);
	unsigned shift = ((bucket - 1) >> BENCH_LATENCY_SUB_BITS) + BENCH_LATENCY_LOW_BITS -
			 BENCH_LATENCY_SUB_BITS;

	return (((UINT64_C(1) << BENCH_LATENCY_SUB_BITS) + sub + 1) << shift) - 1;
}

void bench_latency_add(struct bench_latency_counts *counts, const struct bench_latency *latency)
{
	for (unsigned i = 0; i < BENCH_LATENCY_BUCKETS; i++)
		counts->buckets[i] += atomic_load_explicit(&latency->buckets[i],
							   memory_order_relaxed);
}

void bench_latency_merge(struct bench_latency_counts *into, const struct bench_latency_counts *from)
{
	for (unsigned i = 0; i < BENCH_LATENCY_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

void bench_latency_since(const struct bench_latency_counts *now,
			 const struct bench_latency_counts *before,
			 struct bench_latency_counts *out)
{
	for (unsigned i = 0; i < BENCH_LATENCY_BUCKETS; i++)
		out->buckets[i] = now->buckets[i] - before->buckets[i];
}

/* The top of the bucket that holds the value of this rank, 1 being the smallest. */
static uint64_t value_at(const struct bench_latency_counts *counts, uint64_t rank)
{
	uint64_t seen = 0;
	unsigned i = 0;

	for (; i < BENCH_LATENCY_BUCKETS - 1; i++) {
		seen += counts->buckets[i];
		if (seen >= rank)
			break;
	}
	return bucket_top(i);
}

/* Rounded up, without the overflow of count * percent. */
static uint64_t rank_of(uint64_t count, unsigned percent)
{
	return count / 100 * percent + (count % 100 * percent + 99) / 100;
}

struct bench_quantiles bench_latency_quantiles(const struct bench_latency_counts *counts)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < BENCH_LATENCY_BUCKETS; i++)
		count += counts->buckets[i];
	if (count == 0)
		return (struct bench_quantiles){0};
	return (struct bench_quantiles){
		.count = count,
		.p50_ns = value_at(counts, rank_of(count, 50)),
		.p90_ns = value_at(counts, rank_of(count, 90)),
		.p99_ns = value_at(counts, rank_of(count, 99)),
		.max_ns = value_at(counts, count),
	};
}
