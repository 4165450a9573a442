/* SPDX-License-Identifier: Apache-2.0
 * config_report.h - the mistakes found in a configuration, one line each.
 *
 * Layer: config. Zero-initialise; config_report_finish frees. Not thread-safe. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/slice.h"

/* Longer lines are cut. */
#define CONFIG_REPORT_LINE_MAX 2048

/* Later mistakes are counted only. */
#define CONFIG_REPORT_LINES 100

struct config_report {
	struct buf text; /* whole lines, each with its '\n' */
	size_t count;    /* of all mistakes, also of those not in `text` */
	size_t of_flags; /* of `count`, those that only flags can have caused */
	size_t shown;    /* lines in `text` */
};

void config_report_add(struct config_report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The lines, and how many more there were. */
void config_report_print(const struct config_report *report, FILE *to);

void config_report_finish(struct config_report *report);

/* Enough for CONFIG_QUOTE_BYTES of a value, each escaped. */
#define CONFIG_QUOTE_BYTES 60
#define CONFIG_QUOTE_MAX   (4 * CONFIG_QUOTE_BYTES + 8)

/* A value as a message shows it: in quotes unless it is one plain word, cut with
 * "..." after CONFIG_QUOTE_BYTES, bytes that could upset a terminal as \xNN.
 * Writes at most CONFIG_QUOTE_MAX bytes with the NUL; returns `out`. */
char *config_quote(struct slice value, char out[CONFIG_QUOTE_MAX]);
