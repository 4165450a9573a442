/* SPDX-License-Identifier: Apache-2.0
 * bench_files.h - the files that a load test leaves behind, --json, --html and --report, and
 * the earlier run that --compare names.
 *
 * Layer: bench. Main thread only. Zero-initialise; bench_files_close in any case. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "bench/report/bench_report.h"

struct bench_files {
	FILE *json, *html, *report; /* NULL: not asked for */
	json_t *before;             /* of --compare; NULL: none */
};

/* Before the test, so that its result is not lost to a wrong path. Returns 0, or a
 * negative errno with a sentence in `error`. */
int bench_files_open(struct bench_files *files, const struct bench_options *options, char *error,
		     size_t error_size);

/* Writes and closes all, each even if another fails. Results as above; of several errors the last
 * is told. */
int bench_files_write(struct bench_files *files, const struct bench_report *report, char *error,
		      size_t error_size);

void bench_files_close(struct bench_files *files);
