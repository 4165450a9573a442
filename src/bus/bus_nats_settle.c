/* SPDX-License-Identifier: Apache-2.0
 * bus_nats_settle.c - what became of what was sent: taken, forbidden, or nobody knows.
 *
 * A parcel goes from `sent` (libnats has it) by the answer to a ping to its end, if the broker
 * never found fault with anything on this connection. Else it waits in `heard` for one round or
 * two, until what the broker said before that answer has come through libnats's other thread.
 * All in the thread of the bus, but nats_settle_forbidden. */
#include <stdio.h>

#include "base/clock.h"
#include "bus/bus_nats.h"

#define ROUND_NS     (200 * NS_PER_MS)
#define REVIEW_NS    (5 * NS_PER_S) /* how often it is tried whether subscriptions are allowed now */
#define FORGET_AFTER (120 * NS_PER_S) /* a subject that nobody publishes to any more */

/* --- lists --- */

static void parcels_init(struct nats_parcels *parcels)
{
	parcels->first = NULL;
	parcels->end = &parcels->first;
}

static void parcels_add(struct nats_parcels *parcels, struct bus_parcel *parcel)
{
	parcel->next = NULL;
	*parcels->end = parcel;
	parcels->end = &parcel->next;
}

/* All of `from` behind those of `to`. */
static void parcels_move(struct nats_parcels *from, struct nats_parcels *to)
{
	if (from->first == NULL)
		return;
	*to->end = from->first;
	to->end = from->end;
	parcels_init(from);
}

static struct bus_parcel *parcels_take(struct nats_parcels *parcels)
{
	struct bus_parcel *first = parcels->first;

	if (first != NULL)
		parcels->first = first->next;
	if (parcels->first == NULL)
		parcels->end = &parcels->first;
	return first;
}

/* --- the end of a parcel --- */

static void count(uint64_t *counter)
{
	if (counter != NULL)
		counter_add(counter, 1);
}

static void parcel_end(struct bus_parcel *parcel)
{
	parcel->token = 0; /* its outcome is told, or is not ours to tell */
	parcel_unref(parcel);
}

static void parcel_taken(struct bus_nats *nats, struct bus_parcel *parcel)
{
	count(parcel->fate.taken);
	requests_taken(&nats->bus, parcel->token);
	parcel_end(parcel);
}

static void parcel_judge(struct bus_nats *nats, struct bus_parcel *parcel)
{
	struct slice subject = parcel->message.subject;
	uint64_t seen_ns = bus_forbidden_seen_ns(&nats->forbidden, FORBIDDEN_PUBLISH, subject);

	if (seen_ns < parcel->sent_ns) {
		bus_forbidden_lift(&nats->forbidden, FORBIDDEN_PUBLISH, subject);
		parcel_taken(nats, parcel);
		return;
	}
	count(parcel->fate.forbidden);
	requests_complete(&nats->bus, parcel->token, BUS_FORBIDDEN);
	parcel_end(parcel);
}

static void parcel_unconfirmed(struct bus_parcel *parcel)
{
	count(parcel->fate.unconfirmed);
	parcel_end(parcel);
}

static void parcels_judge(struct bus_nats *nats, struct nats_parcels *parcels)
{
	struct bus_parcel *parcel;

	while ((parcel = parcels_take(parcels)) != NULL)
		parcel_judge(nats, parcel);
}

/* --- rounds --- */

/* libnats passes faults on in their order: so if the last one is noted, all are. */
static bool is_all_heard(struct bus_nats *nats)
{
	char text[sizeof(nats->last_said)];
	enum forbidden_kind kind;
	struct slice subject;

	if (nats->link.connection == NULL ||
	    !nats_link_has_fault(&nats->link, text, sizeof(text)) ||
	    !bus_forbidden_parse(slice_from_text(text), &kind, &subject))
		return true;
	pthread_mutex_lock(&nats->status_mutex);
	bool is_heard = strcmp(nats->last_said, text) == 0;

	pthread_mutex_unlock(&nats->status_mutex);
	return is_heard;
}

static void on_hear(struct timer *timer)
{
	struct bus_nats *nats = CONTAINER_OF(timer, struct bus_nats, hear);

	if (is_all_heard(nats)) {
		parcels_judge(nats, &nats->heard[1]);
		parcels_move(&nats->heard[0], &nats->heard[1]);
	}
	if (nats->heard[0].first != NULL || nats->heard[1].first != NULL)
		loop_timer_start(nats->loop, timer, ROUND_NS);
}

/* Not while a thread of libnats notes something: what is true then is overwritten by nobody. */
static void inbox_note(struct bus_nats *nats)
{
	char inbox[INBOX_LEN + 1];

	snprintf(inbox, sizeof(inbox), "%s*", nats->bus.inbox);
	pthread_mutex_lock(&nats->status_mutex);
	__atomic_store_n(&nats->bus.has_no_inbox,
			 bus_forbidden_seen_ns(&nats->forbidden, FORBIDDEN_SUBSCRIBE,
					       slice_from_text(inbox)) > 0,
			 __ATOMIC_RELAXED);
	pthread_mutex_unlock(&nats->status_mutex);
}

/* Subscriptions are tried again each time, and count as allowed when nothing was said of them
 * until the next. */
static void on_review(struct timer *timer)
{
	struct bus_nats *nats = CONTAINER_OF(timer, struct bus_nats, review);
	struct bus_forbidden *forbidden = &nats->forbidden;
	uint64_t now_ns = clock_now_ns();

	if (nats->link.connection != NULL && bus_forbidden_has_any(forbidden)) {
		bus_forbidden_expire(forbidden, FORBIDDEN_PUBLISH, now_ns - FORGET_AFTER);
		bus_forbidden_expire(forbidden, FORBIDDEN_SUBSCRIBE,
				     now_ns - REVIEW_NS - REVIEW_NS / 2);
		inbox_note(nats);
		nats_topics_resubscribe(nats);
	}
	loop_timer_start(nats->loop, timer, REVIEW_NS);
}

/* --- what happens --- */

void nats_settle_init(struct bus_nats *nats)
{
	parcels_init(&nats->sent);
	parcels_init(&nats->heard[0]);
	parcels_init(&nats->heard[1]);
	bus_forbidden_init(&nats->forbidden, &nats->bus.stats.forbidden_subjects);
	loop_timer_init(&nats->hear, on_hear);
	loop_timer_init(&nats->review, on_review);
}

void nats_settle_add(struct bus_nats *nats, struct bus_parcel *parcel)
{
	bool is_wanted = parcel->token != 0 || parcel->fate.taken != NULL ||
			 bus_forbidden_has_any(&nats->forbidden);

	if (!is_wanted) {
		parcel_end(parcel);
		return;
	}
	parcels_add(&nats->sent, parcel);
}

void nats_settle_flushed(struct bus_nats *nats)
{
	char text[FORBIDDEN_SENTENCE];
	struct bus_parcel *parcel;

	if (!nats_link_has_fault(&nats->link, text, sizeof(text))) {
		while ((parcel = parcels_take(&nats->sent)) != NULL)
			parcel_taken(nats, parcel);
		return;
	}
	parcels_move(&nats->sent, &nats->heard[0]);
	if (!loop_timer_is_running(&nats->hear))
		loop_timer_start(nats->loop, &nats->hear, ROUND_NS);
	if (!loop_timer_is_running(&nats->review))
		loop_timer_start(nats->loop, &nats->review, REVIEW_NS);
}

void nats_settle_lost(struct bus_nats *nats, bool is_end)
{
	struct bus_parcel *parcel;

	parcels_move(&nats->heard[0], &nats->heard[1]);
	if (is_end)
		parcels_judge(nats, &nats->heard[1]);
	parcels_move(&nats->sent, &nats->heard[1]);
	while ((parcel = parcels_take(&nats->heard[1])) != NULL)
		parcel_unconfirmed(parcel);
	loop_timer_stop(nats->loop, &nats->hear);
	loop_timer_stop(nats->loop, &nats->review);
	bus_forbidden_expire(&nats->forbidden, FORBIDDEN_PUBLISH, UINT64_MAX);
	bus_forbidden_expire(&nats->forbidden, FORBIDDEN_SUBSCRIBE, UINT64_MAX);
	__atomic_store_n(&nats->bus.has_no_inbox, false, __ATOMIC_RELAXED);
}

void nats_settle_forbidden(struct bus_nats *nats, enum forbidden_kind kind, struct slice subject,
			   const char *text)
{
	bool is_inbox = kind == FORBIDDEN_SUBSCRIBE &&
			slice_starts_nocase(subject, nats->bus.inbox);

	BUS_COUNT(&nats->bus, forbidden);
	pthread_mutex_lock(&nats->status_mutex);
	bus_forbidden_note(&nats->forbidden, kind, subject, clock_now_ns());
	if (is_inbox)
		__atomic_store_n(&nats->bus.has_no_inbox, true, __ATOMIC_RELAXED);
	snprintf(nats->last_said, sizeof(nats->last_said), "%s", text);
	pthread_mutex_unlock(&nats->status_mutex);
	/* A request is in the table before it looks whether there is an inbox: it sees that there
	 * is none, or is found here. */
	if (is_inbox)
		requests_fail_answers(&nats->bus, BUS_FORBIDDEN);
	if (nats->options.on_forbidden != NULL)
		nats->options.on_forbidden(nats->options.arg, text);
}
