/* SPDX-License-Identifier: Apache-2.0
 * fuzz_bench_scenario.c - any text as a scenario: its options are taken, or it is refused
 * with a place. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "bench/load/bench_scenario.h"

/* What is performed later without a further look. */
static void acts_check(const struct bench_options *options)
{
	CHECK(options->acts.count <= BENCH_ACTS_MAX && options->hook_count == 0);
	for (size_t i = 0; i < options->acts.count; i++) {
		const struct bench_act *act = &options->acts.rows[i];
		struct bench_act_target target;

		CHECK(bench_act_parse(act, &target) == NULL);
		CHECK(act->at_percent < 100 && act->within_ms <= BENCH_ACT_WITHIN_MAX_MS);
		CHECK(act->body == NULL || act->kind == BENCH_ACT_CALL);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench_options options = {.url_text = "ws://h/"};
	char error[512] = "";
	struct bench_parse parse = {&options, error, sizeof(error)};
	uint8_t *input = fuzz_copy(data, size > BENCH_SCENARIO_MAX ? BENCH_SCENARIO_MAX : size);
	size_t len = size > BENCH_SCENARIO_MAX ? BENCH_SCENARIO_MAX : size;
	int r = bench_scenario_read(&parse, "fuzz.yaml", slice_of(input, len), &options.scenario);

	free(input);
	/* The texts must outlive the file. */
	CHECK(options.url_text != NULL && strlen(options.url_text) <= len + sizeof("ws://h/"));
	CHECK(r == 0 ? error[0] == 0 : strncmp(error, "fuzz.yaml:", 10) == 0);
	CHECK(options.slow_readers_percent >= 0 && options.slow_readers_percent <= 100);
	CHECK(options.connections <= BENCH_CONNECTIONS_MAX &&
	      options.batch <= BENCH_CONNECTIONS_MAX);
	acts_check(&options);
	bench_options_finish(&options);
	return 0;
}
