/* SPDX-License-Identifier: Apache-2.0
 * pace.c - counts that run out, in a table of fixed size.
 *
 * An entry is found by a keyed hash of what it is about, so that nobody can choose addresses or
 * names that meet. A hash has a set of eight places; if all are taken, the one that counts least,
 * and of these the oldest, makes room. What was proved counts as one that does not run out within
 * a day, but yields to any that does. */
#include "auth/pace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/counter.h"
#include "base/random.h"
#include "base/siphash.h"
#include "base/state.h"

#define SETS       8192 /* of 8 places of 16 bytes: 1 MiB */
#define SET_PLACES 8
#define LOCKS      64

#define WINDOW_MS 60000
#define PROVED_MS (24 * 60 * 60 * 1000ull)
#define UNIT      1000 /* one wrong proof */
#define PROVED    UINT32_MAX
#define IPV6_BITS 64

struct place {
	uint64_t key;   /* 0: free */
	uint32_t at_s;  /* of now_ms, when `level` was right */
	uint32_t level; /* in UNIT, at most UINT32_MAX - 1; or PROVED */
};

struct set {
	struct place places[SET_PLACES];
};

struct pace {
	uint64_t max;           /* atomic; 0: no limit */
	struct siphash_key key; /* drawn at random */
	pthread_mutex_t locks[LOCKS];
	/* Atomic. */
	uint64_t used, highest, dropped, refused;
	struct set sets[SETS];
};

enum about { ABOUT_ADDRESS = 'a', ABOUT_NAME = 'n', ABOUT_BOTH = 'b' };

/* --- life --- */

struct pace *pace_create(uint64_t max)
{
	struct pace *pace = calloc(1, sizeof(*pace));
	struct random_source random = {0};

	if (pace == NULL)
		return NULL;
	pace->max = max;
	random_fill(&random, &pace->key, sizeof(pace->key));
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&pace->locks[i], NULL);
	return pace;
}

void pace_destroy(struct pace **pace)
{
	if (*pace == NULL)
		return;
	for (size_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&(*pace)->locks[i]);
	free(*pace);
	*pace = NULL;
}

void pace_set_max(struct pace *pace, uint64_t max)
{
	counter_set(&pace->max, max);
}

static bool is_off(const struct pace *pace)
{
	return pace == NULL || pace_max(pace) == 0;
}

/* --- places --- */

/* What it is about, as bytes that mean one thing only. */
static uint64_t key_of(const struct pace *pace, const struct pace_who *who, enum about about)
{
	uint8_t text[1 + sizeof(who->address.bytes) + 256 + 1024];
	size_t len = 1;
	struct net_ip ip = net_ip_is_v4(&who->address) ? who->address
						       : net_ip_cut(&who->address, IPV6_BITS);

	text[0] = (uint8_t)about;
	if (about != ABOUT_NAME) {
		memcpy(text + len, ip.bytes, sizeof(ip.bytes));
		len += sizeof(ip.bytes);
	}
	if (about != ABOUT_ADDRESS) {
		size_t route_len = MIN(strlen(who->route), (size_t)255);
		size_t name_len = MIN(who->name.len, (size_t)1024);

		memcpy(text + len, who->route, route_len);
		len += route_len;
		text[len++] = 0;
		if (name_len > 0)
			memcpy(text + len, who->name.data, name_len);
		len += name_len;
	}
	uint64_t key = siphash(&pace->key, slice_of(text, len));

	return key == 0 ? 1 : key;
}

static uint64_t max_level(const struct pace *pace)
{
	return pace_max(pace) * UNIT;
}

/* What is left of it now; 0: it may be forgotten. */
static uint32_t level_now(const struct pace *pace, const struct place *place, uint32_t now_s)
{
	uint64_t passed_ms = (uint64_t)(uint32_t)(now_s - place->at_s) * 1000;

	if (place->level == PROVED)
		return passed_ms < PROVED_MS ? PROVED : 0;
	/* Whatever was allowed when it was counted. */
	if (passed_ms >= WINDOW_MS)
		return 0;
	uint64_t run_out = passed_ms * max_level(pace) / WINDOW_MS;

	return place->level > run_out ? (uint32_t)(place->level - run_out) : 0;
}

static struct place *find(struct set *set, uint64_t key)
{
	for (size_t i = 0; i < SET_PLACES; i++)
		if (set->places[i].key == key)
			return &set->places[i];
	return NULL;
}

/* How much it is worth to be kept. */
static uint64_t worth(const struct pace *pace, const struct place *place, uint32_t now_s)
{
	uint32_t level = place->key == 0 ? 0 : level_now(pace, place, now_s);

	if (level == PROVED)
		return 1;
	return level == 0 ? 0 : (uint64_t)level + 1;
}

/* The place of the key, or one that becomes it. */
static struct place *take(struct pace *pace, struct set *set, uint64_t key, uint32_t now_s)
{
	struct place *place = find(set, key), *least = &set->places[0];

	if (place != NULL)
		return place;
	for (size_t i = 1; i < SET_PLACES; i++) {
		uint64_t a = worth(pace, &set->places[i], now_s), b = worth(pace, least, now_s);

		if (a < b || (a == b && a > 0 &&
			      (uint32_t)(now_s - set->places[i].at_s) > now_s - least->at_s))
			least = &set->places[i];
	}
	if (least->key == 0)
		__atomic_fetch_add(&pace->used, 1, __ATOMIC_RELAXED);
	else if (worth(pace, least, now_s) > 1)
		__atomic_fetch_add(&pace->dropped, 1, __ATOMIC_RELAXED);
	*least = (struct place){.key = key, .at_s = now_s};
	return least;
}

/* --- one count, under its lock --- */

static uint32_t seconds(const struct pace_who *who)
{
	return (uint32_t)(who->now_ms / 1000);
}

static pthread_mutex_t *lock_of(struct pace *pace, uint64_t key)
{
	return &pace->locks[key % LOCKS];
}

static struct set *set_of(struct pace *pace, uint64_t key)
{
	return &pace->sets[key % SETS];
}

static uint32_t level_of(struct pace *pace, const struct pace_who *who, enum about about)
{
	uint64_t key = key_of(pace, who, about);

	pthread_mutex_lock(lock_of(pace, key));
	const struct place *place = find(set_of(pace, key), key);
	uint32_t level = place == NULL ? 0 : level_now(pace, place, seconds(who));

	pthread_mutex_unlock(lock_of(pace, key));
	return level;
}

static void highest_note(struct pace *pace, uint32_t level)
{
	uint64_t count = (level + UNIT - 1) / UNIT;
	uint64_t seen = __atomic_load_n(&pace->highest, __ATOMIC_RELAXED);

	while (count > seen && !__atomic_compare_exchange_n(&pace->highest, &seen, count, true,
							    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* One more. False: it was full, and stays what it is. */
static bool level_raise(struct pace *pace, const struct pace_who *who, enum about about)
{
	uint64_t key = key_of(pace, who, about);

	pthread_mutex_lock(lock_of(pace, key));
	struct place *place = take(pace, set_of(pace, key), key, seconds(who));
	uint64_t level = (uint64_t)level_now(pace, place, seconds(who)) + UNIT;
	bool has_room = level <= max_level(pace);

	if (has_room) {
		place->level = (uint32_t)level;
		place->at_s = seconds(who);
		highest_note(pace, place->level);
	}
	pthread_mutex_unlock(lock_of(pace, key));
	return has_room;
}

static bool is_full(const struct pace *pace, uint32_t level)
{
	return (uint64_t)level + UNIT > max_level(pace);
}

/* --- what is asked --- */

bool pace_may_guess(struct pace *pace, const struct pace_who *who)
{
	if (is_off(pace))
		return true;
	bool has_address = !net_ip_is_unix(&who->address);
	uint32_t of_address = has_address ? level_of(pace, who, ABOUT_ADDRESS) : 0;

	if (has_address && of_address == 0)
		return true;
	if (!is_full(pace, of_address) && !is_full(pace, level_of(pace, who, ABOUT_NAME)))
		return true;
	if (level_of(pace, who, ABOUT_BOTH) == PROVED)
		return true;
	__atomic_fetch_add(&pace->refused, 1, __ATOMIC_RELAXED);
	return false;
}

/* Who has guessed wrong is known there no more. */
static void forget_proved(struct pace *pace, const struct pace_who *who)
{
	uint64_t key = key_of(pace, who, ABOUT_BOTH);

	pthread_mutex_lock(lock_of(pace, key));
	struct place *place = find(set_of(pace, key), key);

	if (place != NULL)
		place->level = 0;
	pthread_mutex_unlock(lock_of(pace, key));
}

void pace_wrong_name(struct pace *pace, const struct pace_who *who)
{
	if (is_off(pace))
		return;
	forget_proved(pace, who);
	level_raise(pace, who, ABOUT_NAME);
}

bool pace_wrong_address(struct pace *pace, const struct pace_who *who)
{
	if (is_off(pace) || net_ip_is_unix(&who->address) || level_raise(pace, who, ABOUT_ADDRESS))
		return true;
	__atomic_fetch_add(&pace->refused, 1, __ATOMIC_RELAXED);
	return false;
}

void pace_right(struct pace *pace, const struct pace_who *who)
{
	if (is_off(pace))
		return;
	uint64_t key = key_of(pace, who, ABOUT_BOTH);

	pthread_mutex_lock(lock_of(pace, key));
	struct place *place = take(pace, set_of(pace, key), key, seconds(who));

	place->level = PROVED;
	place->at_s = seconds(who);
	pthread_mutex_unlock(lock_of(pace, key));
}

/* --- from process to process --- */

/* A tag keeps its meaning for ever. */
enum {
	TAG_KEY = 1,   /* bytes: of the hash */
	TAG_PLACE = 2, /* record: one that is in use */

	TAG_PLACE_KEY = 1,
	TAG_PLACE_AT_S = 2,
	TAG_PLACE_LEVEL = 3, /* as it was then */
};

static void place_export(const struct place *place, struct state_writer *writer)
{
	size_t begun = state_begin(writer, TAG_PLACE);

	state_put_u64(writer, TAG_PLACE_KEY, place->key);
	state_put_u64(writer, TAG_PLACE_AT_S, place->at_s);
	state_put_u64(writer, TAG_PLACE_LEVEL, place->level);
	state_end(writer, begun);
}

void pace_export(struct pace *pace, uint64_t now_ms, struct state_writer *writer)
{
	uint32_t now_s = (uint32_t)(now_ms / 1000);

	_Static_assert(SETS % LOCKS == 0, "a set has one lock");
	state_put_bytes(writer, TAG_KEY, slice_of(&pace->key, sizeof(pace->key)));
	for (size_t i = 0; i < SETS; i++) {
		pthread_mutex_lock(lock_of(pace, i));
		for (size_t k = 0; k < SET_PLACES; k++)
			if (worth(pace, &pace->sets[i].places[k], now_s) > 0)
				place_export(&pace->sets[i].places[k], writer);
		pthread_mutex_unlock(lock_of(pace, i));
	}
}

static int place_read(struct slice record, struct place *out)
{
	struct state_reader reader;
	struct state_field field;
	uint64_t key = 0, at_s = 0, level = 0;
	bool is_good = true;

	state_reader_init(&reader, record);
	while (is_good && state_next(&reader, &field)) {
		if (field.tag == TAG_PLACE_KEY)
			is_good = state_u64(&field, &key);
		else if (field.tag == TAG_PLACE_AT_S)
			is_good = state_u64_max(&field, UINT32_MAX, &at_s);
		else if (field.tag == TAG_PLACE_LEVEL)
			is_good = state_u64_max(&field, UINT32_MAX, &level);
		else
			is_good = !state_must_understand(field.tag);
	}
	*out = (struct place){.key = key, .at_s = (uint32_t)at_s, .level = (uint32_t)level};
	return is_good && !reader.is_bad && key != 0 ? 0 : -EBADMSG;
}

/* One too many is left out. */
static void place_put(struct pace *pace, const struct place *place)
{
	struct set *set = set_of(pace, place->key);
	struct place *to = find(set, place->key);

	if (to == NULL) {
		to = find(set, 0);
		pace->used += to != NULL;
	}
	if (to == NULL)
		return;
	*to = *place;
	if (place->level != PROVED)
		highest_note(pace, place->level);
}

int pace_import(struct pace *pace, struct state_reader *reader)
{
	struct state_field field;
	struct place place;
	int r = 0;

	if (pace == NULL)
		return 0;
	CHECK(pace->used == 0);
	while (r == 0 && state_next(reader, &field)) {
		if (field.tag == TAG_KEY)
			r = state_bytes(&field, (uint8_t *)&pace->key, sizeof(pace->key))
				    ? 0
				    : -EBADMSG;
		else if (field.tag == TAG_PLACE && (r = place_read(field.value, &place)) == 0)
			place_put(pace, &place);
		else if (state_must_understand(field.tag))
			r = -EBADMSG;
	}
	return r == 0 && reader->is_bad ? -EBADMSG : r;
}

struct pace_stats pace_stats(struct pace *pace)
{
	return (struct pace_stats){
		.max = pace_max(pace),
		.places = (uint64_t)SETS * SET_PLACES,
		.used = __atomic_load_n(&pace->used, __ATOMIC_RELAXED),
		.highest = __atomic_load_n(&pace->highest, __ATOMIC_RELAXED),
		.dropped = __atomic_load_n(&pace->dropped, __ATOMIC_RELAXED),
		.refused = __atomic_load_n(&pace->refused, __ATOMIC_RELAXED),
	};
}

uint64_t pace_max(const struct pace *pace)
{
	return counter_read(&pace->max);
}
