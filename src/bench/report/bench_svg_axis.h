/* SPDX-License-Identifier: Apache-2.0
 * bench_svg_axis.h - scales of charts, with ticks at round values.
 *
 * Layer: bench. Pure functions. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SVG_TICKS_MAX 16

struct svg_tick {
	double at;
	char label[32];
};

struct svg_axis {
	double min, max; /* min < max; with is_log both over 0 */
	bool is_log;
	unsigned tick_count;
	struct svg_tick ticks[SVG_TICKS_MAX];
};

/* From 0 to `max` or a little more. Whole numbers only, if the values are such. */
struct svg_axis svg_axis_values(double max, bool is_whole);

/* [ns] For values from `min` to `max`: from 0, or logarithmic if they differ widely. */
struct svg_axis svg_axis_latency(double min, double max);

/* [s] From 0 to exactly `max`. */
struct svg_axis svg_axis_elapsed(double max);

/* Percentiles spread so that each nine takes as much room as the one before: 50 %,
 * 90 %, 99 %, ... as far as `count` values can tell them apart, at most 99.99 %; then the
 * maximum. */
struct svg_axis svg_axis_percentiles(uint64_t count);

/* The percentile at a position of such an axis; 100 behind the last tick but one. */
double svg_axis_percent(const struct svg_axis *axis, double at);

/* Where `value` lies: 0 at min, 1 at max, and never beyond them. */
double svg_axis_share(const struct svg_axis *axis, double value);
