/* SPDX-License-Identifier: Apache-2.0
 * bench_stage.h - performs the acts of a scenario, one after the other, and tells what became of
 * each.
 *
 * Layer: bench. A thread of its own; commands run in a process group of their own. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "bench/judge/bench_stats.h"
#include "bench/load/bench_api.h"

struct bench_stage {
	const struct bench_api *api;
	uint64_t start_ns; /* of the hold */
	atomic_bool is_over, is_interrupted;
	struct bench_acts_done done; /* read after the stop */
	pthread_t thread;
	bool is_running;
};

/* Before the test: no act has been reached. */
void bench_stage_init(struct bench_stage *stage, const struct bench_api *api);

/* From start_ns on. 0 or a negative errno; does nothing without acts. */
int bench_stage_start(struct bench_stage *stage, uint64_t start_ns);

/* The hold is over: nothing more begins, an await that is under way has failed, a call or a command
 * ends by itself; a command is killed if somebody has interrupted the test. */
void bench_stage_stop(struct bench_stage *stage, bool is_interrupted);
