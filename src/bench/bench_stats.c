/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_stats.h"

void bench_totals_add(struct bench_totals *totals, const struct bench_counters *counters)
{
#define ADD(name) totals->name += atomic_load_explicit(&counters->name, memory_order_relaxed);
	BENCH_COUNTERS(ADD)
#undef ADD
}

void bench_series_init(struct bench_series *series, double interval_s)
{
	*series = (struct bench_series){.interval_s = interval_s, .stride = 1};
}

static void series_halve(struct bench_series *series)
{
	for (unsigned i = 0; 2 * i + 1 < series->count; i++)
		series->points[i] = series->points[2 * i + 1];
	series->count /= 2;
	series->stride *= 2;
	series->interval_s *= 2;
}

void bench_series_add(struct bench_series *series, const struct bench_totals *totals)
{
	if (++series->skipped < series->stride)
		return;
	series->skipped = 0;
	series->points[series->count++] = *totals;
	if (series->count == BENCH_SERIES_MAX)
		series_halve(series);
}
