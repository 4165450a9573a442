/* SPDX-License-Identifier: Apache-2.0
 * metrics_backends.c - numbers of each back end; the label is its name in the configuration. */
#include <stdio.h>

#include "admin/admin.h"
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
	const char *stats = (const char *)&backend->stats;

	PRINT(out, "%s{backend=\"%s\"} %" PRIu64 "\n", family->name, backend->base.name,
	      counter_read((const uint64_t *)(stats + family->number)));
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
