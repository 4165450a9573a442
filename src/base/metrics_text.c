/* SPDX-License-Identifier: Apache-2.0 */
#include "base/metrics_text.h"

#include "base/counter.h"

static const char *comma(const char *labels)
{
	return labels[0] == 0 ? "" : ",";
}

/* What a histogram has beside its buckets. */
static void open_sample(struct buf *out, const char *name, const char *suffix, const char *labels)
{
	if (labels[0] == 0)
		PRINT(out, "%s_%s ", name, suffix);
	else
		PRINT(out, "%s_%s{%s} ", name, suffix, labels);
}

void metrics_print_head(struct buf *out, const char *name, const char *kind, const char *help)
{
	PRINT(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

void metrics_print_durations(struct buf *out, const char *name, const char *labels,
			     const struct durations *durations, const uint64_t *edges_us)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < DURATIONS_BUCKETS; i++) {
		sum += counter_read(&durations->count[i]);
		PRINT(out, "%s_bucket{%s%sle=\"", name, labels, comma(labels));
		if (i < DURATIONS_EDGES)
			PRINT(out, "%g\"} %" PRIu64 "\n", (double)edges_us[i] / 1e6, sum);
		else
			PRINT(out, "+Inf\"} %" PRIu64 "\n", sum);
	}
	open_sample(out, name, "sum", labels);
	PRINT(out, "%.6f\n", (double)counter_read(&durations->sum_us) / 1e6);
	open_sample(out, name, "count", labels);
	PRINT(out, "%" PRIu64 "\n", sum);
}
