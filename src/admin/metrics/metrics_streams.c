/* SPDX-License-Identifier: Apache-2.0
 * metrics_streams.c - event streams of the API. */
#include "admin/admin.h"
#include "admin/stream/streams.h"
#include "base/check.h"
#include "base/metrics_text.h"

/* Of struct streams_stats. */
static const struct metrics_number numbers[] = {
	{"gatehouse_streams", "gauge",
	 "Event streams of the API (GET /api/v1/stream) that are open; at most "
	 "admin.streams_max.",
	 offsetof(struct streams_stats, open)},
	{"gatehouse_streams_refused_total", "counter",
	 "Those that got 503 because admin.streams_max were open.",
	 offsetof(struct streams_stats, refused)},
	{"gatehouse_stream_events_total", "counter", "Events that they were told.",
	 offsetof(struct streams_stats, events)},
};

static const char head_dropped[] = "gatehouse_stream_dropped_total";
static const char help_dropped[] =
	"What streams were not told: messages beyond the sample that was asked for, and messages "
	"and "
	"lines of the log that a slow reader did not take in time. Each stream is told how many.";
static const char head_ended[] = "gatehouse_streams_ended_total";
static const char help_ended[] = "Event streams that have ended, by reason.";

void metrics_streams_write(const struct admin *admin, struct buf *out)
{
	struct streams_stats stats;

	streams_stats(admin->api.streams, &stats);
	metrics_print_numbers(out, numbers, ARRAY_LEN(numbers), &stats);
	metrics_print_head(out, head_dropped, "counter", help_dropped);
	PRINT(out, "%s{of=\"message\"} %" PRIu64 "\n", head_dropped, stats.dropped_messages);
	PRINT(out, "%s{of=\"log\"} %" PRIu64 "\n", head_dropped, stats.dropped_lines);
	metrics_print_head(out, head_ended, "counter", help_ended);
	for (unsigned i = 0; i < STREAM_END_COUNT; i++)
		PRINT(out, "%s{reason=\"%s\"} %" PRIu64 "\n", head_ended, stream_end_label(i),
		      stats.ended[i]);
}

void metrics_streams_print_reference(FILE *to)
{
	metrics_print_number_rows(to, numbers, ARRAY_LEN(numbers));
	fprintf(to, "| `%s` | counter | %s |\n", head_dropped, help_dropped);
	fprintf(to, "| `%s` | counter | %s |\n", head_ended, help_ended);
}
