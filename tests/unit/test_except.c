/* SPDX-License-Identifier: Apache-2.0
 * test_except.c - the one client that a message for many is not for: as people, programs and
 * headers name it. */
#include "presence_unit.h"

#include "fleet/group/except.h"

static const struct {
	const char *name;
	const char *text;
	const char *route; /* NULL: it is none */
	const char *client_id;
} rows[] = {
	{"a client", "ws/till-7", "ws", "till-7"},
	{"an id with slashes", "ws/a/b/", "ws", "a/b/"},
	{"percent as it is", "ws/100%", "ws", "100%"},
	{"no slash", "till-7", NULL, NULL},
	{"no route", "/till-7", NULL, NULL},
	{"no id", "ws/", NULL, NULL},
	{"nothing", "", NULL, NULL},
	{"a route of 65 bytes",
	 "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr/a", NULL, NULL},
};

static void test_what_people_write(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct except_client except = {.route = "kept"};
		bool is_good = except_read(slice_from_text(rows[i].text), &except);

		ASSERT_ROW(is_good == (rows[i].route != NULL), rows[i].name);
		ASSERT_ROW(strcmp(except.route, is_good ? rows[i].route : "kept") == 0,
			   rows[i].name);
		ASSERT_ROW(!is_good || strcmp(except.client_id, rows[i].client_id) == 0,
			   rows[i].name);
	}
}

/* Whatever bytes an id has, but NUL. */
static void test_a_header_is_read_as_it_was_written(void **state)
{
	(void)state;
	struct except_client except = {.route = "ws-2"}, again;
	char room[EXCEPT_TEXT_MAX];

	for (unsigned len = 1; len <= PRESENCE_CLIENT_ID_MAX; len++) {
		for (unsigned i = 0; i < len; i++)
			except.client_id[i] = (char)(1 + (i * 7 + len) % 255);
		except.client_id[len] = 0;
		struct slice text = except_header_write(&except, room);

		for (size_t i = 0; i < text.len; i++)
			assert_true(text.data[i] > ' ' && text.data[i] < 0x7f);
		assert_true(except_header_read(text, &again));
		assert_string_equal(again.route, except.route);
		assert_string_equal(again.client_id, except.client_id);
	}
}

static void test_headers_that_are_none(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "ws", "ws/", "ws/a%", "ws/a%2", "ws/a%zz", "ws/a%00"};
	struct except_client except = {.route = "kept"};
	char long_text[PRESENCE_ROUTE_MAX + PRESENCE_CLIENT_ID_MAX + 3];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ASSERT_ROW(!except_header_read(slice_from_text(bad[i]), &except), bad[i]);
	memset(long_text, 'x', sizeof(long_text));
	long_text[2] = '/';
	assert_false(except_header_read(slice_of(long_text, sizeof(long_text)), &except));
	assert_string_equal(except.route, "kept");
	assert_true(except_header_read((struct slice){0}, &except));
	assert_false(except_is_set(&except));
}

static void test_all_connections_of_the_id_on_the_route(void **state)
{
	(void)state;
	static const struct {
		const char *route, *client_id;
		bool want;
	} clients[] = {
		{"ws", "a", true}, {"ws", "ab", false}, {"w", "a", false}, {"ws", "A", false}};
	struct except_client except;

	assert_true(except_read(SLICE_LITERAL("ws/a"), &except));
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		struct presence *presence = presence_create(&(struct presence_facts){
			.route = unit_route(clients[i].route), .client_id = clients[i].client_id});

		assert_true(except_has(&except, presence) == clients[i].want);
		presence_unref(&presence);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_people_write),
		cmocka_unit_test(test_a_header_is_read_as_it_was_written),
		cmocka_unit_test(test_headers_that_are_none),
		cmocka_unit_test(test_all_connections_of_the_id_on_the_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
