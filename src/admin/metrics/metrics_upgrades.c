/* SPDX-License-Identifier: Apache-2.0
 * metrics_upgrades.c - how often this gateway was handed over to a new process, and how that ended.
 */
#include "admin/admin.h"
#include "admin/upgrades.h"
#include "base/clock.h"
#include "base/metrics_text.h"

#define TOTAL "gatehouse_upgrades_total"
#define TOTAL_HELP                                                                           \
	"Live upgrades, by how they ended; counted on from process to process. Any outcome " \
	"but done: the old process serves on, and the log says why."
#define MOVED      "gatehouse_upgrades_moved_total"
#define MOVED_HELP "Connections that were handed over to a new process with them."
#define LAST       "gatehouse_upgrade_last_timestamp_seconds"
#define LAST_HELP \
	"When the last upgrade ended, well or not, since the epoch; absent: there was none."

void metrics_upgrades_write(struct upgrades *upgrades, struct buf *out)
{
	struct upgrades_facts facts = upgrades_facts(upgrades);

	metrics_print_head(out, TOTAL, "counter", TOTAL_HELP);
	for (unsigned i = 0; i < HANDOVER_OUTCOME_COUNT; i++)
		PRINT(out, TOTAL "{outcome=\"%s\"} %" PRIu64 "\n", handover_outcome_label(i),
		      facts.counts[i]);
	metrics_print_head(out, MOVED, "counter", MOVED_HELP);
	PRINT(out, MOVED " %" PRIu64 "\n", facts.moved);
	metrics_print_head(out, LAST, "gauge", LAST_HELP);
	if (facts.has_last)
		PRINT(out, LAST " %" PRIu64 "\n", facts.last_wall_ns / NS_PER_S);
}

void metrics_upgrades_print_reference(FILE *to)
{
	fputs("| `" TOTAL "` | counter | " TOTAL_HELP " |\n", to);
	fputs("| `" MOVED "` | counter | " MOVED_HELP " |\n", to);
	fputs("| `" LAST "` | gauge | " LAST_HELP " |\n", to);
}

void metrics_upgrades_print_outcomes(FILE *to)
{
	fputs("\n## Live upgrades: `" TOTAL "{outcome}`\n\n| outcome | meaning |\n| --- | --- |\n",
	      to);
	for (unsigned i = 0; i < HANDOVER_OUTCOME_COUNT; i++)
		fprintf(to, "| `%s` | %s |\n", handover_outcome_label(i), handover_outcome_help(i));
}
