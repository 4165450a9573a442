/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/clock.h"
#include "trace/trace_span.h"
#include "trace/tracer_private.h"

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

static struct random_source random_bytes;

/* --- which trace --- */

static void test_a_traceparent_there_and_back(void **state)
{
	(void)state;
	struct trace_context context = {0};
	char text[TRACE_PARENT_LEN + 1];

	assert_true(trace_parent_read(SLICE_LITERAL(PARENT), &context));
	assert_true(context.is_sampled && trace_context_is_set(&context));
	assert_int_equal(context.trace_id[0], 0x0a);
	assert_int_equal(context.span_id[7], 0x31);
	assert_string_equal(trace_parent_write(&context, text), PARENT);
}

/* Other flags than the one that is known are not passed on. */
static void test_flags(void **state)
{
	(void)state;
	static const struct {
		const char *flags;
		bool is_sampled;
	} rows[] = {{"00", false}, {"01", true}, {"02", false}, {"03", true}, {"ff", true}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[] = PARENT;
		struct trace_context context = {0};

		memcpy(text + 53, rows[i].flags, 2);
		assert_true(trace_parent_read(slice_from_text(text), &context));
		ASSERT_ROW(context.is_sampled == rows[i].is_sampled, rows[i].flags);
		trace_parent_write(&context, text);
		ASSERT_ROW(strcmp(text + 53, rows[i].is_sampled ? "01" : "00") == 0, rows[i].flags);
	}
}

static void test_what_is_none_changes_nothing(void **state)
{
	(void)state;
	struct trace_context context = {.is_sampled = true}, before = context;

	for (size_t cut = 0; cut < strlen(PARENT); cut++) {
		uint8_t *copy = malloc(cut + (cut == 0));

		memcpy(copy, PARENT, cut);
		assert_false(trace_parent_read(slice_of(copy, cut), &context));
		assert_memory_equal(&context, &before, sizeof(context));
		free(copy);
	}
}

/* --- spans --- */

struct fixture {
	struct tracer *tracer;
	json_t *span; /* of the last one that was taken */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->tracer = tracer_create(NULL, NULL);
	counter_set(&fixture->tracer->queue_max, 1 << 20);
	counter_set(&fixture->tracer->threshold, UINT64_MAX);
	*state = fixture;
	return 0;
}

static void queue_free(struct tracer *tracer)
{
	struct list_node items;

	list_init(&items);
	while (!list_is_empty(&tracer->queue))
		list_append(&items, list_pop(&tracer->queue));
	tracer_items_free(tracer, &items);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	json_decref(fixture->span);
	queue_free(fixture->tracer);
	assert_int_equal(counter_read(&fixture->tracer->stats.queue_bytes), 0);
	tracer_destroy(&fixture->tracer, 0);
	free(fixture);
	return 0;
}

static struct trace_span begin(struct fixture *fixture, const struct trace_context *parent)
{
	struct trace_span span = {0};

	trace_span_begin(&span, fixture->tracer, TRACE_CLIENT, parent, &random_bytes);
	return span;
}

/* The JSON of the last span; it must be some. */
static json_t *taken(struct fixture *fixture)
{
	assert_false(list_is_empty(&fixture->tracer->queue));
	const struct trace_item *item = CONTAINER_OF(fixture->tracer->queue.prev, struct trace_item,
						     node);

	json_decref(fixture->span);
	fixture->span = json_loadb(item->json, item->len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(fixture->span);
	return fixture->span;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static const char *attribute(const json_t *holder, const char *key)
{
	size_t i;
	json_t *row;

	json_array_foreach(json_object_get(holder, "attributes"), i, row)
	{
		if (strcmp(text_of(row, "key"), key) == 0) {
			const json_t *value = json_object_get(row, "value");

			return json_object_size(value) != 1 ? NULL
			       : json_object_get(value, "intValue") != NULL
				       ? text_of(value, "intValue")
				       : text_of(value, "stringValue");
		}
	}
	return NULL;
}

static void test_a_span_with_all_that_there_is(void **state)
{
	struct fixture *fixture = *state;
	struct trace_context parent;

	trace_parent_read(SLICE_LITERAL(PARENT), &parent);
	struct trace_span span = begin(fixture, &parent);
	char span_id[TRACE_SPAN_TEXT];

	trace_span_id_write(span.context.span_id, span_id);
	trace_span_state(&span, SLICE_LITERAL("a=\"1\",b=2"));
	trace_span_text(&span, "some.text", SLICE_LITERAL("value"));
	trace_span_text(&span, "an.empty.one", (struct slice){0});
	trace_span_number(&span, "some.number", UINT64_MAX);
	for (uint64_t i = 1; i <= 2; i++) {
		trace_span_event_begin(&span, "attempt", i);
		trace_span_event_number(&span, "number", i);
		trace_span_event_text(&span, "text", SLICE_LITERAL("t"));
		trace_span_event_end(&span);
	}
	trace_span_link(&span, &parent);
	trace_span_link(&span, &(struct trace_context){0});
	trace_span_end(&span, "name", "it \"failed\"");
	json_t *json = taken(fixture);

	assert_string_equal(text_of(json, "traceId"), "0af7651916cd43dd8448eb211c80319c");
	assert_string_equal(text_of(json, "parentSpanId"), "b7ad6b7169203331");
	assert_string_equal(text_of(json, "spanId"), span_id);
	assert_string_equal(text_of(json, "name"), "name");
	assert_string_equal(text_of(json, "traceState"), "a=\"1\",b=2");
	assert_int_equal(json_integer_value(json_object_get(json, "kind")), 3);
	assert_string_equal(attribute(json, "some.text"), "value");
	assert_string_equal(attribute(json, "some.number"), "18446744073709551615");
	assert_null(attribute(json, "an.empty.one"));
	const json_t *events = json_object_get(json, "events");

	assert_int_equal(json_array_size(events), 2);
	assert_string_equal(text_of(json_array_get(events, 1), "timeUnixNano"), "2");
	assert_string_equal(attribute(json_array_get(events, 1), "number"), "2");
	assert_int_equal(json_array_size(json_object_get(json, "links")), 1);
	const json_t *status = json_object_get(json, "status");

	assert_string_equal(text_of(status, "message"), "it \"failed\"");
	assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
}

static void test_ids_that_are_hostile(void **state)
{
	struct fixture *fixture = *state;
	static const struct {
		const char *value, *shown;
	} rows[] = {
		{"\"},{\"key\":\"x", "\"},{\"key\":\"x"},
		{"\\", "\\"},
		{"a\nb\tc\x7f", "a\nb\tc\x7f"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xc3", "\xef\xbf\xbd"},
		{"\xff\xfe", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x80\xae", "\xe2\x80\xae"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct trace_span span = begin(fixture, NULL);

		trace_span_text(&span, "id", slice_from_text(rows[i].value));
		trace_span_end(&span, rows[i].value, rows[i].value);
		ASSERT_ROW(strcmp(attribute(taken(fixture), "id"), rows[i].shown) == 0,
			   rows[i].shown);
		ASSERT_ROW(strcmp(text_of(fixture->span, "name"), rows[i].shown) == 0,
			   rows[i].shown);
	}
}

/* Never half a character, and what has no room is left out whole. */
static void test_what_is_too_long(void **state)
{
	struct fixture *fixture = *state;
	char text[3 * TRACE_TEXT_MAX];

	for (size_t shift = 0; shift < 3; shift++) {
		struct trace_span span = begin(fixture, NULL);
		size_t len = shift;

		memset(text, 'a', shift);
		for (; len + 3 <= sizeof(text); len += 3)
			memcpy(text + len, "\xe2\x82\xac", 3);
		for (size_t i = 0; i < 100; i++)
			trace_span_text(&span, i == 0 ? "first" : "other", slice_of(text, len));
		for (size_t i = 0; i < 100; i++) {
			trace_span_event_begin(&span, "e", i);
			for (size_t k = 0; k < 100; k++)
				trace_span_event_text(&span, "t", slice_of(text, len));
			trace_span_event_end(&span);
		}
		for (size_t i = 0; i < 1000; i++)
			trace_span_link(&span, &span.context);
		trace_span_end(&span, "n", NULL);
		const char *first = attribute(taken(fixture), "first");

		assert_in_range(strlen(first), TRACE_TEXT_MAX - 2, TRACE_TEXT_MAX);
		assert_int_equal((strlen(first) - shift) % 3, 0);
		assert_in_range(json_array_size(json_object_get(fixture->span, "attributes")), 20,
				99);
	}
}

static void test_one_that_is_not_sampled_is_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct trace_context parent;

	trace_parent_read(SLICE_LITERAL(PARENT), &parent);
	parent.is_sampled = false;
	struct trace_span span = begin(fixture, &parent);

	assert_false(trace_span_is_recorded(&span) || span.context.is_sampled);
	assert_memory_equal(span.context.trace_id, parent.trace_id, TRACE_ID_LEN);
	trace_span_text(&span, "a", SLICE_LITERAL("b"));
	trace_span_event_begin(&span, "e", 1);
	trace_span_event_end(&span);
	trace_span_link(&span, &parent);
	assert_null(span.attributes.data);
	assert_null(span.events.data);
	assert_null(span.links.data);
	trace_span_end(&span, "n", NULL);
	trace_span_end(&span, "n", NULL);
	assert_true(list_is_empty(&fixture->tracer->queue));
}

/* --- sampling and the queue --- */

static void test_the_ratio(void **state)
{
	struct fixture *fixture = *state;
	static const uint64_t millionths[] = {0, 1000, 500000, TRACER_SAMPLE_ALL};
	enum { COUNT = 100000 };

	for (size_t i = 0; i < ARRAY_LEN(millionths); i++) {
		struct tracer_change *change = calloc(1, sizeof(*change));
		size_t sampled = 0, wanted = COUNT * millionths[i] / TRACER_SAMPLE_ALL;
		uint8_t id[TRACE_ID_LEN];

		*change = (struct tracer_change){.sample = millionths[i], .queue_max = 1 << 20};
		tracer_apply(fixture->tracer, &change);
		for (size_t k = 0; k < COUNT; k++) {
			random_fill(&random_bytes, id, sizeof(id));
			sampled += tracer_samples(fixture->tracer, id);
		}
		if (wanted == 0 || wanted == COUNT)
			assert_int_equal(sampled, wanted);
		else
			assert_in_range(sampled, wanted - wanted / 2, wanted + wanted / 2);
	}
}

static void test_a_full_queue_drops_what_comes(void **state)
{
	struct fixture *fixture = *state;
	const struct trace_stats *stats = tracer_stats(fixture->tracer);

	counter_set(&fixture->tracer->queue_max, 4096);
	for (size_t i = 0; i < 100; i++) {
		struct trace_span span = begin(fixture, NULL);

		trace_span_number(&span, "i", i);
		trace_span_end(&span, "n", NULL);
	}
	uint64_t kept = counter_read(&stats->queue_spans);

	assert_in_range(kept, 5, 20);
	assert_in_range(counter_read(&stats->queue_bytes), 2048, 4096);
	assert_int_equal(counter_read(&stats->dropped[TRACE_DROP_QUEUE_FULL]), 100 - kept);
	char last[24];

	snprintf(last, sizeof(last), "%zu", (size_t)kept - 1);
	assert_string_equal(attribute(taken(fixture), "i"), last);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_traceparent_there_and_back),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_what_is_none_changes_nothing),
		cmocka_unit_test_setup_teardown(test_a_span_with_all_that_there_is, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_ids_that_are_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_too_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_that_is_not_sampled_is_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_ratio, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_full_queue_drops_what_comes, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
