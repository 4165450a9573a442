/* SPDX-License-Identifier: Apache-2.0
 * bench_prepare.h - one run of the load test, and all that is done before its first connection.
 *
 * Layer: bench; for bench_run.c. Main thread; blocks. */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "bench/judge/bench_series.h"
#include "bench/load/bench_preflight.h"
#include "bench/load/bench_progress.h"
#include "bench/load/bench_push.h"
#include "bench/load/bench_stage.h"
#include "bench/load/bench_target.h"
#include "bench/load/bench_worker.h"
#include "bench/report/bench_files.h"

struct bench_run_state {
	const struct bench_options *options;
	struct bench_setup setup;
	struct bench_worker **workers;
	struct bench_preflight_facts facts;
	struct bench_preflight preflight;
	struct bench_target target;
	struct bench_files files;
	struct bench_api api;
	struct bench_stage stage;
	struct bench_push push;
	struct bench_progress progress;
	uint64_t start_ns;
	uint64_t next_sample_ns;
	struct bench_recorder *recorder;
	struct bench_result result;
};

/* Says it on standard error; false. */
__attribute__((format(printf, 1, 2))) bool bench_complain(const char *format, ...);

/* Files, names, limits of this machine, waiting for the service, the API: false if anything is
 * wrong, which is said. `interrupts` counts signals. */
bool bench_prepare(struct bench_run_state *run, const volatile sig_atomic_t *interrupts);
