/* SPDX-License-Identifier: Apache-2.0
 * test_limits_watch.c - the limits of a gateway that runs: when it is said that one is
 * nearly used up, what a connection costs, and the table as JSON. */
#include "limits_unit.h"

#include "diag/limits_json.h"
#include "diag/limits_watch.h"

/* --- nearly used up --- */

static void test_each_crossing_is_said_once(void **state)
{
	(void)state;
	static const struct {
		uint64_t used; /* of 100 */
		unsigned want; /* mark that is said; 0: none */
	} steps[] = {
		{0, 0},  {79, 0},  {81, 80}, {79, 0},  {80, 0},  {79, 0},  {76, 0},  {80, 0},
		{75, 0}, {80, 80}, {94, 0},  {95, 95}, {100, 0}, {94, 0},  {95, 0},  {91, 0},
		{95, 0}, {90, 0},  {94, 0},  {95, 95}, {70, 0},  {97, 95}, {200, 0}, {0, 0},
	};
	struct limits_watch watch = {0};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct limits_crossing out[LIMIT_ID_COUNT];
		struct world world;

		world_init(&world);
		world.config.server.max_connections = 100;
		world.input.connections = steps[i].used;
		world_build(&world);
		size_t count = limits_watch_update(&watch, &world.limits, out);

		if (count != (steps[i].want != 0))
			fail_msg("step %zu (%" PRIu64 "): %zu crossings", i, steps[i].used, count);
		if (count == 1) {
			assert_int_equal(out[0].id, LIMIT_ID_MAX_CONNECTIONS);
			assert_int_equal(out[0].mark, steps[i].want);
		}
	}
}

static void test_a_limit_that_cannot_be_read_for_a_while_keeps_its_mark(void **state)
{
	(void)state;
	static const uint64_t used[] = {90, UNKNOWN, 90, 50, 90};
	static const size_t want[] = {1, 0, 0, 0, 1};
	struct limits_watch watch = {0};

	for (size_t i = 0; i < ARRAY_LEN(used); i++) {
		struct limits_crossing out[LIMIT_ID_COUNT];
		struct world world;

		world_init(&world);
		world.os.tcp_mem_max_bytes = known(100);
		fact_change(&world, &(struct change){FACT(tcp_mem_used_bytes), used[i]});
		world_build(&world);
		assert_int_equal(limits_watch_update(&watch, &world.limits, out), want[i]);
	}
}

static void test_losses_are_said_as_they_rise(void **state)
{
	(void)state;
	static const struct {
		uint64_t drops;
		uint64_t want; /* increase that is said */
	} steps[] = {{UNKNOWN, 0}, {500, 0}, {500, 0}, {507, 7}, {507, 0},
		     {UNKNOWN, 0}, {509, 2}, {3, 0},   {4, 1}};
	struct limits_watch watch = {0};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct limits_crossing out[LIMIT_ID_COUNT];
		struct world world;

		world_init(&world);
		fact_change(&world, &(struct change){FACT(listen_drops), steps[i].drops});
		world_build(&world);
		size_t count = limits_watch_update(&watch, &world.limits, out);

		assert_int_equal(count, steps[i].want != 0);
		if (count == 1) {
			assert_int_equal(out[0].id, LIMIT_ID_LISTEN_DROPS);
			assert_int_equal(out[0].mark, 0);
			assert_int_equal(out[0].increase, steps[i].want);
		}
	}
}

/* --- what a connection costs --- */

static void test_cost_is_measured_where_it_can_be_believed(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint64_t connections;
		uint64_t sockets; /* more than before, like the bytes below */
		uint64_t slab;
		uint64_t anon;
		uint64_t want; /* 0: assumed; with 1024 for inode and directory entry */
	} cases[] = {
		{"one socket each", 10000, 10000, 45000000, 5000000, 6024},
		{"both ends on this machine", 10000, 20000, 90000000, 5000000, 6024},
		{"our memory did not grow", 10000, 10000, 45000000, 0, 5524},
		{"too few", 999, 10000, 45000000, 5000000, 0},
		{"just enough", 1000, 1000, 4500000, 500000, 6024},
		{"fewer sockets than can be seen", 10000, 999, 4500000, 5000000, 0},
		{"no sockets", 10000, 0, 45000000, 5000000, 0},
		{"too cheap", 10000, 10000, 10000000, 0, 0},
		{"the least to be believed", 10000, 10000, 10240000, 0, 2048},
		{"too dear", 1000, 1000, 262145000, 0, 0},
		{"the most to be believed", 1000, 1000, 262144000, 0, 263168},
		{"far too dear", 1000, 1000, UINT64_MAX / 2, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct world before;
		struct world now;

		world_init(&before);
		world_init(&now);
		now.os.tcp_sockets.value += cases[i].sockets;
		now.os.slab_bytes.value += cases[i].slab;
		now.os.resident_anon_bytes.value += cases[i].anon;
		struct limit_cost cost = limit_cost_measure(&before.os, &now.os,
							    cases[i].connections);

		ASSERT_ROW(cost.is_measured == (cases[i].want != 0), cases[i].name);
		ASSERT_ROW(cost.bytes ==
				   (cases[i].want != 0 ? cases[i].want : LIMIT_COST_ASSUMED_BYTES),
			   cases[i].name);
	}
}

static void test_cost_is_assumed_where_a_fact_is_missing_or_shrinks(void **state)
{
	(void)state;
	static const size_t facts[] = {FACT(tcp_sockets), FACT(slab_bytes),
				       FACT(resident_anon_bytes)};

	for (size_t i = 0; i < 2 * ARRAY_LEN(facts); i++) {
		struct world before;
		struct world now;

		world_init(&before);
		world_init(&now);
		now.os.tcp_sockets.value += 10000;
		now.os.slab_bytes.value += 45000000;
		assert_true(limit_cost_measure(&before.os, &now.os, 10000).is_measured);
		fact_change(i % 2 == 0 ? &before : &now, &(struct change){facts[i / 2], UNKNOWN});
		assert_false(limit_cost_measure(&before.os, &now.os, 10000).is_measured);
	}
	struct world before;
	struct world now;

	world_init(&before);
	world_init(&now);
	now.os.tcp_sockets.value += 10000;
	now.os.slab_bytes.value -= 50 * MIB;
	assert_false(limit_cost_measure(&before.os, &now.os, 10000).is_measured);
}

/* --- JSON --- */

static const json_t *json_row(const json_t *table, const char *label)
{
	const json_t *array = json_object_get(table, "limits");
	size_t i;
	json_t *row;

	json_array_foreach(array, i, row)
	{
		if (strcmp(json_string_value(json_object_get(row, "limit")), label) == 0)
			return row;
	}
	fail_msg("no row %s", label);
	return NULL;
}

static void test_json_has_every_member_of_every_row(void **state)
{
	(void)state;
	static const char *const texts[] = {"limit", "scope",  "kind",   "state", "unit",
					    "cost",  "source", "set_by", "note"};
	static const char *const numbers[] = {"value", "used", "connections"};
	struct world world;

	world_init(&world);
	world.input.connections = 12;
	world_build(&world);
	json_t *table = limits_json(&world.input, &world.limits, 0);
	const json_t *array = json_object_get(table, "limits");
	size_t i;
	json_t *row;

	assert_int_equal(json_object_size(table), 5);
	assert_int_equal(json_array_size(array), LIMIT_ID_COUNT);
	json_array_foreach(array, i, row)
	{
		assert_int_equal(json_object_size(row), ARRAY_LEN(texts) + ARRAY_LEN(numbers) + 1);
		for (size_t j = 0; j < ARRAY_LEN(texts); j++)
			assert_true(json_is_string(json_object_get(row, texts[j])));
		for (size_t j = 0; j < ARRAY_LEN(numbers); j++)
			assert_true(json_is_integer(json_object_get(row, numbers[j])) ||
				    json_is_null(json_object_get(row, numbers[j])));
		assert_true(json_is_array(json_object_get(row, "remedies")));
		assert_string_equal(json_string_value(json_object_get(row, "limit")),
				    limit_label(world.limits.order[i]));
	}
	json_decref(table);
}

static void test_json_of_one_machine(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.input.connections = 12;
	world_build(&world);
	json_t *table = limits_json(&world.input, &world.limits, 25000);

	assert_string_equal(json_string_value(json_object_get(table, "binding")), "nofile");
	assert_string_equal(json_string_value(json_object_get(table, "next")), "fs.file-max");
	assert_int_equal(json_integer_value(json_object_get(table, "connections")), 19436);
	assert_int_equal(json_integer_value(json_object_get(table, "used")), 12);
	const json_t *nofile = json_row(table, "nofile");
	const json_t *remedy = json_array_get(json_object_get(nofile, "remedies"), 2);

	assert_int_equal(json_integer_value(json_object_get(nofile, "value")), 20000);
	assert_string_equal(json_string_value(json_object_get(remedy, "place")), "systemd");
	assert_string_equal(json_string_value(json_object_get(remedy, "text")),
			    "LimitNOFILE=25564");
	const json_t *pids = json_row(table, "pids.max");

	assert_string_equal(json_string_value(json_object_get(pids, "state")), "unlimited");
	assert_true(json_is_null(json_object_get(pids, "value")));
	assert_true(json_is_null(json_object_get(pids, "connections")));
	json_decref(table);
}

/* Without a wish, the remedies are for twice what can be held. */
static void test_json_without_a_wish(void **state)
{
	(void)state;
	struct world world;

	world_init(&world);
	world.config.server.max_connections = 77;
	world_build(&world);
	json_t *table = limits_json(&world.input, &world.limits, 0);
	const json_t *remedy = json_array_get(
		json_object_get(json_row(table, "max_connections"), "remedies"), 0);

	assert_string_equal(json_string_value(json_object_get(remedy, "text")),
			    "server.max_connections: 154");
	json_decref(table);
}

static void test_json_of_nothing_known(void **state)
{
	(void)state;
	struct os_limits nothing = {0};
	struct limits_input input = {.os = &nothing, .cost = {.bytes = 1}};
	struct limits limits;

	limits_build(&input, &limits);
	json_t *table = limits_json(&input, &limits, 0);

	assert_true(json_is_null(json_object_get(table, "binding")));
	assert_true(json_is_null(json_object_get(table, "next")));
	assert_true(json_is_null(json_object_get(table, "connections")));
	json_decref(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_crossing_is_said_once),
		cmocka_unit_test(test_a_limit_that_cannot_be_read_for_a_while_keeps_its_mark),
		cmocka_unit_test(test_losses_are_said_as_they_rise),
		cmocka_unit_test(test_cost_is_measured_where_it_can_be_believed),
		cmocka_unit_test(test_cost_is_assumed_where_a_fact_is_missing_or_shrinks),
		cmocka_unit_test(test_json_has_every_member_of_every_row),
		cmocka_unit_test(test_json_of_one_machine),
		cmocka_unit_test(test_json_without_a_wish),
		cmocka_unit_test(test_json_of_nothing_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
