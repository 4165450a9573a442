/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_expect.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/suggest.h"
#include "base/units.h"

/* --- metrics --- */

enum metric_kind {
	CONNECTIONS, /* percent: of those that were asked for */
	OFFERED,     /* percent: of the TLS sessions offered */
	MESSAGES,    /* percent: of those that were sent */
	RECEIVED,    /* percent: of those that were received */
	DELIVERED,   /* percent: of those pushed, once for each connection */
	ECHO,        /* from here on a percentile; 100: max */
	HANDSHAKE,
	STEP_TLS,
	COMEBACK,
};

struct metric {
	const char *name;
	enum metric_kind kind;
	uint64_t (*count)(const struct bench_result *result);
	double percentile;
};

#define TOTAL(name)                                                \
	static uint64_t name##_count(const struct bench_result *r) \
	{                                                          \
		return r->totals.name;                             \
	}
TOTAL(connected)
TOTAL(failed)
TOTAL(dropped)
TOTAL(held)
TOTAL(closed_cleanly)
TOTAL(retired)
TOTAL(reopened)
TOTAL(slow_closed)
TOTAL(disconnected)
TOTAL(reconnected)
TOTAL(away)
TOTAL(resumed)
TOTAL(sent)
TOTAL(received)
TOTAL(unstamped)
TOTAL(missing)
TOTAL(late)
TOTAL(repeated)
#undef TOTAL

static uint64_t lost_count(const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	return totals->sent > totals->received ? totals->sent - totals->received : 0;
}

static uint64_t pushed_count(const struct bench_result *result)
{
	return result->pushed;
}

/* Answered, but not with a 101. */
static uint64_t refused_count(const struct bench_result *result)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < result->causes.count; i++)
		if (result->causes.rows[i].kind == BENCH_CAUSE_HTTP)
			count += result->causes.rows[i].count;
	return count;
}

static const struct metric metrics[] = {
	{"connected", CONNECTIONS, connected_count, 0},
	{"failed", CONNECTIONS, failed_count, 0},
	{"refused", CONNECTIONS, refused_count, 0},
	{"dropped", CONNECTIONS, dropped_count, 0},
	{"held", CONNECTIONS, held_count, 0},
	{"closed_cleanly", CONNECTIONS, closed_cleanly_count, 0},
	{"retired", CONNECTIONS, retired_count, 0},
	{"reopened", CONNECTIONS, reopened_count, 0},
	{"slow_closed", CONNECTIONS, slow_closed_count, 0},
	{"disconnected", CONNECTIONS, disconnected_count, 0},
	{"reconnected", CONNECTIONS, reconnected_count, 0},
	{"away", CONNECTIONS, away_count, 0},
	{"resumed", OFFERED, resumed_count, 0},
	{"messages", MESSAGES, sent_count, 0},
	{"echoed", MESSAGES, received_count, 0},
	{"lost", MESSAGES, lost_count, 0},
	{"pushed", MESSAGES, pushed_count, 0},
	{"delivered", DELIVERED, received_count, 0},
	{"received", RECEIVED, received_count, 0},
	{"unstamped", RECEIVED, unstamped_count, 0},
	{"missing", RECEIVED, missing_count, 0},
	{"late", RECEIVED, late_count, 0},
	{"repeated", RECEIVED, repeated_count, 0},
	{"duplicates", RECEIVED, repeated_count, 0},
	{"p50", ECHO, NULL, 50},
	{"p90", ECHO, NULL, 90},
	{"p99", ECHO, NULL, 99},
	{"p99.9", ECHO, NULL, 99.9},
	{"max", ECHO, NULL, 100},
	{"echo.p50", ECHO, NULL, 50},
	{"echo.p90", ECHO, NULL, 90},
	{"echo.p99", ECHO, NULL, 99},
	{"echo.p99.9", ECHO, NULL, 99.9},
	{"echo.max", ECHO, NULL, 100},
	{"handshake.p50", HANDSHAKE, NULL, 50},
	{"handshake.p90", HANDSHAKE, NULL, 90},
	{"handshake.p99", HANDSHAKE, NULL, 99},
	{"handshake.p99.9", HANDSHAKE, NULL, 99.9},
	{"handshake.max", HANDSHAKE, NULL, 100},
	{"tls.p50", STEP_TLS, NULL, 50},
	{"tls.p99", STEP_TLS, NULL, 99},
	{"tls.max", STEP_TLS, NULL, 100},
	{"comeback.p50", COMEBACK, NULL, 50},
	{"comeback.p99", COMEBACK, NULL, 99},
	{"comeback.max", COMEBACK, NULL, 100},
};

static bool is_time(const struct metric *metric)
{
	return metric->kind >= ECHO;
}

/* --- parsing --- */

struct text {
	const char *whole;
	const char *at;
	char *error;
	size_t error_size;
};

__attribute__((format(printf, 2, 3))) static int fail(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text->error, text->error_size, format, args);
	va_end(args);
	return -EINVAL;
}

static struct slice word_take(struct text *text, const char *letters)
{
	text->at += strspn(text->at, " ");
	struct slice word = slice_of(text->at, strspn(text->at, letters));

	text->at += word.len;
	text->at += strspn(text->at, " ");
	return word;
}

static int unknown_metric(struct text *text, struct slice name)
{
	char known[1024] = "", hint[SUGGEST_HINT_MAX];
	struct suggest suggest = {.seen = name};

	for (size_t i = 0, len = 0; i < ARRAY_LEN(metrics); i++) {
		suggest_offer(&suggest, metrics[i].name);
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
					i == 0 ? "" : ", ", metrics[i].name);
	}
	if (name.len == 0)
		return fail(text, "'%.60s' does not begin with a metric; known are %s", text->whole,
			    known);
	return fail(text, "'%.60s' has the unknown metric '%.*s'%s Known are %s", text->whole,
		    (int)MIN(name.len, 40), (const char *)name.data,
		    suggest_hint(&suggest, hint)[0] == 0 ? "." : hint, known);
}

static int metric_parse(struct text *text, unsigned *out_metric)
{
	struct slice name = word_take(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					    "0123456789._");

	for (unsigned i = 0; i < ARRAY_LEN(metrics); i++) {
		if (!slice_equals(name, slice_from_text(metrics[i].name)))
			continue;
		*out_metric = i;
		return 0;
	}
	return unknown_metric(text, name);
}

static int comparison_parse(struct text *text, enum bench_comparison *out_comparison)
{
	static const char *const signs[] = {
		[BENCH_EQUAL] = "==",   [BENCH_UNEQUAL] = "!=", [BENCH_LESS] = "<",
		[BENCH_AT_MOST] = "<=", [BENCH_MORE] = ">",     [BENCH_AT_LEAST] = ">=",
	};
	struct slice sign = word_take(text, "=!<>");

	for (unsigned i = 0; i < ARRAY_LEN(signs); i++) {
		if (!slice_equals(sign, slice_from_text(signs[i])))
			continue;
		*out_comparison = (enum bench_comparison)i;
		return 0;
	}
	return fail(text, "'%.60s' has %s%.*s%s where one of == != < <= > >= is needed",
		    text->whole, sign.len == 0 ? "nothing" : "'", (int)MIN(sign.len, 8),
		    (const char *)sign.data, sign.len == 0 ? "" : "'");
}

/* Digits, and perhaps a point and more of them. */
static int number_parse(struct text *text, double *out_number)
{
	struct slice digits = word_take(text, "0123456789.");
	double number = 0, scale = 0; /* 0: before the point */

	/* 15 digits are exact in a double. */
	if (digits.len == 0 || digits.len > 16 || digits.data[0] == '.' ||
	    digits.data[digits.len - 1] == '.')
		return fail(text,
			    "'%.60s' has no number of at most 15 digits behind the comparison",
			    text->whole);
	for (size_t i = 0; i < digits.len; i++) {
		if (digits.data[i] == '.' && scale > 0)
			return fail(text, "'%.60s' has two points in its number", text->whole);
		if (digits.data[i] == '.')
			scale = 1;
		else
			number = number * 10 + (digits.data[i] - '0');
		if (digits.data[i] != '.' && scale > 0)
			scale *= 10;
	}
	*out_number = scale > 0 ? number / scale : number;
	return 0;
}

/* Turns out->value into nanoseconds. */
static int time_unit_take(struct text *text, struct slice unit, struct bench_expect *out)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1},
		     {"us", NS_PER_US},
		     {"ms", NS_PER_MS},
		     {"s", NS_PER_S},
		     {"m", 60.0 * NS_PER_S}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (!slice_equals(unit, slice_from_text(units[i].name)))
			continue;
		out->value *= units[i].ns;
		return 0;
	}
	return fail(text, "'%.60s' compares a time: its number needs a unit (ns, us, ms, s or m)",
		    text->whole);
}

static int unit_parse(struct text *text, struct bench_expect *out)
{
	const struct metric *metric = &metrics[out->metric];
	struct slice unit = word_take(text, "abcdefghijklmnopqrstuvwxyz%");

	if (*text->at != 0)
		return fail(text, "'%.60s' has '%.20s' behind its end", text->whole, text->at);
	if (is_time(metric))
		return time_unit_take(text, unit, out);
	out->is_percent = slice_equals(unit, SLICE_LITERAL("%"));
	if (unit.len > 0 && !out->is_percent)
		return fail(text, "'%.60s' compares a count: its number is plain or has a %%",
			    text->whole);
	return 0;
}

int bench_expect_parse(const char *text, struct bench_expect *out_expect, char *error,
		       size_t error_size)
{
	struct text in = {text, text, error, error_size};
	struct bench_expect expect = {0};

	if (strlen(text) >= sizeof(expect.text))
		return fail(&in, "'%.40s...' is longer than %zu characters", text,
			    sizeof(expect.text) - 1);
	memcpy(expect.text, text, strlen(text) + 1);
	int r = metric_parse(&in, &expect.metric);

	if (r == 0)
		r = comparison_parse(&in, &expect.comparison);
	if (r == 0)
		r = number_parse(&in, &expect.value);
	if (r == 0)
		r = unit_parse(&in, &expect);
	if (r == 0)
		*out_expect = expect;
	return r;
}

/* --- checking --- */

static bool compare(double seen, enum bench_comparison comparison, double value)
{
	switch (comparison) {
	case BENCH_EQUAL:
		return seen >= value && seen <= value;
	case BENCH_UNEQUAL:
		return seen < value || seen > value;
	case BENCH_LESS:
		return seen < value;
	case BENCH_AT_MOST:
		return seen <= value;
	case BENCH_MORE:
		return seen > value;
	case BENCH_AT_LEAST:
		return seen >= value;
	}
	return false;
}

static void time_check(const struct bench_expect *expect, const struct hist *hist,
		       struct bench_check *out)
{
	double percentile = metrics[expect->metric].percentile;

	if (hist->count == 0) {
		snprintf(out->seen, sizeof(out->seen), "nothing measured");
		return;
	}
	uint64_t ns = percentile >= 100 ? hist->max : hist_percentile(hist, percentile);

	units_format_ns(ns, out->seen);
	out->is_met = compare((double)ns, expect->comparison, expect->value);
}

static const struct hist *hist_of(enum metric_kind kind, const struct bench_result *result)
{
	switch (kind) {
	case HANDSHAKE:
		return &result->handshake;
	case STEP_TLS:
		return &result->steps[BENCH_STEP_TLS];
	case COMEBACK:
		return &result->steps[BENCH_STEP_COMEBACK];
	default:
		return &result->echo;
	}
}

/* What 100% is of. */
static uint64_t whole_of(enum metric_kind kind, const struct bench_result *result)
{
	if (kind == CONNECTIONS)
		return result->wanted;
	if (kind == OFFERED)
		return result->totals.offered;
	if (kind == DELIVERED)
		return result->pushed * result->wanted;
	return kind == RECEIVED ? result->totals.received : result->totals.sent;
}

static void count_check(const struct bench_expect *expect, const struct bench_result *result,
			struct bench_check *out)
{
	const struct metric *metric = &metrics[expect->metric];
	uint64_t count = metric->count(result);
	uint64_t whole = whole_of(metric->kind, result);

	if (!expect->is_percent) {
		snprintf(out->seen, sizeof(out->seen), "%" PRIu64, count);
		out->is_met = compare((double)count, expect->comparison, expect->value);
	} else if (whole == 0) {
		snprintf(out->seen, sizeof(out->seen), "no %s",
			 metric->kind == OFFERED    ? "TLS session was offered"
			 : metric->kind == RECEIVED ? "message was received"
						    : "message was sent");
	} else {
		/* Cut, not rounded: 99.996% must not read as 100%. */
		uint64_t hundredths = count * 10000 / whole;
		double percent = (double)hundredths / 100;

		snprintf(out->seen, sizeof(out->seen), "%.10g%% (%" PRIu64 " of %" PRIu64 ")",
			 percent, count, whole);
		/* Without a division, so that equality is exact. */
		out->is_met = compare((double)count * 100, expect->comparison,
				      expect->value * (double)whole);
	}
}

void bench_expect_check(const struct bench_expect *expect, const struct bench_result *result,
			struct bench_check *out_check)
{
	const struct metric *metric = &metrics[expect->metric];

	*out_check = (struct bench_check){0};
	_Static_assert(sizeof(out_check->text) == sizeof(expect->text), "copied as a whole");
	memcpy(out_check->text, expect->text, sizeof(expect->text));
	if (is_time(metric))
		time_check(expect, hist_of(metric->kind, result), out_check);
	else
		count_check(expect, result, out_check);
}
