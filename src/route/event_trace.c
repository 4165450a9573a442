/* SPDX-License-Identifier: Apache-2.0 */
#include "route/event_trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "trace/tracer.h"

/* Names of attributes are OpenTelemetry's where it has some. */
static void add_event(struct trace_span *span, const struct event_uplink *uplink,
		      const struct event *event)
{
	const struct event_source *source = event_backend_of(uplink)->source;
	const struct presence *presence = uplink->presence;
	char text[64];

	snprintf(text, sizeof(text), "%s-%" PRIu64 "-%" PRIu64, source->run_id,
		 (uint64_t)presence->connection_id, event->sequence);
	trace_span_text(span, "cloudevents.event_id", slice_from_text(text));
	snprintf(text, sizeof(text), "gatehouse.client.%s", event_type_label(event->type));
	trace_span_text(span, "cloudevents.event_type", slice_from_text(text));
	trace_span_text(span, "cloudevents.event_source", slice_from_text(source->uri));
	trace_span_text(span, "cloudevents.event_subject", slice_from_text(presence->client_id));
	trace_span_text(span, "gatehouse.backend", slice_from_text(event_backend_of(uplink)->name));
	trace_span_text(span, "gatehouse.route", slice_from_text(presence_route_name(presence)));
	trace_span_text(span, "gatehouse.client_id", slice_from_text(presence->client_id));
	trace_span_number(span, "gatehouse.connection_id", presence->connection_id);
	if (event->type == EVENT_MESSAGE)
		trace_span_number(span, "messaging.message.body.size", event->len);
}

static bool is_of_handshake(enum event_type type)
{
	return type == EVENT_CONNECT || type == EVENT_CONNECTED;
}

/* Of the handshake that nobody samples: the back end is told so, and decides likewise. */
static const struct trace_context *parent_of(enum event_type type, bool has_trace,
					     struct trace_context *trace)
{
	return has_trace && is_of_handshake(type) ? trace : NULL;
}

struct trace_span *event_trace_begin(const struct event_uplink *uplink, const struct event *event,
				     struct trace_context *out_hop)
{
	const struct event_backend *backend = event_backend_of(uplink);
	struct tracer *tracer = backend->source->tracer;
	struct trace_context trace = {0};

	*out_hop = (struct trace_context){0};
	if (!tracer_is_on(tracer))
		return NULL;
	bool has_trace = presence_trace(uplink->presence, &trace);
	struct trace_span span = {0};

	trace_span_begin(&span, tracer, event_carrier_kind(backend, event->type),
			 parent_of(event->type, has_trace, &trace), uplink->random);
	if (is_of_handshake(event->type) && !has_trace)
		span.context.is_sampled = false;
	*out_hop = span.context;
	struct trace_span *kept = trace_span_is_recorded(&span) ? malloc(sizeof(*kept)) : NULL;

	if (kept == NULL)
		return NULL;
	span.start_ns = event->time_ns;
	*kept = span;
	if (!is_of_handshake(event->type))
		trace_span_link(kept, &trace);
	else
		trace_span_state(kept, slice_of(uplink->trace + uplink->traceparent_len,
						uplink->tracestate_len));
	add_event(kept, uplink, event);
	return kept;
}

/* A back end that refuses a client has decided, and nothing has failed. */
static bool is_failure(const struct event_flight *flight, enum event_outcome outcome)
{
	return outcome != EVENT_DELIVERED &&
	       !(outcome == EVENT_REFUSED && flight->event->type == EVENT_CONNECT);
}

void event_trace_end(struct event_flight *flight, enum event_outcome outcome, const char *detail)
{
	struct trace_span *span = flight->span;
	char name[64];

	if (span == NULL)
		return;
	bool is_failed = is_failure(flight, outcome);

	snprintf(name, sizeof(name), "send gatehouse.client.%s",
		 event_type_label(flight->event->type));
	trace_span_text(span, "gatehouse.outcome", slice_from_text(event_outcome_label(outcome)));
	if (flight->rounds > 0)
		trace_span_number(span, "gatehouse.retries", flight->rounds);
	if (is_failed)
		trace_span_text(span, "error.type", slice_from_text(event_outcome_label(outcome)));
	trace_span_end(span, name,
		       !is_failed                         ? NULL
		       : detail != NULL && detail[0] != 0 ? detail
							  : event_outcome_label(outcome));
	free(span);
	flight->span = NULL;
}

void event_trace_forget(struct event_flight *flight)
{
	if (flight->span != NULL)
		trace_span_forget(flight->span);
	free(flight->span);
	flight->span = NULL;
}
