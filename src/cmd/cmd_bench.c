/* SPDX-License-Identifier: Apache-2.0
 * cmd_bench.c - gatehouse bench: all of it is in bench/. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "bench/load/bench_options.h"
#include "bench/load/bench_run.h"

int cmd_bench(int argc, char **argv)
{
	struct bench_options options;
	char error[512];
	int code = EXIT_GOOD;

	if (bench_options_parse(&options, argc, argv, error, sizeof(error)) < 0) {
		fprintf(stderr, "gatehouse bench: %s\n", error);
		code = EXIT_USAGE;
	} else if (options.wants_help) {
		bench_options_help(stdout);
	} else if (!bench_run(&options)) {
		code = EXIT_FAILED;
	}
	bench_options_finish(&options);
	return code;
}
