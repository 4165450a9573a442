/* SPDX-License-Identifier: Apache-2.0
 * event_queue.h - the events of one client that its back end does not have yet, in order.
 *
 * Layer: route. Belongs to the client's worker; the numbers are for all threads. */
#pragma once

#include "base/list.h"
#include "route/event.h"
#include "route/event_waits.h"
#include "session/session.h"

/* How an event ends. X(NAME, label) */
#define EVENT_OUTCOME_TABLE(X)                                                                   \
	X(DELIVERED, "delivered")                 /* the back end has it */                      \
	X(REFUSED, "refused")                     /* it does not want it, now or ever */         \
	X(ANSWER_TOO_BIG, "answer_too_big")       /* over answer_max: not passed on */           \
	X(ANSWER_UNREADABLE, "answer_unreadable") /* its encoding: not passed on */              \
	X(ANSWER_MALFORMED, "answer_malformed")   /* a list of actions: nothing of it is done */ \
	X(UNCONFIRMED, "unconfirmed") /* on its way when the broker was lost: it may have it */  \
	X(DROPPED, "dropped")         /* given up: on_failure: close, or at the end */

#define EVENT_OUTCOME_ENUM(NAME, label) EVENT_##NAME,
enum event_outcome { EVENT_OUTCOME_TABLE(EVENT_OUTCOME_ENUM) EVENT_OUTCOME_COUNT };

const char *event_outcome_label(enum event_outcome outcome);

/* Of one back end; relaxed atomics, but for the last. */
struct backend_stats {
	uint64_t begun; /* events that were ever to be delivered */
	uint64_t events[EVENT_TYPE_COUNT][EVENT_OUTCOME_COUNT];
	uint64_t waiting;       /* gauge: events not yet delivered, those under way included */
	uint64_t unanswered;    /* calls of clients, given up */
	uint64_t pending_bytes; /* gauge: what they cost, and with an end what the client leaves */
	struct event_waits waits; /* those that wait */
};

/* Events that were given up, or may be: all but those of clients that were not let in yet. */
uint64_t backend_stats_lost(const struct backend_stats *stats);

/* Has every event an outcome, also those that were passed on? Nobody counts any more then, if there
 * is no uplink. */
bool backend_stats_are_settled(const struct backend_stats *stats);

struct event {
	struct list_node node;
	struct event_wait wait;
	uint64_t sequence;
	uint64_t time_ns;
	enum event_type type;
	enum message_mark mark;
	bool is_text;
	size_t len;
	uint64_t call; /* of struct message */
	uint8_t body[];
};

struct event_queue {
	struct list_node events;
	struct backend_stats *stats;
	size_t bytes;      /* of messages, with what they cost beside their bodies */
	uint64_t sequence; /* of the last event */
};

void event_queue_init(struct event_queue *queue, struct backend_stats *stats);

/* Ends all that is left. */
void event_queue_finish(struct event_queue *queue);

/* `message` is the body, and may be NULL. 0 or -ENOMEM; the sequence number is used up in
 * any case, so that a gap can be seen. */
int event_queue_append(struct event_queue *queue, enum event_type type,
		       const struct message *message);

/* As event_queue_append, but with a number and a time of its own: one that another process has
 * had. */
int event_queue_restore(struct event_queue *queue, const struct event *event, struct slice body);

/* NULL: there is none. */
struct event *event_queue_first(const struct event_queue *queue);

/* Counts, removes and frees it. */
void event_queue_end(struct event_queue *queue, struct event *event, enum event_outcome outcome);

/* As event_queue_end, but its carrier counts what becomes of it. */
void event_queue_pass_on(struct event_queue *queue, struct event *event);

/* All but `kept`, which may be NULL: another process has them. */
void event_queue_forget(struct event_queue *queue, const struct event *kept);

/* All messages but `kept`, which may be NULL, and neither the beginning nor the end of the
 * connection. */
void event_queue_drop_messages(struct event_queue *queue, const struct event *kept);
