/* SPDX-License-Identifier: Apache-2.0
 * bus_nats.h - the bus through NATS: its thread, and one connection of it.
 *
 * Layer: bus. Calls of libnats may block, so only the thread of the bus makes them; the
 * others post to its loop. Callbacks of libnats come on its own threads: they copy and
 * post, nothing else. */
#pragma once

#include <nats/nats.h>

#include "bus/bus_forbidden.h"
#include "bus/bus_private.h"

#define NATS_ENDED_MAX         1024
#define NATS_WRITE_DEADLINE_MS 5000

/* One connection, until it is lost: it does not connect again by itself, so that first
 * and later connections are one thing, whatever the reason of the loss. */
struct nats_link {
	struct list_node node; /* among all that callbacks may find */
	struct bus_nats *nats;
	natsConnection *connection; /* NULL: none */
	natsSubscription *inbox;
	uint64_t serial; /* what callbacks of libnats know it by */
	bool is_tls;
	bool is_closed;  /* under the lock of the links: libnats reads and calls no more */
	bool is_leaving; /* likewise: bus_nats_leave.c waits for its end */

	/* The broker has been told; libnats may still be reading a message for them. */
	natsSubscription *ended[NATS_ENDED_MAX];
	size_t ended_count;
};

/* What libnats was given, in order, until it is known what the broker made of it. */
struct nats_parcels {
	struct bus_parcel *first, **end;
};

/* A topic, as the broker sees it. All but is_queued belongs to the bus's thread. */
struct nats_topic {
	struct bus_topic *topic;
	natsSubscription *subscription; /* NULL: not yet on this connection */
	struct list_node node;          /* among those that are wanted */
	struct loop_task task;
	bool is_queued; /* under the lock of the topic's shard */
};

struct bus_nats {
	struct bus bus;
	struct bus_options options; /* a copy; its URLs in any order */
	pthread_t thread;
	struct loop *loop;

	/* The thread's own. */
	struct nats_link link;
	struct list_node topics; /* of nats_topic */
	struct timer retry;
	unsigned failures;                     /* to connect, in a row */
	char url[128];                         /* of the broker that is or was connected */
	struct bus_parcel *queue, **queue_end; /* waits for a connection */
	struct nats_parcels sent;              /* a ping behind them was not answered yet */
	struct nats_parcels heard[2]; /* it was, but not all was heard that the broker said before:
				       * of the last two rounds */
	struct timer hear;            /* for the next round */
	struct timer review;          /* of what is forbidden */
	struct bus_forbidden forbidden;
	char last_said[256]; /* of what it forbids; under status_mutex */
	struct loop_task flush, stop;
	bool is_flush_posted;
	char queue_group[64]; /* of its subscriptions */

	/* Of a handover (bus.h). */
	struct loop_task subscribe, publish, leave, left;
	bool may_subscribe, may_publish;
	bool keeps_topics;         /* atomic: the broker hears of no subscription that ends */
	struct nats_link *leaving; /* whose last messages are coming; NULL: none */
	natsSubscription **leaving_subs;
	size_t leaving_count;
	struct timer leave_retry;
	void (*on_left)(void *arg); /* NULL: is not to be called, or was */
	void *left_arg;

	/* From callbacks, under the lock of the links. */
	struct loop_task lost;
	uint64_t lost_serial;
	bool is_lost_posted;

	bool is_connected; /* atomic */
	pthread_mutex_t status_mutex;
	struct bus_status status;
	char broker[64]; /* likewise; of the last connection */
};

/* --- bus_nats_options.c --- */

/* All texts, and the times with their defaults. Returns 0, -EINVAL (no URL, or what libnats
 * does not take) or -ENOMEM. */
int nats_options_copy(const struct bus_options *from, struct bus_options *out_copy);
void nats_options_finish(struct bus_options *copy);

/* So that the nodes of a fleet spread over the brokers. */
void nats_urls_shuffle(struct bus_options *copy);

bool nats_url_is_tls(const char *url);

/* For a connection to this broker; reads the files for TLS. Returns 0, or -EINVAL or -ENOMEM
 * and `reason`. */
int nats_options_create(const struct bus_options *options, const char *url,
			natsOptions **out_options, char *reason, size_t reason_size);

/* --- bus_nats_failure.c --- */

struct nats_failure {
	bool was_reached; /* false: nothing answers there */
	char reason[200];
};

/* In the thread that got `s`, before it calls libnats again. `is_late`: its time was over. */
void nats_failure_explain(natsStatus s, bool is_late, struct nats_failure *out_failure);

/* --- bus_nats_connection.c --- */

/* Exchanges the connections of the two; that in `leaving` is the one to end. */
void nats_link_swap(struct nats_link *link, struct nats_link *leaving);

/* To any of the brokers. Blocks for at most the connect timeout for each, and for as long as
 * names are looked up. */
bool nats_link_open(struct nats_link *link, struct bus_nats *nats,
		    struct nats_failure *out_failure);

/* After it no callback reaches the bus. Subscriptions are to be destroyed after this. */
void nats_link_close(struct nats_link *link);

/* The broker's address, without credentials. */
void nats_link_url(const struct nats_link *link, char *out, size_t size);

natsStatus nats_link_subscribe(struct nats_link *link, const char *subject,
			       natsSubscription **out_subscription);

/* To where answers come; the broker had forbidden it. */
natsStatus nats_link_resubscribe_inbox(struct nats_link *link);

/* Takes the subscription; NULL: nothing to do. With NATS_ENDED_MAX of them it waits for the
 * broker, and a broker that says nothing is as good as lost. */
void nats_link_unsubscribe(struct nats_link *link, natsSubscription *subscription);

/* Waits until the broker has answered to all that was sent. */
natsStatus nats_link_flush(struct nats_link *link, unsigned timeout_ms);

natsStatus nats_link_send(struct nats_link *link, const struct bus_message *message);

/* The broker has found fault with something on this connection, perhaps a while ago; its last
 * word is copied to `out`. */
bool nats_link_has_fault(const struct nats_link *link, char *out, size_t size);

/* Whether this connection, and not one before it, was lost. In the bus's thread. */
bool nats_link_is_lost(struct bus_nats *nats);

/* --- bus_nats_settle.c: what became of what was sent ---
 *
 * The broker says nothing of what it takes. Of what it forbids it tells, in the order of what it
 * reads; so behind the answer to a ping all is said about what was sent before the ping. That is
 * sure at once on a connection with which it never found fault; else one has to wait until
 * libnats, whose thread for errors runs apart, has passed on all of it. */

void nats_settle_init(struct bus_nats *nats);

/* libnats has it. Takes the parcel. */
void nats_settle_add(struct bus_nats *nats, struct bus_parcel *parcel);

/* The broker has answered a ping. */
void nats_settle_flushed(struct bus_nats *nats);

/* The broker is lost: of what it did not confirm nobody knows, nor, unless it is left in order at
 * the end, of what may have been forbidden. */
void nats_settle_lost(struct bus_nats *nats, bool is_end);

/* The broker forbids something; from a thread of libnats. */
void nats_settle_forbidden(struct bus_nats *nats, enum forbidden_kind kind, struct slice subject,
			   const char *text);

/* --- bus_nats_leave.c --- */

void nats_leave_init(struct bus_nats *nats);

/* In the bus's thread: the bus ends. */
void nats_leave_finish(struct bus_nats *nats);

/* Of struct bus_transport. */
void nats_bequeath(struct bus *bus);
void nats_leave(struct bus *bus, void (*on_left)(void *arg), void *arg);
void nats_begin(struct bus *bus, bool is_publishing);

/* --- bus_nats_topics.c --- */

/* Of struct bus_transport. */
int nats_topic_wanted(struct bus_topic *topic);
void nats_topic_unwanted(struct bus_topic *topic);

/* The rest in the bus's thread. To what is wanted, as far as it is not yet subscribed to. */
void nats_topics_subscribe(struct bus_nats *nats);

/* Once more to what the broker has forbidden: its configuration may have changed. */
void nats_topics_resubscribe(struct bus_nats *nats);

/* The connection is gone, and the subscriptions with it. */
void nats_topics_forget(struct bus_nats *nats);

/* Of nobody's: frees it, unless somebody has come. */
void nats_topic_end(struct nats_topic *upstream);

/* --- bus_nats.c --- */

static inline struct bus_nats *nats_of(struct bus *bus)
{
	return CONTAINER_OF(bus, struct bus_nats, bus);
}

/* Sends what has waited. */
void bus_nats_send_queue(struct bus_nats *nats);

/* What libnats has goes to the broker, with all else that is posted in this turn. */
void bus_nats_flush_soon(struct bus_nats *nats);

/* Of a new connection. */
void bus_nats_note_broker(struct bus_nats *nats);

/* An error of the broker that does not end the connection; from any thread. */
void bus_nats_complain(struct bus_nats *nats, const char *text);
