/* SPDX-License-Identifier: Apache-2.0
 * bus_nats_leave.c - a process that hands over its subscriptions to another one (bus.h).
 *
 * A subscription that is simply ended loses what the broker has sent already: libnats throws it
 * away. A connection can be drained: the broker is told of the end of all its subscriptions, and
 * what it had sent until then is still handed out. So a second connection is made, with what is
 * wanted still and with the inbox, and takes over; the first one is drained, and closes. All in the
 * thread of the bus, but what is said of libnats's. */
#include <stdlib.h>

#include "base/clock.h"
#include "bus/bus_nats.h"

#define FLUSH_MS 1000
#define DRAIN_MS 10000
#define RETRY_NS NS_PER_S

/* --- older: the end --- */

static bool is_wanted(const struct nats_topic *upstream)
{
	struct topic_shard *shard = topic_shard(upstream->topic);

	pthread_mutex_lock(&shard->mutex);
	bool is_wanted = upstream->topic->sub_count > 0;

	pthread_mutex_unlock(&shard->mutex);
	return is_wanted;
}

static void topics_end(struct bus_nats *nats)
{
	struct list_node all;

	__atomic_store_n(&nats->keeps_topics, false, __ATOMIC_RELAXED);
	list_init(&all);
	list_move_all(&nats->topics, &all);
	while (!list_is_empty(&all)) {
		struct nats_topic *upstream = CONTAINER_OF(list_pop(&all), struct nats_topic, node);

		if (is_wanted(upstream)) {
			list_append(&nats->topics, &upstream->node);
			continue;
		}
		/* Of a connection that was lost, and came back meanwhile. */
		nats_link_unsubscribe(&nats->link, upstream->subscription);
		upstream->subscription = NULL;
		nats_topic_end(upstream);
	}
}

static void tell_left(struct bus_nats *nats)
{
	void (*on_left)(void *arg) = nats->on_left;

	nats->on_left = NULL;
	if (on_left != NULL)
		on_left(nats->left_arg);
}

static void subs_destroy(natsSubscription **subs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		natsSubscription_Destroy(subs[i]);
	free(subs);
}

static void leaving_end(struct bus_nats *nats)
{
	nats_link_close(nats->leaving);
	subs_destroy(nats->leaving_subs, nats->leaving_count);
	free(nats->leaving);
	nats->leaving = NULL;
	nats->leaving_subs = NULL;
	nats->leaving_count = 0;
}

/* All that the broker had sent is handed out. */
static void on_left(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, left);

	if (nats->leaving == NULL)
		return;
	leaving_end(nats);
	topics_end(nats);
	tell_left(nats);
}

/* --- older: the change of connections --- */

static size_t topic_count(const struct bus_nats *nats)
{
	size_t count = 0;

	for (struct list_node *node = nats->topics.next; node != &nats->topics; node = node->next)
		count++;
	return count;
}

/* What is wanted still; `subs` are in the order of the topics, NULL for the others. */
static bool subscribe_anew(struct bus_nats *nats, struct nats_link *link, natsSubscription **subs)
{
	for (struct list_node *node = nats->topics.next; node != &nats->topics;
	     node = node->next, subs++) {
		struct nats_topic *upstream = CONTAINER_OF(node, struct nats_topic, node);

		if (is_wanted(upstream) &&
		    nats_link_subscribe(link, upstream->topic->subject, subs) != NATS_OK)
			return false;
	}
	return nats_link_flush(link, FLUSH_MS) == NATS_OK;
}

/* The topics have the newer ones; `subs` gets the older. */
static void subs_swap(struct bus_nats *nats, natsSubscription **subs)
{
	for (struct list_node *node = nats->topics.next; node != &nats->topics;
	     node = node->next, subs++) {
		struct nats_topic *upstream = CONTAINER_OF(node, struct nats_topic, node);
		natsSubscription *older = upstream->subscription;

		upstream->subscription = *subs;
		*subs = older;
	}
}

/* False: it is as before. */
static bool change_connection(struct bus_nats *nats, struct nats_link *fresh, size_t count,
			      natsSubscription **subs)
{
	struct nats_failure failure;

	if (!nats_link_open(fresh, nats, &failure))
		return false;
	if (!subscribe_anew(nats, fresh, subs) ||
	    nats_link_flush(&nats->link, FLUSH_MS) != NATS_OK) {
		nats_link_close(fresh);
		return false;
	}
	nats_settle_flushed(nats);
	subs_swap(nats, subs);
	nats->leaving = fresh;
	nats->leaving_subs = subs;
	nats->leaving_count = count;
	nats_link_swap(&nats->link, fresh);
	bus_nats_note_broker(nats);
	if (natsConnection_DrainTimeout(fresh->connection, DRAIN_MS) != NATS_OK)
		natsConnection_Close(fresh->connection);
	return true;
}

static void try_leave(struct bus_nats *nats)
{
	size_t count = topic_count(nats);
	struct nats_link *fresh;
	natsSubscription **subs;

	if (nats->leaving != NULL || nats->on_left == NULL)
		return;
	if (nats->link.connection == NULL) { /* the broker knows of no subscription */
		topics_end(nats);
		tell_left(nats);
		return;
	}
	fresh = malloc(sizeof(*fresh));
	subs = calloc(count + 1, sizeof(natsSubscription *));
	if (fresh != NULL && subs != NULL && change_connection(nats, fresh, count, subs))
		return;
	if (subs != NULL)
		subs_destroy(subs, count);
	free(fresh);
	loop_timer_start(nats->loop, &nats->leave_retry, RETRY_NS);
}

static void on_leave(struct loop_task *task)
{
	try_leave(CONTAINER_OF(task, struct bus_nats, leave));
}

static void on_retry(struct timer *timer)
{
	try_leave(CONTAINER_OF(timer, struct bus_nats, leave_retry));
}

void nats_bequeath(struct bus *bus)
{
	__atomic_store_n(&nats_of(bus)->keeps_topics, true, __ATOMIC_RELAXED);
}

void nats_leave(struct bus *bus, void (*on_left_fn)(void *arg), void *arg)
{
	struct bus_nats *nats = nats_of(bus);

	nats->on_left = on_left_fn;
	nats->left_arg = arg;
	loop_post(nats->loop, &nats->leave);
}

/* --- newer --- */

static void on_subscribe(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, subscribe);

	nats->may_subscribe = true;
	if (nats->link.connection != NULL)
		nats_topics_subscribe(nats);
}

static void on_publish(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, publish);

	nats->may_publish = true;
	if (nats->link.connection != NULL)
		bus_nats_send_queue(nats);
}

void nats_begin(struct bus *bus, bool is_publishing)
{
	struct bus_nats *nats = nats_of(bus);

	loop_post(nats->loop, is_publishing ? &nats->publish : &nats->subscribe);
}

/* --- life --- */

void nats_leave_init(struct bus_nats *nats)
{
	nats->subscribe.run = on_subscribe;
	nats->publish.run = on_publish;
	nats->leave.run = on_leave;
	nats->left.run = on_left;
	loop_timer_init(&nats->leave_retry, on_retry);
}

void nats_leave_finish(struct bus_nats *nats)
{
	loop_timer_stop(nats->loop, &nats->leave_retry);
	if (nats->leaving != NULL)
		leaving_end(nats);
	topics_end(nats);
	tell_left(nats);
}
