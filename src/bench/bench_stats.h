/* SPDX-License-Identifier: Apache-2.0
 * bench_stats.h - what a load test counts.
 *
 * Layer: bench. A worker alone writes its struct bench_counters; the main thread
 * may read it at any time (relaxed atomics: each figure is true by itself, several
 * need not fit each other to the last one). Everything else is read after the
 * worker's end. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hist.h"
#include "bench/bench_cause.h"

/* X(name): the live counters, of connections unless said otherwise. */
#define BENCH_COUNTERS(X)                                              \
	X(started)        /* first connect begun */                    \
	X(connected)      /* upgraded to a WebSocket */                \
	X(failed)         /* never became open, for a cause */         \
	X(dropped)        /* open, then lost before the end */         \
	X(held)           /* open until the end */                     \
	X(closed_cleanly) /* held, and closing answered by the peer */ \
	X(sent)           /* messages */                               \
	X(received)       /* messages: right echoes */

struct bench_counters {
#define BENCH_COUNTER_FIELD(name) _Atomic uint64_t name;
	BENCH_COUNTERS(BENCH_COUNTER_FIELD)
};

/* By the one thread that writes it: cheaper than a locked add. */
static inline void bench_count(_Atomic uint64_t *counter)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

struct bench_totals {
#define BENCH_TOTAL_FIELD(name) uint64_t name;
	BENCH_COUNTERS(BENCH_TOTAL_FIELD)
};

void bench_totals_add(struct bench_totals *totals, const struct bench_counters *counters);

#define BENCH_SERIES_MAX 1024

/* Totals over time, at equal distance; when it is full every second point goes. */
struct bench_series {
	double interval_s;
	unsigned count;
	unsigned skipped; /* points left out since the last one kept */
	unsigned stride;
	struct bench_totals points[BENCH_SERIES_MAX];
};

void bench_series_init(struct bench_series *series, double interval_s);

/* To be called once per interval_s as it was given at first. */
void bench_series_add(struct bench_series *series, const struct bench_totals *totals);

/* The outcome, for report and verdict. */
struct bench_result {
	uint64_t wanted; /* connections asked for */
	struct bench_totals totals;
	struct bench_causes causes;
	struct hist handshake; /* [ns] from connect to the 101 */
	struct hist echo;      /* [ns] */
	struct bench_series series;
	double connect_s; /* until the last connection was up or had failed */
	double hold_s;    /* as it was, not as it was asked */
	double traffic_s; /* part of the hold in which messages were sent */
	double total_s;
	double started_s;                /* CLOCK_MONOTONIC when connecting began */
	double cpu_user_s, cpu_system_s; /* of the tester, over all */
	double hold_cpu_s;               /* of the tester's workers, in the hold */
	unsigned workers;
	bool has_traffic;
	bool was_interrupted;
};
