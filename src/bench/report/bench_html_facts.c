/* SPDX-License-Identifier: Apache-2.0
 * bench_html_facts.c - the report's facts about the run: what was asked for, and of whom
 * (bench_html_parts.h). */
#include "bench/report/bench_html_parts.h"

#include <stdarg.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "bench/report/bench_html_text.h"
#include "bench/load/bench_scenario.h"

__attribute__((format(printf, 3, 4))) static void fact(FILE *to, const char *name,
						       const char *format, ...)
{
	char value[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	fprintf(to, "<div><dt>%s</dt><dd>", name);
	html_escape(value, to);
	fputs("</dd></div>\n", to);
}

static void asked_messages(const struct bench_options *options, FILE *to)
{
	char number[HTML_NUMBER_MAX], size[HTML_NUMBER_MAX], time[HTML_NUMBER_MAX];

	if (!bench_options_has_traffic(options)) {
		fact(to, "Messages",
		     options->is_receiver ? "none sent; those of services received" : "none");
		return;
	}
	html_size(options->size, size);
	html_seconds((double)bench_options_traffic_ms(options) / 1000, time);
	if (options->depth > 0)
		fact(to, "Messages", "%s in flight per connection, %s %s, for %s",
		     units_format_grouped(options->depth, number), size,
		     options->is_binary ? "binary" : "text", time);
	else
		fact(to, "Messages", "%s/s per connection, %s %s, for %s",
		     html_real(options->message_rate, number), size,
		     options->is_binary ? "binary" : "text", time);
}

/* How the connections come, stay and go. */
static void asked_shape(const struct bench_options *options, FILE *to)
{
	char number[HTML_NUMBER_MAX], time[HTML_NUMBER_MAX];

	if (options->connect_rate > 0)
		fact(to, "Connect rate", "%s/s", html_real(options->connect_rate, number));
	else
		fact(to, "Connect rate", "as fast as the other side answers");
	if (options->batch > 0)
		fact(to, "Batches", "of %s, %s between them",
		     units_format_grouped(options->batch, number),
		     html_seconds((double)options->batch_pause_ms / 1000, time));
	if (options->in_flight > 0)
		fact(to, "In flight", "%s handshakes at most",
		     units_format_grouped(options->in_flight, number));
	fact(to, "Hold", "%s", html_seconds((double)bench_options_hold_ms(options) / 1000, time));
	if (options->lifetime_ms > 0)
		fact(to, "Lifetime", "%s on average, then reopened",
		     html_seconds((double)options->lifetime_ms / 1000, time));
	if (options->cut_after_ms > 0)
		fact(to, "Cut", "all at once after %s, to come back",
		     html_seconds((double)options->cut_after_ms / 1000, time));
	if (options->slow_readers_percent > 0)
		fact(to, "Slow readers", "%s %%", html_real(options->slow_readers_percent, number));
}

static void asked(const struct bench_options *options, FILE *to)
{
	const char *scenario = bench_scenario_name(options->scenario);
	char number[HTML_NUMBER_MAX];

	if (scenario != NULL)
		fact(to, "Scenario", "%s", scenario);
	fact(to, "URL", "%s", options->url_text);
	fact(to, "Connections", "%s", units_format_grouped(options->connections, number));
	asked_shape(options, to);
	asked_messages(options, to);
}

/* The start by the clock on the wall: only the end is known by it. */
static void fact_started(const struct bench_result *result, FILE *to)
{
	time_t start = (time_t)((double)clock_wall_ns() / (double)NS_PER_S - result->total_s);
	struct tm utc;
	char text[64] = "";

	if (gmtime_r(&start, &utc) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &utc);
	fact(to, "Started", "%s", text);
}

static void tester(const struct bench_report *report, FILE *to)
{
	const struct bench_setup *setup = report->setup;
	const struct bench_result *result = report->result;
	char remote[NET_ADDR_TEXT_MAX], time[HTML_NUMBER_MAX];

	fact_started(result, to);
	fact(to, "Took", "%s%s", html_seconds(result->total_s, time),
	     result->was_interrupted ? ", interrupted" : "");
	fact(to, "Target", "%s", net_addr_format(&setup->nodes[0].remote, remote, sizeof(remote)));
	if (result->tls_version != NULL)
		fact(to, "TLS", "%s, %s", result->tls_version, result->tls_suite);
	if (result->does_pack)
		fact(to, "Compressed",
		     "%.1f %% left of what was sent, %.1f %% of what was received",
		     bench_packed_percent(result->packed.sent_plain, result->packed.sent_packed),
		     bench_packed_percent(result->packed.received_plain,
					  result->packed.received_packed));
	if (result->does_resume)
		fact(to, "Resumed", "%.1f %% of the TLS sessions offered",
		     bench_resumed_percent(result));
	if (report->evidence != NULL && report->evidence->process[0] != 0)
		fact(to, "Server", "%s", report->evidence->process);
	fact(to, "Tester", "gatehouse " GATEHOUSE_VERSION ", %u worker%s", setup->workers,
	     setup->workers == 1 ? "" : "s");
	fact(to, "Engine", "%s (%s)", loop_engine_name(setup->engine), report->engine_reason);
	fact(to, "Tester's CPU", "%.2f s user, %.2f s system", result->cpu_user_s,
	     result->cpu_system_s);
}

void html_facts(const struct bench_report *report, FILE *to)
{
	fputs("<section>\n<h2>What was tested</h2>\n<dl class=\"card facts\">\n", to);
	asked(report->setup->options, to);
	tester(report, to);
	fputs("</dl>\n</section>\n", to);
}
