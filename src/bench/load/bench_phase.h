/* SPDX-License-Identifier: Apache-2.0
 * bench_phase.h - what a worker does in its phases: connect, hold, close.
 *
 * Layer: bench. In the worker's thread, driven by its timers and by the tasks that the main
 * thread posts. What connections report of themselves is in bench_worker.h. */
#pragma once

#include "bench/load/bench_worker.h"

/* Once, before the thread starts. */
void bench_phase_init(struct bench_worker *worker);
