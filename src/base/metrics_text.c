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

void metrics_print_number_head(struct buf *out, const struct metrics_number *number)
{
	metrics_print_head(out, number->name, number->kind, number->help);
}

void metrics_print_number(struct buf *out, const struct metrics_number *number, const char *label,
			  const char *value, const void *of)
{
	PRINT(out, "%s{%s=\"%s\"} %" PRIu64 "\n", number->name, label, value,
	      counter_at(of, number->place));
}

void metrics_print_numbers(struct buf *out, const struct metrics_number *numbers, size_t count,
			   const void *of)
{
	for (size_t i = 0; i < count; i++) {
		metrics_print_number_head(out, &numbers[i]);
		PRINT(out, "%s %" PRIu64 "\n", numbers[i].name, counter_at(of, numbers[i].place));
	}
}

void metrics_print_number_rows(FILE *to, const struct metrics_number *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(to, "| `%s` | %s | %s |\n", numbers[i].name, numbers[i].kind,
			numbers[i].help);
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
