/* SPDX-License-Identifier: Apache-2.0
 * carrier_nats.c - events as messages on the bus: published, stored by a stream, or, for a
 * client that wants to come in, a request. */
#include <errno.h>

#include "base/clock.h"
#include "base/counter.h"
#include "base/media_type.h"
#include "bus/bus_subject.h"
#include "route/backend_nats.h"

#define SUBJECT_UP      "gatehouse.up"
#define SUBJECT_CONNECT "gatehouse.connect"

#define CONTENT_TYPE "Content-Type"
#define STATUS       "Gatehouse-Status"
#define SUBPROTOCOL  "Gatehouse-Subprotocol"
#define GROUPS       "Gatehouse-Groups"
#define CLIENT_ID    "Gatehouse-Client-Id"
#define ATTRIBUTES   "Gatehouse-Attributes"
#define CHALLENGE    "WWW-Authenticate"
#define RETRY_AFTER  "Retry-After"

struct nats_flight {
	struct event_flight base;
	struct bus_request request;
	uint64_t began_ns; /* of clock_now_ns; while it is waited for */
	bool is_again;     /* it was tried before */
};

static struct nats_flight *flight_of(struct event_flight *base)
{
	return CONTAINER_OF(base, struct nats_flight, base);
}

static struct backend_nats *backend_of(const struct event_flight *flight)
{
	return CONTAINER_OF(event_backend_of(flight->uplink), struct backend_nats, base);
}

static uint64_t timeout_ns(const struct backend_nats *backend)
{
	return counter_read(&backend->base.tuning.timeout_ns);
}

/* --- what is counted --- */

static void count_failure(const struct event_flight *flight, enum nats_cause cause)
{
	counter_add(&backend_of(flight)->stats.failures[cause], 1);
}

static void count_begin(struct event_flight *flight)
{
	struct nats_stats *stats = &backend_of(flight)->stats;

	counter_add(&stats->attempts, 1);
	counter_add(&stats->retries, flight_of(flight)->is_again);
	flight_of(flight)->is_again = true;
}

static void count_wait(struct event_flight *flight)
{
	counter_add(&backend_of(flight)->stats.in_flight, 1);
	flight_of(flight)->began_ns = clock_now_ns();
}

static void count_end(struct nats_flight *flight, enum bus_result result)
{
	static const enum nats_cause causes[] = {
		[BUS_NO_RESPONDERS] = NATS_CAUSE_NO_RESPONDERS,
		[BUS_TIMED_OUT] = NATS_CAUSE_TIMEOUT,
		[BUS_DISCONNECTED] = NATS_CAUSE_DISCONNECTED,
		[BUS_REFUSED] = NATS_CAUSE_REFUSED,
		[BUS_FORBIDDEN] = NATS_CAUSE_FORBIDDEN,
		[BUS_NO_MEMORY] = NATS_CAUSE_INTERNAL,
	};
	struct nats_stats *stats = &backend_of(&flight->base)->stats;

	counter_sub(&stats->in_flight, 1);
	durations_record(&stats->durations, durations_short_us, clock_now_ns() - flight->began_ns);
	if (result >= BUS_NO_RESPONDERS && result < BUS_CANCELLED)
		count_failure(&flight->base, causes[result]);
}

/* --- how it ends --- */

static enum carry_result result_of(enum bus_result result)
{
	if (result == BUS_STORED || result == BUS_TAKEN)
		return CARRY_TAKEN;
	return result == BUS_CANCELLED ? CARRY_CANCELLED : CARRY_FAILED;
}

static void on_stored(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct nats_flight *flight = CONTAINER_OF(request, struct nats_flight, request);

	count_end(flight, outcome->result);
	event_flight_done(&flight->base, &(struct carry_verdict){
						 .result = result_of(outcome->result),
						 .detail = outcome->reason,
					 });
}

/* 200 if the answer does not say; 0: it says something else than a status. */
static uint32_t status_of(const struct bus_message *answer)
{
	struct slice text = bus_message_header(answer, STATUS);
	uint32_t status = 0;

	if (text.data == NULL)
		return 200;
	if (text.len != 3)
		return 0;
	for (size_t i = 0; i < 3; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		status = status * 10 + (text.data[i] - '0');
	}
	return status;
}

static void answer_judge(const struct bus_message *answer, struct carry_verdict *verdict)
{
	uint32_t status = status_of(answer);

	if (status >= 200 && status < 300) {
		verdict->result = CARRY_TAKEN;
		verdict->accepted.subprotocol = bus_message_header(answer, SUBPROTOCOL);
		verdict->accepted.groups = bus_message_header(answer, GROUPS);
		verdict->accepted.client_id = bus_message_header(answer, CLIENT_ID);
		verdict->accepted.attributes = bus_message_header(answer, ATTRIBUTES);
		if (media_type_is(bus_message_header(answer, CONTENT_TYPE), UPLINK_ACTIONS_TYPE))
			verdict->accepted.actions = answer->body.len == 0 ? SLICE_LITERAL(" ")
									  : answer->body;
	} else if (status >= 400 && status < 600) {
		verdict->result = CARRY_REFUSED;
		verdict->refusal = (struct uplink_refusal){
			.status = status,
			.content_type = bus_message_header(answer, CONTENT_TYPE),
			.www_authenticate = bus_message_header(answer, CHALLENGE),
			.retry_after = bus_message_header(answer, RETRY_AFTER),
			.body = answer->body,
		};
	} else {
		verdict->failure = UPLINK_BROKEN;
		verdict->detail = STATUS " of the answer is not 2xx, 4xx or 5xx";
	}
}

static void on_decided(struct bus_request *request, const struct bus_outcome *outcome)
{
	struct nats_flight *flight = CONTAINER_OF(request, struct nats_flight, request);
	struct carry_verdict verdict = {
		.result = result_of(outcome->result),
		.detail = outcome->reason,
		.failure = outcome->result == BUS_TIMED_OUT ? UPLINK_LATE : UPLINK_DOWN,
	};

	count_end(flight, outcome->result);
	if (outcome->result == BUS_ANSWERED)
		answer_judge(outcome->answer, &verdict);
	event_flight_done(&flight->base, &verdict);
}

/* --- its span --- */

/* By OpenTelemetry's names for messaging. */
static void trace(struct event_flight *flight, struct slice subject)
{
	struct trace_span *span = flight->span;
	bool is_request = flight->event->type == EVENT_CONNECT;

	if (span == NULL)
		return;
	if (flight->rounds == 0) {
		trace_span_text(span, "messaging.system", SLICE_LITERAL("nats"));
		trace_span_text(span, "messaging.operation.type", SLICE_LITERAL("send"));
		trace_span_text(span, "messaging.operation.name",
				is_request ? SLICE_LITERAL("request") : SLICE_LITERAL("publish"));
		trace_span_text(span, "messaging.destination.name", subject);
		trace_span_text(span, "messaging.destination.template",
				is_request ? SLICE_LITERAL(SUBJECT_CONNECT ".{route}.{client_id}")
					   : SLICE_LITERAL(SUBJECT_UP ".{route}.{client_id}"));
		trace_span_text(span, "messaging.message.id", flight->head.id);
	}
	trace_span_event_begin(span, "attempt", clock_wall_ns());
	trace_span_event_end(span);
}

/* --- how it begins --- */

static size_t headers_fill(const struct event_head *head, struct bus_header *headers)
{
	size_t count = 0;

	headers[count++] = (struct bus_header){SLICE_LITERAL(CONTENT_TYPE), head->content_type};
	for (size_t i = 0; i < head->count; i++)
		headers[count++] = (struct bus_header){head->attributes[i].name,
						       head->attributes[i].value};
	return count;
}

static int subject_fill(const struct event_flight *flight, struct bus_subject *out_subject)
{
	const struct presence *presence = flight->uplink->presence;
	const char *prefix = flight->event->type == EVENT_CONNECT ? SUBJECT_CONNECT : SUBJECT_UP;

	return bus_subject_of_client(prefix, presence_route_name(presence), presence->client_id,
				     out_subject);
}

static int ask(struct event_flight *flight, const struct bus_message *message)
{
	uint64_t now_ns = clock_now_ns(), deadline_ns = flight->uplink->deadline_ns;

	return bus_request(backend_of(flight)->bus, &flight_of(flight)->request,
			   flight->uplink->loop, message,
			   deadline_ns > now_ns ? deadline_ns - now_ns : 1, on_decided);
}

static int store(struct event_flight *flight, const struct bus_message *message)
{
	struct backend_nats *backend = backend_of(flight);
	char stream[sizeof(backend->stream)];

	/* It may be another one from one event to the next. */
	pthread_mutex_lock(&backend->mutex);
	memcpy(stream, backend->stream, sizeof(stream));
	pthread_mutex_unlock(&backend->mutex);
	return bus_publish_durable(backend->bus, &flight_of(flight)->request, flight->uplink->loop,
				   message, flight->head.id,
				   stream[0] == 0 ? (struct slice){0} : slice_from_text(stream),
				   timeout_ns(backend), on_stored);
}

static enum carry_result refused(struct event_flight *flight, int error)
{
	switch (error) {
	case -EAGAIN:
		flight->detail = "bus.requests_max are under way";
		return CARRY_BUSY;
	case -ENOBUFS:
		count_failure(flight, NATS_CAUSE_PENDING_MAX);
		flight->detail = "bus.pending_max is reached";
		return CARRY_FAILED;
	case -EMSGSIZE:
		count_failure(flight, NATS_CAUSE_TOO_BIG);
		flight->detail = "the message is larger than the broker takes";
		return CARRY_REFUSED;
	case -EINVAL:
		count_failure(flight, NATS_CAUSE_TOO_BIG);
		flight->detail = "the subject or a header has something that cannot be sent";
		return CARRY_REFUSED;
	default:
		count_failure(flight, NATS_CAUSE_INTERNAL);
		flight->detail = "the gateway is out of memory";
		return CARRY_FAILED;
	}
}

/* Counted once the broker's word is known. Where it has forbidden the subject, the event waits for
 * that word: it is tried again as long as on_failure says, and not lost. */
static enum carry_result publish(struct event_flight *flight, const struct bus_message *message)
{
	struct backend_nats *backend = backend_of(flight);
	uint64_t *outcomes = backend->base.stats.events[flight->event->type];
	const struct bus_fate fate = {
		.taken = &outcomes[EVENT_DELIVERED],
		.forbidden = &outcomes[EVENT_REFUSED],
		.unconfirmed = &outcomes[EVENT_UNCONFIRMED],
	};
	int r = bus_publish_counted(backend->bus, message, &fate);

	flight->is_passed_on = r == 0;
	if (r == 0)
		return CARRY_TAKEN;
	if (r == -EACCES)
		r = bus_publish_checked(backend->bus, &flight_of(flight)->request,
					flight->uplink->loop, message, timeout_ns(backend),
					on_stored);
	if (r < 0)
		return refused(flight, r);
	count_wait(flight);
	return CARRY_UNDER_WAY;
}

static enum carry_result launch(struct event_flight *flight)
{
	bool is_request = flight->event->type == EVENT_CONNECT;
	bool is_durable = counter_read(&backend_of(flight)->is_durable);
	struct bus_header headers[EVENT_ATTRIBUTES_MAX + 1];
	struct bus_subject subject;
	int r = subject_fill(flight, &subject);

	count_begin(flight);
	if (r < 0)
		return refused(flight, r);
	struct bus_message message = {
		.subject = bus_subject_slice(&subject),
		.headers = headers,
		.header_count = headers_fill(&flight->head, headers),
		.body = slice_of(flight->event->body, flight->event->len),
	};

	trace(flight, message.subject);
	if (!is_request && !is_durable)
		return publish(flight, &message);
	r = is_request ? ask(flight, &message) : store(flight, &message);
	if (r < 0)
		return refused(flight, r);
	count_wait(flight);
	return CARRY_UNDER_WAY;
}

static void cancel(struct event_flight *flight)
{
	bus_request_cancel(&flight_of(flight)->request);
}

const struct event_carrier carrier_nats = {
	.flight_size = sizeof(struct nats_flight),
	.is_messaging = true,
	.launch = launch,
	.cancel = cancel,
};
