/* SPDX-License-Identifier: Apache-2.0
 * bench_compare.h - --compare: an earlier run, read from what its --json wrote, set beside this
 * one.
 *
 * Layer: bench. Main thread only. */
#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#include "diag/report_words.h"
#include "bench/report/bench_report.h"

/* Reads the file whole. NULL with a sentence in `error`: it cannot be read, or is no result of a
 * test. The caller owns the reference. */
json_t *bench_compare_read(const char *path, char *error, size_t error_size);

/* A Markdown table of what changed, and one of limits that did. */
void bench_compare_write(const struct bench_report *report, const json_t *before,
			 enum report_lang lang, FILE *to);
