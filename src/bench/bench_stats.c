/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_stats.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

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

/* --- verdict --- */

struct text {
	char *out;
	size_t size;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
	va_list args;

	if (text->len >= text->size)
		return;
	va_start(args, format);
	int n = vsnprintf(text->out + text->len, text->size - text->len, format, args);
	va_end(args);
	text->len += n > 0 ? (size_t)n : 0;
}

static bool is_passed(const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	return !result->was_interrupted && totals->connected == result->wanted &&
	       totals->held == result->wanted && totals->sent == totals->received &&
	       (!result->has_traffic || totals->sent > 0);
}

static void add_causes(struct text *text, const struct bench_causes *causes, bool is_early,
		       const char *verb)
{
	char line[400];

	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		if (bench_cause_is_early(cause) == is_early)
			add(text, "; %" PRIu64 " %s: %s", cause->count,
			    cause->kind == BENCH_CAUSE_HTTP ? "refused" : verb,
			    bench_cause_text(cause, line, sizeof(line)));
	}
}

static void add_echoes(struct text *text, const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	if (!result->has_traffic)
		return;
	if (totals->sent == 0)
		add(text, ", no message was sent");
	else if (totals->sent == totals->received)
		add(text, ", %" PRIu64 " echoes, all correct", totals->received);
	else
		add(text, ", %" PRIu64 " correct echoes of %" PRIu64 " messages", totals->received,
		    totals->sent);
}

bool bench_verdict(const struct bench_result *result, char *out, size_t size)
{
	struct text text = {out, size, 0};
	const struct bench_totals *totals = &result->totals;
	bool passed = is_passed(result);

	add(&text, "%s: %" PRIu64 " of %" PRIu64 " connected", passed ? "PASS" : "FAIL",
	    totals->connected, result->wanted);
	if (totals->dropped > 0 && totals->dropped == totals->connected)
		add(&text, ", all %" PRIu64 " dropped after %.1f s", totals->dropped,
		    result->hold_s);
	else if (totals->connected > 0)
		add(&text, ", %" PRIu64 " held %.*f s", totals->held, result->hold_s < 10 ? 1 : 0,
		    result->hold_s);
	add_echoes(&text, result);
	if (result->was_interrupted)
		add(&text, "; interrupted before the end");
	add_causes(&text, &result->causes, true, "failed");
	add_causes(&text, &result->causes, false, "dropped");
	return passed;
}
