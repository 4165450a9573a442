/* SPDX-License-Identifier: Apache-2.0
 * test_limits_read.c - the limits table from its JSON: the way back, and what a stranger may
 * have sent. */
#include "limits_unit.h"

#include <string.h>

#include "diag/limits_json.h"

static void assert_same_row(const struct limit *got, const struct limit *want)
{
	const char *name = limit_label(want->id);

	ASSERT_ROW(got->id == want->id && got->state == want->state, name);
	ASSERT_ROW(want->state != LIMIT_KNOWN || got->value == want->value, name);
	ASSERT_ROW(got->has_used == want->has_used, name);
	ASSERT_ROW(!want->has_used || got->used == want->used, name);
	ASSERT_ROW(got->connections == want->connections, name);
	ASSERT_ROW(strcmp(got->source, want->source) == 0, name);
	ASSERT_ROW(strcmp(got->cost, want->cost) == 0, name);
	ASSERT_ROW(strcmp(got->note, want->note) == 0, name);
}

static void test_what_is_written_is_read(void **state)
{
	(void)state;
	for (uint64_t max_connections = 0; max_connections <= 77; max_connections += 77) {
		struct limits back;
		uint64_t connections = 0;
		struct world world;

		world_init(&world);
		world.input.connections = 12;
		world.config.server.max_connections = max_connections;
		world_build(&world);
		json_t *table = limits_json(&world.input, &world.limits, 0);

		assert_true(limits_json_read(table, &back, &connections));
		assert_int_equal(connections, 12);
		assert_int_equal(back.is_auto, max_connections == 0);
		assert_memory_equal(back.order, world.limits.order, sizeof(back.order));
		for (unsigned i = 0; i < LIMIT_ID_COUNT; i++)
			assert_same_row(&back.rows[i], &world.limits.rows[i]);
		assert_int_equal(limits_binding(&back)->id, limits_binding(&world.limits)->id);
		json_decref(table);
	}
}

static void test_remedies_are_those_of_the_table(void **state)
{
	(void)state;
	struct limit_remedy got[LIMIT_REMEDIES_MAX], want[LIMIT_REMEDIES_MAX];
	struct limits back;
	uint64_t connections;
	struct world world;

	world_init(&world);
	world.config.server.max_connections = 77;
	world_build(&world);
	json_t *table = limits_json(&world.input, &world.limits, 25000);

	assert_true(limits_json_read(table, &back, &connections));
	for (unsigned i = 0; i < LIMIT_ID_COUNT; i++) {
		const struct limit *row = &world.limits.rows[i];
		size_t count = limit_remedies(&world.input, row, 25000, want);

		ASSERT_ROW(limits_json_remedies(table, &back.rows[i], 25000, got) == count,
			   limit_label(i));
		for (size_t j = 0; j < count; j++)
			ASSERT_ROW(strcmp(got[j].place, want[j].place) == 0 &&
					   strcmp(got[j].text, want[j].text) == 0,
				   limit_label(i));
	}
	/* Nothing needs to be raised for what a row allows. */
	assert_int_equal(limits_json_remedies(table, &back.rows[LIMIT_ID_MAX_CONNECTIONS], 77, got),
			 0);
	json_decref(table);
}

static void test_what_is_no_table_is_refused(void **state)
{
	(void)state;
	static const char *const rows[] = {
		"{}",
		"[]",
		"{\"limits\": []}",
		"{\"limits\": 7, \"used\": 1}",
		"{\"limits\": [7, null, {}], \"used\": 1}",
		"{\"limits\": [{\"limit\": \"nofile\"}], \"used\": 1}",
		"{\"limits\": [{\"limit\": \"max_connections\"}]}",
		"{\"limits\": [{\"limit\": \"max_connections\"}], \"used\": -1}",
		"{\"limits\": [{\"limit\": \"max_connections\"}], \"used\": \"1\"}",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		json_t *table = json_loads(rows[i], 0, NULL);
		struct limits limits;
		uint64_t connections = 99;

		ASSERT_ROW(table != NULL && !limits_json_read(table, &limits, &connections),
			   rows[i]);
		json_decref(table);
	}
}

/* Unknown names and states, numbers that are none, texts that move a terminal's cursor. */
static void test_a_strange_table_does_no_harm(void **state)
{
	(void)state;
	static const char text[] =
		"{\"used\": 3, \"limits\": [{\"limit\": \"of the future\", \"value\": 1},"
		" {\"limit\": \"nofile\", \"state\": \"known\", \"value\": -5, \"note\": "
		"\"a\\u001b[2Jb\","
		"  \"remedies\": [7, {\"place\": \"moon\", \"text\": \"x\"}, {\"place\": \"shell\","
		"  \"text\": \"\\u0007\\u009bx\"}]},"
		" {\"limit\": \"nofile\", \"state\": \"known\", \"value\": 9},"
		" {\"limit\": \"max_connections\", \"state\": \"known\", \"value\": 5, \"used\": 3,"
		"  \"connections\": 5, \"note\": 8,"
		"  \"remedies\": [7, {\"place\": \"moon\", \"text\": \"x\"}, {\"place\": \"shell\","
		"  \"text\": \"\\u0007\\u009bx\"}]}]}";
	json_t *table = json_loads(text, 0, NULL);
	struct limit_remedy remedies[LIMIT_REMEDIES_MAX];
	struct limits limits;
	uint64_t connections;

	assert_true(limits_json_read(table, &limits, &connections));
	const struct limit *nofile = &limits.rows[LIMIT_ID_NOFILE];

	assert_int_equal(nofile->state, LIMIT_UNKNOWN);
	assert_string_equal(nofile->note, "a?[2Jb");
	assert_int_equal(limits.order[0], LIMIT_ID_MAX_CONNECTIONS);
	assert_int_equal(limits.rows[LIMIT_ID_MEMORY].state, LIMIT_UNKNOWN);
	assert_string_equal(limits.rows[LIMIT_ID_MEMORY].note, "it does not tell of this limit");
	assert_int_equal(limits_binding(&limits)->id, LIMIT_ID_MAX_CONNECTIONS);
	assert_int_equal(limits_json_remedies(table, limits_binding(&limits), 10, remedies), 1);
	assert_string_equal(remedies[0].place, "shell");
	assert_string_equal(remedies[0].text, "???x");
	json_decref(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_written_is_read),
		cmocka_unit_test(test_remedies_are_those_of_the_table),
		cmocka_unit_test(test_what_is_no_table_is_refused),
		cmocka_unit_test(test_a_strange_table_does_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
