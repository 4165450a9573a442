/* SPDX-License-Identifier: Apache-2.0
 * upgrades.h - handovers to a new process: who asked for one and waits, and how those so far ended.
 *
 * Layer: admin. The main thread makes them; whoever asks by the API is answered by way of the
 * loop that has the request. Any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/handover.h"

struct http_later;
struct upgrades;

/* NULL: memory is out. */
struct upgrades *upgrades_create(void);
/* NULL is fine. Nobody waits any more. */
void upgrades_destroy(struct upgrades **upgrades);

/* One is wanted: `later` is answered when it has ended. False: one is under way or asked for
 * already, or none can be made any more; the request stays the caller's. */
bool upgrades_ask(struct upgrades *upgrades, struct http_later *later);

/* In the main thread, about each, whoever asked. False: there can be none any more. */
bool upgrades_begin(struct upgrades *upgrades);
void upgrades_end(struct upgrades *upgrades, const struct handover_result *result);

/* This process has come by one, which brought so many connections: it counts that, and the one that
 * made it does not. */
void upgrades_came(struct upgrades *upgrades, uint64_t moved);

/* This process is about to end. */
void upgrades_close(struct upgrades *upgrades);

struct upgrades_facts {
	uint64_t counts[HANDOVER_OUTCOME_COUNT];
	bool has_last;
	struct handover_result last;
	uint64_t last_wall_ns; /* when it ended */
	bool is_under_way;
	uint64_t moved; /* connections, in all */
};
struct upgrades_facts upgrades_facts(struct upgrades *upgrades);
