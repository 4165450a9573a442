/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/units.h"

/* Above this share of the CPUs it can have, the tester sets the speed. */
#define SATURATED 0.9

/* A shorter ramp says nothing about its CPU. */
#define RAMP_MIN_S 1.0

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

static void add_count(struct text *text, uint64_t count, const char *after)
{
	char digits[32];

	add(text, "%s%s", units_format_grouped(count, digits), after);
}

bool bench_is_saturated(const struct bench_result *result)
{
	unsigned cpus = MIN(MAX(result->cores, 1), MAX(result->workers, 1));
	double most = SATURATED * cpus;
	bool is_ramp = result->connect_s >= RAMP_MIN_S &&
		       result->connect_cpu_s > most * result->connect_s;

	return is_ramp || (result->hold_s > 0 && result->hold_cpu_s > most * result->hold_s);
}

/* --- verdict --- */

static bool are_messages_whole(const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	if (result->is_receiver)
		return totals->received > 0 && totals->missing == 0 && totals->late == 0 &&
		       totals->repeated == 0 &&
		       (!result->does_push || totals->received == result->pushed * result->wanted);
	return totals->sent == totals->received && (!result->has_traffic || totals->sent > 0);
}

/* Without --expect. */
static bool is_whole(const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	return totals->connected == result->wanted &&
	       totals->held + totals->slow_closed == result->wanted && are_messages_whole(result);
}

static size_t count_unmet(const struct bench_check *checks, size_t count)
{
	size_t unmet = 0;

	for (size_t i = 0; i < count; i++)
		unmet += checks[i].is_met ? 0 : 1;
	return unmet;
}

static void add_causes(struct text *text, const struct bench_causes *causes, bool is_early,
		       const char *verb)
{
	char line[400];

	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		if (bench_cause_is_early(cause) != is_early)
			continue;
		add(text, "; ");
		add_count(text, cause->count, "");
		add(text, " %s: %s", cause->kind == BENCH_CAUSE_HTTP ? "refused" : verb,
		    bench_cause_text(cause, line, sizeof(line)));
	}
}

static void add_received(struct text *text, const struct bench_totals *totals)
{
	add_count(text, totals->received, " messages received, ");
	add_count(text, totals->missing, " missing, ");
	add_count(text, totals->late, " late, ");
	add_count(text, totals->repeated, " repeated");
}

static void add_echoes(struct text *text, const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	if (!result->has_traffic)
		return;
	add(text, ", ");
	if (totals->sent == 0) {
		add(text, "no message was sent");
	} else if (totals->sent == totals->received) {
		add_count(text, totals->received, " echoes, all correct");
	} else {
		add_count(text, totals->received, " correct echoes of ");
		add_count(text, totals->sent, " messages");
	}
}

static void add_connections(struct text *text, const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	add_count(text, totals->connected, " of ");
	add_count(text, result->wanted, " connected");
	if (totals->dropped > 0 && totals->dropped == totals->connected) {
		add(text, ", all ");
		add_count(text, totals->dropped, " dropped");
		add(text, " after %.1f s", result->hold_s);
	} else if (totals->connected > 0) {
		add(text, ", ");
		add_count(text, totals->held, " held");
		add(text, " %.*f s", result->hold_s < 10 ? 1 : 0, result->hold_s);
	}
}

/* The first that is not met, and how many more. */
static void add_checks(struct text *text, const struct bench_check *checks, size_t count)
{
	size_t unmet = count_unmet(checks, count);
	size_t first = 0;

	if (unmet == 0) {
		if (count > 0)
			add(text, "all %zu expectations met; ", count);
		return;
	}
	while (checks[first].is_met)
		first++;
	add(text, "expected %s, saw %s", checks[first].text, checks[first].seen);
	if (unmet > 1)
		add(text, " (and %zu more not met)", unmet - 1);
	add(text, "; ");
}

static void add_resumed(struct text *text, const struct bench_result *result)
{
	if (!result->does_resume)
		return;
	add(text, ", ");
	add_count(text, result->totals.resumed, " of ");
	add_count(text, result->totals.offered, " TLS sessions resumed");
}

/* "40 were ended and 39 came back": of connections that may. */
static void add_returns(struct text *text, const struct bench_result *result)
{
	const struct bench_totals *totals = &result->totals;

	if (!result->does_reconnect)
		return;
	add(text, ", ");
	add_count(text, totals->disconnected, " disconnected, ");
	add_count(text, totals->reconnected, " came back");
}

static void add_loose(struct text *text, const struct bench_result *result)
{
	if (!result->is_at_least_once)
		return;
	add(text, ", ");
	add_count(text, result->totals.late, " late, ");
	add_count(text, result->totals.repeated, " repeated");
}

/* NULL: all went well. */
static const struct bench_act_done *failed_act(const struct bench_result *result)
{
	for (size_t i = 0; i < result->acts.count; i++)
		if (!result->acts.rows[i].is_good)
			return &result->acts.rows[i];
	return NULL;
}

static void add_pushes(struct text *text, const struct bench_result *result)
{
	if (!result->does_push)
		return;
	add(text, ", ");
	add_count(text, result->pushed, " pushed");
}

bool bench_verdict(const struct bench_result *result, const struct bench_plateau *plateau,
		   const struct bench_check *checks, size_t check_count, char *out, size_t size)
{
	struct text text = {out, size, 0};
	bool is_met = check_count > 0 ? count_unmet(checks, check_count) == 0 : is_whole(result);
	const struct bench_act_done *act = failed_act(result);
	bool is_passed = is_met && !result->was_interrupted && act == NULL &&
			 result->push_problem[0] == 0;

	add(&text, "%s: ", is_passed ? "PASS" : "FAIL");
	if (plateau->text[0] != 0)
		add(&text, "%s; ", plateau->text);
	if (act != NULL)
		add(&text, "the act '%s' failed: %s; ", act->text, act->seen);
	if (result->push_problem[0] != 0)
		add(&text, "pushing stopped: %s; ", result->push_problem);
	add_checks(&text, checks, check_count);
	add_connections(&text, result);
	add_returns(&text, result);
	add_pushes(&text, result);
	if (result->is_receiver) {
		add(&text, ", ");
		add_received(&text, &result->totals);
	}
	add_echoes(&text, result);
	add_loose(&text, result);
	add_resumed(&text, result);
	if (result->was_interrupted)
		add(&text, "; interrupted before the end");
	add_causes(&text, &result->causes, true, "failed");
	add_causes(&text, &result->causes, false, "dropped");
	return is_passed;
}
