/* SPDX-License-Identifier: Apache-2.0
 * metrics_text.h - samples in the Prometheus text format, version 0.0.4.
 *
 * Layer: base. What does not fit on the page is left out; a test sees to it that all does. */
#pragma once

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/durations.h"

#define METRICS_PAGE_MAX 4194304 /* [bytes] */

#define PRINT(out, ...) buf_printf(out, METRICS_PAGE_MAX, __VA_ARGS__)

/* What stands before the samples of one name; the help has its dot. */
void metrics_print_head(struct buf *out, const char *name, const char *kind, const char *help);

/* A name whose samples are the same number of one struct or several. */
struct metrics_number {
	const char *name, *kind, *help;
	size_t place; /* offsetof, a uint64_t; see counter.h */
};

void metrics_print_number_head(struct buf *out, const struct metrics_number *number);

/* The sample of one struct; the label says whose. */
void metrics_print_number(struct buf *out, const struct metrics_number *number, const char *label,
			  const char *value, const void *of);

/* Heads and samples of a struct that there is only one of. */
void metrics_print_numbers(struct buf *out, const struct metrics_number *numbers, size_t count,
			   const void *of);

/* Their rows of the reference. */
void metrics_print_number_rows(FILE *to, const struct metrics_number *numbers, size_t count);

/* The samples of a histogram; `labels` as in 'backend="a"', or empty. */
void metrics_print_durations(struct buf *out, const char *name, const char *labels,
			     const struct durations *durations, const uint64_t *edges_us);
