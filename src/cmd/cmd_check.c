/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <stdio.h>

#include "cmd/config_args.h"

static const struct config_args args = {
	.command = "check",
	.intro = "Reads the configuration and reports every mistake in it with its file, line\n"
		 "and column. Exit: 0 it is good; 1 it has mistakes; 2 wrong usage.\n",
	.on_mistakes = EXIT_FAILED,
};

static size_t set_count(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		count += config->origins[i].kind != CONFIG_FROM_DEFAULT;
	return count;
}

int cmd_check(int argc, char **argv)
{
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	printf("%s: good; %zu of %d options set, %zu route%s\n",
	       config.file != NULL ? config.file : "built-in defaults (no file)",
	       set_count(&config), CONFIG_OPTION_COUNT, config.route_count,
	       config.route_count == 1 ? "" : "s");
	config_finish(&config);
	return EXIT_GOOD;
}
