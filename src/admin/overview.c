/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/overview.h"

#include <stdio.h>

#include "admin/admin.h"
#include "admin/metrics/metrics_before.h"
#include "admin/recent.h"
#include "base/clock.h"
#include "base/counter.h"
#include "route/route.h"
#include "server/server_nodes.h"

/* [bytes] Of "name{labels}". */
#define SERIES_MAX 512

static void set_count(json_t *object, const char *name, uint64_t value)
{
	json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* With what the processes before have counted of the series, as /metrics has it. */
static void set_total(const struct admin *admin, json_t *object, const char *name, uint64_t value,
		      const char *series)
{
	set_count(object, name, value + metrics_before_count(admin->before, series));
}

/* --- all of it --- */

static json_t *totals(const struct admin *admin, const struct stats *stats)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *series;
	} counters[] = {
		{"accepted", stats->connections_accepted, "gatehouse_connections_accepted_total"},
		{"handshake_failures", stats->handshakes_rejected,
		 "gatehouse_handshakes_rejected_total"},
		{"messages_received", stats->messages_received,
		 "gatehouse_messages_received_total"},
		{"messages_sent", stats->messages_sent, "gatehouse_messages_sent_total"},
		{"received_bytes", stats->received_bytes, "gatehouse_received_bytes_total"},
		{"sent_bytes", stats->sent_bytes, "gatehouse_sent_bytes_total"},
	};
	json_t *object = json_object();

	set_count(object, "connections", server_connections(admin->server));
	set_count(object, "sockets", stats->sockets);
	set_count(object, "stalled", stats->stalled);
	set_count(object, "send_queue_bytes", stats->send_queue_bytes);
	for (size_t i = 0; i < ARRAY_LEN(counters); i++)
		set_total(admin, object, counters[i].name, counters[i].value, counters[i].series);
	return object;
}

static json_t *refusals(const struct admin *admin, const struct stats *stats)
{
	json_t *object = json_object();
	char series[SERIES_MAX];

	for (unsigned i = 0; i < REFUSAL_COUNT; i++) {
		snprintf(series, sizeof(series),
			 "gatehouse_connections_refused_total{limit=\"%s\"}",
			 refusal_table[i].label);
		set_total(admin, object, refusal_table[i].label, stats->connections_refused[i],
			  series);
	}
	return object;
}

static json_t *closes(const struct admin *admin, const struct stats *stats)
{
	json_t *object = json_object();
	char series[SERIES_MAX];

	for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++) {
		snprintf(series, sizeof(series),
			 "gatehouse_connections_closed_total{reason=\"%s\"}", close_table[i].label);
		set_total(admin, object, close_table[i].label, stats->connections_closed[i],
			  series);
	}
	return object;
}

/* --- its parts --- */

struct list {
	const struct admin *admin;
	json_t *items;
};

static void set_route_counts(const struct list *list, json_t *object, const char *name,
			     const struct route_counts *sum)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *family;
	} counters[] = {
		{"accepted", sum->accepted, "gatehouse_route_connections_accepted_total"},
		{"messages_received", sum->messages_received,
		 "gatehouse_route_messages_received_total"},
		{"messages_sent", sum->messages_sent, "gatehouse_route_messages_sent_total"},
		{"received_bytes", sum->received_bytes, "gatehouse_route_received_bytes_total"},
		{"sent_bytes", sum->sent_bytes, "gatehouse_route_sent_bytes_total"},
	};
	char series[SERIES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		snprintf(series, sizeof(series), "%s{route=\"%s\"}", counters[i].family, name);
		set_total(list->admin, object, counters[i].name, counters[i].value, series);
	}
}

static uint64_t failures_of(const struct list *list, const char *name,
			    const struct route_counts *counts)
{
	uint64_t sum = 0;
	char series[SERIES_MAX];

	for (unsigned i = 0; i < ROUTE_FAILURE_COUNT; i++) {
		snprintf(series, sizeof(series),
			 "gatehouse_route_handshake_failures_total{route=\"%s\",reason=\"%s\"}",
			 name, route_failure_label(i));
		sum += counts->failures[i] + metrics_before_count(list->admin->before, series);
	}
	return sum;
}

/* Those that occurred. */
static json_t *closes_of(const struct list *list, const char *name, const struct route_counts *sum)
{
	json_t *object = json_object();
	char series[SERIES_MAX];

	for (unsigned i = 0; i < CLOSE_REASON_COUNT; i++) {
		snprintf(series, sizeof(series),
			 "gatehouse_route_connections_closed_total{route=\"%s\",reason=\"%s\"}",
			 name, close_table[i].label);
		uint64_t count = sum->closed[i] + metrics_before_count(list->admin->before, series);

		if (count > 0)
			set_count(object, close_table[i].label, count);
	}
	return object;
}

static void add_route(void *arg, const char *name, const struct route_load *load)
{
	struct list *list = arg;
	struct route_counts sum;

	if (load->is_unused)
		return;
	json_t *object = json_object();

	route_load_sum(load, &sum);
	json_object_set_new(object, "name", json_string(name));
	set_count(object, "connections", counter_read(&load->connections));
	set_route_counts(list, object, name, &sum);
	set_count(object, "handshake_failures", failures_of(list, name, &sum));
	json_object_set_new(object, "closed", closes_of(list, name, &sum));
	json_array_append_new(list->items, object);
}

static json_t *routes(const struct admin *admin)
{
	struct list list = {admin, json_array()};

	route_loads_each(server_route_loads(admin->server), add_route, &list);
	return list.items;
}

/* The names of what is lately: of a back end, which is no number, or of a worker. */
static char *worker_name(size_t index, char out[24])
{
	snprintf(out, 24, "#%zu", index);
	return out;
}

/* [ms] Of what was lately. */
static json_t *quantile(const struct durations *lately, double share)
{
	return json_real((double)durations_quantile_us(lately, durations_short_us, share) / 1000);
}

/* Totals of the process before, too; of what it knows. */
static void set_attempts(const struct list *list, json_t *object, const char *backend,
			 const struct backend_report *report)
{
	char series[SERIES_MAX];

#define BACKEND_SERIES(name) \
	(snprintf(series, sizeof(series), name "{backend=\"%s\"}", backend), series)
	set_total(list->admin, object, "attempts", report->attempts,
		  BACKEND_SERIES("gatehouse_backend_attempts_total"));
	set_total(list->admin, object, "retries", report->retries,
		  BACKEND_SERIES("gatehouse_backend_retries_total"));
	uint64_t failures = 0;

	for (size_t i = 0; i < report->cause_count; i++) {
		snprintf(series, sizeof(series),
			 "gatehouse_backend_failures_total{backend=\"%s\",cause=\"%s\"}", backend,
			 report->causes[i]);
		failures += report->failures[i] + metrics_before_count(list->admin->before, series);
	}
	set_count(object, "failures", failures);
}

static void add_backend(void *arg, const struct event_backend *backend)
{
	struct list *list = arg;
	struct backend_report report = {0};
	json_t *object = json_object();

	backend->type->report(backend, &report);
	recent_cut(list->admin->recent, backend->name, &report.latency);
	json_object_set_new(object, "name", json_string(backend->name));
	json_object_set_new(object, "type", json_string(backend->type->name));
	json_object_set_new(object, "state",
			    json_string(event_backend_is_down(backend) ? "down" : "up"));
	json_object_set_new(object, "breaker",
			    report.breaker == NULL ? json_null() : json_string(report.breaker));
	set_count(object, "in_flight", report.in_flight);
	set_count(object, "waiting", counter_read(&backend->stats.waiting));
	json_object_set_new(object, "oldest_waiting_seconds",
			    json_real((double)event_backend_oldest_ns(backend, clock_wall_ns()) /
				      (double)NS_PER_S));
	set_count(object, "pending_bytes", counter_read(&backend->stats.pending_bytes));
	set_attempts(list, object, backend->name, &report);
	json_object_set_new(object, "latency_p50_ms", quantile(&report.latency, 0.5));
	json_object_set_new(object, "latency_p99_ms", quantile(&report.latency, 0.99));
	json_array_append_new(list->items, object);
}

static json_t *backend_list(const struct admin *admin)
{
	struct list list = {admin, json_array()};

	backends_each(server_backends(admin->server), add_backend, &list);
	return list.items;
}

static json_t *workers(const struct admin *admin)
{
	const struct server *server = admin->server;
	json_t *items = json_array();

	for (size_t i = 0; i < server_worker_count(server); i++) {
		struct durations lags;
		struct stats stats;
		uint64_t busy_ns;
		char name[24];

		if (!server_worker_load(server, i, &lags, &busy_ns) ||
		    !server_worker_stats(server, i, &stats))
			continue;
		recent_cut(admin->recent, worker_name(i, name), &lags);
		json_array_append_new(items,
				      json_pack("{s:I, s:I, s:o, s:f}", "worker", (json_int_t)i,
						"connections", (json_int_t)stats.connections,
						"lag_p99_ms", quantile(&lags, 0.99), "busy_seconds",
						(double)busy_ns / (double)NS_PER_S));
	}
	return items;
}

/* --- what was lately --- */

struct noting {
	const struct admin *admin;
	uint64_t now_ns;
};

static void note_backend(void *arg, const struct event_backend *backend)
{
	const struct noting *noting = arg;
	struct backend_report report;

	backend->type->report(backend, &report);
	recent_note(noting->admin->recent, backend->name, &report.latency, noting->now_ns);
}

void overview_tick(const struct admin *admin)
{
	struct noting noting = {admin, clock_now_ns()};

	backends_each(server_backends(admin->server), note_backend, &noting);
	for (size_t i = 0; i < server_worker_count(admin->server); i++) {
		struct durations lags;
		uint64_t busy_ns;
		char name[24];

		if (server_worker_load(admin->server, i, &lags, &busy_ns))
			recent_note(admin->recent, worker_name(i, name), &lags, noting.now_ns);
	}
	recent_tick(admin->recent, noting.now_ns);
}

json_t *overview_json(const struct admin *admin)
{
	const struct server *server = admin->server;
	uint64_t uptime_ns = clock_now_ns() - server_started_ns(server);
	struct stats stats;
	json_t *problems;
	const char *status = health_judge(server, &problems);
	json_t *nodes = server_nodes_json(server);

	server_stats(server, &stats);
	return json_pack("{s:I, s:s, s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "at_ms", (json_int_t)(clock_wall_ns() / NS_PER_MS), "node",
			 server_node(server), "version", GATEHOUSE_VERSION, "uptime_seconds",
			 (json_int_t)(uptime_ns / NS_PER_S), "status", status, "problems", problems,
			 "totals", totals(admin, &stats), "refused", refusals(admin, &stats),
			 "closed", closes(admin, &stats), "routes", routes(admin), "backends",
			 backend_list(admin), "workers", workers(admin), "nodes",
			 nodes != NULL ? nodes : json_array());
}
