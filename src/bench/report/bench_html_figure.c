/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_html_figure.h"

#include "bench/report/bench_svg.h"

void html_figure_begin(const char *title, const char *note, FILE *to)
{
	fprintf(to, "<figure class=\"card\">\n<figcaption><h3>%s</h3><p>%s</p></figcaption>\n",
		title, note);
}

void html_legend_begin(FILE *to)
{
	fputs("<ul class=\"legend\">\n", to);
}

void html_legend_add(const char *class, const char *name, FILE *to)
{
	fprintf(to,
		"<li><svg class=\"key\" viewBox=\"0 0 30 10\" aria-hidden=\"true\">"
		"<path class=\"l %s\" d=\"M2 5h26\"/></svg>%s</li>\n",
		class, name);
}

void html_legend_end(FILE *to)
{
	fputs("</ul>\n", to);
}

void html_figure_end(FILE *to)
{
	svg_end(to);
	fputs("</figure>\n", to);
}

const char *html_scale_words(const struct svg_axis *axis)
{
	return axis->is_log ? ", logarithmic" : "";
}
