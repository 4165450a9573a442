/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report/bench_report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/load/bench_scenario.h"
#include "diag/report_page.h"

static double per_second(uint64_t count, double seconds)
{
	return seconds > 0 ? (double)count / seconds : 0;
}

static void scenario_print(const struct bench_scenario *scenario, FILE *to)
{
	const char *name = bench_scenario_name(scenario);
	const char *description = bench_scenario_description(scenario);

	if (name != NULL || description != NULL)
		fprintf(to, "\nScenario   %s%s%s", name == NULL ? "" : name,
			name == NULL || description == NULL ? "" : ": ",
			description == NULL ? "" : description);
}

/* ", 3 source addresses from 127.0.0.2 on" */
static void sources_print(const struct bench_sources *sources, FILE *to)
{
	struct net_addr first = bench_source_address(sources, 1, 0);
	char text[INET_ADDRSTRLEN];

	fprintf(to, ", %u source address%s from %s on", sources->count,
		sources->count == 1 ? "" : "es",
		inet_ntop(AF_INET, &first.in.sin_addr, text, sizeof(text)));
}

static void tester_print(const struct bench_report *report, FILE *to)
{
	const struct bench_setup *setup = report->setup;
	char remote[NET_ADDR_TEXT_MAX], line[512];

	scenario_print(setup->options->scenario, to);
	fprintf(to, "\nTarget     %s at %s\n", setup->options->url_text,
		net_addr_format(&setup->nodes[0].remote, remote, sizeof(remote)));
	for (unsigned i = 1; i < setup->node_count; i++)
		fprintf(to, "           %s at %s\n", setup->nodes[i].url->authority,
			net_addr_format(&setup->nodes[i].remote, remote, sizeof(remote)));
	fprintf(to, "Tester     %u worker%s, %s (%s)", setup->workers,
		setup->workers == 1 ? "" : "s", loop_engine_name(setup->engine),
		report->engine_reason);
	if (setup->sources.is_spread)
		sources_print(&setup->sources, to);
	fprintf(to, "\nLimits     %s\n",
		bench_preflight_line(report->preflight, line, sizeof(line)));
	if (report->server_note[0] != 0)
		fprintf(to, "           %s\n", report->server_note);
}

/* Who was ended, how, and who came back. */
static void away_print(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char text[400], digits[UNITS_GROUPED_MAX];

	fprintf(to, "Away       %s disconnected, ",
		units_format_grouped(totals->disconnected, digits));
	fprintf(to, "%s came back, ", units_format_grouped(totals->reconnected, digits));
	fprintf(to, "%s are away; ", units_format_grouped(totals->away, digits));
	fprintf(to, "%s attempts failed\n", units_format_grouped(totals->retried, digits));
	for (unsigned i = 0; i < result->interruptions.count; i++)
		fprintf(to, "%10s  %s\n",
			units_format_grouped(result->interruptions.rows[i].count, digits),
			bench_cause_text(&result->interruptions.rows[i], text, sizeof(text)));
}

/* What happened to the server meanwhile. */
static void acts_print(const struct bench_result *result, FILE *to)
{
	for (size_t i = 0; i < result->acts.count; i++) {
		const struct bench_act_done *act = &result->acts.rows[i];

		fprintf(to, "%-10s %-7s  %s", i == 0 ? "Acts" : "",
			act->is_good       ? "done"
			: act->was_reached ? "FAILED"
					   : "missed",
			act->text);
		if (act->was_reached)
			fprintf(to, "  (at %.1f s, %.2f s)", act->at_s, act->took_s);
		fprintf(to, ": %s\n", act->seen);
	}
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
	if (options->cut_after_ms > 0)
		fprintf(to, "Cut        %" PRIu64 " at once, of which %" PRIu64 " came back\n",
			totals->cut, totals->reopened);
	if (options->does_reconnect)
		away_print(result, to);
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

static void counts_print(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	uint64_t resolved = totals->connected + totals->failed;
	char some[32], other[32];

	fprintf(to, "Connected  %s of %s", units_format_grouped(totals->connected, some),
		units_format_grouped(result->wanted, other));
	fprintf(to, " in %.2f s (%.0f/s), %s failed", result->connected_s,
		bench_connect_rate(result), units_format_grouped(totals->failed, some));
	if (totals->failed > 0)
		fprintf(to, ", the last outcome after %.2f s", result->connect_s);
	if (resolved < result->wanted)
		fprintf(to, ", %s not finished",
			units_format_grouped(result->wanted - resolved, some));
	fprintf(to, "\nHeld       %s for %.1f s, ", units_format_grouped(totals->held, some),
		result->hold_s);
	fprintf(to, "%s dropped; %s closed cleanly\n", units_format_grouped(totals->dropped, some),
		units_format_grouped(totals->closed_cleanly, other));
}

static void messages_print(const struct bench_result *result, uint64_t size, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char some[32], other[32], size_text[32];

	if (!result->has_traffic)
		return;
	fprintf(to, "Messages   %s sent of %s, %s right echoes; %.0f/s sent, %.0f/s echoed",
		units_format_grouped(totals->sent, some),
		units_format_size(size, size_text, sizeof(size_text)),
		units_format_grouped(totals->received, other),
		per_second(totals->sent, result->traffic_s),
		per_second(totals->received, result->traffic_s));
	if (result->is_at_least_once)
		fprintf(to, "; %s late, %s repeated", units_format_grouped(totals->late, some),
			units_format_grouped(totals->repeated, other));
	fputc('\n', to);
}

static void received_print(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char received[32], missing[32], late[32], repeated[32], unstamped[32];

	if (!result->is_receiver)
		return;
	if (result->does_push)
		fprintf(to, "Pushed     %s messages to each of %s clients\n",
			units_format_grouped(result->pushed, received),
			units_format_grouped(result->wanted, missing));
	fprintf(to, "Received   %s messages in %.2f s (%.0f/s): %s missing, %s late, %s repeated",
		units_format_grouped(totals->received, received), result->receive_s,
		per_second(totals->received, result->receive_s),
		units_format_grouped(totals->missing, missing),
		units_format_grouped(totals->late, late),
		units_format_grouped(totals->repeated, repeated));
	fprintf(to, ", %s without a stamp\n", units_format_grouped(totals->unstamped, unstamped));
}

static void hist_print(const char *name, const struct hist *hist, FILE *to)
{
	static const double percents[] = {50, 90, 99, 99.9};
	char text[32];

	if (hist->count == 0)
		return;
	fprintf(to, "%-10s", name);
	for (size_t i = 0; i < ARRAY_LEN(percents); i++)
		fprintf(to, " %10s", units_format_ns(hist_percentile(hist, percents[i]), text));
	fprintf(to, " %10s\n", units_format_ns(hist->max, text));
}

/* What TLS agreed on, and how many sessions were resumed. */
static void tls_print(const struct bench_result *result, FILE *to)
{
	const struct bench_totals *totals = &result->totals;
	char secured[32], offered[32], resumed[32];

	if (result->tls_version == NULL)
		return;
	fprintf(to, "TLS        %s, %s; %s handshakes", result->tls_version, result->tls_suite,
		units_format_grouped(totals->secured, secured));
	if (result->does_resume)
		fprintf(to, ", of %s sessions offered %s resumed (%.1f%%)",
			units_format_grouped(totals->offered, offered),
			units_format_grouped(totals->resumed, resumed),
			bench_resumed_percent(result));
	fputc('\n', to);
}

static void packed_line(const char *what, uint64_t plain, uint64_t packed, FILE *to)
{
	char plain_text[32], packed_text[32];

	if (plain > 0)
		fprintf(to, "; %s %s bytes as %s (%.1f%%)", what,
			units_format_grouped(plain, plain_text),
			units_format_grouped(packed, packed_text),
			bench_packed_percent(plain, packed));
}

/* How many agreed on compression, and what it came to. */
static void packed_print(const struct bench_result *result, FILE *to)
{
	const struct bench_packed *packed = &result->packed;
	char some[32];

	if (!result->does_pack)
		return;
	fprintf(to, "Compressed %s connections agreed",
		units_format_grouped(packed->connections, some));
	packed_line("sent", packed->sent_plain, packed->sent_packed, to);
	packed_line("received", packed->received_plain, packed->received_packed, to);
	fputc('\n', to);
}

static void latency_print(const struct bench_result *result, FILE *to)
{
	if (result->handshake.count == 0)
		return;
	fprintf(to, "%10s %10s %10s %10s %10s %10s\n", "", "p50", "p90", "p99", "p99.9", "max");
	hist_print("Handshake", &result->handshake, to);
	for (enum bench_step step = 0; step < BENCH_STEP_COUNT; step++)
		hist_print(bench_step_title(step), &result->steps[step], to);
	hist_print(bench_latency_name(result), &result->echo, to);
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
	if (bench_is_saturated(result))
		fputs("           mine: the tester was saturated. Latency and rate are the "
		      "tester's, "
		      "not the server's.\n           More --workers help if cores are free.\n",
		      to);
}

/* --- failures --- */

static void cause_print(const struct bench_cause *cause, FILE *to)
{
	char text[400], count[32];
	const char *advice = bench_cause_advice(cause);

	fprintf(to, "%10s  %s\n", units_format_grouped(cause->count, count),
		bench_cause_text(cause, text, sizeof(text)));
	fprintf(to, "%10s  %.2f s to %.2f s, first was connection %s%s%s\n", "", cause->first_s,
		cause->last_s, units_format_grouped(cause->first_number, count),
		cause->example[0] == 0 ? "" : ": ", cause->example);
	if (advice != NULL)
		fprintf(to, "%10s  %s\n", "", advice);
}

static void side_print(const struct bench_causes *causes, enum bench_side side, FILE *to)
{
	static const char *const titles[] = {
		[BENCH_MINE] = "mine: this tester and its machine",
		[BENCH_YOURS] = "yours: the server",
		[BENCH_BETWEEN] = "between: nobody answered",
	};
	bool is_first = true;

	for (unsigned i = 0; i < causes->count; i++) {
		if (bench_cause_side(&causes->rows[i]) != side)
			continue;
		if (is_first)
			fprintf(to, "\n%10s  %s\n", "Failures", titles[side]);
		is_first = false;
		cause_print(&causes->rows[i], to);
	}
}

/* --- what stopped it --- */

/* What a server sent is nothing but printable ASCII on a terminal. */
static void text_print(const char *text, FILE *to)
{
	for (; *text != 0; text++)
		fputc(*text >= ' ' && *text < 0x7f ? *text : '?', to);
}

/* More lines would push the cause off the screen; a hostile server could send any
 * number. */
#define REMEDIES_SHOWN 8

static void remedies_print(const json_t *row, FILE *to)
{
	const json_t *remedies = json_object_get(row, "remedies");

	for (size_t i = 0; i < MIN(json_array_size(remedies), REMEDIES_SHOWN); i++) {
		const json_t *remedy = json_array_get(remedies, i);
		const char *place = json_string_value(json_object_get(remedy, "place"));
		const char *text = json_string_value(json_object_get(remedy, "text"));

		if (place == NULL || text == NULL)
			continue;
		fprintf(to, "%-11s", i == 0 ? "raise it:" : "");
		text_print(place, to);
		fputs(": ", to);
		text_print(text, to);
		fputc('\n', to);
	}
}

/* Where the limit's value was read, and which line of a file, variable or flag set it. */
static void origin_print(const json_t *row, FILE *to)
{
	const char *source = json_string_value(json_object_get(row, "source"));
	const char *set_by = json_string_value(json_object_get(row, "set_by"));

	if (source == NULL || source[0] == 0)
		return;
	fputs("set by:    ", to);
	text_print(source, to);
	if (set_by != NULL && set_by[0] != 0) {
		fputs(", ", to);
		text_print(set_by, to);
	}
	fputc('\n', to);
}

static void plateau_print(const struct bench_report *report, FILE *to)
{
	const struct bench_plateau *plateau = report->plateau;
	bool is_mine = plateau->side == BENCH_MINE;
	const json_t *row = report_limit_row(
		is_mine ? report->tester_limits : report->server_limits, plateau->limit);

	if (plateau->text[0] == 0)
		return;
	fprintf(to, "\nCause      %s\n", plateau->text);
	origin_print(row, to);
	/* Of a gateway it is known how, even if nobody asked it. */
	if (row == NULL && !is_mine && strcmp(plateau->limit, "max_connections") == 0)
		fprintf(to, "raise it:  configuration: server.max_connections: %" PRIu64 "\n",
			report->result->wanted);
	remedies_print(row, to);
}

static void checks_print(const struct bench_report *report, FILE *to)
{
	for (size_t i = 0; i < report->check_count; i++) {
		const struct bench_check *check = &report->checks[i];

		fprintf(to, "%s%-10s %-7s  ", i == 0 ? "\n" : "", i == 0 ? "Expected" : "",
			check->is_met ? "met" : "NOT MET");
		text_print(check->text, to);
		fprintf(to, "  (saw %s)\n", check->seen);
	}
}

void bench_report_print(const struct bench_report *report, FILE *to)
{
	const struct bench_causes *causes = &report->result->causes;

	tester_print(report, to);
	counts_print(report->result, to);
	acts_print(report->result, to);
	shape_print(report->setup->options, report->result, to);
	tls_print(report->result, to);
	packed_print(report->result, to);
	messages_print(report->result, report->setup->options->size, to);
	received_print(report->result, to);
	latency_print(report->result, to);
	cpu_print(report->result, to);
	side_print(causes, BENCH_MINE, to);
	side_print(causes, BENCH_YOURS, to);
	side_print(causes, BENCH_BETWEEN, to);
	plateau_print(report, to);
	checks_print(report, to);
	fprintf(to, "\n%s\n", report->verdict);
}
