/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/load/bench_act.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bench/load/bench_option.h"

const char *bench_act_kind_name(enum bench_act_kind kind)
{
	static const char *const names[] = {
		[BENCH_ACT_CALL] = "call", [BENCH_ACT_AWAIT] = "await", [BENCH_ACT_HOOK] = "hook"};

	return names[kind];
}

/* --- one act --- */

static bool is_method(const char *text, size_t len)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE"};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strlen(methods[i]) == len && memcmp(methods[i], text, len) == 0)
			return true;
	return false;
}

static const char *target_take(const char *text, size_t len, struct bench_act_target *out)
{
	bool is_url = strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;

	if (len == 0 || (text[0] != '/' && !is_url))
		return "has no path that begins with '/', and no http URL";
	if (len >= sizeof(out->target))
		return "is longer than 1023 characters";
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
			return "has a character that no URL has";
	memcpy(out->target, text, len);
	out->target[len] = 0;
	return NULL;
}

/* "POST /path" */
static const char *call_parse(const char *text, struct bench_act_target *out)
{
	size_t len = strcspn(text, " ");

	if (!is_method(text, len))
		return "does not begin with GET, POST, PUT or DELETE, and a path";
	memcpy(out->method, text, len);
	text += len;
	text += strspn(text, " ");
	return target_take(text, strlen(text), out);
}

/* "/path 503" */
static const char *await_parse(const char *text, struct bench_act_target *out)
{
	size_t len = strcspn(text, " ");
	const char *problem = target_take(text, len, out);
	const char *status = text + len + strspn(text + len, " ");

	if (problem != NULL)
		return problem;
	if (strspn(status, "0123456789") != 3 || status[3] != 0 || status[0] < '1')
		return "does not end with the status that is awaited, such as 200";
	memcpy(out->method, "GET", 4);
	out->status = (unsigned)strtoul(status, NULL, 10);
	return NULL;
}

static const char *hook_parse(const char *text)
{
	size_t len = strlen(text);
	bool is_name = len > 0 && len < 64 &&
		       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.-") == len;

	return is_name ? NULL : "is no name of letters, digits and any of -_.";
}

const char *bench_act_parse(const struct bench_act *act, struct bench_act_target *out)
{
	*out = (struct bench_act_target){0};
	switch (act->kind) {
	case BENCH_ACT_CALL:
		return call_parse(act->text, out);
	case BENCH_ACT_AWAIT:
		return await_parse(act->text, out);
	case BENCH_ACT_HOOK:
	case BENCH_ACT_KINDS:
		break;
	}
	return hook_parse(act->text);
}

const char *bench_act_url(const struct bench_act_target *target, const struct bench_url *api,
			  struct bench_url *out)
{
	if (target->target[0] != '/')
		return bench_url_parse(target->target, "http", out);
	*out = *api;
	snprintf(out->path, sizeof(out->path), "%s", target->target);
	return NULL;
}

/* --- all of them --- */

const char *bench_hook_find(const struct bench_options *options, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < options->hook_count; i++)
		if (strncmp(options->hooks[i], name, len) == 0 && options->hooks[i][len] == '=')
			return options->hooks[i] + len + 1;
	return NULL;
}

static int act_fail(struct bench_parse *parse, const struct bench_act *act, const char *what)
{
	return bench_option_fail(
		parse, "%s:%zu: acts: '%s' %s",
		parse->options->scenario_path == NULL ? "scenario" : parse->options->scenario_path,
		act->line, act->text, what);
}

static int act_check(struct bench_parse *parse, const struct bench_act *act)
{
	const struct bench_options *options = parse->options;
	struct bench_act_target target;
	struct bench_url url;
	char what[256];

	if (act->at_ms >= options->hold_ms) {
		snprintf(
			what, sizeof(what),
			"is at %g s, but connections are held for %g s only: --hold must be longer",
			(double)act->at_ms / 1000, (double)options->hold_ms / 1000);
		return act_fail(parse, act, what);
	}
	if (act->kind == BENCH_ACT_HOOK) {
		snprintf(what, sizeof(what),
			 "is a command of yours, and is not given: --hook '%.64s=COMMAND'",
			 act->text);
		return bench_hook_find(options, act->text) != NULL ? 0 : act_fail(parse, act, what);
	}
	CHECK(bench_act_parse(act, &target) == NULL);
	if (target.target[0] == '/' && options->api_text == NULL)
		return act_fail(parse, act, "needs --api: the URL of the gateway's admin listener");
	const char *problem = bench_act_url(&target, &options->api_url, &url);

	return problem == NULL ? 0 : act_fail(parse, act, problem);
}

/* A hook that nothing calls is a misspelt name. */
static int hooks_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;

	for (size_t i = 0; i < options->hook_count; i++) {
		int len = (int)strcspn(options->hooks[i], "=");
		bool is_used = false;

		for (size_t k = 0; k < options->acts.count; k++)
			is_used |= options->acts.rows[k].kind == BENCH_ACT_HOOK &&
				   strlen(options->acts.rows[k].text) == (size_t)len &&
				   strncmp(options->acts.rows[k].text, options->hooks[i],
					   (size_t)len) == 0;
		if (!is_used)
			return bench_option_fail(parse,
						 "--hook: no act of the scenario is 'hook: %.*s'",
						 len, options->hooks[i]);
	}
	return 0;
}

int bench_acts_check(struct bench_parse *parse)
{
	struct bench_acts *acts = &parse->options->acts;

	for (size_t i = 0; i < acts->count; i++) {
		struct bench_act *act = &acts->rows[i];

		if (act->at_percent >= 0)
			act->at_ms = (uint64_t)((double)parse->options->hold_ms * act->at_percent /
						100);
		if (i > 0 && act[-1].at_ms > act->at_ms)
			return act_fail(parse, act,
					"comes before the act above it: they stand in the order of "
					"their times");
		int r = act_check(parse, act);

		if (r < 0)
			return r;
	}
	return hooks_check(parse);
}
