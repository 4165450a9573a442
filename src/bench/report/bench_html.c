/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_html.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "bench/report/bench_html_parts.h"
#include "bench/report/bench_html_text.h"

/* --- head and headline --- */

/* Even a mistake of ours in escaping could load or run nothing. */
static void head(const struct bench_report *report, FILE *to)
{
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta http-equiv=\"Content-Security-Policy\" "
	      "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
	      to);
	html_escape(report->verdict, to);
	fputs("</title>\n<style>\n", to);
	fputs(html_style, to);
	fputs("</style>\n</head>\n<body>\n<main>\n", to);
}

/* Told apart by shape and word, not by colour alone. */
static void badge(bool is_passed, FILE *to)
{
	fputs(is_passed ? "<span class=\"badge pass\"><svg viewBox=\"0 0 24 24\" "
			  "aria-hidden=\"true\">"
			  "<circle cx=\"12\" cy=\"12\" r=\"11\"/><path d=\"M6.5 12.5l4 4 "
			  "7-8.5\"/></svg>"
			  "Passed</span>\n"
			: "<span class=\"badge fail\"><svg viewBox=\"0 0 24 24\" "
			  "aria-hidden=\"true\">"
			  "<path class=\"sign\" d=\"M7.5 1h9L23 7.5v9L16.5 23h-9L1 16.5v-9z\"/>"
			  "<path d=\"M8 8l8 8M16 8l-8 8\"/></svg>Failed</span>\n",
	      to);
}

/* The verdict's first part is the headline, what follows the first "; " explains it. */
static void headline(const struct bench_report *report, FILE *to)
{
	const char *verdict = report->verdict;

	if (strncmp(verdict, "PASS: ", 6) == 0 || strncmp(verdict, "FAIL: ", 6) == 0)
		verdict += 6;
	const char *rest = strstr(verdict, "; ");
	int first_len = rest == NULL ? (int)strlen(verdict) : (int)(rest - verdict);

	fputs("<header>\n<p class=\"over\">gatehouse bench</p>\n", to);
	badge(report->is_passed, to);
	fputs("<h1>", to);
	html_printf(to, "%.*s", first_len, verdict);
	fputs("</h1>\n", to);
	if (rest != NULL) {
		fputs("<p class=\"more\">", to);
		html_escape(rest + 2, to);
		fputs("</p>\n", to);
	}
	fputs("</header>\n", to);
}

/* --- plateau --- */

static void plateau_remedies(const struct bench_report *report, FILE *to)
{
	const struct bench_plateau *found = report->plateau;

	if (found->side == BENCH_MINE)
		html_remedies(report->tester_limits, found->limit, "How to raise it:", to);
	else
		html_remedies(report->server_limits, found->limit,
			      "How to raise it, as the server proposes:", to);
}

static void plateau(const struct bench_report *report, FILE *to)
{
	const struct bench_plateau *found = report->plateau;
	char number[HTML_NUMBER_MAX];

	if (found == NULL || !found->is_found)
		return;
	fprintf(to, "<section class=\"card plateau\">\n<h2>Plateau at %s connections</h2>\n<p>",
		units_format_grouped(found->at, number));
	html_escape(found->text, to);
	fprintf(to, "</p>\n<dl class=\"facts\">\n<div><dt>Side</dt><dd>%s</dd></div>\n",
		html_side_words(found->side));
	if (found->limit[0] != 0) {
		fputs("<div><dt>Limit</dt><dd><code>", to);
		html_escape(found->limit, to);
		fputs("</code></dd></div>\n", to);
	}
	fputs("</dl>\n", to);
	if (found->limit[0] != 0 && found->side != BENCH_BETWEEN)
		plateau_remedies(report, to);
	fputs("</section>\n", to);
}

/* --- key figures --- */

static void figure(const char *name, const char *value, const char *note, FILE *to)
{
	fprintf(to, "<div class=\"card\"><dt>%s</dt><dd>%s<small>", name, value);
	html_escape(note, to);
	fputs("</small></dd></div>\n", to);
}

static void figure_connected(const struct bench_result *result, FILE *to)
{
	char wanted[HTML_NUMBER_MAX], number[HTML_NUMBER_MAX], time[HTML_NUMBER_MAX], note[160];
	char rate_text[HTML_NUMBER_MAX];

	snprintf(note, sizeof(note), "of %s, in %s (%s/s)",
		 units_format_grouped(result->wanted, wanted),
		 html_seconds(result->connected_s, time),
		 html_real(bench_connect_rate(result), rate_text));
	figure("Connected", units_format_grouped(result->totals.connected, number), note, to);
}

static void figures_connections(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char number[HTML_NUMBER_MAX], time[HTML_NUMBER_MAX], note[80];

	figure_connected(result, to);
	snprintf(note, sizeof(note), "for %s", html_seconds(result->hold_s, time));
	figure("Held", units_format_grouped(totals->held, number), note, to);
	figure("Dropped", units_format_grouped(totals->dropped, number), "were open, then lost",
	       to);
	figure("Failed", units_format_grouped(totals->failed, number), "never became open", to);
}

/* What churn and slow readers came to. */
static void figures_shape(const struct bench_options *options, const struct bench_totals *totals,
			  FILE *to)
{
	char number[HTML_NUMBER_MAX], other[HTML_NUMBER_MAX], away[HTML_NUMBER_MAX], note[128];

	if (options->lifetime_ms > 0) {
		snprintf(note, sizeof(note), "of %s whose lifetime was over",
			 units_format_grouped(totals->retired, other));
		figure("Reopened", units_format_grouped(totals->reopened, number), note, to);
	}
	if (options->does_reconnect) {
		snprintf(note, sizeof(note), "of %s that were disconnected; %s are away",
			 units_format_grouped(totals->disconnected, other),
			 units_format_grouped(totals->away, away));
		figure("Came back", units_format_grouped(totals->reconnected, number), note, to);
	}
	if (options->slow_readers_percent > 0)
		figure("Slow readers closed", units_format_grouped(totals->slow_closed, number),
		       "by the other side", to);
}

static void figure_echoes(const struct bench_result *result, FILE *to)
{
	char number[HTML_NUMBER_MAX], sent[HTML_NUMBER_MAX], note[80];

	snprintf(note, sizeof(note), "right, of %s messages sent",
		 units_format_grouped(result->totals.sent, sent));
	figure("Echoes", units_format_grouped(result->totals.received, number), note, to);
}

static void figure_received(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char number[HTML_NUMBER_MAX], missing[HTML_NUMBER_MAX], late[HTML_NUMBER_MAX],
		repeated[HTML_NUMBER_MAX], note[128];

	snprintf(note, sizeof(note), "messages; %s missing, %s late, %s repeated",
		 units_format_grouped(totals->missing, missing),
		 units_format_grouped(totals->late, late),
		 units_format_grouped(totals->repeated, repeated));
	figure("Received", units_format_grouped(totals->received, number), note, to);
}

/* The value is the median, since that is what most connections see. */
static void figure_latency(const char *name, const struct hist *hist, FILE *to)
{
	char p50[HTML_NUMBER_MAX], p99[HTML_NUMBER_MAX], note[80];

	if (hist->count == 0)
		return;
	snprintf(note, sizeof(note), "p99 %s",
		 html_latency((double)hist_percentile(hist, 99), p99));
	figure(name, html_latency((double)hist_percentile(hist, 50), p50), note, to);
}

static void figures(const struct bench_report *report, FILE *to)
{
	const struct bench_result *result = report->result;

	fputs("<section>\n<h2 class=\"unseen\">Key figures</h2>\n<dl class=\"figures\">\n", to);
	figures_connections(result, to);
	figures_shape(report->setup->options, &result->totals, to);
	if (result->has_traffic)
		figure_echoes(result, to);
	if (result->is_receiver)
		figure_received(result, to);
	figure_latency("Handshake p50", &result->handshake, to);
	figure_latency(result->is_receiver ? "Push p50" : "Echo p50", &result->echo, to);
	fputs("</dl>\n</section>\n", to);
}

int bench_report_write_html(const struct bench_report *report, FILE *to)
{
	errno = EIO; /* an earlier write may have failed without leaving a reason now */
	head(report, to);
	headline(report, to);
	figures(report, to);
	plateau(report, to);
	html_checks(report, to);
	html_acts(report->result, to);
	html_facts(report, to);
	html_charts(report, to);
	html_failures(report->result, to);
	html_interruptions(report->result, to);
	html_slow_ends(report->result, to);
	html_limits(report, to);
	fputs("</main>\n</body>\n</html>\n", to);
	return fflush(to) == 0 && !ferror(to) ? 0 : -errno;
}
