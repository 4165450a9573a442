/* SPDX-License-Identifier: Apache-2.0
 * tickets.c - the table. A ticket is in a bucket by its number, which only rises, and in one
 * list by age. Those that are over are swept when one is made or counted, from the whole list, at
 * most once in SWEEP_NS; whether one is over is looked at when it is taken, too. */
#include "auth/tickets_private.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/clock.h"

#define SECRET_LEN 24
#define SWEEP_NS   (1 * NS_PER_S)

/* The handle's bytes. */
struct handle {
	uint8_t number[8];
	uint8_t secret[SECRET_LEN];
};

_Static_assert(sizeof(struct handle) == 32 && BASE64URL_ENCODED_LEN(32) == TICKET_HANDLE_LEN,
	       "as tickets.h says");

/* --- one --- */

void ticket_finish(struct ticket *ticket)
{
	free(ticket->client_id);
	free(ticket->groups);
	free(ticket->subprotocol);
	*ticket = (struct ticket){0};
}

void kept_free(struct kept *kept)
{
	if (kept == NULL)
		return;
	ticket_finish(&kept->ticket);
	free(kept->route);
	free(kept);
}

static bool copy(const char *text, char **out)
{
	*out = text == NULL ? NULL : strdup(text);
	return text == NULL || *out != NULL;
}

static struct kept *kept_create(const struct ticket_facts *facts)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (kept != NULL && copy(facts->route, &kept->route) &&
	    copy(facts->client_id, &kept->ticket.client_id) &&
	    copy(facts->groups, &kept->ticket.groups) &&
	    copy(facts->subprotocol, &kept->ticket.subprotocol))
		return kept;
	kept_free(kept);
	return NULL;
}

bool ticket_origin(struct slice text, struct slice *out_origin)
{
	const uint8_t *point = text.len == 0 ? NULL : memchr(text.data, '.', text.len);
	size_t len = point == NULL ? 0 : (size_t)(point - text.data);

	if (len == 0 || len > TICKET_ORIGIN_MAX || text.len != len + 1 + TICKET_HANDLE_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text.data[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false; /* it becomes part of a subject */
	}
	*out_origin = slice_of(text.data, len);
	return true;
}

/* --- the table; all under the lock --- */

static struct kept **bucket_of(struct tickets *tickets, uint64_t number)
{
	return &tickets->buckets[number % tickets->bucket_count];
}

static void detach(struct tickets *tickets, struct kept *kept)
{
	struct kept **at = bucket_of(tickets, kept->number);

	while (*at != kept) {
		CHECK(*at != NULL);
		at = &(*at)->next;
	}
	*at = kept->next;
	list_remove(&kept->node);
	CHECK(tickets->stats.waiting > 0);
	tickets->stats.waiting--;
}

void tickets_drop_all(struct tickets *tickets)
{
	while (!list_is_empty(&tickets->all)) {
		struct kept *kept = CONTAINER_OF(tickets->all.next, struct kept, node);

		detach(tickets, kept);
		kept_free(kept);
	}
}

static void sweep(struct tickets *tickets, uint64_t now_ns)
{
	if (now_ns < tickets->swept_ns + SWEEP_NS)
		return;
	tickets->swept_ns = now_ns;
	for (struct list_node *at = tickets->all.next, *next; at != &tickets->all; at = next) {
		struct kept *kept = CONTAINER_OF(at, struct kept, node);

		next = at->next;
		if (kept->ends_ns > now_ns)
			continue;
		detach(tickets, kept);
		kept_free(kept);
		tickets->stats.expired++;
	}
}

void tickets_attach(struct tickets *tickets, struct kept *kept)
{
	struct kept **bucket = bucket_of(tickets, kept->number);

	kept->next = *bucket;
	*bucket = kept;
	list_append(&tickets->all, &kept->node);
	tickets->stats.waiting++;
}

static void add(struct tickets *tickets, struct kept *kept, uint64_t ends_ns, char *out_text)
{
	struct handle handle;
	size_t len;

	kept->number = ++tickets->last_number;
	kept->ends_ns = ends_ns;
	memcpy(handle.number, &kept->number, sizeof(handle.number));
	random_fill(&tickets->random, handle.secret, sizeof(handle.secret));
	SHA256(handle.secret, sizeof(handle.secret), kept->hash);
	len = (size_t)snprintf(out_text, TICKET_TEXT_MAX + 1, "%s.", tickets->origin);
	base64url_write(&handle, sizeof(handle), out_text + len);
	OPENSSL_cleanse(&handle, sizeof(handle));
	tickets_attach(tickets, kept);
	tickets->stats.made++;
}

/* Taken out; NULL: it is not there. */
static struct kept *take(struct tickets *tickets, const struct handle *handle, uint64_t now_ns)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	uint64_t number;
	struct kept *kept;

	memcpy(&number, handle->number, sizeof(number));
	SHA256(handle->secret, sizeof(handle->secret), hash);
	for (kept = *bucket_of(tickets, number); kept != NULL; kept = kept->next)
		if (kept->number == number)
			break;
	if (kept == NULL || CRYPTO_memcmp(hash, kept->hash, sizeof(hash)) != 0)
		return NULL;
	detach(tickets, kept);
	if (kept->ends_ns > now_ns)
		return kept;
	tickets->stats.expired++;
	kept_free(kept);
	return NULL;
}

/* --- the door --- */

static size_t buckets_for(size_t max)
{
	return MAX(max / 2, (size_t)1);
}

struct tickets *tickets_create(const char *origin, size_t max)
{
	size_t count = buckets_for(max);
	struct tickets *tickets = calloc(1, sizeof(*tickets));
	struct kept **buckets = calloc(count, sizeof(*buckets));

	if (tickets == NULL || buckets == NULL) {
		free(tickets);
		free(buckets);
		return NULL;
	}
	CHECK(strlen(origin) > 0 && strlen(origin) <= TICKET_ORIGIN_MAX);
	snprintf(tickets->origin, sizeof(tickets->origin), "%s", origin);
	pthread_mutex_init(&tickets->mutex, NULL);
	list_init(&tickets->all);
	tickets->stats.max = max;
	tickets->buckets = buckets;
	tickets->bucket_count = count;
	return tickets;
}

/* Under the lock: all of them into others. */
static void move_to(struct tickets *tickets, struct kept **buckets, size_t count)
{
	free(tickets->buckets);
	tickets->buckets = buckets;
	tickets->bucket_count = count;
	for (struct list_node *at = tickets->all.next; at != &tickets->all; at = at->next) {
		struct kept *kept = CONTAINER_OF(at, struct kept, node);
		struct kept **bucket = bucket_of(tickets, kept->number);

		kept->next = *bucket;
		*bucket = kept;
	}
}

void tickets_set_max(struct tickets *tickets, size_t max)
{
	size_t count = buckets_for(max);
	struct kept **buckets = calloc(count, sizeof(*buckets));

	pthread_mutex_lock(&tickets->mutex);
	tickets->stats.max = max;
	if (buckets != NULL && count != tickets->bucket_count)
		move_to(tickets, buckets, count);
	else
		free(buckets);
	pthread_mutex_unlock(&tickets->mutex);
}

void tickets_destroy(struct tickets **tickets)
{
	struct tickets *self = *tickets;

	*tickets = NULL;
	if (self == NULL)
		return;
	tickets_drop_all(self);
	OPENSSL_cleanse(&self->random, sizeof(self->random));
	pthread_mutex_destroy(&self->mutex);
	free(self->buckets);
	free(self);
}

int tickets_make(struct tickets *tickets, const struct ticket_facts *facts, uint64_t ttl_ms,
		 char out_text[TICKET_TEXT_MAX + 1])
{
	uint64_t now_ns = clock_now_ns();
	struct kept *kept = kept_create(facts);
	int r = kept == NULL ? -ENOMEM : 0;

	pthread_mutex_lock(&tickets->mutex);
	sweep(tickets, now_ns);
	if (r == 0 && tickets->has_moved)
		r = -EXDEV;
	if (r == 0 && tickets->stats.waiting >= tickets->stats.max) {
		tickets->stats.refused++;
		r = -ENOSPC;
	}
	if (r == 0)
		add(tickets, kept, now_ns + ttl_ms * NS_PER_MS, out_text);
	pthread_mutex_unlock(&tickets->mutex);
	if (r < 0)
		kept_free(kept);
	return r;
}

/* NULL: there is none, and *out_result says why. */
static struct kept *find(struct tickets *tickets, const struct handle *handle,
			 enum ticket_result *out_result)
{
	struct kept *kept = NULL;

	*out_result = TICKET_UNKNOWN;
	pthread_mutex_lock(&tickets->mutex);
	if (tickets->has_moved)
		*out_result = TICKET_MOVED;
	else if ((kept = take(tickets, handle, clock_now_ns())) == NULL)
		tickets->stats.unknown++;
	else
		tickets->stats.taken++;
	pthread_mutex_unlock(&tickets->mutex);
	return kept;
}

enum ticket_result tickets_take(struct tickets *tickets, struct slice text, const char *route,
				struct ticket *out_ticket)
{
	uint8_t bytes[BASE64_DECODED_MAX(TICKET_HANDLE_LEN)];
	enum ticket_result result;
	struct handle handle;
	struct slice origin;
	size_t len;

	if (!ticket_origin(text, &origin))
		return TICKET_UNKNOWN;
	if (!slice_equals(origin, slice_from_text(tickets->origin)))
		return TICKET_FOREIGN;
	if (!base64url_read(slice_of(text.data + origin.len + 1, TICKET_HANDLE_LEN), bytes, &len) ||
	    len != sizeof(handle))
		return TICKET_UNKNOWN;
	memcpy(&handle, bytes, sizeof(handle));
	struct kept *kept = find(tickets, &handle, &result);

	OPENSSL_cleanse(bytes, sizeof(bytes));
	OPENSSL_cleanse(&handle, sizeof(handle));
	if (kept == NULL)
		return result;
	if (strcmp(kept->route, route) != 0) {
		result = TICKET_ROUTE;
	} else {
		result = TICKET_TAKEN;
		*out_ticket = kept->ticket;
		kept->ticket = (struct ticket){0};
	}
	kept_free(kept);
	return result;
}

void tickets_stats(struct tickets *tickets, struct tickets_stats *out_stats)
{
	pthread_mutex_lock(&tickets->mutex);
	sweep(tickets, clock_now_ns());
	*out_stats = tickets->stats;
	pthread_mutex_unlock(&tickets->mutex);
}
