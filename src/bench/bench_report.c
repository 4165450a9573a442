/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/bench_report.h"

#include <inttypes.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"

/* Above this a worker has no time left: it, not the other side, sets the speed. */
#define SATURATED 0.9

char *bench_time_format(uint64_t ns, char out[32])
{
	static const struct {
		uint64_t ns;
		const char *unit;
	} scales[] = {{NS_PER_S, "s"}, {NS_PER_MS, "ms"}, {NS_PER_US, "us"}};

	for (size_t i = 0; i < ARRAY_LEN(scales); i++) {
		if (ns < scales[i].ns)
			continue;
		double value = (double)ns / (double)scales[i].ns;

		snprintf(out, 32, "%.*f %s",
			 value < 10    ? 2
			 : value < 100 ? 1
				       : 0,
			 value, scales[i].unit);
		return out;
	}
	snprintf(out, 32, "%" PRIu64 " ns", ns);
	return out;
}

static double per_second(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

static void tester_print(const struct bench_report *report, FILE *to)
{
	const struct bench_setup *setup = report->setup;
	char remote[NET_ADDR_TEXT_MAX];

	fprintf(to, "\nTarget     %s at %s\n", setup->options->url_text,
		net_addr_format(&setup->remote, remote, sizeof(remote)));
	fprintf(to, "Tester     %u worker%s, %s (%s)", setup->workers,
		setup->workers == 1 ? "" : "s", loop_engine_name(setup->engine),
		report->engine_reason);
	if (setup->sources.is_spread)
		fprintf(to, ", %u source address%s from 127.0.0.1 on", setup->sources.count,
			setup->sources.count == 1 ? "" : "es");
	fputc('\n', to);
}

/* What churn and slow readers came to. */
static void shape_print(const struct bench_options *options, const struct bench_result *result,
			FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char text[400];

	if (options->lifetime_ms > 0)
		fprintf(to,
			"Churn      %" PRIu64 " closed after their lifetime, %" PRIu64
			" opened in their place\n",
			totals->retired, totals->reopened);
	if (options->slow_readers_percent > 0)
		fprintf(to,
			"Slow       %" PRIu64 " that did not read were closed by the other side",
			totals->slow_closed);
	for (unsigned i = 0; i < result->slow_ends.count; i++)
		fprintf(to, "%s%" PRIu64 " %s", i == 0 ? ": " : "; ",
			result->slow_ends.rows[i].count,
			bench_cause_text(&result->slow_ends.rows[i], text, sizeof(text)));
	if (options->slow_readers_percent > 0)
		fputc('\n', to);
}

static void counts_print(const struct bench_options *options, const struct bench_result *result,
			 FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char size_text[32];

	fprintf(to, "Connected  %" PRIu64 " of %" PRIu64 " in %.2f s (%.0f/s), %" PRIu64 " failed",
		totals->connected, result->wanted, result->connect_s,
		per_second(totals->connected, result->connect_s), totals->failed);
	uint64_t resolved = totals->connected + totals->failed;

	if (resolved < result->wanted)
		fprintf(to, ", %" PRIu64 " not finished", result->wanted - resolved);
	fprintf(to,
		"\nHeld       %" PRIu64 " for %.1f s, %" PRIu64 " dropped; %" PRIu64
		" closed cleanly\n",
		totals->held, result->hold_s, totals->dropped, totals->closed_cleanly);
	shape_print(options, result, to);
	if (result->has_traffic)
		fprintf(to,
			"Messages   %" PRIu64 " sent of %s, %" PRIu64
			" right echoes; %.0f/s sent, %.0f/s echoed\n",
			totals->sent,
			units_format_size(options->size, size_text, sizeof(size_text)),
			totals->received, per_second(totals->sent, result->traffic_s),
			per_second(totals->received, result->traffic_s));
}

static void hist_print(const char *name, const struct hist *hist, FILE *to)
{
	static const double percents[] = {50, 90, 99, 99.9};
	char text[32];

	if (hist->count == 0)
		return;
	fprintf(to, "%-10s", name);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		fprintf(to, " %10s", bench_time_format(hist_percentile(hist, percents[i]), text));
	fprintf(to, " %10s\n", bench_time_format(hist->max, text));
}

static void latency_print(const struct bench_result *result, FILE *to)
{
	if (result->handshake.count == 0)
		return;
	fprintf(to, "%10s %10s %10s %10s %10s %10s\n", "", "p50", "p90", "p99", "p99.9", "max");
	hist_print("Handshake", &result->handshake, to);
	hist_print("Echo", &result->echo, to);
}

static void cpu_print(const struct bench_result *result, FILE *to)
{
	double share = result->hold_s > 0
			       ? result->hold_cpu_s / result->hold_s / MAX(result->workers, 1)
			       : 0;

	fprintf(to, "CPU        the tester used %.2f s user, %.2f s system in %.2f s",
		result->cpu_user_s, result->cpu_system_s, result->total_s);
	if (result->hold_s > 0)
		fprintf(to, "; in the hold each worker was %.0f%% busy", share * 100);
	fputc('\n', to);
	if (share > SATURATED)
		fputs("           The tester was saturated: these figures show its speed, not the "
		      "other side's.\n           More --workers help if cores are free.\n",
		      to);
}

static void causes_print(const struct bench_causes *causes, FILE *to)
{
	char text[400];

	if (causes->count == 0)
		return;
	fprintf(to, "\n%10s  %s\n", "Failures", "Cause");
	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];
		const char *advice = bench_cause_advice(cause);

		fprintf(to, "%10" PRIu64 "  %s\n", cause->count,
			bench_cause_text(cause, text, sizeof(text)));
		fprintf(to, "%10s  first was connection %" PRIu64 "%s%s\n", "", cause->first_number,
			cause->example[0] == 0 ? "" : ": ", cause->example);
		if (advice != NULL)
			fprintf(to, "%10s  %s\n", "", advice);
	}
}

void bench_report_print(const struct bench_report *report, FILE *to)
{
	tester_print(report, to);
	counts_print(report->setup->options, report->result, to);
	latency_print(report->result, to);
	cpu_print(report->result, to);
	causes_print(&report->result->causes, to);
	fprintf(to, "\n%s\n", report->verdict);
}
