/* SPDX-License-Identifier: Apache-2.0 */
#include "route/backend_nats.h"

#include <errno.h>
#include <stdio.h>

#include "base/aligned.h"
#include "base/counter.h"

/* What a change takes beside what all kinds do. */
static void tune(struct backend_nats *backend, const struct config_backend *config)
{
	struct event_tuning *tuning = &backend->base.tuning;
	const char *stream = config->stream == NULL ? "" : config->stream;

	counter_set(&tuning->retries, config->retries);
	counter_set(&tuning->is_asked, config->connect == CONFIG_CONNECT_ASK);
	counter_set(&backend->is_durable, config->durable == CONFIG_SWITCH_TRUE);
	CHECK(strlen(stream) < sizeof(backend->stream));
	pthread_mutex_lock(&backend->mutex);
	snprintf(backend->stream, sizeof(backend->stream), "%s", stream);
	pthread_mutex_unlock(&backend->mutex);
}

static int create(const struct backend_world *world, size_t index,
		  struct event_backend **out_backend, struct backend_error *out_error)
{
	const struct config_backend *config = &world->config->backends[index];
	struct backend_nats *backend = ALIGNED_NEW(struct backend_nats);

	if (backend == NULL) {
		snprintf(out_error->text, sizeof(out_error->text), "out of memory");
		return -ENOMEM;
	}
	event_backend_init(&backend->base, config, world->source, &backend_nats);
	backend->bus = world->bus;
	pthread_mutex_init(&backend->mutex, NULL);
	tune(backend, config);
	*out_backend = &backend->base;
	return 0;
}

static void change(struct event_backend *base, const struct config_backend *config, void *prepared)
{
	(void)prepared;
	tune(CONTAINER_OF(base, struct backend_nats, base), config);
}

static void destroy(struct event_backend *base)
{
	struct backend_nats *backend = CONTAINER_OF(base, struct backend_nats, base);

	pthread_mutex_destroy(&backend->mutex);
	free(backend);
}

/* It has no answers to messages. */
static bool can_end(enum event_type type, enum event_outcome outcome)
{
	(void)type;
	return outcome != EVENT_ANSWER_TOO_BIG && outcome != EVENT_ANSWER_UNREADABLE &&
	       outcome != EVENT_ANSWER_MALFORMED;
}

static void report(const struct event_backend *base, struct backend_report *out_report)
{
#define CAUSE_LABEL(NAME, label) label,
	static const char *const causes[] = {NATS_CAUSE_TABLE(CAUSE_LABEL)};
	const struct nats_stats *stats =
		&CONTAINER_OF(base, const struct backend_nats, base)->stats;

	_Static_assert((int)NATS_CAUSE_COUNT <= BACKEND_CAUSES_MAX, "there is room for all");
	*out_report = (struct backend_report){
		.in_flight = counter_read(&stats->in_flight),
		.attempts = counter_read(&stats->attempts),
		.retries = counter_read(&stats->retries),
		.cause_count = NATS_CAUSE_COUNT,
	};
	for (size_t i = 0; i < NATS_CAUSE_COUNT; i++) {
		out_report->causes[i] = causes[i];
		out_report->failures[i] = counter_read(&stats->failures[i]);
	}
	durations_copy(&out_report->latency, &stats->durations);
}

const struct backend_type backend_nats = {
	.name = "nats",
	.carrier = &carrier_nats,
	.create = create,
	.change = change,
	.destroy = destroy,
	.can_end = can_end,
	.report = report,
};
