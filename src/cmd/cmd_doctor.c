/* SPDX-License-Identifier: Apache-2.0
 * cmd_doctor.c - which limit binds, and how to raise it. */
#include "cmd/cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/units.h"
#include "cmd/config_args.h"
#include "cmd/doctor_urls.h"
#include "cmd/own_limits.h"
#include "cmd/start.h"
#include "server/server_doors.h"
#include "diag/doctor.h"
#include "diag/limits_json.h"
#include "diag/plan.h"

/* The kernel's own bound on process ids (PID_MAX_LIMIT). */
#define PID_MAX 4194304

/* The range of server.max_connections ends here; more than a machine has addresses for. */
#define CONNECTIONS_MAX UINT64_C(1000000000)

static const char intro[] =
	"Says how many connections this machine and configuration hold, which limit binds,\n"
	"and what to change; with --pid the same for a server that runs, Gatehouse or not.\n"
	"Nothing is changed, and no gateway needs to run.\n"
	"Exit: 0 it is good: N fit, or what is configured; 1 they do not, or a limit is used up;\n"
	"2 wrong usage; 78 the configuration has mistakes.\n";

struct doctor_options {
	uint64_t connections; /* 0: not asked */
	uint64_t pid;         /* 0: none */
	bool wants_json;
	const char *report_path; /* NULL: none */
	enum report_lang lang;
	FILE *report; /* open before anything is looked at */
};

static const char *number_take(const char *value, uint64_t max, const char *expected,
			       uint64_t *out_number)
{
	uint64_t number;

	if (units_parse_count(slice_from_text(value), &number) != UNITS_OK || number == 0 ||
	    number > max)
		return expected;
	*out_number = number;
	return NULL;
}

static const char *connections_take(void *to, const char *value)
{
	return number_take(value, CONNECTIONS_MAX, "is not a whole number from 1 to 1000000000",
			   &((struct doctor_options *)to)->connections);
}

static const char *pid_take(void *to, const char *value)
{
	return number_take(value, PID_MAX, "is not a process id: a number from 1 to 4194304",
			   &((struct doctor_options *)to)->pid);
}

static const char *json_take(void *to, const char *value)
{
	(void)value;
	((struct doctor_options *)to)->wants_json = true;
	return NULL;
}

static const char *report_take(void *to, const char *value)
{
	((struct doctor_options *)to)->report_path = value;
	return value[0] == 0 ? "is no name of a file" : NULL;
}

static const char *lang_take(void *to, const char *value)
{
	const enum report_lang *lang = report_lang_find(value);

	if (lang == NULL)
		return "is no language here; there are en and zh";
	((struct doctor_options *)to)->lang = *lang;
	return NULL;
}

static const struct config_args_option options_known[] = {
	{"--connections", "N", "Say whether N connections can be held, and every change needed.",
	 false, connections_take},
	{"--pid", "PID",
	 "Look at this process instead of a configuration: its limits, listeners and\n"
	 "      descriptors. Excludes -c and the options of the configuration.",
	 true, pid_take},
	{"--json", NULL, "Print JSON (docs/doctor.md); also where the answer is no.", false,
	 json_take},
	{"--report", "FILE",
	 "Write the answer there, too, as a document in Markdown: background, environment,\n"
	 "      limits, hypotheses and what excludes them, what binds, cure.",
	 false, report_take},
	{"--lang", "LANG", "Of --report: en or zh.", false, lang_take},
};

/* --- output --- */

static bool has_colours(void)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == 0) && term != NULL &&
	       strcmp(term, "dumb") != 0;
}

static int json_print(json_t *json)
{
	bool is_printed = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0;

	json_decref(json);
	if (!is_printed) {
		fprintf(stderr, "gatehouse doctor: out of memory\n");
		return EXIT_FAILED;
	}
	putchar('\n');
	return EXIT_GOOD;
}

static int report_fail(const struct doctor_options *options, const char *what, int error)
{
	fprintf(stderr, "gatehouse doctor: --report: %s '%s'%s: %s\n", what, options->report_path,
		error == EIO ? " failed" : "", strerror(error));
	return EXIT_FAILED;
}

static int report_open(struct doctor_options *options)
{
	if (options->report_path == NULL)
		return EXIT_GOOD;
	options->report = fopen(options->report_path, "we");
	return options->report != NULL ? EXIT_GOOD : report_fail(options, "cannot write", errno);
}

/* Some file systems tell only at the end that there is no room. */
static int report_write(const struct doctor_case *asked, const struct doctor_answer *answer,
			struct doctor_options *options)
{
	if (options->report == NULL)
		return EXIT_GOOD;
	int r = doctor_write_markdown(asked, answer, options->lang, options->report);

	if (fclose(options->report) == EOF && r == 0)
		r = -errno;
	options->report = NULL;
	return r == 0 ? EXIT_GOOD : report_fail(options, "writing", -r);
}

static int answer_print(const struct doctor_case *asked, struct doctor_options *options)
{
	struct doctor_answer answer;

	doctor_judge(asked, &answer);
	int r = report_write(asked, &answer, options);

	if (options->wants_json && json_print(doctor_json(asked, &answer)) != EXIT_GOOD)
		r = EXIT_FAILED;
	if (!options->wants_json)
		doctor_print(asked, &answer, has_colours(), stdout);
	return answer.is_good ? r : EXIT_FAILED;
}

/* There is nothing that a table could be made of. */
static void failure_print(const struct doctor_options *options, const char *verdict)
{
	if (options->wants_json)
		json_print(doctor_json_failure(verdict, options->connections));
}

/* --- the two questions --- */

/* What a gateway says of itself instead of what the kernel tells; NULL: it is none of ours,
 * or `problem` says why not. */
static json_t *own_limits_take(const struct process *process, const struct doctor_options *options,
			       struct limits_input *input, struct limits *limits,
			       size_t *out_listener, char problem[OWN_LIMITS_PROBLEM_MAX])
{
	struct limits own;

	if (!own_limits_expected(process))
		return NULL;
	json_t *table = own_limits_ask(process, options->connections, out_listener, problem);

	if (table == NULL)
		return NULL;
	if (!limits_json_read(table, &own, &input->connections)) {
		snprintf(problem, OWN_LIMITS_PROBLEM_MAX, "what it answers at /limits is no table");
		json_decref(table);
		return NULL;
	}
	problem[0] = 0;
	*limits = own;
	return table;
}

static const char *url_or_null(const char *url)
{
	return url[0] == 0 ? NULL : url;
}

static int ask_process(struct doctor_options *options)
{
	struct os_source source = {.pid = (pid_t)options->pid};
	struct process process;
	struct os_limits os;
	struct limits_input input;
	struct limits limits;
	char verdict[128], problem[OWN_LIMITS_PROBLEM_MAX] = "";
	int r = process_read(NULL, source.pid, &process);

	if (r < 0) {
		snprintf(verdict, sizeof(verdict), "process %d: %s", (int)source.pid,
			 r == -ESRCH ? "there is none, or it is hidden from us" : strerror(-r));
		fprintf(stderr, "gatehouse doctor: %s\n", verdict);
		failure_print(options, verdict);
		return EXIT_FAILED;
	}
	os_limits_read(&source, &os);
	doctor_process_input(&process, &os, &input);
	limits_build(&input, &limits);
	size_t listener;
	json_t *own = own_limits_take(&process, options, &input, &limits, &listener, problem);
	struct doctor_urls urls;

	doctor_urls_of_process(&process, own == NULL ? SIZE_MAX : listener, &urls);
	r = answer_print(&(struct doctor_case){.input = &input,
					       .limits = &limits,
					       .process = &process,
					       .wanted = options->connections,
					       .own_table = own,
					       .own_problem = problem[0] != 0 ? problem : NULL,
					       .clients_url = url_or_null(urls.clients),
					       .limits_url = url_or_null(urls.limits)},
			 options);
	json_decref(own);
	return r;
}

static int ask_machine(const struct config *config, struct doctor_options *options)
{
	struct os_nofile before = os_limits_nofile(), after = os_limits_raise_nofile();
	struct plan_facts facts;
	struct plan plan;
	enum loop_engine engine;
	const char *reason;
	char obstacle[256];
	struct doctor_urls urls;
	bool has_engine = loop_engine_choose(start_engine(config), &engine, &reason) == 0;

	if (!has_engine) {
		snprintf(obstacle, sizeof(obstacle),
			 "serve would not start: server.engine: io_uring cannot be used: %s; set "
			 "it to auto or epoll",
			 reason);
		engine = LOOP_ENGINE_EPOLL;
	}
	plan_facts_read(engine, reason, &facts);
	facts.certificate_expires_at = server_doors_expire_at(config);
	plan_make(config, &facts, &plan);
	doctor_urls_of_config(config, &urls);
	return answer_print(
		&(struct doctor_case){.input = &plan.input,
				      .limits = &plan.limits,
				      .wanted = options->connections,
				      .raised_from = before.soft != after.soft ? before.soft : 0,
				      .obstacle = has_engine ? NULL : obstacle,
				      .clients_url = url_or_null(urls.clients),
				      .limits_url = url_or_null(urls.limits)},
		options);
}

int cmd_doctor(int argc, char **argv)
{
	struct doctor_options options = {0};
	struct config_args args = {
		.command = "doctor",
		.intro = intro,
		.options = options_known,
		.option_count = ARRAY_LEN(options_known),
		.options_to = &options,
		.on_mistakes = EXIT_BAD_CONFIG,
	};
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r == EXIT_BAD_CONFIG)
		failure_print(&options, "the configuration cannot be loaded");
	if (r != CONFIG_ARGS_GO_ON)
		return r;
	r = report_open(&options);
	if (r == EXIT_GOOD)
		r = options.pid != 0 ? ask_process(&options) : ask_machine(&config, &options);
	if (options.report != NULL)
		fclose(options.report); /* there was nothing to tell */
	config_finish(&config);
	return r;
}
