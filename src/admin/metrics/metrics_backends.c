/* SPDX-License-Identifier: Apache-2.0
 * metrics_backends.c - numbers of each back end; the label is its name in the configuration. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/metrics_text.h"

/* --- what all types have --- */

static void events(struct buf *out, const struct backend_family *family,
		   const struct event_backend *backend)
{
	for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++)
		for (unsigned outcome = 0; outcome < EVENT_OUTCOME_COUNT; outcome++)
			if (backend->type->can_end(type, outcome))
				PRINT(out,
				      "%s{backend=\"%s\",type=\"%s\",outcome=\"%s\"} %" PRIu64 "\n",
				      family->name, backend->base.name, event_type_label(type),
				      event_outcome_label(outcome),
				      counter_read(&backend->stats.events[type][outcome]));
}

/* `number` is the place of the counter in struct backend_stats. */
static void plain(struct buf *out, const struct backend_family *family,
		  const struct event_backend *backend)
{
	PRINT(out, "%s{backend=\"%s\"} %" PRIu64 "\n", family->name, backend->base.name,
	      counter_at(&backend->stats, family->number));
}

static void report_of(const struct event_backend *backend, struct backend_report *out_report)
{
	*out_report = (struct backend_report){0};
	backend->type->report(backend, out_report);
}

/* `number` is the place of the counter in struct backend_report. */
static void reported(struct buf *out, const struct backend_family *family,
		     const struct event_backend *backend)
{
	struct backend_report report;

	report_of(backend, &report);
	PRINT(out, "%s{backend=\"%s\"} %" PRIu64 "\n", family->name, backend->base.name,
	      counter_at(&report, family->number));
}

static void failures(struct buf *out, const struct backend_family *family,
		     const struct event_backend *backend)
{
	struct backend_report report;

	report_of(backend, &report);
	for (size_t i = 0; i < report.cause_count; i++)
		PRINT(out, "%s{backend=\"%s\",cause=\"%s\"} %" PRIu64 "\n", family->name,
		      backend->base.name, report.causes[i], report.failures[i]);
}

static void latency(struct buf *out, const struct backend_family *family,
		    const struct event_backend *backend)
{
	struct backend_report report;
	char labels[CONFIG_TEXT_MAX + 16];

	report_of(backend, &report);
	snprintf(labels, sizeof(labels), "backend=\"%s\"", backend->base.name);
	metrics_print_durations(out, family->name, labels, &report.latency, durations_short_us);
}

static void oldest(struct buf *out, const struct backend_family *family,
		   const struct event_backend *backend)
{
	PRINT(out, "%s{backend=\"%s\"} %.3f\n", family->name, backend->base.name,
	      (double)event_backend_oldest_ns(backend, clock_wall_ns()) / (double)NS_PER_S);
}

static const struct backend_family common[] = {
	{"gatehouse_backend_events_total", "counter",
	 "Events that are done with, by type and outcome: delivered; refused (4xx, or larger than "
	 "the "
	 "broker takes, or forbidden by its permissions); answer_too_big (over answer_max); "
	 "answer_unreadable (its Content-Encoding cannot be undone); answer_malformed (no good "
	 "list "
	 "of actions: nothing of it was done); unconfirmed (type nats: on "
	 "its "
	 "way when the broker was lost, which may have it); dropped (on_failure: close, or at the "
	 "end).",
	 events, 0},
	{"gatehouse_backend_events_waiting", "gauge",
	 "Events not yet done with, those under way included.", plain,
	 offsetof(struct backend_stats, waiting)},
	{"gatehouse_backend_pending_bytes", "gauge",
	 "What these cost. At backends[].pending_max no further clients are let in.", plain,
	 offsetof(struct backend_stats, pending_bytes)},
	{"gatehouse_backend_calls_unanswered_total", "counter",
	 "Calls of clients (rpc: ocpp-j) that had no answer within routes[].answer_timeout.", plain,
	 offsetof(struct backend_stats, unanswered)},
	{"gatehouse_backend_oldest_event_seconds", "gauge",
	 "Age of the oldest event not yet done with, since the client sent it; 0: none waits. "
	 "Rising: nothing gets through.",
	 oldest, 0},
	{"gatehouse_backend_attempts_total", "counter",
	 "Requests to the back end; of type nats what is published, and questions.", reported,
	 offsetof(struct backend_report, attempts)},
	{"gatehouse_backend_retries_total", "counter",
	 "Of them, those that were not the first for their event.", reported,
	 offsetof(struct backend_report, retries)},
	{"gatehouse_backend_in_flight", "gauge",
	 "Requests under way. At max_in_flight for long: the back end is the bottleneck.", reported,
	 offsetof(struct backend_report, in_flight)},
	{"gatehouse_backend_failures_total", "counter",
	 "Attempts, and events without one, that did not end well, by cause.", failures, 0},
	{"gatehouse_backend_request_duration_seconds", "histogram",
	 "Of one attempt: from the request to the end of the answer; of type nats to the word of "
	 "the stream (durable), or to the answer of who decides.",
	 latency, 0},
};

/* --- all of them --- */

struct page {
	struct buf *out;
	const struct backend_family *family;
	const struct backend_type *type; /* NULL: of all types */
};

static void write_one(void *arg, const struct event_backend *backend)
{
	const struct page *page = arg;

	if (page->type == NULL || backend->type == page->type)
		page->family->write(page->out, page->family, backend);
}

/* One family, of all back ends; of a type alone, if one is given. */
static void family_write(const struct server *server, struct buf *out,
			 const struct backend_family *family, const struct backend_type *type)
{
	struct page page = {out, family, type};

	metrics_print_head(out, family->name, family->kind, family->help);
	backends_each(server_backends(server), write_one, &page);
}

void metrics_backends_write(const struct server *server, struct buf *out)
{
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		family_write(server, out, &common[i], NULL);
	for (size_t t = 0; t < BACKEND_TYPE_COUNT; t++)
		for (size_t i = 0; i < backend_types[t]->family_count; i++)
			family_write(server, out, &backend_types[t]->families[i], backend_types[t]);
}

static void family_print(FILE *to, const struct backend_family *family)
{
	fprintf(to, "| `%s` | %s | %s |\n", family->name, family->kind, family->help);
}

void metrics_backends_print_reference(FILE *to)
{
	for (size_t i = 0; i < ARRAY_LEN(common); i++)
		family_print(to, &common[i]);
	for (size_t t = 0; t < BACKEND_TYPE_COUNT; t++)
		for (size_t i = 0; i < backend_types[t]->family_count; i++)
			family_print(to, &backend_types[t]->families[i]);
}
