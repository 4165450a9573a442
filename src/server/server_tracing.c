/* SPDX-License-Identifier: Apache-2.0 */
#include "server/server_tracing.h"

#include <stdio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/renewals.h"
#include "config/config_option.h"
#include "route/headers_file.h"
#include "server/server_private.h"

/* For what waits when the process ends. */
#define FLUSH_MAX_MS 3000

/* In the tracer's thread. */
static void on_told(void *arg, const char *error)
{
	const struct trace_stats *stats = tracer_stats(
		((const struct server *)arg)->tracing.tracer);
	uint64_t dropped = 0;

	for (size_t i = 0; i < TRACE_DROP_COUNT; i++)
		dropped += counter_read(&stats->dropped[i]);
	if (error == NULL)
		log_info("traces reach their collector again", F_UINT("dropped_so_far", dropped));
	else
		log_warn("traces do not reach their collector; some may be dropped, and nothing "
			 "else waits for it",
			 F_TEXT("error", error), F_UINT("dropped_so_far", dropped));
}

/* --- options --- */

static int fail(const struct config *config, enum config_option_number option, const char *key,
		const char *error, struct server_error *out_error)
{
	char place[CONFIG_PLACE_MAX] = "";

	if (config->origins[option].kind == CONFIG_FROM_FILE)
		config_origin_format(config, option, place);
	*out_error = (struct server_error){0};
	snprintf(out_error->text, sizeof(out_error->text), "%stracing.%s: %s", place, key, error);
	return -1;
}

static int headers_read(const struct config *config, struct static_headers *out_headers,
			struct server_error *out_error)
{
	const char *file = config->tracing.headers_file.text;
	char error[512];

	*out_headers = (struct static_headers){0};
	if (file[0] == 0 || headers_file_read(file, out_headers, error, sizeof(error)) == 0)
		return 0;
	return fail(config, CONFIG_OPTION_tracing_headers_file, "headers_file", error, out_error);
}

_Static_assert(STATIC_HEADERS_MAX <= TRACER_HEADERS_MAX, "all of a file's go");

static struct tracer_options options_of(const struct config *config, const char *node,
					const char *host, const struct static_headers *headers)
{
	const struct config_tracing *tracing = &config->tracing;

	return (struct tracer_options){
		.url = tracing->url.text,
		.ca_file = config_text_or_null(&tracing->ca_file),
		.headers = (const char *const *)headers->texts,
		.header_count = headers->count,
		.service_name = tracing->service_name.text,
		.instance = node,
		.host = host,
		.sample = tracing->sample,
		.queue_max = tracing->queue_max,
		.timeout_ms = (uint32_t)tracing->timeout,
		.interval_ms = (uint32_t)tracing->interval,
	};
}

/* `tracer` NULL: they are only looked at. */
static int make(struct tracer *tracer, const struct config *config, const char *node,
		struct tracer_change **out_change, struct server_error *out_error)
{
	struct static_headers headers;
	char host[65] = "", error[512] = "out of memory";
	bool is_of_ca = false;

	if (headers_read(config, &headers, out_error) < 0)
		return -1;
	gethostname(host, sizeof(host) - 1);
	struct tracer_options options = options_of(config, node, host, &headers);
	int r = tracer == NULL ? tracer_check(&options, &is_of_ca, error, sizeof(error))
			       : tracer_prepare(tracer, &options, out_change, &is_of_ca, error,
						sizeof(error));

	static_headers_finish(&headers);
	if (r == 0)
		return 0;
	return is_of_ca ? fail(config, CONFIG_OPTION_tracing_ca_file, "ca_file", error, out_error)
			: fail(config, CONFIG_OPTION_tracing_url, "url", error, out_error);
}

int server_tracing_check(const struct config *config, struct server_error *out_error)
{
	return make(NULL, config, "", NULL, out_error);
}

int server_tracing_prepare(struct server *server, const struct config *config,
			   struct tracer_change **out_change, struct server_error *out_error)
{
	return make(server->tracing.tracer, config, server->public_service.node, out_change,
		    out_error);
}

/* --- files that change --- */

static bool renew(void *arg, struct renewal_error *out_error)
{
	struct server *server = CONTAINER_OF(arg, struct server, tracing);
	const struct ruleset *ruleset = server->tracing.watched;
	struct tracer_change *change;
	struct server_error error;

	CHECK(ruleset == server->ruleset);
	if (server_tracing_prepare(server, &ruleset->config, &change, &error) == 0) {
		tracer_apply(server->tracing.tracer, &change);
		return true;
	}
	snprintf(out_error->text, sizeof(out_error->text), "%.*s", (int)sizeof(out_error->text) - 1,
		 error.text);
	return false;
}

static void unwatch(struct server *server)
{
	if (server->tracing.watched != NULL)
		renewals_remove(server->options.renewals, &server->tracing);
	server->tracing.watched = NULL;
}

/* Without memory for it they are read again when the configuration is. */
static void watch(struct server *server, const struct ruleset *ruleset)
{
	const struct config_tracing *config = &ruleset->config.tracing;
	const char *files[] = {config->headers_file.text, config->ca_file.text};

	unwatch(server);
	if (server->options.renewals == NULL || config->url.text[0] == 0 ||
	    (files[0][0] == 0 && files[1][0] == 0))
		return;
	if (renewals_add(server->options.renewals, &(struct renewable){
							   .what = "tracing",
							   .files = files,
							   .file_count = ARRAY_LEN(files),
							   .renew = renew,
							   .arg = &server->tracing,
						   }))
		server->tracing.watched = ruleset;
}

/* --- life --- */

void server_tracing_commit(struct server *server, const struct ruleset *ruleset,
			   struct tracer_change **change)
{
	tracer_apply(server->tracing.tracer, change);
	watch(server, ruleset);
}

int server_tracing_open(struct server *server, struct server_error *out_error)
{
	struct tracer_change *change;

	server->tracing.tracer = tracer_create(on_told, server);
	if (server->tracing.tracer == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -1;
	}
	if (server_tracing_prepare(server, &server->ruleset->config, &change, out_error) < 0)
		return -1;
	server_tracing_commit(server, server->ruleset, &change);
	server->fleet.tracer = server->tracing.tracer;
	server->public_service.tracer = server->tracing.tracer;
	return 0;
}

void server_tracing_close(struct server *server)
{
	struct tracer *tracer = server->tracing.tracer;

	unwatch(server);
	tracer_destroy(&tracer, FLUSH_MAX_MS); /* until then it may tell, and be asked */
	server->tracing.tracer = NULL;
}
