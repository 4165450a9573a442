/* SPDX-License-Identifier: Apache-2.0 */
#include "trace/tracer_private.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"

/* Beside its JSON. */
#define ITEM_COST (sizeof(struct trace_item) + 32)

#define DROP_LABEL(NAME, label, help) label,
static const char *const drop_labels[] = {TRACE_DROP_TABLE(DROP_LABEL)};

const char *trace_drop_label(enum trace_drop reason)
{
	CHECK((size_t)reason < ARRAY_LEN(drop_labels));
	return drop_labels[reason];
}

/* --- sampling --- */

#define RANDOM_BITS 56 /* at the end of an id, which W3C asks to be random */

bool tracer_samples(const struct tracer *tracer, const uint8_t trace_id[TRACE_ID_LEN])
{
	uint64_t value = 0;

	for (size_t i = TRACE_ID_LEN - RANDOM_BITS / 8; i < TRACE_ID_LEN; i++)
		value = value << 8 | trace_id[i];
	return value < counter_read(&tracer->threshold);
}

static uint64_t threshold_of(uint64_t millionths)
{
	return (uint64_t)(((unsigned __int128)millionths << RANDOM_BITS) / TRACER_SAMPLE_ALL);
}

/* --- the queue --- */

/* Under the mutex. False: there is no room. */
static bool append(struct tracer *tracer, struct trace_item *item)
{
	uint64_t cost = item->len + ITEM_COST;

	if (tracer->queue_bytes + cost > counter_read(&tracer->queue_max))
		return false;
	list_append(&tracer->queue, &item->node);
	tracer->queue_bytes += cost;
	counter_set(&tracer->stats.queue_bytes, tracer->queue_bytes);
	counter_set(&tracer->stats.queue_spans, ++tracer->queue_spans);
	return true;
}

static void item_free(struct trace_item *item)
{
	free(item->json);
	free(item);
}

void tracer_take(struct tracer *tracer, char *json, size_t len)
{
	struct trace_item *item = json == NULL ? NULL : malloc(sizeof(*item));

	if (item == NULL) {
		free(json);
		counter_add(&tracer->stats.dropped[TRACE_DROP_MEMORY], 1);
		return;
	}
	*item = (struct trace_item){.json = json, .len = len, .taken_ns = clock_now_ns()};
	pthread_mutex_lock(&tracer->mutex);
	bool is_taken = append(tracer, item);
	bool is_worth_it = is_taken && tracer->queue_spans % TRACER_BATCH_SPANS == 0;

	pthread_mutex_unlock(&tracer->mutex);
	if (!is_taken) {
		item_free(item);
		counter_add(&tracer->stats.dropped[TRACE_DROP_QUEUE_FULL], 1);
	} else if (is_worth_it) {
		curl_multi_wakeup(tracer->multi);
	}
}

void tracer_items_free(struct tracer *tracer, struct list_node *items)
{
	uint64_t bytes = 0, spans = 0;

	while (!list_is_empty(items)) {
		struct trace_item *item = CONTAINER_OF(list_pop(items), struct trace_item, node);

		bytes += item->len + ITEM_COST;
		spans++;
		item_free(item);
	}
	pthread_mutex_lock(&tracer->mutex);
	CHECK(tracer->queue_bytes >= bytes && tracer->queue_spans >= spans);
	tracer->queue_bytes -= bytes;
	tracer->queue_spans -= spans;
	counter_set(&tracer->stats.queue_bytes, tracer->queue_bytes);
	counter_set(&tracer->stats.queue_spans, tracer->queue_spans);
	pthread_mutex_unlock(&tracer->mutex);
}

/* --- life --- */

struct tracer *tracer_create(tracer_told_fn told, void *arg)
{
	struct tracer *tracer = calloc(1, sizeof(*tracer));

	if (tracer == NULL)
		return NULL;
	tracer->told = told;
	tracer->told_arg = arg;
	list_init(&tracer->queue);
	pthread_mutex_init(&tracer->mutex, NULL);
	return tracer;
}

int tracer_thread_start(struct tracer *tracer)
{
	if (tracer->has_thread)
		return 0;
	tracer->multi = curl_multi_init();
	if (tracer->multi == NULL)
		return -1;
	tracer->has_thread = pthread_create(&tracer->thread, NULL, tracer_thread, tracer) == 0;
	if (tracer->has_thread)
		return 0;
	curl_multi_cleanup(tracer->multi);
	tracer->multi = NULL;
	return -1;
}

static void thread_join(struct tracer *tracer, uint32_t flush_ms)
{
	pthread_mutex_lock(&tracer->mutex);
	tracer->is_stopping = true;
	tracer->stop_ns = clock_now_ns() + flush_ms * NS_PER_MS;
	pthread_mutex_unlock(&tracer->mutex);
	curl_multi_wakeup(tracer->multi);
	pthread_join(tracer->thread, NULL);
	curl_multi_cleanup(tracer->multi);
}

void tracer_destroy(struct tracer **tracer, uint32_t flush_ms)
{
	struct tracer *self = *tracer;

	*tracer = NULL;
	if (self == NULL)
		return;
	if (self->has_thread)
		thread_join(self, flush_ms);
	CHECK(list_is_empty(&self->queue));
	tracer_target_unref(&self->target);
	pthread_mutex_destroy(&self->mutex);
	free(self);
}

void tracer_apply(struct tracer *tracer, struct tracer_change **change)
{
	struct tracer_change *self = *change;

	counter_set(&tracer->threshold, threshold_of(self->sample));
	counter_set(&tracer->queue_max, self->queue_max);
	pthread_mutex_lock(&tracer->mutex);
	struct tracer_target *before = tracer->target;

	tracer->target = self->target;
	self->target = before;
	pthread_mutex_unlock(&tracer->mutex);
	counter_set(&tracer->base.is_on, tracer->target != NULL);
	tracer_discard(change);
}

const struct trace_stats *tracer_stats(const struct tracer *tracer)
{
	return &tracer->stats;
}
