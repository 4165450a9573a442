/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_series.h"

void bench_recorder_init(struct bench_recorder *recorder, struct bench_series *series,
			 double interval_s)
{
	*series = (struct bench_series){.interval_s = interval_s};
	recorder->series = series;
	recorder->stride = 1;
}

static double point_start_s(const struct bench_series *series, unsigned index)
{
	return index == 0 ? 0 : series->points[index - 1].at_s;
}

/* Fills the point's figures from what is known of its interval. */
static void point_fill(struct bench_recorder *recorder, unsigned index, double start_s)
{
	struct bench_point *point = &recorder->series->points[index];
	const struct bench_interval *interval = &recorder->intervals[index];
	double span_s = point->at_s - start_s;

	point->echo = bench_latency_quantiles(&interval->echo);
	point->handshake = bench_latency_quantiles(&interval->handshake);
	point->cpu = span_s > 0 ? interval->cpu_s / span_s : 0;
}

/* Every two points become one, at the place of the later. */
static void series_halve(struct bench_recorder *recorder)
{
	struct bench_series *series = recorder->series;

	for (unsigned i = 0; 2 * i + 1 < series->count; i++) {
		struct bench_interval *first = &recorder->intervals[2 * i];
		const struct bench_interval *second = &recorder->intervals[2 * i + 1];

		first->cpu_s += second->cpu_s;
		bench_latency_merge(&first->echo, &second->echo);
		bench_latency_merge(&first->handshake, &second->handshake);
		recorder->intervals[i] = *first;
		series->points[i] = series->points[2 * i + 1];
		point_fill(recorder, i, point_start_s(series, i));
	}
	series->count /= 2;
	series->interval_s *= 2;
	recorder->stride *= 2;
}

static void point_add(struct bench_recorder *recorder, const struct bench_sample *sample)
{
	struct bench_series *series = recorder->series;
	struct bench_interval *interval = &recorder->intervals[series->count];
	struct bench_sample *last = &recorder->last;

	recorder->skipped = 0;
	series->points[series->count].at_s = sample->at_s;
	series->points[series->count].totals = sample->totals;
	interval->cpu_s = sample->cpu_s - last->cpu_s;
	bench_latency_since(&sample->echo, &last->echo, &interval->echo);
	bench_latency_since(&sample->handshake, &last->handshake, &interval->handshake);
	point_fill(recorder, series->count, last->at_s);
	*last = *sample;
	if (++series->count == BENCH_SERIES_MAX)
		series_halve(recorder);
}

void bench_recorder_add(struct bench_recorder *recorder, const struct bench_sample *sample)
{
	if (++recorder->skipped >= recorder->stride)
		point_add(recorder, sample);
}

void bench_recorder_mark(struct bench_recorder *recorder, const struct bench_sample *sample)
{
	point_add(recorder, sample);
}
