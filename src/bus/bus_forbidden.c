/* SPDX-License-Identifier: Apache-2.0 */
#include "bus/bus_forbidden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/unicode.h"

#define BUCKETS 4096

struct forbidden_subject {
	struct forbidden_subject *next;
	uint64_t seen_ns;
	enum forbidden_kind kind;
	bool is_class;
	uint16_t len; /* [bytes] */
	char text[];
};

static const struct {
	const char *said; /* by the broker, in any case of letters */
	const char *what; /* for people */
} kinds[] = {
	[FORBIDDEN_PUBLISH] = {"violation for publish to ", "to publish to"},
	[FORBIDDEN_SUBSCRIBE] = {"violation for subscription to ", "to subscribe to"},
};

void bus_forbidden_init(struct bus_forbidden *forbidden, uint64_t *count)
{
	struct random_source random = {0};

	*forbidden = (struct bus_forbidden){.count = count};
	pthread_mutex_init(&forbidden->mutex, NULL);
	random_fill(&random, &forbidden->key, sizeof(forbidden->key));
}

/* --- what a broker says --- */

static const char *find_nocase(struct slice text, const char *part)
{
	for (size_t at = 0; at + strlen(part) <= text.len; at++)
		if (slice_starts_nocase(slice_of(text.data + at, text.len - at), part))
			return (const char *)text.data + at;
	return NULL;
}

bool bus_forbidden_parse(struct slice text, enum forbidden_kind *out_kind,
			 struct slice *out_subject)
{
	for (size_t kind = 0; kind < ARRAY_LEN(kinds); kind++) {
		const char *said = find_nocase(text, kinds[kind].said);

		if (said == NULL)
			continue;
		const uint8_t *end = text.data + text.len;
		const uint8_t *at = (const uint8_t *)said + strlen(kinds[kind].said);
		size_t len = 0;

		at += at < end && *at == '"';
		while (at + len < end && at[len] != '"')
			len++;
		*out_kind = (enum forbidden_kind)kind;
		*out_subject = slice_of(at, len);
		return len > 0;
	}
	return false;
}

/* --- the table; its lock is held --- */

static struct slice key_of(struct slice subject)
{
	return slice_of(subject.data, MIN(subject.len, (size_t)FORBIDDEN_KEY_MAX));
}

/* "gatehouse.up.route" of "gatehouse.up.route.client"; the whole if it has no more tokens. */
static struct slice class_of(struct slice subject)
{
	size_t dots = 0, at = 0;

	while (at < subject.len && (subject.data[at] != '.' || ++dots < 3))
		at++;
	return slice_of(subject.data, at);
}

static struct forbidden_subject **slot_of(const struct bus_forbidden *forbidden,
					  enum forbidden_kind kind, bool is_class, struct slice key)
{
	struct forbidden_subject **slot =
		&forbidden->buckets[siphash(&forbidden->key, key) % BUCKETS];

	while (*slot != NULL && ((*slot)->kind != kind || (*slot)->is_class != is_class ||
				 !slice_equals(slice_of((*slot)->text, (*slot)->len), key)))
		slot = &(*slot)->next;
	return slot;
}

static void slot_free(struct bus_forbidden *forbidden, struct forbidden_subject **slot)
{
	struct forbidden_subject *gone = *slot;

	CHECK(gone != NULL);
	*slot = gone->next;
	forbidden->counts[gone->kind]--;
	forbidden->class_count -= gone->is_class;
	counter_sub(forbidden->count, 1);
	free(gone);
}

/* Without memory it is not remembered: then its messages count as taken. */
static void slot_fill(struct bus_forbidden *forbidden, struct forbidden_subject **slot,
		      enum forbidden_kind kind, bool is_class, struct slice key)
{
	struct forbidden_subject *fresh = malloc(sizeof(*fresh) + key.len + 1);

	if (fresh == NULL)
		return;
	*fresh = (struct forbidden_subject){
		.kind = kind, .is_class = is_class, .len = (uint16_t)key.len};
	memcpy(fresh->text, key.data, key.len);
	fresh->text[key.len] = 0;
	*slot = fresh;
	forbidden->counts[kind]++;
	forbidden->class_count += is_class;
	counter_add(forbidden->count, 1);
}

/* Of the subject itself, or of its class. NULL: it is not known. */
static struct forbidden_subject *find(const struct bus_forbidden *forbidden,
				      enum forbidden_kind kind, struct slice subject)
{
	if (forbidden->buckets == NULL)
		return NULL;
	struct forbidden_subject *found = *slot_of(forbidden, kind, false, key_of(subject));

	if (found == NULL && forbidden->class_count > 0)
		found = *slot_of(forbidden, kind, true, key_of(class_of(subject)));
	return found;
}

static void note(struct bus_forbidden *forbidden, enum forbidden_kind kind, struct slice subject,
		 uint64_t now_ns)
{
	if (forbidden->buckets == NULL)
		forbidden->buckets = calloc(BUCKETS, sizeof(forbidden->buckets[0]));
	if (forbidden->buckets == NULL)
		return;
	struct forbidden_subject **slot = slot_of(forbidden, kind, false, key_of(subject));

	if (*slot == NULL &&
	    counter_read(forbidden->count) - forbidden->class_count < FORBIDDEN_MAX) {
		slot_fill(forbidden, slot, kind, false, key_of(subject));
	} else if (*slot == NULL) {
		slot = slot_of(forbidden, kind, true, key_of(class_of(subject)));
		if (*slot == NULL && forbidden->class_count < FORBIDDEN_CLASSES)
			slot_fill(forbidden, slot, kind, true, key_of(class_of(subject)));
	}
	if (*slot != NULL)
		(*slot)->seen_ns = now_ns;
}

/* --- the table --- */

void bus_forbidden_note(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			struct slice subject, uint64_t now_ns)
{
	pthread_mutex_lock(&forbidden->mutex);
	note(forbidden, kind, subject, now_ns);
	pthread_mutex_unlock(&forbidden->mutex);
}

uint64_t bus_forbidden_seen_ns(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			       struct slice subject)
{
	if (!bus_forbidden_has_any(forbidden))
		return 0;
	pthread_mutex_lock(&forbidden->mutex);
	const struct forbidden_subject *found = find(forbidden, kind, subject);
	uint64_t seen_ns = found == NULL ? 0 : found->seen_ns;

	pthread_mutex_unlock(&forbidden->mutex);
	return seen_ns;
}

void bus_forbidden_lift(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			struct slice subject)
{
	if (!bus_forbidden_has_any(forbidden))
		return;
	pthread_mutex_lock(&forbidden->mutex);
	const struct forbidden_subject *found = find(forbidden, kind, subject);

	if (found != NULL)
		slot_free(forbidden, slot_of(forbidden, kind, found->is_class,
					     slice_of(found->text, found->len)));
	pthread_mutex_unlock(&forbidden->mutex);
}

void bus_forbidden_expire(struct bus_forbidden *forbidden, enum forbidden_kind kind,
			  uint64_t before_ns)
{
	pthread_mutex_lock(&forbidden->mutex);
	for (size_t i = 0; i < BUCKETS && forbidden->buckets != NULL; i++) {
		struct forbidden_subject **slot = &forbidden->buckets[i];

		while (*slot != NULL)
			if ((*slot)->kind == kind && (*slot)->seen_ns < before_ns)
				slot_free(forbidden, slot);
			else
				slot = &(*slot)->next;
	}
	pthread_mutex_unlock(&forbidden->mutex);
}

bool bus_forbidden_has_any(const struct bus_forbidden *forbidden)
{
	return counter_read(forbidden->count) > 0;
}

size_t bus_forbidden_count(struct bus_forbidden *forbidden, enum forbidden_kind kind)
{
	pthread_mutex_lock(&forbidden->mutex);
	size_t count = forbidden->counts[kind];

	pthread_mutex_unlock(&forbidden->mutex);
	return count;
}

static const struct forbidden_subject *last_of(const struct bus_forbidden *forbidden)
{
	const struct forbidden_subject *last = NULL;

	for (size_t i = 0; i < BUCKETS && forbidden->buckets != NULL; i++)
		for (const struct forbidden_subject *at = forbidden->buckets[i]; at != NULL;
		     at = at->next)
			if (last == NULL || at->seen_ns > last->seen_ns)
				last = at;
	return last;
}

void bus_forbidden_describe(struct bus_forbidden *forbidden, char out[FORBIDDEN_SENTENCE])
{
	out[0] = 0;
	if (!bus_forbidden_has_any(forbidden))
		return;
	pthread_mutex_lock(&forbidden->mutex);
	const struct forbidden_subject *last = last_of(forbidden);

	if (last != NULL)
		snprintf(out, FORBIDDEN_SENTENCE,
			 "the broker forbids %s '%s'%s; in all %zu subjects to publish to and %zu "
			 "to subscribe to",
			 kinds[last->kind].what, last->text, last->is_class ? " and below" : "",
			 forbidden->counts[FORBIDDEN_PUBLISH],
			 forbidden->counts[FORBIDDEN_SUBSCRIBE]);
	unicode_make_plain(out, strlen(out), '?');
	pthread_mutex_unlock(&forbidden->mutex);
}

void bus_forbidden_finish(struct bus_forbidden *forbidden)
{
	bus_forbidden_expire(forbidden, FORBIDDEN_PUBLISH, UINT64_MAX);
	bus_forbidden_expire(forbidden, FORBIDDEN_SUBSCRIBE, UINT64_MAX);
	free(forbidden->buckets);
	forbidden->buckets = NULL;
	pthread_mutex_destroy(&forbidden->mutex);
}
