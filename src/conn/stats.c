/* SPDX-License-Identifier: Apache-2.0 */
#include "conn/stats.h"

#include <stddef.h>

#include "base/counter.h"

void stats_merge(struct stats *into, const struct stats *from)
{
	/* Nothing but uint64_t in it, so it can be added as a row of them. */
	_Static_assert(sizeof(struct stats) % sizeof(uint64_t) == 0, "a row of numbers");
	uint64_t *to = (uint64_t *)(void *)into;
	const uint64_t *values = (const uint64_t *)(const void *)from;

	for (size_t i = 0; i < sizeof(struct stats) / sizeof(uint64_t); i++)
		to[i] += counter_read(&values[i]);
}
