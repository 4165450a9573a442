/* SPDX-License-Identifier: Apache-2.0
 * bus_private.h - what the files of the bus share.
 *
 * Layer: bus. A transport (embedded, NATS) takes what is published. What is for somebody
 * here comes back through topics_deliver and requests_answer, in both. */
#pragma once

#include <pthread.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/reference.h"
#include "bus/bus.h"
#include "bus/bus_subject.h"

#define TOPIC_SHARDS 64

/* --- parcels: refcounted copies of messages --- */

struct bus_delivery {
	struct loop_task task;
	struct bus_subscription *sub;
	struct bus_parcel *parcel;
};

/* One block: the parcel, its deliveries, headers and bytes; each text in it is followed
 * by a NUL, as libnats wants it. */
struct bus_parcel {
	struct bus *bus;
	size_t size;       /* [bytes] */
	uint64_t *pending; /* where they are counted */
	struct bus_message message;
	uint64_t token;          /* of the request that waits for its outcome; 0: none */
	struct bus_fate fate;    /* NULL pointers: nobody counts it */
	uint32_t holders;        /* atomic */
	bool is_delivered;       /* atomic: some on_message had it */
	bool may_wait;           /* NATS: for a connection */
	struct loop_task task;   /* NATS: on its way to the broker's thread */
	struct bus_parcel *next; /* NATS: waits there, or for the broker's word */
	uint64_t sent_ns;        /* NATS */
	struct bus_delivery deliveries[];
};

/* Room for a copy of `message` and so many deliveries, for one holder; parcel_fill is still
 * to come. `pending` is one of the two gauges, each of which goes up to pending_max.
 * Returns 0, -ENOBUFS or -ENOMEM. */
int parcel_create(struct bus *bus, uint64_t *pending, const struct bus_message *message,
		  size_t delivery_count, struct bus_parcel **out_parcel);
void parcel_fill(struct bus_parcel *parcel, const struct bus_message *message,
		 size_t delivery_count);

/* With the last holder it tells the request what became of it, and goes. NULL is fine. */
void parcel_unref(struct bus_parcel *parcel);

/* --- topics: subjects that have subscribers here --- */

struct bus_topic {
	struct bus_topic *next; /* in its bucket */
	struct bus *bus;
	struct list_node subs;
	void *upstream; /* the transport's */
	uint32_t hash;
	uint32_t sub_count;
	uint16_t len;   /* [bytes] */
	char subject[]; /* with a NUL */
};

/* A hash table of its own, with a lock of its own. */
struct topic_shard {
	pthread_mutex_t mutex;
	struct bus_topic **buckets;
	size_t bucket_count; /* a power of two, or 0 */
	size_t topic_count;
} __attribute__((aligned(64)));

void topics_init(struct bus *bus);
void topics_finish(struct bus *bus);

/* Copies the message once and posts it to every subscriber here. Returns how many there
 * are, -ENOBUFS or -ENOMEM. */
int topics_deliver(struct bus *bus, const struct bus_message *message, uint64_t token);

struct topic_shard *topic_shard(const struct bus_topic *topic);

/* With the shard's lock held, and no subscriber left. */
void topic_remove(struct bus_topic *topic);

/* --- requests --- */

struct request_slot {
	struct bus_request *request; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct requests {
	pthread_mutex_t mutex;
	struct request_slot *slots;
	uint32_t slot_count, slot_max, in_flight, first_free;
};

void requests_init(struct bus *bus, uint32_t max);
void requests_set_max(struct bus *bus, uint32_t max);
void requests_finish(struct bus *bus);

/* Each of these is harmless when the request has its outcome already. */
void requests_answer(struct bus *bus, uint64_t token, const struct bus_message *answer);
void requests_complete(struct bus *bus, uint64_t token, enum bus_result result);
void requests_settle(struct bus *bus, uint64_t token, bool is_delivered);

/* The broker has taken the message: that is all that bus_publish_checked waits for. */
void requests_taken(struct bus *bus, uint64_t token);

void requests_fail_all(struct bus *bus, enum bus_result result);

/* Those that wait for more than that the broker takes them. */
void requests_fail_answers(struct bus *bus, enum bus_result result);

bool requests_is_waiting(struct bus *bus, uint64_t token);

/* The token in the reply subject of a request of this bus; 0: it is none. */
uint64_t requests_token(const struct bus *bus, struct slice subject);

/* --- the bus --- */

struct bus_sending {
	uint64_t token; /* of the request that this message is, or 0 */
	bool may_wait;  /* for a broker; else -ENOTCONN, or it is dropped if it is lost now */
	struct bus_fate fate;
};

/* What the broker brings: is dealt with here; waits; goes to the heir too. */
enum bus_course { BUS_COURSE_OWN, BUS_COURSE_HELD, BUS_COURSE_BEQUEATHED };

struct bus_inflow {
	pthread_mutex_t mutex;
	enum bus_course course;
	struct bus_heir heir;
	struct bus_parcel *first, **end; /* what waits */
};

struct bus_transport {
	int (*publish)(struct bus *bus, const struct bus_message *message,
		       const struct bus_sending *how);
	/* The first subscriber comes, the last has gone; the shard's lock is held. NULL:
	 * the topic goes at once. Returns 0 or -ENOMEM. */
	int (*topic_wanted)(struct bus_topic *topic);
	void (*topic_unwanted)(struct bus_topic *topic);
	void (*status)(struct bus *bus, struct bus_status *out_status);
	void (*destroy)(struct bus *bus);
	/* Of a handover; NULL: nothing is to be done, and all of it has happened. */
	void (*bequeath)(struct bus *bus);
	void (*leave)(struct bus *bus, void (*on_left)(void *arg), void *arg);
	void (*begin)(struct bus *bus, bool is_publishing);
};

#define INBOX_PREFIX_LEN 24 /* "_INBOX." and 17 more */
#define INBOX_TOKEN_LEN  16
#define INBOX_LEN        (INBOX_PREFIX_LEN + INBOX_TOKEN_LEN)

struct bus {
	const struct bus_transport *transport;
	size_t pending_max;               /* atomic */
	size_t message_max;               /* atomic: [bytes] of headers and body */
	char inbox[INBOX_PREFIX_LEN + 1]; /* "_INBOX.", 16 random digits, "." */
	uint64_t hash_keys[2];            /* random: nobody can choose ids that collide */
	bool has_no_inbox;                /* atomic: the broker forbids to wait for answers */
	uint64_t family_epoch;            /* atomic */
	struct requests requests;
	struct bus_inflow inflow;
	struct topic_shard shards[TOPIC_SHARDS];
	struct bus_stats stats __attribute__((aligned(64))); /* each atomic */
};

#define BUS_COUNT(bus, field) counter_add(&(bus)->stats.field, 1)

void bus_init(struct bus *bus, const struct bus_transport *transport,
	      const struct bus_options *options);
void bus_finish(struct bus *bus);

/* --- bus_inflow.c --- */

void inflow_init(struct bus *bus);
void inflow_finish(struct bus *bus);

/* For transports: a message has come for subscribers here. */
void inflow_take(struct bus *bus, const struct bus_message *message);

/* As NATS encodes them. */
size_t bus_headers_size(const struct bus_message *message);

/* 0, -EINVAL or -EMSGSIZE. */
int bus_message_check(const struct bus *bus, const struct bus_message *message);
