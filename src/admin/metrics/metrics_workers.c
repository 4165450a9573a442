/* SPDX-License-Identifier: Apache-2.0
 * metrics_workers.c - how much each worker has to do. */
#include "admin/admin.h"
#include "base/clock.h"
#include "base/metrics_text.h"

#define LAG "gatehouse_loop_lag_seconds"
#define LAG_HELP                                                                             \
	"How long what was ready in a worker waited until it was dealt with: from the wait " \
	"that told of it until all that was ready then had its turn. Over 0.1 for long: "    \
	"the worker has more to do than it can."

#define BUSY "gatehouse_loop_busy_seconds_total"
#define BUSY_HELP                                                                            \
	"CPU time of each worker's thread, user and system; its rate is the share of a CPU " \
	"that the worker is busy. Near 1: more workers or more nodes are needed."

struct load {
	struct durations lags;
	uint64_t busy_ns;
};

static void lag_write(struct buf *out, const char *labels, const struct load *load)
{
	metrics_print_durations(out, LAG, labels, &load->lags, durations_short_us);
}

static void busy_write(struct buf *out, const char *labels, const struct load *load)
{
	PRINT(out, BUSY "{%s} %.6f\n", labels, (double)load->busy_ns / (double)NS_PER_S);
}

static void each(const struct server *server, struct buf *out,
		 void (*write)(struct buf *out, const char *labels, const struct load *load))
{
	for (size_t i = 0; i < server_worker_count(server); i++) {
		struct load load;
		char labels[40];

		snprintf(labels, sizeof(labels), "worker=\"%zu\"", i);
		if (server_worker_load(server, i, &load.lags, &load.busy_ns))
			write(out, labels, &load);
	}
}

void metrics_workers_write(const struct server *server, struct buf *out)
{
	metrics_print_head(out, LAG, "histogram", LAG_HELP);
	each(server, out, lag_write);
	metrics_print_head(out, BUSY, "counter", BUSY_HELP);
	each(server, out, busy_write);
}

void metrics_workers_print_reference(FILE *to)
{
	fputs("| `" LAG "` | histogram | " LAG_HELP " |\n"
	      "| `" BUSY "` | counter | " BUSY_HELP " |\n",
	      to);
}
