/* SPDX-License-Identifier: Apache-2.0
 * report_page.h - what written reports are made of, in Markdown: headings, facts, the machine,
 * limits tables, remedies.
 *
 * Layer: diag. Tables come as diag/limits_json.h has them, which may be another program's. */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "diag/report_words.h"

struct report_page {
	enum report_lang lang;
	FILE *to;
};

/* The word in the page's language. */
static inline const char *report_page_word(const struct report_page *page, enum report_word word)
{
	return report_word(page->lang, word);
}

void report_heading(const struct report_page *page, enum report_word word);

/* The head of a table with so many of these words. */
void report_table(const struct report_page *page, size_t count, const enum report_word *words);

/* A table of what there is and its value, and a line of it. */
void report_facts(const struct report_page *page);
void report_fact(const struct report_page *page, enum report_word word, const char *value);
void report_fact_count(const struct report_page *page, enum report_word word, uint64_t value);

/* Three facts: system, processors, memory. */
void report_machine(const struct report_page *page);

/* "- 2026-11-30T18:00:00Z: what happened" */
void report_moment(const struct report_page *page, time_t at, enum report_word word);

/* What limits with a value there are in it; false: none. */
bool report_limits(const struct report_page *page, const json_t *table);

/* The row of that limit, or NULL. */
const json_t *report_limit_row(const json_t *table, const char *name);

/* One of the numbers of a row. */
void report_row_number(const struct report_page *page, const json_t *row, const char *key);

/* Where its value was read, and what set it; false: nobody knows. */
bool report_row_source(const struct report_page *page, const json_t *row);

/* How to raise the limit, a line each; how many there are. */
size_t report_remedies(const struct report_page *page, const json_t *row);

/* One line of these, with what it is for, which may be "". */
void report_remedy(const struct report_page *page, const char *place, const char *text,
		   const char *why);

enum report_outcome { REPORT_EXCLUDED, REPORT_CONFIRMED, REPORT_OPEN };

/* A line of the table of hypotheses, which begins with its head. */
void report_hypotheses(const struct report_page *page);
void report_hypothesis(const struct report_page *page, const char *text,
		       enum report_outcome outcome, const char *evidence);

/* What the program has said of limits, remedies and causes, in the language of a report; what has
 * no phrase (report_phrases.h) stays as it is. NULL: nothing. */
#define REPORT_SAID_MAX 2048
char *report_said(enum report_lang lang, const char *english, char out[REPORT_SAID_MAX]);

/* Likewise, as report_text(). */
void report_say(const struct report_page *page, const char *english);

/* Text of anybody's, inside of a table or a line: no control characters, and no markup. NULL:
 * nothing. */
void report_text(const char *text, FILE *to);

/* What is to be copied, between backticks: in there nothing is markup but the backtick. */
void report_code(const char *text, FILE *to);

/* "23.5 GiB" */
#define REPORT_BYTES_MAX 32
char *report_bytes(uint64_t bytes, char out[REPORT_BYTES_MAX]);

/* Of a limits table; null: no limit. `unit` "bytes" is shortened; it may be NULL. */
void report_number(const json_t *value, const char *unit, enum report_lang lang, FILE *to);
