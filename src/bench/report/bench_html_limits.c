/* SPDX-License-Identifier: Apache-2.0
 * bench_html_limits.c - the report's limits of both sides, and how far each was used
 * (bench_html_parts.h). */
#include "bench/report/bench_html_parts.h"

#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/report/bench_html_text.h"

/* The server's table is whatever the server sent: nothing about it is taken for
 * granted, neither kinds of values nor how many or how long they are. */
#define ROWS_MAX     64
#define REMEDIES_MAX 16
#define TEXT_MAX     512

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

static void text_cell(const json_t *row, const char *name, FILE *to)
{
	fputs("<td>", to);
	html_escape_start(text_of(row, name), TEXT_MAX, to);
	fputs("</td>", to);
}

/* --- numbers --- */

static void number_write(const json_t *value, const char *unit, FILE *to)
{
	char text[HTML_NUMBER_MAX];
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0)
		fputs("&ndash;", to);
	else if (strcmp(unit, "bytes") == 0)
		html_escape(html_size((uint64_t)number, text), to);
	else
		html_escape(units_format_grouped((uint64_t)number, text), to);
}

static void number_cell(const json_t *row, const char *name, const char *unit, FILE *to)
{
	fputs("<td class=\"n\">", to);
	number_write(json_object_get(row, name), unit, to);
	fputs("</td>", to);
}

/* With its unit; or the state, where there is no number. */
static void value_cell(const json_t *row, const char *unit, FILE *to)
{
	const json_t *value = json_object_get(row, "value");

	fputs("<td class=\"n\">", to);
	if (json_is_integer(value)) {
		number_write(value, unit, to);
		if (strcmp(unit, "bytes") != 0) {
			fputs(" <small>", to);
			html_escape_start(unit, TEXT_MAX, to);
			fputs("</small>", to);
		}
	} else {
		html_escape_start(text_of(row, "state"), TEXT_MAX, to);
	}
	fputs("</td>", to);
}

/* --- remedies --- */

static void remedies_list(const json_t *row, FILE *to)
{
	const json_t *remedies = json_object_get(row, "remedies");
	size_t count = MIN(json_array_size(remedies), REMEDIES_MAX);

	fputs("<dl class=\"remedies\">\n", to);
	for (size_t i = 0; i < count; i++) {
		const json_t *remedy = json_array_get(remedies, i);

		fputs("<dt>", to);
		html_escape_start(text_of(remedy, "place"), TEXT_MAX, to);
		fputs("</dt><dd><code>", to);
		html_escape_start(text_of(remedy, "text"), TEXT_MAX, to);
		fputs("</code></dd>\n", to);
	}
	fputs("</dl>\n", to);
}

static bool has_remedies(const json_t *row)
{
	return json_array_size(json_object_get(row, "remedies")) > 0;
}

void html_remedies(const json_t *limits, const char *name, const char *title, FILE *to)
{
	const json_t *rows = json_object_get(limits, "limits");
	size_t count = MIN(json_array_size(rows), ROWS_MAX);

	for (size_t i = 0; i < count; i++) {
		const json_t *row = json_array_get(rows, i);

		if (strcmp(text_of(row, "limit"), name) != 0 || !has_remedies(row))
			continue;
		fprintf(to, "<p>%s</p>\n", title);
		remedies_list(row, to);
		return;
	}
}

/* --- table --- */

static void name_cell(const json_t *row, const char *binding, FILE *to)
{
	const char *name = text_of(row, "limit");

	fputs("<th scope=\"row\">", to);
	html_escape_start(name, TEXT_MAX, to);
	if (name[0] != 0 && strcmp(name, binding) == 0)
		fputs(" <span class=\"binds\">binds</span>", to);
	fputs("</th>", to);
}

/* A sentence around one of the row's texts; nothing if that is empty. */
static void sentence(const json_t *row, const char *before, const char *name, FILE *to)
{
	const char *text = text_of(row, name);

	if (text[0] == 0)
		return;
	fprintf(to, " %s ", before);
	html_escape_start(text, TEXT_MAX, to);
	fputc('.', to);
}

static void note_cell(const json_t *row, FILE *to)
{
	fputs("<td class=\"words\">", to);
	html_escape_start(text_of(row, "note"), TEXT_MAX, to);
	fputs("<p>", to);
	sentence(row, "A connection takes", "cost", to);
	sentence(row, "Read from", "source", to);
	sentence(row, "Set by", "set_by", to);
	fputs("</p>", to);
	if (has_remedies(row)) {
		fputs("<details><summary>How to raise it</summary>\n", to);
		remedies_list(row, to);
		fputs("</details>", to);
	}
	fputs("</td>", to);
}

static void limit_row(const json_t *row, const char *binding, FILE *to)
{
	const char *unit = text_of(row, "unit");

	fputs("<tr>", to);
	name_cell(row, binding, to);
	text_cell(row, "scope", to);
	value_cell(row, unit, to);
	number_cell(row, "used", unit, to);
	number_cell(row, "connections", "", to);
	note_cell(row, to);
	fputs("</tr>\n", to);
}

static void summary(const json_t *limits, FILE *to)
{
	const json_t *connections = json_object_get(limits, "connections");
	const char *binding = text_of(limits, "binding");
	const char *next = text_of(limits, "next");

	if (!json_is_integer(connections) || binding[0] == 0)
		return;
	fputs("<p>Allows ", to);
	number_write(connections, "", to);
	fputs(" connections; <code>", to);
	html_escape_start(binding, TEXT_MAX, to);
	fputs("</code> binds", to);
	if (next[0] != 0) {
		fputs(", <code>", to);
		html_escape_start(next, TEXT_MAX, to);
		fputs("</code> would be next", to);
	}
	fputs(".</p>\n", to);
}

static void limits_table(const json_t *limits, const char *title, FILE *to)
{
	const json_t *rows = json_object_get(limits, "limits");
	size_t count = json_array_size(rows);

	summary(limits, to);
	fprintf(to,
		"<div class=\"card scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
		"<table class=\"limits\">\n<thead><tr><th scope=\"col\">Limit</th>"
		"<th scope=\"col\">Scope</th><th scope=\"col\" class=\"n\">Value</th>"
		"<th scope=\"col\" class=\"n\">Used</th>"
		"<th scope=\"col\" class=\"n\">Allows connections</th><th scope=\"col\">Note</th>"
		"</tr></thead>\n<tbody>\n",
		title);
	for (size_t i = 0; i < MIN(count, ROWS_MAX); i++)
		limit_row(json_array_get(rows, i), text_of(limits, "binding"), to);
	fputs("</tbody></table></div>\n", to);
	if (count > ROWS_MAX)
		fprintf(to, "<p class=\"note\">%zu more are left out.</p>\n", count - ROWS_MAX);
}

static void side(const json_t *limits, const char *title, const char *note, FILE *to)
{
	fprintf(to, "<h3>%s</h3>\n", title);
	if (note != NULL && note[0] != 0) {
		fputs("<p class=\"note\">", to);
		html_escape_start(note, TEXT_MAX, to);
		fputs("</p>\n", to);
	}
	if (json_array_size(json_object_get(limits, "limits")) > 0)
		limits_table(limits, title, to);
	else
		fputs("<p class=\"note\">Not known.</p>\n", to);
}

void html_limits(const struct bench_report *report, FILE *to)
{
	fputs("<section>\n<h2>Limits of both sides</h2>\n", to);
	side(report->server_limits, "The server's limits", report->server_note, to);
	side(report->tester_limits, "The tester's limits", NULL, to);
	fputs("</section>\n", to);
}
