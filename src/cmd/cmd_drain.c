/* SPDX-License-Identifier: Apache-2.0
 * cmd_drain.c - gatehouse drain: has the running gateway let its clients go, and watches until it
 * has. */
#include "cmd/cmd.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/units.h"
#include "cmd/admin_call.h"
#include "cmd/config_args.h"

#define PATH       "/api/v1/drain"
#define TIMEOUT_MS 10000
#define LOOK_MS    500
#define TELL_NS    (10 * NS_PER_S)

static const char intro[] =
	"Has the gateway that runs with this configuration let its clients go, spread evenly over\n"
	"a time and at random over them, and waits until it has. Each is closed with 1012 and\n"
	"\"retry-after=N\". Without --route, --group and --percent all are meant: the node is not\n"
	"ready any more, and lets nobody in, until --cancel, or until it is ended. A second drain\n"
	"of the same clients changes the pace. Ctrl-C ends the watching, not the drain.\n"
	"Exit: 0 all were let go; 1 not so: cancelled, refused, or no gateway answers; 2 wrong\n"
	"usage.\n";

struct drain_options {
	json_t *order;
	bool wants_cancel;
	bool wants_no_wait;
};

/* --- arguments --- */

static const char *text_take(void *to, const char *name, const char *value)
{
	json_object_set_new(((struct drain_options *)to)->order, name, json_string(value));
	return value[0] == 0 ? "is empty" : NULL;
}

static const char *time_take(void *to, const char *name, const char *value)
{
	uint64_t ms;
	enum units_result r = units_parse_duration_ms(slice_from_text(value), &ms);

	return r == UNITS_OK ? text_take(to, name, value) : units_explain(r, "duration");
}

static const char *over_take(void *to, const char *value)
{
	return time_take(to, "over", value);
}

static const char *delay_take(void *to, const char *value)
{
	return time_take(to, "delay", value);
}

static const char *route_take(void *to, const char *value)
{
	return text_take(to, "route", value);
}

static const char *group_take(void *to, const char *value)
{
	return text_take(to, "group", value);
}

static const char *percent_take(void *to, const char *value)
{
	uint64_t percent = 0;

	if (units_parse_count(slice_from_text(value), &percent) != UNITS_OK || percent < 1 ||
	    percent > 100)
		return "is not in 1..100";
	json_object_set_new(((struct drain_options *)to)->order, "percent",
			    json_integer((json_int_t)percent));
	return NULL;
}

static const char *cancel_take(void *to, const char *value)
{
	(void)value;
	((struct drain_options *)to)->wants_cancel = true;
	return NULL;
}

static const char *no_wait_take(void *to, const char *value)
{
	(void)value;
	((struct drain_options *)to)->wants_no_wait = true;
	return NULL;
}

static const struct config_args_option options_known[] = {
	{"--over", "TIME",
	 "From the first close to the last, such as 5m. Default: server.drain_spread, or 1m\n"
	 "      if that is 0.",
	 false, over_take},
	{"--delay", "TIME",
	 "Before the first close, not ready yet letting clients in. Default:\n"
	 "      server.drain_delay; with --route, --group or --percent 0.",
	 false, delay_take},
	{"--route", "NAME", "Only clients of this route.", false, route_take},
	{"--group", "NAME", "Only clients of this group.", false, group_take},
	{"--percent", "N", "So many of them in 100, chosen at random.", false, percent_take},
	{"--cancel", NULL, "Let nobody go any more, and be ready again.", false, cancel_take},
	{"--no-wait", NULL, "Do not wait for the end.", false, no_wait_take},
};

/* --- watching --- */

struct watch {
	const struct config *config;
	bool wants_no_wait;
	uint64_t told_ns; /* when a line was last printed */
};

static json_int_t number(const json_t *state, const char *name)
{
	return json_integer_value(json_object_get(state, name));
}

static bool state_is(const json_t *state, const char *name)
{
	const char *text = json_string_value(json_object_get(state, "state"));

	return text != NULL && strcmp(text, name) == 0;
}

static void tell_state(struct watch *watch, const json_t *state)
{
	uint64_t now_ns = clock_now_ns();

	if (watch->told_ns != 0 && now_ns - watch->told_ns < TELL_NS)
		return;
	watch->told_ns = now_ns;
	printf("%s: %" JSON_INTEGER_FORMAT " let go",
	       state_is(state, "waiting") ? "waiting" : "under way", number(state, "closed"));
	if (json_is_integer(json_object_get(state, "left")))
		printf(", %" JSON_INTEGER_FORMAT " left", number(state, "left"));
	if (number(state, "busy") > 0)
		printf(" (%" JSON_INTEGER_FORMAT " with something under way)",
		       number(state, "busy"));
	printf(", %" JSON_INTEGER_FORMAT " s to go\n", number(state, "eta_seconds"));
	fflush(stdout);
}

static int tell_done(const json_t *state)
{
	printf("done: %" JSON_INTEGER_FORMAT " let go", number(state, "closed"));
	if (number(state, "closed_busy") > 0)
		printf(", %" JSON_INTEGER_FORMAT " of them with something under way",
		       number(state, "closed_busy"));
	putchar('\n');
	return EXIT_GOOD;
}

/* -1: it goes on; else the exit code. */
static int judge(struct watch *watch, const json_t *state)
{
	if (state_is(state, "done"))
		return tell_done(state);
	if (state_is(state, "cancelled")) {
		printf("cancelled: %" JSON_INTEGER_FORMAT " were let go\n",
		       number(state, "closed"));
		return EXIT_FAILED;
	}
	if (!state_is(state, "waiting") && !state_is(state, "under_way")) {
		fputs("gatehouse drain: the gateway knows of no drain any more: was it "
		      "restarted?\n",
		      stderr);
		return EXIT_FAILED;
	}
	tell_state(watch, state);
	return watch->wants_no_wait ? EXIT_GOOD : -1;
}

static int look(struct watch *watch)
{
	const struct admin_request request = {
		.command = "drain",
		.method = "GET",
		.path = PATH,
		.mark = "state",
		.timeout_ms = TIMEOUT_MS,
	};
	struct admin_answer answer;

	if (!admin_call(watch->config, &request, &answer))
		return EXIT_FAILED; /* it has ended: that is no news of all having been let go */
	int r = EXIT_FAILED;

	if (answer.status == 200)
		r = judge(watch, answer.body);
	else
		admin_answer_tell(&request, &answer);
	admin_answer_finish(&answer);
	return r;
}

static int follow(const struct config *config, const json_t *begun, bool wants_no_wait)
{
	struct watch watch = {.config = config, .wants_no_wait = wants_no_wait};
	int r = judge(&watch, begun);

	while (r < 0) {
		poll(NULL, 0, LOOK_MS);
		r = look(&watch);
	}
	return r;
}

/* --- the command --- */

static int begin(const struct config *config, const struct drain_options *options)
{
	const struct admin_request request = {
		.command = "drain",
		.method = options->wants_cancel ? "DELETE" : "POST",
		.path = PATH,
		.body = options->wants_cancel ? NULL : options->order,
		.mark = "state",
		.timeout_ms = TIMEOUT_MS,
	};
	struct admin_answer answer;
	int r = EXIT_FAILED;

	if (!admin_call(config, &request, &answer))
		return EXIT_FAILED;
	if (answer.status >= 300) {
		admin_answer_tell(&request, &answer);
	} else if (options->wants_cancel) {
		printf("cancelled: %" JSON_INTEGER_FORMAT " were let go\n",
		       number(answer.body, "closed"));
		r = EXIT_GOOD;
	} else {
		r = follow(config, answer.body, options->wants_no_wait);
	}
	admin_answer_finish(&answer);
	return r;
}

static bool is_contradiction(const struct drain_options *options)
{
	return options->wants_cancel &&
	       (json_object_size(options->order) > 0 || options->wants_no_wait);
}

int cmd_drain(int argc, char **argv)
{
	struct drain_options options = {.order = json_object()};
	const struct config_args args = {
		.command = "drain",
		.intro = intro,
		.options = options_known,
		.option_count = ARRAY_LEN(options_known),
		.options_to = &options,
		.on_mistakes = EXIT_FAILED,
	};
	struct config config;
	int r = config_args_load(&args, argc, argv, &config);

	if (r == CONFIG_ARGS_GO_ON) {
		if (is_contradiction(&options)) {
			fputs("gatehouse drain: --cancel stands alone\n", stderr);
			r = EXIT_USAGE;
		} else {
			r = begin(&config, &options);
		}
		config_finish(&config);
	}
	json_decref(options.order);
	return r;
}
