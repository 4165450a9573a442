/* SPDX-License-Identifier: Apache-2.0
 * bench_options_check.c - what must hold between options, which each of them cannot see. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "bench/client/bench_payload.h"
#include "bench/load/bench_act.h"
#include "bench/load/bench_option.h"
#include "bench/load/bench_push.h"
#include "tls/tls_context.h"

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

/* An act may have a URL of its own. */
static bool is_tls_act(const struct bench_act *act)
{
	struct bench_act_target target;

	return act->kind != BENCH_ACT_HOOK && bench_act_parse(act, &target) == NULL &&
	       strncmp(target.target, "https://", 8) == 0;
}

bool bench_options_has_tls(const struct bench_options *options)
{
	bool has_act = false;

	for (size_t i = 0; i < options->acts.count; i++)
		has_act |= is_tls_act(&options->acts.rows[i]);
	return has_act || options->url.is_tls || options->ready_url.is_tls ||
	       options->limits_url.is_tls || options->ticket_url.is_tls || options->api_url.is_tls;
}

struct tls_context *bench_tls_context(const struct bench_options *options,
				      struct tls_error *out_error)
{
	const char *key_path = options->key_path;

	return tls_client_context_create(
		&(struct tls_client_options){
			.ca_file = options->ca_path,
			.cert_file = options->cert_path,
			.key_file = key_path != NULL ? key_path : options->cert_path,
			.is_insecure = options->is_insecure,
			.version = (uint16_t)options->tls_version,
		},
		out_error);
}

static int ticket_url_parse(struct bench_parse *parse)
{
	struct bench_options *options = parse->options;
	const char *body = options->ticket_body;

	if (options->ticket_text == NULL)
		return body == NULL
			       ? 0
			       : bench_option_fail(parse, "--ticket-body needs --ticket-url, to "
							  "which it is sent");
	if (body != NULL && strlen(body) >= BENCH_TICKET_BODY_MAX)
		return bench_option_fail(parse, "--ticket-body: is %zu bytes long, %d are the most",
					 strlen(body), BENCH_TICKET_BODY_MAX - 1);
	const char *problem = bench_url_parse(options->ticket_text, "http", &options->ticket_url);

	return problem == NULL ? 0
			       : bench_option_fail(parse, "--ticket-url: the URL '%s' %s",
						   options->ticket_text, problem);
}

/* What is for TLS, but there is none; and what excludes each other. */
static int tls_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;
	const struct {
		const char *name;
		bool is_given;
	} rows[] = {
		{"ca", options->ca_path != NULL},           {"cert", options->cert_path != NULL},
		{"key", options->key_path != NULL},         {"insecure", options->is_insecure},
		{"tls-version", options->tls_version != 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows) && !bench_options_has_tls(options); i++)
		if (rows[i].is_given)
			return bench_option_fail(parse,
						 "--%s is for TLS, but no URL here begins with "
						 "wss:// or https://",
						 rows[i].name);
	if (options->does_resume && !options->url.is_tls)
		return bench_option_fail(parse,
					 "--tls-resume is for TLS, but '%s' does not begin "
					 "with wss://",
					 options->url_text);
	if (options->ca_path != NULL && options->is_insecure)
		return bench_option_fail(parse,
					 "--ca and --insecure exclude each other: the server "
					 "is checked, or is not");
	if (options->key_path != NULL && options->cert_path == NULL)
		return bench_option_fail(parse, "--key needs --cert: the certificate that it is "
						"the key of");
	return 0;
}

/* Is a header of that name among those that are sent? */
static bool has_header(const struct bench_options *options, const char *name)
{
	const char *at = options->headers.len == 0 ? "" : (const char *)options->headers.data;

	for (; *at != 0; at = strstr(at, "\r\n") + 2)
		if (strncasecmp(at, name, strlen(name)) == 0)
			return true;
	return false;
}

static int proof_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;
	bool has_proof = options->basic != NULL || options->token_path != NULL;

	if (options->basic != NULL && options->token_path != NULL)
		return bench_option_fail(parse, "--basic and --token-file exclude each other: both "
						"are the header Authorization");
	if (has_proof && options->ticket_text == NULL && has_header(options, "Authorization:"))
		return bench_option_fail(
			parse, "--header 'Authorization: ...' and --%s exclude each other",
			options->basic != NULL ? "basic" : "token-file");
	return 0;
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
	if (options->cut_after_ms > 0 && options->cut_after_ms >= options->hold_ms)
		return bench_option_fail(parse, "--cut-after cuts all connections in the hold: it "
						"needs a --hold that is longer");
	if (options->cut_after_ms > 0 &&
	    (bench_options_has_traffic(options) || options->is_receiver ||
	     options->lifetime_ms > 0 || options->slow_readers_percent > 0))
		return bench_option_fail(parse,
					 "--cut-after excludes messages, --lifetime and "
					 "--slow-readers: what was under way would be missing");
	if (options->slow_readers_percent > 0 && bench_options_hold_ms(options) == 0)
		return bench_option_fail(parse, "--slow-readers do not read in the hold: they need "
						"--hold");
	return 0;
}

/* --node: each with the URL's scheme and path. */
static int nodes_parse(struct bench_parse *parse)
{
	struct bench_options *options = parse->options;
	char text[BENCH_HOST_MAX + 32];

	if (options->node_count == 0)
		return 0;
	options->node_urls = calloc(options->node_count, sizeof(*options->node_urls));
	if (options->node_urls == NULL)
		return bench_option_fail(parse, "memory is out");
	for (size_t i = 0; i < options->node_count; i++) {
		struct bench_url *url = &options->node_urls[i];

		snprintf(text, sizeof(text), "%s://%.*s/", bench_url_scheme(&options->url, "ws"),
			 BENCH_HOST_MAX + 7, options->node_texts[i]);
		const char *problem = bench_url_parse(text, "ws", url);

		if (problem != NULL)
			return bench_option_fail(parse, "--node: '%s' %s", options->node_texts[i],
						 problem);
		memcpy(url->path, options->url.path, sizeof(url->path));
	}
	return 0;
}

/* Coming back, and echoes that may come twice. */
static int return_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;

	if (options->is_at_least_once && !bench_options_has_traffic(options))
		return bench_option_fail(parse, "--at-least-once is about echoes: it needs "
						"--message-rate or --depth");
	if (options->is_at_least_once && options->lifetime_ms > 0)
		return bench_option_fail(parse,
					 "--at-least-once and --lifetime exclude each other");
	if (options->is_at_least_once && options->size < BENCH_STAMP_LEN)
		return bench_option_fail(
			parse,
			"--size %lu with --at-least-once: a message under %d bytes "
			"cannot be told from the others; use --size %d or more",
			(unsigned long)options->size, BENCH_STAMP_LEN, BENCH_STAMP_LEN);
	if (options->does_reconnect && options->cut_after_ms > 0)
		return bench_option_fail(parse, "--reconnect and --cut-after exclude each other: "
						"those who are cut come back without it");
	if (options->does_reconnect && options->lifetime_ms > 0)
		return bench_option_fail(parse, "--reconnect and --lifetime exclude each other");
	return 0;
}

static int api_parse(struct bench_parse *parse)
{
	struct bench_options *options = parse->options;

	if (options->api_text == NULL)
		return options->api_token_path == NULL
			       ? 0
			       : bench_option_fail(parse, "--api-token-file needs --api, to which "
							  "the token is sent");
	const char *problem = bench_url_parse(options->api_text, "http", &options->api_url);

	if (problem == NULL && strcmp(options->api_url.path, "/") != 0)
		problem = "has a path; give it without, e.g. http://127.0.0.1:8081";
	return problem == NULL ? 0
			       : bench_option_fail(parse, "--api: the URL '%s' %s",
						   options->api_text, problem);
}

static int push_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;

	if (options->push_path == NULL)
		return 0;
	double takes_s = (double)options->push_messages / options->push_rate;

	if (options->api_text == NULL)
		return bench_option_fail(parse,
					 "--push needs --api: the URL of the gateway's admin "
					 "listener");
	if (options->push_path[0] != '/' || strlen(options->push_path) >= BENCH_PATH_MAX ||
	    strcspn(options->push_path, " \t\r\n") < strlen(options->push_path))
		return bench_option_fail(parse,
					 "--push: '%.100s' is no path such as "
					 "/api/v1/broadcast?route=ws",
					 options->push_path);
	if (!options->is_receiver)
		return bench_option_fail(parse, "--push needs --receive: who takes the messages");
	if (options->size < BENCH_PUSH_SIZE_MIN)
		return bench_option_fail(
			parse,
			"--size %lu with --push: a message has a stamp of up to %d "
			"bytes; use --size %d or more",
			(unsigned long)options->size, BENCH_PUSH_SIZE_MIN, BENCH_PUSH_SIZE_MIN);
	if (takes_s * 1000 > (double)options->hold_ms)
		return bench_option_fail(
			parse,
			"--push-messages %lu at %g per second take %g s, and --hold "
			"is %g s: it must be longer",
			(unsigned long)options->push_messages, options->push_rate, takes_s,
			(double)options->hold_ms / 1000);
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

/* Each file that is written is one of its own. */
static int files_check(struct bench_parse *parse)
{
	const struct bench_options *options = parse->options;
	const struct {
		const char *option, *path;
	} files[] = {{"json", options->json_path},
		     {"html", options->html_path},
		     {"report", options->report_path}};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		for (size_t j = i + 1; j < ARRAY_LEN(files); j++)
			if (files[i].path != NULL && files[j].path != NULL &&
			    strcmp(files[i].path, files[j].path) == 0)
				return bench_option_fail(
					parse,
					"--%s and --%s both name '%s': give each its own file",
					files[i].option, files[j].option, files[i].path);
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
	    asked_url_parse(parse, "limits", options->limits_text, &options->limits_url) < 0 ||
	    ticket_url_parse(parse) < 0 || nodes_parse(parse) < 0 || api_parse(parse) < 0)
		return -EINVAL;
	int r = tls_check(parse);

	if (r == 0)
		r = proof_check(parse);
	if (r == 0)
		r = shape_check(parse);

	if (r == 0)
		r = receive_check(parse);
	if (r == 0)
		r = return_check(parse);
	if (r == 0)
		r = push_check(parse);
	if (r == 0)
		r = bench_acts_check(parse);
	if (r < 0)
		return r;
	r = files_check(parse);
	if (r < 0)
		return r;
	if (options->depth > 0 && options->message_rate > 0)
		return bench_option_fail(
			parse, "--depth and --message-rate exclude each other: as fast as "
			       "echoes come, or at a rate");
	if (options->window_bits > 0 && !options->does_pack)
		return bench_option_fail(parse, "--window-bits needs --compression: they are part "
						"of that offer");
	if (options->does_pack && options->is_raw_echo)
		return bench_option_fail(parse, "--compression and --raw-echo exclude each other: "
						"nobody there would agree on it");
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
