/* SPDX-License-Identifier: Apache-2.0
 * bench_markdown.c - the report in the form in which a capacity problem is told: background,
 * environment, limits of both sides, what was seen, hypotheses with their evidence, root cause,
 * cure, proof. */
#include "bench/report/bench_markdown.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/judge/bench_hypotheses.h"
#include "bench/report/bench_compare.h"
#include "diag/report_page.h"

struct page {
	const struct bench_report *report;
	struct report_page markdown;
	FILE *to;
};

static const char *word(const struct page *page, enum report_word which)
{
	return report_page_word(&page->markdown, which);
}

static void heading(const struct page *page, enum report_word which)
{
	report_heading(&page->markdown, which);
}

static void fact(const struct page *page, enum report_word which, const char *value)
{
	report_fact(&page->markdown, which, value);
}

static void fact_count(const struct page *page, enum report_word which, uint64_t value)
{
	report_fact_count(&page->markdown, which, value);
}

/* --- background, environment --- */

static void moment(const struct page *page, double ago_s, enum report_word which)
{
	report_moment(&page->markdown, time(NULL) - (time_t)(ago_s + 0.5), which);
}

static void times_write(const struct page *page)
{
	const struct bench_result *result = page->report->result;

	fprintf(page->to, "\n%s%s\n\n", word(page, REPORT_WORD_TIMES),
		word(page, REPORT_WORD_LAST_COLON));
	moment(page, result->total_s, REPORT_WORD_BEGAN);
	moment(page, result->total_s - result->connect_s, REPORT_WORD_ALL_UP);
	if (result->hold_s > 0)
		moment(page, MAX(result->total_s - result->connect_s - result->hold_s, 0),
		       REPORT_WORD_HOLD_ENDED);
	moment(page, 0, REPORT_WORD_ENDED);
}

static void background_write(const struct page *page)
{
	const struct bench_options *options = page->report->setup->options;
	char text[128];

	heading(page, REPORT_WORD_BACKGROUND);
	report_facts(&page->markdown);
	fact(page, REPORT_WORD_TARGET, options->url_text);
	fact_count(page, REPORT_WORD_CONNECTIONS, options->connections);
	snprintf(text, sizeof(text), "%.0f", options->connect_rate);
	fact(page, REPORT_WORD_RATE,
	     options->connect_rate > 0 ? text : word(page, REPORT_WORD_AS_FAST));
	fact(page, REPORT_WORD_HOLD,
	     units_format_duration_ms(bench_options_hold_ms(options), text, sizeof(text)));
	if (options->depth > 0)
		snprintf(text, sizeof(text), "%" PRIu64 " B x %" PRIu64, options->size,
			 options->depth);
	else
		snprintf(text, sizeof(text), "%" PRIu64 " B, %g/s", options->size,
			 options->message_rate);
	fact(page, REPORT_WORD_MESSAGES,
	     bench_options_has_traffic(options) ? text : word(page, REPORT_WORD_NONE));
	times_write(page);
}

static void environment_write(const struct page *page)
{
	const struct bench_report *report = page->report;
	const struct bench_setup *setup = report->setup;
	char text[512], remote[NET_ADDR_TEXT_MAX];

	heading(page, REPORT_WORD_ENVIRONMENT);
	report_facts(&page->markdown);
	const char *comma = word(page, REPORT_WORD_COMMA);

	snprintf(text, sizeof(text), "gatehouse bench %s%s%s%s%s %u%s%s %u", GATEHOUSE_VERSION,
		 comma, loop_engine_name(setup->engine), comma, word(page, REPORT_WORD_WORKERS),
		 setup->workers, comma, word(page, REPORT_WORD_SOURCES), setup->sources.count);
	fact(page, REPORT_WORD_TESTER, text);
	report_machine(&page->markdown);
	snprintf(text, sizeof(text), "%s%s%s",
		 net_addr_format(&setup->nodes[0].remote, remote, sizeof(remote)), comma,
		 report->evidence->process[0] != 0 ? report->evidence->process
		 : report->evidence->is_local      ? word(page, REPORT_WORD_HERE)
						   : word(page, REPORT_WORD_ELSEWHERE));
	fact(page, REPORT_WORD_SERVER, text);
}

/* --- limits --- */

static void limits_table(const struct page *page, enum report_word side, const json_t *table)
{
	fprintf(page->to, "### %s\n\n", word(page, side));
	if (!report_limits(&page->markdown, table)) {
		fprintf(page->to, "%s", word(page, REPORT_WORD_NOT_KNOWN));
		if (side == REPORT_WORD_OF_SERVER) {
			fputs(word(page, REPORT_WORD_COLON), page->to);
			if (page->report->server_note[0] != 0)
				report_say(&page->markdown, page->report->server_note);
			else
				fputs(word(page, REPORT_WORD_ASK_LIMITS), page->to);
		}
		fputc('\n', page->to);
	}
}

static void limits_write(const struct page *page)
{
	heading(page, REPORT_WORD_LIMITS);
	limits_table(page, REPORT_WORD_OF_TESTER, page->report->tester_limits);
	fputc('\n', page->to);
	limits_table(page, REPORT_WORD_OF_SERVER, page->report->server_limits);
}

/* --- what was seen --- */

static void time_fact(const struct page *page, enum report_word which, const struct hist *hist,
		      double percent)
{
	char text[UNITS_NS_TEXT_MAX];

	if (hist->count > 0)
		fact(page, which, units_format_ns(hist_percentile(hist, percent), text));
}

/* Facts that only some tests have. */
static void returns_write(const struct page *page)
{
	const struct bench_result *result = page->report->result;
	const struct bench_totals *totals = &result->totals;

	if (result->does_reconnect) {
		fact_count(page, REPORT_WORD_DISCONNECTED, totals->disconnected);
		fact_count(page, REPORT_WORD_RECONNECTED, totals->reconnected);
		fact_count(page, REPORT_WORD_AWAY, totals->away);
	}
	time_fact(page, REPORT_WORD_COMEBACK_P99, &result->steps[BENCH_STEP_COMEBACK], 99);
	if (result->is_at_least_once) {
		fact_count(page, REPORT_WORD_LATE, totals->late);
		fact_count(page, REPORT_WORD_REPEATED, totals->repeated);
	}
	if (result->does_push) {
		fact_count(page, REPORT_WORD_PUSHED, result->pushed);
		fact_count(page, REPORT_WORD_DELIVERIES, totals->received);
	}
}

static void acts_write(const struct page *page)
{
	static const enum report_word words[] = {REPORT_WORD_ACT, REPORT_WORD_WHEN,
						 REPORT_WORD_OUTCOME, REPORT_WORD_EVIDENCE};
	const struct bench_acts_done *acts = &page->report->result->acts;

	if (acts->count == 0)
		return;
	fprintf(page->to, "\n### %s\n\n", word(page, REPORT_WORD_ACTS));
	report_table(&page->markdown, ARRAY_LEN(words), words);
	for (size_t i = 0; i < acts->count; i++) {
		const struct bench_act_done *act = &acts->rows[i];

		fputs("| ", page->to);
		report_code(act->text, page->to);
		if (act->was_reached)
			fprintf(page->to, " | %.2f–%.2f s | ", act->at_s, act->at_s + act->took_s);
		else
			fputs(" | | ", page->to);
		fprintf(page->to, "%s | ",
			word(page, act->is_good ? REPORT_WORD_DONE : REPORT_WORD_NOT_DONE));
		report_say(&page->markdown, act->seen);
		fputs(" |\n", page->to);
	}
}

static void results_write(const struct page *page)
{
	const struct bench_result *result = page->report->result;

	heading(page, REPORT_WORD_RESULTS);
	report_facts(&page->markdown);
	fact_count(page, REPORT_WORD_CONNECTED, result->totals.connected);
	fact_count(page, REPORT_WORD_NOT_CONNECTED, result->totals.failed);
	fact_count(page, REPORT_WORD_DROPPED, result->totals.dropped);
	fact_count(page, REPORT_WORD_HELD, result->totals.held);
	returns_write(page);
	fact_count(page, REPORT_WORD_PER_SECOND, (uint64_t)bench_connect_rate(result));
	time_fact(page, REPORT_WORD_HANDSHAKE_P50, &result->handshake, 50);
	time_fact(page, REPORT_WORD_HANDSHAKE_P99, &result->handshake, 99);
	time_fact(page, result->is_receiver ? REPORT_WORD_PUSH_P50 : REPORT_WORD_ECHO_P50,
		  &result->echo, 50);
	time_fact(page, result->is_receiver ? REPORT_WORD_PUSH_P99 : REPORT_WORD_ECHO_P99,
		  &result->echo, 99);
}

static void failures_write(const struct page *page)
{
	static const enum report_word sides[] = {
		[BENCH_MINE] = REPORT_WORD_SIDE_MINE,
		[BENCH_YOURS] = REPORT_WORD_SIDE_YOURS,
		[BENCH_BETWEEN] = REPORT_WORD_SIDE_BETWEEN,
	};
	const struct bench_causes *causes = &page->report->result->causes;
	char text[400], count[UNITS_GROUPED_MAX];

	if (causes->count == 0)
		return;
	fprintf(page->to, "\n### %s\n\n| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n",
		word(page, REPORT_WORD_FAILURES), word(page, REPORT_WORD_NUMBER),
		word(page, REPORT_WORD_SIDE), word(page, REPORT_WORD_WHEN),
		word(page, REPORT_WORD_CAUSE));
	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		fprintf(page->to, "| %s | %s | %.2f–%.2f s | ",
			units_format_grouped(cause->count, count),
			word(page, sides[bench_cause_side(cause)]), cause->first_s, cause->last_s);
		report_say(&page->markdown, bench_cause_text(cause, text, sizeof(text)));
		fputs(" |\n", page->to);
	}
}

/* --- why --- */

static void hypotheses_write(const struct page *page)
{
	const struct bench_report *report = page->report;
	struct bench_hypothesis rows[BENCH_HYPOTHESIS_COUNT] = {0};
	char line[512];

	bench_hypotheses_judge(
		&(struct bench_seen){
			.result = report->result,
			.evidence = report->evidence,
			.plateau = report->plateau,
			.tester_line = bench_preflight_line(report->preflight, line, sizeof(line)),
			.does_tester_fit = report->preflight->fits,
			.has_server_limits = report->server_limits != NULL,
			.lang = page->markdown.lang,
		},
		rows);
	report_hypotheses(&page->markdown);
	for (int i = 0; i < BENCH_HYPOTHESIS_COUNT; i++)
		report_hypothesis(
			&page->markdown,
			bench_hypothesis_text((enum bench_hypothesis_id)i, page->markdown.lang),
			rows[i].outcome, rows[i].evidence);
}

/* "- `max_connections` = 1,000: server.max_connections, /etc/gatehouse/gatehouse.yaml:12" */
static void origin_write(const struct page *page)
{
	const struct bench_plateau *plateau = page->report->plateau;
	const json_t *table = plateau->side == BENCH_MINE ? page->report->tester_limits
							  : page->report->server_limits;
	const json_t *row = report_limit_row(table, plateau->limit);

	if (!json_is_integer(json_object_get(row, "value")))
		return;
	fputs("\n- ", page->to);
	report_code(plateau->limit, page->to);
	fputs(" = ", page->to);
	report_row_number(&page->markdown, row, "value");
	fputs(word(page, REPORT_WORD_COLON), page->to);
	if (!report_row_source(&page->markdown, row))
		fputs(word(page, REPORT_WORD_NOT_KNOWN), page->to);
	fputc('\n', page->to);
}

static void root_cause_write(const struct page *page)
{
	const struct bench_plateau *plateau = page->report->plateau;
	const struct bench_causes *causes = &page->report->result->causes;
	char text[400];

	heading(page, REPORT_WORD_ROOT_CAUSE);
	if (plateau->text[0] != 0) {
		report_say(&page->markdown, plateau->text);
	} else if (causes->count > 0) { /* the most frequent is first */
		report_say(&page->markdown, bench_cause_text(&causes->rows[0], text, sizeof(text)));
	} else {
		fputs(word(page, REPORT_WORD_NOTHING_STOPPED), page->to);
	}
	fputc('\n', page->to);
	origin_write(page);
}

/* `is_limit_known`: which one it is stands there already, with what raises it. */
static size_t advice_write(const struct page *page, bool is_limit_known)
{
	const struct bench_causes *causes = &page->report->result->causes;
	size_t written = 0;

	for (unsigned i = 0; i < causes->count; i++) {
		const char *advice = bench_cause_advice(&causes->rows[i]);

		if (advice == NULL || (is_limit_known && bench_cause_is_limit(&causes->rows[i])))
			continue;
		fputs("- ", page->to);
		report_say(&page->markdown, advice);
		fputc('\n', page->to);
		written++;
	}
	return written;
}

static void cure_write(const struct page *page)
{
	const struct bench_report *report = page->report;
	const struct bench_plateau *plateau = report->plateau;
	const json_t *table = plateau->side == BENCH_MINE ? report->tester_limits
							  : report->server_limits;

	heading(page, REPORT_WORD_CURE);
	const json_t *row = report_limit_row(table, plateau->limit);
	size_t written = report_remedies(&page->markdown, row);

	/* Of a gateway it is known how, even if nobody asked it. */
	if (row == NULL && plateau->side == BENCH_YOURS &&
	    strcmp(plateau->limit, "max_connections") == 0) {
		fprintf(page->to, "- `server.max_connections: %" PRIu64 "`%s%s%s\n",
			report->result->wanted, word(page, REPORT_WORD_BRACKET),
			word(page, REPORT_WORD_ASK_LIMITS), word(page, REPORT_WORD_LAST_BRACKET));
		written++;
	}
	written += advice_write(page, written > 0 && plateau->side == BENCH_YOURS);
	if (written > 0)
		return;
	fprintf(page->to, "%s\n", word(page, REPORT_WORD_NOTHING_TO_CURE));
	const char *next = json_string_value(json_object_get(report->server_limits, "binding"));
	const json_t *binding = report_limit_row(report->server_limits, next);

	if (binding == NULL)
		return;
	fprintf(page->to, "\n%s%s", word(page, REPORT_WORD_NEXT_LIMIT),
		word(page, REPORT_WORD_COLON));
	report_code(next, page->to);
	fputs(word(page, REPORT_WORD_BRACKET), page->to);
	report_row_number(&page->markdown, binding, "connections");
	fprintf(page->to, "%s\n\n", word(page, REPORT_WORD_LAST_BRACKET));
	report_remedies(&page->markdown, binding);
}

/* What this run was, by its main options: others may be secret, such as --basic. */
static void command_write(const struct page *page)
{
	const struct bench_options *options = page->report->setup->options;
	char hold[64];

	fputs("\n\n    gatehouse bench", page->to);
	if (options->scenario_path != NULL)
		fprintf(page->to, " --scenario %s", options->scenario_path);
	fprintf(page->to, " '%s' -c %" PRIu64, options->url_text, options->connections);
	if (options->hold_ms > 0)
		fprintf(page->to, " --hold %s",
			units_format_duration_ms(options->hold_ms, hold, sizeof(hold)));
	if (options->message_rate > 0)
		fprintf(page->to, " --message-rate %g", options->message_rate);
	if (options->limits_text != NULL)
		fprintf(page->to, " --limits %s", options->limits_text);
	fprintf(page->to, " --compare %s --report AFTER.md\n",
		options->json_path == NULL ? "BEFORE.json" : options->json_path);
}

static void proof_write(const struct page *page)
{
	const struct bench_report *report = page->report;

	heading(page, REPORT_WORD_PROOF);
	for (size_t i = 0; i < report->check_count; i++) {
		fprintf(page->to, "- %s ",
			word(page,
			     report->checks[i].is_met ? REPORT_WORD_PASSED : REPORT_WORD_FAILED));
		report_code(report->checks[i].text, page->to);
		fputs(word(page, REPORT_WORD_COLON), page->to);
		report_say(&page->markdown, report->checks[i].seen);
		fputc('\n', page->to);
	}
	fputs(report->check_count > 0 ? "\n> " : "> ", page->to);
	report_text(report->verdict, page->to);
	fputc('\n', page->to);
	if (report->is_passed)
		return;
	fprintf(page->to, "\n%s", word(page, REPORT_WORD_RUN_AGAIN));
	command_write(page);
}

int bench_report_write_markdown(const struct bench_report *report, FILE *to)
{
	struct page page = {report, {report->setup->options->lang, to}, to};

	errno = EIO;
	fprintf(to, "# %s%s", word(&page, REPORT_WORD_TITLE), word(&page, REPORT_WORD_COLON));
	report_text(report->setup->options->url_text, to);
	fprintf(to, "%s%s%s\n", word(&page, REPORT_WORD_BRACKET),
		word(&page, report->is_passed ? REPORT_WORD_PASSED : REPORT_WORD_FAILED),
		word(&page, REPORT_WORD_LAST_BRACKET));
	background_write(&page);
	environment_write(&page);
	limits_write(&page);
	results_write(&page);
	acts_write(&page);
	failures_write(&page);
	hypotheses_write(&page);
	root_cause_write(&page);
	cure_write(&page);
	proof_write(&page);
	if (report->before != NULL) {
		heading(&page, REPORT_WORD_BEFORE_AND_NOW);
		bench_compare_write(report, report->before, page.markdown.lang, to);
	}
	return fflush(to) == 0 && !ferror(to) ? 0 : -errno;
}
