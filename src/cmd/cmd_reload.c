/* SPDX-License-Identifier: Apache-2.0
 * cmd_reload.c - gatehouse reload: has the running gateway read its configuration again, and says
 * what has become of it. */
#include "cmd/cmd.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "cmd/admin_call.h"
#include "cmd/config_args.h"

#define PATH           "/api/v1/reload"
#define TIMEOUT_MS     60000
#define TIMEOUT_MAX_MS UINT64_C(3600000)

static const char intro[] =
	"Has the gateway that runs with this configuration read it again, with all files that it\n"
	"names, under open connections, and waits for what becomes of it: either all is good, and\n"
	"what is different is in force, or nothing was changed. Prints what has changed, and what\n"
	"stays as it was until a restart. Where the gateway listens, and its token, are taken "
	"from\n"
	"the configuration as it is now.\n"
	"Exit: 0 it is in force, or nothing has changed; 1 no gateway answers, or it could not; 2\n"
	"wrong usage; 78 the configuration has mistakes, and nothing was changed.\n";

struct reload_options {
	bool wants_json;
	uint64_t timeout_ms;
};

static const char *json_take(void *to, const char *value)
{
	(void)value;
	((struct reload_options *)to)->wants_json = true;
	return NULL;
}

static const char *timeout_take(void *to, const char *value)
{
	struct reload_options *options = to;
	enum units_result r = units_parse_duration_ms(slice_from_text(value), &options->timeout_ms);

	if (r != UNITS_OK)
		return units_explain(r, "duration");
	return options->timeout_ms == 0 || options->timeout_ms > TIMEOUT_MAX_MS
		       ? "is not in 1ms..1h"
		       : NULL;
}

static const struct config_args_option options_known[] = {
	{"--timeout", "TIME", "Wait so long for the answer (default 60s).", false, timeout_take},
	{"--json", NULL, "Print the answer as JSON (docs/reload.md).", false, json_take},
};

/* --- in words --- */

static const char *text(const json_t *object, const char *name)
{
	const char *found = json_string_value(json_object_get(object, name));

	return found == NULL ? "" : found;
}

static void change_print(const json_t *change)
{
	const char *kind = text(change, "change");

	printf("  %-8s %s", kind, text(change, "option"));
	if (json_object_get(change, "before") != NULL)
		printf(": %s -> %s", text(change, "before"), text(change, "after"));
	putchar('\n');
}

static void changes_print(const json_t *body, const char *name, const char *title)
{
	const json_t *list = json_object_get(body, name), *change;
	size_t i;

	if (json_array_size(list) > 0)
		printf("%s\n", title);
	json_array_foreach(list, i, change) change_print(change);
}

static void lines_print(const json_t *body, const char *name, const char *mark, FILE *to)
{
	const json_t *list = json_object_get(body, name), *line;
	size_t i;

	json_array_foreach(list, i, line) if (json_is_string(line))
		fprintf(to, "%s%s\n", mark, json_string_value(line));
}

static void good_print(const json_t *body)
{
	json_int_t failed = json_integer_value(json_object_get(body, "files_failed"));
	json_int_t late = json_integer_value(json_object_get(body, "late_workers"));

	changes_print(body, "changed", "in force now:");
	changes_print(body, "needs_restart", "not changed, because it needs a restart:");
	printf("%s: %s; %" JSON_INTEGER_FORMAT " options are the same; hash %s\n",
	       text(body, "file")[0] == 0 ? "no file" : text(body, "file"), text(body, "outcome"),
	       json_integer_value(json_object_get(body, "same")), text(body, "hash"));
	lines_print(body, "warnings", "warning: ", stdout);
	if (failed > 0)
		printf("warning: %" JSON_INTEGER_FORMAT " sets of files could not be read again: "
		       "those from before are in use; the log and /health name them\n",
		       failed);
	if (late > 0)
		printf("warning: %" JSON_INTEGER_FORMAT " workers have not changed over yet\n",
		       late);
}

/* --- the command --- */

static bool is_refused(const struct admin_answer *answer)
{
	return answer->status == 422 && strcmp(text(answer->body, "reason"), "configuration") == 0;
}

static int judge(const struct admin_request *request, const struct admin_answer *answer,
		 bool wants_json)
{
	if (wants_json && answer->body != NULL) {
		json_dumpf(answer->body, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	if (answer->status == 200) {
		if (!wants_json)
			good_print(answer->body);
		return EXIT_GOOD;
	}
	if (!wants_json && is_refused(answer)) {
		lines_print(answer->body, "mistakes", "", stderr);
		fprintf(stderr, "gatehouse reload: %s\n", text(answer->body, "detail"));
	} else if (!wants_json) {
		lines_print(answer->body, "mistakes", "", stderr);
		admin_answer_tell(request, answer);
		if (answer->status == 401)
			fputs("gatehouse reload: if the token in the file is a new one, the "
			      "gateway has the old one: kill -HUP its process\n",
			      stderr);
	}
	return is_refused(answer) ? EXIT_BAD_CONFIG : EXIT_FAILED;
}

int cmd_reload(int argc, char **argv)
{
	struct reload_options options = {.timeout_ms = TIMEOUT_MS};
	const struct config_args args = {
		.command = "reload",
		.intro = intro,
		.options = options_known,
		.option_count = ARRAY_LEN(options_known),
		.options_to = &options,
		.on_mistakes = EXIT_BAD_CONFIG,
	};
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r != CONFIG_ARGS_GO_ON)
		return r;
	const struct admin_request request = {
		.command = "reload",
		.method = "POST",
		.path = PATH,
		.mark = "outcome",
		.timeout_ms = options.timeout_ms,
	};
	struct admin_answer answer;

	r = EXIT_FAILED;
	if (admin_call(&config, &request, &answer)) {
		r = judge(&request, &answer, options.wants_json);
		admin_answer_finish(&answer);
	}
	config_finish(&config);
	return r;
}
