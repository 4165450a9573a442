/* SPDX-License-Identifier: Apache-2.0
 * bus_nats_topics.c - what is subscribed to at the broker follows what is wanted here. A topic
 * posts itself to the thread of the bus whenever that changes, and is looked at there as it is
 * then: so the last word counts, and what comes and goes within a turn is never heard of at the
 * broker. */
#include <errno.h>
#include <stdlib.h>

#include "bus/bus_nats.h"

static void on_topic_changed(struct loop_task *task);

/* With the shard's lock held. */
static void topic_queue(struct nats_topic *upstream)
{
	if (upstream->is_queued)
		return;
	upstream->is_queued = true;
	loop_post(nats_of(upstream->topic->bus)->loop, &upstream->task);
}

int nats_topic_wanted(struct bus_topic *topic)
{
	struct nats_topic *upstream = topic->upstream;

	if (upstream == NULL) {
		upstream = malloc(sizeof(*upstream));
		if (upstream == NULL)
			return -ENOMEM;
		*upstream = (struct nats_topic){.topic = topic, .task.run = on_topic_changed};
		list_init(&upstream->node);
		topic->upstream = upstream;
	}
	topic_queue(upstream);
	return 0;
}

void nats_topic_unwanted(struct bus_topic *topic)
{
	topic_queue(topic->upstream);
}

/* A connection that takes no subscription is as good as lost. */
static void topic_subscribe(struct bus_nats *nats, struct nats_topic *upstream)
{
	list_remove(&upstream->node);
	list_append(&nats->topics, &upstream->node);
	if (nats->link.connection == NULL || upstream->subscription != NULL || !nats->may_subscribe)
		return;
	if (nats_link_subscribe(&nats->link, upstream->topic->subject, &upstream->subscription) !=
	    NATS_OK)
		natsConnection_Close(nats->link.connection);
}

static void topic_unsubscribe(struct bus_nats *nats, struct nats_topic *upstream)
{
	nats_link_unsubscribe(&nats->link, upstream->subscription);
	upstream->subscription = NULL;
	list_remove(&upstream->node);
}

void nats_topic_end(struct nats_topic *upstream)
{
	struct bus_topic *topic = upstream->topic;
	struct topic_shard *shard = topic_shard(topic);

	pthread_mutex_lock(&shard->mutex);
	bool is_unused = topic->sub_count == 0 && !upstream->is_queued;

	if (is_unused)
		topic_remove(topic);
	pthread_mutex_unlock(&shard->mutex);
	if (is_unused)
		free(upstream);
}

/* Brings the broker to where the topic is now; a topic that nobody wants goes here, unless another
 * process is to have its messages. */
static void on_topic_changed(struct loop_task *task)
{
	struct nats_topic *upstream = CONTAINER_OF(task, struct nats_topic, task);
	struct bus_topic *topic = upstream->topic;
	struct topic_shard *shard = topic_shard(topic);

	pthread_mutex_lock(&shard->mutex);
	upstream->is_queued = false;
	bool is_wanted = topic->sub_count > 0;

	pthread_mutex_unlock(&shard->mutex);
	bus_nats_flush_soon(nats_of(topic->bus));
	if (is_wanted) {
		topic_subscribe(nats_of(topic->bus), upstream);
		return;
	}
	bool was_wanted = !list_is_empty(&upstream->node); /* else nobody has heard of it */

	if (was_wanted && __atomic_load_n(&nats_of(topic->bus)->keeps_topics, __ATOMIC_RELAXED))
		return;
	topic_unsubscribe(nats_of(topic->bus), upstream);
	nats_topic_end(upstream);
}

void nats_topics_subscribe(struct bus_nats *nats)
{
	struct list_node all;

	list_init(&all);
	list_move_all(&nats->topics, &all);
	while (!list_is_empty(&all))
		topic_subscribe(nats, CONTAINER_OF(all.next, struct nats_topic, node));
}

void nats_topics_resubscribe(struct bus_nats *nats)
{
	if (nats->link.connection == NULL || !nats->may_subscribe)
		return;
	if (__atomic_load_n(&nats->bus.has_no_inbox, __ATOMIC_RELAXED) &&
	    nats_link_resubscribe_inbox(&nats->link) != NATS_OK)
		return;
	for (struct list_node *node = nats->topics.next; node != &nats->topics; node = node->next) {
		struct nats_topic *upstream = CONTAINER_OF(node, struct nats_topic, node);
		const char *subject = upstream->topic->subject;

		if (bus_forbidden_seen_ns(&nats->forbidden, FORBIDDEN_SUBSCRIBE,
					  slice_from_text(subject)) == 0)
			continue;
		nats_link_unsubscribe(&nats->link, upstream->subscription);
		upstream->subscription = NULL;
		if (nats->link.connection == NULL ||
		    nats_link_subscribe(&nats->link, subject, &upstream->subscription) != NATS_OK)
			break;
	}
	bus_nats_flush_soon(nats);
}

void nats_topics_forget(struct bus_nats *nats)
{
	for (struct list_node *node = nats->topics.next; node != &nats->topics; node = node->next) {
		struct nats_topic *upstream = CONTAINER_OF(node, struct nats_topic, node);

		natsSubscription_Destroy(upstream->subscription);
		upstream->subscription = NULL;
	}
}
