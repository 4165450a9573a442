/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

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
	       totals->held + totals->slow_closed == result->wanted &&
	       totals->sent == totals->received && (!result->has_traffic || totals->sent > 0);
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
