/* SPDX-License-Identifier: Apache-2.0
 * test_directory.c - who is there, against a naive model, and walked page by page. */
#include "presence_unit.h"

#include <stdio.h>

#include "session/directory.h"

static struct mailbox mailbox; /* nobody posts here */

static struct presence *make(const char *route, const char *client_id)
{
	struct presence *presence = presence_create(&(struct presence_facts){
		.route = unit_route(route), .client_id = client_id, .mailbox = &mailbox});

	assert_non_null(presence);
	return presence;
}

/* Enters a new one, which must get in and replace nobody. */
static struct presence *enter(struct directory *directory, const char *route, const char *client_id,
			      enum directory_policy policy)
{
	struct presence *presence = make(route, client_id), *older;

	assert_true(directory_enter(directory, presence, policy, &older));
	assert_null(older);
	return presence;
}

/* A connection's end. */
static void end(struct directory *directory, struct presence *presence)
{
	directory_leave(directory, presence);
	presence_unref(&presence);
}

static void assert_found(struct directory *directory, const char *route, const char *client_id,
			 const struct presence *want)
{
	struct presence *found = directory_find(directory, route, client_id);

	assert_ptr_equal(found, want);
	presence_unref(&found);
}

/* A newer connection of the client, so many ms after `older`. True: it took over, and `older` is
 * gone. */
static bool take_over(struct directory *directory, struct presence **current, uint64_t after_ms)
{
	struct presence *newer = make("ws", "a"), *older, *popped;

	newer->connected_at_ms = (*current)->connected_at_ms + after_ms;
	if (!directory_enter(directory, newer, DIRECTORY_NEWEST, &older)) {
		assert_ptr_equal(older, *current);
		presence_unref(&older);
		presence_unref(&newer);
		return false;
	}
	popped = directory_pop(&older);
	assert_ptr_equal(popped, *current);
	presence_unref(&popped);
	end(directory, *current);
	*current = newer;
	return true;
}

static bool may_inherit_any(const struct presence *older, void *arg)
{
	(void)older;
	(void)arg;
	return true;
}

/* Two devices with one id: so many in a row, then as many in a minute; whoever is refused changes
 * nothing, and another client knows nothing of it. */
static void test_takeovers_are_paced(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct directory_heir heir = {.places = 1, .may_inherit = may_inherit_any};
	struct presence *older;

	directory_pace_takeovers(directory, 5);
	struct presence *current = enter(directory, "ws", "a", DIRECTORY_NEWEST);
	struct presence *other = enter(directory, "ws", "b", DIRECTORY_NEWEST);

	assert_int_equal(current->takeover_heat, 0);
	for (unsigned i = 1; i <= 5; i++) {
		assert_true(take_over(directory, &current, 0));
		assert_int_equal(current->takeover_heat, i);
	}
	struct presence *late = make("ws", "a");

	late->connected_at_ms = current->connected_at_ms + 11999;
	assert_false(directory_may_take_over(directory, late, &older));
	assert_ptr_equal(older, current);
	presence_unref(&older);
	assert_false(directory_inherit(directory, late, &heir, &older));
	assert_false(take_over(directory, &current, 11999));
	assert_found(directory, "ws", "a", current);
	assert_int_equal(current->lost_places, 0);
	assert_true(take_over(directory, &current, 12000));
	assert_int_equal(current->takeover_heat, 5);
	assert_true(take_over(directory, &current, 10 * 60000));
	assert_int_equal(current->takeover_heat, 1);
	/* A clock that is set back cools nothing, and does no harm. */
	assert_true(take_over(directory, &current, (uint64_t)-1000));
	assert_int_equal(current->takeover_heat, 2);
	late->connected_at_ms = current->connected_at_ms;
	assert_true(directory_may_take_over(directory, late, &older));
	presence_unref(&late);
	end(directory, current);
	end(directory, other);
	directory_destroy(&directory);
}

/* Slower than the pace, so that they stay cool, and in a row all the same. */
static void test_slow_takeovers_are_a_row(void **state)
{
	(void)state;
	struct directory *directory = directory_create();

	directory_pace_takeovers(directory, 30);
	struct presence *current = enter(directory, "ws", "a", DIRECTORY_NEWEST);

	assert_int_equal(current->takeover_row, 0);
	for (unsigned i = 1; i <= 300; i++) {
		assert_true(take_over(directory, &current, DIRECTORY_ROW_MS));
		assert_int_equal(current->takeover_heat, 1);
		assert_int_equal(current->takeover_row, MIN(i, (unsigned)UINT8_MAX));
	}
	assert_true(take_over(directory, &current, DIRECTORY_ROW_MS + 1));
	assert_int_equal(current->takeover_row, 1);
	end(directory, current);
	directory_destroy(&directory);
}

static void test_takeovers_without_a_pace(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *current = enter(directory, "ws", "a", DIRECTORY_NEWEST);

	for (unsigned i = 1; i <= 1000; i++) {
		assert_true(take_over(directory, &current, 0));
		assert_int_equal(current->takeover_heat, MIN(i, (unsigned)DIRECTORY_HEAT_MAX));
	}
	/* The heat counts once there is one. */
	directory_pace_takeovers(directory, 100);
	assert_false(take_over(directory, &current, 0));
	directory_pace_takeovers(directory, 0);
	assert_true(take_over(directory, &current, 0));
	end(directory, current);
	directory_destroy(&directory);
}

static void test_newest_takes_over_and_late_leave_is_fenced(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *first = enter(directory, "ws", "a", DIRECTORY_NEWEST);
	struct presence *second = make("ws", "a"), *older;

	assert_int_equal(first->generation, 1);
	assert_true(directory_enter(directory, second, DIRECTORY_NEWEST, &older));
	struct presence *popped = directory_pop(&older);

	assert_ptr_equal(popped, first);
	assert_null(older);
	assert_null(directory_pop(&older));
	assert_int_equal(second->generation, 2);
	assert_true(second->connection_id > first->connection_id);
	assert_found(directory, "ws", "a", second);
	assert_int_equal(directory_count(directory), 1);

	assert_int_equal(directory_leave(directory, first), 0);
	assert_found(directory, "ws", "a", second);
	assert_int_equal(directory_count(directory), 1);
	presence_unref(&popped);
	presence_unref(&first);
	end(directory, second);
	assert_found(directory, "ws", "a", NULL);
	assert_int_equal(directory_count(directory), 0);
	directory_destroy(&directory);
	assert_null(directory);
	directory_destroy(&directory);
}

static void test_oldest_keeps_the_newer_out(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *first = enter(directory, "ws", "a", DIRECTORY_OLDEST);
	struct presence *second = make("ws", "a"), *older;

	assert_false(directory_enter(directory, second, DIRECTORY_OLDEST, &older));
	assert_ptr_equal(older, first);
	presence_unref(&older);
	assert_int_equal(directory_leave(directory, second), 0); /* never was in */
	assert_found(directory, "ws", "a", first);
	end(directory, first);
	assert_true(directory_enter(directory, second, DIRECTORY_OLDEST, &older));
	assert_null(older);
	end(directory, second);
	directory_destroy(&directory);
}

static void test_many_are_beside_each_other_and_the_newest_is_found(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *all[100];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = enter(directory, "ws", "a", DIRECTORY_MANY);
		assert_int_equal(all[i]->generation, i + 1);
		assert_found(directory, "ws", "a", all[i]);
	}
	assert_int_equal(directory_count(directory), ARRAY_LEN(all));
	end(directory, all[99]);
	end(directory, all[50]);
	assert_found(directory, "ws", "a", all[98]);

	/* A route whose policy has changed: all of them give way to the next one. */
	struct presence *last = make("ws", "a"), *older, *popped;
	size_t count = 0;

	assert_true(directory_enter(directory, last, DIRECTORY_NEWEST, &older));
	for (; (popped = directory_pop(&older)) != NULL; count++)
		presence_unref(&popped);
	assert_int_equal(count, 98);
	assert_int_equal(directory_count(directory), 1);
	for (size_t i = 0; i < 99; i++)
		if (i != 50)
			end(directory, all[i]);
	assert_found(directory, "ws", "a", last);
	end(directory, last);
	directory_destroy(&directory);
}

/* Back ends decide in any order: the later connection may come in first. */
static void test_reserved_ids_keep_a_listing_in_order(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *all[4], *page[ARRAY_LEN(all)];
	struct directory_cursor cursor = DIRECTORY_START;
	static const size_t order[] = {2, 0, 3, 1};
	bool is_end;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		all[i] = make("ws", "a");
		all[i]->connection_id = directory_reserve_id(directory);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct presence *older;
		uint64_t id = all[order[i]]->connection_id;

		assert_true(directory_enter(directory, all[order[i]], DIRECTORY_MANY, &older));
		assert_int_equal(all[order[i]]->connection_id, id);
	}
	assert_int_equal(directory_list(directory, &(struct directory_filter){0}, &cursor, page,
					ARRAY_LEN(page), &is_end),
			 ARRAY_LEN(all));
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_ptr_equal(page[i], all[ARRAY_LEN(all) - 1 - i]);
		presence_unref(&page[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		end(directory, all[i]);
	directory_destroy(&directory);
}

static void test_routes_and_ids_do_not_collide(void **state)
{
	(void)state;
	static const char *const keys[][2] = {
		{"ws", "a"}, {"w", "sa"}, {"ws", "A"}, {"wsa", "x"}, {"ws", "ax"}, {"a", "ws"},
	};
	struct directory *directory = directory_create();
	struct presence *all[ARRAY_LEN(keys)];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		all[i] = enter(directory, keys[i][0], keys[i][1], DIRECTORY_OLDEST);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		assert_found(directory, keys[i][0], keys[i][1], all[i]);
	assert_found(directory, "ws", "b", NULL);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		end(directory, all[i]);
	directory_destroy(&directory);
}

static void test_the_longest_names_fit(void **state)
{
	(void)state;
	char route[PRESENCE_ROUTE_MAX + 1], id[PRESENCE_CLIENT_ID_MAX + 1];
	struct directory *directory = directory_create();

	memset(route, 'r', sizeof(route));
	memset(id, 'i', sizeof(id));
	route[PRESENCE_ROUTE_MAX] = id[PRESENCE_CLIENT_ID_MAX] = 0;
	struct presence *presence = enter(directory, route, id, DIRECTORY_NEWEST);

	assert_found(directory, route, id, presence);
	end(directory, presence);
	directory_destroy(&directory);
}

/* --- places that go over --- */

static bool is_arg(const struct presence *older, void *arg)
{
	return older == arg;
}

static bool nobody(const struct presence *older, void *arg)
{
	(void)older;
	(void)arg;
	return false;
}

static void test_places_go_over_to_an_heir(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *first = make("ws", "a"), *second = make("ws", "a"), *older = NULL;
	struct directory_heir heir = {.places = 5, .may_inherit = is_arg, .arg = first};

	/* Nobody to inherit from. */
	assert_false(directory_inherit(directory, first, &heir, &older));
	assert_int_equal(directory_count(directory), 0);
	assert_true(directory_enter(directory, first, DIRECTORY_NEWEST, &older));

	/* One who may not. */
	struct directory_heir stranger = {.places = 5, .may_inherit = nobody};

	assert_false(directory_inherit(directory, second, &stranger, &older));
	assert_null(older);
	assert_found(directory, "ws", "a", first);

	assert_true(directory_inherit(directory, second, &heir, &older));
	assert_ptr_equal(older, first);
	presence_unref(&older);
	assert_found(directory, "ws", "a", second);
	assert_int_equal(second->generation, 2);
	/* Both know whose the places are now. */
	assert_int_equal(directory_leave(directory, first), 5);
	assert_int_equal(directory_leave(directory, second), 0);
	presence_unref(&first);
	presence_unref(&second);
	directory_destroy(&directory);
}

/* --- a model --- */

enum { IDS = 700, PER_ID = 8, STEPS = 120000 };

static struct {
	struct presence *there[PER_ID]; /* oldest first */
	size_t count;
} model[3][IDS];

static struct presence *replaced[64]; /* connections that have not yet ended */
static size_t replaced_count;

static const char *const model_routes[] = {"newest", "oldest", "many"}; /* by policy */

static uint32_t random_next(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void end_replaced(struct directory *directory)
{
	while (replaced_count > 0)
		end(directory, replaced[--replaced_count]);
}

static void model_enter(struct directory *directory, unsigned route, size_t at, const char *id)
{
	struct presence *presence = make(model_routes[route], id), *older, *popped;
	bool is_there = model[route][at].count > 0;
	bool want = route != DIRECTORY_OLDEST || !is_there;

	if (model[route][at].count == PER_ID) {
		presence_unref(&presence);
		return;
	}
	assert_int_equal(directory_enter(directory, presence, route, &older), want);
	if (route == DIRECTORY_MANY || !is_there)
		assert_null(older);
	else
		assert_ptr_equal(older, model[route][at].there[0]);
	if (!want) {
		presence_unref(&older);
		presence_unref(&presence);
		return;
	}
	for (; (popped = directory_pop(&older)) != NULL; presence_unref(&popped)) {
		if (replaced_count == ARRAY_LEN(replaced))
			end_replaced(directory);
		replaced[replaced_count++] = model[route][at].there[0];
		model[route][at].count = 0;
	}
	model[route][at].there[model[route][at].count++] = presence;
}

static void model_leave(struct directory *directory, unsigned route, size_t at)
{
	if (model[route][at].count == 0)
		return;
	size_t which = random_next() % model[route][at].count;

	end(directory, model[route][at].there[which]);
	model[route][at].count--;
	for (size_t i = which; i < model[route][at].count; i++)
		model[route][at].there[i] = model[route][at].there[i + 1];
}

/* Waves: mostly in, then mostly out, so that shards grow and shrink. */
static void test_random_steps_agree_with_a_model(void **state)
{
	(void)state;
	struct directory *directory = directory_create();

	for (unsigned step = 0; step < STEPS; step++) {
		unsigned route = random_next() % 3;
		size_t at = random_next() % IDS;
		char id[16];

		snprintf(id, sizeof(id), "id-%zu", at);
		if (random_next() % 8 < (step / 15000 % 2 == 0 ? 6u : 2u))
			model_enter(directory, route, at, id);
		else
			model_leave(directory, route, at);
		size_t count = model[route][at].count;

		assert_found(directory, model_routes[route], id,
			     count == 0 ? NULL : model[route][at].there[count - 1]);
	}
	end_replaced(directory);
	uint64_t total = 0;

	for (unsigned route = 0; route < 3; route++)
		for (size_t at = 0; at < IDS; at++)
			total += model[route][at].count;
	assert_int_equal(directory_count(directory), total);
	for (unsigned route = 0; route < 3; route++)
		for (size_t at = 0; at < IDS; at++)
			while (model[route][at].count > 0)
				model_leave(directory, route, at);
	assert_int_equal(directory_count(directory), 0);
	directory_destroy(&directory);
}

/* --- walking --- */

enum { STAYING = 3000, COMING = 3000 };

static struct presence *named(struct directory *directory, const char *prefix, size_t number)
{
	char id[32];

	snprintf(id, sizeof(id), "%s-%zu", prefix, number);
	return enter(directory, number % 2 == 0 ? "even" : "odd", id, DIRECTORY_MANY);
}

/* Counts in `seen` each of `staying` that the page has. */
static void see(struct presence **page, size_t count, struct presence *const *staying,
		unsigned *seen)
{
	for (size_t i = 0; i < count; i++) {
		size_t number;

		if (sscanf(page[i]->client_id, "stay-%zu", &number) == 1 &&
		    staying[number] == page[i])
			seen[number]++;
		presence_unref(&page[i]);
	}
}

/* With others that come and go between the pages, so many that shards are resized. */
static void test_a_walk_sees_whoever_stays_exactly_once(void **state)
{
	(void)state;
	static struct presence *staying[STAYING], *coming[COMING];
	static const size_t limits[] = {1, 7, 100, STAYING + COMING};
	struct directory *directory = directory_create();

	for (size_t i = 0; i < STAYING; i++)
		staying[i] = named(directory, "stay", i);
	for (size_t l = 0; l < ARRAY_LEN(limits); l++) {
		static unsigned seen[STAYING];
		struct presence *page[STAYING + COMING];
		struct directory_cursor cursor = DIRECTORY_START;
		size_t came = 0, gone = 0;
		bool is_end = false;

		memset(seen, 0, sizeof(seen));
		while (!is_end) {
			size_t count = directory_list(directory, &(struct directory_filter){0},
						      &cursor, page, limits[l], &is_end);

			assert_true(count == limits[l] || is_end);
			see(page, count, staying, seen);
			for (size_t n = 0; n < limits[l] && came < COMING; n++, came++)
				coming[came] = named(directory, "come", came);
			for (; gone < came / 2; gone++)
				end(directory, coming[gone]);
		}
		for (size_t i = 0; i < STAYING; i++)
			assert_int_equal(seen[i], 1);
		for (; gone < came; gone++)
			end(directory, coming[gone]);
	}
	for (size_t i = 0; i < STAYING; i++)
		end(directory, staying[i]);
	directory_destroy(&directory);
}

/* All connections of one client have one hash: a page may end between them. */
static void test_a_walk_sees_all_connections_of_one_client(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct directory_cursor cursor = DIRECTORY_START;
	struct presence *all[50], *page[7];
	uint64_t last_id = UINT64_MAX;
	size_t total = 0;
	bool is_end = false;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i] = enter(directory, "ws", "a", DIRECTORY_MANY);
	while (!is_end) {
		size_t count = directory_list(directory, &(struct directory_filter){0}, &cursor,
					      page, ARRAY_LEN(page), &is_end);

		for (size_t i = 0; i < count; i++) {
			assert_true(page[i]->connection_id < last_id);
			last_id = page[i]->connection_id;
			presence_unref(&page[i]);
		}
		total += count;
	}
	assert_int_equal(total, ARRAY_LEN(all));
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		end(directory, all[i]);
	directory_destroy(&directory);
}

struct filter_row {
	const char *name;
	const char *route;
	const char *id_prefix;
	size_t want;
};

static const struct filter_row filters[] = {
	{"all", NULL, "", 60},
	{"route", "even", "", 30},
	{"other route", "odd", "", 30},
	{"no such route", "eve", "", 0},
	{"prefix", NULL, "a-1", 11}, /* 1, 10..19 */
	{"prefix of both", NULL, "", 60},
	{"whole id", NULL, "a-29", 1},
	{"longer than the id", NULL, "a-29x", 0},
	{"route and prefix", "odd", "b-", 15},
	{"none", "odd", "c", 0},
};

static bool is_wanted(const struct presence *presence, const void *arg)
{
	const struct filter_row *row = arg;

	return (row->route == NULL || strcmp(row->route, presence_route_name(presence)) == 0) &&
	       strncmp(presence->client_id, row->id_prefix, strlen(row->id_prefix)) == 0;
}

static void test_filters(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *all[60], *page[60];

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i] = named(directory, i < 30 ? "a" : "b", i % 30);
	for (size_t i = 0; i < ARRAY_LEN(filters); i++) {
		struct directory_filter filter = {is_wanted, &filters[i]};
		struct directory_cursor cursor = DIRECTORY_START;
		bool is_end = false;
		size_t count = directory_list(directory, &filter, &cursor, page, ARRAY_LEN(page),
					      &is_end);

		ASSERT_ROW(count == filters[i].want, filters[i].name);
		ASSERT_ROW(is_end == (count < ARRAY_LEN(page)), filters[i].name);
		while (count > 0)
			presence_unref(&page[--count]);
	}
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		end(directory, all[i]);
	directory_destroy(&directory);
}

/* A page may be short before the end, so that one call does not take for ever. */
static void test_a_filter_that_finds_nothing_returns_in_between(void **state)
{
	(void)state;
	enum { COUNT = 70000 };
	struct presence **all = malloc(COUNT * sizeof(struct presence *)), *page[10];
	struct directory *directory = directory_create();
	const struct filter_row none = {.id_prefix = "none"};
	struct directory_filter filter = {is_wanted, &none};
	struct directory_cursor cursor = DIRECTORY_START;
	unsigned calls = 0;
	bool is_end = false;

	assert_non_null(all);
	for (size_t i = 0; i < COUNT; i++)
		all[i] = named(directory, "c", i);
	for (; !is_end; calls++)
		assert_int_equal(
			directory_list(directory, &filter, &cursor, page, ARRAY_LEN(page), &is_end),
			0);
	assert_int_equal(calls, 2);
	for (size_t i = 0; i < COUNT; i++)
		end(directory, all[i]);
	assert_int_equal(directory_count(directory), 0);
	directory_destroy(&directory);
	free(all);
}

/* --- clients of another process --- */

static struct presence *make_as(const char *client_id, uint64_t connection_id, uint32_t generation)
{
	struct presence *presence = make("ws", client_id);

	presence->connection_id = connection_id & DIRECTORY_ID_MAX;
	presence->generation = generation;
	return presence;
}

static void test_ids_go_on_behind_those_of_another_process(void **state)
{
	(void)state;
	struct directory *directory = directory_create();

	assert_true(directory_continue_ids(directory, 1000));
	assert_int_equal(directory_last_id(directory), 1000 + DIRECTORY_ID_GAP);
	assert_int_equal(directory_reserve_id(directory), 1001 + DIRECTORY_ID_GAP);
	assert_false(directory_continue_ids(directory, DIRECTORY_ID_MAX));
	assert_int_equal(directory_last_id(directory), 1001 + DIRECTORY_ID_GAP);
	directory_destroy(&directory);
}

static void test_clients_of_another_process_are_as_they_were(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	/* In no order. */
	struct presence *first = make_as("a", 7, 1), *third = make_as("a", 9, 4);
	struct presence *second = make_as("a", 8, 2), *same = make_as("a", 8, 5);
	struct presence *late = make_as("b", 10 + DIRECTORY_ID_GAP, 1), *none = make_as("b", 0, 1);
	struct presence *older;

	assert_true(directory_continue_ids(directory, 9));
	third->takeover_heat = 100;
	assert_true(directory_import(directory, first));
	assert_true(directory_import(directory, third));
	assert_false(directory_has(directory, second));
	assert_true(directory_import(directory, second));
	assert_true(directory_has(directory, second));
	assert_false(directory_import(directory, same));
	assert_false(directory_import(directory, late));
	assert_false(directory_import(directory, none));
	assert_int_equal(directory_count(directory), 3);
	assert_int_equal(first->generation, 1);
	assert_int_equal(second->generation, 2);
	assert_int_equal(third->takeover_heat, 100);
	assert_found(directory, "ws", "a", third);

	/* The next that comes is above all of them. */
	struct presence *newer = make("ws", "a");

	assert_true(directory_enter(directory, newer, DIRECTORY_MANY, &older));
	assert_int_equal(newer->generation, 5);
	assert_true(newer->connection_id > 9 + DIRECTORY_ID_GAP);
	end(directory, first);
	end(directory, third);
	end(directory, second);
	end(directory, newer);
	presence_unref(&same);
	presence_unref(&late);
	presence_unref(&none);
	directory_destroy(&directory);
}

/* Who was replaced is not there, though its connection does not know that yet. */
static void test_who_was_replaced_is_not_there(void **state)
{
	(void)state;
	struct directory *directory = directory_create();
	struct presence *older = enter(directory, "ws", "a", DIRECTORY_NEWEST);
	struct presence *newer = make("ws", "a"), *list;

	assert_true(directory_has(directory, older));
	assert_true(directory_enter(directory, newer, DIRECTORY_NEWEST, &list));
	assert_false(directory_has(directory, older));
	assert_true(directory_has(directory, newer));
	struct presence *popped = directory_pop(&list);

	presence_unref(&popped);
	end(directory, older);
	end(directory, newer);
	directory_destroy(&directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takeovers_are_paced),
		cmocka_unit_test(test_slow_takeovers_are_a_row),
		cmocka_unit_test(test_takeovers_without_a_pace),
		cmocka_unit_test(test_newest_takes_over_and_late_leave_is_fenced),
		cmocka_unit_test(test_oldest_keeps_the_newer_out),
		cmocka_unit_test(test_many_are_beside_each_other_and_the_newest_is_found),
		cmocka_unit_test(test_reserved_ids_keep_a_listing_in_order),
		cmocka_unit_test(test_routes_and_ids_do_not_collide),
		cmocka_unit_test(test_the_longest_names_fit),
		cmocka_unit_test(test_places_go_over_to_an_heir),
		cmocka_unit_test(test_random_steps_agree_with_a_model),
		cmocka_unit_test(test_a_walk_sees_whoever_stays_exactly_once),
		cmocka_unit_test(test_a_walk_sees_all_connections_of_one_client),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_a_filter_that_finds_nothing_returns_in_between),
		cmocka_unit_test(test_ids_go_on_behind_those_of_another_process),
		cmocka_unit_test(test_clients_of_another_process_are_as_they_were),
		cmocka_unit_test(test_who_was_replaced_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
