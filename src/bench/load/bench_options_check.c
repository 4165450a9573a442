/* SPDX-License-Identifier: Apache-2.0
 * bench_options_check.c - what must hold between options, which each of them cannot see. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "bench/client/bench_payload.h"
#include "bench/load/bench_option.h"

/* An http URL that the main thread asks; `text` may be NULL. */
static int asked_url_parse(struct bench_parse *parse, const char *option, const char *text,
			   struct bench_url *out)
{
	if (text == NULL)
		return 0;
	const char *problem = bench_url_parse(text, "http", out);

	if (problem == NULL && strstr(out->path, "{n}") != NULL)
		problem = "has {n}, but it is asked once for all connections";
	return problem == NULL
		       ? 0
		       : bench_option_fail(parse, "--%s: the URL '%s' %s", option, text, problem);
}

/* How connections come and go. */
static int shape_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;

	if (options->batch > 0 && options->connect_rate > 0)
		return bench_option_fail(parse,
					 "--batch and --rate exclude each other: in batches, "
					 "or evenly");
	if (options->batch_pause_ms > 0 && options->batch == 0)
		return bench_option_fail(parse, "--batch-pause needs --batch: it is the pause "
						"between two batches");
	if (options->lifetime_ms > 0 && bench_options_hold_ms(options) == 0)
		return bench_option_fail(parse, "--lifetime closes and reopens connections in the "
						"hold: it needs --hold");
	if (options->slow_readers_percent > 0 && bench_options_hold_ms(options) == 0)
		return bench_option_fail(parse, "--slow-readers do not read in the hold: they need "
						"--hold");
	return 0;
}

static int receive_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;

	if (!options->is_receiver)
		return 0;
	if (bench_options_has_traffic(options))
		return bench_option_fail(parse, "--receive excludes --depth and --message-rate: "
						"an echo could not be told from a push");
	if (options->hold_ms == 0)
		return bench_option_fail(parse, "--receive needs --hold: how long it waits for "
						"messages");
	return 0;
}

int bench_options_check(struct bench_parse *parse)
{
	struct bench_options *options = parse->options;

	if (options->url_text == NULL)
		return bench_option_fail(
			parse, "no URL given, e.g. ws://127.0.0.1:8080/ws/dev-{n}%s",
			options->scenario == NULL ? "" : "; the scenario has no 'url' either");
	const char *problem = bench_url_parse(options->url_text, "ws", &options->url);

	if (problem != NULL)
		return bench_option_fail(parse, "the URL '%s' %s", options->url_text, problem);
	if (asked_url_parse(parse, "wait-ready", options->ready_text, &options->ready_url) < 0 ||
	    asked_url_parse(parse, "limits", options->limits_text, &options->limits_url) < 0)
		return -EINVAL;
	int r = shape_check(parse);

	if (r == 0)
		r = receive_check(parse);
	if (r < 0)
		return r;
	if (options->json_path != NULL && options->html_path != NULL &&
	    strcmp(options->json_path, options->html_path) == 0)
		return bench_option_fail(parse,
					 "--json and --html both name '%s': give each its own file",
					 options->json_path);
	if (options->depth > 0 && options->message_rate > 0)
		return bench_option_fail(
			parse, "--depth and --message-rate exclude each other: as fast as "
			       "echoes come, or at a rate");
	if (options->duration_ms > 0 && !bench_options_has_traffic(options))
		return bench_option_fail(
			parse, "--duration is how long messages are sent: it needs --depth or "
			       "--message-rate (--hold holds without messages)");
	if (options->depth > 1 && options->size < BENCH_STAMP_LEN)
		return bench_option_fail(
			parse,
			"--size %lu with --depth %lu: a message under %d bytes has no room for "
			"its send time; use --size %d or more, or --depth 1",
			(unsigned long)options->size, (unsigned long)options->depth,
			BENCH_STAMP_LEN, BENCH_STAMP_LEN);
	return 0;
}
