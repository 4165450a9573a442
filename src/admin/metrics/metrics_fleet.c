/* SPDX-License-Identifier: Apache-2.0
 * metrics_fleet.c - what was asked of clients. */
#include "admin/admin.h"
#include "base/metrics_text.h"
#include "base/counter.h"
#include "fleet/command/command.h"

#define NAME "gatehouse_commands_total"
#define HELP                                                                               \
	"What was asked of clients, by the API or over the bus; on the node that has the " \
	"client, or, if none has, on the one that was asked. Outcomes: done; "             \
	"not_connected; refused (the request was wrong, or the client could not take "     \
	"it); timed_out; failed (memory was out, or the broker away)."

void metrics_fleet_write(const struct server *server, struct buf *out)
{
	struct command_stats *stats = server_fleet(server)->commands;
	const struct command_kind *kind;

	PRINT(out, "# HELP %s %s\n# TYPE %s counter\n", NAME, HELP, NAME);
	for (size_t i = 0; (kind = command_kind_at(i)) != NULL; i++)
		for (unsigned outcome = 0; outcome < COMMAND_OUTCOME_COUNT; outcome++)
			PRINT(out, NAME "{command=\"%s\",outcome=\"%s\"} %" PRIu64 "\n", kind->name,
			      command_outcome_label(outcome),
			      counter_read(&stats->ended[i][outcome]));
}

void metrics_fleet_print_reference(FILE *to)
{
	fputs("| `" NAME "` | counter | " HELP " |\n", to);
}
