/* SPDX-License-Identifier: Apache-2.0
 * trace_span.h - one thing that took a while, and what is told of it.
 *
 * Layer: trace. In its owner's memory and thread, from begin to end. One that is not sampled has
 * ids to send on, and nothing else is kept of it: whatever is added to it costs a comparison. One
 * that is sampled holds its attributes as the JSON that leaves; what is too long is cut, and what
 * there is no room for is left out. */
#pragma once

#include "base/buf.h"
#include "base/random.h"
#include "trace/trace_context.h"

struct tracer;

/* As OTLP numbers them. */
enum trace_kind {
	TRACE_INTERNAL = 1,
	TRACE_SERVER = 2,
	TRACE_CLIENT = 3,
	TRACE_PRODUCER = 4,
	TRACE_CONSUMER = 5,
};

#define TRACE_TEXT_MAX 512   /* [bytes] of a text; more is cut */
#define TRACE_SPAN_MAX 16384 /* [bytes] of all attributes, events and links, each */

struct trace_span {
	struct tracer *tracer; /* NULL: it has not begun, or has ended */
	struct trace_context context;
	uint8_t parent_id[TRACE_SPAN_ID_LEN]; /* zeros: it is the first of its trace */
	uint8_t kind;                         /* enum trace_kind */
	uint64_t start_ns;                    /* since the epoch */
	struct buf attributes, events, links;
	struct buf state; /* of tracestate, as it came */
};

/* Zeroed before. Without a parent, NULL or one that is not set, it is the first of a trace, and
 * sampled at tracing.sample; else as its parent. `tracer` is on. */
void trace_span_begin(struct trace_span *span, struct tracer *tracer, enum trace_kind kind,
		      const struct trace_context *parent, struct random_source *random);

static inline bool trace_span_is_recorded(const struct trace_span *span)
{
	return span->tracer != NULL && span->context.is_sampled;
}

/* The tracestate that came with its parent. One that cannot be carried on is left out. */
void trace_span_state(struct trace_span *span, struct slice state);

/* What is not UTF-8 is shown as U+FFFD. Empty ones are left out. Keys are our own. */
void trace_span_text(struct trace_span *span, const char *key, struct slice value);
void trace_span_number(struct trace_span *span, const char *key, uint64_t value);

/* Something that happened meanwhile; its attributes follow, until the end of it. */
void trace_span_event_begin(struct trace_span *span, const char *name, uint64_t time_ns);
void trace_span_event_text(struct trace_span *span, const char *key, struct slice value);
void trace_span_event_number(struct trace_span *span, const char *key, uint64_t value);
void trace_span_event_end(struct trace_span *span);

/* Another one that it has to do with. One that is not set is none. */
void trace_span_link(struct trace_span *span, const struct trace_context *other);

/* Ends it, now. `error` is why it failed, in words; NULL: it did not. Harmless if it has not begun
 * or has ended. */
void trace_span_end(struct trace_span *span, const char *name, const char *error);

/* As if it had never been. */
void trace_span_forget(struct trace_span *span);
