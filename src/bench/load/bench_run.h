/* SPDX-License-Identifier: Apache-2.0
 * bench_run.h - the whole load test, from the options to the verdict.
 *
 * Layer: bench. Main thread; takes over SIGINT, SIGTERM and SIGPIPE of the process.
 * The first SIGINT or SIGTERM ends the test early, with a report; the second ends
 * the program. */
#pragma once

#include <stdbool.h>

#include "bench/load/bench_options.h"

/* Progress and complaints go to standard error, the report to standard output.
 * True if the test is passed. */
bool bench_run(const struct bench_options *options);
