/* SPDX-License-Identifier: Apache-2.0
 * bench_scenario.h - a load test's options from a YAML file.
 *
 * Layer: bench. The keys are the long option names, and `url`, `name`, `description`.
 * Reads a file: before the test, main thread. */
#pragma once

#include "bench/load/bench_option.h"

/* Longer is no scenario; it also bounds the time that a hostile file can take. */
#define BENCH_SCENARIO_MAX 16384

struct bench_scenario;

/* Sets parse->options from the file. 0 and a scenario, which owns the texts that the
 * options now point to; or -EINVAL with "FILE:LINE:COLUMN: what is wrong". */
int bench_scenario_load(struct bench_parse *parse, const char *path,
			struct bench_scenario **out_scenario);

/* The same from memory; `file` is for the messages. */
int bench_scenario_read(struct bench_parse *parse, const char *file, struct slice text,
			struct bench_scenario **out_scenario);

void bench_scenario_destroy(struct bench_scenario **scenario);

/* Its `name` and `description`, or NULL; so without a scenario. */
const char *bench_scenario_name(const struct bench_scenario *scenario);
const char *bench_scenario_description(const struct bench_scenario *scenario);
