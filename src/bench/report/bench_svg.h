/* SPDX-License-Identifier: Apache-2.0
 * bench_svg.h - line charts as inline SVG, styled by classes of the page.
 *
 * Layer: bench. Write errors stay in the stream (ferror). A chart is SVG_WIDTH units
 * wide whatever the screen; its size does not grow with the number of points beyond
 * what a screen can show. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "bench/report/bench_svg_axis.h"

#define SVG_WIDTH 560

/* Opens a chart; `title` and `description` are for those who cannot see it. */
void svg_begin(FILE *to, unsigned height, const char *title, const char *description);
void svg_end(FILE *to);

/* A rectangle with its axes; several of them may stand in a chart. */
struct svg_plot {
	FILE *to;
	double left, top, width, height;
	struct svg_axis x, y;
};

/* A plot over the whole width, with room for labels. */
struct svg_plot svg_plot(FILE *to, double top, double height, const struct svg_axis *x,
			 const struct svg_axis *y);

/* Lines and labels of the axes; those of x can be left to a plot below. */
void svg_grid(const struct svg_plot *plot, bool has_x_labels);

/* `y` may hold NAN where there is a gap; `x` rises. */
struct svg_points {
	const double *x, *y;
	size_t count;
};
void svg_line(const struct svg_plot *plot, const char *class, const struct svg_points *points);

/* Fills from the line down to the axis. */
void svg_area(const struct svg_plot *plot, const char *class, const struct svg_points *points);

/* A line across at `y`, with words on it; "" for none. */
void svg_level(const struct svg_plot *plot, const char *class, double y, const char *label);

/* Words above the upper left corner: what is plotted. */
void svg_caption(const struct svg_plot *plot, const char *words);

/* An upright strip that shows a text when pointed at; the text, escaped, is written
 * between the two calls. */
void svg_tip_begin(const struct svg_plot *plot, double x_from, double x_to);
void svg_tip_end(const struct svg_plot *plot);
