/* SPDX-License-Identifier: Apache-2.0
 * event_trace.h - the span of an event's delivery: from when it came to be, until the back end has
 * it or it is given up. Its attempts are events of the span.
 *
 * Layer: route. What belongs to the handshake is a child of its span: connect and connected. A
 * message, and the end, may come days later; it begins a trace of its own, with a link to that
 * span (docs/tracing.md). */
#pragma once

#include "route/event_uplink.h"
#include "trace/trace_span.h"

/* What is sent on with the event in *out_hop, which is not set if nothing is traced. Returns its
 * span, to be ended by event_trace_end; NULL: it is not sampled. */
struct trace_span *event_trace_begin(const struct event_uplink *uplink, const struct event *event,
				     struct trace_context *out_hop);

/* Before the flight forgets its event. `detail` says why, if it was not delivered; may be NULL.
 * Harmless without a span. */
void event_trace_end(struct event_flight *flight, enum event_outcome outcome, const char *detail);

/* As if there had never been one. */
void event_trace_forget(struct event_flight *flight);
