/* SPDX-License-Identifier: Apache-2.0
 * event_uplink.c - what the owner of an uplink asks for, and what all kinds of back ends have in
 * common (event_uplink.h). Delivering is event_delivery.c's. */
#include "route/event_uplink.h"

#include <stdio.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "route/backend_type.h"
#include "route/event_delivery.h"
#include "route/event_road.h"

static struct event_uplink *uplink_of(struct uplink *base)
{
	return CONTAINER_OF(base, struct event_uplink, base);
}

/* --- what the owner asks for --- */

void event_uplink_free(struct event_uplink *uplink)
{
	event_queue_finish(&uplink->queue);
	presence_unref(&uplink->presence);
	free(uplink);
}

struct event_uplink *event_uplink_create(const struct backend *backend,
					 const struct uplink_request *request)
{
	size_t trace_len = request->traceparent.len + request->tracestate.len;
	struct event_uplink *uplink = calloc(1, sizeof(*uplink) + trace_len);

	if (uplink == NULL)
		return NULL;
	uplink->base.backend = backend;
	list_init(&uplink->base.node);
	event_queue_init(&uplink->queue, &event_backend_of(uplink)->stats);
	uplink->presence = presence_ref(request->presence);
	uplink->loop = request->loop;
	uplink->random = request->random;
	uplink->deadline_ns = request->deadline_ns;
	uplink->traceparent_len = (uint16_t)request->traceparent.len;
	uplink->tracestate_len = (uint16_t)request->tracestate.len;
	if (request->traceparent.len > 0)
		memcpy(uplink->trace, request->traceparent.data, request->traceparent.len);
	if (request->tracestate.len > 0)
		memcpy(uplink->trace + request->traceparent.len, request->tracestate.data,
		       request->tracestate.len);
	return uplink;
}

/* Nobody is asked: the client may come in as soon as the owner can be told so. */
static struct event_flight *flight_of_none(struct event_uplink *uplink)
{
	struct event_flight *flight = event_flight_create(uplink, NULL, event_flight_on_timer);

	if (flight == NULL)
		return NULL;
	flight->said = CARRY_TAKEN;
	loop_timer_start(uplink->loop, &flight->timer, 0);
	return flight;
}

/* The attributes are written here and now, so that nothing of the request needs to stay. */
static struct event_flight *flight_of_connect(struct event_uplink *uplink,
					      const struct uplink_request *request)
{
	if (event_queue_append(&uplink->queue, EVENT_CONNECT,
			       &(struct message){.bytes = request->head}) < 0)
		return NULL;
	uplink->asked = request;
	struct event_flight *flight = event_flight_create(uplink, event_queue_first(&uplink->queue),
							  event_flight_on_timer);

	uplink->asked = NULL;
	if (flight != NULL)
		CHECK(!event_flight_launch(flight)); /* nobody decides at once */
	return flight;
}

static struct uplink *uplink_open(const struct backend *backend,
				  const struct uplink_request *request)
{
	struct event_uplink *uplink = event_uplink_create(backend, request);

	if (uplink == NULL)
		return NULL;
	uplink->is_asked = counter_read(&event_backend_of(uplink)->tuning.is_asked);
	uplink->flight = uplink->is_asked ? flight_of_connect(uplink, request)
					  : flight_of_none(uplink);
	if (uplink->flight != NULL)
		return &uplink->base;
	event_uplink_free(uplink);
	return NULL;
}

static void uplink_connected(struct uplink *base, struct presence *presence)
{
	struct event_uplink *uplink = uplink_of(base);

	CHECK(uplink->is_accepted && base->owner != NULL);
	presence_unref(&uplink->presence);
	uplink->presence = presence_ref(presence);
	event_uplink_append(uplink, EVENT_CONNECTED, NULL);
	event_uplink_next(uplink);
}

static int uplink_message(struct uplink *base, const struct message *message)
{
	struct event_uplink *uplink = uplink_of(base);

	CHECK(uplink->is_accepted && base->owner != NULL);
	int r = event_uplink_append(uplink, EVENT_MESSAGE, message);

	if (r == 0)
		event_uplink_next(uplink);
	return r;
}

static void uplink_resume(struct uplink *base)
{
	event_uplink_next(uplink_of(base));
}

static void uplink_answered(struct uplink *base, uint64_t call)
{
	struct event_uplink *uplink = uplink_of(base);

	if (event_call_answer(uplink, call))
		event_uplink_next(uplink);
}

static void uplink_close(struct uplink *base, const struct uplink_end *end)
{
	struct event_uplink *uplink = uplink_of(base);

	CHECK(base->owner != NULL); /* nobody closes twice */
	uplink->end = *end;
	base->owner = NULL;
	event_call_end(uplink);
	if (uplink->is_accepted)
		event_uplink_append(uplink, EVENT_DISCONNECTED, NULL);
	else if (uplink->flight != NULL && uplink->flight->is_under_way)
		event_backend_of(uplink)->carrier->cancel(uplink->flight);
	event_uplink_next(uplink);
}

static void uplink_abort(struct uplink *base)
{
	struct event_uplink *uplink = uplink_of(base);
	struct event_flight *flight = uplink->flight;

	CHECK(base->owner == NULL);
	uplink->is_aborted = true;
	if (flight != NULL && flight->is_elsewhere) {
		event_road_leave(event_source_road(event_backend_of(uplink)->source), flight);
		flight->is_under_way = false;
	}
	if (flight != NULL && flight->is_under_way) {
		event_backend_of(uplink)->carrier->cancel(flight);
		return;
	}
	if (flight != NULL) {
		loop_timer_stop(uplink->loop, &flight->timer);
		event_flight_free(event_uplink_land(uplink, EVENT_DROPPED, NULL));
	}
	event_uplink_next(uplink);
}

static const struct presence *uplink_presence(const struct uplink *base)
{
	return CONTAINER_OF(base, const struct event_uplink, base)->presence;
}

static size_t uplink_held(const struct uplink *base)
{
	return CONTAINER_OF(base, const struct event_uplink, base)->queue.bytes;
}

static bool uplink_is_busy(const struct uplink *base)
{
	const struct event_uplink *uplink = CONTAINER_OF(base, const struct event_uplink, base);

	return uplink->flight != NULL || uplink->call != NULL ||
	       event_queue_first(&uplink->queue) != NULL;
}

static void uplink_shed(struct uplink *base)
{
	struct event_uplink *uplink = uplink_of(base);
	const struct event *kept = uplink->flight == NULL ? NULL : uplink->flight->event;
	size_t before = uplink->queue.bytes;

	event_queue_drop_messages(&uplink->queue, kept);
	if (uplink->queue.bytes < before)
		base->handler->on_trouble(base, "events were dropped", "payload memory is used up");
}

static struct backend_pending backend_pending(const struct backend *base)
{
	const struct event_backend *backend = CONTAINER_OF(base, struct event_backend, base);

	return (struct backend_pending){
		.bytes = counter_read(&backend->stats.pending_bytes),
		.max = counter_read(&backend->tuning.pending_max),
	};
}

static const struct uplink_ops event_uplink_ops = {
	.open = uplink_open,
	.connected = uplink_connected,
	.message = uplink_message,
	.resume = uplink_resume,
	.answered = uplink_answered,
	.close = uplink_close,
	.abort = uplink_abort,
	.presence = uplink_presence,
	.held = uplink_held,
	.shed = uplink_shed,
	.is_busy = uplink_is_busy,
	.export = event_uplink_export,
	.import = event_uplink_import,
	.thaw = event_uplink_thaw,
	.forget = event_uplink_forget,
	.pending = backend_pending,
};

void event_backend_tune(struct event_backend *backend, const struct config_backend *config)
{
	struct event_tuning *tuning = &backend->tuning;

	counter_set(&tuning->queue_max, config->queue_max);
	counter_set(&tuning->pending_max, config->pending_max);
	counter_set(&tuning->retry_min_ns, config->retry_min * NS_PER_MS);
	counter_set(&tuning->retry_max_ns, config->retry_max * NS_PER_MS);
	counter_set(&tuning->timeout_ns, config->timeout * NS_PER_MS);
	counter_set(&tuning->closes_on_failure, config->on_failure == CONFIG_ON_FAILURE_CLOSE);
}

void event_backend_init(struct event_backend *backend, const struct config_backend *config,
			const struct event_source *source, const struct backend_type *type)
{
	CHECK(strlen(config->name) <= EVENT_BACKEND_NAME_MAX);
	snprintf(backend->name, sizeof(backend->name), "%s", config->name);
	backend->base = (struct backend){.name = backend->name, .ops = &event_uplink_ops};
	backend->source = source;
	backend->type = type;
	backend->carrier = type->carrier;
	list_init(&backend->node);
	event_backend_tune(backend, config);
}
