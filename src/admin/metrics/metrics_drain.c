/* SPDX-License-Identifier: Apache-2.0
 * metrics_drain.c - how far a drain is, and whether every loop turns. */
#include "admin/admin.h"
#include "base/clock.h"
#include "base/metrics_text.h"
#include "server/server_drain.h"
#include "server/server_turns.h"

#define TOTAL "gatehouse_drains_total"
#define TOTAL_HELP \
	"Drains, by what became of them: started, done (nobody is left whom it meant), cancelled."
#define ACTIVE      "gatehouse_drain_active"
#define ACTIVE_HELP "1 from the order of a drain to its end, its delay included; else 0."
#define LEFT        "gatehouse_drain_clients_left"
#define LEFT_HELP   "Connected clients that the drain under way is yet to let go; 0 without one."
#define BUSY        "gatehouse_drain_clients_busy"
#define BUSY_HELP                                                                          \
	"Of them, those whose turn has come, and that have a message, an event or a call " \
	"under way."
#define ETA      "gatehouse_drain_seconds_left"
#define ETA_HELP "From now, until the drain under way lets the last client go; 0 without one."
#define HANGS    "gatehouse_loop_hangs_seconds"
#define HANGS_HELP                                                                          \
	"For how long a loop, of a worker or of the admin listener, has not turned; 0: it " \
	"turns. Not 0: restart, whoever is in it is not served."

static void hangs_write(const struct server *server, struct buf *out)
{
	char name[SERVER_LOOP_NAME_MAX];

	metrics_print_head(out, HANGS, "gauge", HANGS_HELP);
	for (size_t i = 0; i <= server_worker_count(server); i++)
		PRINT(out, HANGS "{loop=\"%s\"} %.3f\n", server_loop_name(server, i, name),
		      (double)server_hangs_ns(server, i) / (double)NS_PER_S);
}

void metrics_drain_write(const struct server *server, struct buf *out)
{
	struct server_drain_counts counts = server_drain_counts(server);
	struct server_drain_report report;

	server_drain_report(server, &report);
	bool is_on = report.state == DRAIN_WAITING || report.state == DRAIN_UNDER_WAY;

	metrics_print_head(out, TOTAL, "counter", TOTAL_HELP);
	PRINT(out, TOTAL "{outcome=\"started\"} %" PRIu64 "\n", counts.started);
	PRINT(out, TOTAL "{outcome=\"done\"} %" PRIu64 "\n", counts.done);
	PRINT(out, TOTAL "{outcome=\"cancelled\"} %" PRIu64 "\n", counts.cancelled);
	metrics_print_head(out, ACTIVE, "gauge", ACTIVE_HELP);
	PRINT(out, ACTIVE " %d\n", is_on);
	metrics_print_head(out, LEFT, "gauge", LEFT_HELP);
	PRINT(out, LEFT " %" PRIu64 "\n", is_on ? report.left : 0);
	metrics_print_head(out, BUSY, "gauge", BUSY_HELP);
	PRINT(out, BUSY " %" PRIu64 "\n", is_on ? report.busy : 0);
	metrics_print_head(out, ETA, "gauge", ETA_HELP);
	PRINT(out, ETA " %.3f\n", (double)report.eta_ns / (double)NS_PER_S);
	hangs_write(server, out);
}

void metrics_drain_print_reference(FILE *to)
{
	fputs("| `" TOTAL "` | counter | " TOTAL_HELP " |\n"
	      "| `" ACTIVE "` | gauge | " ACTIVE_HELP " |\n"
	      "| `" LEFT "` | gauge | " LEFT_HELP " |\n"
	      "| `" BUSY "` | gauge | " BUSY_HELP " |\n"
	      "| `" ETA "` | gauge | " ETA_HELP " |\n"
	      "| `" HANGS "` | gauge | " HANGS_HELP " |\n",
	      to);
}
