/* SPDX-License-Identifier: Apache-2.0
 * test_claim.c - which of several connections of one client stays, as every node sees it. */
#include "unit.h"

#include "fleet/takeover/claim.h"

/* The time decides, then the node's name, then the connection. */
static const struct client_claim base = {"b", 1000, 50, 3};

static const struct {
	const char *name;
	struct client_claim other;
	enum claim_verdict newest; /* of `base` beside `other` */
	enum claim_verdict oldest;
} cases[] = {
	{"itself", {"b", 1000, 50, 3}, CLAIM_COEXISTS, CLAIM_COEXISTS},
	{"itself, heard with another generation",
	 {"b", 1000, 50, 9},
	 CLAIM_COEXISTS,
	 CLAIM_COEXISTS},
	{"later", {"a", 1001, 1, 1}, CLAIM_YIELDS, CLAIM_STAYS},
	{"earlier", {"c", 999, 99, 9}, CLAIM_STAYS, CLAIM_YIELDS},
	{"at once, a node behind", {"c", 1000, 1, 1}, CLAIM_YIELDS, CLAIM_STAYS},
	{"at once, a node before", {"a", 1000, 99, 9}, CLAIM_STAYS, CLAIM_YIELDS},
	{"at once, a node whose name begins alike", {"bb", 1000, 1, 1}, CLAIM_YIELDS, CLAIM_STAYS},
	{"at once, same node, later connection", {"b", 1000, 51, 1}, CLAIM_YIELDS, CLAIM_STAYS},
	{"at once, same node, earlier connection", {"b", 1000, 49, 9}, CLAIM_STAYS, CLAIM_YIELDS},
};

static enum claim_verdict opposite(enum claim_verdict verdict)
{
	return verdict == CLAIM_STAYS    ? CLAIM_YIELDS
	       : verdict == CLAIM_YIELDS ? CLAIM_STAYS
					 : CLAIM_COEXISTS;
}

static void test_both_sides_come_to_the_same_end(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct client_claim *other = &cases[i].other;

		ASSERT_ROW(claim_judge(DIRECTORY_NEWEST, &base, other) == cases[i].newest,
			   cases[i].name);
		ASSERT_ROW(claim_judge(DIRECTORY_NEWEST, other, &base) == opposite(cases[i].newest),
			   cases[i].name);
		ASSERT_ROW(claim_judge(DIRECTORY_OLDEST, &base, other) == cases[i].oldest,
			   cases[i].name);
		ASSERT_ROW(claim_judge(DIRECTORY_OLDEST, other, &base) == opposite(cases[i].oldest),
			   cases[i].name);
		ASSERT_ROW(claim_judge(DIRECTORY_MANY, &base, other) == CLAIM_COEXISTS,
			   cases[i].name);
	}
}

/* Whoever hears whom, and in whatever order: among any number exactly one yields to nobody. */
static void test_one_of_all_stays(void **state)
{
	static const enum directory_policy policies[] = {DIRECTORY_NEWEST, DIRECTORY_OLDEST};
	(void)state;
	for (size_t p = 0; p < ARRAY_LEN(policies); p++) {
		unsigned staying = 0;

		/* The first row is `base` itself; the second is the same connection again. */
		for (size_t i = 1; i < ARRAY_LEN(cases); i++) {
			unsigned yields = 0;

			for (size_t j = 1; j < ARRAY_LEN(cases); j++)
				yields += claim_judge(policies[p], &cases[i].other,
						      &cases[j].other) == CLAIM_YIELDS;
			staying += yields == 0;
		}
		assert_int_equal(staying, 1);
	}
}

static void test_a_successor_is_later_also_by_a_slow_clock(void **state)
{
	static const struct {
		const char *name;
		uint64_t own_ms, holder_ms, want_ms;
	} rows[] = {
		{"later", 2000, 1000, 2000},
		{"the same millisecond", 1000, 1000, 1001},
		{"a clock that is behind", 10, 1000, 1001},
		{"the last millisecond there is", 10, (UINT64_C(1) << 44) - 1, 10},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct client_claim own = {"a", rows[i].own_ms, 0, 0};
		struct client_claim holder = {"b", rows[i].holder_ms, 7, 4};

		claim_succeed(&own, &holder);
		ASSERT_ROW(own.since_ms == rows[i].want_ms, rows[i].name);
		ASSERT_ROW(own.generation == 5, rows[i].name);
	}
}

/* --- as JSON --- */

static void test_json_round_trip(void **state)
{
	struct client_claim again;
	json_t *json = claim_json(&base);

	(void)state;
	assert_true(claim_read(json, &again));
	assert_string_equal(again.node, "b");
	assert_int_equal(again.since_ms, 1000);
	assert_int_equal(again.connection_id, 50);
	assert_int_equal(again.generation, 3);
	json_decref(json);
}

static void test_what_is_no_claim_writes_nothing(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{}",
		"{\"since\":1,\"connection_id\":2,\"generation\":3}",
		"{\"node\":5,\"since\":1,\"connection_id\":2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":\"1\",\"connection_id\":2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":1.5,\"connection_id\":2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":-1,\"connection_id\":2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":281474976710656,\"connection_id\":2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":1,\"connection_id\":-2,\"generation\":3}",
		"{\"node\":\"a\",\"since\":1,\"connection_id\":2,\"generation\":4294967295}",
		"{\"node\":\"a\",\"since\":1,\"connection_id\":2}",
	};
	struct client_claim claim = {"untouched", 1, 2, 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		json_t *json = json_loads(texts[i], 0, NULL);

		ASSERT_ROW(json != NULL && !claim_read(json, &claim), texts[i]);
		ASSERT_ROW(strcmp(claim.node, "untouched") == 0 && claim.generation == 3, texts[i]);
		json_decref(json);
	}
	assert_false(claim_read(NULL, &claim));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_sides_come_to_the_same_end),
		cmocka_unit_test(test_one_of_all_stays),
		cmocka_unit_test(test_a_successor_is_later_also_by_a_slow_clock),
		cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_what_is_no_claim_writes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
