/* SPDX-License-Identifier: Apache-2.0
 * test_drain_plan.c - who is let go when, and the states of a drain, with a clock of the test's
 * own. */
#include "unit.h"

#include "base/clock.h"
#include "server/drain.h"

#define CLIENTS 10000
#define BEGIN   (1000 * NS_PER_S)
#define OVER    (300 * NS_PER_S)

static const struct drain_scope all = {.percent = 100};

/* The same order in each run. */
static struct drain_plan plan_of(const struct drain_scope *scope)
{
	struct random_source random = {0};
	struct drain_plan plan;

	drain_plan_init(&plan, scope, &random);
	plan.key = (struct siphash_key){{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
	plan.begin_ns = BEGIN;
	plan.end_ns = BEGIN + OVER;
	return plan;
}

static uint64_t due(const struct drain_plan *plan, uint64_t id)
{
	uint32_t place = 0;

	assert_true(drain_plan_place(plan, id, &place));
	return drain_plan_due_ns(plan, place);
}

/* How many of ids 1..CLIENTS are due in each tenth of [from_ns, from_ns + over_ns]. */
static void tenths(const struct drain_plan *plan, uint64_t from_ns, uint64_t over_ns,
		   unsigned out_counts[10])
{
	memset(out_counts, 0, 10 * sizeof(out_counts[0]));
	for (uint64_t id = 1; id <= CLIENTS; id++) {
		uint64_t due_ns = due(plan, id);

		assert_true(due_ns >= plan->begin_ns && due_ns <= plan->end_ns);
		if (due_ns > from_ns && due_ns <= from_ns + over_ns)
			out_counts[MIN((due_ns - from_ns) * 10 / over_ns, UINT64_C(9))]++;
	}
}

static void test_each_tenth_has_its_share(void **state)
{
	struct drain_plan plan = plan_of(&all);
	unsigned counts[10];

	(void)state;
	tenths(&plan, BEGIN, OVER, counts);
	for (size_t i = 0; i < 10; i++)
		assert_true(counts[i] > CLIENTS / 10 * 9 / 10 &&
			    counts[i] < CLIENTS / 10 * 11 / 10);
}

/* Ids that follow each other, those of one worker, or those that came by one burst. */
static void test_the_order_is_at_random(void **state)
{
	struct drain_plan plan = plan_of(&all);
	unsigned later = 0, of_odd[2] = {0, 0};

	(void)state;
	for (uint64_t id = 1; id <= CLIENTS; id++) {
		later += due(&plan, id + 1) > due(&plan, id);
		if (due(&plan, id) < BEGIN + OVER / 2)
			of_odd[id % 2]++;
	}
	assert_in_range(later, CLIENTS * 45 / 100, CLIENTS * 55 / 100);
	assert_in_range(of_odd[0], CLIENTS * 22 / 100, CLIENTS * 28 / 100);
	assert_in_range(of_odd[1], CLIENTS * 22 / 100, CLIENTS * 28 / 100);
}

static void test_another_drain_has_another_order(void **state)
{
	struct random_source random = {0};
	struct drain_plan one = plan_of(&all), other;
	unsigned same = 0;

	(void)state;
	drain_plan_init(&other, &all, &random);
	other.begin_ns = one.begin_ns;
	other.end_ns = one.end_ns;
	for (uint64_t id = 1; id <= CLIENTS; id++)
		same += due(&one, id) == due(&other, id);
	assert_true(same < CLIENTS / 100);
}

/* Of those that are left at any time, the rest of the time has the same share in each tenth. */
static void test_whoever_leaves_leaves_an_even_rest(void **state)
{
	struct drain_plan plan = plan_of(&all);
	unsigned counts[2] = {0, 0};

	(void)state;
	for (uint64_t id = 1; id <= CLIENTS; id++)
		if (id % 3 == 0) /* two of three went by themselves */
			counts[due(&plan, id) > BEGIN + OVER / 2]++;
	assert_in_range(counts[0], CLIENTS * 15 / 100, CLIENTS * 18 / 100);
	assert_in_range(counts[1], CLIENTS * 15 / 100, CLIENTS * 18 / 100);
}

static void test_another_pace_keeps_the_order(void **state)
{
	struct drain_plan plan = plan_of(&all), before = plan;
	uint64_t now_ns = BEGIN + OVER / 4;
	unsigned counts[10], passed = 0;

	(void)state;
	drain_plan_pace(&plan, now_ns, 40 * NS_PER_S);
	assert_true(plan.end_ns == now_ns + 40 * NS_PER_S);
	for (uint64_t id = 1; id <= CLIENTS; id++) {
		bool was_due = due(&before, id) <= now_ns;

		passed += was_due;
		assert_true(was_due == (due(&plan, id) <= now_ns));
		/* In ms, so that neighbours may be equal. */
		if (id > 1 && due(&before, id) > due(&before, id - 1))
			assert_true(due(&plan, id) >= due(&plan, id - 1));
	}
	assert_in_range(passed, CLIENTS * 23 / 100, CLIENTS * 27 / 100);
	tenths(&plan, now_ns, 40 * NS_PER_S, counts);
	for (size_t i = 0; i < 10; i++)
		assert_in_range(counts[i], CLIENTS * 75 / 1000 * 85 / 100,
				CLIENTS * 75 / 1000 * 115 / 100);
}

/* Before it has begun, and when it is over. */
static void test_another_pace_at_the_ends(void **state)
{
	struct drain_plan plan = plan_of(&all);

	(void)state;
	drain_plan_pace(&plan, BEGIN - 10 * NS_PER_S, NS_PER_S);
	assert_true(plan.begin_ns == BEGIN && plan.end_ns == BEGIN + NS_PER_S && plan.from == 0);
	drain_plan_pace(&plan, BEGIN + OVER, 5 * NS_PER_S);
	for (uint64_t id = 1; id <= 100; id++)
		assert_true(due(&plan, id) <= BEGIN + OVER);
}

static void test_at_once(void **state)
{
	struct drain_plan plan = plan_of(&all);

	(void)state;
	plan.end_ns = plan.begin_ns;
	for (uint64_t id = 1; id <= 100; id++)
		assert_true(due(&plan, id) == BEGIN);
	drain_plan_pace(&plan, BEGIN, 0);
	for (uint64_t id = 1; id <= 100; id++)
		assert_true(due(&plan, id) == BEGIN);
}

static void test_percent(void **state)
{
	static const unsigned percents[] = {1, 20, 50, 99, 100};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(percents); i++) {
		struct drain_plan plan = plan_of(&(struct drain_scope){.percent = percents[i]});
		unsigned meant = 0, early = 0;
		uint32_t place;

		for (uint64_t id = 1; id <= CLIENTS; id++) {
			if (!drain_plan_place(&plan, id, &place))
				continue;
			meant++;
			early += drain_plan_due_ns(&plan, place) <= BEGIN + OVER / 2;
		}
		unsigned want = CLIENTS / 100 * percents[i];

		assert_in_range(meant, want - want / 5 - 15, MIN(want + want / 5 + 15, CLIENTS));
		assert_in_range(early, meant * 2 / 5, meant * 3 / 5);
	}
}

static void test_who_came_later_is_not_meant(void **state)
{
	struct drain_plan plan = plan_of(&all);
	uint32_t place = 99;

	(void)state;
	plan.last_id = 7;
	assert_true(drain_plan_place(&plan, 7, &place));
	place = 99;
	assert_false(drain_plan_place(&plan, 8, &place));
	assert_int_equal(place, 99);
}

/* A day, in ns, times a place, would not fit into 64 bits. */
static void test_the_longest(void **state)
{
	struct drain_plan plan = plan_of(&all);

	(void)state;
	plan.end_ns = plan.begin_ns + 86400 * NS_PER_S;
	assert_true(drain_plan_due_ns(&plan, UINT32_MAX) == plan.end_ns);
	assert_true(drain_plan_due_ns(&plan, UINT32_MAX / 2) / NS_PER_S ==
		    (plan.begin_ns / NS_PER_S) + 43199);
}

/* --- states --- */

struct flags {
	bool is_draining, is_refusing;
};

static const struct drain_order order_all = {
	.scope = {.percent = 100}, .over_ns = 10 * NS_PER_S, .last_id = UINT64_MAX};

static enum drain_state state_at(struct drain *drain, uint64_t now_ns)
{
	struct drain_view view;

	drain_look(drain, now_ns, &view);
	return view.state;
}

static void test_a_full_one(void **state)
{
	struct flags flags = {0};
	struct drain drain;
	struct drain_order order = order_all;

	(void)state;
	order.delay_ns = 5 * NS_PER_S;
	drain_init(&drain, &flags.is_draining, &flags.is_refusing);
	assert_true(state_at(&drain, BEGIN) == DRAIN_NONE);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_STARTED);
	assert_true(flags.is_draining && !flags.is_refusing);
	assert_true(state_at(&drain, BEGIN + 4 * NS_PER_S) == DRAIN_WAITING);
	assert_false(drain_complete(&drain, 1, BEGIN + 4 * NS_PER_S));
	assert_true(state_at(&drain, BEGIN + 5 * NS_PER_S) == DRAIN_UNDER_WAY);
	assert_true(flags.is_refusing);
	assert_false(drain_complete(&drain, 2, BEGIN + 6 * NS_PER_S)); /* about another */
	assert_true(drain_complete(&drain, 1, BEGIN + 6 * NS_PER_S));
	assert_false(drain_complete(&drain, 1, BEGIN + 6 * NS_PER_S));
	assert_true(state_at(&drain, BEGIN + 7 * NS_PER_S) == DRAIN_DONE);
	assert_true(flags.is_draining && flags.is_refusing);
	assert_true(drain_cancel(&drain, BEGIN + 8 * NS_PER_S) == DRAIN_STOPPED);
	assert_true(!flags.is_draining && !flags.is_refusing);
	assert_true(drain_cancel(&drain, BEGIN + 8 * NS_PER_S) == DRAIN_IDLE);
	drain_finish(&drain);
}

static void test_a_partial_one(void **state)
{
	struct flags flags = {0};
	struct drain drain;
	struct drain_order order = order_all;
	struct drain_view view;

	(void)state;
	order.scope.percent = 20;
	drain_init(&drain, &flags.is_draining, &flags.is_refusing);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_STARTED);
	assert_true(!flags.is_draining && !flags.is_refusing);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_CHANGED);
	order.scope.percent = 21;
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_CONFLICT);
	assert_true(drain_begin(&drain, &order_all, BEGIN) == DRAIN_STARTED);
	assert_true(flags.is_draining && flags.is_refusing);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_CONFLICT);
	assert_true(drain_look(&drain, BEGIN, &view) && view.number == 2);
	assert_true(drain_cancel(&drain, BEGIN) == DRAIN_STOPPED);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_STARTED);
	assert_true(drain_complete(&drain, 3, BEGIN));
	assert_false(drain_look(&drain, BEGIN, &view)); /* nothing more to do */
	assert_true(drain_cancel(&drain, BEGIN) == DRAIN_IDLE);
	drain_finish(&drain);
}

static void test_the_end_is_not_cancelled(void **state)
{
	struct flags flags = {0};
	struct drain drain;
	struct drain_order order = order_all, part = order_all;
	struct drain_view view;

	(void)state;
	order.is_ending = true;
	part.scope.percent = 20;
	drain_init(&drain, &flags.is_draining, &flags.is_refusing);
	assert_true(drain_begin(&drain, &part, BEGIN) == DRAIN_STARTED);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_STARTED);
	assert_true(drain_begin(&drain, &part, BEGIN) == DRAIN_ENDING);
	assert_true(drain_begin(&drain, &order_all, BEGIN) == DRAIN_CHANGED);
	assert_true(drain_look(&drain, BEGIN, &view) && view.is_ending);
	assert_true(drain_cancel(&drain, BEGIN) == DRAIN_ENDING);
	assert_true(flags.is_draining && flags.is_refusing);
	drain_finish(&drain);
}

/* SIGTERM without a spread: what was begun before cannot be cancelled either. */
static void test_the_end_at_once(void **state)
{
	struct flags flags = {0};
	struct drain drain;

	(void)state;
	drain_init(&drain, &flags.is_draining, &flags.is_refusing);
	drain_end(&drain);
	assert_true(flags.is_draining);
	assert_true(drain_begin(&drain, &order_all, BEGIN) == DRAIN_ENDING);
	assert_true(drain_cancel(&drain, BEGIN) == DRAIN_ENDING);
	drain_finish(&drain);
}

/* It was not ready for long enough when SIGTERM came. */
static void test_the_delay_is_waited_for_once(void **state)
{
	struct flags flags = {0};
	struct drain drain;
	struct drain_order order = order_all;
	struct drain_view view;

	(void)state;
	order.delay_ns = 5 * NS_PER_S;
	drain_init(&drain, &flags.is_draining, &flags.is_refusing);
	assert_true(drain_begin(&drain, &order, BEGIN) == DRAIN_STARTED);
	order.is_ending = true;
	assert_true(drain_begin(&drain, &order, BEGIN + 3 * NS_PER_S) == DRAIN_STARTED);
	drain_look(&drain, BEGIN + 3 * NS_PER_S, &view);
	assert_true(view.plan.begin_ns == BEGIN + 5 * NS_PER_S);
	drain_finish(&drain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_tenth_has_its_share),
		cmocka_unit_test(test_the_order_is_at_random),
		cmocka_unit_test(test_another_drain_has_another_order),
		cmocka_unit_test(test_whoever_leaves_leaves_an_even_rest),
		cmocka_unit_test(test_another_pace_keeps_the_order),
		cmocka_unit_test(test_another_pace_at_the_ends),
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_percent),
		cmocka_unit_test(test_who_came_later_is_not_meant),
		cmocka_unit_test(test_the_longest),
		cmocka_unit_test(test_a_full_one),
		cmocka_unit_test(test_a_partial_one),
		cmocka_unit_test(test_the_end_is_not_cancelled),
		cmocka_unit_test(test_the_end_at_once),
		cmocka_unit_test(test_the_delay_is_waited_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
