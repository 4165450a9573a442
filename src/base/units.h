/* SPDX-License-Identifier: Apache-2.0
 * units.h - numbers, durations and sizes as people write them: "10s", "64KiB".
 *
 * Layer: base. Pure functions. Used by the configuration and by the command
 * line, so that both take the same words. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum units_result {
	UNITS_OK,
	UNITS_EMPTY,     /* no text */
	UNITS_MALFORMED, /* not a number, or something behind it */
	UNITS_NO_UNIT,   /* a number that needs a unit has none ("0" needs none) */
	UNITS_BAD_UNIT,  /* the unit is unknown */
	UNITS_FRACTION,  /* "1.5s", "0,5s" */
	UNITS_SEVERAL,   /* "1m30s": more than one number with a unit */
	UNITS_TOO_BIG,   /* does not fit 64 bits */
};

/* Each writes *out only on UNITS_OK. */

/* Decimal digits only: no sign, no space, no leading '+'. */
enum units_result units_parse_count(struct slice text, uint64_t *out_count);

/* A whole number with ms, s, m, h or d; into milliseconds. */
enum units_result units_parse_duration_ms(struct slice text, uint64_t *out_ms);

/* A whole number with B, KiB, MiB or GiB (binary) or kB, MB, GB (decimal). */
enum units_result units_parse_size(struct slice text, uint64_t *out_bytes);

/* From 0 to what fits, with at most six digits behind its point: "0.25"; into millionths. */
enum units_result units_parse_ratio(struct slice text, uint64_t *out_millionths);

/* One sentence fragment for a message, e.g. "has no unit (ms, s, m, h or d)".
 * `kind` is "count", "duration", "size" or "ratio". Static text. */
const char *units_explain(enum units_result result, const char *kind);

/* Write the shortest exact form ("10s", "1500ms", "64KiB") with a NUL; returns
 * `out`. 32 bytes are always enough. */
char *units_format_duration_ms(uint64_t ms, char *out, size_t size);
char *units_format_size(uint64_t bytes, char *out, size_t size);
char *units_format_ratio(uint64_t millionths, char *out, size_t size);

/* A count for people: "1,234,567". Returns `out`. */
#define UNITS_GROUPED_MAX 32
char *units_format_grouped(uint64_t count, char out[UNITS_GROUPED_MAX]);

/* "850 ns", "12.3 us", "4.56 ms", "1.23 s"; returns `out`. */
#define UNITS_NS_TEXT_MAX 32
char *units_format_ns(uint64_t ns, char out[UNITS_NS_TEXT_MAX]);
