/* SPDX-License-Identifier: Apache-2.0
 * metrics_backends.c - numbers of each back end; the label is its name in the configuration. */
#include <stdio.h>

#include "admin/admin.h"
#include "admin/metrics/metrics_page.h"
#include "base/check.h"
#include "base/counter.h"

/* clang-format off */

/* One sample for each back end of type webhook. X(name, type, field of struct webhook_stats, help) */
#define PLAIN_METRICS(X)                                                                       \
	X(gatehouse_backend_attempts_total, counter, attempts, "Requests to the back end.")    \
	X(gatehouse_backend_retries_total, counter, retries,                                   \
	  "Of them, those that were not the first for their event.")                           \
	X(gatehouse_backend_in_flight, gauge, in_flight,                                       \
	  "Requests under way. At max_in_flight for long: the back end is the bottleneck.")    \
	X(gatehouse_backend_breaker_state, gauge, breaker_state,                               \
	  "0: all requests go out. 1: none, because too many failed. 2: probes only.")         \
	X(gatehouse_backend_breaker_opens_total, counter, breaker_opens,                       \
	  "Times that requests were stopped.")                                                 \
	X(gatehouse_backend_connections_opened_total, counter, connections_opened,             \
	  "Connections made to it. Nearly as many as attempts: it does not keep them open.")

/* X(name, type, help) */
#define OTHER_METRICS(X)                                                                       \
	X(gatehouse_backend_events_total, counter,                                             \
	  "Events that are done with, by type and outcome: delivered;refused (4xx, or "       \
	  "larger than the broker takes, or forbidden by its permissions); answer_too_big (over answer_max); "                  \
"answer_unreadable (its Content-Encoding cannot be undone); unconfirmed (type nats: "  \
	  "on its way when the broker was lost, which may have it); dropped "                \
	  "(on_failure: close, or at the end).")                                               \
	X(gatehouse_backend_events_waiting, gauge,                                             \
	  "Events not yet done with, those under way included.")                               \
	X(gatehouse_backend_pending_bytes, gauge,                                              \
	  "What these cost. At backends[].pending_max no further clients are let in.")          \
	X(gatehouse_backend_calls_unanswered_total, counter,                                   \
	  "Calls of clients (rpc: ocpp-j) that had no answer within routes[].answer_timeout.") \
	X(gatehouse_backend_failures_total, counter,                                           \
	  "Attempts, and events without one, that did not end with 2xx, by cause.")            \
	X(gatehouse_backend_request_duration_seconds, histogram,                               \
	  "Of one attempt, from the request to the end of the answer.")
/* clang-format on */

struct row {
	const char *name;
	struct event_backend *backend;
	bool is_webhook;
	struct webhook_stats stats; /* of a webhook */
};

/* What all families are written from: each back end is read once. */
struct rows {
	size_t count;
	struct row items[];
};

static struct rows *rows_read(const struct server *server)
{
	const struct backends *backends = server_backends(server);
	size_t count = backends_count(backends);
	struct rows *rows = malloc(sizeof(*rows) + count * sizeof(rows->items[0]));

	if (rows == NULL)
		return NULL;
	rows->count = count;
	for (size_t i = 0; i < count; i++) {
		struct row *row = &rows->items[i];

		row->backend = backends_at(backends, i);
		row->name = row->backend->base.name;
		const struct backend_webhook *hook = backend_webhook_of(row->backend);

		row->is_webhook = hook != NULL;
		if (hook != NULL)
			webhook_stats_read(hook->webhook, &row->stats);
	}
	return rows;
}

#define HEAD(out, name, type, help) \
	PRINT(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type)

/* Only answers to messages are passed on, and only a broker leaves one in doubt. */
static bool can_end(const struct row *row, enum event_type type, enum event_outcome outcome)
{
	if (outcome == EVENT_ANSWER_TOO_BIG || outcome == EVENT_ANSWER_UNREADABLE)
		return row->is_webhook && type == EVENT_MESSAGE;
	return outcome != EVENT_UNCONFIRMED || !row->is_webhook;
}

static void events(struct buf *out, const struct row *row)
{
	struct backend_stats *stats = &row->backend->stats;

	for (unsigned type = 0; type < EVENT_TYPE_COUNT; type++)
		for (unsigned outcome = 0; outcome < EVENT_OUTCOME_COUNT; outcome++)
			if (can_end(row, type, outcome))
				PRINT(out,
				      "gatehouse_backend_events_total{backend=\"%s\",type=\"%s\","
				      "outcome=\"%s\"} %" PRIu64 "\n",
				      row->name, event_type_label(type),
				      event_outcome_label(outcome),
				      counter_read(&stats->events[type][outcome]));
}

static void waiting(struct buf *out, const struct row *row)
{
	PRINT(out, "gatehouse_backend_events_waiting{backend=\"%s\"} %" PRIu64 "\n", row->name,
	      counter_read(&row->backend->stats.waiting));
}

static void pending(struct buf *out, const struct row *row)
{
	PRINT(out, "gatehouse_backend_pending_bytes{backend=\"%s\"} %" PRIu64 "\n", row->name,
	      counter_read(&row->backend->stats.pending_bytes));
}

static void unanswered(struct buf *out, const struct row *row)
{
	PRINT(out, "gatehouse_backend_calls_unanswered_total{backend=\"%s\"} %" PRIu64 "\n",
	      row->name, counter_read(&row->backend->stats.unanswered));
}

static void failures(struct buf *out, const struct row *row)
{
	if (!row->is_webhook)
		return;
	for (unsigned cause = WEBHOOK_CAUSE_NONE + 1; cause < WEBHOOK_CAUSE_COUNT; cause++)
		PRINT(out,
		      "gatehouse_backend_failures_total{backend=\"%s\",cause=\"%s\"} %" PRIu64 "\n",
		      row->name, webhook_cause_label(cause), row->stats.failures[cause]);
}

static void durations(struct buf *out, const struct row *row)
{
	char labels[CONFIG_TEXT_MAX + 16];

	if (!row->is_webhook)
		return;
	snprintf(labels, sizeof(labels), "backend=\"%s\"", row->name);
	metrics_print_durations(out, "gatehouse_backend_request_duration_seconds", labels,
				&row->stats.durations, durations_short_us);
}

static void family(struct buf *out, const struct rows *rows,
		   void (*write)(struct buf *out, const struct row *row))
{
	for (size_t i = 0; i < rows->count; i++)
		write(out, &rows->items[i]);
}

static void (*const writers[])(struct buf *out, const struct row *row) = {
	events, waiting, pending, unanswered, failures, durations};

void metrics_backends_write(const struct server *server, struct buf *out)
{
	struct rows *rows = rows_read(server);
	size_t next = 0;

	if (rows == NULL)
		return;
#define PLAIN_WRITE(metric, type, field, help)                                                    \
	HEAD(out, #metric, #type, help);                                                          \
	for (size_t i = 0; i < rows->count; i++)                                                  \
		if (rows->items[i].is_webhook)                                                    \
			PRINT(out, #metric "{backend=\"%s\"} %" PRIu64 "\n", rows->items[i].name, \
			      (uint64_t)rows->items[i].stats.field);
	PLAIN_METRICS(PLAIN_WRITE)
#define OTHER_WRITE(metric, type, help)  \
	HEAD(out, #metric, #type, help); \
	family(out, rows, writers[next++]);
	OTHER_METRICS(OTHER_WRITE)
	CHECK(next == ARRAY_LEN(writers));
	free(rows);
}

void metrics_backends_print_reference(FILE *to)
{
#define PLAIN_DOC(name, type, field, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
#define OTHER_DOC(name, type, help)        fputs("| `" #name "` | " #type " | " help " |\n", to);
	PLAIN_METRICS(PLAIN_DOC)
	OTHER_METRICS(OTHER_DOC)
}
