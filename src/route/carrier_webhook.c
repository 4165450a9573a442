/* SPDX-License-Identifier: Apache-2.0
 * carrier_webhook.c - events as HTTP requests: webhook/ delivers one, with its retries. */
#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/media_type.h"
#include "base/saturate.h"
#include "route/backend_webhook.h"

enum {
	WANTED_SUBPROTOCOL,
	WANTED_GROUPS,
	WANTED_CLIENT_ID,
	WANTED_ATTRIBUTES,
	WANTED_CONTENT_TYPE,
	WANTED_WWW_AUTHENTICATE,
	WANTED_RETRY_AFTER,
	WANTED_COUNT
};

static const struct webhook_header wanted[WANTED_COUNT] = {
	[WANTED_SUBPROTOCOL] = {.name = SLICE_LITERAL("Gatehouse-Subprotocol")},
	[WANTED_GROUPS] = {.name = SLICE_LITERAL("Gatehouse-Groups")},
	[WANTED_CLIENT_ID] = {.name = SLICE_LITERAL("Gatehouse-Client-Id")},
	[WANTED_ATTRIBUTES] = {.name = SLICE_LITERAL("Gatehouse-Attributes"), .is_list = true},
	[WANTED_CONTENT_TYPE] = {.name = SLICE_LITERAL("Content-Type")},
	/* Each way to prove who one is may have a field of its own. */
	[WANTED_WWW_AUTHENTICATE] = {.name = SLICE_LITERAL("WWW-Authenticate"), .is_list = true},
	[WANTED_RETRY_AFTER] = {.name = SLICE_LITERAL("Retry-After")},
};

struct webhook_flight {
	struct event_flight base;
	struct webhook_call call;
	struct webhook_header headers[EVENT_ATTRIBUTES_MAX];
	struct webhook_header wanted[WANTED_COUNT];
	struct webhook_trail *trail; /* NULL: it is not traced */
};

static struct webhook_flight *flight_of(struct event_flight *base)
{
	return CONTAINER_OF(base, struct webhook_flight, base);
}

static struct webhook *webhook_of(const struct webhook_flight *flight)
{
	return CONTAINER_OF(event_backend_of(flight->base.uplink), struct backend_webhook, base)
		->webhook;
}

/* --- how it ends --- */

static enum carry_result result_of(const struct webhook_call *call)
{
	switch (call->outcome) {
	case WEBHOOK_OK:
		return CARRY_TAKEN;
	case WEBHOOK_REFUSED:
		return call->cause == WEBHOOK_CAUSE_BUSY ? CARRY_FAILED : CARRY_REFUSED;
	case WEBHOOK_TOO_BIG:
		return CARRY_TOO_BIG;
	case WEBHOOK_UNREADABLE:
		return CARRY_UNREADABLE;
	case WEBHOOK_CANCELLED:
		return CARRY_CANCELLED;
	default:
		return call->cause == WEBHOOK_CAUSE_NO_SOCKET ? CARRY_BUSY : CARRY_FAILED;
	}
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
	case WEBHOOK_CAUSE_NO_SOCKET:
		return UPLINK_NO_SOCKET;
	default:
		return UPLINK_BROKEN;
	}
}

/* After a connect event every answer of 4xx and 5xx is a decision. */
static enum carry_result decision_of(const struct webhook_call *call)
{
	enum carry_result result = result_of(call);

	return call->outcome == WEBHOOK_REFUSED ? CARRY_REFUSED : result;
}

static bool is_refusal(const struct webhook_call *call)
{
	return call->outcome == WEBHOOK_REFUSED ||
	       (call->outcome == WEBHOOK_FAILED && call->cause == WEBHOOK_CAUSE_SERVER_ERROR);
}

/* No body at all is no list either. */
static struct slice actions_of(const struct webhook_call *call)
{
	return call->response.len == 0 ? SLICE_LITERAL(" ") : buf_slice(&call->response);
}

/* --- its span --- */

static void trace_attempt(struct trace_span *span, const struct webhook_trail *trail, size_t i)
{
	uint64_t begun_ns = trail->attempts[i].begun_ns, ended_ns = trail->attempts[i].ended_ns;
	enum webhook_cause cause = trail->attempts[i].cause;

	trace_span_event_begin(span, "attempt", begun_ns);
	trace_span_event_number(span, "gatehouse.duration_us",
				saturating_sub(ended_ns, begun_ns) / NS_PER_US);
	if (trail->attempts[i].status != 0)
		trace_span_event_number(span, "http.response.status_code",
					trail->attempts[i].status);
	if (cause != WEBHOOK_CAUSE_NONE)
		trace_span_event_text(span, "error.type",
				      slice_from_text(webhook_cause_label(cause)));
	trace_span_event_end(span);
}

/* Once for each start, of which there may be several; `is_last`: then none follows. */
static void trace(struct webhook_flight *flight, bool is_last)
{
	struct trace_span *span = flight->base.span;
	const struct webhook_call *call = &flight->call;
	const struct webhook_trail *trail = flight->trail;

	if (span == NULL || trail == NULL)
		return;
	for (size_t i = 0; i < MIN(trail->count, (uint32_t)WEBHOOK_TRAIL_MAX); i++)
		trace_attempt(span, trail, i);
	if (!is_last)
		return;
	trace_span_text(span, "http.request.method", SLICE_LITERAL("POST"));
	trace_span_text(span, "url.full", slice_from_text(trail->url));
	if (call->status != 0)
		trace_span_number(span, "http.response.status_code", call->status);
	if (call->attempts > 1)
		trace_span_number(span, "http.request.resend_count", call->attempts - 1);
}

static void on_done(struct webhook_call *call)
{
	struct webhook_flight *flight = CONTAINER_OF(call, struct webhook_flight, call);
	enum event_type type = flight->base.event->type;
	struct slice content_type = flight->wanted[WANTED_CONTENT_TYPE].value;
	struct carry_verdict verdict = {
		.result = type == EVENT_CONNECT ? decision_of(call) : result_of(call),
		.detail = call->error,
		.wait_ns = call->retry_after_ns,
		.accepted = {.subprotocol = flight->wanted[WANTED_SUBPROTOCOL].value,
			     .groups = flight->wanted[WANTED_GROUPS].value,
			     .client_id = flight->wanted[WANTED_CLIENT_ID].value,
			     .attributes = flight->wanted[WANTED_ATTRIBUTES].value},
		.failure = failure_of(call),
	};

	if (type == EVENT_CONNECT && is_refusal(call))
		verdict.refusal = (struct uplink_refusal){
			.status = call->status,
			.content_type = content_type,
			.www_authenticate = flight->wanted[WANTED_WWW_AUTHENTICATE].value,
			.retry_after = flight->wanted[WANTED_RETRY_AFTER].value,
			.body = buf_slice(&call->response),
		};
	bool is_actions = call->outcome == WEBHOOK_OK && type != EVENT_DISCONNECTED &&
			  media_type_is(content_type, UPLINK_ACTIONS_TYPE);

	if (is_actions && type == EVENT_CONNECT)
		verdict.accepted.actions = actions_of(call);
	else if (is_actions)
		verdict.actions = actions_of(call);
	else if (type == EVENT_MESSAGE)
		verdict.answer = (struct message){
			.is_text = media_type_is_text(content_type),
			.bytes = buf_slice(&call->response),
		};
	trace(flight, verdict.result != CARRY_FAILED && verdict.result != CARRY_BUSY);
	event_flight_done(&flight->base, &verdict);
}

/* --- how it begins --- */

static size_t headers_fill(const struct event_head *head, struct webhook_header *headers)
{
	for (size_t i = 0; i < head->count; i++)
		headers[i] = (struct webhook_header){head->attributes[i].name,
						     head->attributes[i].value};
	return head->count;
}

static void prepare(struct event_flight *base)
{
	struct webhook_flight *flight = flight_of(base);
	const struct event *event = base->event;

	memcpy(flight->wanted, wanted, sizeof(wanted));
	if (base->span != NULL)
		flight->trail = calloc(1, sizeof(*flight->trail));
	flight->call = (struct webhook_call){
		.loop = base->uplink->loop,
		.on_done = on_done,
		.event_id = base->head.id,
		.content_type = base->head.content_type,
		.body = slice_of(event->body, event->len),
		.headers = flight->headers,
		.header_count = headers_fill(&base->head, flight->headers),
		.wanted = flight->wanted,
		.wanted_count = WANTED_COUNT,
		.deadline_ns = event->type == EVENT_CONNECT ? base->uplink->deadline_ns : 0,
		.may_retry = true,
		.trail = flight->trail,
	};
}

static enum carry_result launch(struct event_flight *base)
{
	struct webhook_flight *flight = flight_of(base);
	if (flight->trail != NULL)
		flight->trail->count = 0;
	int r = webhook_start(webhook_of(flight), &flight->call);

	if (r == 0)
		return CARRY_UNDER_WAY;
	base->detail = r == -EINVAL ? flight->call.error : strerror(-r);
	return r == -EAGAIN ? CARRY_BUSY : r == -EINVAL ? CARRY_REFUSED : CARRY_FAILED;
}

static void cancel(struct event_flight *base)
{
	webhook_cancel(&flight_of(base)->call);
}

static void yield(struct event_flight *base)
{
	webhook_yield(&flight_of(base)->call);
}

static void release(struct event_flight *base)
{
	webhook_call_release(&flight_of(base)->call);
	free(flight_of(base)->trail);
}

const struct event_carrier carrier_webhook = {
	.flight_size = sizeof(struct webhook_flight),
	.prepare = prepare,
	.launch = launch,
	.cancel = cancel,
	.yield = yield,
	.release = release,
};
