/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include <jansson.h>

#include "trace/trace_span.h"
#include "trace/tracer_private.h"

static struct tracer *tracer_of_test(void)
{
	static struct tracer *tracer;

	if (tracer == NULL) {
		tracer = tracer_create(NULL, NULL);
		CHECK(tracer != NULL);
		counter_set(&tracer->queue_max, UINT64_MAX / 2);
		counter_set(&tracer->threshold, UINT64_MAX);
	}
	return tracer;
}

/* What is read is what is written, but for the version and flags. */
static void parent_check(struct slice value)
{
	char text[TRACE_PARENT_LEN + 1];
	struct trace_context context, again;

	if (!trace_parent_read(value, &context))
		return;
	CHECK(trace_context_is_set(&context) && trace_parent_is_good(value));
	trace_parent_write(&context, text);
	CHECK(trace_parent_read(slice_from_text(text), &again));
	CHECK(memcmp(text + 2, value.data + 2, 50) == 0);
	CHECK(again.is_sampled == context.is_sampled);
}

/* Whatever is told of a span, it is JSON, and the queue knows its size. */
static void span_check(struct tracer *tracer, struct slice value)
{
	static struct random_source random;
	struct trace_span span = {0};
	struct list_node items;
	char *name = slice_to_text(value);

	trace_span_begin(&span, tracer, TRACE_SERVER, NULL, &random);
	trace_span_state(&span, value);
	for (size_t i = 0; i < value.len % 8; i++) {
		trace_span_text(&span, "a", value);
		trace_span_event_begin(&span, "e", i);
		trace_span_event_text(&span, "t", value);
		trace_span_event_number(&span, "n", i);
		trace_span_event_end(&span);
	}
	trace_span_end(&span, name, name);
	free(name);
	CHECK(!list_is_empty(&tracer->queue));
	struct list_node *node = tracer->queue.next;
	const struct trace_item *item = CONTAINER_OF(node, struct trace_item, node);
	json_t *json = json_loadb(item->json, item->len, JSON_ALLOW_NUL, NULL);

	CHECK(json_is_object(json));
	json_decref(json);
	list_init(&items);
	list_remove(node);
	list_append(&items, node);
	tracer_items_free(tracer, &items);
	CHECK(tracer->queue_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = fuzz_copy(data, size);

	parent_check(slice_of(copy, size));
	span_check(tracer_of_test(), slice_of(copy, size));
	free(copy);
	return 0;
}
