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
