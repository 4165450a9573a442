/* SPDX-License-Identifier: Apache-2.0
 * metrics_access.c - lines of the access log. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/metrics_text.h"

/* X(name, type, help) */
#define ACCESS_METRICS(X)                                                                      \
	X(gatehouse_access_log_lines_total, counter, "Lines of the access log (log.access).")  \
	X(gatehouse_access_log_dropped_total, counter,                                         \
	  "Lines that it does not have, by `reason`: rate (log.access_rate), queue (the disk " \
	  "is too slow), disk (it cannot be written, or is full).")

#define HEAD(name, type, help) \
	static const char head_##name[] = "# HELP " #name " " help "\n# TYPE " #name " " #type "\n";
ACCESS_METRICS(HEAD)

void metrics_access_write(const struct server *server, struct buf *out)
{
	struct access_stats stats;

	server_access_stats(server, &stats);
	PRINT(out, "%sgatehouse_access_log_lines_total %" PRIu64 "\n",
	      head_gatehouse_access_log_lines_total, stats.written);
	PRINT(out, "%s", head_gatehouse_access_log_dropped_total);
	PRINT(out, "gatehouse_access_log_dropped_total{reason=\"rate\"} %" PRIu64 "\n",
	      stats.dropped_rate);
	PRINT(out, "gatehouse_access_log_dropped_total{reason=\"queue\"} %" PRIu64 "\n",
	      stats.dropped_queue);
	PRINT(out, "gatehouse_access_log_dropped_total{reason=\"disk\"} %" PRIu64 "\n",
	      stats.dropped_disk);
}

void metrics_access_print_reference(FILE *to)
{
#define DOC(name, type, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
	ACCESS_METRICS(DOC)
}
