/* SPDX-License-Identifier: Apache-2.0 */
#include "route/event_queue.h"

#include <errno.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/counter.h"
#include "base/payload.h"

#define OUTCOME_LABEL(NAME, label) label,
static const char *const labels[] = {EVENT_OUTCOME_TABLE(OUTCOME_LABEL)};

const char *event_outcome_label(enum event_outcome outcome)
{
	CHECK((size_t)outcome < ARRAY_LEN(labels));
	return labels[outcome];
}

uint64_t backend_stats_lost(const struct backend_stats *stats)
{
	uint64_t lost = 0;

	for (size_t type = 0; type < EVENT_TYPE_COUNT; type++)
		if (type != EVENT_CONNECT)
			lost += counter_read(&stats->events[type][EVENT_DROPPED]) +
				counter_read(&stats->events[type][EVENT_UNCONFIRMED]);
	return lost;
}

bool backend_stats_are_settled(const struct backend_stats *stats)
{
	uint64_t ended = 0;

	for (size_t type = 0; type < EVENT_TYPE_COUNT; type++)
		for (size_t outcome = 0; outcome < EVENT_OUTCOME_COUNT; outcome++)
			ended += counter_read(&stats->events[type][outcome]);
	return ended == counter_read(&stats->begun);
}

static size_t cost_of(const struct event *event)
{
	return event->type == EVENT_MESSAGE ? sizeof(*event) + event->len : 0;
}

/* [bytes] about: behind a client that has gone its uplink and presence stay until its last
 * event is delivered. */
#define END_COST 1024

static size_t pending_of(const struct event *event)
{
	return sizeof(*event) + event->len + (event->type == EVENT_DISCONNECTED ? END_COST : 0);
}

void event_queue_init(struct event_queue *queue, struct backend_stats *stats)
{
	*queue = (struct event_queue){.stats = stats};
	list_init(&queue->events);
}

void event_queue_finish(struct event_queue *queue)
{
	for (struct list_node *node = queue->events.next, *after; node != &queue->events;
	     node = after) {
		after = node->next;
		event_queue_end(queue, CONTAINER_OF(node, struct event, node), EVENT_DROPPED);
	}
}

/* A copy of `facts` with this body, as the last one. */
static int append(struct event_queue *queue, const struct event *facts, struct slice body,
		  bool is_restored)
{
	struct event *event = payload_alloc(sizeof(*event) + body.len);

	if (event == NULL)
		return -ENOMEM;
	*event = *facts;
	event->len = body.len;
	if (body.len > 0)
		memcpy(event->body, body.data, body.len);
	list_append(&queue->events, &event->node);
	queue->bytes += cost_of(event);
	counter_add(&queue->stats->begun, 1);
	counter_add(&queue->stats->waiting, 1);
	counter_add(&queue->stats->pending_bytes, pending_of(event));
	event_waits_add(&queue->stats->waits, &event->wait, event->time_ns, is_restored);
	return 0;
}

int event_queue_append(struct event_queue *queue, enum event_type type,
		       const struct message *message)
{
	struct event facts = {
		.sequence = ++queue->sequence,
		.time_ns = clock_wall_ns(),
		.type = type,
		.mark = message == NULL ? MESSAGE_PLAIN : message->mark,
		.is_text = message != NULL && message->is_text,
		.call = message == NULL ? 0 : message->call,
	};

	return append(queue, &facts, message == NULL ? (struct slice){0} : message->bytes, false);
}

int event_queue_restore(struct event_queue *queue, const struct event *event, struct slice body)
{
	queue->sequence = MAX(queue->sequence, event->sequence);
	return append(queue, event, body, true);
}

struct event *event_queue_first(const struct event_queue *queue)
{
	return list_is_empty(&queue->events) ? NULL
					     : CONTAINER_OF(queue->events.next, struct event, node);
}

void event_queue_pass_on(struct event_queue *queue, struct event *event)
{
	CHECK(queue->bytes >= cost_of(event));
	event_waits_remove(&queue->stats->waits, &event->wait);
	counter_sub(&queue->stats->waiting, 1);
	counter_sub(&queue->stats->pending_bytes, pending_of(event));
	queue->bytes -= cost_of(event);
	list_remove(&event->node);
	payload_free(event, sizeof(*event) + event->len);
}

void event_queue_end(struct event_queue *queue, struct event *event, enum event_outcome outcome)
{
	counter_add(&queue->stats->events[event->type][outcome], 1);
	event_queue_pass_on(queue, event);
}

void event_queue_forget(struct event_queue *queue, const struct event *kept)
{
	for (struct list_node *node = queue->events.next, *after; node != &queue->events;
	     node = after) {
		struct event *event = CONTAINER_OF(node, struct event, node);

		after = node->next;
		if (event == kept)
			continue;
		counter_sub(&queue->stats->begun, 1); /* its outcome is another process's */
		event_queue_pass_on(queue, event);
	}
}

void event_queue_drop_messages(struct event_queue *queue, const struct event *kept)
{
	for (struct list_node *node = queue->events.next, *after; node != &queue->events;
	     node = after) {
		struct event *event = CONTAINER_OF(node, struct event, node);

		after = node->next;
		if (event->type == EVENT_MESSAGE && event != kept)
			event_queue_end(queue, event, EVENT_DROPPED);
	}
}
