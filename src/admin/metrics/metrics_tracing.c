/* SPDX-License-Identifier: Apache-2.0
 * metrics_tracing.c - spans, and what became of them. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/counter.h"
#include "base/metrics_text.h"
#include "trace/tracer.h"

/* X(name, type, help) */
#define TRACING_METRICS(X)                                                                        \
	X(gatehouse_tracing_spans_exported_total, counter, "Spans that the collector has taken.") \
	X(gatehouse_tracing_spans_dropped_total, counter,                                         \
	  "Spans that never got to the collector, by `reason`: docs/tracing.md.")                 \
	X(gatehouse_tracing_requests_total, counter,                                              \
	  "Requests to the collector, by `outcome`: ok, or failed, as far as it is known.")       \
	X(gatehouse_tracing_queue_spans, gauge, "Spans that wait for the collector.")             \
	X(gatehouse_tracing_queue_bytes, gauge, "What they take of tracing.queue_max.")

#define HEAD(name, type, help) \
	static const char head_##name[] = "# HELP " #name " " help "\n# TYPE " #name " " #type "\n";
TRACING_METRICS(HEAD)

static void one(struct buf *out, const char *head, const char *name, const uint64_t *value)
{
	PRINT(out, "%s%s %" PRIu64 "\n", head, name, counter_read(value));
}

static void requests(struct buf *out, const struct trace_stats *stats)
{
	uint64_t failed = counter_read(&stats->failures), all = counter_read(&stats->requests);

	PRINT(out, "%s", head_gatehouse_tracing_requests_total);
	PRINT(out, "gatehouse_tracing_requests_total{outcome=\"ok\"} %" PRIu64 "\n",
	      all > failed ? all - failed : 0);
	PRINT(out, "gatehouse_tracing_requests_total{outcome=\"failed\"} %" PRIu64 "\n", failed);
}

void metrics_tracing_write(const struct server *server, struct buf *out)
{
	const struct trace_stats *stats = server_trace_stats(server);

	one(out, head_gatehouse_tracing_spans_exported_total,
	    "gatehouse_tracing_spans_exported_total", &stats->exported);
	PRINT(out, "%s", head_gatehouse_tracing_spans_dropped_total);
	for (size_t i = 0; i < TRACE_DROP_COUNT; i++)
		PRINT(out, "gatehouse_tracing_spans_dropped_total{reason=\"%s\"} %" PRIu64 "\n",
		      trace_drop_label(i), counter_read(&stats->dropped[i]));
	requests(out, stats);
	one(out, head_gatehouse_tracing_queue_spans, "gatehouse_tracing_queue_spans",
	    &stats->queue_spans);
	one(out, head_gatehouse_tracing_queue_bytes, "gatehouse_tracing_queue_bytes",
	    &stats->queue_bytes);
}

void metrics_tracing_print_reference(FILE *to)
{
#define DOC(name, type, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
	TRACING_METRICS(DOC)
}
