/* SPDX-License-Identifier: Apache-2.0
 * event_flight.c - one attempt to deliver an event (event_uplink.h): its head, its timer, and
 * what the carrier keeps of it behind the struct. */
#include "route/event_trace.h"
#include "route/event_uplink.h"

static int head_write(struct event_flight *flight, const struct trace_context *hop)
{
	const struct event_uplink *uplink = flight->uplink;
	const struct event *event = flight->event;
	static const struct uplink_request none;
	const struct uplink_request *asked = uplink->asked == NULL ? &none : uplink->asked;

	return event_head_write(
		&flight->head,
		&(struct event_facts){
			.source = event_backend_of(uplink)->source,
			.presence = uplink->presence,
			.traceparent = slice_of(uplink->trace, uplink->traceparent_len),
			.tracestate = slice_of(uplink->trace + uplink->traceparent_len,
					       uplink->tracestate_len),
			.hop = trace_context_is_set(hop) ? hop : NULL,
			.tls = asked->tls,
			.path = asked->path,
			.query = asked->query,
			.origin = asked->origin,
			.type = event->type,
			.sequence = event->sequence,
			.time_ns = event->time_ns,
			.is_text = event->is_text,
			.mark = event->mark,
			.reason = uplink->end.reason,
			.code = uplink->end.code,
		});
}

struct event_flight *event_flight_create(struct event_uplink *uplink, struct event *event,
					 void (*on_timer)(struct timer *timer))
{
	const struct event_carrier *carrier = event_backend_of(uplink)->carrier;
	struct event_flight *flight = calloc(1, carrier->flight_size);

	if (flight == NULL)
		return NULL;
	flight->uplink = uplink;
	flight->event = event;
	loop_timer_init(&flight->timer, on_timer);
	struct trace_context hop;

	if (event != NULL)
		flight->span = event_trace_begin(uplink, event, &hop);
	if (event != NULL && head_write(flight, &hop) < 0) {
		event_trace_forget(flight);
		free(flight);
		return NULL;
	}
	if (event != NULL && carrier->prepare != NULL)
		carrier->prepare(flight);
	return flight;
}

void event_flight_free(struct event_flight *flight)
{
	const struct event_carrier *carrier = event_backend_of(flight->uplink)->carrier;

	CHECK(flight->event == NULL && !flight->is_under_way); /* it has landed */
	if (carrier->release != NULL)
		carrier->release(flight);
	event_trace_forget(flight);
	event_head_finish(&flight->head);
	free(flight);
}
