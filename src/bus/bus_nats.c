/* SPDX-License-Identifier: Apache-2.0
 * bus_nats.c - the bus through NATS: a thread with a loop, to which everything is posted that wants
 * the broker, in order. */
#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/unicode.h"
#include "bus/bus_nats.h"

#define FLUSH_MS 1000

/* --- status --- */

static void status_set(struct bus_nats *nats, bool is_connected, const char *detail)
{
	struct bus_status status = {.is_connected = is_connected};

	snprintf(status.detail, sizeof(status.detail), "%s", detail);
	unicode_make_plain(status.detail, strlen(status.detail), '?'); /* of a broker's words */
	pthread_mutex_lock(&nats->status_mutex);
	if (is_connected)
		memcpy(status.broker, nats->broker, sizeof(status.broker));
	bool is_same = nats->status.is_connected == is_connected &&
		       strcmp(nats->status.detail, status.detail) == 0;

	nats->status = status;
	pthread_mutex_unlock(&nats->status_mutex);
	if (!is_same && nats->options.on_status != NULL)
		nats->options.on_status(nats->options.arg);
}

void bus_nats_complain(struct bus_nats *nats, const char *text)
{
	char detail[sizeof(nats->status.detail)];

	snprintf(detail, sizeof(detail), "the broker says: %s", text);
	status_set(nats, __atomic_load_n(&nats->is_connected, __ATOMIC_RELAXED), detail);
}

static void nats_status(struct bus *bus, struct bus_status *out_status)
{
	struct bus_nats *nats = nats_of(bus);

	pthread_mutex_lock(&nats->status_mutex);
	*out_status = nats->status;
	pthread_mutex_unlock(&nats->status_mutex);
	bus_forbidden_describe(&nats->forbidden, out_status->forbidden);
	out_status->is_deaf = bus_forbidden_count(&nats->forbidden, FORBIDDEN_SUBSCRIBE) > 0;
}

/* --- messages to the broker --- */

/* libnats would send what it has buffered within a millisecond; told to send at once, it
 * does so for each message, which costs four times as much. So whatever is posted in one
 * turn goes together. This waits for the broker's answer, while more is posted. */
static void on_flush(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, flush);

	nats->is_flush_posted = false;
	if (nats->link.connection == NULL)
		return;
	if (nats_link_flush(&nats->link, FLUSH_MS) == NATS_OK)
		nats_settle_flushed(nats);
	else if (nats->sent.first != NULL)
		bus_nats_flush_soon(nats);
}

void bus_nats_flush_soon(struct bus_nats *nats)
{
	if (!nats->is_flush_posted)
		loop_post(nats->loop, &nats->flush);
	nats->is_flush_posted = true;
}

/* Does it say that this one message cannot be sent? Anything else is about the connection. */
static bool is_about_message(natsStatus s)
{
	return s == NATS_MAX_PAYLOAD || s == NATS_INVALID_ARG || s == NATS_INVALID_SUBJECT ||
	       s == NATS_NO_SERVER_SUPPORT || s == NATS_NO_MEMORY;
}

/* False: the connection is gone, and the parcel is still the caller's. What was written of it
 * is no whole message. */
static bool parcel_send(struct bus_nats *nats, struct bus_parcel *parcel)
{
	uint64_t token = parcel->token;

	/* Failed or timed out while it waited: nobody wants the answer. */
	if (token == 0 || requests_is_waiting(&nats->bus, token)) {
		parcel->sent_ns = clock_now_ns();
		natsStatus s = nats_link_send(&nats->link, &parcel->message);

		bus_nats_flush_soon(nats);
		if (s != NATS_OK && !is_about_message(s)) {
			natsConnection_Close(nats->link.connection);
			return false;
		}
		if (s == NATS_OK) {
			nats_settle_add(nats, parcel);
			return true;
		}
		if (token != 0)
			requests_complete(&nats->bus, token, BUS_REFUSED);
		else
			BUS_COUNT(&nats->bus, dropped);
		if (parcel->fate.forbidden != NULL)
			counter_add(parcel->fate.forbidden, 1);
	}
	parcel->token = 0; /* its outcome is not ours to tell */
	parcel_unref(parcel);
	return true;
}

void bus_nats_send_queue(struct bus_nats *nats)
{
	while (nats->may_publish && nats->queue != NULL) {
		struct bus_parcel *parcel = nats->queue;
		struct bus_parcel *next = parcel->next;

		if (!parcel_send(nats, parcel))
			return;
		nats->queue = next;
		if (next == NULL)
			nats->queue_end = &nats->queue;
	}
}

static void on_parcel(struct loop_task *task)
{
	struct bus_parcel *parcel = CONTAINER_OF(task, struct bus_parcel, task);
	struct bus_nats *nats = nats_of(parcel->bus);

	/* A request, which fails if it waits, does not wait for those that may. */
	bool may_go = parcel->may_wait ? nats->queue == NULL && nats->may_publish
				       : nats->queue == NULL || !nats->may_publish;

	if (nats->link.connection != NULL && may_go && parcel_send(nats, parcel))
		return;
	if (!parcel->may_wait) { /* a request fails with the connection */
		if (parcel->token == 0)
			BUS_COUNT(&nats->bus, dropped);
		parcel->token = 0;
		parcel_unref(parcel);
		return;
	}
	parcel->next = NULL;
	*nats->queue_end = parcel;
	nats->queue_end = &parcel->next;
}

static int nats_publish(struct bus *bus, const struct bus_message *message,
			const struct bus_sending *how)
{
	struct bus_nats *nats = nats_of(bus);
	struct bus_parcel *parcel;

	if (how->fate.forbidden != NULL &&
	    bus_forbidden_seen_ns(&nats->forbidden, FORBIDDEN_PUBLISH, message->subject) > 0)
		return -EACCES;
	if (!how->may_wait && !__atomic_load_n(&nats->is_connected, __ATOMIC_ACQUIRE))
		return -ENOTCONN;
	int r = parcel_create(bus, &bus->stats.broker_pending_bytes, message, 0, &parcel);

	if (r < 0)
		return r;
	parcel_fill(parcel, message, 0);
	parcel->token = how->token;
	parcel->may_wait = how->may_wait;
	parcel->fate = how->fate;
	parcel->task.run = on_parcel;
	loop_post(nats->loop, &parcel->task);
	return 0;
}

/* --- the connection --- */

static void retry_later(struct bus_nats *nats)
{
	/* Connecting has blocked: the loop's clock is behind. */
	uint64_t late_ns = clock_now_ns() - loop_now(nats->loop);
	struct random_source random = {0};
	uint64_t wait_ns = backoff_half_ns(nats->options.reconnect_min_ns,
					   nats->options.reconnect_max_ns, ++nats->failures,
					   random_u32(&random));

	loop_timer_start(nats->loop, &nats->retry, late_ns + wait_ns);
}

void bus_nats_note_broker(struct bus_nats *nats)
{
	char broker[sizeof(nats->broker)] = "";

	natsConnection_GetConnectedServerId(nats->link.connection, broker, sizeof(broker));
	pthread_mutex_lock(&nats->status_mutex);
	memcpy(nats->broker, broker, sizeof(broker));
	if (nats->status.is_connected)
		memcpy(nats->status.broker, broker, sizeof(broker));
	pthread_mutex_unlock(&nats->status_mutex);
}

/* "gatehouse." and one token more, so that permissions can name them all. Each connection has
 * another one: the broker of the one before may not know yet that it is lost, and of a group
 * that has members at several brokers each prefers its own. */
static void queue_group_name(struct bus_nats *nats)
{
	const char *family = nats->options.family;
	const char *own = nats->bus.inbox + strlen("_INBOX.");

	snprintf(nats->queue_group, sizeof(nats->queue_group), "gatehouse.%.*s-%" PRIx64,
		 family != NULL ? (int)strlen(family) : (int)strcspn(own, "."),
		 family != NULL ? family : own, bus_family_epoch(&nats->bus));
}

static void connected(struct bus_nats *nats)
{
	char detail[160];

	if (nats->url[0] != 0) {
		BUS_COUNT(&nats->bus, reconnects);
		counter_add(&nats->bus.family_epoch, 1);
	}
	queue_group_name(nats);
	nats_link_url(&nats->link, nats->url, sizeof(nats->url));
	nats->failures = 0;
	bus_nats_note_broker(nats);
	__atomic_store_n(&nats->bus.message_max,
			 (size_t)natsConnection_GetMaxPayload(nats->link.connection),
			 __ATOMIC_RELAXED);
	nats_topics_subscribe(nats);
	bus_nats_send_queue(nats);
	__atomic_store_n(&nats->is_connected, true, __ATOMIC_RELEASE);
	snprintf(detail, sizeof(detail), "connected to %s%s", nats->url,
		 nats->link.is_tls ? " over TLS" : "");
	status_set(nats, true, detail);
}

static void on_retry(struct timer *timer)
{
	struct bus_nats *nats = CONTAINER_OF(timer, struct bus_nats, retry);
	struct nats_failure failure;

	if (nats_link_open(&nats->link, nats, &failure)) {
		connected(nats);
		return;
	}
	status_set(nats, false, failure.reason);
	retry_later(nats);
}

static void disconnect(struct bus_nats *nats, bool is_end)
{
	__atomic_store_n(&nats->is_connected, false, __ATOMIC_RELEASE);
	nats_link_close(&nats->link);
	nats_settle_lost(nats, is_end);
	nats_topics_forget(nats);
	requests_fail_all(&nats->bus, BUS_DISCONNECTED);
}

static void on_lost(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, lost);
	char detail[160];

	if (!nats_link_is_lost(nats))
		return;
	snprintf(detail, sizeof(detail), "the broker at %s was lost", nats->url);
	disconnect(nats, false);
	status_set(nats, false, detail);
	retry_later(nats);
}

/* --- life --- */

struct start {
	struct bus_nats *nats;
	sem_t done;
	int result;
};

static void *thread_run(void *arg)
{
	struct start *start = arg;
	struct bus_nats *nats = start->nats;
	int r = loop_create(&(struct loop_options){.engine = LOOP_ENGINE_EPOLL}, &nats->loop);

	start->result = r;
	sem_post(&start->done);
	if (r < 0)
		return NULL;
	loop_timer_start(nats->loop, &nats->retry, 0);
	loop_run(nats->loop);
	loop_destroy(&nats->loop);
	return NULL;
}

/* Everything posted before has run. */
static void on_stop(struct loop_task *task)
{
	struct bus_nats *nats = CONTAINER_OF(task, struct bus_nats, stop);

	loop_timer_stop(nats->loop, &nats->retry);
	nats_leave_finish(nats);
	if (nats->link.connection != NULL) {
		if (nats_link_flush(&nats->link, FLUSH_MS) == NATS_OK)
			nats_settle_flushed(nats);
		disconnect(nats, true);
	}
	while (nats->queue != NULL) {
		struct bus_parcel *parcel = nats->queue;

		nats->queue = parcel->next;
		if (parcel->fate.unconfirmed != NULL)
			counter_add(parcel->fate.unconfirmed, 1);
		parcel_unref(parcel);
	}
	loop_stop(nats->loop);
}

static void nats_free(struct bus_nats *nats)
{
	nats_options_finish(&nats->options);
	bus_forbidden_finish(&nats->forbidden);
	pthread_mutex_destroy(&nats->status_mutex);
	bus_finish(&nats->bus);
	free(nats);
}

static void nats_destroy(struct bus *bus)
{
	struct bus_nats *nats = nats_of(bus);

	loop_post(nats->loop, &nats->stop);
	pthread_join(nats->thread, NULL);
	nats_free(nats);
}

static const struct bus_transport nats_transport = {
	.publish = nats_publish,
	.topic_wanted = nats_topic_wanted,
	.topic_unwanted = nats_topic_unwanted,
	.status = nats_status,
	.destroy = nats_destroy,
	.bequeath = nats_bequeath,
	.leave = nats_leave,
	.begin = nats_begin,
};

static void nats_init(struct bus_nats *nats, const struct bus_options *options)
{
	memset(nats, 0, sizeof(*nats));
	bus_init(&nats->bus, &nats_transport, options);
	list_init(&nats->topics);
	loop_timer_init(&nats->retry, on_retry);
	nats->queue_end = &nats->queue;
	nats_settle_init(nats);
	nats_leave_init(nats);
	nats->may_subscribe = nats->may_publish = !options->is_successor;
	nats->lost.run = on_lost;
	nats->flush.run = on_flush;
	nats->stop.run = on_stop;
	pthread_mutex_init(&nats->status_mutex, NULL);
	nats->status = (struct bus_status){.detail = "connecting for the first time"};
}

static int thread_start(struct bus_nats *nats)
{
	struct start start = {.nats = nats};

	sem_init(&start.done, 0, 0);
	int r = -pthread_create(&nats->thread, NULL, thread_run, &start);

	if (r == 0) {
		while (sem_wait(&start.done) < 0)
			;
		r = start.result;
		if (r < 0)
			pthread_join(nats->thread, NULL);
	}
	sem_destroy(&start.done);
	return r;
}

int bus_create_nats(const struct bus_options *options, struct bus **out_bus)
{
	struct bus_nats *nats = aligned_alloc(_Alignof(struct bus_nats), sizeof(*nats));

	if (nats == NULL)
		return -ENOMEM;
	nats_init(nats, options);
	int r = nats_options_copy(options, &nats->options);

	if (r == 0)
		r = thread_start(nats);
	if (r < 0) {
		nats_free(nats);
		return r;
	}
	*out_bus = &nats->bus;
	return 0;
}
