/* SPDX-License-Identifier: Apache-2.0
 * event_delivery.c - the events of an uplink go to its back end, one by one (event_delivery.h).
 *
 * Whatever changes ends in event_uplink_go_on (from the loop) or event_uplink_next (from the
 * owner), which begin the next events, and free the uplink after the last. The owner is told of
 * things by the former only; so what a launch says at once, if it is not simply taken, waits for a
 * timer. */
#include "route/event_delivery.h"

#include "base/backoff.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "route/event_road.h"
#include "route/event_trace.h"

static uint64_t queue_max(const struct event_uplink *uplink)
{
	return counter_read(&event_backend_of(uplink)->tuning.queue_max);
}

int event_uplink_append(struct event_uplink *uplink, enum event_type type,
			const struct message *message)
{
	int r = event_queue_append(&uplink->queue, type, message);

	if (uplink->queue.bytes >= queue_max(uplink))
		uplink->base.is_full = true;
	return r;
}

/* Half the queue must be free before the client is read again: not each message for itself.
 * True: the owner, if it does not ask by itself, is to be told. */
static bool make_room(struct event_uplink *uplink)
{
	if (!uplink->base.is_full || uplink->queue.bytes > queue_max(uplink) / 2)
		return false;
	uplink->base.is_full = false;
	return uplink->base.owner != NULL;
}

static void tell_trouble(const struct event_uplink *uplink, const char *what, const char *detail)
{
	uplink->base.handler->on_trouble(&uplink->base, what, detail);
}

/* --- the flight --- */

struct event_flight *event_uplink_land(struct event_uplink *uplink, enum event_outcome outcome,
				       const char *detail)
{
	struct event_flight *flight = uplink->flight;

	CHECK(flight != NULL && !flight->is_under_way);
	uplink->flight = NULL;
	event_trace_end(flight, outcome, detail);
	if (flight->event != NULL && flight->event->call != 0) {
		if (outcome == EVENT_DELIVERED)
			event_call_delivered(uplink);
		else
			event_call_end(uplink);
	}
	if (flight->event != NULL && flight->is_passed_on)
		event_queue_pass_on(&uplink->queue, flight->event);
	else if (flight->event != NULL)
		event_queue_end(&uplink->queue, flight->event, outcome);
	flight->event = NULL;
	return flight;
}

bool event_flight_launch(struct event_flight *flight)
{
	struct event_uplink *uplink = flight->uplink;

	CHECK(uplink->flight == NULL || uplink->flight == flight);
	CHECK(!flight->is_under_way);
	enum carry_result result = event_backend_of(uplink)->carrier->launch(flight);

	flight->is_under_way = result == CARRY_UNDER_WAY;
	if (flight->is_under_way || result == CARRY_TAKEN)
		return result == CARRY_TAKEN;
	flight->said = (uint8_t)result;
	loop_timer_start(uplink->loop, &flight->timer, 0);
	return false;
}

/* The back end did not take the first event, with all retries. */
static void drop(struct event_uplink *uplink, const char *detail)
{
	struct event_flight *landed = NULL;

	uplink->is_telling = true;
	if (uplink->flight != NULL)
		landed = event_uplink_land(uplink, EVENT_DROPPED, detail);
	else
		event_queue_end(&uplink->queue, event_queue_first(&uplink->queue), EVENT_DROPPED);
	tell_trouble(uplink, "an event was dropped", detail);
	if (landed != NULL)
		event_flight_free(landed);
	event_queue_drop_messages(&uplink->queue, NULL);
	if (uplink->base.owner != NULL)
		uplink->base.handler->on_down(&uplink->base);
	uplink->is_telling = false;
}

static bool may_begin(const struct event_uplink *uplink)
{
	if (uplink->flight != NULL || uplink->is_still || event_queue_first(&uplink->queue) == NULL)
		return false;
	if (uplink->base.owner == NULL)
		return !uplink->is_aborted;
	if (uplink->call != NULL && event_queue_first(&uplink->queue)->call != 0)
		return false;
	return !event_backend_of(uplink)->has_answer ||
	       uplink->base.handler->may_send(&uplink->base);
}

/* Begins events until one is under way. */
static void deliver(struct event_uplink *uplink)
{
	while (may_begin(uplink)) {
		uplink->flight = event_flight_create(uplink, event_queue_first(&uplink->queue),
						     event_flight_on_timer);
		if (uplink->flight == NULL) {
			drop(uplink, "the gateway is out of memory");
			continue;
		}
		event_call_begin(uplink, uplink->flight->event);
		if (event_flight_launch(uplink->flight))
			event_flight_free(event_uplink_land(uplink, EVENT_DELIVERED, NULL));
	}
}

void event_uplink_end(struct event_uplink *uplink)
{
	bool has_events = event_queue_first(&uplink->queue) != NULL;

	if (uplink->base.owner != NULL || uplink->flight != NULL ||
	    (has_events && !uplink->is_aborted))
		return;
	CHECK(uplink->call == NULL); /* it ended with the client */
	uplink->base.handler->on_gone(&uplink->base);
	event_uplink_free(uplink);
}

void event_uplink_next(struct event_uplink *uplink)
{
	if (uplink->is_telling)
		return;
	deliver(uplink);
	make_room(uplink);
	event_uplink_end(uplink);
}

/* From the loop, after the owner has been told of what has happened. */
void event_uplink_go_on(struct event_uplink *uplink)
{
	uplink->is_telling = false;
	deliver(uplink);
	while (make_room(uplink)) {
		uplink->is_telling = true;
		uplink->base.handler->on_room(&uplink->base);
		uplink->is_telling = false;
		deliver(uplink);
	}
	event_uplink_end(uplink);
}

/* --- what became of it --- */

static void try_later(struct event_flight *flight, uint64_t wait_ns)
{
	struct event_uplink *uplink = flight->uplink;
	const struct event_tuning *tuning = &event_backend_of(uplink)->tuning;
	uint64_t delay_ns = backoff_ns(counter_read(&tuning->retry_min_ns),
				       counter_read(&tuning->retry_max_ns), ++flight->rounds,
				       random_u32(uplink->random));

	loop_timer_start(uplink->loop, &flight->timer, MAX(delay_ns, MAX(wait_ns, NS_PER_MS)));
}

static void fail(struct event_flight *flight, const struct carry_verdict *verdict)
{
	struct event_uplink *uplink = flight->uplink;
	const struct event_tuning *tuning = &event_backend_of(uplink)->tuning;

	if (++flight->failures > counter_read(&tuning->retries)) {
		if (counter_read(&tuning->closes_on_failure)) {
			drop(uplink, verdict->detail);
			event_uplink_go_on(uplink);
			return;
		}
		tell_trouble(uplink, "an event waits for its back end", verdict->detail);
	}
	try_later(flight, verdict->wait_ns);
}

static enum event_outcome outcome_of(const struct carry_verdict *verdict)
{
	switch (verdict->result) {
	case CARRY_TAKEN:
		return EVENT_DELIVERED;
	case CARRY_REFUSED:
		return EVENT_REFUSED;
	case CARRY_TOO_BIG:
		return EVENT_ANSWER_TOO_BIG;
	case CARRY_UNREADABLE:
		return EVENT_ANSWER_UNREADABLE;
	case CARRY_MALFORMED:
		return EVENT_ANSWER_MALFORMED;
	default:
		return EVENT_DROPPED;
	}
}

static void pass_answer(struct event_uplink *uplink, const struct carry_verdict *verdict,
			struct actions *actions)
{
	if (verdict->result == CARRY_REFUSED)
		tell_trouble(uplink, "an event was refused", verdict->detail);
	else if (verdict->result == CARRY_TOO_BIG)
		tell_trouble(uplink, "an answer is too long", verdict->detail);
	else if (verdict->result == CARRY_UNREADABLE)
		tell_trouble(uplink, "an answer cannot be read", verdict->detail);
	else if (verdict->result == CARRY_MALFORMED)
		tell_trouble(uplink, "an answer is no good list of actions", verdict->detail);
	else if (actions != NULL)
		uplink->base.handler->on_actions(&uplink->base, actions);
	else if (verdict->answer.bytes.len > 0 && uplink->base.owner != NULL)
		uplink->base.handler->on_message(&uplink->base, &verdict->answer);
}

/* NULL: there are none, or the client has gone; or they are no good, and the verdict says so. */
static struct actions *read_actions(struct event_uplink *uplink, struct carry_verdict *verdict,
				    char *problem, size_t size)
{
	if (verdict->result != CARRY_TAKEN || verdict->actions.len == 0 ||
	    uplink->base.owner == NULL)
		return NULL;
	struct actions *actions = uplink->base.handler->read_actions(
		&uplink->base, verdict->actions, problem, size);

	if (actions == NULL) {
		verdict->result = CARRY_MALFORMED;
		verdict->detail = problem;
	}
	return actions;
}

/* The event has an outcome before its answer is looked at any further: that may begin the next. */
static void end_event(struct event_flight *flight, const struct carry_verdict *verdict)
{
	struct event_uplink *uplink = flight->uplink;
	struct carry_verdict final = *verdict;
	char problem[512];
	struct actions *actions = read_actions(uplink, &final, problem, sizeof(problem));

	event_uplink_land(uplink, outcome_of(&final), final.detail);
	if (!uplink->is_aborted)
		pass_answer(uplink, &final, actions);
}

static void accept_client(struct event_uplink *uplink, const struct uplink_acceptance *accepted)
{
	CHECK(!uplink->is_accepted);
	uplink->is_accepted = true;
	if (uplink->base.owner != NULL)
		uplink->base.handler->on_accepted(&uplink->base, accepted);
	else if (uplink->is_asked) /* gone, but it is taken for connected */
		event_uplink_append(uplink, EVENT_DISCONNECTED, NULL);
}

static void refuse_client(struct event_uplink *uplink, const struct carry_verdict *verdict)
{
	const struct uplink_handler *handler = uplink->base.handler;

	if (uplink->base.owner == NULL)
		return;
	if (verdict->refusal.status != 0)
		handler->on_refused(&uplink->base, &verdict->refusal);
	else
		handler->on_undecided(&uplink->base, verdict->failure, verdict->detail);
	uplink->base.owner = NULL;
}

static void decide(struct event_uplink *uplink, const struct carry_verdict *verdict)
{
	if (verdict->result == CARRY_TAKEN)
		accept_client(uplink, &verdict->accepted);
	else
		refuse_client(uplink, verdict);
}

/* The other process, which has the client, is told, and deals with it. */
static void end_for_other(struct event_flight *flight, const struct carry_verdict *verdict)
{
	struct event_uplink *uplink = flight->uplink;

	CHECK(uplink->base.owner == NULL);
	event_road_tell(event_source_road(event_backend_of(uplink)->source), flight, verdict);
	flight->is_passed_on = true;
	event_trace_end(flight, outcome_of(verdict), verdict->detail);
	event_flight_free(event_uplink_land(uplink, EVENT_DROPPED, NULL));
	event_uplink_end(uplink);
}

void event_flight_done(struct event_flight *flight, const struct carry_verdict *verdict)
{
	struct event_uplink *uplink = flight->uplink;
	bool is_decision = flight->event == NULL || flight->event->type == EVENT_CONNECT;
	bool is_final = is_decision || uplink->is_aborted;

	CHECK(flight == uplink->flight && !flight->is_elsewhere);
	flight->is_under_way = false;
	if (uplink->is_moved) {
		end_for_other(flight, verdict);
		return;
	}
	if (verdict->result == CARRY_FAILED && !is_final) {
		fail(flight, verdict);
		return;
	}
	if (verdict->result == CARRY_BUSY && !is_final) {
		tell_trouble(uplink, "an event waits for room in the gateway", verdict->detail);
		try_later(flight, verdict->wait_ns);
		return;
	}
	uplink->is_telling = true;
	if (is_decision) {
		event_uplink_land(uplink, outcome_of(verdict), verdict->detail);
		decide(uplink, verdict);
	} else {
		end_event(flight, verdict);
	}
	event_flight_free(flight);
	event_uplink_go_on(uplink);
}

void event_flight_begin(struct event_flight *flight)
{
	struct event_uplink *uplink = flight->uplink;

	if (!event_flight_launch(flight))
		return;
	event_flight_free(event_uplink_land(uplink, EVENT_DELIVERED, NULL));
	event_uplink_go_on(uplink);
}

void event_flight_on_timer(struct timer *timer)
{
	struct event_flight *flight = CONTAINER_OF(timer, struct event_flight, timer);
	struct carry_verdict verdict = {
		.result = flight->said,
		.detail = flight->detail,
		.failure = UPLINK_DOWN,
	};

	flight->said = CARRY_UNDER_WAY;
	if (verdict.result != CARRY_UNDER_WAY)
		event_flight_done(flight, &verdict);
	else
		event_flight_begin(flight);
}
