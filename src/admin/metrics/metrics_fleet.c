/* SPDX-License-Identifier: Apache-2.0
 * metrics_fleet.c - what was asked of clients. */
#include "admin/admin.h"
#include "base/metrics_text.h"
#include "base/counter.h"
#include "fleet/actions/action_table.h"
#include "fleet/command/command.h"

#define NAME "gatehouse_commands_total"
#define HELP                                                                               \
	"What was asked of clients, by the API or over the bus; on the node that has the " \
	"client, or, if none has, on the one that was asked. Outcomes: done; "             \
	"not_connected; refused (the request was wrong, or the client could not take "     \
	"it); timed_out; failed (memory was out, or the broker away)."

#define ACTIONS_NAME "gatehouse_actions_total"
#define ACTIONS_HELP                                                                           \
	"Actions on clients, in answers of back ends to events and by the command `actions`. " \
	"Outcomes: done; failed (the log of an answer's, or the command's result, says why)."

static void actions_write(const struct action_stats *stats, struct buf *out)
{
	PRINT(out, "# HELP %s %s\n# TYPE %s counter\n", ACTIONS_NAME, ACTIONS_HELP, ACTIONS_NAME);
	for (unsigned kind = 0; kind < ACTION_KIND_COUNT; kind++) {
		PRINT(out, ACTIONS_NAME "{action=\"%s\",outcome=\"done\"} %" PRIu64 "\n",
		      action_name(kind), counter_read(&stats->done[kind]));
		PRINT(out, ACTIONS_NAME "{action=\"%s\",outcome=\"failed\"} %" PRIu64 "\n",
		      action_name(kind), counter_read(&stats->failed[kind]));
	}
}

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
	actions_write(server_fleet(server)->actions, out);
}

void metrics_fleet_print_reference(FILE *to)
{
	fputs("| `" NAME "` | counter | " HELP " |\n", to);
	fputs("| `" ACTIONS_NAME "` | counter | " ACTIONS_HELP " |\n", to);
}
