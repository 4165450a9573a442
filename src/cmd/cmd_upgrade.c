/* SPDX-License-Identifier: Apache-2.0
 * cmd_upgrade.c - gatehouse upgrade: has the running gateway start the program that now lies at its
 * path, and hand everything over to it. */
#include "cmd/cmd.h"

#include <stdio.h>

#include "cmd/admin_call.h"
#include "cmd/config_args.h"

/* [ms] Beyond server.upgrade_timeout, after which the gateway answers. */
#define PATIENCE_MS 60000

static const char intro[] =
	"Has the gateway that runs with this configuration start the program that now lies at its\n"
	"path, and hand over to it: listeners and connections, of which none is closed. If the "
	"new\n"
	"process does not start, or does not take over in full, the old one serves on.\n"
	"Exit: 0 the new process serves; 1 the old one does, and standard error says why; 2 wrong\n"
	"usage.\n";

static json_int_t number(const json_t *body, const char *name)
{
	return json_integer_value(json_object_get(body, name));
}

static void tell(const json_t *body)
{
	const char *version = json_string_value(json_object_get(body, "version"));

	printf("process %" JSON_INTEGER_FORMAT " (version %s) serves now: %" JSON_INTEGER_FORMAT
	       " connections moved, %" JSON_INTEGER_FORMAT
	       " are finished by the old process; nobody was served for %" JSON_INTEGER_FORMAT
	       " ms\n",
	       number(body, "pid"), version == NULL ? "unknown" : version, number(body, "moved"),
	       number(body, "stayed"), number(body, "still_ms"));
}

int cmd_upgrade(int argc, char **argv)
{
	const struct config_args args = {
		.command = "upgrade",
		.intro = intro,
		.on_mistakes = EXIT_FAILED,
	};
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	const struct admin_request request = {
		.command = "upgrade",
		.method = "POST",
		.path = "/api/v1/upgrade",
		.timeout_ms = config.server.upgrade_timeout + PATIENCE_MS,
	};
	struct admin_answer answer;

	r = EXIT_FAILED;
	if (admin_call(&config, &request, &answer)) {
		if (answer.status == 200) {
			tell(answer.body);
			r = EXIT_GOOD;
		} else {
			admin_answer_tell(&request, &answer);
		}
		admin_answer_finish(&answer);
	}
	config_finish(&config);
	return r;
}
