/* SPDX-License-Identifier: Apache-2.0
 * bench_html_tables.c - the report's tables: causes, checks, expectations (bench_html_parts.h).
 * */
#include "bench/report/bench_html_parts.h"

#include "base/check.h"
#include "base/units.h"
#include "bench/report/bench_html_text.h"

static const struct {
	const char *words;
	const char *title;
	const char *meaning;
} sides[BENCH_SIDES] = {
	[BENCH_MINE] = {"the tester", "Mine", "the tester, its machine and its container"},
	[BENCH_YOURS] = {"the server", "Yours", "the server answered, and that was the failure"},
	[BENCH_BETWEEN] = {"the way between", "Between",
			   "nobody answered: the network, or a server too busy to"},
};

const char *html_side_words(enum bench_side side)
{
	return sides[side].words;
}

/* --- failures --- */

static uint64_t largest_count(const struct bench_causes *causes)
{
	uint64_t largest = 1;

	for (unsigned i = 0; i < causes->count; i++)
		largest = MAX(largest, causes->rows[i].count);
	return largest;
}

static void cause_words(const struct bench_cause *cause, FILE *to)
{
	const char *advice = bench_cause_advice(cause);
	char text[400], number[HTML_NUMBER_MAX];

	fputs("<td class=\"words\"><strong>", to);
	html_escape(bench_cause_text(cause, text, sizeof(text)), to);
	fprintf(to, "</strong><p>%s; first was connection %s",
		bench_cause_is_early(cause) ? "before it was open" : "while open",
		units_format_grouped(cause->first_number, number));
	if (cause->example[0] != 0) {
		fputs(": <q>", to);
		html_escape(cause->example, to);
		fputs("</q>", to);
	}
	fputs("</p>", to);
	if (advice != NULL) {
		fputs("<p class=\"advice\">", to);
		html_escape(advice, to);
		fputs("</p>", to);
	}
	fputs("</td>", to);
}

static void cause_row(const struct bench_cause *cause, uint64_t largest, FILE *to)
{
	char count[HTML_NUMBER_MAX], first[HTML_NUMBER_MAX], last[HTML_NUMBER_MAX];

	fprintf(to,
		"<tr><th scope=\"row\">%s<span class=\"bar\"><span style=\"width:%.1f%%\"></span>"
		"</span></th>",
		units_format_grouped(cause->count, count),
		(double)cause->count * 100 / (double)largest);
	cause_words(cause, to);
	fprintf(to, "<td>%s</td><td>%s</td></tr>\n", html_seconds(cause->first_s, first),
		html_seconds(cause->last_s, last));
}

static void side_rows(const struct bench_causes *causes, enum bench_side side, FILE *to)
{
	uint64_t largest = largest_count(causes), total = 0;
	char number[HTML_NUMBER_MAX];

	for (unsigned i = 0; i < causes->count; i++)
		if (bench_cause_side(&causes->rows[i]) == side)
			total += causes->rows[i].count;
	if (total == 0)
		return;
	fprintf(to,
		"<tbody>\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"4\">%s "
		"<span>%s &middot; %s</span></th></tr>\n",
		sides[side].title, units_format_grouped(total, number), sides[side].meaning);
	for (unsigned i = 0; i < causes->count; i++)
		if (bench_cause_side(&causes->rows[i]) == side)
			cause_row(&causes->rows[i], largest, to);
	fputs("</tbody>\n", to);
}

static void causes_begin(const char *title, FILE *to)
{
	fprintf(to,
		"<section>\n<h2>%s</h2>\n<div class=\"card scroll\" tabindex=\"0\" "
		"role=\"region\" aria-label=\"%s\">\n<table class=\"failures\">\n<thead><tr>"
		"<th scope=\"col\">Count</th><th scope=\"col\">Cause</th>"
		"<th scope=\"col\">First</th><th scope=\"col\">Last</th></tr></thead>\n",
		title, title);
}

static void causes_end(FILE *to)
{
	fputs("</table></div>\n</section>\n", to);
}

void html_failures(const struct bench_result *result, FILE *to)
{
	if (result->causes.count == 0) {
		fputs("<section>\n<h2>Failures by cause</h2>\n<p class=\"note\">None.</p>\n"
		      "</section>\n",
		      to);
		return;
	}
	causes_begin("Failures by cause", to);
	for (int side = 0; side < BENCH_SIDES; side++)
		side_rows(&result->causes, (enum bench_side)side, to);
	causes_end(to);
}

/* Of ends that are no failures. */
static void ends_table(const char *title, const struct bench_causes *ends, FILE *to)
{
	if (ends->count == 0)
		return;
	causes_begin(title, to);
	fputs("<tbody>\n", to);
	for (unsigned i = 0; i < ends->count; i++)
		cause_row(&ends->rows[i], largest_count(ends), to);
	fputs("</tbody>\n", to);
	causes_end(to);
}

void html_slow_ends(const struct bench_result *result, FILE *to)
{
	ends_table("How slow readers were ended", &result->slow_ends, to);
}

void html_interruptions(const struct bench_result *result, FILE *to)
{
	ends_table("How those who came back were ended", &result->interruptions, to);
}

/* --- acts --- */

static void act_row(const struct bench_act_done *act, FILE *to)
{
	char at[HTML_NUMBER_MAX] = "", took[HTML_NUMBER_MAX] = "";

	fputs("<tr><th scope=\"row\"><code>", to);
	html_escape(act->text, to);
	fprintf(to, "</code></th><td>%s</td><td>%s</td><td class=\"words\">",
		act->was_reached ? html_seconds(act->at_s, at) : "",
		act->was_reached ? html_seconds(act->took_s, took) : "");
	html_escape(act->seen, to);
	fprintf(to, "</td><td>%s</td></tr>\n",
		act->is_good ? "<span class=\"met\">&#10003; done</span>"
			     : "<span class=\"unmet\">&#10007; not done</span>");
}

void html_acts(const struct bench_result *result, FILE *to)
{
	if (result->acts.count == 0)
		return;
	fputs("<section>\n<h2>Acts</h2>\n<div class=\"card scroll\" tabindex=\"0\" "
	      "role=\"region\" aria-label=\"Acts\">\n<table>\n<thead><tr>"
	      "<th scope=\"col\">Act</th><th scope=\"col\">At</th><th scope=\"col\">Took</th>"
	      "<th scope=\"col\">Seen</th><th scope=\"col\">Outcome</th></tr></thead>\n<tbody>\n",
	      to);
	for (size_t i = 0; i < result->acts.count; i++)
		act_row(&result->acts.rows[i], to);
	fputs("</tbody></table></div>\n</section>\n", to);
}

/* --- thresholds --- */

void html_checks(const struct bench_report *report, FILE *to)
{
	if (report->check_count == 0)
		return;
	fputs("<section>\n<h2>Expectations</h2>\n<div class=\"card scroll\" tabindex=\"0\" "
	      "role=\"region\" aria-label=\"Expectations\">\n<table>\n<thead><tr>"
	      "<th scope=\"col\">Expected</th><th scope=\"col\">Seen</th>"
	      "<th scope=\"col\">Outcome</th></tr></thead>\n<tbody>\n",
	      to);
	for (size_t i = 0; i < report->check_count; i++) {
		const struct bench_check *check = &report->checks[i];

		fputs("<tr><th scope=\"row\"><code>", to);
		html_escape(check->text, to);
		fputs("</code></th><td>", to);
		html_escape(check->seen, to);
		fprintf(to, "</td><td>%s</td></tr>\n",
			check->is_met ? "<span class=\"met\">&#10003; met</span>"
				      : "<span class=\"unmet\">&#10007; not met</span>");
	}
	fputs("</tbody></table></div>\n</section>\n", to);
}
