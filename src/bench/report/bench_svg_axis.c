/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_svg_axis.h"

#include <math.h>
#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/report/bench_html_text.h"
#include "bench/judge/bench_verdict.h"

#define VALUE_STEPS   5  /* parts of a vertical axis, about */
#define ELAPSED_STEPS 6  /* of a horizontal one, at most */
#define LOG_FROM      30 /* times the least value: a linear scale would hide it */

/* The least of 1, 2, 5 times a power of ten that is not under `value`. */
static double round_up(double value)
{
	static const double steps[] = {1, 2, 5};
	double power = pow(10, floor(log10(value)));

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (value <= steps[i] * power * (1 + 1e-9))
			return steps[i] * power;
	return 10 * power;
}

/* The greatest of them that is not over `value`. */
static double round_down(double value)
{
	double power = pow(10, floor(log10(value) + 1e-9));
	double times = value / power * (1 + 1e-9);

	return times >= 5 ? 5 * power : times >= 2 ? 2 * power : power;
}

static struct svg_tick *tick_add(struct svg_axis *axis, double at)
{
	CHECK(axis->tick_count < SVG_TICKS_MAX);
	struct svg_tick *tick = &axis->ticks[axis->tick_count++];

	tick->at = at;
	return tick;
}

/* --- values --- */

/* "0.2", "500", "20,000", "1.5M" */
static void value_label(double value, struct svg_tick *tick)
{
	char number[HTML_NUMBER_MAX];

	if (value >= 1e6)
		snprintf(tick->label, sizeof(tick->label), "%gM", value / 1e6);
	else if (value >= 1000)
		snprintf(tick->label, sizeof(tick->label), "%s",
			 units_format_grouped((uint64_t)llround(value), number));
	else
		snprintf(tick->label, sizeof(tick->label), "%g", value);
}

static double linear_step(struct svg_axis *axis, double max, bool is_whole)
{
	double step = max > 0 ? round_up(max / VALUE_STEPS) : 1;

	if (is_whole)
		step = MAX(step, 1);
	axis->max = step * MAX(ceil(max / step - 1e-9), 1);
	return step;
}

struct svg_axis svg_axis_values(double max, bool is_whole)
{
	struct svg_axis axis = {0};
	double step = linear_step(&axis, max, is_whole);

	for (unsigned i = 0; i * step <= axis.max * (1 + 1e-9); i++)
		value_label(i * step, tick_add(&axis, i * step));
	return axis;
}

/* --- latency --- */

/* "0", "200 µs", "1.5 s" */
static void latency_label(double ns, struct svg_tick *tick)
{
	static const struct {
		double ns;
		const char *unit;
	} scales[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "µs"}, {1, "ns"}};
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(scales) && ns < scales[i].ns * (1 - 1e-9))
		i++;
	if (ns > 0)
		snprintf(tick->label, sizeof(tick->label), "%g %s", ns / scales[i].ns,
			 scales[i].unit);
	else
		snprintf(tick->label, sizeof(tick->label), "0");
}

static struct svg_axis latency_log(double min, double max)
{
	struct svg_axis axis = {.min = round_down(min), .max = round_up(max), .is_log = true};
	bool is_wide = log10(axis.max / axis.min) > 2.5;

	double at = axis.min;

	while (at <= axis.max * (1 + 1e-9)) {
		bool is_power = fabs(log10(at) - round(log10(at))) < 1e-6;

		/* Stamps that are wrong by years give more powers than there is room for. */
		if ((!is_wide || is_power) && axis.tick_count < SVG_TICKS_MAX)
			latency_label(at, tick_add(&axis, at));
		at = round_up(at * 1.5);
	}
	return axis;
}

struct svg_axis svg_axis_latency(double min, double max)
{
	if (min > 0 && max / min >= LOG_FROM)
		return latency_log(min, max);
	struct svg_axis axis = {0};
	double step = linear_step(&axis, max, true);

	for (unsigned i = 0; i * step <= axis.max * (1 + 1e-9); i++)
		latency_label(i * step, tick_add(&axis, i * step));
	return axis;
}

/* --- elapsed time --- */

static double elapsed_step(double max)
{
	static const double steps[] = {1,    2,    5,     10,    15,    20,    30,
				       60,   120,  300,   600,   900,   1200,  1800,
				       3600, 7200, 10800, 21600, 43200, 86400, 172800};

	if (max / ELAPSED_STEPS <= 0.5)
		return round_up(max / ELAPSED_STEPS);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (max / steps[i] <= ELAPSED_STEPS)
			return steps[i];
	return 86400 * round_up(max / 86400 / ELAPSED_STEPS);
}

static void elapsed_label(double at, double step, struct svg_tick *tick)
{
	static const struct {
		double seconds;
		const char *unit;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};

	for (size_t i = 0; i < ARRAY_LEN(units) && at > 0; i++) {
		if (step < units[i].seconds)
			continue;
		snprintf(tick->label, sizeof(tick->label), "%g %s", at / units[i].seconds,
			 units[i].unit);
		return;
	}
	if (step < 0.001)
		snprintf(tick->label, sizeof(tick->label), at > 0 ? "%g ms" : "0", at * 1000);
	else
		snprintf(tick->label, sizeof(tick->label), at > 0 ? "%.4g s" : "0", at);
}

struct svg_axis svg_axis_elapsed(double max)
{
	struct svg_axis axis = {.max = max > 1e-6 ? max : 1};
	double step = elapsed_step(axis.max);

	for (unsigned i = 0; i * step <= axis.max * (1 + 1e-9); i++)
		elapsed_label(i * step, step, tick_add(&axis, i * step));
	return axis;
}

/* --- percentiles --- */

/* Position of the maximum behind the last nine. */
#define MAX_ROOM 0.8

struct svg_axis svg_axis_percentiles(uint64_t count)
{
	static const struct {
		double percent;
		const char *label;
	} rows[] = {{50, "50 %"}, {90, "90 %"}, {99, "99 %"}, {99.9, "99.9 %"}, {99.99, "99.99 %"}};
	struct svg_axis axis = {0};
	double at = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double values_above = (double)count * (100 - rows[i].percent) / 100;

		if (i >= 2 && values_above < 0.99)
			break;
		at = -log10(1 - rows[i].percent / 100);
		snprintf(tick_add(&axis, at)->label, sizeof(axis.ticks[0].label), "%s",
			 rows[i].label);
	}
	axis.max = at + MAX_ROOM;
	snprintf(tick_add(&axis, axis.max)->label, sizeof(axis.ticks[0].label), "max");
	return axis;
}

double svg_axis_percent(const struct svg_axis *axis, double at)
{
	double last = axis->ticks[axis->tick_count - 2].at;

	return at <= last * (1 + 1e-9) ? 100 * (1 - pow(10, -at)) : 100;
}

/* --- position --- */

double svg_axis_share(const struct svg_axis *axis, double value)
{
	double share;

	if (axis->is_log)
		share = value <= 0 ? 0 : log(value / axis->min) / log(axis->max / axis->min);
	else
		share = (value - axis->min) / (axis->max - axis->min);
	return share < 0 ? 0 : share > 1 ? 1 : share;
}
