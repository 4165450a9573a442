/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/config_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

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
	const struct config_args_option *instead; /* of the configuration, or NULL */
};

static void help_print(const struct config_args *args)
{
	printf("Usage: gatehouse %s %s [OPTIONS]\n\n%s\nOptions:\n"
	       "  -c, " FILE_FLAG " FILE\n      The configuration. Default: " CONFIG_DEFAULT_FILE
	       " if it exists,\n      else built-in values.\n",
	       args->command, args->takes_file ? "[FILE]" : "[-c FILE]", args->intro);
	for (size_t i = 0; i < args->action_count; i++)
		printf("  %s\n      %s\n", args->actions[i].name, args->actions[i].help);
	for (size_t i = 0; i < args->option_count; i++) {
		const struct config_args_option *option = &args->options[i];

		printf("  %s%s%s\n      %s\n", option->name, option->value == NULL ? "" : " ",
		       option->value == NULL ? "" : option->value, option->help);
	}
	puts("  --help\n      Print this.");
	if (!args->lists_flags) {
		puts("\nThe options of the configuration are taken too, such as --max-connections "
		     "N:\n'gatehouse serve --help' lists them. A flag beats GATEHOUSE_SECTION_KEY "
		     "in "
		     "the\nenvironment, that beats the file.");
		return;
	}
	puts("\nOptions of the configuration (a flag beats GATEHOUSE_SECTION_KEY in the\n"
	     "environment, that beats the file):");
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
	for (size_t i = 0; i < given->args->option_count; i++)
		suggest_offer(&suggest, given->args->options[i].name);
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

static const struct config_args_option *option_find(const struct config_args *args,
						    struct slice name)
{
	for (size_t i = 0; i < args->option_count; i++)
		if (slice_equals(name, slice_from_text(args->options[i].name)))
			return &args->options[i];
	return NULL;
}

/* `value` is what stood behind '=', or NULL. */
static int option_take(struct given *given, const struct config_args_option *option,
		       const char *value)
{
	char seen[CONFIG_QUOTE_MAX], text[sizeof(seen) + 128];

	if (option->replaces_config)
		given->instead = option;
	const char *problem = option->take(given->args->options_to, value);

	if (problem == NULL)
		return CONFIG_ARGS_GO_ON;
	snprintf(text, sizeof(text), ": %s %s",
		 config_quote(slice_from_text(value == NULL ? "" : value), seen), problem);
	return usage_fail(given, option->name, text);
}

static int file_take(struct given *given, const char *file)
{
	char seen[CONFIG_QUOTE_MAX], text[sizeof(seen) + 64];

	if (given->file != NULL) {
		snprintf(text, sizeof(text), "%s: a configuration is one file",
			 config_quote(slice_from_text(file), seen));
		return usage_fail(given, "a second file, ", text);
	}
	given->file = file;
	return CONFIG_ARGS_GO_ON;
}

/* Reads the argument at given->at and its value, which may be the next argument. */
static int argument_read(struct given *given)
{
	const char *arg = given->argv[given->at];
	const char *equals = strchr(arg, '=');
	struct slice name = slice_of(arg, equals == NULL ? strlen(arg) : (size_t)(equals - arg));
	const struct config_args_option *option = option_find(given->args, name);
	bool is_file = is_file_flag(name);
	bool has_value = option == NULL || option->value != NULL;
	const char *value = equals == NULL ? NULL : equals + 1;

	if (given->args->takes_file && arg[0] != '-')
		return file_take(given, arg);
	if (option == NULL && !is_file && !config_has_flag(name))
		return unknown_fail(given, arg, name);
	if (!has_value && value != NULL)
		return usage_fail(given, option->name, " takes no value");
	if (has_value && value == NULL && given->at + 1 < given->argc)
		value = given->argv[++given->at];
	if (has_value && value == NULL)
		return usage_fail(given, arg, " needs a value");
	if (option != NULL)
		return option_take(given, option, value);
	if (is_file)
		return file_take(given, value);
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

void config_args_warn(const struct config *config, FILE *to)
{
	struct slice rest = buf_slice(&config->warnings.text), line;

	while (slice_next(&rest, '\n', &line) && line.len > 0)
		fprintf(to, "warning: %.*s\n", SLICE_ARG(line));
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

/* Nothing of the configuration is read: what was said about it would be lost. */
static int given_replace(const struct given *given, struct config *out_config)
{
	if (given->file != NULL)
		return usage_fail(given, given->instead->name,
				  " and " FILE_FLAG " exclude each other");
	if (given->flag_count > 0)
		return usage_fail(given, given->instead->name,
				  " excludes the flags of the configuration");
	*out_config = (struct config){0};
	return CONFIG_ARGS_GO_ON;
}

/* A default file that was there and has gone is missing: the defaults would be another gateway. */
int config_args_load_again(const struct config_args *args, int argc, char **argv, const char *file,
			   struct config_report *report, struct config *out_config)
{
	struct given given = {.args = args, .argc = argc, .argv = argv};

	given.flags = calloc((size_t)argc, sizeof(*given.flags));
	if (given.flags == NULL) {
		config_report_add(report, "out of memory");
		return -EINVAL;
	}
	CHECK(arguments_read(&given) == CONFIG_ARGS_GO_ON); /* as before */
	int r = config_load(&(struct config_sources){.file = given.file != NULL ? given.file
							     : file != NULL     ? file
										: default_file(),
						     .environment = environ,
						     .flags = given.flags,
						     .flag_count = given.flag_count},
			    report, out_config);

	free(given.flags);
	return r;
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
		r = given.instead != NULL ? given_replace(&given, out_config)
					  : given_load(&given, out_config);
	free(given.flags);
	return r;
}
