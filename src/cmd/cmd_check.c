/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/config_args.h"
#include "cmd/plan.h"
#include "diag/plan.h"
#include "fleet/fleet.h"
#include "os/os_limits.h"
#include "route/secret_file.h"

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

/* The file may be for another machine than this one: a warning, not a mistake. */
static void capacity_warn(const struct config *config)
{
	enum loop_engine engine;
	const char *reason;
	struct plan_facts facts;
	struct plan plan;
	char why[PLAN_EXPLAIN_MAX];

	if (loop_engine_choose(plan_engine(config), &engine, &reason) < 0) {
		printf("warning: this machine cannot run server.engine as configured: %s\n",
		       reason);
		return;
	}
	os_limits_raise_nofile();
	plan_facts_read(engine, reason, &facts);
	plan_make(config, &facts, &plan);
	if (!plan.fits)
		printf("warning: this machine cannot hold server.max_connections: %" PRIu64
		       "; %s\n",
		       plan.max_connections, plan_explain(&plan, why));
}

static void unused_warn(const struct config *config)
{
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *backend = &config->backends[i];
		const struct config_origin *origin = &backend->origins[CONFIG_OPTION_backends_name];

		if (!config_backend_is_used(config, backend))
			printf("warning: %s:%u:%u: no route uses the back end %s\n", config->file,
			       origin->line, origin->column, backend->name);
	}
}

/* They may be for another machine, too. */
static void secrets_warn(const struct config *config)
{
	for (size_t i = 0; i < config->backend_count; i++) {
		const struct config_backend *backend = &config->backends[i];
		const struct config_origin *origin =
			&backend->origins[CONFIG_OPTION_backends_secret_file];
		struct secrets secrets = {0};
		char error[512];

		if (backend->secret_file.text[0] != 0 &&
		    secret_file_read(backend->secret_file.text, &secrets, error, sizeof(error)) < 0)
			printf("warning: %s:%u:%u: backends[%zu].secret_file: %s\n", config->file,
			       origin->line, origin->column, i, error);
		secrets_finish(&secrets);
	}
}

static void bus_warn(const struct config *config)
{
	struct fleet_error error;

	if (!fleet_bus_check(config, &error))
		printf("warning: %s\n", error.text);
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
	unused_warn(&config);
	secrets_warn(&config);
	bus_warn(&config);
	capacity_warn(&config);
	config_finish(&config);
	return EXIT_GOOD;
}
