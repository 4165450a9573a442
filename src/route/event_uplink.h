/* SPDX-License-Identifier: Apache-2.0
 * event_uplink.h - back ends that are told of events, and the uplinks of their clients.
 *
 * Layer: route. Here is what all kinds of them have in common: the order of a client's
 * events, of which one is under way while the others wait, and what happens if the back end
 * does not take one. How an event gets there is the business of the kind's carrier. */
#pragma once

#include "base/check.h"
#include "base/state.h"
#include "config/config.h"
#include "route/backend.h"
#include "route/event_queue.h"
#include "trace/trace_span.h"

struct event_carrier;
struct backend_type;

#define EVENT_BACKEND_NAME_MAX 64 /* [bytes] */

/* What can change while clients are there; atomic (base/counter.h), set by the main thread. */
struct event_tuning {
	uint64_t queue_max, pending_max; /* [bytes] */
	uint64_t retry_min_ns, retry_max_ns;
	uint64_t timeout_ns;        /* of one attempt */
	uint64_t closes_on_failure; /* on_failure: close */
	/* Failures of an event, in a row, that are not worth a word; then on_failure applies. */
	uint64_t retries;
	uint64_t is_asked; /* has the carrier take connect events; else all clients may come in */
};

/* A back end of the configuration; each kind's struct begins with it. It keeps nothing of the
 * configuration's: that comes and goes, and a back end stays for as long as there is one of its
 * name and type, or a client of a route that named it. */
struct event_backend {
	struct backend base;
	char name[EVENT_BACKEND_NAME_MAX + 1];
	const struct event_source *source;
	const struct backend_type *type;
	const struct event_carrier *carrier; /* the type's */
	struct event_tuning tuning;
	bool has_answer; /* to messages: none is sent while the client's own queue is full */
	struct backend_stats stats;
	/* The main thread's (backends.c). */
	struct list_node node;
	uint32_t holders; /* routes of all rulesets, and the set in force */
	bool is_in_force; /* in the configuration in force; others read it under the lock */
};

/* `backend` is zeroed. The rest is the kind's to set. */
void event_backend_init(struct event_backend *backend, const struct config_backend *config,
			const struct event_source *source, const struct backend_type *type);

/* In the main thread: what all kinds take of a changed entry. */
void event_backend_tune(struct event_backend *backend, const struct config_backend *config);

/* An attempt to deliver the first event of an uplink; each kind's struct begins with it. */
struct event_flight {
	struct event_uplink *uplink;
	struct event *event; /* NULL: of a client that may come in without anybody being asked */
	struct event_head head;
	struct trace_span *span; /* of the delivery; NULL: it is not sampled */
	struct timer timer;
	const char *detail; /* the carrier's, lives as long: why launch said no */
	uint32_t rounds, failures;
	uint8_t said; /* by launch, and not yet dealt with: enum carry_result */
	bool is_under_way;
	bool is_elsewhere; /* under way in the process that had the client before (event_road.h) */
	bool is_passed_on; /* set by launch with CARRY_TAKEN: the carrier counts what becomes of it
			    */
	/* While is_elsewhere: event_road.c's. */
	struct list_node in_road, in_corner;
};

/* What became of an attempt. */
enum carry_result {
	CARRY_UNDER_WAY,  /* event_flight_done will be called */
	CARRY_TAKEN,      /* of a connect event: the client may come in */
	CARRY_REFUSED,    /* the back end does not want it, or can never get it */
	CARRY_TOO_BIG,    /* taken, but the answer is too long */
	CARRY_UNREADABLE, /* taken, but the answer's encoding cannot be undone */
	CARRY_MALFORMED,  /* taken, but the answer is no good list of actions; no carrier's */
	CARRY_FAILED,     /* to be tried again, as on_failure says */
	CARRY_BUSY,       /* to be tried again; that is nobody's fault */
	CARRY_CANCELLED,
};

struct carry_verdict {
	enum carry_result result; /* not CARRY_UNDER_WAY */
	const char *detail;       /* in words, if it was not taken */
	uint64_t wait_ns;         /* FAILED and BUSY: sooner is pointless; 0: not known */
	struct message answer;    /* to a message, for the client; empty: none */
	struct slice actions;     /* instead, and to CONNECTED too: a list of them; empty: none */
	/* Of a connect event. */
	struct uplink_acceptance accepted; /* TAKEN */
	struct uplink_refusal refusal;     /* else; status 0: it is none, but a failure */
	enum uplink_failure failure;
};

struct event_carrier {
	size_t flight_size;
	bool is_messaging; /* to a broker, that is; else by requests */
	/* What lies in the flight beside zeros, its uplink, event and head. NULL: nothing. */
	void (*prepare)(struct event_flight *flight);
	/* Never calls event_flight_done. If the result is not UNDER_WAY, and not TAKEN, sets
	 * flight->detail. May be called again after FAILED and BUSY. */
	enum carry_result (*launch)(struct event_flight *flight);
	/* While under way: event_flight_done will be called soon. */
	void (*cancel)(struct event_flight *flight);
	/* While under way: what has not been sent is given back, and what has been sent is not
	 * sent again; event_flight_done is called soon. NULL: it is soon anyway. */
	void (*yield)(struct event_flight *flight);
	/* Before the flight is freed. NULL: there is nothing to do. */
	void (*release)(struct event_flight *flight);
};

/* What a span of it is: of a request, which somebody answers, or of a message. */
static inline enum trace_kind event_carrier_kind(const struct event_backend *backend,
						 enum event_type type)
{
	return backend->carrier->is_messaging && type != EVENT_CONNECT ? TRACE_PRODUCER
								       : TRACE_CLIENT;
}

/* --- event_call.c: of some clients one call at a time may be open (OCPP-J) ---
 *
 * So the next goes to the back end once the answer to the one before has gone to the client,
 * or has been waited for long enough. It waits in the queue, and what is behind it too. */

struct event_call;

/* The event is about to go to the back end. */
void event_call_begin(struct event_uplink *uplink, const struct event *event);

/* False: another call was answered, or none is open. */
bool event_call_answer(struct event_uplink *uplink, uint64_t number);

/* The back end has it: from now on it may answer for routes[].answer_timeout. Harmless if it has
 * answered already. */
void event_call_delivered(struct event_uplink *uplink);

/* There will be no answer. Harmless if none is open. */
void event_call_end(struct event_uplink *uplink);

/* For a handover: the call that is open, with the time that is left of it; one that has not left
 * yet, and is to leave the other process, is none. */
void event_call_export(const struct event_uplink *uplink, uint16_t tag, struct state_writer *out);
bool event_call_import(struct event_uplink *uplink,
		       struct slice state);        /* false: no memory, or bad */
void event_call_thaw(struct event_uplink *uplink); /* the time runs */

struct event_uplink {
	struct uplink base;
	struct presence *presence;
	struct loop *loop;
	struct random_source *random;
	struct event_queue queue;
	struct event_flight *flight;        /* of the first event, if there is one */
	struct event_call *call;            /* that is open; NULL: none */
	const struct uplink_request *asked; /* lent while it is opened, else NULL */
	uint64_t deadline_ns;               /* of the connect event, of clock_now_ns */
	struct uplink_end end;              /* once closed */
	uint16_t traceparent_len;
	uint16_t tracestate_len;
	bool is_telling;  /* the owner is being told: what it asks for meanwhile is queued only */
	bool is_asked;    /* the back end was, when it was opened */
	bool is_accepted; /* the client may come in */
	bool is_aborted;
	bool is_still;   /* the client is on its way here from another process: nothing begins */
	bool is_moved;   /* it is in another process: what is under way ends for that one */
	uint8_t trace[]; /* traceparent, tracestate */
};

static inline struct event_backend *event_backend_of(const struct event_uplink *uplink)
{
	return CONTAINER_OF(uplink->base.backend, struct event_backend, base);
}

/* Of the first event, or of none. NULL: memory is out. */
struct event_flight *event_flight_create(struct event_uplink *uplink, struct event *event,
					 void (*on_timer)(struct timer *timer));
void event_flight_free(struct event_flight *flight);

/* From the loop, if something has changed: begins what can begin. The uplink may be freed. */
void event_uplink_go_on(struct event_uplink *uplink);

/* A client that is in, and nobody has been asked about; nothing is in its queue. NULL: memory is
 * out. */
struct event_uplink *event_uplink_create(const struct backend *backend,
					 const struct uplink_request *request);

/* Before its owner has it. */
void event_uplink_free(struct event_uplink *uplink);

/* Once it is closed: frees it if nothing is left to be done. */
void event_uplink_end(struct event_uplink *uplink);

/* Once more. The flight may be freed, and its uplink. */
void event_flight_begin(struct event_flight *flight);

/* The flight's timer. */
void event_flight_on_timer(struct timer *timer);

/* --- event_state.c: of struct uplink_ops --- */

int event_uplink_export(const struct uplink *base, struct state_writer *out);
struct uplink *event_uplink_import(const struct backend *backend,
				   const struct uplink_request *request, struct slice state);
void event_uplink_thaw(struct uplink *base);
void event_uplink_forget(struct uplink *base);

/* What was under way elsewhere has ended; CARRY_FAILED: not delivered. The flight may be freed. */
void event_flight_told(struct event_flight *flight, const struct carry_verdict *verdict);

/* Nobody will tell how it has ended: it is tried again. */
void event_flight_alone(struct event_flight *flight);

/* Once after each launch that said CARRY_UNDER_WAY, from the loop. What the verdict points
 * to is lent. The flight may be freed. */
void event_flight_done(struct event_flight *flight, const struct carry_verdict *verdict);
