/* SPDX-License-Identifier: Apache-2.0
 * config_args.h - the arguments of every command that takes a configuration.
 *
 * Layer: cmd. -c FILE, one flag for each option, what the command has of its own, and
 * --help. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "config/config.h"

/* A flag of one command only that, like --help, is answered at once. */
struct config_args_action {
	const char *name; /* "--reference" */
	const char *help; /* one line */
	int (*run)(void); /* returns the exit code */
};

/* An option of one command only. */
struct config_args_option {
	const char *name;  /* "--connections" */
	const char *value; /* what --help calls its value, e.g. "N"; NULL: it has none */
	const char *help;
	bool replaces_config; /* with it -c and the flags of the configuration are wrong
			       * usage, and none is loaded */
	/* Takes the value (NULL: it has none) into `to`. Returns NULL, or what is wrong as
	 * a sentence fragment: "is not a whole number". */
	const char *(*take)(void *to, const char *value);
};

struct config_args {
	const char *command; /* "serve" */
	const char *intro;   /* what --help says first; whole lines */
	const struct config_args_action *actions;
	size_t action_count;
	const struct config_args_option *options;
	size_t option_count;
	void *options_to;           /* what their take() gets */
	bool takes_file;            /* FILE may stand without -c */
	bool lists_flags;           /* --help shows every option of the configuration */
	enum exit_code on_mistakes; /* unless flags alone are wrong: EXIT_USAGE */
};

/* Not an exit code: the command goes on. */
#define CONFIG_ARGS_GO_ON (-1)

/* Reads the arguments and loads the configuration. CONFIG_ARGS_GO_ON: *out_config is
 * filled (zeroed, if an option replaces it), free it with config_finish. Else the exit code;
 * everything is said, on standard error unless --help was asked for. */
int config_args_load(const struct config_args *args, int argc, char **argv,
		     struct config *out_config);

/* The same arguments again, for a process that runs: what has mistakes is in the report. `file`:
 * the one that was read before; NULL: none was. 0, or -EINVAL and nothing in *out_config. */
int config_args_load_again(const struct config_args *args, int argc, char **argv, const char *file,
			   struct config_report *report, struct config *out_config);

/* The warnings of a configuration, "warning: " before each. */
void config_args_warn(const struct config *config, FILE *to);
