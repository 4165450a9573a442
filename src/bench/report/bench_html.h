/* SPDX-License-Identifier: Apache-2.0
 * bench_html.h - the outcome of a load test as one page for the browser.
 *
 * Layer: bench. Main thread only, after the test. The page needs nothing but itself:
 * no script, no font, no style, no picture from elsewhere. Whatever came from the
 * outside is escaped. */
#pragma once

#include <stdio.h>

#include "bench/report/bench_report.h"

/* Writes the page; 0 or a negative errno. */
int bench_report_write_html(const struct bench_report *report, FILE *to);
