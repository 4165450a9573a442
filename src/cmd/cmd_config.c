/* SPDX-License-Identifier: Apache-2.0
 * cmd_config.c - gatehouse config: the effective configuration, each value with its origin. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "admin/admin.h"
#include "base/check.h"
#include "cmd/config_args.h"
#include "diag/limits.h"

static int reference_print(void)
{
	config_print_reference(stdout);
	return EXIT_GOOD;
}

static int metrics_print(void)
{
	metrics_print_reference(stdout);
	return EXIT_GOOD;
}

static int limits_print(void)
{
	limits_print_reference(stdout);
	return EXIT_GOOD;
}

static const struct config_args_action actions[] = {
	{"--reference", "Print docs/options.md instead of the values.", reference_print},
	{"--metrics", "Print docs/metrics.md instead of the values.", metrics_print},
	{"--limits", "Print the table of docs/limits.md instead of the values.", limits_print},
};

static const struct config_args args = {
	.command = "config",
	.intro = "Prints the effective value of every option and where it came from, as YAML\n"
		 "that can be used as a file. Exit: 0 good; 2 wrong usage; 78 the configuration\n"
		 "has mistakes.\n",
	.actions = actions,
	.action_count = ARRAY_LEN(actions),
	.takes_file = true,
	.on_mistakes = EXIT_BAD_CONFIG,
};

int cmd_config(int argc, char **argv)
{
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	config_args_warn(&config, stderr);
	config_print(&config, stdout);
	config_finish(&config);
	return EXIT_GOOD;
}
