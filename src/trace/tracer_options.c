/* SPDX-License-Identifier: Apache-2.0
 * tracer_options.c - what the tracer is told: checked, and made into what the thread works by. */
#include "trace/tracer_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/reference.h"

#define RESOURCE_MAX 16384 /* [bytes] */

static void curl_setup(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static void curl_setup_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, curl_setup);
}

/* --- checks --- */

static int url_check(const char *url, char *error, size_t size)
{
	CURLU *parsed = curl_url();
	char *scheme = NULL, *user = NULL;

	if (parsed == NULL)
		return -ENOMEM;
	CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);

	if (code == CURLUE_OK)
		code = curl_url_get(parsed, CURLUPART_SCHEME, &scheme, 0);
	bool has_scheme = code == CURLUE_OK &&
			  (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	bool has_user = code == CURLUE_OK &&
			curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK;

	curl_free(scheme);
	curl_free(user);
	curl_url_cleanup(parsed);
	if (has_scheme && !has_user)
		return 0;
	char detail[96];

	snprintf(detail, sizeof(detail), "is no URL (%s)", curl_url_strerror(code));
	snprintf(error, size,
		 "'%s' %s; write the address that the collector takes traces at, such as "
		 "http://127.0.0.1:4318/v1/traces",
		 has_user ? "..." : url,
		 has_user            ? "has a user in it, which belongs in tracing.headers_file"
		 : code != CURLUE_OK ? detail
				     : "has another scheme than http and https");
	return -EINVAL;
}

static bool has_certificate(const char *file)
{
	static const char mark[] = "-----BEGIN CERTIFICATE-----";
	FILE *stream = fopen(file, "re");
	char line[256];
	bool is_found = false;

	while (stream != NULL && !is_found && fgets(line, sizeof(line), stream) != NULL)
		is_found = strncmp(line, mark, strlen(mark)) == 0;
	if (stream != NULL)
		fclose(stream);
	return is_found;
}

static int ca_check(const char *file, char *error, size_t size)
{
	bool is_readable = access(file, R_OK) == 0;
	const char *reason = strerror(errno);

	if (is_readable && has_certificate(file))
		return 0;
	snprintf(error, size, "%s %s%s; wanted are certificates in PEM", file,
		 is_readable ? "holds no certificates" : "cannot be read: ",
		 is_readable ? "" : reason);
	return -EINVAL;
}

int tracer_check(const struct tracer_options *options, bool *out_is_of_ca, char *error, size_t size)
{
	*out_is_of_ca = false;
	if (options->url[0] == 0)
		return 0;
	curl_setup_once();
	int r = url_check(options->url, error, size);

	if (r == 0 && options->ca_file != NULL) {
		r = ca_check(options->ca_file, error, size);
		*out_is_of_ca = r < 0;
	}
	return r;
}

/* --- the target --- */

void tracer_target_unref(struct tracer_target **target)
{
	struct tracer_target *self = *target;

	*target = NULL;
	if (self == NULL || !reference_drop(&self->references))
		return;
	for (struct curl_slist *line = self->headers; line != NULL; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl_slist_free_all(self->headers);
	buf_finish(&self->resource);
	free(self->url);
	free(self->ca_file);
	free(self);
}

/* By OpenTelemetry's names for what a service is. */
static bool resource_write(const struct tracer_options *options, struct buf *out)
{
	const struct {
		const char *key, *value;
	} facts[] = {
		{"service.name", options->service_name},
		{"service.instance.id", options->instance},
		{"service.version", GATEHOUSE_VERSION},
		{"host.name", options->host},
	};

	if (buf_printf(out, RESOURCE_MAX, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[") <
	    0)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(facts); i++)
		trace_attribute_write(out, facts[i].key, slice_from_text(facts[i].value));
	return buf_printf(
		       out, RESOURCE_MAX,
		       "]},\"scopeSpans\":[{\"scope\":{\"name\":\"gatehouse\",\"version\":\"%s\"},"
		       "\"spans\":[",
		       GATEHOUSE_VERSION) == 0;
}

static bool header_add(struct tracer_target *target, const char *line)
{
	struct curl_slist *list = curl_slist_append(target->headers, line);

	if (list != NULL)
		target->headers = list;
	return list != NULL;
}

static bool target_fill(struct tracer_target *target, const struct tracer_options *options)
{
	CHECK(options->header_count <= TRACER_HEADERS_MAX);
	target->url = strdup(options->url);
	target->ca_file = options->ca_file == NULL ? NULL : strdup(options->ca_file);
	/* Without the last libcurl would wait for "100 Continue" before a long body. */
	bool is_good = target->url != NULL &&
		       (options->ca_file == NULL || target->ca_file != NULL) &&
		       header_add(target, "Content-Type: application/json") &&
		       header_add(target, "Expect:") && resource_write(options, &target->resource);

	for (size_t i = 0; i < options->header_count && is_good; i++)
		is_good = header_add(target, options->headers[i]);
	return is_good;
}

static struct tracer_target *target_create(const struct tracer_options *options)
{
	struct tracer_target *target = calloc(1, sizeof(*target));

	if (target == NULL)
		return NULL;
	target->references = 1;
	target->timeout_ms = options->timeout_ms;
	target->interval_ms = options->interval_ms;
	if (!target_fill(target, options))
		tracer_target_unref(&target);
	return target;
}

int tracer_prepare(struct tracer *tracer, const struct tracer_options *options,
		   struct tracer_change **out_change, bool *out_is_of_ca, char *error, size_t size)
{
	int r = tracer_check(options, out_is_of_ca, error, size);

	if (r < 0)
		return r;
	struct tracer_change *change = calloc(1, sizeof(*change));
	bool is_on = options->url[0] != 0;

	if (change == NULL)
		return -ENOMEM;
	*change = (struct tracer_change){.sample = options->sample,
					 .queue_max = options->queue_max};
	if (is_on && tracer_thread_start(tracer) == 0)
		change->target = target_create(options);
	if (is_on && change->target == NULL) {
		snprintf(error, size,
			 "the thread that sends traces could not be started; raise the limit on "
			 "threads or memory (ulimit -u, pids.max)");
		tracer_discard(&change);
		return -ENOMEM;
	}
	*out_change = change;
	return 0;
}

void tracer_discard(struct tracer_change **change)
{
	struct tracer_change *self = *change;

	*change = NULL;
	if (self == NULL)
		return;
	tracer_target_unref(&self->target);
	free(self);
}
