/* SPDX-License-Identifier: Apache-2.0
 * The wheel as a pure structure: time is simulated. */
#include "unit.h"

#include "io/timer_wheel.h"

#define TICKS_PER_DAY UINT64_C(86400000)

struct entry {
	struct timer timer;
	uint64_t due_at; /* [tick] what the model says; 0: not running */
};

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static struct timer_wheel *wheel_new(uint64_t now)
{
	struct timer_wheel *wheel = malloc(sizeof(*wheel));

	timer_wheel_init(wheel, now);
	return wheel;
}

static void entry_start(struct timer_wheel *wheel, struct entry *entry, uint64_t expires_at)
{
	list_remove(&entry->timer.node);
	timer_wheel_add(wheel, &entry->timer, expires_at);
	entry->due_at = MAX(expires_at, wheel->now + 1);
}

static void entry_init(struct entry *entry)
{
	list_init(&entry->timer.node);
	entry->due_at = 0;
}

/* Takes one timer off the due list, or NULL. */
static struct entry *take_due(struct list_node *due)
{
	if (list_is_empty(due))
		return NULL;
	struct entry *entry = CONTAINER_OF(due->next, struct entry, timer.node);

	list_remove(&entry->timer.node);
	return entry;
}

static void test_empty_wheel_has_no_next(void **state)
{
	(void)state;
	struct timer_wheel *wheel = wheel_new(1000);
	struct list_node due;

	list_init(&due);
	assert_true(timer_wheel_next(wheel) == UINT64_MAX);
	timer_wheel_advance(wheel, 1000 + 400 * TICKS_PER_DAY, &due);
	assert_true(list_is_empty(&due));
	assert_true(timer_wheel_next(wheel) == UINT64_MAX);
	free(wheel);
}

static void test_past_ticks_become_the_next_one(void **state)
{
	(void)state;
	struct timer_wheel *wheel = wheel_new(500);
	struct entry entry;
	struct list_node due;

	list_init(&due);
	entry_init(&entry);
	for (uint64_t at = 498; at <= 501; at++) {
		entry_start(wheel, &entry, at);
		assert_int_equal(timer_wheel_next(wheel), 501);
	}
	timer_wheel_advance(wheel, 500, &due);
	assert_true(list_is_empty(&due));
	timer_wheel_advance(wheel, 501, &due);
	assert_ptr_equal(take_due(&due), &entry);
	free(wheel);
}

/* Steps from hint to hint as the loop does, and returns the tick at which the
 * timer came. */
static uint64_t follow_hints(struct timer_wheel *wheel, struct entry *entry)
{
	struct list_node due;

	list_init(&due);
	for (unsigned steps = 0; steps <= WHEEL_LEVELS + 1; steps++) {
		uint64_t next = timer_wheel_next(wheel);

		assert_true(next > wheel->now);
		assert_true(next <= entry->due_at);
		timer_wheel_advance(wheel, next, &due);
		if (take_due(&due) == entry)
			return wheel->now;
	}
	fail_msg("more steps than levels");
	return 0;
}

/* Start and expiry on both sides of every level's border: exact to the tick. */
static void test_cascades_at_level_borders(void **state)
{
	(void)state;
	struct entry entry;

	entry_init(&entry);
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t border = UINT64_C(1) << (level * WHEEL_SLOT_BITS);

		for (uint64_t from = 0; from < 5; from++) {
			for (uint64_t to = 0; to < 5; to++) {
				uint64_t now = 7 * border + from - 2;
				uint64_t at = 7 * border + border * (to % 2) + to - 2;

				if (now > UINT64_MAX / 2 || at <= now)
					continue;
				struct timer_wheel *wheel = wheel_new(now);

				entry_start(wheel, &entry, at);
				assert_int_equal(follow_hints(wheel, &entry), at);
				free(wheel);
			}
		}
	}
}

static void test_one_leap_brings_all_in_order(void **state)
{
	(void)state;
	static const uint64_t delays[] = {
		1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262143, 262144, 30 * TICKS_PER_DAY,
	};
	struct entry entries[ARRAY_LEN(delays)];
	struct timer_wheel *wheel = wheel_new(4030);
	struct list_node due;

	list_init(&due);
	for (size_t i = ARRAY_LEN(delays); i-- > 0;) {
		entry_init(&entries[i]);
		entry_start(wheel, &entries[i], 4030 + delays[i]);
	}
	timer_wheel_advance(wheel, 4030 + 31 * TICKS_PER_DAY, &due);
	for (size_t i = 0; i < ARRAY_LEN(delays); i++)
		assert_ptr_equal(take_due(&due), &entries[i]);
	assert_true(list_is_empty(&due));
	free(wheel);
}

static void test_stopped_timers_only_cost_an_early_look(void **state)
{
	(void)state;
	struct timer_wheel *wheel = wheel_new(10);
	struct entry gone, stays;
	struct list_node due;

	list_init(&due);
	entry_init(&gone);
	entry_init(&stays);
	entry_start(wheel, &gone, 20);
	entry_start(wheel, &stays, 5000);
	list_remove(&gone.timer.node);
	uint64_t next = timer_wheel_next(wheel);

	assert_true(next <= 5000);
	timer_wheel_advance(wheel, next, &due);
	assert_true(list_is_empty(&due));
	assert_int_equal(follow_hints(wheel, &stays), 5000);
	free(wheel);
}

static uint64_t random_delay(void)
{
	static const uint64_t spans[] = {2, 64, 100, 4096, 70000, 300000, 30 * TICKS_PER_DAY};

	return random_next() % spans[random_next() % ARRAY_LEN(spans)];
}

/* What advance handed out must be exactly what the model says is due, by tick. */
static unsigned check_due(struct timer_wheel *wheel, struct entry *entries, size_t count,
			  struct list_node *due)
{
	uint64_t last = 0;
	unsigned came = 0;

	for (struct entry *entry; (entry = take_due(due)) != NULL; came++) {
		assert_true(entry->due_at != 0 && entry->due_at <= wheel->now);
		assert_true(entry->due_at >= last);
		last = entry->due_at;
		entry->due_at = 0;
	}
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < count; i++)
		if (entries[i].due_at != 0)
			first = MIN(first, entries[i].due_at);
	assert_true(first > wheel->now);
	assert_true(timer_wheel_next(wheel) <= first);
	return came;
}

static void random_change(struct timer_wheel *wheel, struct entry *entry)
{
	if (random_next() % 4 == 0) {
		list_remove(&entry->timer.node);
		entry->due_at = 0;
	} else {
		entry_start(wheel, entry, wheel->now + random_delay());
	}
}

static void test_random_against_model(void **state)
{
	(void)state;
	enum { COUNT = 200, STEPS = 20000 };
	struct entry *entries = calloc(COUNT, sizeof(*entries));
	struct timer_wheel *wheel = wheel_new(random_next() % (400 * TICKS_PER_DAY));
	struct list_node due;
	unsigned came = 0;

	list_init(&due);
	for (size_t i = 0; i < COUNT; i++)
		entry_init(&entries[i]);
	for (unsigned step = 0; step < STEPS; step++) {
		random_change(wheel, &entries[random_next() % COUNT]);
		uint64_t next = timer_wheel_next(wheel);
		uint64_t now = next != UINT64_MAX && random_next() % 2 == 0
				       ? next
				       : wheel->now + random_delay() / 16;

		timer_wheel_advance(wheel, now, &due);
		came += check_due(wheel, entries, COUNT, &due);
	}
	assert_true(came > STEPS / 10);
	free(entries);
	free(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_wheel_has_no_next),
		cmocka_unit_test(test_past_ticks_become_the_next_one),
		cmocka_unit_test(test_cascades_at_level_borders),
		cmocka_unit_test(test_one_leap_brings_all_in_order),
		cmocka_unit_test(test_stopped_timers_only_cost_an_early_look),
		cmocka_unit_test(test_random_against_model),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
