/* SPDX-License-Identifier: Apache-2.0
 * bench_json.c - the report as JSON, for programs (bench_report.h). Nothing is left out of it:
 * what is not known is null. */
#include "bench/report/bench_report.h"

#include <errno.h>
#include <jansson.h>

#include "base/check.h"
#include "base/clock.h"
#include "bench/load/bench_scenario.h"

static json_t *count(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static double seconds(uint64_t ns)
{
	return (double)ns / (double)NS_PER_S;
}

static json_t *hist_json(const struct hist *hist)
{
	static const struct {
		const char *name;
		double percent;
	} rows[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_9", 99.9}};
	json_t *object = json_object();

	json_object_set_new(object, "count", count(hist->count));
	json_object_set_new(object, "mean", json_real(hist_mean(hist) / (double)NS_PER_S));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_object_set_new(object, rows[i].name,
				    json_real(seconds(hist_percentile(hist, rows[i].percent))));
	json_object_set_new(object, "max", json_real(seconds(hist->max)));
	return object;
}

/* Those steps that there were. */
static json_t *steps_json(const struct bench_result *result)
{
	json_t *object = json_object();

	for (enum bench_step step = 0; step < BENCH_STEP_COUNT; step++)
		if (result->steps[step].count > 0)
			json_object_set_new(object, bench_step_name(step),
					    hist_json(&result->steps[step]));
	return object;
}

static json_t *tls_json(const struct bench_result *result)
{
	if (result->tls_version == NULL)
		return json_null();
	json_t *object = json_object();

	json_object_set_new(object, "version", json_string(result->tls_version));
	json_object_set_new(object, "suite", json_string(result->tls_suite));
	json_object_set_new(object, "resumed_percent", json_real(bench_resumed_percent(result)));
	return object;
}

/* null without --compression. */
static json_t *packed_json(const struct bench_result *result)
{
	const struct bench_packed *packed = &result->packed;

	if (!result->does_pack)
		return json_null();
	return json_pack(
		"{s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "connections",
		(json_int_t)packed->connections, "sent_plain_bytes", (json_int_t)packed->sent_plain,
		"sent_bytes", (json_int_t)packed->sent_packed, "received_plain_bytes",
		(json_int_t)packed->received_plain, "received_bytes",
		(json_int_t)packed->received_packed, "sent_percent",
		bench_packed_percent(packed->sent_plain, packed->sent_packed), "received_percent",
		bench_packed_percent(packed->received_plain, packed->received_packed));
}

static json_t *totals_json(const struct bench_totals *totals)
{
	json_t *object = json_object();

#define SET(name) json_object_set_new(object, #name, count(totals->name));
	BENCH_COUNTERS(SET)
#undef SET
	return object;
}

static json_t *causes_json(const struct bench_causes *causes)
{
	json_t *array = json_array();
	char text[400];

	for (unsigned i = 0; i < causes->count; i++) {
		const struct bench_cause *cause = &causes->rows[i];
		const char *advice = bench_cause_advice(cause);
		json_t *row = json_object();

		json_object_set_new(row, "kind", json_string(bench_cause_kind_name(cause->kind)));
		json_object_set_new(row, "code", json_integer(cause->code));
		json_object_set_new(row, "label", json_string(cause->label));
		json_object_set_new(row, "text",
				    json_string(bench_cause_text(cause, text, sizeof(text))));
		json_object_set_new(row, "count", count(cause->count));
		json_object_set_new(row, "side",
				    json_string(bench_side_name(bench_cause_side(cause))));
		json_object_set_new(row, "first_s", json_real(cause->first_s));
		json_object_set_new(row, "last_s", json_real(cause->last_s));
		json_object_set_new(row, "before_open", json_boolean(bench_cause_is_early(cause)));
		json_object_set_new(row, "first_connection", count(cause->first_number));
		json_object_set_new(row, "example", json_string(cause->example));
		json_object_set_new(row, "advice",
				    advice == NULL ? json_null() : json_string(advice));
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *quantiles_json(const struct bench_quantiles *quantiles)
{
	json_t *object = json_object();

	json_object_set_new(object, "count", count(quantiles->count));
	json_object_set_new(object, "p50", json_real(seconds(quantiles->p50_ns)));
	json_object_set_new(object, "p90", json_real(seconds(quantiles->p90_ns)));
	json_object_set_new(object, "p99", json_real(seconds(quantiles->p99_ns)));
	json_object_set_new(object, "max", json_real(seconds(quantiles->max_ns)));
	return object;
}

/* The member for what `echo` of result and points holds. */
static const char *latency_key(bool is_receiver)
{
	return is_receiver ? "push_seconds" : "echo_seconds";
}

static json_t *point_json(const struct bench_point *point, bool is_receiver)
{
	json_t *object = totals_json(&point->totals);

	json_object_set_new(object, "at", json_real(point->at_s));
	json_object_set_new(object, "tester_cpu", json_real(point->cpu));
	json_object_set_new(object, "handshake_seconds", quantiles_json(&point->handshake));
	json_object_set_new(object, latency_key(is_receiver), quantiles_json(&point->echo));
	return object;
}

static json_t *series_json(const struct bench_series *series, bool is_receiver)
{
	json_t *points = json_array();

	for (unsigned i = 0; i < series->count; i++)
		json_array_append_new(points, point_json(&series->points[i], is_receiver));
	return points;
}

static json_t *text_or_null(const char *text)
{
	return text == NULL ? json_null() : json_string(text);
}

static json_t *asked_json(const struct bench_options *options)
{
	const char *scenario = bench_scenario_name(options->scenario);
	json_t *object = json_object();

	json_object_set_new(object, "url", json_string(options->url_text));
	json_object_set_new(object, "connections", count(options->connections));
	json_object_set_new(object, "connect_rate", json_real(options->connect_rate));
	json_object_set_new(object, "batch", count(options->batch));
	json_object_set_new(object, "batch_pause_seconds",
			    json_real((double)options->batch_pause_ms / 1000));
	json_object_set_new(object, "in_flight", count(options->in_flight));
	json_object_set_new(object, "lifetime_seconds",
			    json_real((double)options->lifetime_ms / 1000));
	json_object_set_new(object, "cut_after_seconds",
			    json_real((double)options->cut_after_ms / 1000));
	json_object_set_new(object, "tls_resume", json_boolean(options->does_resume));
	json_object_set_new(object, "slow_readers_percent",
			    json_real(options->slow_readers_percent));
	json_object_set_new(object, "reconnect", json_boolean(options->does_reconnect));
	json_object_set_new(object, "at_least_once", json_boolean(options->is_at_least_once));
	json_object_set_new(object, "nodes", count(1 + options->node_count));
	json_object_set_new(object, "push", text_or_null(options->push_path));
	json_object_set_new(object, "scenario", text_or_null(scenario));
	json_object_set_new(object, "hold_seconds",
			    json_real((double)bench_options_hold_ms(options) / 1000));
	json_object_set_new(object, "traffic_seconds",
			    json_real((double)bench_options_traffic_ms(options) / 1000));
	json_object_set_new(object, "message_rate", json_real(options->message_rate));
	json_object_set_new(object, "depth", count(options->depth));
	json_object_set_new(object, "size_bytes", count(options->size));
	json_object_set_new(object, "receive", json_boolean(options->is_receiver));
	json_object_set_new(object, "binary", json_boolean(options->is_binary));
	json_object_set_new(object, "payload", json_string(options->is_json ? "json" : "noise"));
	json_object_set_new(object, "compression", json_boolean(options->does_pack));
	return object;
}

static json_t *tester_json(const struct bench_report *report)
{
	const struct bench_setup *setup = report->setup;
	const struct bench_result *result = report->result;
	json_t *object = json_object();
	char remote[NET_ADDR_TEXT_MAX];

	json_object_set_new(
		object, "remote",
		json_string(net_addr_format(&setup->nodes[0].remote, remote, sizeof(remote))));
	json_object_set_new(object, "version", json_string(GATEHOUSE_VERSION));
	json_object_set_new(object, "engine", json_string(loop_engine_name(setup->engine)));
	json_object_set_new(object, "engine_reason", json_string(report->engine_reason));
	json_object_set_new(object, "workers", count(setup->workers));
	json_object_set_new(object, "source_addresses", count(setup->sources.count));
	json_object_set_new(object, "cpu_user_seconds", json_real(result->cpu_user_s));
	json_object_set_new(object, "cpu_system_seconds", json_real(result->cpu_system_s));
	json_object_set_new(object, "hold_cpu_seconds", json_real(result->hold_cpu_s));
	return object;
}

static json_t *plateau_json(const struct bench_plateau *plateau)
{
	json_t *object = json_object();

	if (!plateau->is_found) {
		json_decref(object);
		return json_null();
	}
	json_object_set_new(object, "at", count(plateau->at));
	json_object_set_new(object, "side", json_string(bench_side_name(plateau->side)));
	json_object_set_new(object, "limit",
			    plateau->limit[0] == 0 ? json_null() : json_string(plateau->limit));
	json_object_set_new(object, "text", json_string(plateau->text));
	return object;
}

static json_t *checks_json(const struct bench_report *report)
{
	json_t *array = json_array();

	for (size_t i = 0; i < report->check_count; i++) {
		const struct bench_check *check = &report->checks[i];
		json_t *row = json_object();

		json_object_set_new(row, "expect", json_string(check->text));
		json_object_set_new(row, "seen", json_string(check->seen));
		json_object_set_new(row, "met", json_boolean(check->is_met));
		json_array_append_new(array, row);
	}
	return array;
}

static json_t *acts_json(const struct bench_acts_done *acts)
{
	json_t *array = json_array();

	for (size_t i = 0; i < acts->count; i++) {
		const struct bench_act_done *act = &acts->rows[i];

		json_array_append_new(
			array, json_pack("{s:s, s:b, s:o, s:o, s:s}", "act", act->text, "done",
					 act->is_good, "at_seconds",
					 act->was_reached ? json_real(act->at_s) : json_null(),
					 "took_seconds",
					 act->was_reached ? json_real(act->took_s) : json_null(),
					 "seen", act->seen));
	}
	return array;
}

/* null without --push. */
static json_t *push_json(const struct bench_result *result)
{
	if (!result->does_push)
		return json_null();
	return json_pack("{s:I, s:o}", "messages", (json_int_t)result->pushed, "problem",
			 result->push_problem[0] == 0 ? json_null()
						      : json_string(result->push_problem));
}

static json_t *kernel_json(const struct bench_kernel *kernel)
{
	json_t *object = json_object();

	for (int i = 0; i < BENCH_KERNEL_COUNT; i++)
		json_object_set_new(object, bench_kernel_name((enum bench_kernel_id)i),
				    kernel->is_known[i] ? count(kernel->values[i]) : json_null());
	return object;
}

static json_t *preflight_json(const struct bench_report *report)
{
	const struct bench_preflight *preflight = report->preflight;
	const struct limit *binding = preflight->binding;
	json_t *object = json_object();
	char line[512];

	json_object_set_new(object, "fits", json_boolean(preflight->fits));
	json_object_set_new(object, "forced", json_boolean(report->setup->options->is_forced));
	json_object_set_new(object, "allowed",
			    preflight->allowed > INT64_MAX ? json_null()
							   : count(preflight->allowed));
	json_object_set_new(object, "limit",
			    binding == NULL ? json_null() : json_string(limit_label(binding->id)));
	json_object_set_new(object, "value", binding == NULL ? json_null() : count(binding->value));
	json_object_set_new(object, "text",
			    json_string(bench_preflight_line(preflight, line, sizeof(line))));
	return object;
}

/* A table that somebody else owns. */
static json_t *table_json(const json_t *table)
{
	return table == NULL ? json_null() : json_deep_copy(table);
}

/* Who stopped the test, and what that is known by. */
static void add_judgement(json_t *root, const struct bench_report *report)
{
	json_object_set_new(root, "plateau", plateau_json(report->plateau));
	json_object_set_new(root, "checks", checks_json(report));
	json_object_set_new(root, "saturated", json_boolean(bench_is_saturated(report->result)));
	json_object_set_new(root, "preflight", preflight_json(report));
	json_object_set_new(root, "tester_limits", table_json(report->tester_limits));
	json_object_set_new(root, "server_limits", table_json(report->server_limits));
	json_object_set_new(root, "server_note", json_string(report->server_note));
	json_object_set_new(root, "kernel", kernel_json(&report->evidence->kernel));
}

int bench_report_write_json(const struct bench_report *report, FILE *to)
{
	const struct bench_result *result = report->result;
	json_t *root = json_object();

	json_object_set_new(root, "passed", json_boolean(report->is_passed));
	json_object_set_new(root, "verdict", json_string(report->verdict));
	json_object_set_new(root, "interrupted", json_boolean(result->was_interrupted));
	json_object_set_new(root, "asked", asked_json(report->setup->options));
	json_object_set_new(root, "tester", tester_json(report));
	json_object_set_new(root, "totals", totals_json(&result->totals));
	json_object_set_new(root, "started_monotonic_seconds", json_real(result->started_s));
	json_object_set_new(root, "connect_seconds", json_real(result->connect_s));
	json_object_set_new(root, "connected_seconds", json_real(result->connected_s));
	json_object_set_new(root, "connected_per_second", json_real(bench_connect_rate(result)));
	json_object_set_new(root, "hold_seconds", json_real(result->hold_s));
	json_object_set_new(root, "traffic_seconds", json_real(result->traffic_s));
	json_object_set_new(root, "receive_seconds", json_real(result->receive_s));
	json_object_set_new(root, "total_seconds", json_real(result->total_s));
	add_judgement(root, report);
	json_object_set_new(root, "failures", causes_json(&result->causes));
	json_object_set_new(root, "slow_reader_ends", causes_json(&result->slow_ends));
	json_object_set_new(root, "interruptions", causes_json(&result->interruptions));
	json_object_set_new(root, "acts", acts_json(&result->acts));
	json_object_set_new(root, "push", push_json(result));
	json_object_set_new(root, "handshake_seconds", hist_json(&result->handshake));
	json_object_set_new(root, "step_seconds", steps_json(result));
	json_object_set_new(root, "tls", tls_json(result));
	json_object_set_new(root, "compression", packed_json(result));
	json_object_set_new(root, latency_key(result->is_receiver), hist_json(&result->echo));
	json_object_set_new(root, "series", series_json(&result->series, result->is_receiver));
	errno = EIO; /* jansson may fail without one */
	bool is_written = json_dumpf(root, to, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) == 0 &&
			  fputc('\n', to) != EOF && fflush(to) == 0;
	int error = errno;

	json_decref(root);
	return is_written ? 0 : -error;
}
