/* SPDX-License-Identifier: Apache-2.0
 * durations.h - how long things took, in buckets as Prometheus wants them.
 *
 * Layer: base. Any thread may record and read: each number is a counter (counter.h). For
 * percentiles there is hist.h. */
#pragma once

#include <stdint.h>

#define DURATIONS_EDGES   16
#define DURATIONS_BUCKETS (DURATIONS_EDGES + 1)

struct durations {
	/* By upper edge, without what is in the buckets before; the last has none. */
	uint64_t count[DURATIONS_BUCKETS];
	uint64_t sum_us;
};

/* Edges [us] to choose from. */
extern const uint64_t durations_short_us[DURATIONS_EDGES]; /* 100 us to 10 s */
extern const uint64_t durations_long_us[DURATIONS_EDGES];  /* 1 ms to 5 min */
extern const uint64_t durations_life_us[DURATIONS_EDGES];  /* 1 s to 30 days */

/* `edges_us` is one of these, and always the same for the same `durations`. */
void durations_record(struct durations *durations, const uint64_t *edges_us, uint64_t duration_ns);

/* What there is now; `out` is the caller's own. */
void durations_copy(struct durations *out, const struct durations *durations);

/* [us] What so many of them took at most (0.99: nearly all), as far as the buckets tell: within one
 * the time grows evenly. 0: there are none. Beyond the last edge: the last edge. */
uint64_t durations_quantile_us(const struct durations *durations, const uint64_t *edges_us,
			       double share);
