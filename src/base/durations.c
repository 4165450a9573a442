/* SPDX-License-Identifier: Apache-2.0 */
#include "base/durations.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/counter.h"

const uint64_t durations_short_us[DURATIONS_EDGES] = {
	100,   250,    500,    1000,   2500,    5000,    10000,   25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

const uint64_t durations_long_us[DURATIONS_EDGES] = {
	1000,   2000,    5000,    10000,   25000,    50000,    100000,   250000,
	500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 300000000,
};

#define S UINT64_C(1000000)
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

const uint64_t durations_life_us[DURATIONS_EDGES] = {
	S, 5 * S, 10 * S, 30 * S, M, 5 * M, 10 * M, 30 * M,
	H, 2 * H, 6 * H,  12 * H, D, 3 * D, 7 * D,  30 * D,
};

void durations_record(struct durations *durations, const uint64_t *edges_us, uint64_t duration_ns)
{
	size_t bucket = 0;

	while (bucket < DURATIONS_EDGES && duration_ns > edges_us[bucket] * NS_PER_US)
		bucket++;
	counter_add(&durations->count[bucket], 1);
	counter_add(&durations->sum_us, duration_ns / NS_PER_US);
}

void durations_copy(struct durations *out, const struct durations *durations)
{
	for (size_t i = 0; i < DURATIONS_BUCKETS; i++)
		out->count[i] = counter_read(&durations->count[i]);
	out->sum_us = counter_read(&durations->sum_us);
}

uint64_t durations_quantile_us(const struct durations *durations, const uint64_t *edges_us,
			       double share)
{
	uint64_t total = 0, below = 0;

	for (size_t i = 0; i < DURATIONS_BUCKETS; i++)
		total += counter_read(&durations->count[i]);
	double wanted = share * (double)total;

	for (size_t i = 0; i < DURATIONS_EDGES && total > 0; i++) {
		uint64_t count = counter_read(&durations->count[i]);
		uint64_t low_us = i == 0 ? 0 : edges_us[i - 1];

		if (count > 0 && (double)(below + count) >= wanted)
			return low_us + (uint64_t)((double)(edges_us[i] - low_us) *
						   (wanted - (double)below) / (double)count);
		below += count;
	}
	return total == 0 ? 0 : edges_us[DURATIONS_EDGES - 1];
}
