/* SPDX-License-Identifier: Apache-2.0
 * cmd_check.c - what serve would say of the configuration on this machine, without serving. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "base/check.h"
#include "cmd/check_unit.h"
#include "cmd/config_args.h"
#include "cmd/start.h"

static const char intro[] =
	"Says whether 'gatehouse serve' would start with this configuration, here and now, and\n"
	"reports every mistake with its file, line and column: the configuration, the files that\n"
	"it names, the limits of this machine, the ports. A port that a running gateway has is\n"
	"a warning, not a mistake. Exit: 0 it is good; 1 it has mistakes; 2 wrong usage.\n";

struct check_options {
	bool is_config_only;
	const char *unit; /* NULL: none */
};

static const char *config_only_take(void *to, const char *value)
{
	(void)value;
	((struct check_options *)to)->is_config_only = true;
	return NULL;
}

static const char *unit_take(void *to, const char *value)
{
	((struct check_options *)to)->unit = value;
	return value[0] == 0 ? "is empty" : NULL;
}

static const struct config_args_option options_known[] = {
	{"--config-only", NULL,
	 "Judge the configuration alone, as for another machine: not the files that it\n"
	 "      names, nor limits and ports of this one.",
	 false, config_only_take},
	{"--unit", "FILE",
	 "Judge the systemd unit in it, too: does it leave the time to end and the descriptors\n"
	 "      that this configuration needs? With its drop-ins (FILE.d/*.conf; of a FILE where\n"
	 "      systemd looks for units those of all such places), which are listed.",
	 false, unit_take},
};

static size_t set_count(const struct config *config)
{
	size_t count = 0;

	for (size_t i = 0; i < CONFIG_OPTION_COUNT; i++)
		count += config->origins[i].kind != CONFIG_FROM_DEFAULT;
	return count;
}

/* Problems go to standard error, as mistakes do; a port that will be free is none. */
static void on_problem(void *arg, const struct start_problem *problem)
{
	size_t *mistakes = arg;

	bool is_warning = problem->is_other_gateway || problem->is_warning;

	if (is_warning)
		fputs("warning: ", stdout);
	else
		++*mistakes;
	start_problem_print(problem, is_warning ? stdout : stderr);
}

/* What keeps serve from its start; and what is wrong with the unit, in *out_of_unit. */
static size_t mistakes_of(const struct config *config, const struct check_options *options,
			  size_t *out_of_unit)
{
	struct start start;
	size_t mistakes = 0;

	if (!options->is_config_only)
		start_prepare(config, &start, on_problem, &mistakes);
	bool has_facts = !options->is_config_only && mistakes == 0;

	*out_of_unit = options->unit == NULL
			       ? 0
			       : check_unit(options->unit, config, has_facts ? &start.facts : NULL);
	return mistakes;
}

/* "2 mistakes" */
static void verdict_print(const char *text, size_t mistakes)
{
	if (mistakes > 0)
		fprintf(stderr, "gatehouse check: %s: %zu mistake%s\n", text, mistakes,
			mistakes == 1 ? "" : "s");
}

int cmd_check(int argc, char **argv)
{
	struct check_options options = {0};
	const struct config_args args = {
		.command = "check",
		.intro = intro,
		.options = options_known,
		.option_count = ARRAY_LEN(options_known),
		.options_to = &options,
		.takes_file = true,
		.on_mistakes = EXIT_FAILED,
	};
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	size_t of_unit, mistakes = mistakes_of(&config, &options, &of_unit);

	if (mistakes == 0 && of_unit == 0)
		printf("%s: good; %zu of %d options set, %zu route%s\n",
		       config.file != NULL ? config.file : "built-in defaults (no file)",
		       set_count(&config), CONFIG_OPTION_COUNT, config.route_count,
		       config.route_count == 1 ? "" : "s");
	verdict_print("serve would not start", mistakes);
	verdict_print("the unit does not fit", of_unit);
	config_args_warn(&config, stdout);
	config_finish(&config);
	return mistakes + of_unit == 0 ? EXIT_GOOD : EXIT_FAILED;
}
