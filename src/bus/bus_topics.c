/* SPDX-License-Identifier: Apache-2.0
 * bus_topics.c - who is subscribed to which subject in this process (bus_private.h): a hash table
 * in shards, with a lock each. A subscription that closes while a message for it is under way is
 * told of its end behind that message. */
#include <errno.h>
#include <stdlib.h>

#include "base/random.h"
#include "bus/bus_private.h"

#define BUCKETS_MIN 16

/* --- the hash table of a shard --- */

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t subject_hash(const struct bus *bus, struct slice subject)
{
	uint64_t hash = bus->hash_keys[0] ^ subject.len;
	uint64_t word;

	for (size_t at = 0; at < subject.len; at += sizeof(word)) {
		word = 0;
		memcpy(&word, subject.data + at, MIN(subject.len - at, sizeof(word)));
		hash = mix(hash ^ word, bus->hash_keys[1]);
	}
	return (uint32_t)mix(hash, bus->hash_keys[0] | 1);
}

static struct topic_shard *shard_of(struct bus *bus, uint32_t hash)
{
	return &bus->shards[hash % TOPIC_SHARDS];
}

struct topic_shard *topic_shard(const struct bus_topic *topic)
{
	return shard_of(topic->bus, topic->hash);
}

static struct bus_topic **bucket_of(const struct topic_shard *shard, uint32_t hash)
{
	return &shard->buckets[hash / TOPIC_SHARDS & (shard->bucket_count - 1)];
}

static struct bus_topic *topic_find(const struct topic_shard *shard, uint32_t hash,
				    struct slice subject)
{
	if (shard->bucket_count == 0)
		return NULL;
	struct bus_topic *topic = *bucket_of(shard, hash);

	while (topic != NULL && (topic->hash != hash ||
				 !slice_equals(slice_of(topic->subject, topic->len), subject)))
		topic = topic->next;
	return topic;
}

static int shard_grow(struct topic_shard *shard)
{
	struct topic_shard bigger = *shard;

	bigger.bucket_count = MAX(shard->bucket_count * 2, (size_t)BUCKETS_MIN);
	bigger.buckets = calloc(bigger.bucket_count, sizeof(struct bus_topic *));
	if (bigger.buckets == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < shard->bucket_count; i++) {
		for (struct bus_topic *topic = shard->buckets[i], *next; topic != NULL;
		     topic = next) {
			struct bus_topic **bucket = bucket_of(&bigger, topic->hash);

			next = topic->next;
			topic->next = *bucket;
			*bucket = topic;
		}
	}
	free(shard->buckets);
	shard->buckets = bigger.buckets;
	shard->bucket_count = bigger.bucket_count;
	return 0;
}

static struct bus_topic *topic_create(struct bus *bus, struct topic_shard *shard, uint32_t hash,
				      struct slice subject)
{
	if (shard->topic_count == shard->bucket_count && shard_grow(shard) < 0)
		return NULL;
	struct bus_topic *topic = malloc(sizeof(*topic) + subject.len + 1);

	if (topic == NULL)
		return NULL;
	struct bus_topic **bucket = bucket_of(shard, hash);

	*topic = (struct bus_topic){
		.next = *bucket, .bus = bus, .hash = hash, .len = (uint16_t)subject.len};
	list_init(&topic->subs);
	memcpy(topic->subject, subject.data, subject.len);
	topic->subject[subject.len] = 0;
	*bucket = topic;
	shard->topic_count++;
	return topic;
}

void topic_remove(struct bus_topic *topic)
{
	struct topic_shard *shard = topic_shard(topic);
	struct bus_topic **at = bucket_of(shard, topic->hash);

	CHECK(topic->sub_count == 0);
	while (*at != topic)
		at = &(*at)->next;
	*at = topic->next;
	shard->topic_count--;
	free(topic);
}

/* --- subscribing --- */

static int topic_join(struct bus *bus, struct bus_topic *topic, struct bus_subscription *sub)
{
	if (topic->sub_count == 0 && bus->transport->topic_wanted != NULL) {
		int r = bus->transport->topic_wanted(topic);

		if (r < 0)
			return r;
	}
	sub->topic = topic;
	list_append(&topic->subs, &sub->node);
	topic->sub_count++;
	return 0;
}

static void topic_leave(struct bus_topic *topic, struct bus_subscription *sub)
{
	list_remove(&sub->node);
	if (--topic->sub_count > 0)
		return;
	if (topic->bus->transport->topic_unwanted != NULL)
		topic->bus->transport->topic_unwanted(topic);
	else
		topic_remove(topic);
}

int bus_subscribe(struct bus *bus, struct bus_subscription *sub, struct loop *loop,
		  struct slice subject,
		  void (*on_message)(struct bus_subscription *sub,
				     const struct bus_message *message))
{
	if (!bus_subject_is_valid(subject))
		return -EINVAL;
	uint32_t hash = subject_hash(bus, subject);
	struct topic_shard *shard = shard_of(bus, hash);
	int r = -ENOMEM;

	*sub = (struct bus_subscription){.loop = loop, .on_message = on_message, .holders = 1};
	pthread_mutex_lock(&shard->mutex);
	struct bus_topic *topic = topic_find(shard, hash, subject);
	bool is_new = topic == NULL;

	if (is_new)
		topic = topic_create(bus, shard, hash, subject);
	if (topic != NULL)
		r = topic_join(bus, topic, sub);
	if (topic != NULL && r < 0 && is_new)
		topic_remove(topic);
	pthread_mutex_unlock(&shard->mutex);
	if (r == 0)
		BUS_COUNT(bus, subscriptions);
	return r;
}

/* In the loop's thread, from loop_run. */
static void holder_leaves(struct bus_subscription *sub)
{
	if (reference_drop(&sub->holders))
		sub->on_closed(sub);
}

static void on_closing(struct loop_task *task)
{
	holder_leaves(CONTAINER_OF(task, struct bus_subscription, task));
}

void bus_unsubscribe(struct bus_subscription *sub, void (*on_closed)(struct bus_subscription *sub))
{
	struct bus *bus = sub->topic->bus;
	struct topic_shard *shard = topic_shard(sub->topic);

	CHECK(!sub->is_closing);
	pthread_mutex_lock(&shard->mutex);
	topic_leave(sub->topic, sub);
	pthread_mutex_unlock(&shard->mutex);
	counter_sub(&bus->stats.subscriptions, 1);
	sub->topic = NULL;
	sub->is_closing = true;
	sub->on_closed = on_closed;
	sub->task.run = on_closing;
	loop_post(sub->loop, &sub->task);
}

/* --- delivering --- */

static void on_delivery(struct loop_task *task)
{
	struct bus_delivery *delivery = CONTAINER_OF(task, struct bus_delivery, task);
	struct bus_subscription *sub = delivery->sub;
	struct bus_parcel *parcel = delivery->parcel;

	if (!sub->is_closing) {
		__atomic_store_n(&parcel->is_delivered, true, __ATOMIC_RELAXED);
		BUS_COUNT(parcel->bus, delivered);
		sub->on_message(sub, &parcel->message);
	}
	/* Before the subscriber can be told that it is closed: then the bus may go. */
	parcel_unref(parcel);
	holder_leaves(sub);
}

/* With the shard's lock held: whoever is in the list now gets the message. */
static int deliveries_make(struct bus *bus, const struct bus_topic *topic,
			   const struct bus_message *message, struct bus_parcel **out_parcel)
{
	struct bus_parcel *parcel;
	int r = parcel_create(bus, &bus->stats.loop_pending_bytes, message, topic->sub_count,
			      &parcel);

	if (r < 0)
		return r;
	struct bus_delivery *delivery = parcel->deliveries;

	for (struct list_node *node = topic->subs.next; node != &topic->subs; node = node->next) {
		struct bus_subscription *sub = CONTAINER_OF(node, struct bus_subscription, node);

		reference_take(&sub->holders);
		*delivery++ = (struct bus_delivery){{.run = on_delivery}, sub, parcel};
	}
	parcel->holders = topic->sub_count;
	*out_parcel = parcel;
	return (int)topic->sub_count;
}

int topics_deliver(struct bus *bus, const struct bus_message *message, uint64_t token)
{
	uint32_t hash = subject_hash(bus, message->subject);
	struct topic_shard *shard = shard_of(bus, hash);
	struct bus_parcel *parcel;
	int count = 0;

	pthread_mutex_lock(&shard->mutex);
	const struct bus_topic *topic = topic_find(shard, hash, message->subject);

	if (topic != NULL && topic->sub_count > 0)
		count = deliveries_make(bus, topic, message, &parcel);
	pthread_mutex_unlock(&shard->mutex);
	if (count <= 0)
		return count;
	parcel->token = token;
	parcel_fill(parcel, message, (size_t)count);
	struct bus_delivery *deliveries = parcel->deliveries;

	/* After the last post the parcel may be gone. */
	for (int i = 0; i < count; i++)
		loop_post(deliveries[i].sub->loop, &deliveries[i].task);
	return count;
}

/* --- life --- */

void topics_init(struct bus *bus)
{
	struct random_source random = {0};

	random_fill(&random, bus->hash_keys, sizeof(bus->hash_keys));
	bus->hash_keys[1] |= 1;
	for (size_t i = 0; i < TOPIC_SHARDS; i++)
		pthread_mutex_init(&bus->shards[i].mutex, NULL);
}

void topics_finish(struct bus *bus)
{
	for (size_t i = 0; i < TOPIC_SHARDS; i++) {
		CHECK(bus->shards[i].topic_count == 0);
		free(bus->shards[i].buckets);
		pthread_mutex_destroy(&bus->shards[i].mutex);
	}
}
