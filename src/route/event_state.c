/* SPDX-License-Identifier: Apache-2.0
 * event_state.c - an uplink on its way from one process of the gateway to the next.
 *
 * The older one writes it while its worker stands still, and goes on with it if nothing comes of
 * the handover. The newer one makes it anew and holds it still until it has the client for good.
 * Then the older one forgets it; but an attempt that is under way there it ends, because nobody can
 * know otherwise whether the back end has the event, and tells how (event_road.h). */
#include <errno.h>

#include "base/check.h"
#include "base/counter.h"
#include "route/event_road.h"
#include "route/event_trace.h"

/* [bytes] Traces are 16 bits long in struct event_uplink, and much shorter (event.h). */
#define TRACE_MAX UINT16_MAX

enum uplink_tag {
	UPLINK_TAG_SEQUENCE = 1, /* of the last event */
	UPLINK_TAG_IS_FULL = 2,
	UPLINK_TAG_TRACEPARENT = 3,
	UPLINK_TAG_TRACESTATE = 4,
	UPLINK_TAG_EVENT = 5,     /* record; in their order */
	UPLINK_TAG_UNDER_WAY = 6, /* number of the event; the older process ends the attempt */
	UPLINK_TAG_CALL = 7,      /* record of event_call.c */
};

enum event_tag {
	EVENT_TAG_SEQUENCE = 1,
	EVENT_TAG_TIME = 2,              /* [ns] since the epoch */
	EVENT_TAG_TYPE = STATE_MUST | 3, /* enum event_type */
	EVENT_TAG_MARK = 4,              /* enum message_mark */
	EVENT_TAG_IS_TEXT = 5,
	EVENT_TAG_CALL = 6,
	EVENT_TAG_BODY = 7,
};

/* --- out --- */

static void event_export(const struct event *event, struct state_writer *out)
{
	size_t begun = state_begin(out, UPLINK_TAG_EVENT);

	state_put_u64(out, EVENT_TAG_SEQUENCE, event->sequence);
	state_put_u64(out, EVENT_TAG_TIME, event->time_ns);
	state_put_u64(out, EVENT_TAG_TYPE, event->type);
	state_put_u64(out, EVENT_TAG_MARK, event->mark);
	state_put_u64(out, EVENT_TAG_IS_TEXT, event->is_text);
	state_put_u64(out, EVENT_TAG_CALL, event->call);
	state_put_bytes(out, EVENT_TAG_BODY, slice_of(event->body, event->len));
	state_end(out, begun);
}

int event_uplink_export(const struct uplink *base, struct state_writer *out)
{
	const struct event_uplink *uplink = CONTAINER_OF(base, const struct event_uplink, base);
	const struct event_flight *flight = uplink->flight;
	const struct list_node *events = &uplink->queue.events;

	/* One that waits here for a process before this one would have to be told of twice. */
	if (base->owner == NULL || !uplink->is_accepted || uplink->is_still ||
	    (flight != NULL && flight->is_elsewhere))
		return -EBUSY;
	state_put_u64(out, UPLINK_TAG_SEQUENCE, uplink->queue.sequence);
	state_put_u64(out, UPLINK_TAG_IS_FULL, base->is_full);
	state_put_bytes(out, UPLINK_TAG_TRACEPARENT,
			slice_of(uplink->trace, uplink->traceparent_len));
	state_put_bytes(out, UPLINK_TAG_TRACESTATE,
			slice_of(uplink->trace + uplink->traceparent_len, uplink->tracestate_len));
	for (const struct list_node *node = events->next; node != events; node = node->next)
		event_export(CONTAINER_OF(node, const struct event, node), out);
	if (flight != NULL && flight->is_under_way)
		state_put_u64(out, UPLINK_TAG_UNDER_WAY, flight->event->sequence);
	event_call_export(uplink, UPLINK_TAG_CALL, out);
	return out->error;
}

void event_uplink_forget(struct uplink *base)
{
	struct event_uplink *uplink = CONTAINER_OF(base, struct event_uplink, base);
	struct event_flight *flight = uplink->flight;
	const struct event_carrier *carrier = event_backend_of(uplink)->carrier;

	CHECK(base->owner != NULL && uplink->is_accepted);
	base->owner = NULL;
	uplink->is_moved = true;
	event_call_end(uplink);
	if (flight != NULL && !flight->is_under_way) {
		loop_timer_stop(uplink->loop, &flight->timer);
		flight->event = NULL;
		uplink->flight = NULL;
		event_flight_free(flight);
		flight = NULL;
	}
	event_queue_forget(&uplink->queue, flight == NULL ? NULL : flight->event);
	if (flight != NULL && carrier->yield != NULL)
		carrier->yield(flight);
	event_uplink_end(uplink);
}

/* --- in --- */

struct event_numbers {
	uint64_t sequence, time_ns, type, mark, is_text, call;
};

/* NULL: no number of an event. */
static uint64_t *number_of(struct event_numbers *numbers, uint16_t tag)
{
	switch (tag) {
	case EVENT_TAG_SEQUENCE:
		return &numbers->sequence;
	case EVENT_TAG_TIME:
		return &numbers->time_ns;
	case EVENT_TAG_TYPE:
		return &numbers->type;
	case EVENT_TAG_MARK:
		return &numbers->mark;
	case EVENT_TAG_IS_TEXT:
		return &numbers->is_text;
	case EVENT_TAG_CALL:
		return &numbers->call;
	default:
		return NULL;
	}
}

static bool event_read(struct slice state, struct event_numbers *numbers, struct slice *out_body)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, state);
	while (state_next(&reader, &field)) {
		uint64_t *number = number_of(numbers, field.tag);

		if (field.tag == EVENT_TAG_BODY)
			*out_body = field.value;
		else if (number != NULL ? !state_u64(&field, number)
					: state_must_understand(field.tag))
			return false;
	}
	return !reader.is_bad;
}

static bool event_import(struct event_queue *queue, struct slice state)
{
	struct event_numbers numbers = {.type = EVENT_TYPE_COUNT};
	struct slice body = {0};

	if (!event_read(state, &numbers, &body))
		return false;
	/* Their numbers rise: it is by them that a back end sees a gap. */
	if (numbers.type >= EVENT_TYPE_COUNT || numbers.type == EVENT_CONNECT ||
	    numbers.mark >= MESSAGE_MARK_COUNT || numbers.sequence <= queue->sequence)
		return false;
	const struct event event = {
		.sequence = numbers.sequence,
		.time_ns = numbers.time_ns,
		.type = (enum event_type)numbers.type,
		.mark = (enum message_mark)numbers.mark,
		.is_text = numbers.is_text != 0,
		.call = numbers.call,
	};

	return event_queue_restore(queue, &event, body) == 0;
}

/* What is read before the uplink is made. */
struct found {
	struct slice traceparent, tracestate, call;
	uint64_t sequence, is_full, under_way;
};

static bool found_read(struct slice state, struct found *out_found)
{
	struct found found = {0};
	struct state_reader reader;
	struct state_field field;
	bool is_good = true;

	state_reader_init(&reader, state);
	while (is_good && state_next(&reader, &field)) {
		switch (field.tag) {
		case UPLINK_TAG_SEQUENCE:
			is_good = state_u64(&field, &found.sequence);
			break;
		case UPLINK_TAG_IS_FULL:
			is_good = state_u64(&field, &found.is_full);
			break;
		case UPLINK_TAG_UNDER_WAY:
			is_good = state_u64(&field, &found.under_way);
			break;
		case UPLINK_TAG_TRACEPARENT:
			found.traceparent = field.value;
			break;
		case UPLINK_TAG_TRACESTATE:
			found.tracestate = field.value;
			break;
		case UPLINK_TAG_CALL:
			found.call = field.value;
			break;
		default:
			is_good = !state_must_understand(field.tag);
			break;
		}
	}
	*out_found = found;
	return is_good && !reader.is_bad && found.traceparent.len <= TRACE_MAX &&
	       found.tracestate.len <= TRACE_MAX &&
	       (found.traceparent.len == 0 || trace_parent_is_good(found.traceparent)) &&
	       trace_state_is_good(found.tracestate);
}

static bool events_import(struct event_uplink *uplink, struct slice state)
{
	struct state_reader reader;
	struct state_field field;

	state_reader_init(&reader, state);
	while (state_next(&reader, &field))
		if (field.tag == UPLINK_TAG_EVENT && !event_import(&uplink->queue, field.value))
			return false;
	return true;
}

/* The attempt that the other process makes. */
static bool flight_import(struct event_uplink *uplink, uint64_t sequence)
{
	struct event *first = event_queue_first(&uplink->queue);
	struct event_road *road = event_source_road(event_backend_of(uplink)->source);

	if (first == NULL || first->sequence != sequence || road == NULL)
		return false;
	struct event_flight *flight = event_flight_create(uplink, first, event_flight_on_timer);

	if (flight == NULL)
		return false;
	flight->is_under_way = true;
	uplink->flight = flight;
	if (event_road_wait(road, flight) == 0)
		return true;
	flight->is_under_way = false;
	flight->event = NULL;
	uplink->flight = NULL;
	event_flight_free(flight);
	return false;
}

/* Of one that was made only to be found wanting: nobody was told of anything. */
static void discard(struct event_uplink *uplink)
{
	event_call_end(uplink);
	event_queue_forget(&uplink->queue, NULL);
	event_uplink_free(uplink);
}

struct uplink *event_uplink_import(const struct backend *backend,
				   const struct uplink_request *request, struct slice state)
{
	struct uplink_request asked = *request;
	struct found found;

	if (!found_read(state, &found))
		return NULL;
	asked.traceparent = found.traceparent;
	asked.tracestate = found.tracestate;
	struct event_uplink *uplink = event_uplink_create(backend, &asked);

	if (uplink == NULL)
		return NULL;
	uplink->is_accepted = true;
	uplink->is_still = true;
	bool is_good = events_import(uplink, state) && uplink->queue.sequence <= found.sequence &&
		       (found.call.len == 0 || event_call_import(uplink, found.call)) &&
		       (found.under_way == 0 || flight_import(uplink, found.under_way));

	if (!is_good) {
		discard(uplink);
		return NULL;
	}
	uplink->queue.sequence = found.sequence;
	uplink->base.is_full = found.is_full != 0 ||
			       uplink->queue.bytes >=
				       counter_read(&event_backend_of(uplink)->tuning.queue_max);
	return &uplink->base;
}

void event_uplink_thaw(struct uplink *base)
{
	struct event_uplink *uplink = CONTAINER_OF(base, struct event_uplink, base);
	struct event_flight *flight = uplink->flight;

	CHECK(uplink->is_still && base->owner != NULL);
	uplink->is_still = false;
	event_call_thaw(uplink);
	/* From the loop: its owner is told of nothing from inside a call of its own. */
	if (flight == NULL)
		base->backend->ops->resume(base);
	else if (!flight->is_under_way)
		loop_timer_start(uplink->loop, &flight->timer, 0);
}

/* --- what is told by the other process --- */

void event_flight_alone(struct event_flight *flight)
{
	CHECK(flight->is_under_way && !flight->is_elsewhere);
	flight->is_under_way = false;
	if (!flight->uplink->is_still)
		event_flight_begin(flight);
}

void event_flight_told(struct event_flight *flight, const struct carry_verdict *verdict)
{
	if (verdict->result == CARRY_FAILED) {
		event_flight_alone(flight);
		return;
	}
	event_trace_forget(flight); /* the other process has traced it */
	event_flight_done(flight, verdict);
}
