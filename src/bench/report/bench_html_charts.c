/* SPDX-License-Identifier: Apache-2.0
 * bench_html_charts.c - the charts of the report: connections, rate, traffic, over time
 * (bench_html_parts.h). */
#include "bench/report/bench_html_parts.h"

#include <math.h>

#include "base/check.h"
#include "base/units.h"
#include "bench/report/bench_html_figure.h"
#include "bench/report/bench_html_text.h"
#include "bench/report/bench_svg.h"

/* Two plots in a chart, one above the other. */
#define HALF_HEIGHT    102
#define HALF_TOP_FIRST (HTML_PLOT_TOP + 6)
#define HALF_TOP       (HTML_PLOT_TOP + HTML_PLOT_HEIGHT - HALF_HEIGHT)

/* --- the series, as lines --- */

/* The points of the series behind an origin where all is 0. */
#define TIMELINE_MAX (BENCH_SERIES_MAX + 1)

static double seconds_at(const struct bench_series *series, unsigned i)
{
	return i == 0 ? 0 : series->points[i - 1].at_s;
}

static double timeline_end(const struct bench_series *series)
{
	return seconds_at(series, series->count);
}

/* The value of a line at point `i` (1 is the first of the series); NAN: none. */
typedef double (*value_fn)(const struct bench_series *series, unsigned i);

static double open_at(const struct bench_series *series, unsigned i)
{
	return i == 0 ? 0 : (double)bench_totals_open(&series->points[i - 1].totals);
}

static double failed_at(const struct bench_series *series, unsigned i)
{
	return i == 0 ? 0 : (double)series->points[i - 1].totals.failed;
}

/* What is told of an interval holds from its beginning: the first from the origin. */
static unsigned interval_of(const struct bench_series *series, unsigned i)
{
	return i == 0 && series->count > 0 ? 1 : i;
}

/* The last interval may be too short to tell a rate. */
static bool has_rate(const struct bench_series *series, unsigned i)
{
	double seconds = i == 0 ? 0 : seconds_at(series, i) - seconds_at(series, i - 1);

	return seconds > 0 && (seconds >= series->interval_s / 2 || series->count == 1);
}

#define RATE_AT(name)                                                               \
	static double name##_rate_at(const struct bench_series *series, unsigned i) \
	{                                                                           \
		i = interval_of(series, i);                                         \
		if (!has_rate(series, i))                                           \
			return NAN;                                                 \
		uint64_t before = i == 1 ? 0 : series->points[i - 2].totals.name;   \
                                                                                    \
		return (double)(series->points[i - 1].totals.name - before) /       \
		       (seconds_at(series, i) - seconds_at(series, i - 1));         \
	}
RATE_AT(sent)
RATE_AT(received)

static double cpu_at(const struct bench_series *series, unsigned i)
{
	i = interval_of(series, i);
	return has_rate(series, i) ? series->points[i - 1].cpu : NAN;
}

#define QUANTILE_AT(which, name)                                                         \
	static double which##_##name##_at(const struct bench_series *series, unsigned i) \
	{                                                                                \
		i = interval_of(series, i);                                              \
		if (i == 0 || series->points[i - 1].which.count == 0)                    \
			return NAN;                                                      \
		return (double)series->points[i - 1].which.name##_ns;                    \
	}
#define QUANTILES_AT(which)     \
	QUANTILE_AT(which, p50) \
	QUANTILE_AT(which, p90) \
	QUANTILE_AT(which, p99) \
	QUANTILE_AT(which, max)
QUANTILES_AT(echo)
QUANTILES_AT(handshake)

struct line {
	const char *class;
	const char *name; /* in the legend */
	value_fn value;
};

struct range {
	double min, max;
};

static struct range lines_range(const struct bench_series *series, const struct line *lines,
				size_t count)
{
	struct range range = {INFINITY, 0};

	for (size_t l = 0; l < count; l++)
		for (unsigned i = 1; i <= series->count; i++) {
			double value = lines[l].value(series, i);

			range.min = fmin(range.min, value);
			range.max = fmax(range.max, value);
		}
	return range;
}

static void line_draw(const struct svg_plot *plot, const struct bench_series *series,
		      const struct line *line, bool is_filled)
{
	double x[TIMELINE_MAX], y[TIMELINE_MAX];
	struct svg_points points = {x, y, series->count + 1};

	for (unsigned i = 0; i <= series->count; i++) {
		x[i] = seconds_at(series, i);
		y[i] = line->value(series, i);
	}
	if (is_filled)
		svg_area(plot, line->class, &points);
	svg_line(plot, line->class, &points);
}

/* --- parts of every chart --- */

static void lines_legend(const struct line *lines, size_t count, FILE *to)
{
	html_legend_begin(to);
	for (size_t i = 0; i < count; i++)
		html_legend_add(lines[i].class, lines[i].name, to);
	html_legend_end(to);
}

/* --- strips to point at --- */

/* Writes what is to be told about point `i`. */
typedef void (*tell_fn)(const struct bench_series *series, unsigned i, FILE *to);

static void tips(const struct svg_plot *plot, const struct bench_series *series, tell_fn tell)
{
	unsigned count = MIN(series->count, HTML_TIPS_MAX);
	char time[HTML_NUMBER_MAX];

	for (unsigned k = 0; k < count; k++) {
		unsigned before = k * series->count / count;
		unsigned last = (k + 1) * series->count / count;

		svg_tip_begin(plot, seconds_at(series, before), seconds_at(series, last));
		html_printf(plot->to, "at %s", html_seconds(seconds_at(series, last), time));
		tell(series, last, plot->to);
		svg_tip_end(plot);
	}
}

static void tell_connections(const struct bench_series *series, unsigned i, FILE *to)
{
	const struct bench_totals *totals = &series->points[i - 1].totals;
	char open[HTML_NUMBER_MAX], failed[HTML_NUMBER_MAX], dropped[HTML_NUMBER_MAX];

	html_printf(to, "\n%s open\n%s failed\n%s dropped",
		    units_format_grouped(bench_totals_open(totals), open),
		    units_format_grouped(totals->failed, failed),
		    units_format_grouped(totals->dropped, dropped));
}

static void tell_quantiles(const struct bench_quantiles *quantiles, FILE *to)
{
	char p50[HTML_NUMBER_MAX], p90[HTML_NUMBER_MAX], p99[HTML_NUMBER_MAX], max[HTML_NUMBER_MAX];

	if (quantiles->count == 0) {
		fputs("\nnone", to);
		return;
	}
	html_printf(to, "\np50 %s\np90 %s\np99 %s\nmax %s",
		    html_latency((double)quantiles->p50_ns, p50),
		    html_latency((double)quantiles->p90_ns, p90),
		    html_latency((double)quantiles->p99_ns, p99),
		    html_latency((double)quantiles->max_ns, max));
}

static void tell_echo(const struct bench_series *series, unsigned i, FILE *to)
{
	tell_quantiles(&series->points[i - 1].echo, to);
}

static void tell_handshake(const struct bench_series *series, unsigned i, FILE *to)
{
	tell_quantiles(&series->points[i - 1].handshake, to);
}

static void tell_rates(const struct bench_series *series, unsigned i, FILE *to)
{
	if (!has_rate(series, i))
		return;
	char sent[HTML_NUMBER_MAX], received[HTML_NUMBER_MAX];

	html_printf(to, "\n%s messages/s sent\n%s messages/s received",
		    html_real(sent_rate_at(series, i), sent),
		    html_real(received_rate_at(series, i), received));
}

static void tell_cpu(const struct bench_series *series, unsigned i, FILE *to)
{
	if (!has_rate(series, i))
		return;
	char cpu[HTML_NUMBER_MAX];

	html_printf(to, "\n%s CPUs in use", html_real(cpu_at(series, i), cpu));
}

/* --- connections over time --- */

static const struct line connection_lines[] = {
	{"open", "open", open_at},
	{"failed", "failed", failed_at},
};

static void connections_describe(const struct bench_report *report, char *out, size_t size)
{
	const struct bench_result *result = report->result;
	char wanted[HTML_NUMBER_MAX], connected[HTML_NUMBER_MAX], failed[HTML_NUMBER_MAX];

	snprintf(out, size, "%s connections wanted, %s connected, %s failed. %s",
		 units_format_grouped(result->wanted, wanted),
		 units_format_grouped(result->totals.connected, connected),
		 units_format_grouped(result->totals.failed, failed),
		 report->plateau != NULL && report->plateau->is_found ? report->plateau->text : "");
}

static void plateau_mark(const struct svg_plot *plot, const struct bench_plateau *plateau)
{
	char at[HTML_NUMBER_MAX], label[80];

	snprintf(label, sizeof(label), "plateau at %s%s%.40s",
		 units_format_grouped(plateau->at, at), plateau->limit[0] == 0 ? "" : ": ",
		 plateau->limit);
	svg_level(plot, "plateau", (double)plateau->at, label);
}

static void chart_connections(const struct bench_report *report, FILE *to)
{
	const struct bench_series *series = &report->result->series;
	bool has_plateau = report->plateau != NULL && report->plateau->is_found;
	struct range range = lines_range(series, connection_lines, ARRAY_LEN(connection_lines));
	struct svg_axis x = svg_axis_elapsed(timeline_end(series));
	struct svg_axis y = svg_axis_values(fmax(range.max, (double)report->result->wanted), true);
	struct svg_plot plot = svg_plot(to, HTML_PLOT_TOP, HTML_PLOT_HEIGHT, &x, &y);
	char description[1024];

	html_figure_begin("Connections", "over time since the start", to);
	html_legend_begin(to);
	for (size_t i = 0; i < ARRAY_LEN(connection_lines); i++)
		html_legend_add(connection_lines[i].class, connection_lines[i].name, to);
	html_legend_add("wanted", "wanted", to);
	if (has_plateau)
		html_legend_add("plateau", "plateau", to);
	html_legend_end(to);
	connections_describe(report, description, sizeof(description));
	svg_begin(to, HTML_CHART_HEIGHT, "Connections over time", description);
	svg_grid(&plot, true);
	svg_level(&plot, "wanted", (double)report->result->wanted, "");
	line_draw(&plot, series, &connection_lines[0], true);
	line_draw(&plot, series, &connection_lines[1], false);
	if (has_plateau)
		plateau_mark(&plot, report->plateau);
	tips(&plot, series, tell_connections);
	html_figure_end(to);
}

/* --- latency over time --- */

static const struct line echo_lines[] = {
	{"max", "max", echo_max_at},
	{"p99", "p99", echo_p99_at},
	{"p90", "p90", echo_p90_at},
	{"p50", "p50", echo_p50_at},
};

static const struct line handshake_lines[] = {
	{"max", "max", handshake_max_at},
	{"p99", "p99", handshake_p99_at},
	{"p90", "p90", handshake_p90_at},
	{"p50", "p50", handshake_p50_at},
};

static void latency_over_time(const struct bench_series *series, const char *what,
			      const struct line lines[4], tell_fn tell, FILE *to)
{
	struct range range = lines_range(series, lines, 4);
	struct svg_axis x = svg_axis_elapsed(timeline_end(series));
	struct svg_axis y = svg_axis_latency(range.min, range.max);
	struct svg_plot plot = svg_plot(to, HTML_PLOT_TOP, HTML_PLOT_HEIGHT, &x, &y);
	char title[64], note[96], description[128], min[HTML_NUMBER_MAX], max[HTML_NUMBER_MAX];

	snprintf(title, sizeof(title), "%s latency over time", what);
	snprintf(note, sizeof(note), "percentiles of each interval%s", html_scale_words(&y));
	snprintf(description, sizeof(description),
		 "50th, 90th and 99th percentile and maximum, from %s to %s",
		 html_latency(range.min, min), html_latency(range.max, max));
	html_figure_begin(title, note, to);
	lines_legend(lines, 4, to);
	svg_begin(to, HTML_CHART_HEIGHT, title, description);
	svg_grid(&plot, true);
	for (size_t i = 0; i < 4; i++)
		line_draw(&plot, series, &lines[i], false);
	tips(&plot, series, tell);
	html_figure_end(to);
}

static bool has_any(const struct bench_series *series, value_fn value)
{
	for (unsigned i = 1; i <= series->count; i++)
		if (!isnan(value(series, i)))
			return true;
	return false;
}

/* Messages; without any, handshakes are all there is to see. */
static void chart_latency(const struct bench_result *result, FILE *to)
{
	const struct bench_series *series = &result->series;

	if (has_any(series, echo_max_at))
		latency_over_time(series, bench_latency_name(result), echo_lines, tell_echo, to);
	else if (has_any(series, handshake_max_at))
		latency_over_time(series, "Handshake", handshake_lines, tell_handshake, to);
}

/* --- messages and CPU --- */

static const struct line rate_lines[] = {
	{"echo", "messages received", received_rate_at},
	{"sent", "messages sent", sent_rate_at},
};

static const struct line cpu_line = {"cpu", "the tester's CPU", cpu_at};

static void rates_draw(const struct bench_series *series, const struct svg_axis *x, FILE *to)
{
	struct range range = lines_range(series, rate_lines, ARRAY_LEN(rate_lines));
	struct svg_axis y = svg_axis_values(range.max, false);
	struct svg_plot plot = svg_plot(to, HALF_TOP_FIRST, HALF_HEIGHT, x, &y);

	svg_grid(&plot, false);
	for (size_t i = 0; i < ARRAY_LEN(rate_lines); i++)
		line_draw(&plot, series, &rate_lines[i], false);
	svg_caption(&plot, "per second");
	tips(&plot, series, tell_rates);
}

/* With messages the upper half shows their rate. */
static void chart_load(const struct bench_result *result, FILE *to)
{
	const struct bench_series *series = &result->series;
	bool has_rates = result->totals.sent > 0 || result->totals.received > 0;
	struct range range = lines_range(series, &cpu_line, 1);
	struct svg_axis x = svg_axis_elapsed(timeline_end(series));
	struct svg_axis y = svg_axis_values(range.max, false);
	struct svg_plot plot = svg_plot(to, has_rates ? HALF_TOP : HTML_PLOT_TOP,
					has_rates ? HALF_HEIGHT : HTML_PLOT_HEIGHT, &x, &y);

	html_figure_begin(has_rates ? "Messages and the tester's CPU" : "The tester's CPU",
			  "over time since the start", to);
	html_legend_begin(to);
	for (size_t i = 0; has_rates && i < ARRAY_LEN(rate_lines); i++)
		html_legend_add(rate_lines[i].class, rate_lines[i].name, to);
	html_legend_add(cpu_line.class, cpu_line.name, to);
	html_legend_end(to);
	svg_begin(to, HTML_CHART_HEIGHT, has_rates ? "Message rate and CPU use" : "CPU use",
		  "One CPU in use is 1; a tester without CPU to spare shows its own speed");
	if (has_rates)
		rates_draw(series, &x, to);
	svg_grid(&plot, true);
	line_draw(&plot, series, &cpu_line, true);
	svg_caption(&plot, "CPUs in use");
	tips(&plot, series, tell_cpu);
	html_figure_end(to);
}

void html_charts(const struct bench_report *report, FILE *to)
{
	const struct bench_result *result = report->result;
	bool has_latency = result->handshake.count > 0 || result->echo.count > 0;

	fputs("<section>\n<h2>Over time</h2>\n<div class=\"charts\">\n", to);
	chart_connections(report, to);
	chart_latency(result, to);
	if (has_latency)
		html_chart_distribution(result, to);
	chart_load(result, to);
	fputs("</div>\n", to);
	if (has_latency)
		html_percentiles(result, to);
	else
		fputs("<p class=\"note\">No latency: nothing connected.</p>\n", to);
	fputs("</section>\n", to);
}
