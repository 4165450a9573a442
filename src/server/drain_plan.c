/* SPDX-License-Identifier: Apache-2.0 */
#include "server/drain_plan.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"

bool drain_scope_is_full(const struct drain_scope *scope)
{
	return scope->route[0] == 0 && scope->group[0] == 0 && scope->percent == 100;
}

bool drain_scope_is_same(const struct drain_scope *one, const struct drain_scope *other)
{
	return strcmp(one->route, other->route) == 0 && strcmp(one->group, other->group) == 0 &&
	       one->percent == other->percent;
}

void drain_plan_init(struct drain_plan *plan, const struct drain_scope *scope,
		     struct random_source *random)
{
	CHECK(scope->percent >= 1 && scope->percent <= 100);
	*plan = (struct drain_plan){.scope = *scope, .last_id = UINT64_MAX};
	random_fill(random, &plan->key, sizeof(plan->key));
}

/* Places are 0..places_of - 1: those of 20 percent are a fifth of all that there are. */
static uint32_t places_of(const struct drain_plan *plan)
{
	return (uint32_t)((uint64_t)UINT32_MAX * plan->scope.percent / 100);
}

bool drain_plan_place(const struct drain_plan *plan, uint64_t connection_id, uint32_t *out_place)
{
	uint64_t hash = siphash(&plan->key, slice_of(&connection_id, sizeof(connection_id)));
	uint32_t place = (uint32_t)(hash >> 32);

	if (connection_id > plan->last_id ||
	    (place >= places_of(plan) && plan->scope.percent < 100))
		return false;
	*out_place = place;
	return true;
}

/* In ms, so that the product of a place and a time fits. */
static uint64_t span_ms(const struct drain_plan *plan)
{
	CHECK(plan->end_ns >= plan->begin_ns);
	return (plan->end_ns - plan->begin_ns) / NS_PER_MS;
}

uint64_t drain_plan_due_ns(const struct drain_plan *plan, uint32_t place)
{
	uint64_t rest = places_of(plan) - plan->from;

	if (place <= plan->from || rest == 0)
		return plan->begin_ns;
	return plan->begin_ns + (place - plan->from) * span_ms(plan) / rest * NS_PER_MS;
}

/* Whose turn it is now. */
static uint32_t place_at(const struct drain_plan *plan, uint64_t now_ns)
{
	uint64_t rest = places_of(plan) - plan->from, span = span_ms(plan);

	if (now_ns <= plan->begin_ns)
		return plan->from;
	uint64_t passed = (now_ns - plan->begin_ns) / NS_PER_MS;

	return passed >= span ? places_of(plan) : plan->from + (uint32_t)(rest * passed / span);
}

void drain_plan_pace(struct drain_plan *plan, uint64_t now_ns, uint64_t over_ns)
{
	plan->from = place_at(plan, now_ns);
	plan->begin_ns = now_ns > plan->begin_ns ? now_ns : plan->begin_ns;
	plan->end_ns = plan->begin_ns + over_ns;
}
