/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_svg.h"

#include <math.h>

#include "bench/report/bench_html_text.h"

/* Room for labels around a plot [units]; small screens show them larger. */
#define ROOM_LEFT  82
#define ROOM_RIGHT 26

/* Points nearer to each other than this are drawn as one stroke [units]. */
#define COLUMN 2.0

void svg_begin(FILE *to, unsigned height, const char *title, const char *description)
{
	fprintf(to, "<svg class=\"chart\" viewBox=\"0 0 %d %u\" role=\"img\" aria-label=\"",
		SVG_WIDTH, height);
	html_escape(title, to);
	fputs("\">\n<title>", to);
	html_escape(title, to);
	fputs("</title>\n<desc>", to);
	html_escape(description, to);
	fputs("</desc>\n", to);
}

void svg_end(FILE *to)
{
	fputs("</svg>\n", to);
}

struct svg_plot svg_plot(FILE *to, double top, double height, const struct svg_axis *x,
			 const struct svg_axis *y)
{
	return (struct svg_plot){
		.to = to,
		.left = ROOM_LEFT,
		.top = top,
		.width = SVG_WIDTH - ROOM_LEFT - ROOM_RIGHT,
		.height = height,
		.x = *x,
		.y = *y,
	};
}

static double x_of(const struct svg_plot *plot, double value)
{
	return plot->left + plot->width * svg_axis_share(&plot->x, value);
}

static double y_of(const struct svg_plot *plot, double value)
{
	return plot->top + plot->height * (1 - svg_axis_share(&plot->y, value));
}

/* --- axes --- */

static void text(const struct svg_plot *plot, const char *class, double x, double y,
		 const char *label)
{
	fprintf(plot->to, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	html_escape(label, plot->to);
	fputs("</text>\n", plot->to);
}

static void x_ticks(const struct svg_plot *plot, bool has_labels)
{
	double bottom = plot->top + plot->height;

	for (unsigned i = 0; i < plot->x.tick_count; i++) {
		const struct svg_tick *tick = &plot->x.ticks[i];
		double x = x_of(plot, tick->at);

		fprintf(plot->to, "<path class=\"g\" d=\"M%.1f %.1fv%.1f\"/>\n", x, plot->top,
			plot->height + 4);
		if (has_labels)
			text(plot, "tx", x, bottom + 20, tick->label);
	}
}

void svg_grid(const struct svg_plot *plot, bool has_x_labels)
{
	x_ticks(plot, has_x_labels);
	for (unsigned i = 0; i < plot->y.tick_count; i++) {
		const struct svg_tick *tick = &plot->y.ticks[i];
		double y = y_of(plot, tick->at);

		fprintf(plot->to, "<path class=\"g\" d=\"M%.1f %.1fh%.1f\"/>\n", plot->left, y,
			plot->width);
		text(plot, "ty", plot->left - 8, y, tick->label);
	}
	fprintf(plot->to, "<path class=\"axis\" d=\"M%.1f %.1fh%.1f\"/>\n", plot->left,
		plot->top + plot->height, plot->width);
}

/* --- lines --- */

/* Coordinates of a path are written relative to the last, in tenths of a unit. */
struct path {
	FILE *to;
	long x, y;
	bool is_down;
};

static void path_to(struct path *path, double x, double y)
{
	long to_x = lround(x * 10);
	long to_y = lround(y * 10);

	/* "h0" makes a point without neighbours visible. */
	if (!path->is_down)
		fprintf(path->to, "M%.6g %.6gh0", (double)to_x / 10, (double)to_y / 10);
	else if (to_x != path->x || to_y != path->y)
		fprintf(path->to, "l%.6g %.6g", (double)(to_x - path->x) / 10,
			(double)(to_y - path->y) / 10);
	path->x = to_x;
	path->y = to_y;
	path->is_down = true;
}

/* The end of the points from `i` on that fall into one column without a gap. */
static size_t column_end(const struct svg_plot *plot, const struct svg_points *points, size_t i)
{
	double column = floor(x_of(plot, points->x[i]) / COLUMN);

	while (i < points->count && !isnan(points->y[i]) &&
	       floor(x_of(plot, points->x[i]) / COLUMN) == column)
		i++;
	return i;
}

/* Of many points in one column only the least and the greatest can be seen. */
static void column_draw(const struct svg_plot *plot, const struct svg_points *points, size_t from,
			size_t end, struct path *path)
{
	size_t low = from, high = from;

	for (size_t i = from; i < end; i++) {
		if (points->y[i] < points->y[low])
			low = i;
		if (points->y[i] > points->y[high])
			high = i;
	}
	size_t first = low < high ? low : high;
	size_t second = low < high ? high : low;

	path_to(path, x_of(plot, points->x[first]), y_of(plot, points->y[first]));
	path_to(path, x_of(plot, points->x[second]), y_of(plot, points->y[second]));
}

/* Draws from `i` on until a gap or the end; returns where that is. */
static size_t run_draw(const struct svg_plot *plot, const struct svg_points *points, size_t i,
		       struct path *path)
{
	path->is_down = false;
	while (i < points->count && !isnan(points->y[i])) {
		size_t end = column_end(plot, points, i);

		column_draw(plot, points, i, end, path);
		i = end;
	}
	return i;
}

static size_t gap_skip(const struct svg_points *points, size_t i)
{
	while (i < points->count && isnan(points->y[i]))
		i++;
	return i;
}

void svg_line(const struct svg_plot *plot, const char *class, const struct svg_points *points)
{
	struct path path = {.to = plot->to};
	size_t i = gap_skip(points, 0);

	if (i == points->count)
		return;
	fprintf(plot->to, "<path class=\"l %s\" d=\"", class);
	while (i < points->count)
		i = gap_skip(points, run_draw(plot, points, i, &path));
	fputs("\"/>\n", plot->to);
}

void svg_area(const struct svg_plot *plot, const char *class, const struct svg_points *points)
{
	struct path path = {.to = plot->to};
	double bottom = plot->top + plot->height;
	size_t i = gap_skip(points, 0);

	if (i == points->count)
		return;
	fprintf(plot->to, "<path class=\"a %s\" d=\"", class);
	while (i < points->count) {
		double left = x_of(plot, points->x[i]);

		i = run_draw(plot, points, i, &path);
		fprintf(plot->to, "V%.6gH%.6gz", bottom, left);
		i = gap_skip(points, i);
	}
	fputs("\"/>\n", plot->to);
}

/* --- marks --- */

void svg_caption(const struct svg_plot *plot, const char *words)
{
	text(plot, "cap", plot->left, plot->top - 6, words);
}

/* The words stand above the line, or under it where there is no room. */
void svg_level(const struct svg_plot *plot, const char *class, double y, const char *label)
{
	double at = y_of(plot, y);
	bool has_room = at - plot->top > 26;

	fprintf(plot->to, "<path class=\"l %s\" d=\"M%.1f %.1fh%.1f\"/>\n", class, plot->left, at,
		plot->width);
	if (label[0] != 0)
		text(plot, "mark", plot->left + plot->width - 4, has_room ? at - 7 : at + 19,
		     label);
}

void svg_tip_begin(const struct svg_plot *plot, double x_from, double x_to)
{
	double left = x_of(plot, x_from);

	fprintf(plot->to,
		"<rect class=\"tip\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>",
		left, plot->top, x_of(plot, x_to) - left, plot->height);
}

void svg_tip_end(const struct svg_plot *plot)
{
	fputs("</title></rect>\n", plot->to);
}
