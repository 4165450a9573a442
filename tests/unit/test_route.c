/* SPDX-License-Identifier: Apache-2.0
 * test_route.c - which route a path finds, and with which client id. */
#include "unit.h"

#include "route/route.h"

static const char *const paths[] = {"/ws/{client_id}", "/ws/status", "/{client_id}/b",
				    "/a/{client_id}",  "/",          "/deep/{client_id}/x",
				    "/ws/admin/"};

static struct config_route routes[ARRAY_LEN(paths)];

/* `reversed` gives the routes in the other order: it must not matter. */
static struct route_table *table_of(bool reversed)
{
	static struct route_loads *loads;
	static struct ruleset ruleset = {
		.references = 1, .config = {.routes = routes, .route_count = ARRAY_LEN(paths)}};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		routes[reversed ? ARRAY_LEN(paths) - 1 - i : i] = (struct config_route){
			.path = (char *)(uintptr_t)paths[i], /* only read */
			.name = (char *)(uintptr_t)paths[i],
			.backend = (char *)(uintptr_t)CONFIG_ECHO,
		};
	if (loads == NULL)
		loads = route_loads_create(1);
	assert_non_null(loads);
	struct route_table *table = route_table_create(&ruleset, NULL, loads);

	assert_non_null(table);
	return table;
}

/* In an allocation of its exact size, so that a sanitizer sees a read past its end. */
static enum route_result match(const struct route_table *table, const char *path, size_t len,
			       struct route_match *out_match)
{
	uint8_t *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, path, len);
	enum route_result r = route_table_match(table, slice_of(copy, len), out_match);

	free(copy);
	return r;
}

static const struct {
	const char *name;
	const char *path;
	const char *route; /* NULL: none */
	const char *id;    /* NULL: none */
} found[] = {
	{"parameter", "/ws/dev-1", "/ws/{client_id}", "dev-1"},
	{"literal before parameter", "/ws/status", "/ws/status", NULL},
	{"literal is case-sensitive", "/ws/Status", "/ws/{client_id}", "Status"},
	{"a literal is compared as it came", "/ws/%73tatus", "/ws/{client_id}", "status"},
	{"the leftmost literal wins", "/a/b", "/a/{client_id}", "b"},
	{"parameter first", "/z/b", "/{client_id}/b", "z"},
	{"parameter in the middle", "/deep/q/x", "/deep/{client_id}/x", "q"},
	{"root", "/", "/", NULL},
	{"a trailing slash that the route has", "/ws/admin/", "/ws/admin/", NULL},
	{"a trailing slash that it does not have", "/ws/dev-1/", NULL, NULL},
	{"empty segment is no id", "/ws/", NULL, NULL},
	{"empty segment in the middle", "/deep//x", NULL, NULL},
	{"doubled slash", "//ws/dev-1", NULL, NULL},
	{"too short", "/ws", NULL, NULL},
	{"too long", "/deep/q/x/y", NULL, NULL},
	{"no path", "", NULL, NULL},
	{"asterisk", "*", NULL, NULL},
	{"no slash at the start", "xws/dev-1", NULL, NULL},
	{"decoded", "/ws/a%20b%c3%A9", "/ws/{client_id}", "a b\xc3\xa9"},
	{"an encoded slash does not end the segment", "/ws/a%2Fb", "/ws/{client_id}", "a/b"},
	{"an encoded percent is decoded once", "/ws/%2541", "/ws/{client_id}", "%41"},
	{"plus stays", "/ws/a+b", "/ws/{client_id}", "a+b"},
	{"dots", "/ws/%2e.", "/ws/{client_id}", ".."},
	{"a space", "/ws/%20", "/ws/{client_id}", " "},
	{"wildcards", "/ws/%2A.%3E*", "/ws/{client_id}", "*.>*"},
	{"a brace is no parameter", "/ws/{client_id}", "/ws/{client_id}", "{client_id}"},
	{"emoji", "/ws/%F0%9F%98%80", "/ws/{client_id}", "\xf0\x9f\x98\x80"},
	{"not UTF-8: for the caller to judge", "/ws/%ff", "/ws/{client_id}", "\xff"},
};

static void test_a_path_finds_its_route_and_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_LEN(found); i++) {
		const char *name = found[i / 2].name;
		struct route_table *table = table_of(i % 2 == 1);
		struct route_match got = {.problem = "untouched"};
		enum route_result r = match(table, found[i / 2].path, strlen(found[i / 2].path),
					    &got);

		if (found[i / 2].route == NULL) {
			ASSERT_ROW(r == ROUTE_NONE, name);
			ASSERT_ROW(got.route == NULL && strcmp(got.problem, "untouched") == 0,
				   name);
			route_table_destroy(&table);
			continue;
		}
		ASSERT_ROW(r == ROUTE_FOUND, name);
		ASSERT_ROW(strcmp(got.route->config->path, found[i / 2].route) == 0, name);
		ASSERT_ROW(got.route->backend == &backend_echo, name);
		if (found[i / 2].id == NULL)
			ASSERT_ROW(got.client_id == NULL, name);
		else
			ASSERT_ROW(got.client_id != NULL &&
					   strcmp(got.client_id, found[i / 2].id) == 0,
				   name);
		free(got.client_id);
		route_table_destroy(&table);
		assert_null(table);
	}
}

static void test_slashes_are_merged_where_the_route_says_so(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *path;
		const char *route; /* NULL: none */
		const char *id;
	} rows[] = {
		{"as it should be", "/ws/dev-1", "/ws/{client_id}", "dev-1"},
		{"doubled everywhere", "//ws//dev-1", "/ws/{client_id}", "dev-1"},
		{"many", "////ws///dev-1////", "/ws/{client_id}", "dev-1"},
		{"one at the end", "/ws/dev-1/", "/ws/{client_id}", "dev-1"},
		{"an encoded slash stays", "//ws//a%2F%2Fb", "/ws/{client_id}", "a//b"},
		{"before a literal", "//ws//status/", "/ws/status", NULL},
		{"root", "/", "/", NULL},
		{"root of many", "///", "/", NULL},
		{"no id", "//ws//", NULL, NULL},
		{"more than the route has", "/deep//q//x//y", NULL, NULL},
		{"in the middle", "/deep//q//x", "/deep/{client_id}/x", "q"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct route_table *table = table_of(false);
		struct route_match got = {0};

		for (size_t k = 0; k < ARRAY_LEN(paths); k++)
			routes[k].merge_slashes = CONFIG_SWITCH_TRUE;
		enum route_result r = match(table, rows[i].path, strlen(rows[i].path), &got);

		ASSERT_ROW((r == ROUTE_FOUND) == (rows[i].route != NULL), rows[i].name);
		if (r == ROUTE_FOUND)
			ASSERT_ROW(strcmp(got.route->config->path, rows[i].route) == 0,
				   rows[i].name);
		ASSERT_ROW((got.client_id == NULL) == (rows[i].id == NULL), rows[i].name);
		if (rows[i].id != NULL)
			ASSERT_ROW(strcmp(got.client_id, rows[i].id) == 0, rows[i].name);
		free(got.client_id);
		route_table_destroy(&table);
	}
}

static const struct {
	const char *name;
	const char *path;
	const char *problem; /* part of it */
} bad_ids[] = {
	{"percent at the end", "/ws/a%", "'%'"},
	{"one digit", "/ws/a%4", "'%'"},
	{"no digits", "/ws/%zz", "'%'"},
	{"second is no digit", "/ws/%4g", "'%'"},
	{"sign instead of a digit", "/ws/%+1", "'%'"},
	{"digits are not taken from the next segment", "/deep/%4/x", "'%'"},
	{"NUL", "/ws/a%00b", "control"},
	{"nothing but a NUL", "/ws/%00", "control"},
	{"newline", "/ws/a%0ab", "control"},
	{"unit separator", "/ws/%1f", "control"},
	{"delete", "/ws/%7F", "control"},
	{"first of C1", "/ws/a%C2%80", "control"},
	{"last of C1", "/ws/%c2%9fb", "control"},
	{"NUL behind no UTF-8", "/ws/%ff%00", "control"},
};

static void test_a_bad_id_is_refused_with_the_reason(void **state)
{
	(void)state;
	struct route_table *table = table_of(false);

	for (size_t i = 0; i < ARRAY_LEN(bad_ids); i++) {
		struct route_match got = {0};
		enum route_result r = match(table, bad_ids[i].path, strlen(bad_ids[i].path), &got);

		ASSERT_ROW(r == ROUTE_BAD_ID, bad_ids[i].name);
		ASSERT_ROW(strstr(got.problem, bad_ids[i].problem) != NULL, bad_ids[i].name);
		ASSERT_ROW(got.client_id == NULL, bad_ids[i].name);
	}
	route_table_destroy(&table);
}

/* The limit is on the decoded bytes. */
static void test_an_id_has_at_most_255_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *unit;
		size_t count;
		enum route_result want;
	} rows[] = {
		{"x", 255, ROUTE_FOUND},
		{"x", 256, ROUTE_BAD_ID},
		{"%41", 255, ROUTE_FOUND},
		{"%41", 256, ROUTE_BAD_ID},
		{"x", 10000, ROUTE_BAD_ID},
		{"%F0%9F%98%80", 64, ROUTE_BAD_ID}, /* 256 bytes in 64 characters */
	};
	struct route_table *table = table_of(false);

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char path[10100] = "/ws/";
		size_t unit_len = strlen(rows[i].unit), len = 4;
		struct route_match got = {0};

		for (size_t n = 0; n < rows[i].count; n++, len += unit_len)
			memcpy(path + len, rows[i].unit, unit_len);
		assert_int_equal(match(table, path, len, &got), rows[i].want);
		if (rows[i].want == ROUTE_FOUND)
			assert_int_equal(strlen(got.client_id), 255);
		else
			assert_non_null(strstr(got.problem, "255"));
		free(got.client_id);
	}
	route_table_destroy(&table);
}

static void test_a_name_counts_before_a_path(void **state)
{
	(void)state;
	static char name[] = "/deep/{client_id}/x";
	struct route_table *table = table_of(false);

	routes[0].name =
		name; /* of /ws/{client_id}; another route has this path, and had the name */
	routes[5].name = routes[1].name;
	assert_string_equal(route_table_find(table, name, "/")->config->path, "/ws/{client_id}");
	assert_string_equal(route_table_find(table, "none", name)->config->path, name);
	assert_null(route_table_find(table, "none", "/none"));
	assert_null(route_table_find(table, "none", ""));
	route_table_destroy(&table);
}

static void test_destroy_of_null_is_fine(void **state)
{
	(void)state;
	struct route_table *table = NULL;

	route_table_destroy(&table);
	assert_null(table);
}

static void find_load(void *arg, const char *name, const struct route_load *load)
{
	assert_string_equal(name, "r");
	*(const struct route_load **)arg = load;
}

/* By name, also when nobody takes it any more; each worker has a cell of its own. */
static void test_loads_go_on_by_name(void **state)
{
	(void)state;
	struct route_loads *loads = route_loads_create(3);
	struct route_load *load = route_loads_take(loads, "r"),
			  *again = route_loads_take(loads, "r");
	const struct route_load *seen = NULL;
	struct route_counts sum;

	assert_ptr_equal(load, again);
	assert_int_equal(load->cell_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal((uintptr_t)&load->cells[i] % 64, 0);
		load->cells[i].counts.accepted = i + 1;
		load->cells[i].counts.failures[ROUTE_FAILURE_COUNT - 1] = 10;
		load->cells[i].counts.lives.sum_us = 100;
	}
	route_loads_give(loads, again);
	route_loads_each(loads, find_load, &seen);
	assert_ptr_equal(seen, load);
	assert_false(seen->is_unused);
	route_load_sum(seen, &sum);
	assert_int_equal(sum.accepted, 6);
	assert_int_equal(sum.failures[ROUTE_FAILURE_COUNT - 1], 30);
	assert_int_equal(sum.lives.sum_us, 300); /* the last of them */
	assert_int_equal(sum.messages_sent, 0);
	route_loads_give(loads, load);
	seen = NULL;
	route_loads_each(loads, find_load, &seen);
	assert_ptr_equal(seen, load);
	assert_true(seen->is_unused);
	/* Who comes later goes on. */
	load = route_loads_take(loads, "r");
	assert_false(load->is_unused);
	route_load_sum(load, &sum);
	assert_int_equal(sum.accepted, 6);
	route_loads_give(loads, load);
	route_loads_destroy(&loads);
}

static void count_load(void *arg, const char *name, const struct route_load *load)
{
	(void)name;
	assert_true(load->is_unused);
	(*(size_t *)arg)++;
}

/* However often names change, and whichever was used last is not the one that goes. */
static void test_so_many_unused_loads_are_kept(void **state)
{
	(void)state;
	struct route_loads *loads = route_loads_create(1);
	struct route_counts sum;
	size_t count = 0;
	char name[16];

	for (unsigned i = 0; i < 3 * ROUTE_UNUSED_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		struct route_load *load = route_loads_take(loads, name), *often;

		assert_true(load->is_detailed);
		often = route_loads_take(loads, "often");
		often->cells[0].counts.accepted++;
		route_loads_give(loads, often);
		route_loads_give(loads, load);
	}
	route_loads_each(loads, count_load, &count);
	assert_int_equal(count, ROUTE_UNUSED_MAX);
	struct route_load *often = route_loads_take(loads, "often");

	route_load_sum(often, &sum);
	assert_int_equal(sum.accepted, 3 * ROUTE_UNUSED_MAX);
	route_loads_give(loads, often);
	route_loads_destroy(&loads);
}

/* Those of the process before, which went in this order: as if they went now. */
static void test_loads_of_another_process_are_kept(void **state)
{
	(void)state;
	struct route_loads *loads = route_loads_create(1);
	struct route_load *here = route_loads_take(loads, "here");
	struct route_counts sum;
	size_t count = 0;
	char name[16];

	here->cells[0].counts.accepted = 7;
	for (unsigned i = 0; i < 3 * ROUTE_UNUSED_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		assert_true(route_loads_keep(loads, name, i % 2 == 0));
		assert_true(route_loads_keep(loads, "here", false));
	}
	assert_false(here->is_unused);
	assert_true(here->is_detailed);
	assert_int_equal(here->cells[0].counts.accepted, 7);
	/* Who was there without details gets none here, and counts to the others still. */
	assert_true(route_loads_others(loads, &sum));
	struct route_load *last = route_loads_take(loads, name);

	assert_false(last->is_detailed);
	route_loads_give(loads, last);
	route_loads_give(loads, here);
	route_loads_each(loads, count_load, &count);
	assert_int_equal(count, ROUTE_UNUSED_MAX);
	route_loads_destroy(&loads);
}

/* A series that falls looks like one that was begun anew, and all of it like a jump. */
static void test_the_sum_of_the_others_never_falls(void **state)
{
	(void)state;
	struct route_loads *loads = route_loads_create(1);
	struct route_load *taken[ROUTE_DETAILS_MAX + 2];
	struct route_counts sum;
	char name[16];

	assert_false(route_loads_others(loads, &sum));
	for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
		snprintf(name, sizeof(name), "r%zu", i);
		taken[i] = route_loads_take(loads, name);
		assert_int_equal(taken[i]->is_detailed, i < ROUTE_DETAILS_MAX);
		taken[i]->cells[0].counts.closed[1] = 5;
	}
	assert_true(route_loads_others(loads, &sum));
	assert_int_equal(sum.closed[1], 10);
	/* One with details goes: nobody takes its place before somebody new comes. */
	route_loads_give(loads, taken[0]);
	assert_true(route_loads_others(loads, &sum));
	assert_int_equal(sum.closed[1], 10);
	assert_false(taken[ROUTE_DETAILS_MAX]->is_detailed);
	/* One without: what it counted stays. */
	route_loads_give(loads, taken[ROUTE_DETAILS_MAX]);
	assert_true(route_loads_others(loads, &sum));
	assert_int_equal(sum.closed[1], 10);
	taken[0] = route_loads_take(loads, "new");
	assert_true(taken[0]->is_detailed);
	for (size_t i = 0; i < ARRAY_LEN(taken); i++)
		if (i != ROUTE_DETAILS_MAX)
			route_loads_give(loads, taken[i]);
	assert_true(route_loads_others(loads, &sum));
	assert_int_equal(sum.closed[1], 10);
	route_loads_destroy(&loads);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads_go_on_by_name),
		cmocka_unit_test(test_so_many_unused_loads_are_kept),
		cmocka_unit_test(test_loads_of_another_process_are_kept),
		cmocka_unit_test(test_the_sum_of_the_others_never_falls),
		cmocka_unit_test(test_a_path_finds_its_route_and_id),
		cmocka_unit_test(test_slashes_are_merged_where_the_route_says_so),
		cmocka_unit_test(test_a_bad_id_is_refused_with_the_reason),
		cmocka_unit_test(test_an_id_has_at_most_255_bytes),
		cmocka_unit_test(test_a_name_counts_before_a_path),
		cmocka_unit_test(test_destroy_of_null_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
