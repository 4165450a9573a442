/* SPDX-License-Identifier: Apache-2.0
 * drain_plan.h - which client is let go when.
 *
 * Layer: server. Pure: no clock, no I/O. Nothing is kept of a client. Its place in the order
 * follows from its connection id by a keyed hash, and its time from its place: so the order is at
 * random over the clients, each worker goes through its own without asking the others, and all of
 * them together keep the pace. Whoever leaves by himself leaves a gap at a random place, so that
 * those who are left are still spread evenly over the time that is left. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/siphash.h"
#include "fleet/group/group_registry.h"
#include "session/presence.h"

/* Whom it is about; "" and 100 percent: all. */
struct drain_scope {
	char route[PRESENCE_ROUTE_MAX + 1];
	char group[GROUP_NAME_MAX + 1];
	unsigned percent; /* 1..100, of them */
};

bool drain_scope_is_full(const struct drain_scope *scope);
bool drain_scope_is_same(const struct drain_scope *one, const struct drain_scope *other);

/* Copied freely. */
struct drain_plan {
	struct drain_scope scope;
	struct siphash_key key; /* of the order */
	uint64_t last_id;       /* whoever came later is not meant */
	uint64_t begin_ns;      /* of clock_now_ns, as the next: the first close */
	uint64_t end_ns;        /* the last */
	uint64_t patience_ns;   /* for a client with something under way, from its turn on */
	uint64_t retry_after_s; /* the most of N */
	uint32_t from;          /* the place whose turn is at begin_ns */
};

/* A new order, by `random`. */
void drain_plan_init(struct drain_plan *plan, const struct drain_scope *scope,
		     struct random_source *random);

/* Its place in the order. False: by its number it is not meant; the rest of the scope is the
 * caller's to judge. */
bool drain_plan_place(const struct drain_plan *plan, uint64_t connection_id, uint32_t *out_place);

/* [ns] When it is the turn of this place. */
uint64_t drain_plan_due_ns(const struct drain_plan *plan, uint32_t place);

/* From now on the rest is spread over `over_ns`, in the same order. */
void drain_plan_pace(struct drain_plan *plan, uint64_t now_ns, uint64_t over_ns);
