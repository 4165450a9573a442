/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backend_webhook.h"

#include <errno.h>
#include <stdio.h>

#include "base/aligned.h"
#include "base/metrics_text.h"
#include "route/headers_file.h"
#include "route/secret_file.h"

/* A connection has one call at most, so they are bounded by max_connections. */
#define CALLS_MAX         UINT32_C(1000000000)
#define RETRY_AFTER_MAX_S 60
#define RETRY_PERCENT     20 /* retries may add so much to the load of a back end in trouble */
#define RETRY_BURST       100

/* What its files hold. */
struct files {
	struct secrets secrets;
	struct static_headers headers;
};

/* "FILE:LINE:COLUMN: backends[0].KEY: " */
static int place_print(const struct config *config, size_t index,
		       enum config_backend_option_number option, const char *key,
		       struct backend_error *error)
{
	const struct config_origin *origin = &config->backends[index].given[option];

	return snprintf(error->text, sizeof(error->text),
			"%s:%u:%u: backends[%zu].%s: ", config->file, origin->line, origin->column,
			index, key);
}

static void options_fill(const struct config_backend *config, const struct files *files,
			 struct webhook_options *options)
{
	*options = (struct webhook_options){
		.url = config->url,
		.secrets = (const char *const *)files->secrets.items,
		.secret_count = files->secrets.count,
		.headers = files->headers.items,
		.header_count = files->headers.count,
		.ca_file = config_text_or_null(&config->ca_file),
		.http2 = config->http2 == CONFIG_SWITCH_TRUE,
		.connect_timeout_ms = (uint32_t)config->connect_timeout,
		.timeout_ms = (uint32_t)config->timeout,
		.max_in_flight = (uint32_t)config->max_in_flight,
		.queue_max = CALLS_MAX,
		.max_response_bytes = config->answer_max,
		.retries = (uint32_t)config->retries,
		.retry_min_ms = (uint32_t)config->retry_min,
		.retry_max_ms = (uint32_t)config->retry_max,
		.retry_after_max_ms = RETRY_AFTER_MAX_S * 1000,
		.retry_budget_percent = RETRY_PERCENT,
		.retry_burst = RETRY_BURST,
		.breaker_failures = (uint32_t)config->breaker_failures,
		.breaker_open_ms = (uint32_t)config->breaker_open,
		.breaker_probes = (uint32_t)config->breaker_probes,
	};
}

/* What is made of the options; both NULL: they are only judged. */
struct product {
	struct webhook **webhook;
	struct webhook_change **change;
};

static int make(const struct webhook_options *options, const struct product *product, char *error,
		size_t size)
{
	if (product->webhook != NULL)
		return webhook_create(options, product->webhook, error, size);
	if (product->change != NULL)
		return webhook_change_prepare(options, product->change, error, size);
	return webhook_check(options, error, size);
}

/* Where what is wrong with the options stands. */
static int start(const struct config *config, size_t index, const struct files *files,
		 const struct product *product, struct backend_error *out_error)
{
	bool is_ca = config->backends[index].ca_file.text[0] != 0;
	struct webhook_options options;
	char error[320];

	options_fill(&config->backends[index], files, &options);
	int r = make(&options, product, error, sizeof(error));

	if (r < 0) {
		int used = is_ca && strstr(error, "CA file") != NULL
				   ? place_print(config, index, CONFIG_OPTION_backends_ca_file,
						 "ca_file", out_error)
				   : place_print(config, index, CONFIG_OPTION_backends_url, "url",
						 out_error);

		snprintf(out_error->text + used, sizeof(out_error->text) - (size_t)used, "%s",
			 error);
	}
	return r;
}

static int secrets_load(const struct config *config, size_t index, struct files *files,
			struct backend_error *out_error)
{
	const char *file = config->backends[index].secret_file.text;

	if (file[0] == 0)
		return 0;
	int used = place_print(config, index, CONFIG_OPTION_backends_secret_file, "secret_file",
			       out_error);

	return secret_file_read(file, &files->secrets, out_error->text + used,
				sizeof(out_error->text) - (size_t)used);
}

static int headers_load(const struct config *config, size_t index, struct files *files,
			struct backend_error *out_error)
{
	const char *file = config->backends[index].headers_file.text;

	if (file[0] == 0)
		return 0;
	int used = place_print(config, index, CONFIG_OPTION_backends_headers_file, "headers_file",
			       out_error);

	return headers_file_read(file, &files->headers, out_error->text + used,
				 sizeof(out_error->text) - (size_t)used);
}

/* With all that its files hold. */
static int load_and_start(const struct config *config, size_t index, const struct product *product,
			  struct backend_error *out_error)
{
	struct files files = {0};
	int r = secrets_load(config, index, &files, out_error);

	if (r == 0)
		r = headers_load(config, index, &files, out_error);
	if (r == 0)
		r = start(config, index, &files, product, out_error);
	secrets_finish(&files.secrets);
	static_headers_finish(&files.headers);
	return r;
}

static int check(const struct config *config, size_t index, struct backend_error *out_error)
{
	return load_and_start(config, index, &(struct product){0}, out_error);
}

static int prepare(const struct backend_world *world, size_t index, void **out_prepared,
		   struct backend_error *out_error)
{
	struct webhook_change *change = NULL;
	int r = load_and_start(world->config, index, &(struct product){.change = &change},
			       out_error);

	*out_prepared = change;
	return r;
}

static void change(struct event_backend *base, const struct config_backend *config, void *prepared)
{
	struct webhook_change *change = prepared;

	(void)config;
	webhook_change_apply(CONTAINER_OF(base, struct backend_webhook, base)->webhook, &change);
}

static void discard(void *prepared)
{
	struct webhook_change *change = prepared;

	webhook_change_discard(&change);
}

static void destroy(struct event_backend *base)
{
	struct backend_webhook *backend = CONTAINER_OF(base, struct backend_webhook, base);

	webhook_destroy(&backend->webhook, 0);
	free(backend);
}

static int create(const struct backend_world *world, size_t index,
		  struct event_backend **out_backend, struct backend_error *out_error)
{
	struct backend_webhook *backend = ALIGNED_NEW(struct backend_webhook);

	if (backend == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	event_backend_init(&backend->base, &world->config->backends[index], world->source,
			   &backend_webhook);
	backend->base.tuning.is_asked = true;
	backend->base.has_answer = true;
	int r = load_and_start(world->config, index,
			       &(struct product){.webhook = &backend->webhook}, out_error);

	if (r < 0)
		free(backend);
	else
		*out_backend = &backend->base;
	return r;
}

/* --- how it is --- */

static struct webhook_stats stats_of(const struct event_backend *base)
{
	struct webhook_stats stats;

	webhook_stats_read(CONTAINER_OF(base, const struct backend_webhook, base)->webhook, &stats);
	return stats;
}

static bool is_down(const struct event_backend *base)
{
	return stats_of(base).breaker_state != WEBHOOK_BREAKER_CLOSED;
}

static void report(const struct event_backend *base, struct backend_report *out_report)
{
	static const char *const breakers[] = {
		[WEBHOOK_BREAKER_CLOSED] = "closed",
		[WEBHOOK_BREAKER_OPEN] = "open",
		[WEBHOOK_BREAKER_HALF_OPEN] = "half_open",
	};
	struct webhook_stats stats = stats_of(base);

	CHECK(stats.breaker_state < ARRAY_LEN(breakers));
	*out_report = (struct backend_report){
		.breaker = breakers[stats.breaker_state],
		.in_flight = stats.in_flight,
		.attempts = stats.attempts,
		.retries = stats.retries,
		.latency = stats.durations,
		.cause_count = WEBHOOK_CAUSE_COUNT - 1,
	};
	_Static_assert(WEBHOOK_CAUSE_NONE == 0 && (int)WEBHOOK_CAUSE_COUNT <= BACKEND_CAUSES_MAX,
		       "the first is none, and there is room for the others");
	for (unsigned cause = 1; cause < WEBHOOK_CAUSE_COUNT; cause++) {
		out_report->causes[cause - 1] = webhook_cause_label(cause);
		out_report->failures[cause - 1] = stats.failures[cause];
	}
}

/* Answers are passed on to messages alone, and each request has its outcome. */
static bool can_end(enum event_type type, enum event_outcome outcome)
{
	if (outcome == EVENT_ANSWER_TOO_BIG || outcome == EVENT_ANSWER_UNREADABLE ||
	    outcome == EVENT_ANSWER_MALFORMED)
		return type == EVENT_MESSAGE || type == EVENT_CONNECTED;
	return outcome != EVENT_UNCONFIRMED;
}

/* --- its numbers --- */

/* clang-format off */

/* One sample each. X(name, kind, field of struct webhook_stats, help) */
#define PLAIN(X)                                                                               \
	X(gatehouse_backend_breaker_state, gauge, breaker_state,                               \
	  "0: all requests go out. 1: none, because too many failed. 2: probes only.")         \
	X(gatehouse_backend_breaker_opens_total, counter, breaker_opens,                       \
	  "Times that requests were stopped.")                                                 \
	X(gatehouse_backend_connections_opened_total, counter, connections_opened,             \
	  "Connections made to it. Nearly as many as attempts: it does not keep them open.")
/* clang-format on */

#define PLAIN_ENUM(name, kind, field, help) PLAIN_##field,
enum { PLAIN(PLAIN_ENUM) };

static uint64_t plain_value(const struct webhook_stats *stats, size_t number)
{
	switch (number) {
#define PLAIN_CASE(name, kind, field, help) \
	case PLAIN_##field:                 \
		return stats->field;
		PLAIN(PLAIN_CASE)
	default:
		CHECK(false);
	}
}

static void plain_write(struct buf *out, const struct backend_family *family,
			const struct event_backend *backend)
{
	struct webhook_stats stats = stats_of(backend);

	PRINT(out, "%s{backend=\"%s\"} %" PRIu64 "\n", family->name, backend->base.name,
	      plain_value(&stats, family->number));
}

#define PLAIN_FAMILY(name, kind, field, help) {#name, #kind, help, plain_write, PLAIN_##field},
static const struct backend_family families[] = {PLAIN(PLAIN_FAMILY)};

const struct backend_type backend_webhook = {
	.name = "webhook",
	.carrier = &carrier_webhook,
	.create = create,
	.prepare = prepare,
	.change = change,
	.discard = discard,
	.check = check,
	.destroy = destroy,
	.is_down = is_down,
	.can_end = can_end,
	.report = report,
	.families = families,
	.family_count = ARRAY_LEN(families),
};
