/* SPDX-License-Identifier: Apache-2.0
 * uplink_webhook.c - the events of one client, in their order.
 *
 * One event is under way, the others wait behind it. Whatever changes that ends in next().
 * While a handler of the owner runs, is_busy is true, so that what the owner asks for
 * meanwhile is queued and nothing more. */
#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "route/backend_webhook.h"
#include "webhook/webhook_backoff.h"

struct event {
	struct list_node node;
	uint64_t sequence;
	uint64_t time_ns;
	enum event_type type;
	bool is_text;
	size_t len;
	uint8_t body[];
};

enum { WANTED_SUBPROTOCOL, WANTED_CONTENT_TYPE, WANTED_COUNT };

/* What the event under way needs. */
struct flight {
	struct webhook_call call;
	struct webhook_uplink *uplink;
	struct event *event;
	struct event_head head;
	struct webhook_header wanted[WANTED_COUNT];
	struct timer timer; /* until it is tried again */
	uint32_t rounds;    /* that failed, each with all its retries */
	bool is_flying;     /* the call is the webhook's */
};

struct webhook_uplink {
	struct uplink base;
	struct presence *presence;
	struct loop *loop;
	struct random_source *random;
	struct list_node events; /* the first is that of the flight, if there is one */
	struct flight *flight;
	uint64_t sequence;     /* of the last event */
	uint64_t deadline_ns;  /* of the connect event */
	size_t queued_bytes;   /* of messages, with what they cost beside their bodies */
	struct uplink_end end; /* once closed */
	uint16_t traceparent_len;
	uint16_t tracestate_len;
	bool is_busy;     /* a flight, or the owner is being told of its end */
	bool is_accepted; /* the client may come in */
	bool is_aborted;
	uint8_t trace[]; /* traceparent, tracestate */
};

static struct webhook_uplink *uplink_of(struct uplink *base)
{
	return CONTAINER_OF(base, struct webhook_uplink, base);
}

static struct backend_webhook *backend_of(const struct webhook_uplink *uplink)
{
	return CONTAINER_OF(uplink->base.backend, struct backend_webhook, base);
}

static void next(struct webhook_uplink *uplink);

/* --- the queue --- */

static size_t cost_of(const struct event *event)
{
	return event->type == EVENT_MESSAGE ? sizeof(*event) + event->len : 0;
}

static int append(struct webhook_uplink *uplink, enum event_type type,
		  const struct message *message)
{
	size_t len = message == NULL ? 0 : message->bytes.len;
	struct event *event = malloc(sizeof(*event) + len);

	if (event == NULL)
		return -ENOMEM;
	*event = (struct event){
		.sequence = ++uplink->sequence,
		.time_ns = clock_wall_ns(),
		.type = type,
		.is_text = message != NULL && message->is_text,
		.len = len,
	};
	if (len > 0)
		memcpy(event->body, message->bytes.data, len);
	list_append(&uplink->events, &event->node);
	uplink->queued_bytes += cost_of(event);
	if (uplink->queued_bytes >= backend_of(uplink)->config->queue_max)
		uplink->base.is_full = true;
	webhook_count(&backend_of(uplink)->stats.waiting, 1);
	return 0;
}

static void event_end(struct webhook_uplink *uplink, struct event *event,
		      enum event_outcome outcome)
{
	struct backend_stats *stats = &backend_of(uplink)->stats;

	webhook_count(&stats->events[event->type][outcome], 1);
	webhook_count(&stats->waiting, (uint64_t)-1);
	uplink->queued_bytes -= cost_of(event);
	list_remove(&event->node);
	free(event);
}

static void drop_messages(struct webhook_uplink *uplink)
{
	for (struct list_node *node = uplink->events.next, *after; node != &uplink->events;
	     node = after) {
		struct event *event = CONTAINER_OF(node, struct event, node);

		after = node->next;
		if (event->type == EVENT_MESSAGE)
			event_end(uplink, event, EVENT_DROPPED);
	}
}

/* Half the queue must be free before the client is read again: not each message for itself. */
static void make_room(struct webhook_uplink *uplink)
{
	if (!uplink->base.is_full ||
	    uplink->queued_bytes > backend_of(uplink)->config->queue_max / 2)
		return;
	uplink->base.is_full = false;
	if (uplink->base.owner != NULL)
		uplink->base.handler->on_room(&uplink->base);
}

/* --- the flight --- */

static void flight_free(struct flight *flight)
{
	webhook_call_release(&flight->call);
	event_head_finish(&flight->head);
	free(flight);
}

/* Ends the event under way; the flight with its answer is the caller's from then on. */
static struct flight *land(struct webhook_uplink *uplink, enum event_outcome outcome)
{
	struct flight *flight = uplink->flight;

	uplink->flight = NULL;
	event_end(uplink, flight->event, outcome);
	flight->event = NULL;
	return flight;
}

/* After the owner has been told of everything. */
static void go_on(struct webhook_uplink *uplink, struct flight *landed)
{
	if (landed != NULL)
		flight_free(landed);
	make_room(uplink);
	uplink->is_busy = false;
	next(uplink);
}

static void tell_trouble(const struct webhook_uplink *uplink, const char *what, const char *detail)
{
	uplink->base.handler->on_trouble(&uplink->base, what, detail);
}

/* The back end did not take it, with all retries. */
static void give_up(struct webhook_uplink *uplink, const char *detail)
{
	struct flight *landed = NULL;

	if (uplink->flight != NULL)
		landed = land(uplink, EVENT_DROPPED);
	else
		event_end(uplink, CONTAINER_OF(uplink->events.next, struct event, node),
			  EVENT_DROPPED);
	tell_trouble(uplink, "an event was dropped", detail);
	drop_messages(uplink);
	if (uplink->base.owner != NULL)
		uplink->base.handler->on_down(&uplink->base);
	go_on(uplink, landed);
}

static void launch(struct flight *flight);

static void on_timer(struct timer *timer)
{
	launch(CONTAINER_OF(timer, struct flight, timer));
}

static void try_later(struct flight *flight)
{
	struct webhook_uplink *uplink = flight->uplink;
	const struct config_backend *config = backend_of(uplink)->config;
	uint64_t delay_ns = webhook_backoff_ns(config->retry_min * NS_PER_MS,
					       config->retry_max * NS_PER_MS, ++flight->rounds,
					       random_u32(uplink->random));

	loop_timer_start(uplink->loop, &flight->timer,
			 MAX(delay_ns, MAX(flight->call.retry_after_ns, NS_PER_MS)));
}

static void fail(struct flight *flight)
{
	struct webhook_uplink *uplink = flight->uplink;

	if (backend_of(uplink)->config->on_failure == CONFIG_ON_FAILURE_CLOSE) {
		give_up(uplink, flight->call.error);
		return;
	}
	tell_trouble(uplink, "an event waits for its back end", flight->call.error);
	try_later(flight);
}

/* --- how a flight ends --- */

static bool starts_with(struct slice text, const char *start)
{
	size_t len = strlen(start);

	return text.len >= len && strncasecmp((const char *)text.data, start, len) == 0;
}

static bool is_text_type(struct slice content_type)
{
	static const char json[] = "application/json";
	size_t len = strlen(json);

	if (starts_with(content_type, "text/"))
		return true;
	return starts_with(content_type, json) &&
	       (content_type.len == len || strchr("; \t", content_type.data[len]) != NULL);
}

static void pass_answer(struct webhook_uplink *uplink, const struct flight *flight)
{
	struct message answer = {
		.is_text = is_text_type(flight->wanted[WANTED_CONTENT_TYPE].value),
		.bytes = buf_slice(&flight->call.response),
	};

	if (answer.bytes.len > 0 && uplink->base.owner != NULL)
		uplink->base.handler->on_message(&uplink->base, &answer);
}

static void event_done(struct webhook_uplink *uplink, struct flight *flight)
{
	const struct webhook_call *call = &flight->call;
	bool is_message = flight->event->type == EVENT_MESSAGE;

	switch (call->outcome) {
	case WEBHOOK_OK:
		land(uplink, EVENT_DELIVERED);
		if (is_message)
			pass_answer(uplink, flight);
		break;
	case WEBHOOK_REFUSED:
		if (call->cause == WEBHOOK_CAUSE_BUSY) {
			fail(flight);
			return;
		}
		tell_trouble(uplink, "an event was refused", call->error);
		land(uplink, EVENT_REFUSED);
		break;
	case WEBHOOK_TOO_BIG:
		tell_trouble(uplink, "an answer is too long", call->error);
		land(uplink, EVENT_ANSWER_TOO_BIG);
		break;
	case WEBHOOK_CANCELLED:
		land(uplink, EVENT_DROPPED);
		break;
	default:
		fail(flight);
		return;
	}
	go_on(uplink, flight);
}

static enum uplink_failure failure_of(const struct webhook_call *call)
{
	switch (call->cause) {
	case WEBHOOK_CAUSE_TIMEOUT:
	case WEBHOOK_CAUSE_DEADLINE:
		return UPLINK_LATE;
	case WEBHOOK_CAUSE_CONNECT:
	case WEBHOOK_CAUSE_TLS:
	case WEBHOOK_CAUSE_BREAKER:
	case WEBHOOK_CAUSE_INTERNAL:
		return UPLINK_DOWN;
	default:
		return UPLINK_BROKEN;
	}
}

static void accept_client(struct webhook_uplink *uplink, const struct flight *flight)
{
	uplink->is_accepted = true;
	if (uplink->base.owner != NULL)
		uplink->base.handler->on_accepted(&uplink->base,
						  flight->wanted[WANTED_SUBPROTOCOL].value);
	else /* gone meanwhile, but the back end takes it for connected */
		append(uplink, EVENT_DISCONNECTED, NULL);
}

static void refuse_client(struct webhook_uplink *uplink, const struct flight *flight)
{
	const struct webhook_call *call = &flight->call;
	bool is_decided = call->outcome == WEBHOOK_REFUSED ||
			  (call->outcome == WEBHOOK_FAILED &&
			   call->cause == WEBHOOK_CAUSE_SERVER_ERROR);
	struct uplink_refusal refusal = {
		.status = call->status,
		.content_type = flight->wanted[WANTED_CONTENT_TYPE].value,
		.body = buf_slice(&call->response),
	};

	if (uplink->base.owner == NULL)
		return;
	if (is_decided)
		uplink->base.handler->on_refused(&uplink->base, &refusal);
	else
		uplink->base.handler->on_undecided(&uplink->base, failure_of(call), call->error);
	uplink->base.owner = NULL;
}

static void connect_done(struct webhook_uplink *uplink, struct flight *flight)
{
	if (flight->call.outcome == WEBHOOK_OK) {
		land(uplink, EVENT_DELIVERED);
		accept_client(uplink, flight);
	} else {
		land(uplink,
		     flight->call.outcome == WEBHOOK_REFUSED ? EVENT_REFUSED : EVENT_DROPPED);
		refuse_client(uplink, flight);
	}
	go_on(uplink, flight);
}

static void on_done(struct webhook_call *call)
{
	struct flight *flight = CONTAINER_OF(call, struct flight, call);
	struct webhook_uplink *uplink = flight->uplink;

	flight->is_flying = false;
	if (flight->event->type == EVENT_CONNECT)
		connect_done(uplink, flight);
	else if (uplink->is_aborted)
		go_on(uplink,
		      land(uplink, call->outcome == WEBHOOK_OK ? EVENT_DELIVERED : EVENT_DROPPED));
	else
		event_done(uplink, flight);
}

static void launch(struct flight *flight)
{
	struct webhook_uplink *uplink = flight->uplink;
	int r = webhook_start(backend_of(uplink)->webhook, &flight->call);

	flight->is_flying = r == 0;
	if (r == -EAGAIN)
		try_later(flight);
	else if (r < 0)
		give_up(uplink, flight->call.error);
}

static int flight_head_write(struct flight *flight)
{
	const struct webhook_uplink *uplink = flight->uplink;
	const struct event *event = flight->event;

	return event_head_write(
		&flight->head,
		&(struct event_facts){
			.source = backend_of(uplink)->source,
			.presence = uplink->presence,
			.traceparent = slice_of(uplink->trace, uplink->traceparent_len),
			.tracestate = slice_of(uplink->trace + uplink->traceparent_len,
					       uplink->tracestate_len),
			.type = event->type,
			.sequence = event->sequence,
			.time_ns = event->time_ns,
			.is_text = event->is_text,
			.reason = uplink->end.reason,
			.code = uplink->end.code,
		});
}

/* Of the first event. NULL: memory is out. */
static struct flight *flight_create(struct webhook_uplink *uplink)
{
	struct event *event = CONTAINER_OF(uplink->events.next, struct event, node);
	struct flight *flight = calloc(1, sizeof(*flight));

	if (flight == NULL)
		return NULL;
	flight->uplink = uplink;
	flight->event = event;
	loop_timer_init(&flight->timer, on_timer);
	if (flight_head_write(flight) < 0) {
		free(flight);
		return NULL;
	}
	flight->wanted[WANTED_SUBPROTOCOL].name = SLICE_LITERAL("Gatehouse-Subprotocol");
	flight->wanted[WANTED_CONTENT_TYPE].name = SLICE_LITERAL("Content-Type");
	flight->call = (struct webhook_call){
		.loop = uplink->loop,
		.on_done = on_done,
		.event_id = flight->head.id,
		.content_type = flight->head.content_type,
		.body = slice_of(event->body, event->len),
		.headers = flight->head.headers,
		.header_count = flight->head.count,
		.wanted = flight->wanted,
		.wanted_count = WANTED_COUNT,
		.deadline_ns = event->type == EVENT_CONNECT ? uplink->deadline_ns : 0,
		.may_retry = true,
	};
	return flight;
}

static void uplink_free(struct webhook_uplink *uplink)
{
	while (!list_is_empty(&uplink->events))
		event_end(uplink, CONTAINER_OF(uplink->events.next, struct event, node),
			  EVENT_DROPPED);
	presence_unref(&uplink->presence);
	free(uplink);
}

/* Begins the next event, or ends with the last. */
static void next(struct webhook_uplink *uplink)
{
	const struct uplink_handler *handler = uplink->base.handler;
	bool is_closed = uplink->base.owner == NULL;

	if (uplink->is_busy)
		return;
	if (is_closed && (uplink->is_aborted || list_is_empty(&uplink->events))) {
		handler->on_gone(&uplink->base);
		uplink_free(uplink);
		return;
	}
	if (list_is_empty(&uplink->events) || (!is_closed && !handler->may_send(&uplink->base)))
		return;
	uplink->is_busy = true;
	uplink->flight = flight_create(uplink);
	if (uplink->flight != NULL)
		launch(uplink->flight);
	else
		give_up(uplink, "the gateway is out of memory");
}

/* --- what the owner asks for --- */

static struct webhook_uplink *uplink_create(const struct backend *backend,
					    const struct uplink_request *request)
{
	size_t trace_len = request->traceparent.len + request->tracestate.len;
	struct webhook_uplink *uplink = calloc(1, sizeof(*uplink) + trace_len);

	if (uplink == NULL)
		return NULL;
	uplink->base.backend = backend;
	list_init(&uplink->base.node);
	list_init(&uplink->events);
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

static struct uplink *uplink_open(const struct backend *backend,
				  const struct uplink_request *request)
{
	struct webhook_uplink *uplink = uplink_create(backend, request);

	if (uplink == NULL)
		return NULL;
	if (append(uplink, EVENT_CONNECT, &(struct message){.bytes = request->head}) == 0)
		uplink->flight = flight_create(uplink);
	if (uplink->flight != NULL &&
	    webhook_start(backend_of(uplink)->webhook, &uplink->flight->call) == 0) {
		uplink->flight->is_flying = true;
		uplink->is_busy = true;
		return &uplink->base;
	}
	if (uplink->flight != NULL)
		flight_free(uplink->flight);
	uplink_free(uplink);
	return NULL;
}

static void uplink_connected(struct uplink *base, struct presence *presence)
{
	struct webhook_uplink *uplink = uplink_of(base);

	presence_unref(&uplink->presence);
	uplink->presence = presence_ref(presence);
	append(uplink, EVENT_CONNECTED, NULL);
	next(uplink);
}

static int uplink_message(struct uplink *base, const struct message *message)
{
	struct webhook_uplink *uplink = uplink_of(base);
	int r = append(uplink, EVENT_MESSAGE, message);

	if (r == 0)
		next(uplink);
	return r;
}

static void uplink_resume(struct uplink *base)
{
	next(uplink_of(base));
}

static void uplink_close(struct uplink *base, const struct uplink_end *end)
{
	struct webhook_uplink *uplink = uplink_of(base);

	uplink->end = *end;
	base->owner = NULL;
	if (uplink->is_accepted)
		append(uplink, EVENT_DISCONNECTED, NULL);
	else if (uplink->flight != NULL && uplink->flight->is_flying)
		webhook_cancel(&uplink->flight->call);
	next(uplink);
}

static void uplink_abort(struct uplink *base)
{
	struct webhook_uplink *uplink = uplink_of(base);
	struct flight *flight = uplink->flight;

	uplink->is_aborted = true;
	if (flight != NULL && flight->is_flying) {
		webhook_cancel(&flight->call);
	} else if (flight != NULL) {
		loop_timer_stop(uplink->loop, &flight->timer);
		go_on(uplink, land(uplink, EVENT_DROPPED));
	} else {
		next(uplink);
	}
}

const struct uplink_ops uplink_webhook_ops = {
	.open = uplink_open,
	.connected = uplink_connected,
	.message = uplink_message,
	.resume = uplink_resume,
	.close = uplink_close,
	.abort = uplink_abort,
};
