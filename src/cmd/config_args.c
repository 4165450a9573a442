/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_FLAG "--config"

/* What the arguments said, as far as they are read. */
struct given {
	const struct config_args *args;
	char **argv;
	int argc;
	int at; /* the argument that is read now */
	const char *file;
	struct config_flag *flags; /* room for argc */
	size_t flag_count;
};

static void help_print(const struct config_args *args)
{
	printf("Usage: gatehouse %s [-c FILE] [OPTIONS]\n\n%s\nOptions:\n"
	       "  -c, " FILE_FLAG " FILE\n      The configuration. Default: " CONFIG_DEFAULT_FILE
	       " if it exists,\n      else built-in values.\n",
	       args->command, args->intro);
	for (size_t i = 0; i < args->action_count; i++)
		printf("  %s\n      %s\n", args->actions[i].name, args->actions[i].help);
	puts("  --help\n      Print this.\n\nOptions of the configuration (a flag beats "
	     "GATEHOUSE_SECTION_KEY in the\nenvironment, that beats the file):");
	config_print_flags(stdout);
}

static int usage_fail(const struct given *given, const char *what, const char *detail)
{
	fprintf(stderr, "gatehouse %s: %s%s\n'gatehouse %s --help' lists the options\n",
		given->args->command, what, detail, given->args->command);
	return EXIT_USAGE;
}

static int unknown_fail(const struct given *given, const char *arg, struct slice name)
{
	struct suggest suggest = {.seen = name};
	char hint[SUGGEST_HINT_MAX], seen[CONFIG_QUOTE_MAX], text[sizeof(hint) + sizeof(seen)];
	bool is_flag = arg[0] == '-';

	suggest_offer(&suggest, "--help");
	suggest_offer(&suggest, FILE_FLAG);
	for (size_t i = 0; i < given->args->action_count; i++)
		suggest_offer(&suggest, given->args->actions[i].name);
	config_offer_flags(&suggest);
	snprintf(text, sizeof(text), "%s%s", config_quote(name, seen),
		 is_flag ? suggest_hint(&suggest, hint) : "");
	return usage_fail(given, is_flag ? "unknown option " : "unexpected argument ", text);
}

static bool is_file_flag(struct slice name)
{
	return slice_equals(name, SLICE_LITERAL("-c")) ||
	       slice_equals(name, SLICE_LITERAL(FILE_FLAG));
}

/* Reads the argument at given->at and its value, which may be the next argument. */
static int argument_read(struct given *given)
{
	const char *arg = given->argv[given->at];
	const char *equals = strchr(arg, '=');
	struct slice name = slice_of(arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg));
	bool is_file = is_file_flag(name);
	const char *value = equals == NULL ? NULL : equals + 1;

	if (!is_file && !config_has_flag(name))
		return unknown_fail(given, arg, name);
	if (value == NULL && given->at + 1 < given->argc)
		value = given->argv[++given->at];
	if (value == NULL)
		return usage_fail(given, arg, " needs a value");
	if (is_file)
		given->file = value;
	else
		given->flags[given->flag_count++] = (struct config_flag){name, value};
	return CONFIG_ARGS_GO_ON;
}

static const struct config_args_action *action_find(const struct config_args *args,
						    const char *name)
{
	for (size_t i = 0; i < args->action_count; i++)
		if (strcmp(args->actions[i].name, name) == 0)
			return &args->actions[i];
	return NULL;
}

static int arguments_read(struct given *given)
{
	for (given->at = 1; given->at < given->argc; given->at++) {
		const char *arg = given->argv[given->at];

		if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
			help_print(given->args);
			return EXIT_GOOD;
		}
		const struct config_args_action *action = action_find(given->args, arg);

		if (action != NULL)
			return action->run();
		int r = argument_read(given);

		if (r != CONFIG_ARGS_GO_ON)
			return r;
	}
	return CONFIG_ARGS_GO_ON;
}

/* A default file that is there but cannot be read is not passed over. */
static const char *default_file(void)
{
	bool is_absent = access(CONFIG_DEFAULT_FILE, F_OK) != 0 &&
			 (errno == ENOENT || errno == ENOTDIR);

	return is_absent ? NULL : CONFIG_DEFAULT_FILE;
}

static int given_load(const struct given *given, struct config *out_config)
{
	struct config_report report = {0};
	struct config_sources sources = {
		.file = given->file != NULL ? given->file : default_file(),
		.environment = environ,
		.flags = given->flags,
		.flag_count = given->flag_count,
	};
	int r = config_load(&sources, &report, out_config);

	config_report_print(&report, stderr);
	if (r < 0)
		fprintf(stderr, "gatehouse %s: %zu mistake%s in the configuration\n",
			given->args->command, report.count, report.count == 1 ? "" : "s");
	bool is_usage = report.of_flags == report.count;

	config_report_finish(&report);
	if (r == 0)
		return CONFIG_ARGS_GO_ON;
	return is_usage ? EXIT_USAGE : (int)given->args->on_mistakes;
}

int config_args_load(const struct config_args *args, int argc, char **argv,
		     struct config *out_config)
{
	struct given given = {.args = args, .argc = argc, .argv = argv};
	int r;

	given.flags = calloc((size_t)argc, sizeof(*given.flags));
	if (given.flags == NULL) {
		fprintf(stderr, "gatehouse %s: out of memory\n", args->command);
		return EXIT_FAILED;
	}
	r = arguments_read(&given);
	if (r == CONFIG_ARGS_GO_ON)
		r = given_load(&given, out_config);
	free(given.flags);
	return r;
}
