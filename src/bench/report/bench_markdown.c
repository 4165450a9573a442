/* SPDX-License-Identifier: Apache-2.0
 * bench_markdown.c - the report in the form in which a capacity problem is told: background,
 * environment, limits of both sides, what was seen, hypotheses with their evidence, root cause,
 * cure, proof. */
#include "bench/report/bench_markdown.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/judge/bench_hypotheses.h"
#include "bench/report/bench_compare.h"

struct page {
	const struct bench_report *report;
	enum bench_lang lang;
	FILE *to;
};

static const char *word(const struct page *page, enum bench_word which)
{
	return bench_word(page->lang, which);
}

static void heading(const struct page *page, enum bench_word which)
{
	fprintf(page->to, "\n## %s\n\n", word(page, which));
}

/* A table of what there is, and its value. */
static void fact_table(const struct page *page)
{
	fprintf(page->to, "| %s | %s |\n| --- | --- |\n", word(page, BENCH_WORD_WHAT),
		word(page, BENCH_WORD_VALUE));
}

static void fact(const struct page *page, enum bench_word which, const char *value)
{
	fprintf(page->to, "| %s | ", word(page, which));
	bench_markdown_text(value, page->to);
	fputs(" |\n", page->to);
}

static void fact_count(const struct page *page, enum bench_word which, uint64_t value)
{
	char text[UNITS_GROUPED_MAX];

	fact(page, which, units_format_grouped(value, text));
}

/* --- background, environment --- */

static void moment(const struct page *page, double ago_s, enum bench_word which)
{
	time_t at = time(NULL) - (time_t)(ago_s + 0.5);
	struct tm tm;
	char text[64];

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(page->to, "- %s: %s\n", text, word(page, which));
}

static void times_write(const struct page *page)
{
	const struct bench_result *result = page->report->result;

	fprintf(page->to, "\n%s:\n\n", word(page, BENCH_WORD_TIMES));
	moment(page, result->total_s, BENCH_WORD_BEGAN);
	moment(page, result->total_s - result->connect_s, BENCH_WORD_ALL_UP);
	if (result->hold_s > 0)
		moment(page, MAX(result->total_s - result->connect_s - result->hold_s, 0),
		       BENCH_WORD_HOLD_ENDED);
	moment(page, 0, BENCH_WORD_ENDED);
}

static void background_write(const struct page *page)
{
	const struct bench_options *options = page->report->setup->options;
	char text[128];

	heading(page, BENCH_WORD_BACKGROUND);
	fact_table(page);
	fact(page, BENCH_WORD_TARGET, options->url_text);
	fact_count(page, BENCH_WORD_CONNECTIONS, options->connections);
	snprintf(text, sizeof(text), "%.0f", options->connect_rate);
	fact(page, BENCH_WORD_RATE,
	     options->connect_rate > 0 ? text : word(page, BENCH_WORD_AS_FAST));
	fact(page, BENCH_WORD_HOLD,
	     units_format_duration_ms(bench_options_hold_ms(options), text, sizeof(text)));
	if (options->depth > 0)
		snprintf(text, sizeof(text), "%" PRIu64 " B x %" PRIu64, options->size,
			 options->depth);
	else
		snprintf(text, sizeof(text), "%" PRIu64 " B, %g/s", options->size,
			 options->message_rate);
	fact(page, BENCH_WORD_MESSAGES,
	     bench_options_has_traffic(options) ? text : word(page, BENCH_WORD_NONE));
	times_write(page);
}

static void environment_write(const struct page *page)
{
	const struct bench_report *report = page->report;
	const struct bench_setup *setup = report->setup;
	char text[512], remote[NET_ADDR_TEXT_MAX], size[BENCH_MARKDOWN_BYTES_MAX];
	struct utsname system;

	heading(page, BENCH_WORD_ENVIRONMENT);
	fact_table(page);
	snprintf(text, sizeof(text), "gatehouse bench %s, %u workers, %s, %u source addresses",
		 GATEHOUSE_VERSION, setup->workers, loop_engine_name(setup->engine),
		 setup->sources.count);
	fact(page, BENCH_WORD_TESTER, text);
	if (uname(&system) == 0) {
		snprintf(text, sizeof(text), "%s %s %s", system.sysname, system.release,
			 system.machine);
		fact(page, BENCH_WORD_SYSTEM, text);
	}
	fact_count(page, BENCH_WORD_PROCESSORS, report->result->cores);
	uint64_t pages = (uint64_t)MAX(sysconf(_SC_PHYS_PAGES), 0);

	bench_markdown_bytes(pages * (uint64_t)sysconf(_SC_PAGESIZE), size);
	fact(page, BENCH_WORD_MEMORY, size);
	snprintf(text, sizeof(text), "%s, %s",
		 net_addr_format(&setup->remote, remote, sizeof(remote)),
		 report->evidence->process[0] != 0 ? report->evidence->process
		 : report->evidence->is_local      ? word(page, BENCH_WORD_HERE)
						   : word(page, BENCH_WORD_ELSEWHERE));
	fact(page, BENCH_WORD_SERVER, text);
}

/* --- limits --- */

/* Of a row of a limits table: one of its numbers. */
static void number_write(const struct page *page, const json_t *row, const char *key)
{
	bench_markdown_number(json_object_get(row, key),
			      strcmp(key, "connections") == 0
				      ? NULL
				      : json_string_value(json_object_get(row, "unit")),
			      page->lang, page->to);
}

static void limits_table(const struct page *page, enum bench_word side, const json_t *table)
{
	json_t *rows = json_object_get(table, "limits");
	const json_t *row;
	size_t i;

	fprintf(page->to, "### %s\n\n", word(page, side));
	if (json_array_size(rows) == 0) {
		fprintf(page->to, "%s", word(page, BENCH_WORD_NOT_KNOWN));
		if (side == BENCH_WORD_OF_SERVER && page->report->server_note[0] != 0) {
			fputs(": ", page->to);
			bench_markdown_text(page->report->server_note, page->to);
		}
		fputs("\n\n", page->to);
		return;
	}
	fprintf(page->to, "| %s | %s | %s | %s | %s |\n| --- | --- | --- | --- | --- |\n",
		word(page, BENCH_WORD_LIMIT), word(page, BENCH_WORD_VALUE),
		word(page, BENCH_WORD_USED), word(page, BENCH_WORD_ALLOWS),
		word(page, BENCH_WORD_SOURCE));
	json_array_foreach(rows, i, row)
	{
		if (!json_is_integer(json_object_get(row, "value")))
			continue; /* it caps nothing */
		fputs("| ", page->to);
		bench_markdown_code(json_string_value(json_object_get(row, "limit")), page->to);
		fputs(" | ", page->to);
		number_write(page, row, "value");
		fputs(" | ", page->to);
		if (json_is_integer(json_object_get(row, "used")))
			number_write(page, row, "used");
		fputs(" | ", page->to);
		number_write(page, row, "connections");
		fputs(" | ", page->to);
		bench_markdown_text(json_string_value(json_object_get(row, "source")), page->to);
		fputs(" |\n", page->to);
	}
	fputc('\n', page->to);
}

static void limits_write(const struct page *page)
{
	heading(page, BENCH_WORD_LIMITS);
	limits_table(page, BENCH_WORD_OF_TESTER, page->report->tester_limits);
	limits_table(page, BENCH_WORD_OF_SERVER, page->report->server_limits);
}

/* --- what was seen --- */

static void time_fact(const struct page *page, enum bench_word which, const struct hist *hist,
		      double percent)
{
	char text[UNITS_NS_TEXT_MAX];

	if (hist->count > 0)
		fact(page, which, units_format_ns(hist_percentile(hist, percent), text));
}

static void results_write(const struct page *page)
{
	const struct bench_result *result = page->report->result;

	heading(page, BENCH_WORD_RESULTS);
	fact_table(page);
	fact_count(page, BENCH_WORD_CONNECTED, result->totals.connected);
	fact_count(page, BENCH_WORD_NOT_CONNECTED, result->totals.failed);
	fact_count(page, BENCH_WORD_DROPPED, result->totals.dropped);
	fact_count(page, BENCH_WORD_HELD, result->totals.held);
	fact_count(page, BENCH_WORD_PER_SECOND, (uint64_t)bench_connect_rate(result));
	time_fact(page, BENCH_WORD_HANDSHAKE_P50, &result->handshake, 50);
	time_fact(page, BENCH_WORD_HANDSHAKE_P99, &result->handshake, 99);
	time_fact(page, BENCH_WORD_ECHO_P50, &result->echo, 50);
	time_fact(page, BENCH_WORD_ECHO_P99, &result->echo, 99);
}

static void failures_write(const struct page *page)
{
	static const enum bench_word sides[] = {
		[BENCH_MINE] = BENCH_WORD_SIDE_MINE,
		[BENCH_YOURS] = BENCH_WORD_SIDE_YOURS,
		[BENCH_BETWEEN] = BENCH_WORD_SIDE_BETWEEN,
	};
	const struct bench_causes *causes = &page->report->result->causes;
	char text[400], count[UNITS_GROUPED_MAX];

	if (causes->count == 0)
		return;
	fprintf(page->to, "\n### %s\n\n| %s | %s | %s | %s |\n| --- | --- | --- | --- |\n",
		word(page, BENCH_WORD_FAILURES), word(page, BENCH_WORD_NUMBER),
		word(page, BENCH_WORD_SIDE), word(page, BENCH_WORD_WHEN),
		word(page, BENCH_WORD_CAUSE));
	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];

		fprintf(page->to, "| %s | %s | %.2f–%.2f s | ",
			units_format_grouped(cause->count, count),
			word(page, sides[bench_cause_side(cause)]), cause->first_s, cause->last_s);
		bench_markdown_text(bench_cause_text(cause, text, sizeof(text)), page->to);
		fputs(" |\n", page->to);
	}
}

/* --- why --- */

static void hypotheses_write(const struct page *page)
{
	static const enum bench_word outcomes[] = {
		[BENCH_EXCLUDED] = BENCH_WORD_EXCLUDED,
		[BENCH_CONFIRMED] = BENCH_WORD_CONFIRMED,
		[BENCH_OPEN] = BENCH_WORD_OPEN,
	};
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
			.lang = page->lang,
		},
		rows);
	heading(page, BENCH_WORD_HYPOTHESES);
	fprintf(page->to, "| %s | %s | %s |\n| --- | --- | --- |\n",
		word(page, BENCH_WORD_HYPOTHESIS), word(page, BENCH_WORD_OUTCOME),
		word(page, BENCH_WORD_EVIDENCE));
	for (int i = 0; i < BENCH_HYPOTHESIS_COUNT; i++) {
		fprintf(page->to, "| %s | %s | ",
			bench_hypothesis_text((enum bench_hypothesis_id)i, page->lang),
			word(page, outcomes[rows[i].outcome]));
		bench_markdown_text(rows[i].evidence, page->to);
		fputs(" |\n", page->to);
	}
}

static void root_cause_write(const struct page *page)
{
	const struct bench_plateau *plateau = page->report->plateau;
	const struct bench_causes *causes = &page->report->result->causes;
	char text[400];

	heading(page, BENCH_WORD_ROOT_CAUSE);
	if (plateau->text[0] != 0) {
		bench_markdown_text(plateau->text, page->to);
	} else if (causes->count > 0) { /* the most frequent is first */
		bench_markdown_text(bench_cause_text(&causes->rows[0], text, sizeof(text)),
				    page->to);
	} else {
		fputs(word(page, BENCH_WORD_NOTHING_STOPPED), page->to);
	}
	fputc('\n', page->to);
}

static size_t remedies_write(const struct page *page, const json_t *row)
{
	json_t *remedies = json_object_get(row, "remedies");
	const json_t *remedy;
	size_t i;

	json_array_foreach(remedies, i, remedy)
	{
		fputs("- ", page->to);
		bench_markdown_text(json_string_value(json_object_get(remedy, "place")), page->to);
		fputs(": ", page->to);
		bench_markdown_code(json_string_value(json_object_get(remedy, "text")), page->to);
		fputc('\n', page->to);
	}
	return json_array_size(remedies);
}

static size_t advice_write(const struct page *page)
{
	const struct bench_causes *causes = &page->report->result->causes;
	size_t written = 0;

	for (unsigned i = 0; i < causes->count; i++) {
		const char *advice = bench_cause_advice(&causes->rows[i]);

		if (advice == NULL)
			continue;
		fputs("- ", page->to);
		bench_markdown_text(advice, page->to);
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

	heading(page, BENCH_WORD_CURE);
	const json_t *row = bench_limit_row(table, plateau->limit);
	size_t written = remedies_write(page, row) + advice_write(page);

	/* Of a gateway it is known how, even if nobody asked it. */
	if (row == NULL && plateau->side == BENCH_YOURS &&
	    strcmp(plateau->limit, "max_connections") == 0) {
		fprintf(page->to, "- `server.max_connections: %" PRIu64 "`\n",
			report->result->wanted);
		written++;
	}
	if (written > 0)
		return;
	fprintf(page->to, "%s\n", word(page, BENCH_WORD_NOTHING_TO_CURE));
	const char *next = json_string_value(json_object_get(report->server_limits, "binding"));
	const json_t *binding = bench_limit_row(report->server_limits, next);

	if (binding == NULL)
		return;
	fprintf(page->to, "\n%s: ", word(page, BENCH_WORD_NEXT_LIMIT));
	bench_markdown_code(next, page->to);
	fputs(" (", page->to);
	number_write(page, binding, "connections");
	fputs(")\n\n", page->to);
	remedies_write(page, binding);
}

static void proof_write(const struct page *page)
{
	const struct bench_report *report = page->report;
	const struct bench_options *options = report->setup->options;

	heading(page, BENCH_WORD_PROOF);
	for (size_t i = 0; i < report->check_count; i++) {
		fprintf(page->to, "- %s ",
			word(page,
			     report->checks[i].is_met ? BENCH_WORD_PASSED : BENCH_WORD_FAILED));
		bench_markdown_code(report->checks[i].text, page->to);
		fputs(": ", page->to);
		bench_markdown_text(report->checks[i].seen, page->to);
		fputc('\n', page->to);
	}
	fputs(report->check_count > 0 ? "\n> " : "> ", page->to);
	bench_markdown_text(report->verdict, page->to);
	fputc('\n', page->to);
	if (report->is_passed)
		return;
	fprintf(page->to, "\n%s\n\n    gatehouse bench '%s' -c %" PRIu64 " --compare %s\n",
		word(page, BENCH_WORD_RUN_AGAIN), options->url_text, options->connections,
		options->json_path == NULL ? "BEFORE.json" : options->json_path);
}

int bench_report_write_markdown(const struct bench_report *report, FILE *to)
{
	struct page page = {report, report->setup->options->lang, to};

	errno = EIO;
	fprintf(to, "# %s: ", word(&page, BENCH_WORD_TITLE));
	bench_markdown_text(report->setup->options->url_text, to);
	fprintf(to, " (%s)\n",
		word(&page, report->is_passed ? BENCH_WORD_PASSED : BENCH_WORD_FAILED));
	background_write(&page);
	environment_write(&page);
	limits_write(&page);
	results_write(&page);
	failures_write(&page);
	hypotheses_write(&page);
	root_cause_write(&page);
	cure_write(&page);
	proof_write(&page);
	if (report->before != NULL) {
		heading(&page, BENCH_WORD_BEFORE_AND_NOW);
		bench_compare_write(report, report->before, page.lang, to);
	}
	return fflush(to) == 0 && !ferror(to) ? 0 : -errno;
}
