/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_stats.h"

void bench_totals_add(struct bench_totals *totals, const struct bench_counters *counters)
{
#define ADD(name) totals->name += atomic_load_explicit(&counters->name, memory_order_relaxed);
	BENCH_COUNTERS(ADD)
#undef ADD
}

static const struct {
	const char *title;
	const char *name;
} steps[] = {
	[BENCH_STEP_TICKET] = {"  ticket", "ticket"},
	[BENCH_STEP_TCP] = {"  TCP", "tcp"},
	[BENCH_STEP_TLS] = {"  TLS", "tls"},
	[BENCH_STEP_HTTP] = {"  HTTP", "http"},
	[BENCH_STEP_COMEBACK] = {"Come back", "comeback"},
};

const char *bench_step_title(enum bench_step step)
{
	return steps[step].title;
}

const char *bench_step_name(enum bench_step step)
{
	return steps[step].name;
}
