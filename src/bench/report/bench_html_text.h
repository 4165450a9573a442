/* SPDX-License-Identifier: Apache-2.0
 * bench_html_text.h - text for HTML and SVG: escaped, and numbers as people read them.
 *
 * Layer: bench. Write errors stay in the stream (ferror). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Writes text of any origin as HTML text, or as the value of an attribute in quotes.
 * What is not valid UTF-8, control characters and those that turn the direction of
 * writing become U+FFFD. */
void html_escape(const char *text, FILE *to);

/* As html_escape, with at most `max` bytes of the text; "..." tells of the rest. */
void html_escape_start(const char *text, size_t max, FILE *to);

/* As printf, the whole of it escaped; cut at 1023 bytes. */
void html_printf(FILE *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for each of the following, which write a NUL and return `out`. For counts see
 * units_format_grouped. */
#define HTML_NUMBER_MAX 32

/* At most one decimal: "0.1", "12.5", "1,234"; rates below 0.1 with three. */
char *html_real(double value, char out[HTML_NUMBER_MAX]);

/* "850 ns", "12.3 µs", "4.56 ms", "1.23 s" */
char *html_latency(double ns, char out[HTML_NUMBER_MAX]);

/* "0.61 s", "12.5 s", "30 s", "5 min 2 s", "2 h 5 min" */
char *html_seconds(double seconds, char out[HTML_NUMBER_MAX]);

/* "512 B", "64 KiB", "1.5 GiB" */
char *html_size(uint64_t bytes, char out[HTML_NUMBER_MAX]);
