/* SPDX-License-Identifier: Apache-2.0
 * bench_progress.h - the live line: rewritten in place on a terminal, a plain line now
 * and then elsewhere.
 *
 * Layer: bench. Main thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bench/judge/bench_stats.h"

struct bench_progress {
	FILE *to; /* NULL: quiet */
	bool is_terminal;
	uint64_t wanted;
	uint64_t start_ns;
	uint64_t last_ns;
	struct bench_totals last;
};

void bench_progress_init(struct bench_progress *progress, FILE *to, uint64_t wanted,
			 uint64_t now_ns);

/* Prints if it is time; `phase` is one word. */
void bench_progress_update(struct bench_progress *progress, const char *phase,
			   const struct bench_totals *totals, uint64_t now_ns);

/* Prints in any case, and ends the line. */
void bench_progress_phase_end(struct bench_progress *progress, const char *phase,
			      const struct bench_totals *totals, uint64_t now_ns);

/* The line itself, with a NUL. Rates are over the time from `last_ns` to `now_ns`. */
char *bench_progress_format(const struct bench_progress *progress, const char *phase,
			    const struct bench_totals *totals, uint64_t now_ns, char *out,
			    size_t size);
