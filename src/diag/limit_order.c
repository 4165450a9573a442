/* SPDX-License-Identifier: Apache-2.0
 * limit_order.c - which limit binds, and which would be next. */
#include "base/check.h"
#include "diag/limits.h"

/* What the order goes by; `auto` comes behind what it was taken from. */
static uint64_t sort_key(const struct limits *limits, enum limit_id id)
{
	uint64_t connections = limits->rows[id].connections;

	if (limits->is_auto && id == LIMIT_ID_MAX_CONNECTIONS)
		return MAX(connections, limits_allowed(limits));
	return connections;
}

static bool comes_before(const struct limits *limits, enum limit_id left, enum limit_id right)
{
	uint64_t left_key = sort_key(limits, left);
	uint64_t right_key = sort_key(limits, right);

	if (left_key != right_key)
		return left_key < right_key;
	if (limits->is_auto && left_key != LIMIT_NO_CAP &&
	    (left == LIMIT_ID_MAX_CONNECTIONS || right == LIMIT_ID_MAX_CONNECTIONS))
		return right == LIMIT_ID_MAX_CONNECTIONS;
	return left < right;
}

void limits_sort(struct limits *limits)
{
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		unsigned at = i;

		for (; at > 0 && comes_before(limits, i, limits->order[at - 1]); at--)
			limits->order[at] = limits->order[at - 1];
		limits->order[at] = i;
	}
}
