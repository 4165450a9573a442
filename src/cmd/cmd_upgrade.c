/* SPDX-License-Identifier: Apache-2.0
 * cmd_upgrade.c - gatehouse upgrade: has the program that now lies where the running gateway came
 * from take over from it, and says whether it has. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cmd/admin_call.h"
#include "cmd/config_args.h"

/* Beside server.upgrade_timeout: for the end of a new process that did not make it. */
#define PATIENCE_MS 20000

static const char intro[] =
	"Has the gateway that runs with this configuration start the program that now lies at its\n"
	"path, with the same arguments, and hand everything over to it: listeners, and every\n"
	"connection with its state. Waits for the outcome. If anything goes wrong, the gateway\n"
	"serves on as if nothing had been (docs/upgrade.md).\n"
	"Exit: 0 the new process serves; 1 the old one serves on, or no gateway answers, and\n"
	"standard error says why; 2 wrong usage; 78 the new one cannot work with its\n"
	"configuration, and the old one serves on.\n";

static bool wants_json;

static const char *json_take(void *to, const char *value)
{
	(void)value;
	*(bool *)to = true;
	return NULL;
}

static const struct config_args_option options_known[] = {
	{"--json", NULL, "Print the answer as JSON.", false, json_take},
};

static long long number(const json_t *body, const char *name)
{
	return (long long)json_integer_value(json_object_get(body, name));
}

static void good_print(const json_t *body)
{
	const char *version = json_string_value(json_object_get(body, "version"));

	printf("upgraded: process %lld, version %s, serves\n"
	       "%lld connections moved, and were not served for %lld ms at most; %lld are finished "
	       "by the old process\n",
	       number(body, "pid"), version == NULL ? "?" : version, number(body, "moved"),
	       number(body, "still_ms"), number(body, "stayed"));
}

static int answer_tell(const struct admin_request *request, const struct admin_answer *answer)
{
	const char *reason = json_string_value(json_object_get(answer->body, "reason"));

	if (answer->status == 200 && !wants_json)
		good_print(answer->body);
	if (answer->body != NULL && wants_json) {
		json_dumpf(answer->body, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	if (answer->status == 200)
		return EXIT_GOOD;
	admin_answer_tell(request, answer);
	return reason != NULL && strcmp(reason, "bad_config") == 0 ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int cmd_upgrade(int argc, char **argv)
{
	struct config config;
	struct config_args args = {
		.command = "upgrade",
		.intro = intro,
		.options = options_known,
		.option_count = ARRAY_LEN(options_known),
		.options_to = &wants_json,
		.on_mistakes = EXIT_BAD_CONFIG,
	};
	int r = config_args_load(&args, argc, argv, &config);
	struct admin_answer answer;

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	struct admin_request request = {.command = "upgrade",
					.method = "POST",
					.path = "/api/v1/upgrade",
					.mark = "outcome",
					.timeout_ms = config.server.upgrade_timeout + PATIENCE_MS};

	if (admin_call(&config, &request, &answer)) {
		r = answer_tell(&request, &answer);
		admin_answer_finish(&answer);
	} else {
		r = EXIT_FAILED;
	}
	config_finish(&config);
	return r;
}
