/* SPDX-License-Identifier: Apache-2.0
 * bench_html_parts.h - the parts that bench_html.c puts together.
 *
 * Layer: bench, private to bench_html*.c. Write errors stay in the stream. */
#pragma once

#include <stdio.h>

#include "bench/report/bench_report.h"

/* The content of <style>. */
extern const char html_style[];

/* What was asked, when, from where. */
void html_facts(const struct bench_report *report, FILE *to);

/* The charts, those without data left out, and the table of percentiles. */
void html_charts(const struct bench_report *report, FILE *to);

/* Of the whole test, as a chart and as a table; something must have connected. */
void html_chart_distribution(const struct bench_result *result, FILE *to);
void html_percentiles(const struct bench_result *result, FILE *to);

/* Failures by cause, grouped by whose they are. */
void html_failures(const struct bench_result *result, FILE *to);

/* How the other side ended slow readers; nothing if it did not. */
void html_slow_ends(const struct bench_result *result, FILE *to);

/* How the other side ended those who may come back, and why attempts to failed; nothing if it did
 * not. */
void html_interruptions(const struct bench_result *result, FILE *to);

/* What happened to the server meanwhile; nothing if nothing did. */
void html_acts(const struct bench_result *result, FILE *to);

/* --expect; nothing if there is none. */
void html_checks(const struct bench_report *report, FILE *to);

/* Both sides' limits, or why they are not known. */
void html_limits(const struct bench_report *report, FILE *to);

/* `title` and how to raise the limit `name` of that table (diag/limits_json.h); nothing
 * if the table is NULL or does not tell. */
void html_remedies(const json_t *limits, const char *name, const char *title, FILE *to);

/* "the tester", "the server", "the way between" */
const char *html_side_words(enum bench_side side);
