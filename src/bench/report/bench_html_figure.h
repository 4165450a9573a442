/* SPDX-License-Identifier: Apache-2.0
 * bench_html_figure.h - what all charts of the page have around them.
 *
 * Layer: bench, private to bench_html*.c. Texts are ours: they are not escaped. */
#pragma once

#include <stdio.h>

#include "bench/report/bench_svg_axis.h"

/* [units of bench_svg.h] */
#define HTML_CHART_HEIGHT 300
#define HTML_PLOT_TOP     16
#define HTML_PLOT_HEIGHT  246

/* Strips to point at, per plot. */
#define HTML_TIPS_MAX 64

/* Then the legend, then svg_begin and what is to be drawn. */
void html_figure_begin(const char *title, const char *note, FILE *to);

/* Closes the chart too. */
void html_figure_end(FILE *to);

void html_legend_begin(FILE *to);
void html_legend_add(const char *class, const char *name, FILE *to);
void html_legend_end(FILE *to);

/* ", logarithmic" or "" */
const char *html_scale_words(const struct svg_axis *axis);
