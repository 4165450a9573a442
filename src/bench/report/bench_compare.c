/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_compare.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "diag/report_page.h"

json_t *bench_compare_read(const char *path, char *error, size_t error_size)
{
	json_error_t problem;
	json_t *root = json_load_file(path, 0, &problem);

	if (root == NULL) {
		if (problem.line > 0)
			snprintf(error, error_size, "--compare: '%s', line %d, column %d: %s", path,
				 problem.line, problem.column, problem.text);
		else
			snprintf(error, error_size, "--compare: %s", problem.text);
		return NULL;
	}
	if (json_is_string(json_object_get(root, "verdict")) &&
	    json_is_object(json_object_get(root, "totals")))
		return root;
	json_decref(root);
	snprintf(error, error_size,
		 "--compare: '%s' is JSON, but not what --json of a test wrote: it has no verdict "
		 "and totals",
		 path);
	return NULL;
}

static void row_begin(enum report_lang lang, enum report_word word, FILE *to)
{
	fprintf(to, "| %s | ", report_word(lang, word));
}

/* Of a file that may hold any number. */
static uint64_t whole_of(double value)
{
	return value >= 1e18 ? UINT64_C(1000000000000000000) : value > 0 ? (uint64_t)value : 0;
}

static void count_row(enum report_lang lang, enum report_word word, const json_t *before,
		      uint64_t now, FILE *to)
{
	char some[UNITS_GROUPED_MAX], other[UNITS_GROUPED_MAX];
	bool is_known = json_is_number(before);
	uint64_t was = whole_of(json_number_value(before));

	row_begin(lang, word, to);
	fprintf(to, "%s | %s |\n",
		is_known ? units_format_grouped(was, some)
			 : report_word(lang, REPORT_WORD_NOT_KNOWN),
		units_format_grouped(now, other));
}

static const char *time_text(enum report_lang lang, bool is_known, double seconds,
			     char out[UNITS_NS_TEXT_MAX])
{
	if (!is_known)
		return report_word(lang, REPORT_WORD_NOT_KNOWN);
	return units_format_ns(whole_of(seconds * (double)NS_PER_S), out);
}

static void time_row(enum report_lang lang, enum report_word word, const json_t *before,
		     const char *percentile, const struct hist *now, double percent, FILE *to)
{
	const json_t *was = json_object_get(before, percentile);
	bool is_known = json_integer_value(json_object_get(before, "count")) > 0;
	double now_s = (double)hist_percentile(now, percent) / (double)NS_PER_S;
	char some[UNITS_NS_TEXT_MAX], other[UNITS_NS_TEXT_MAX];

	if (!is_known && now->count == 0)
		return;
	row_begin(lang, word, to);
	fprintf(to, "%s | %s |\n", time_text(lang, is_known, json_number_value(was), some),
		time_text(lang, now->count > 0, now_s, other));
}

static void figures_write(const struct bench_report *report, const json_t *before,
			  enum report_lang lang, FILE *to)
{
	const struct bench_result *result = report->result;
	const json_t *totals = json_object_get(before, "totals");
	const json_t *handshake = json_object_get(before, "handshake_seconds");
	/* As bench_json.c names what `echo` holds. */
	bool is_push = result->is_receiver;
	const json_t *echo = json_object_get(before, is_push ? "push_seconds" : "echo_seconds");

	fprintf(to, "| %s | %s | %s |\n| --- | --- | --- |\n", report_word(lang, REPORT_WORD_WHAT),
		report_word(lang, REPORT_WORD_BEFORE), report_word(lang, REPORT_WORD_NOW));
	count_row(lang, REPORT_WORD_CONNECTIONS,
		  json_object_get(json_object_get(before, "asked"), "connections"), result->wanted,
		  to);
	count_row(lang, REPORT_WORD_CONNECTED, json_object_get(totals, "connected"),
		  result->totals.connected, to);
	count_row(lang, REPORT_WORD_NOT_CONNECTED, json_object_get(totals, "failed"),
		  result->totals.failed, to);
	count_row(lang, REPORT_WORD_DROPPED, json_object_get(totals, "dropped"),
		  result->totals.dropped, to);
	count_row(lang, REPORT_WORD_HELD, json_object_get(totals, "held"), result->totals.held, to);
	count_row(lang, REPORT_WORD_PER_SECOND, json_object_get(before, "connected_per_second"),
		  (uint64_t)bench_connect_rate(result), to);
	time_row(lang, REPORT_WORD_HANDSHAKE_P50, handshake, "p50", &result->handshake, 50, to);
	time_row(lang, REPORT_WORD_HANDSHAKE_P99, handshake, "p99", &result->handshake, 99, to);
	time_row(lang, is_push ? REPORT_WORD_PUSH_P50 : REPORT_WORD_ECHO_P50, echo, "p50",
		 &result->echo, 50, to);
	time_row(lang, is_push ? REPORT_WORD_PUSH_P99 : REPORT_WORD_ECHO_P99, echo, "p99",
		 &result->echo, 99, to);
	row_begin(lang, REPORT_WORD_VERDICT, to);
	report_text(json_string_value(json_object_get(before, "verdict")), to);
	fputs(" | ", to);
	report_text(report->verdict, to);
	fputs(" |\n", to);
}

/* --- limits --- */

/* "": nothing of a configuration did, or nobody knows. */
static const char *set_by(const json_t *row)
{
	const char *text = json_string_value(json_object_get(row, "set_by"));

	return text == NULL ? "" : text;
}

/* By somebody, not by what the machine has. */
static bool is_set(const json_t *row)
{
	return set_by(row)[0] != 0 && strcmp(set_by(row), "default") != 0;
}

/* What is taken from free memory is never twice the same: so bytes may differ by a tenth, and what
 * else is reckoned from them by a hundredth. */
static bool is_same(const json_t *was_row, const json_t *now_row)
{
	const json_t *was = json_object_get(was_row, "value");
	const json_t *now = json_object_get(now_row, "value");
	const char *unit = json_string_value(json_object_get(now_row, "unit"));
	double some = json_number_value(was), other = json_number_value(now);
	double parts = unit != NULL && strcmp(unit, "bytes") == 0 ? 10 : 100;

	if (is_set(was_row) && is_set(now_row) && some != other)
		return false;

	if (!json_is_number(was) || !json_is_number(now))
		return json_is_number(was) == json_is_number(now);
	return some == other || (MAX(some, other) - MIN(some, other)) * parts < MIN(some, other);
}

/* " (environment GATEHOUSE_SERVER_MAX_CONNECTIONS → application.yaml:2)" */
static void origins_write(enum report_lang lang, const json_t *was, const json_t *now, FILE *to)
{
	const struct report_page page = {lang, to};

	if (set_by(was)[0] == 0 || set_by(now)[0] == 0 || strcmp(set_by(was), set_by(now)) == 0)
		return;
	fputs(report_word(lang, REPORT_WORD_BRACKET), to);
	report_say(&page, set_by(was));
	fputs(" → ", to);
	report_say(&page, set_by(now));
	fputs(report_word(lang, REPORT_WORD_LAST_BRACKET), to);
}

/* Of a side; the number of rows. */
static size_t changes_write(enum report_lang lang, enum report_word side, const json_t *before,
			    const json_t *now, FILE *to)
{
	json_t *rows = json_object_get(now, "limits");
	const json_t *row;
	size_t i, written = 0;

	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "limit"));
		const json_t *was = name == NULL ? NULL : report_limit_row(before, name);
		const json_t *value = json_object_get(row, "value");
		const char *unit = json_string_value(json_object_get(row, "unit"));

		if (was == NULL || is_same(was, row))
			continue;
		fprintf(to, "- %s%s", report_word(lang, side),
			report_word(lang, REPORT_WORD_COMMA));
		report_code(name, to);
		fputs(report_word(lang, REPORT_WORD_COLON), to);
		report_number(json_object_get(was, "value"), unit, lang, to);
		fputs(" → ", to);
		report_number(value, unit, lang, to);
		origins_write(lang, was, row, to);
		fputc('\n', to);
		written++;
	}
	return written;
}

void bench_compare_write(const struct bench_report *report, const json_t *before,
			 enum report_lang lang, FILE *to)
{
	figures_write(report, before, lang, to);
	fprintf(to, "\n%s%s\n\n", report_word(lang, REPORT_WORD_CHANGED_LIMITS),
		report_word(lang, REPORT_WORD_LAST_COLON));
	size_t changes = changes_write(lang, REPORT_WORD_OF_TESTER,
				       json_object_get(before, "tester_limits"),
				       report->tester_limits, to);

	changes += changes_write(lang, REPORT_WORD_OF_SERVER,
				 json_object_get(before, "server_limits"), report->server_limits,
				 to);
	if (changes == 0)
		fprintf(to, "- %s\n", report_word(lang, REPORT_WORD_NO_CHANGED_LIMITS));
}
