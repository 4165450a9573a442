/* SPDX-License-Identifier: Apache-2.0
 * bench_series.h - totals, percentiles and CPU over time, taken once per interval.
 *
 * Layer: bench. Main thread only. The counts behind each point's percentiles are kept,
 * so that two intervals that become one have the percentiles of all their values: a
 * quantile cannot be had from two quantiles. 16 MiB if the series is full, taken up
 * as it grows. */
#pragma once

#include "bench/judge/bench_stats.h"

/* The state of all workers at one time, counted from the start of the test. */
struct bench_sample {
	double at_s;
	double cpu_s; /* used by the process so far */
	struct bench_totals totals;
	struct bench_latency_counts echo, handshake;
};

struct bench_interval {
	double cpu_s;
	struct bench_latency_counts echo, handshake;
};

struct bench_recorder {
	struct bench_series *series;
	unsigned stride;  /* samples per point */
	unsigned skipped; /* samples since the last point */
	struct bench_sample last;
	struct bench_interval intervals[BENCH_SERIES_MAX];
};

/* The recorder is zeroed. */
void bench_recorder_init(struct bench_recorder *recorder, struct bench_series *series,
			 double interval_s);

/* To be called once per interval_s as it was given at first. */
void bench_recorder_add(struct bench_recorder *recorder, const struct bench_sample *sample);

/* A point in any case: when something begins or ends between two of them, so that no line is
 * drawn from the one before over a time in which nothing happened. */
void bench_recorder_mark(struct bench_recorder *recorder, const struct bench_sample *sample);
