/* SPDX-License-Identifier: Apache-2.0
 * Groups: names, the node's registry, members in a worker, walks, what comes by the bus. */
#include "io_unit.h"

#include "bus/bus.h"
#include "fleet/client.h"

static const struct {
	const char *name;
	bool is_good;
} names[] = {
	{"a", true},    {"A-z_0.9", true}, {"..", true},        {"", false},
	{"a b", false}, {"a/b", false},    {"\xc3\xa4", false}, {"*", false},
	{"a>b", false}, {"a\n", false},    {"a\x01", false},
};

static void test_names(void **state)
{
	(void)state;
	char longest[GROUP_NAME_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		ASSERT_ROW(group_name_is_good(slice_from_text(names[i].name)) == names[i].is_good,
			   names[i].name);
	memset(longest, 'x', sizeof(longest));
	assert_true(group_name_is_good(slice_of(longest, GROUP_NAME_MAX)));
	assert_false(group_name_is_good(slice_of(longest, GROUP_NAME_MAX + 1)));
	assert_false(group_name_is_good(slice_of("a\0b", 3)));
}

static void test_table_keeps_the_order_of_names(void **state)
{
	(void)state;
	enum { COUNT = 200 };
	struct name_table table = {0};
	struct named items[COUNT];
	char texts[COUNT][8];
	size_t index;

	for (size_t i = 0; i < COUNT; i++) {
		snprintf(texts[i], sizeof(texts[i]), "n%zu", i * 77 % COUNT);
		items[i].name = texts[i];
		assert_false(name_table_find(&table, texts[i], &index));
		assert_int_equal(name_table_insert(&table, index, &items[i]), 0);
	}
	for (size_t i = 1; i < COUNT; i++)
		assert_true(strcmp(table.items[i - 1]->name, table.items[i]->name) < 0);
	for (size_t i = 0; i < COUNT; i += 2)
		name_table_remove(&table, &items[i]);
	assert_int_equal(table.count, COUNT / 2);
	for (size_t i = 0; i < COUNT; i++)
		assert_true(name_table_find(&table, texts[i], &index) == (i % 2 == 1));
	name_table_finish(&table);
}

static void test_registry_counts_members_and_keeps_its_limit(void **state)
{
	(void)state;
	struct group_registry *registry = group_registry_create(2);
	struct group_totals totals;
	struct group_facts page[2];
	bool is_end;

	assert_int_equal(group_registry_enter(registry, "b"), 0);
	assert_int_equal(group_registry_enter(registry, "a"), 0);
	assert_int_equal(group_registry_enter(registry, "b"), 0);
	assert_int_equal(group_registry_enter(registry, "c"), -ENOSPC);
	group_registry_totals(registry, &totals);
	assert_true(totals.groups == 2 && totals.members == 3 && totals.refused == 1);
	assert_int_equal(group_registry_list(registry, "", page, 1, &is_end), 1);
	assert_string_equal(page[0].name, "a");
	assert_false(is_end);
	assert_int_equal(group_registry_list(registry, "a", page, 2, &is_end), 1);
	assert_true(is_end && page[0].members == 2);
	group_registry_leave(registry, "b");
	group_registry_leave(registry, "b");
	assert_int_equal(group_registry_enter(registry, "c"), 0);
	assert_int_equal(group_registry_list(registry, "aa", page, 2, &is_end), 1);
	assert_string_equal(page[0].name, "c");
	group_registry_set_max(registry, 1);
	assert_int_equal(group_registry_enter(registry, "c"), 0);
	assert_int_equal(group_registry_enter(registry, "d"), -ENOSPC);
	group_registry_set_max(registry, 3);
	assert_int_equal(group_registry_enter(registry, "d"), 0);
	group_registry_leave(registry, "d");
	group_registry_leave(registry, "c");
	group_registry_leave(registry, "c");
	group_registry_leave(registry, "a");
	group_registry_destroy(&registry);
	assert_null(registry);
}

/* --- a worker with clients --- */

#define CLIENTS 8

struct world {
	struct io_fixture *f;
	struct config config;
	struct config_route routes[2];
	struct client_route client_routes[2];
	struct ruleset ruleset;
	struct fleet fleet;
	struct fleet_home home;
	struct presence *presences[CLIENTS];
	struct session sessions[CLIENTS];
	unsigned arrived, refused, gone;
	char last[64]; /* "group|route|text" of what arrived */
};

static void on_gone(struct fleet_home *home)
{
	struct world *world = CONTAINER_OF(home, struct world, home);

	world->gone++;
	loop_stop(home->loop);
}

static void on_fan_out(struct fleet_home *home, const struct fan_out *what)
{
	struct world *world = CONTAINER_OF(home, struct world, home);

	world->arrived++;
	snprintf(world->last, sizeof(world->last), "%s|%s|%s%.*s",
		 what->group == NULL ? "" : what->group, what->route == NULL ? "" : what->route,
		 what->message.is_text ? "" : "binary:", SLICE_ARG(what->message.bytes));
	loop_stop(home->loop);
}

static void on_refused(struct fleet_home *home, const struct fan_out *what, const char *why)
{
	struct world *world = CONTAINER_OF(home, struct world, home);

	assert_non_null(what);
	assert_non_null(why);
	world->refused++;
	loop_stop(home->loop);
}

static struct world *world_open(struct io_fixture *f, bool is_clustered)
{
	struct world *world = calloc(1, sizeof(*world));

	world->f = f;
	world->routes[0].name = (char *)"ws";
	world->routes[1].name = (char *)"other";
	world->routes[0].takeover = world->routes[1].takeover = CONFIG_TAKEOVER_MANY;
	for (size_t i = 0; i < ARRAY_LEN(world->routes); i++)
		world->client_routes[i] = (struct client_route){&world->routes[i], &world->ruleset};
	world->ruleset.references = 1;
	world->config.routes = world->routes;
	world->config.route_count = 2;
	world->config.server.max_groups_per_client = 3;
	world->fleet = (struct fleet){
		.is_clustered = is_clustered, .groups = group_registry_create(4), .origin = "us"};
	fleet_take_limits(&world->fleet, &world->config);
	assert_int_equal(bus_create_embedded(&(struct bus_options){0}, &world->fleet.bus), 0);
	fleet_home_init(&world->home, &world->fleet, f->loop, on_gone);
	world->home.groups.on_fan_out = on_fan_out;
	world->home.groups.on_refused = on_refused;
	for (size_t i = 0; i < CLIENTS; i++) {
		char id[8];

		snprintf(id, sizeof(id), "c%zu", i);
		world->presences[i] = presence_create(&(struct presence_facts){
			.route = &world->client_routes[i % 2],
			.client_id = id,
			.session = &world->sessions[i],
		});
		world->sessions[i].presence = world->presences[i];
		assert_int_equal(fleet_client_enter(&world->home, &world->sessions[i]), 0);
	}
	return world;
}

static void world_close(struct world *world)
{
	for (size_t i = 0; i < CLIENTS; i++) {
		fleet_client_leave(&world->sessions[i]);
		presence_unref(&world->presences[i]);
	}
	RUN_UNTIL(world->f, fleet_home_is_idle(&world->home));
	fleet_home_finish(&world->home);
	group_registry_destroy(&world->fleet.groups);
	bus_destroy(&world->fleet.bus);
	free(world);
}

static enum group_result join(struct world *world, size_t client, const char *name)
{
	return group_join(client_of(&world->home, &world->sessions[client]), name);
}

static bool leave(struct world *world, size_t client, const char *name)
{
	return group_leave(world->sessions[client].client, name);
}

static uint64_t subscriptions(const struct world *world)
{
	struct bus_stats stats;

	bus_stats(world->fleet.bus, &stats);
	return stats.subscriptions;
}

static void test_joining_has_two_limits(void **state)
{
	struct world *world = world_open(*state, false);

	assert_int_equal(join(world, 0, "a"), GROUP_JOINED);
	assert_int_equal(join(world, 0, "a"), GROUP_ALREADY);
	assert_int_equal(join(world, 0, "b"), GROUP_JOINED);
	assert_int_equal(join(world, 0, "c"), GROUP_JOINED);
	assert_int_equal(join(world, 0, "d"), GROUP_CLIENT_FULL);
	assert_int_equal(join(world, 1, "d"), GROUP_JOINED);
	assert_int_equal(join(world, 1, "e"), GROUP_NODE_FULL);
	assert_true(leave(world, 0, "b"));
	assert_false(leave(world, 0, "b"));
	assert_int_equal(join(world, 1, "e"), GROUP_JOINED);
	assert_int_equal(subscriptions(world), 0);
	world_close(world);
}

/* --- walks --- */

static size_t client_at(const struct world *world, const struct session *session)
{
	return session == NULL ? CLIENTS : (size_t)(session - world->sessions);
}

static void test_walk_survives_whoever_leaves(void **state)
{
	struct world *world = world_open(*state, false);
	struct group_walk walk;

	assert_false(group_walk_start(&walk, &world->home, "g"));
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(join(world, i, "g"), GROUP_JOINED);
	assert_true(group_walk_start(&walk, &world->home, "g"));
	assert_int_equal(client_at(world, group_walk_next(&walk)), 0);
	leave(world, 0, "g"); /* it was seen */
	leave(world, 1, "g"); /* it is next */
	leave(world, 3, "g");
	assert_int_equal(client_at(world, group_walk_next(&walk)), 2);
	join(world, 5, "g"); /* meanwhile */
	join(world, 0, "g"); /* again */
	assert_int_equal(client_at(world, group_walk_next(&walk)), 4);
	assert_null(group_walk_next(&walk));
	group_walk_stop(&walk);
	world_close(world);
}

static void test_walk_keeps_a_group_that_loses_all(void **state)
{
	struct world *world = world_open(*state, true);
	uint64_t before = subscriptions(world);
	struct group_walk first, second;

	join(world, 0, "g");
	join(world, 1, "g");
	assert_int_equal(subscriptions(world), before + 1);
	assert_true(group_walk_start(&first, &world->home, "g"));
	assert_true(group_walk_start(&second, &world->home, "g"));
	assert_int_equal(client_at(world, group_walk_next(&first)), 0);
	leave(world, 0, "g");
	leave(world, 1, "g");
	assert_int_equal(subscriptions(world), before);
	assert_null(group_walk_next(&first));
	assert_int_equal(join(world, 2, "g"), GROUP_JOINED); /* the same group again */
	assert_int_equal(subscriptions(world), before + 1);
	assert_null(group_walk_next(&first));
	assert_null(group_walk_next(&second));
	group_walk_stop(&first);
	group_walk_stop(&second);
	assert_true(group_walk_start(&first, &world->home, "g"));
	assert_int_equal(client_at(world, group_walk_next(&first)), 2);
	leave(world, 2, "g");
	group_walk_stop(&first);
	assert_false(group_walk_start(&first, &world->home, "g"));
	world_close(world);
}

/* --- the bus --- */

static void publish(struct world *world, const char *subject, const char *header, const char *value,
		    const char *text)
{
	struct bus_header headers = {slice_from_text(header), slice_from_text(value)};

	assert_int_equal(bus_publish(world->fleet.bus,
				     &(struct bus_message){.subject = slice_from_text(subject),
							   .headers = &headers,
							   .header_count = 1,
							   .body = slice_from_text(text)}),
			 0);
}

static void test_what_others_publish_arrives(void **state)
{
	struct world *world = world_open(*state, true);

	join(world, 0, "g.1");
	publish(world, "gatehouse.group.g%2E1", "Gatehouse-Type", "text", "one");
	RUN_UNTIL(world->f, world->arrived == 1);
	assert_string_equal(world->last, "g.1||one");
	publish(world, "gatehouse.all.other", "Gatehouse-Type", "binary", "two");
	RUN_UNTIL(world->f, world->arrived == 2);
	assert_string_equal(world->last, "|other|binary:two");
	publish(world, "gatehouse.all.ws", "Gatehouse-Origin", "another", "three");
	RUN_UNTIL(world->f, world->arrived == 3);
	assert_string_equal(world->last, "|ws|three");
	publish(world, "gatehouse.all.ws", "Gatehouse-Type", "odd", "four");
	RUN_UNTIL(world->f, world->refused == 1);
	publish(world, "gatehouse.all.none", "Gatehouse-Type", "text", "nobody's");
	io_run_for(world->f, 2 * NS_PER_MS);
	assert_int_equal(world->arrived, 3);
	world_close(world);
}

static void test_what_we_publish_does_not_come_back(void **state)
{
	struct world *world = world_open(*state, true);
	struct fan_out what = {.group = "g",
			       .message = {.is_text = true, .bytes = SLICE_LITERAL("x")}};

	join(world, 0, "g");
	assert_int_equal(fan_out_publish(&world->fleet, &world->config, &what), 0);
	what.group = NULL;
	assert_int_equal(fan_out_publish(&world->fleet, &world->config, &what), 0);
	io_run_for(world->f, 2 * NS_PER_MS);
	assert_int_equal(world->arrived, 0);
	struct bus_stats stats;

	bus_stats(world->fleet.bus, &stats);
	assert_int_equal(stats.delivered, 3);
	world_close(world);
}

static void test_interest_ends_with_the_last_client_of_a_route(void **state)
{
	struct world *world = world_open(*state, true);
	uint64_t all = subscriptions(world);

	for (size_t i = 0; i < CLIENTS; i += 2)
		fleet_client_leave(&world->sessions[i]);
	/* Their own links, and one of the route. */
	assert_int_equal(all - subscriptions(world), CLIENTS / 2 * 2 + 1);
	publish(world, "gatehouse.all.ws", "Gatehouse-Type", "text", "nobody's");
	io_run_for(world->f, 2 * NS_PER_MS);
	assert_int_equal(world->arrived, 0);
	for (size_t i = 0; i < CLIENTS; i += 2)
		assert_int_equal(fleet_client_enter(&world->home, &world->sessions[i]), 0);
	assert_int_equal(subscriptions(world), all);
	publish(world, "gatehouse.all.ws", "Gatehouse-Type", "text", "again");
	RUN_UNTIL(world->f, world->arrived == 1);
	world_close(world);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_EPOLL(test_names),
		ON_EPOLL(test_table_keeps_the_order_of_names),
		ON_EPOLL(test_registry_counts_members_and_keeps_its_limit),
		ON_EPOLL(test_joining_has_two_limits),
		ON_EPOLL(test_walk_survives_whoever_leaves),
		ON_EPOLL(test_walk_keeps_a_group_that_loses_all),
		ON_BOTH(test_what_others_publish_arrives),
		ON_BOTH(test_what_we_publish_does_not_come_back),
		ON_BOTH(test_interest_ends_with_the_last_client_of_a_route),
	};
	return RUN_IO_TESTS(tests);
}
