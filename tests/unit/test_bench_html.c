/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "bench/report/bench_html.h"
#include "bench/report/bench_html_text.h"
#include "bench/report/bench_svg.h"

static const struct slice nothing;

/* --- text --- */

static char *escaped(const char *text, size_t max)
{
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);

	assert_non_null(to);
	html_escape_start(text, max, to);
	fclose(to);
	return out;
}

static void test_escape(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *in, *want;
	} rows[] = {
		{"plain", "GET /ws", "GET /ws"},
		{"element", "<script>x</script>", "&lt;script&gt;x&lt;/script&gt;"},
		{"both quotes", "a\"b'c", "a&quot;b&#39;c"},
		{"entity", "&lt;", "&amp;lt;"},
		{"good UTF-8", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
		 "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"control bytes", "a\x01\x1b[0m\x7f", "a\xef\xbf\xbd\xef\xbf\xbd[0m\xef\xbf\xbd"},
		{"white space", "a\tb\nc", "a\tb\nc"},
		{"C1 control", "\xc2\x9b", "\xef\xbf\xbd"},
		{"turns direction",
		 "\xe2\x80\xae"
		 "x\xe2\x81\xa6",
		 "\xef\xbf\xbdx\xef\xbf\xbd"},
		{"stray bytes", "\xff<\x80", "\xef\xbf\xbd&lt;\xef\xbf\xbd"},
		{"overlong <", "\xc0\xbc", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"cut character hides nothing", "\xe2\x82<", "\xef\xbf\xbd\xef\xbf\xbd&lt;"},
		{"cut at the end", "\xf0\x9f\x98", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *copy = strdup(rows[i].in); /* the sanitizer sees a read past the NUL */
		char *got = escaped(copy, SIZE_MAX);

		ASSERT_ROW(strcmp(got, rows[i].want) == 0, rows[i].name);
		free(got);
		free(copy);
	}
}

static void test_escape_cuts_between_characters(void **state)
{
	(void)state;
	char *got = escaped("ab\xe2\x82\xac"
			    "cd",
			    4);

	assert_string_equal(got, "ab...");
	free(got);
	got = escaped("abcd", 4);
	assert_string_equal(got, "abcd");
	free(got);
}

static void test_numbers(void **state)
{
	(void)state;
	char out[HTML_NUMBER_MAX];

	assert_string_equal(html_real(0.025, out), "0.025");
	assert_string_equal(html_real(2, out), "2");
	assert_string_equal(html_real(1639.4, out), "1,639");
	assert_string_equal(html_latency(850, out), "850 ns");
	assert_string_equal(html_latency(151000, out), "151 µs");
	assert_string_equal(html_latency(1.4e6, out), "1.40 ms");
	assert_string_equal(html_latency(12.34e9, out), "12.3 s");
	assert_string_equal(html_seconds(0, out), "0 s");
	assert_string_equal(html_seconds(0.61, out), "0.61 s");
	assert_string_equal(html_seconds(302, out), "5 min 2 s");
	assert_string_equal(html_seconds(7500, out), "2 h 5 min");
	assert_string_equal(html_size(64, out), "64 B");
	assert_string_equal(html_size(1536, out), "1.5 KiB");
	assert_string_equal(html_size(UINT64_C(24) << 30, out), "24 GiB");
}

/* --- axes --- */

static void assert_ticks(const struct svg_axis *axis, const char *const *labels, const char *name)
{
	unsigned count = 0;

	while (labels[count] != NULL)
		count++;
	ASSERT_ROW(axis->tick_count == count, name);
	for (unsigned i = 0; i < count; i++)
		ASSERT_ROW(strcmp(axis->ticks[i].label, labels[i]) == 0, axis->ticks[i].label);
}

static void test_ticks_stand_at_round_values(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct svg_axis (*make)(double max);
		double max;
		const char *labels[10];
	} rows[] = {
		{"a short test",
		 svg_axis_elapsed,
		 11.06,
		 {"0", "2 s", "4 s", "6 s", "8 s", "10 s"}},
		{"half a second",
		 svg_axis_elapsed,
		 0.5,
		 {"0", "0.1 s", "0.2 s", "0.3 s", "0.4 s", "0.5 s"}},
		{"minutes",
		 svg_axis_elapsed,
		 300,
		 {"0", "1 min", "2 min", "3 min", "4 min", "5 min"}},
		{"hours", svg_axis_elapsed, 40000, {"0", "2 h", "4 h", "6 h", "8 h", "10 h"}},
		{"no time", svg_axis_elapsed, 0, {"0", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"}},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct svg_axis axis = rows[i].make(rows[i].max);

		assert_ticks(&axis, rows[i].labels, rows[i].name);
	}
}

static void test_ticks_of_values(void **state)
{
	(void)state;
	static const char *const thousands[] = {"0", "1,000", "2,000", "3,000", NULL};
	static const char *const millions[] = {"0", "500,000", "1M", "1.5M", NULL};
	static const char *const fraction[] = {"0", "0.1", "0.2", "0.3", "0.4", NULL};
	static const char *const one[] = {"0", "1", NULL};
	struct svg_axis axis = svg_axis_values(3000, true);

	assert_ticks(&axis, thousands, "thousands");
	axis = svg_axis_values(1.2e6, true);
	assert_ticks(&axis, millions, "millions");
	axis = svg_axis_values(0.33, false);
	assert_ticks(&axis, fraction, "fraction");
	axis = svg_axis_values(0, true);
	assert_ticks(&axis, one, "nothing");
	axis = svg_axis_values(1, true);
	assert_ticks(&axis, one, "no half connections");
}

static void test_latency_scale_follows_the_range(void **state)
{
	(void)state;
	static const char *const linear[] = {"0",    "500 µs", "1 ms", "1.5 ms",
					     "2 ms", "2.5 ms", NULL};
	static const char *const fine[] = {"100 µs", "200 µs", "500 µs", "1 ms",
					   "2 ms",   "5 ms",   "10 ms",  NULL};
	static const char *const wide[] = {"10 µs",  "100 µs", "1 ms", "10 ms",
					   "100 ms", "1 s",    NULL};
	struct svg_axis axis = svg_axis_latency(1e6, 2.4e6);

	assert_false(axis.is_log);
	assert_ticks(&axis, linear, "linear");
	axis = svg_axis_latency(120e3, 7e6);
	assert_true(axis.is_log);
	assert_ticks(&axis, fine, "1, 2, 5");
	axis = svg_axis_latency(10e3, 1e9);
	assert_ticks(&axis, wide, "powers of ten");
	axis = svg_axis_latency(1, 17.6e12);
	assert_true(axis.is_log);
	axis = svg_axis_latency(1, 1.8e18); /* a stamp of 1970 */
	assert_int_equal(axis.tick_count, SVG_TICKS_MAX);
}

static void test_percentiles_go_as_far_as_the_count(void **state)
{
	(void)state;
	static const char *const few[] = {"50 %", "90 %", "max", NULL};
	static const char *const thousand[] = {"50 %", "90 %", "99 %", "99.9 %", "max", NULL};
	static const char *const many[] = {"50 %",    "90 %", "99 %", "99.9 %",
					   "99.99 %", "max",  NULL};
	struct svg_axis axis = svg_axis_percentiles(1);

	assert_ticks(&axis, few, "one value");
	axis = svg_axis_percentiles(1000);
	assert_ticks(&axis, thousand, "1000 values");
	axis = svg_axis_percentiles(UINT64_MAX);
	assert_ticks(&axis, many, "very many");
	assert_true(fabs(svg_axis_percent(&axis, 2) - 99) < 1e-6);
	assert_true(svg_axis_percent(&axis, axis.max) == 100);
}

static void test_nothing_lies_outside_the_plot(void **state)
{
	(void)state;
	struct svg_axis axis = svg_axis_values(10, true);

	assert_true(svg_axis_share(&axis, -5) == 0);
	assert_true(svg_axis_share(&axis, 5) == 0.5);
	assert_true(svg_axis_share(&axis, 50) == 1);
	axis = svg_axis_latency(1e3, 1e9);
	assert_true(svg_axis_share(&axis, 0) == 0);
}

/* --- lines --- */

static char *line_of(const double *x, const double *y, size_t count)
{
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);
	struct svg_axis x_axis = svg_axis_elapsed(100), y_axis = svg_axis_values(100, true);
	struct svg_plot plot = svg_plot(to, 0, 200, &x_axis, &y_axis);

	svg_line(&plot, "open", &(struct svg_points){x, y, count});
	fclose(to);
	return out;
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part))
		count++;
	return count;
}

static void test_a_gap_breaks_the_line(void **state)
{
	(void)state;
	static const double x[] = {0, 20, 40, 60, 80, 100};
	static const double y[] = {NAN, 1, NAN, NAN, 5, 6};
	char *path = line_of(x, y, ARRAY_LEN(x));

	assert_int_equal(count_of(path, "M"), 2);
	assert_null(strstr(path, "nan"));
	free(path);
	path = line_of(x, (const double[]){NAN, NAN}, 2);
	assert_string_equal(path, "");
	free(path);
}

static void test_crowded_points_keep_their_extremes(void **state)
{
	(void)state;
	static double x[10000], y[10000];

	for (size_t i = 0; i < ARRAY_LEN(x); i++) {
		x[i] = (double)i / 100;
		y[i] = 50;
	}
	y[5005] = 100;
	char *path = line_of(x, y, ARRAY_LEN(x));

	assert_non_null(strstr(path, " -100l")); /* half of the plot, in units, and down again */
	assert_true(strlen(path) < 4000);
	free(path);
}

/* --- page --- */

struct sample {
	struct bench_options options;
	struct bench_setup setup;
	struct bench_result result;
	struct bench_plateau plateau;
	struct bench_check checks[2];
	struct bench_report report;
};

static void sample_init(struct sample *sample)
{
	*sample = (struct sample){0};
	sample->options = (struct bench_options){
		.url_text = "ws://127.0.0.1:8080/ws/dev-{n}", .connections = 3000, .size = 64};
	sample->setup = (struct bench_setup){.options = &sample->options, .workers = 1};
	sample->result.wanted = 3000;
	sample->result.series.interval_s = 1;
	sample->report = (struct bench_report){
		.setup = &sample->setup,
		.result = &sample->result,
		.engine_reason = "asked for",
		.verdict = "FAIL: 0 of 3000 connected",
		.plateau = &sample->plateau,
		.server_note = "",
	};
}

/* The page of `sample`; the caller frees it. */
static char *page_of(const struct sample *sample)
{
	char *out = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&out, &len);

	assert_non_null(to);
	assert_int_equal(bench_report_write_html(&sample->report, to), 0);
	fclose(to);
	assert_int_equal(strlen(out), len);
	assert_non_null(strstr(out, "</html>\n"));
	const char *body = strstr(out, "</style>");

	assert_null(strstr(body, "nan"));
	assert_null(strstr(body, "inf"));
	return out;
}

static void assert_has(const char *page, const char *part)
{
	if (strstr(page, part) == NULL)
		fail_msg("the page lacks '%s'", part);
}

static struct sample *sample_create(void)
{
	struct sample *sample = malloc(sizeof(*sample)); /* holds histograms and a series */

	assert_non_null(sample);
	sample_init(sample);
	return sample;
}

static void test_page_without_any_data(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	char *page = page_of(sample);

	assert_has(page, "Failed</span>");
	assert_has(page, "<h1>0 of 3000 connected</h1>");
	assert_has(page, "No latency: nothing connected.");
	assert_has(page, "<p class=\"note\">None.</p>");
	assert_has(page, "Not known.");
	assert_null(strstr(page, "Plateau"));
	assert_null(strstr(page, "Expectations"));
	free(page);
	free(sample);
}

/* `count` points, a second apart, with as many connections as points so far. */
static void series_fill(struct bench_result *result, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		result->series.points[i] = (struct bench_point){
			.at_s = i + 1,
			.totals = {.started = i, .connected = i, .sent = 7 * i, .received = 7 * i},
			.echo = {7, 100000 + 317 * (i % 97), 250000, 900000,
				 4000000 + 99991 * (i % 89)},
			.handshake = {1, 1000000, 1000000, 1000000, 1000000},
			.cpu = 0.1 + (i % 13) / 10.0,
		};
	result->series.count = count;
	result->has_traffic = true;
	result->totals = result->series.points[count - 1].totals;
	for (unsigned i = 0; i < 100 * count; i++)
		hist_record(&result->echo, 100000 + 1000 * (uint64_t)i);
	hist_record(&result->handshake, 5000000);
}

static void test_page_of_a_series_of_one_point(void **state)
{
	(void)state;
	struct sample *sample = sample_create();

	series_fill(&sample->result, 1);
	sample->result.series.points[0].at_s = 0;
	char *page = page_of(sample);

	assert_has(page, "Echo latency over time");
	free(page);
	free(sample);
}

static void limits_fill(json_t *limits, const char *text)
{
	json_t *rows = json_array();

	for (int i = 0; i < 20; i++) {
		json_t *remedies = json_array();

		for (int k = 0; k < 6; k++)
			json_array_append_new(remedies, json_pack("{s:s, s:s}", "place", "systemd",
								  "text", text));
		json_array_append_new(
			rows,
			json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:s, s:s, s:s, s:o}",
				  "limit", i == 0 ? "max_connections" : text, "scope", "process",
				  "kind", "caps", "state", "known", "value", (json_int_t)1073741824,
				  "unit", "bytes", "used", (json_int_t)4096, "connections",
				  (json_int_t)123456, "cost", text, "source", text, "note", text,
				  "remedies", remedies));
	}
	json_object_set_new(limits, "limits", rows);
	json_object_set_new(limits, "binding", json_string("max_connections"));
	json_object_set_new(limits, "next", json_string("nofile"));
	json_object_set_new(limits, "connections", json_integer(123456));
}

static void test_page_stays_small(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	json_t *limits = json_object();

	series_fill(&sample->result, BENCH_SERIES_MAX);
	limits_fill(limits, "a text of the usual length, a sentence or a command");
	sample->report.tester_limits = sample->report.server_limits = limits;
	char *page = page_of(sample);

	assert_in_range(strlen(page), 20000, 200000);
	free(page);
	json_decref(limits);
	free(sample);
}

static void test_page_names_plateau_remedy_and_checks(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	json_t *limits = json_object();

	limits_fill(limits, "server.max_connections: 3000");
	series_fill(&sample->result, 1000);
	sample->report.server_limits = limits;
	sample->report.verdict = "FAIL: 999 of 3000 connected; plateau";
	sample->plateau = (struct bench_plateau){true, 1000, BENCH_YOURS, "max_connections",
						 "the server's max_connections is 1,000"};
	sample->checks[0] = (struct bench_check){"connected==100%", "33.3%", false};
	sample->checks[1] = (struct bench_check){"p99<50ms", "0.9 ms", true};
	sample->report.checks = sample->checks;
	sample->report.check_count = 2;
	char *page = page_of(sample);

	assert_has(page, "<h1>999 of 3000 connected</h1>");
	assert_has(page, "Plateau at 1,000 connections");
	assert_has(page, "<dt>Side</dt><dd>the server</dd>");
	assert_has(page, "<dt>Limit</dt><dd><code>max_connections</code>");
	assert_has(page, "plateau at 1,000: max_connections</text>");
	assert_has(page, "<p>How to raise it, as the server proposes:</p>");
	assert_has(page, "<code>p99&lt;50ms</code>");
	assert_has(page, "not met");
	assert_has(page, "<td class=\"n\">1 GiB</td>");
	assert_has(page, "max_connections <span class=\"binds\">binds</span>");
	free(page);
	json_decref(limits);
	free(sample);
}

static void test_failures_are_grouped_by_side(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	struct bench_causes *causes = &sample->result.causes;

	bench_causes_add(causes, BENCH_CAUSE_HTTP, 503, SLICE_LITERAL("max_connections"), nothing,
			 1001, 1.5);
	bench_causes_add(causes, BENCH_CAUSE_CONNECT, EMFILE, nothing, nothing, 2, 0.5);
	bench_causes_add(causes, BENCH_CAUSE_CONNECT_TIMEOUT, 0, nothing, nothing, 3, 2.5);
	char *page = page_of(sample);
	const char *mine = strstr(page, "rowgroup\" colspan=\"4\">Mine");
	const char *yours = strstr(page, "rowgroup\" colspan=\"4\">Yours");
	const char *between = strstr(page, "rowgroup\" colspan=\"4\">Between");

	assert_true(mine != NULL && mine < yours && yours < between);
	assert_has(mine, "EMFILE");
	assert_has(yours, "Gatehouse-Limit: max_connections");
	assert_has(between, "first was connection 3");
	assert_has(page, "<td>1.50 s</td>");
	free(page);
	free(sample);
}

static void test_load_shapes_are_shown(void **state)
{
	(void)state;
	struct sample *sample = sample_create();

	series_fill(&sample->result, 3);
	sample->options.batch = 2500;
	sample->options.batch_pause_ms = 500;
	sample->options.lifetime_ms = 90000;
	sample->options.slow_readers_percent = 12.5;
	sample->result.totals.retired = 1200;
	sample->result.totals.reopened = 1100;
	sample->result.totals.slow_closed = 7;
	bench_causes_add(&sample->result.slow_ends, BENCH_CAUSE_CLOSED, 1013,
			 SLICE_LITERAL("send queue full"), nothing, 5, 2.5);
	char *page = page_of(sample);

	assert_has(page, "<dd>of 2,500, 0.50 s between them</dd>");
	assert_has(page, "<dd>90 s on average, then reopened</dd>");
	assert_has(page, "<dd>12.5 %</dd>");
	assert_has(page, "<dt>Reopened</dt><dd>1,100<small>of 1,200 whose lifetime was over");
	assert_has(page, "<dt>Slow readers closed</dt><dd>7<small>");
	assert_has(page, "How slow readers were ended");
	assert_has(page, "closed with 1013 &quot;send queue full&quot;");
	free(page);
	free(sample);
}

/* --- hostile --- */

#define EVIL "</style><script>alert(1)</script>\"'><img src=x>\x01\xff&"

/* Whatever the outside says, no element and no attribute comes of it. */
static void assert_harmless(const char *page)
{
	assert_null(strstr(page, "<script"));
	assert_null(strstr(page, "<img"));
	assert_null(strchr(page, 0x01));
	assert_null(strchr(page, '\xff'));
	assert_null(strstr(page, "\"'>"));
	assert_int_equal(count_of(page, "</style>"), 1);
	assert_has(page, "&lt;script&gt;alert(1)");
}

static void test_hostile_texts_are_harmless(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	json_t *limits = json_object();
	struct bench_cause *cause = &sample->result.causes.rows[0];

	series_fill(&sample->result, 5);
	limits_fill(limits, "</script><script>alert(1)</script>\"'><img src=x>");
	sample->options.url_text = EVIL;
	sample->report.verdict = "FAIL: " EVIL "; " EVIL;
	sample->report.engine_reason = sample->report.server_note = EVIL;
	sample->plateau = (struct bench_plateau){true, 3, BENCH_MINE, EVIL, EVIL};
	snprintf(sample->checks[0].text, sizeof(sample->checks[0].text), "%s", EVIL);
	snprintf(sample->checks[0].seen, sizeof(sample->checks[0].seen), "%s", EVIL);
	sample->report.checks = sample->checks;
	sample->report.check_count = 1;
	*cause = (struct bench_cause){.kind = BENCH_CAUSE_CLOSED, .code = 4000, .count = 1};
	snprintf(cause->label, sizeof(cause->label), "%s", EVIL);
	snprintf(cause->example, sizeof(cause->example), "%s", EVIL);
	sample->result.causes.count = 1;
	sample->report.tester_limits = sample->report.server_limits = limits;
	char *page = page_of(sample);

	assert_harmless(page);
	free(page);
	json_decref(limits);
	free(sample);
}

static void test_any_json_of_the_server_gives_a_page(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"[]",
		"{\"limits\": 5}",
		"{\"limits\": [1, null, \"x\", [], {}]}",
		"{\"limits\": [{\"limit\": 7, \"value\": \"x\", \"used\": -1}]}",
		"{\"limits\": [{\"connections\": 1.5, \"unit\": [], \"remedies\": {\"a\": 1}}]}",
		"{\"limits\": [{\"remedies\": [1, {}, {\"place\": 1}]}]}",
		"{\"limits\": [{\"limit\": \"\"}], \"binding\": [], \"connections\": 1}",
		"{\"binding\": \"x\", \"connections\": -9223372036854775808, \"limits\": [{}]}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sample *sample = sample_create();
		json_t *limits = json_loads(rows[i], 0, NULL);

		ASSERT_ROW(limits != NULL, rows[i]);
		sample->report.server_limits = limits;
		sample->plateau = (struct bench_plateau){true, 3, BENCH_YOURS, "x", "x"};
		free(page_of(sample));
		json_decref(limits);
		free(sample);
	}
}

static void test_long_tables_of_the_server_are_cut(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	json_t *limits = json_object(), *rows = json_array();
	char *text = malloc(100001);

	memset(text, 'x', 100000);
	text[100000] = 0;
	for (int i = 0; i < 1000; i++)
		json_array_append_new(rows, json_pack("{s:s}", "note", text));
	json_object_set_new(limits, "limits", rows);
	sample->report.server_limits = limits;
	char *page = page_of(sample);

	assert_true(strlen(page) < 100000);
	assert_has(page, "936 more are left out.");
	free(page);
	free(text);
	json_decref(limits);
	free(sample);
}

/* --- errors --- */

static void test_a_full_disk_is_an_error(void **state)
{
	(void)state;
	struct sample *sample = sample_create();
	FILE *to = fopen("/dev/full", "we");

	assert_non_null(to);
	assert_int_equal(bench_report_write_html(&sample->report, to), -ENOSPC);
	fclose(to);
	free(sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_cuts_between_characters),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_ticks_stand_at_round_values),
		cmocka_unit_test(test_ticks_of_values),
		cmocka_unit_test(test_latency_scale_follows_the_range),
		cmocka_unit_test(test_percentiles_go_as_far_as_the_count),
		cmocka_unit_test(test_nothing_lies_outside_the_plot),
		cmocka_unit_test(test_a_gap_breaks_the_line),
		cmocka_unit_test(test_crowded_points_keep_their_extremes),
		cmocka_unit_test(test_page_without_any_data),
		cmocka_unit_test(test_page_of_a_series_of_one_point),
		cmocka_unit_test(test_page_stays_small),
		cmocka_unit_test(test_page_names_plateau_remedy_and_checks),
		cmocka_unit_test(test_failures_are_grouped_by_side),
		cmocka_unit_test(test_load_shapes_are_shown),
		cmocka_unit_test(test_hostile_texts_are_harmless),
		cmocka_unit_test(test_any_json_of_the_server_gives_a_page),
		cmocka_unit_test(test_long_tables_of_the_server_are_cut),
		cmocka_unit_test(test_a_full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
