/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_stats.h"

void bench_totals_add(struct bench_totals *totals, const struct bench_counters *counters)
{
#define ADD(name) totals->name += atomic_load_explicit(&counters->name, memory_order_relaxed);
	BENCH_COUNTERS(ADD)
#undef ADD
}
