/* SPDX-License-Identifier: Apache-2.0 */
#include "server/stats.h"

#include <stddef.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"

static const uint64_t edges_us[] = STATS_HANDSHAKE_EDGES_US;

_Static_assert(ARRAY_LEN(edges_us) == STATS_HANDSHAKE_BUCKETS - 1, "one bucket over the last edge");

void stats_record_handshake(struct stats *stats, uint64_t duration_ns)
{
	uint64_t us = duration_ns / NS_PER_US;
	size_t bucket = 0;

	while (bucket < ARRAY_LEN(edges_us) && us > edges_us[bucket])
		bucket++;
	stat_add(&stats->handshake_count[bucket], 1);
	stat_add(&stats->handshake_sum_us, us);
}

void stats_merge(struct stats *into, const struct stats *from)
{
	/* Nothing but uint64_t in it, so it can be added as a row of them. */
	_Static_assert(sizeof(struct stats) % sizeof(uint64_t) == 0, "a row of numbers");
	uint64_t *to = (uint64_t *)(void *)into;
	const uint64_t *values = (const uint64_t *)(const void *)from;

	for (size_t i = 0; i < sizeof(struct stats) / sizeof(uint64_t); i++)
		to[i] += counter_read(&values[i]);
}
