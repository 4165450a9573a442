/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/judge/bench_hypotheses.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/units.h"
#include "diag/report_page.h"

struct judge {
	const struct bench_seen *seen;
	struct bench_hypothesis *row;
};

/* The words decide how many texts they take: all are strings. */
static void say(const struct judge *judge, enum report_outcome outcome, enum report_word word, ...)
{
	struct bench_hypothesis *row = judge->row;
	va_list args;

	row->outcome = outcome;
	va_start(args, word);
	/* NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): from the table of words */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vsnprintf(row->evidence, sizeof(row->evidence), report_word(judge->seen->lang, word), args);
#pragma GCC diagnostic pop
	va_end(args);
}

static bool is_refusal(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_HTTP && (cause->code == 429 || cause->code == 503);
}

static bool is_wrong_answer(const struct bench_cause *cause)
{
	return (cause->kind == BENCH_CAUSE_HTTP && !is_refusal(cause)) ||
	       cause->kind == BENCH_CAUSE_BAD_HANDSHAKE || cause->kind == BENCH_CAUSE_TICKET;
}

static bool is_mine(const struct bench_cause *cause)
{
	return bench_cause_side(cause) == BENCH_MINE;
}

static bool is_tls(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_TLS || cause->kind == BENCH_CAUSE_TLS_LOST ||
	       cause->kind == BENCH_CAUSE_TLS_BROKEN;
}

static bool is_tcp_timeout(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_CONNECT_TIMEOUT;
}

static bool is_unanswered(const struct bench_cause *cause)
{
	return cause->kind == BENCH_CAUSE_HANDSHAKE_TIMEOUT ||
	       cause->kind == BENCH_CAUSE_TLS_TIMEOUT;
}

/* How many failed so; *out_largest, which may be NULL, is the most frequent of these causes. */
static uint64_t count_of(const struct judge *judge, bool (*is)(const struct bench_cause *cause),
			 const struct bench_cause **out_largest)
{
	const struct bench_causes *causes = &judge->seen->result->causes;
	const struct bench_cause *largest = NULL;
	uint64_t count = 0;

	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		if (!is(cause))
			continue;
		count += cause->count;
		if (largest == NULL || cause->count > largest->count)
			largest = cause;
	}
	if (out_largest != NULL)
		*out_largest = largest;
	return count;
}

static void judge_tester(const struct judge *judge)
{
	uint64_t failed = count_of(judge, is_mine, NULL);
	bool is_plateau = judge->seen->plateau->is_found &&
			  judge->seen->plateau->side == BENCH_MINE;
	char digits[UNITS_GROUPED_MAX], said[REPORT_SAID_MAX];

	if (failed > 0 || is_plateau)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_MINE,
		    units_format_grouped(failed, digits));
	else
		say(judge, judge->seen->does_tester_fit ? REPORT_EXCLUDED : REPORT_OPEN,
		    REPORT_WORD_EV_FITS,
		    report_said(judge->seen->lang, judge->seen->tester_line, said));
}

static void judge_cpu(const struct judge *judge)
{
	const struct bench_result *result = judge->seen->result;
	char share[32];

	if (bench_is_saturated(result)) {
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_SATURATED);
		return;
	}
	snprintf(share, sizeof(share), "%.0f%%",
		 result->hold_s > 0
			 ? result->hold_cpu_s / result->hold_s / MAX(result->workers, 1) * 100
			 : 0);
	say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_BUSY, share);
}

static void judge_listening(const struct judge *judge)
{
	uint64_t count = bench_causes_not_listening(&judge->seen->result->causes);
	char digits[UNITS_GROUPED_MAX];

	if (count > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_REFUSED_TCP,
		    units_format_grouped(count, digits));
	else
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_NOT_REFUSED);
}

static void judge_network(const struct judge *judge)
{
	uint64_t count = count_of(judge, is_tcp_timeout, NULL);
	char digits[UNITS_GROUPED_MAX];

	if (judge->seen->evidence->is_conntrack_full)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_CONNTRACK);
	else if (count > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_TIMEOUT,
		    units_format_grouped(count, digits));
	else
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_NO_TIMEOUT);
}

static void judge_tls(const struct judge *judge)
{
	uint64_t count = count_of(judge, is_tls, NULL);
	uint64_t secured = judge->seen->result->totals.secured;
	char digits[UNITS_GROUPED_MAX];

	if (count > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_TLS_BAD,
		    units_format_grouped(count, digits));
	else if (secured > 0)
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_TLS_GOOD,
		    units_format_grouped(secured, digits));
	else
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_NO_TLS);
}

static void judge_target(const struct judge *judge)
{
	uint64_t count = count_of(judge, is_wrong_answer, NULL);
	uint64_t connected = judge->seen->result->totals.connected;
	char digits[UNITS_GROUPED_MAX];

	if (count > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_ANSWERED_WRONG,
		    units_format_grouped(count, digits));
	else
		say(judge, connected > 0 ? REPORT_EXCLUDED : REPORT_OPEN, REPORT_WORD_EV_ANSWERED,
		    units_format_grouped(connected, digits));
}

static void judge_refused(const struct judge *judge)
{
	const struct bench_cause *largest;
	uint64_t count = count_of(judge, is_refusal, &largest);
	char digits[UNITS_GROUPED_MAX], text[400], said[REPORT_SAID_MAX];

	if (count == 0)
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_NO_LIMIT_NAMED);
	else
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_LIMIT_NAMED,
		    units_format_grouped(count, digits),
		    report_said(judge->seen->lang, bench_cause_text(largest, text, sizeof(text)),
				said));
}

static void judge_full(const struct judge *judge)
{
	const struct bench_evidence *evidence = judge->seen->evidence;
	char used[UNITS_GROUPED_MAX], value[UNITS_GROUPED_MAX], both[2 * UNITS_GROUPED_MAX + 4];

	if (evidence->limit[0] == 0) {
		say(judge, judge->seen->has_server_limits ? REPORT_EXCLUDED : REPORT_OPEN,
		    judge->seen->has_server_limits ? REPORT_WORD_EV_NONE_FULL
						   : REPORT_WORD_EV_NO_TABLE);
		return;
	}
	snprintf(both, sizeof(both), "%s / %s", units_format_grouped(evidence->limit_used, used),
		 units_format_grouped(evidence->limit_value, value));
	say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_FULL, evidence->limit, both);
}

static void judge_queue(const struct judge *judge)
{
	const struct bench_kernel *kernel = &judge->seen->evidence->kernel;
	uint64_t overflows = kernel->values[BENCH_KERNEL_LISTEN_OVERFLOWS];
	uint64_t drops = kernel->values[BENCH_KERNEL_LISTEN_DROPS];
	char some[UNITS_GROUPED_MAX], other[UNITS_GROUPED_MAX];

	if (!judge->seen->evidence->is_local || !kernel->is_known[BENCH_KERNEL_LISTEN_OVERFLOWS] ||
	    !kernel->is_known[BENCH_KERNEL_LISTEN_DROPS])
		say(judge, REPORT_OPEN, REPORT_WORD_EV_NOT_HERE);
	else
		say(judge, overflows + drops > 0 ? REPORT_CONFIRMED : REPORT_EXCLUDED,
		    REPORT_WORD_EV_QUEUE, units_format_grouped(overflows, some),
		    units_format_grouped(drops, other));
}

static void judge_slow(const struct judge *judge)
{
	const struct hist *handshake = &judge->seen->result->handshake;
	uint64_t count = count_of(judge, is_unanswered, NULL);
	char digits[UNITS_GROUPED_MAX], time[UNITS_NS_TEXT_MAX];

	if (count > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_LATE,
		    units_format_grouped(count, digits));
	else
		say(judge, handshake->count > 0 ? REPORT_EXCLUDED : REPORT_OPEN,
		    REPORT_WORD_EV_IN_TIME, units_format_ns(hist_percentile(handshake, 99), time));
}

static void judge_drops(const struct judge *judge)
{
	const struct bench_result *result = judge->seen->result;
	const struct bench_causes *causes = &result->causes;
	uint64_t dropped = result->totals.dropped + result->totals.away;
	double first_s = -1;
	char digits[UNITS_GROUPED_MAX], time[32];

	for (unsigned i = 0; i < causes->count; i++)
		if (!bench_cause_is_early(&causes->rows[i]) &&
		    (first_s < 0 || causes->rows[i].first_s < first_s))
			first_s = causes->rows[i].first_s;
	snprintf(time, sizeof(time), "%.1f s", dropped > 0 ? MAX(first_s, 0) : result->hold_s);
	if (dropped > 0)
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_DROPPED,
		    units_format_grouped(dropped, digits), time);
	else
		say(judge, result->totals.held > 0 ? REPORT_EXCLUDED : REPORT_OPEN,
		    REPORT_WORD_EV_HELD, units_format_grouped(result->totals.held, digits), time);
}

static void judge_echo(const struct judge *judge)
{
	const struct bench_result *result = judge->seen->result;
	const struct bench_totals *totals = &result->totals;
	uint64_t wanted = result->is_receiver ? totals->received + totals->missing : totals->sent;
	char some[UNITS_GROUPED_MAX], other[UNITS_GROUPED_MAX];

	if (!result->has_traffic && !result->is_receiver)
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_NO_MESSAGES);
	else if (totals->received == wanted && wanted > 0)
		say(judge, REPORT_EXCLUDED, REPORT_WORD_EV_WHOLE,
		    units_format_grouped(totals->received, some));
	else
		say(judge, REPORT_CONFIRMED, REPORT_WORD_EV_NOT_WHOLE,
		    units_format_grouped(totals->received, some),
		    units_format_grouped(wanted, other));
}

void bench_hypotheses_judge(const struct bench_seen *seen,
			    struct bench_hypothesis out[BENCH_HYPOTHESIS_COUNT])
{
	static void (*const judges[])(const struct judge *judge) = {
		[BENCH_HYPOTHESIS_TESTER] = judge_tester,
		[BENCH_HYPOTHESIS_CPU] = judge_cpu,
		[BENCH_HYPOTHESIS_LISTENING] = judge_listening,
		[BENCH_HYPOTHESIS_NETWORK] = judge_network,
		[BENCH_HYPOTHESIS_TLS] = judge_tls,
		[BENCH_HYPOTHESIS_TARGET] = judge_target,
		[BENCH_HYPOTHESIS_REFUSED] = judge_refused,
		[BENCH_HYPOTHESIS_FULL] = judge_full,
		[BENCH_HYPOTHESIS_QUEUE] = judge_queue,
		[BENCH_HYPOTHESIS_SLOW] = judge_slow,
		[BENCH_HYPOTHESIS_DROPS] = judge_drops,
		[BENCH_HYPOTHESIS_ECHO] = judge_echo,
	};

	for (int i = 0; i < BENCH_HYPOTHESIS_COUNT; i++) {
		struct judge judge = {.seen = seen, .row = &out[i]};

		judges[i](&judge);
		CHECK(out[i].evidence[0] != 0);
	}
}

const char *bench_hypothesis_text(enum bench_hypothesis_id id, enum report_lang lang)
{
#define BENCH_HYPOTHESIS_WORD(NAME, word) REPORT_WORD_##word,
	static const enum report_word words[] = {BENCH_HYPOTHESES(BENCH_HYPOTHESIS_WORD)};

	return report_word(lang, words[id]);
}
