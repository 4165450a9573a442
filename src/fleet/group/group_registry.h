/* SPDX-License-Identifier: Apache-2.0
 * group_registry.h - which groups have members on this node, and how many.
 *
 * Layer: fleet. Thread-safe: one lock, held for one member that comes or goes, or for one
 * page of the list; messages do not touch it. Who the members are only their workers know
 * (groups.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define GROUP_NAME_MAX 64 /* [bytes] */

#define GROUP_NAME_ALLOWED "1..64 letters, digits and any of '_.-'"
bool group_name_is_good(struct slice name);

struct group_registry;

/* NULL: memory is out. */
struct group_registry *group_registry_create(size_t groups_max);

/* Must be empty. NULL is fine; the pointer is cleared. */
void group_registry_destroy(struct group_registry **registry);

/* From any thread. Groups that are there stay, also if they are more. */
void group_registry_set_max(struct group_registry *registry, size_t groups_max);

/* One member more. 0; -ENOSPC: it would be the first member of one group too many; -ENOMEM. */
int group_registry_enter(struct group_registry *registry, const char *name);

/* Likewise, but there is no group too many: its members were let in by another process. 0 or
 * -ENOMEM. */
int group_registry_restore(struct group_registry *registry, const char *name);
void group_registry_leave(struct group_registry *registry, const char *name);

struct group_facts {
	char name[GROUP_NAME_MAX + 1];
	uint64_t members;
};

/* Fills `out` with up to `limit` (> 0) groups behind the name `after`, "" is before all, in
 * the order of their names, and returns how many. *out_is_end: there is none behind them. */
size_t group_registry_list(struct group_registry *registry, const char *after,
			   struct group_facts *out, size_t limit, bool *out_is_end);

struct group_totals {
	uint64_t groups;
	uint64_t members; /* a client counts once for each of its groups */
	uint64_t refused; /* joins, for max_groups */
};

void group_registry_totals(struct group_registry *registry, struct group_totals *out_totals);
