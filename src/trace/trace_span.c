/* SPDX-License-Identifier: Apache-2.0
 * trace_span.c - spans as OTLP writes them in JSON (opentelemetry-proto,
 * ExportTraceServiceRequest): ids in hex, enums as numbers, 64-bit integers as texts. */
#include "trace/trace_span.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/unicode.h"
#include "trace/tracer_private.h"

/* --- JSON --- */

static int add(struct buf *out, const char *text)
{
	return buf_append(out, text, strlen(text), TRACE_SPAN_MAX);
}

/* [bytes] of `text` that fit, without half a character at the end. */
static size_t fitting(struct slice text)
{
	size_t len = MIN(text.len, (size_t)TRACE_TEXT_MAX);

	while (len < text.len && len > TRACE_TEXT_MAX - 4 && (text.data[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static int add_character(struct buf *out, struct slice rest, size_t *out_used)
{
	char escape[8];
	uint32_t character;
	size_t used = unicode_read(rest, &character);

	*out_used = MAX(used, (size_t)1);
	if (used == 0)
		return add(out, "\xef\xbf\xbd");
	if (character == '"' || character == '\\') {
		escape[0] = '\\';
		escape[1] = (char)character;
		escape[2] = 0;
		return add(out, escape);
	}
	if (unicode_is_control(character)) {
		snprintf(escape, sizeof(escape), "\\u%04x", character);
		return add(out, escape);
	}
	return buf_append(out, rest.data, used, TRACE_SPAN_MAX);
}

static int add_quoted(struct buf *out, struct slice text)
{
	struct slice rest = slice_of(text.data, fitting(text));
	int r = add(out, "\"");

	while (rest.len > 0 && r == 0) {
		size_t used;

		r = add_character(out, rest, &used);
		rest = slice_of(rest.data + used, rest.len - used);
	}
	return r == 0 ? add(out, "\"") : r;
}

static bool needs_comma(const struct buf *out)
{
	return out->len > 0 && out->data[out->len - 1] != '[';
}

/* {"key":"K","value":{"stringValue":"V"}}: all of it, or nothing. */
static void add_text(struct buf *out, const char *key, struct slice value)
{
	size_t before = out->len;

	if (buf_printf(out, TRACE_SPAN_MAX, "%s{\"key\":\"%s\",\"value\":{\"stringValue\":",
		       needs_comma(out) ? "," : "", key) < 0 ||
	    add_quoted(out, value) < 0 || add(out, "}}") < 0)
		out->len = before;
}

static void add_number(struct buf *out, const char *key, uint64_t value)
{
	buf_printf(out, TRACE_SPAN_MAX,
		   "%s{\"key\":\"%s\",\"value\":{\"intValue\":\"%" PRIu64 "\"}}",
		   needs_comma(out) ? "," : "", key, value);
}

void trace_attribute_write(struct buf *out, const char *key, struct slice value)
{
	add_text(out, key, value);
}

/* --- a span's life --- */

void trace_span_begin(struct trace_span *span, struct tracer *tracer, enum trace_kind kind,
		      const struct trace_context *parent, struct random_source *random)
{
	CHECK(span->tracer == NULL && span->attributes.data == NULL);
	bool has_parent = parent != NULL && trace_context_is_set(parent);

	span->tracer = tracer;
	span->kind = (uint8_t)kind;
	span->start_ns = clock_wall_ns();
	random_fill(random, span->context.span_id, TRACE_SPAN_ID_LEN);
	span->context.span_id[0] |= 1; /* zeros stand for none */
	if (has_parent) {
		memcpy(span->context.trace_id, parent->trace_id, TRACE_ID_LEN);
		memcpy(span->parent_id, parent->span_id, TRACE_SPAN_ID_LEN);
		span->context.is_sampled = parent->is_sampled;
		return;
	}
	random_fill(random, span->context.trace_id, TRACE_ID_LEN);
	span->context.trace_id[0] |= 1;
	span->context.is_sampled = tracer_samples(tracer, span->context.trace_id);
}

void trace_span_state(struct trace_span *span, struct slice state)
{
	if (trace_span_is_recorded(span) && state.len > 0 && trace_state_is_good(state) &&
	    buf_append(&span->state, state.data, state.len, TRACE_STATE_MAX) < 0)
		span->state.len = 0;
}

void trace_span_text(struct trace_span *span, const char *key, struct slice value)
{
	if (trace_span_is_recorded(span) && value.len > 0)
		add_text(&span->attributes, key, value);
}

void trace_span_number(struct trace_span *span, const char *key, uint64_t value)
{
	if (trace_span_is_recorded(span))
		add_number(&span->attributes, key, value);
}

/* An event that has no room leaves its beginning away, and then its rest is no event either: so
 * room is made for all of it at once. */
#define EVENT_ROOM 1024 /* [bytes] */

void trace_span_event_begin(struct trace_span *span, const char *name, uint64_t time_ns)
{
	struct buf *out = &span->events;

	if (!trace_span_is_recorded(span) || out->len + EVENT_ROOM > TRACE_SPAN_MAX ||
	    buf_reserve(out, EVENT_ROOM, TRACE_SPAN_MAX) == NULL)
		return;
	buf_printf(out, TRACE_SPAN_MAX,
		   "%s{\"timeUnixNano\":\"%" PRIu64 "\",\"name\":\"%s\",\"attributes\":[",
		   out->len > 0 ? "," : "", time_ns, name);
}

static bool is_in_event(const struct trace_span *span)
{
	const struct buf *events = &span->events;

	return trace_span_is_recorded(span) && events->len > 0 &&
	       (events->len < 2 || memcmp(events->data + events->len - 2, "]}", 2) != 0);
}

void trace_span_event_text(struct trace_span *span, const char *key, struct slice value)
{
	if (is_in_event(span) && value.len > 0)
		add_text(&span->events, key, slice_of(value.data, MIN(value.len, (size_t)256)));
}

void trace_span_event_number(struct trace_span *span, const char *key, uint64_t value)
{
	if (is_in_event(span))
		add_number(&span->events, key, value);
}

void trace_span_event_end(struct trace_span *span)
{
	/* Beyond the limit of what came before it. */
	if (is_in_event(span) && buf_append(&span->events, "]}", 2, TRACE_SPAN_MAX + 2) < 0)
		span->events.len = 0;
}

void trace_span_link(struct trace_span *span, const struct trace_context *other)
{
	char trace_id[TRACE_ID_TEXT], span_id[TRACE_SPAN_TEXT];

	if (trace_span_is_recorded(span) && trace_context_is_set(other))
		buf_printf(&span->links, TRACE_SPAN_MAX, "%s{\"traceId\":\"%s\",\"spanId\":\"%s\"}",
			   span->links.len > 0 ? "," : "",
			   trace_id_write(other->trace_id, trace_id),
			   trace_span_id_write(other->span_id, span_id));
}

void trace_span_forget(struct trace_span *span)
{
	buf_finish(&span->attributes);
	buf_finish(&span->events);
	buf_finish(&span->links);
	buf_finish(&span->state);
	span->tracer = NULL;
}

/* --- as it leaves --- */

static int head_write(const struct trace_span *span, const char *name, struct buf *out)
{
	static const uint8_t none[TRACE_SPAN_ID_LEN];
	char trace_id[TRACE_ID_TEXT], span_id[TRACE_SPAN_TEXT], parent_id[TRACE_SPAN_TEXT] = "";

	if (memcmp(span->parent_id, none, sizeof(none)) != 0)
		trace_span_id_write(span->parent_id, parent_id);
	int r = buf_printf(out, TRACE_SPAN_MAX,
			   "{\"traceId\":\"%s\",\"spanId\":\"%s\",\"parentSpanId\":\"%s\","
			   "\"kind\":%u,\"startTimeUnixNano\":\"%" PRIu64
			   "\",\"endTimeUnixNano\":\"%" PRIu64 "\",\"name\":",
			   trace_id_write(span->context.trace_id, trace_id),
			   trace_span_id_write(span->context.span_id, span_id), parent_id,
			   (unsigned)span->kind, span->start_ns,
			   MAX(span->start_ns, clock_wall_ns()));

	return r == 0 ? add_quoted(out, slice_from_text(name)) : r;
}

static int state_write(const struct trace_span *span, struct buf *out)
{
	if (span->state.len == 0)
		return 0;
	int r = add(out, ",\"traceState\":");

	return r == 0 ? add_quoted(out, buf_slice(&span->state)) : r;
}

static int status_write(const char *error, struct buf *out)
{
	if (error == NULL)
		return 0;
	int r = add(out, ",\"status\":{\"code\":2,\"message\":");

	if (r == 0)
		r = add_quoted(out, slice_from_text(error));
	return r == 0 ? add(out, "}") : r;
}

static size_t part_copy(char *to, const char *key, const struct buf *list)
{
	char head[24];
	size_t len = (size_t)snprintf(head, sizeof(head), ",\"%s\":[", key);

	if (list->len == 0)
		return 0;
	memcpy(to, head, len);
	memcpy(to + len, list->data, list->len);
	to[len + list->len] = ']';
	return len + list->len + 1;
}

/* To be freed; NULL: memory is out. */
static char *span_write(const struct trace_span *span, const char *name, const char *error,
			size_t *out_len)
{
	struct buf fixed = {0};
	char *text = NULL;

	if (head_write(span, name, &fixed) == 0 && state_write(span, &fixed) == 0 &&
	    status_write(error, &fixed) == 0)
		text = malloc(fixed.len + span->attributes.len + span->events.len +
			      span->links.len + 64);
	if (text != NULL) {
		size_t len = fixed.len;

		memcpy(text, fixed.data, len);
		len += part_copy(text + len, "attributes", &span->attributes);
		len += part_copy(text + len, "events", &span->events);
		len += part_copy(text + len, "links", &span->links);
		text[len++] = '}';
		*out_len = len;
	}
	buf_finish(&fixed);
	return text;
}

void trace_span_end(struct trace_span *span, const char *name, const char *error)
{
	size_t len = 0;

	if (trace_span_is_recorded(span)) {
		char *json = span_write(span, name, error, &len);

		tracer_take(span->tracer, json, len);
	}
	trace_span_forget(span);
}
