/* SPDX-License-Identifier: Apache-2.0
 * bench_markdown.h - --report: the outcome of a load test as a document that tells its story, from
 * the background to the cure (docs/bench.md).
 *
 * Layer: bench. Main thread only, after the test. */
#pragma once

#include <stdio.h>

#include "bench/report/bench_report.h"

/* Writes Markdown in the language of the options, and the comparison if there is one. 0 or a
 * negative errno. */
int bench_report_write_markdown(const struct bench_report *report, FILE *to);

/* Text of anybody's, inside of a table or a line: no control characters, and no markup. NULL:
 * nothing. */
void bench_markdown_text(const char *text, FILE *to);

/* What is to be copied, between backticks: in there nothing is markup but the backtick. */
void bench_markdown_code(const char *text, FILE *to);

/* "23.5 GiB" */
#define BENCH_MARKDOWN_BYTES_MAX 32
char *bench_markdown_bytes(uint64_t bytes, char out[BENCH_MARKDOWN_BYTES_MAX]);

/* Of a limits table; null: no limit. `unit` "bytes" is shortened; it may be NULL. */
void bench_markdown_number(const json_t *value, const char *unit, enum bench_lang lang, FILE *to);
