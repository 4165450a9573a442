/* SPDX-License-Identifier: Apache-2.0
 * bench_html_latency.c - the report's latencies: percentiles over time, and of the whole
 * (bench_html_parts.h). */
#include "bench/report/bench_html_parts.h"

#include <math.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/report/bench_html_figure.h"
#include "bench/report/bench_html_text.h"
#include "bench/report/bench_svg.h"

struct range {
	double min, max;
};

/* --- chart --- */

#define CURVE_POINTS 160

struct curve {
	const char *class;
	const char *name;
	const struct hist *hist;
};

static void curve_draw(const struct svg_plot *plot, const struct curve *curve)
{
	double x[CURVE_POINTS + 1], y[CURVE_POINTS + 1];

	for (size_t i = 0; i <= CURVE_POINTS; i++) {
		x[i] = plot->x.max * (double)i / CURVE_POINTS;
		y[i] = (double)hist_percentile(curve->hist, svg_axis_percent(&plot->x, x[i]));
	}
	svg_line(plot, curve->class, &(struct svg_points){x, y, CURVE_POINTS + 1});
}

static void curve_tips(const struct svg_plot *plot, const struct curve curves[2])
{
	char number[HTML_NUMBER_MAX];

	for (unsigned k = 0; k < HTML_TIPS_MAX; k++) {
		double from = plot->x.max * k / HTML_TIPS_MAX,
		       end = plot->x.max * (k + 1) / HTML_TIPS_MAX;
		double percent = svg_axis_percent(&plot->x, (from + end) / 2);

		svg_tip_begin(plot, from, end);
		if (percent < 100)
			html_printf(plot->to, "%.*f %%",
				    percent < 90   ? 0
				    : percent < 99 ? 1
						   : 3,
				    percent);
		else
			html_printf(plot->to, "maximum");
		for (size_t i = 0; i < 2; i++)
			if (curves[i].hist->count > 0)
				html_printf(plot->to, "\n%s %s", curves[i].name,
					    html_latency((double)hist_percentile(curves[i].hist,
										 percent),
							 number));
		svg_tip_end(plot);
	}
}

static struct range curves_range(const struct curve curves[2])
{
	struct range range = {INFINITY, 0};

	for (size_t i = 0; i < 2; i++) {
		if (curves[i].hist->count == 0)
			continue;
		range.min = fmin(range.min, (double)curves[i].hist->min);
		range.max = fmax(range.max, (double)curves[i].hist->max);
	}
	return range;
}

void html_chart_distribution(const struct bench_result *result, FILE *to)
{
	const struct curve curves[2] = {
		{"echo", result->is_receiver ? "push" : "echo", &result->echo},
		{"shake", "handshake", &result->handshake},
	};
	struct range range = curves_range(curves);
	struct svg_axis x = svg_axis_percentiles(MAX(result->echo.count, result->handshake.count));
	struct svg_axis y = svg_axis_latency(range.min, range.max);
	struct svg_plot plot = svg_plot(to, HTML_PLOT_TOP, HTML_PLOT_HEIGHT, &x, &y);
	char note[96];

	snprintf(note, sizeof(note), "by percentile, of the whole test%s", html_scale_words(&y));
	html_figure_begin("Latency distribution", note, to);
	html_legend_begin(to);
	for (size_t i = 0; i < 2; i++)
		if (curves[i].hist->count > 0)
			html_legend_add(curves[i].class, curves[i].name, to);
	html_legend_end(to);
	svg_begin(to, HTML_CHART_HEIGHT, "Latency by percentile",
		  "The table of percentiles below has the figures");
	svg_grid(&plot, true);
	for (size_t i = 0; i < 2; i++)
		if (curves[i].hist->count > 0)
			curve_draw(&plot, &curves[i]);
	curve_tips(&plot, curves);
	html_figure_end(to);
}

/* --- table --- */

static void hist_row(const char *name, const struct hist *hist, FILE *to)
{
	static const double percents[] = {50, 90, 99, 99.9, 99.99};
	char number[HTML_NUMBER_MAX];

	if (hist->count == 0)
		return;
	fprintf(to, "<tr><th scope=\"row\">%s</th><td>%s</td>", name,
		units_format_grouped(hist->count, number));
	fprintf(to, "<td>%s</td>", html_latency(hist_mean(hist), number));
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		fprintf(to, "<td>%s</td>",
			html_latency((double)hist_percentile(hist, percents[i]), number));
	fprintf(to, "<td>%s</td></tr>\n", html_latency((double)hist->max, number));
}

void html_percentiles(const struct bench_result *result, FILE *to)
{
	fputs("<div class=\"card scroll\" tabindex=\"0\" role=\"region\" "
	      "aria-label=\"Percentiles\">\n"
	      "<table class=\"numbers\"><thead><tr><th scope=\"col\">Latency</th>"
	      "<th scope=\"col\">Count</th><th scope=\"col\">Mean</th><th scope=\"col\">p50</th>"
	      "<th scope=\"col\">p90</th><th scope=\"col\">p99</th><th scope=\"col\">p99.9</th>"
	      "<th scope=\"col\">p99.99</th><th scope=\"col\">max</th></tr></thead>\n<tbody>\n",
	      to);
	hist_row("Handshake", &result->handshake, to);
	for (enum bench_step step = 0; step < BENCH_STEP_COUNT; step++)
		hist_row(bench_step_title(step), &result->steps[step], to);
	hist_row(bench_latency_name(result), &result->echo, to);
	fputs("</tbody></table></div>\n", to);
}
