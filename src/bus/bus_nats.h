/* SPDX-License-Identifier: Apache-2.0
 * bus_nats.h - the bus through NATS: its thread, and one connection of it.
 *
 * Layer: bus. Calls of libnats may block, so only the thread of the bus makes them; the
 * others post to its loop. Callbacks of libnats come on its own threads: they copy and
 * post, nothing else. */
#pragma once

#include <nats/nats.h>

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
	bool is_closed; /* under the lock of the links: libnats reads and calls no more */

	/* The broker has been told; libnats may still be reading a message for them. */
	natsSubscription *ended[NATS_ENDED_MAX];
	size_t ended_count;
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
	struct loop_task flush, stop;
	bool is_flush_posted;

	/* From callbacks, under the lock of the links. */
	struct loop_task lost;
	uint64_t lost_serial;
	bool is_lost_posted;

	bool is_connected; /* atomic */
	pthread_mutex_t status_mutex;
	struct bus_status status;
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

/* Takes the subscription; NULL: nothing to do. With NATS_ENDED_MAX of them it waits for the
 * broker, and a broker that says nothing is as good as lost. */
void nats_link_unsubscribe(struct nats_link *link, natsSubscription *subscription);

/* Waits until the broker has answered to all that was sent. */
natsStatus nats_link_flush(struct nats_link *link, unsigned timeout_ms);

natsStatus nats_link_send(struct nats_link *link, const struct bus_message *message);

/* Whether this connection, and not one before it, was lost. In the bus's thread. */
bool nats_link_is_lost(struct bus_nats *nats);

/* --- bus_nats.c --- */

/* An error of the broker that does not end the connection; from any thread. */
void bus_nats_complain(struct bus_nats *nats, const char *text);
