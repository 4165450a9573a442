/* SPDX-License-Identifier: Apache-2.0
 * reload.h - other rules come in force, under open connections.
 *
 * Layer: server. In the main thread, which may block. Nothing is closed by it but what the rules
 * want closed: clients of routes that were taken out, with on_removed: close. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan;
struct ruleset;
struct server;
struct server_error;

/* First all that can fail is done: what the rules need is made, beside what there is. Then, and
 * only then, they are put in force: workers change over to them between two turns. What needs a
 * restart must be in `next` as it is (config_keep_restart). Takes over the reference of `next`,
 * also on failure. `plan` is of its configuration, and fits. 0, or -1 with *out_error, and nothing
 * has changed. */
int server_reload(struct server *server, struct ruleset *next, const struct plan *plan,
		  struct server_error *out_error);

/* Waits until all workers have changed over, but not for long. Returns how many have not. */
size_t server_reload_await(struct server *server);

/* --- how often, and how it went --- */

/* X(NAME, label, help) */
#define RELOAD_OUTCOME_TABLE(X)                                                          \
	X(CHANGED, "changed", "something is in force that was not before")               \
	X(SAME, "same", "nothing is different, or all that is needs a restart")          \
	X(REFUSED, "refused", "the configuration has mistakes, and nothing was changed") \
	X(FAILED, "failed",                                                              \
	  "something was missing here, such as memory, and nothing was "                 \
	  "changed")

#define RELOAD_OUTCOME_ENUM(NAME, ...) RELOAD_##NAME,
enum reload_outcome { RELOAD_OUTCOME_TABLE(RELOAD_OUTCOME_ENUM) RELOAD_OUTCOME_COUNT };

const char *reload_outcome_label(enum reload_outcome outcome);

/* Of this server; atomic. */
struct reload_stats {
	uint64_t outcomes[RELOAD_OUTCOME_COUNT];
	uint64_t reloaded_at_s; /* [s since 1970] the last time that all was read without a mistake
				 */
};

void server_count_reload(struct server *server, enum reload_outcome outcome);
const struct reload_stats *server_reload_stats(const struct server *server);

/* Now and then: ends what nobody holds any more, of rules and back ends that were in force. */
void server_reload_tick(struct server *server);
