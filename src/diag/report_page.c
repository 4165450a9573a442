/* SPDX-License-Identifier: Apache-2.0 */
#include "diag/report_page.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/check.h"
#include "base/units.h"
#include "os/os_limits.h"

void report_heading(const struct report_page *page, enum report_word word)
{
	fprintf(page->to, "\n## %s\n\n", report_page_word(page, word));
}

void report_table(const struct report_page *page, size_t count, const enum report_word *words)
{
	for (size_t i = 0; i < count; i++)
		fprintf(page->to, "| %s ", report_page_word(page, words[i]));
	fputs("|\n", page->to);
	for (size_t i = 0; i < count; i++)
		fputs("| --- ", page->to);
	fputs("|\n", page->to);
}

/* --- facts --- */

void report_say(const struct report_page *page, const char *english)
{
	char said[REPORT_SAID_MAX];

	report_text(report_said(page->lang, english, said), page->to);
}

void report_facts(const struct report_page *page)
{
	static const enum report_word words[] = {REPORT_WORD_WHAT, REPORT_WORD_VALUE};

	report_table(page, ARRAY_LEN(words), words);
}

void report_fact(const struct report_page *page, enum report_word word, const char *value)
{
	fprintf(page->to, "| %s | ", report_page_word(page, word));
	report_text(value, page->to);
	fputs(" |\n", page->to);
}

void report_fact_count(const struct report_page *page, enum report_word word, uint64_t value)
{
	char text[UNITS_GROUPED_MAX];

	report_fact(page, word, units_format_grouped(value, text));
}

void report_machine(const struct report_page *page)
{
	uint64_t pages = (uint64_t)MAX(sysconf(_SC_PHYS_PAGES), 0);
	struct utsname system;
	char text[256], size[REPORT_BYTES_MAX];

	if (uname(&system) == 0) {
		snprintf(text, sizeof(text), "%s %s %s", system.sysname, system.release,
			 system.machine);
		report_fact(page, REPORT_WORD_SYSTEM, text);
	}
	report_fact_count(page, REPORT_WORD_PROCESSORS, os_limits_cores());
	report_bytes(pages * (uint64_t)sysconf(_SC_PAGESIZE), size);
	report_fact(page, REPORT_WORD_MEMORY, size);
}

void report_moment(const struct report_page *page, time_t at, enum report_word word)
{
	struct tm tm;
	char text[64];

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(page->to, "- %s%s%s\n", text, report_page_word(page, REPORT_WORD_COLON),
		report_page_word(page, word));
}

/* --- limits --- */

void report_row_number(const struct report_page *page, const json_t *row, const char *key)
{
	report_number(json_object_get(row, key),
		      strcmp(key, "connections") == 0
			      ? NULL
			      : json_string_value(json_object_get(row, "unit")),
		      page->lang, page->to);
}

bool report_row_source(const struct report_page *page, const json_t *row)
{
	const char *source = json_string_value(json_object_get(row, "source"));
	const char *set_by = json_string_value(json_object_get(row, "set_by"));
	bool has_both = source != NULL && source[0] != 0 && set_by != NULL && set_by[0] != 0;

	report_say(page, source);
	if (has_both)
		fputs(report_page_word(page, REPORT_WORD_COMMA), page->to);
	report_say(page, set_by);
	return has_both || (source != NULL && source[0] != 0);
}

static void limit_line(const struct report_page *page, const json_t *row)
{
	fputs("| ", page->to);
	report_code(json_string_value(json_object_get(row, "limit")), page->to);
	fputs(" | ", page->to);
	report_row_number(page, row, "value");
	fputs(" | ", page->to);
	if (json_is_integer(json_object_get(row, "used")))
		report_row_number(page, row, "used");
	fputs(" | ", page->to);
	report_row_number(page, row, "connections");
	fputs(" | ", page->to);
	report_row_source(page, row);
	fputs(" |\n", page->to);
}

bool report_limits(const struct report_page *page, const json_t *table)
{
	static const enum report_word words[] = {REPORT_WORD_LIMIT, REPORT_WORD_VALUE,
						 REPORT_WORD_USED, REPORT_WORD_ALLOWS,
						 REPORT_WORD_SOURCE};
	json_t *rows = json_object_get(table, "limits");
	const json_t *row;
	size_t i;

	if (json_array_size(rows) == 0)
		return false;
	report_table(page, ARRAY_LEN(words), words);
	json_array_foreach(rows, i, row) if (json_is_integer(json_object_get(row, "value")))
		limit_line(page, row); /* what has none caps nothing */
	return true;
}

const json_t *report_limit_row(const json_t *table, const char *name)
{
	const json_t *rows = json_object_get(table, "limits");

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		const char *label = json_string_value(json_object_get(row, "limit"));

		if (label != NULL && name != NULL && strcmp(label, name) == 0)
			return row;
	}
	return NULL;
}

void report_remedy(const struct report_page *page, const char *place, const char *text,
		   const char *why)
{
	char said[REPORT_SAID_MAX];

	fputs("- ", page->to);
	report_say(page, place);
	fputs(report_page_word(page, REPORT_WORD_COLON), page->to);
	report_code(report_said(page->lang, text, said), page->to);
	if (why[0] != 0) {
		fputs(report_page_word(page, REPORT_WORD_BRACKET), page->to);
		report_say(page, why);
		fputs(report_page_word(page, REPORT_WORD_LAST_BRACKET), page->to);
	}
	fputc('\n', page->to);
}

size_t report_remedies(const struct report_page *page, const json_t *row)
{
	json_t *remedies = json_object_get(row, "remedies");
	const json_t *remedy;
	size_t i;

	json_array_foreach(remedies, i, remedy)
	{
		report_remedy(page, json_string_value(json_object_get(remedy, "place")),
			      json_string_value(json_object_get(remedy, "text")), "");
	}
	return json_array_size(remedies);
}

/* --- hypotheses --- */

void report_hypotheses(const struct report_page *page)
{
	static const enum report_word words[] = {REPORT_WORD_HYPOTHESIS, REPORT_WORD_OUTCOME,
						 REPORT_WORD_EVIDENCE};

	report_heading(page, REPORT_WORD_HYPOTHESES);
	report_table(page, ARRAY_LEN(words), words);
}

void report_hypothesis(const struct report_page *page, const char *text,
		       enum report_outcome outcome, const char *evidence)
{
	static const enum report_word outcomes[] = {
		[REPORT_EXCLUDED] = REPORT_WORD_EXCLUDED,
		[REPORT_CONFIRMED] = REPORT_WORD_CONFIRMED,
		[REPORT_OPEN] = REPORT_WORD_OPEN,
	};

	fprintf(page->to, "| %s | %s | ", text, report_page_word(page, outcomes[outcome]));
	report_text(evidence, page->to);
	fputs(" |\n", page->to);
}
