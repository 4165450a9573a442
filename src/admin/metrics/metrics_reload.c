/* SPDX-License-Identifier: Apache-2.0
 * metrics_reload.c - which configuration is in force, and how often it was read again. */
#include <stdio.h>

#include "admin/admin.h"
#include "base/counter.h"
#include "base/metrics_text.h"
#include "server/reload.h"

#define OUTCOME_HELP(NAME, label, help) label " (" help "); "

/* X(name, type, help) */
#define RELOAD_METRICS(X)                                                                         \
	X(gatehouse_config_reloads_total, counter,                                                \
	  "Times that the configuration was read again, by outcome: " RELOAD_OUTCOME_TABLE(       \
		  OUTCOME_HELP) "the log and the answer say what and why.")                       \
	X(gatehouse_config_last_reload_timestamp_seconds, gauge,                                  \
	  "When the configuration was last read without a mistake, at the start or later, in "    \
	  "seconds since 1970.")                                                                  \
	X(gatehouse_config_info, gauge,                                                           \
	  "1. The label hash is that of the configuration in force, equal on all nodes that "     \
	  "have the same rules: count by (hash) of it finds those that differ.")                  \
	X(gatehouse_config_snapshots, gauge,                                                      \
	  "Configurations in memory: the one in force, and older ones by which clients that are " \
	  "there came in.")

#define HEAD(name, type, help) metrics_print_head(out, #name, #type, help);

void metrics_reload_write(const struct server *server, struct buf *out)
{
	const struct reload_stats *stats = server_reload_stats(server);
	struct ruleset *ruleset = server_ruleset(server);

#define WRITE_gatehouse_config_reloads_total                                               \
	for (unsigned i = 0; i < RELOAD_OUTCOME_COUNT; i++)                                \
		PRINT(out, "gatehouse_config_reloads_total{outcome=\"%s\"} %" PRIu64 "\n", \
		      reload_outcome_label(i), counter_read(&stats->outcomes[i]));
#define WRITE_gatehouse_config_last_reload_timestamp_seconds                       \
	PRINT(out, "gatehouse_config_last_reload_timestamp_seconds %" PRIu64 "\n", \
	      counter_read(&stats->reloaded_at_s));
#define WRITE_gatehouse_config_info \
	PRINT(out, "gatehouse_config_info{hash=\"%s\"} 1\n", ruleset->hash);
#define WRITE_gatehouse_config_snapshots \
	PRINT(out, "gatehouse_config_snapshots %" PRIu64 "\n", server_rulesets(server));
#define WRITE(name, type, help) HEAD(name, type, help) WRITE_##name
	RELOAD_METRICS(WRITE)
	ruleset_unref(&ruleset);
}

void metrics_reload_print_reference(FILE *to)
{
#define DOC(name, type, help) fputs("| `" #name "` | " #type " | " help " |\n", to);
	RELOAD_METRICS(DOC)
}
