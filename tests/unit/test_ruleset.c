/* SPDX-License-Identifier: Apache-2.0
 * test_ruleset.c - a ruleset that is replaced lives until its last holder has gone, in whichever
 * thread, and not longer. */
#include "conn_unit.h"

#include <pthread.h>

#include "base/counter.h"
#include "session/presence.h"

static unsigned ended; /* atomic; rulesets of this file that were freed */

/* Instead of the routes' own end. */
static void count_end(struct route_table **routes)
{
	route_table_destroy(routes);
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
}

static unsigned ended_now(void)
{
	return __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

static struct ruleset *ruleset_make(const struct backends *backends)
{
	struct ruleset *ruleset = world_ruleset();

	world_routes(ruleset, backends);
	ruleset->routes_destroy = count_end;
	return ruleset;
}

/* What a reload does in a worker: those that come from now on come in by the newer one. */
static void change_over(struct world *world, struct ruleset *newer)
{
	ruleset_unref(&world->home.ruleset);
	world->home.ruleset = ruleset_ref(newer);
}

static const struct client_route *route_of(const struct ruleset *ruleset)
{
	struct route_match match;

	assert_int_equal(route_table_match(ruleset->routes, SLICE_LITERAL("/echo/a"), &match),
			 ROUTE_FOUND);
	free(match.client_id);
	return &match.route->client;
}

/* --- each kind of holder --- */

static void test_the_last_reference_ends_it(void **state)
{
	(void)state;
	struct ruleset *ruleset = ruleset_make(NULL), *other = ruleset_ref(ruleset), *none = NULL;

	ended = 0;
	ruleset_unref(&none);
	ruleset_unref(&ruleset);
	assert_null(ruleset);
	assert_int_equal(ended_now(), 0);
	assert_string_equal(other->config.routes[0].name, "echo");
	ruleset_unref(&other);
	assert_int_equal(ended_now(), 1);
}

/* Whoever drops the last reference may be a thread that must not wait. */
static void test_the_bin_ends_it_later(void **state)
{
	(void)state;
	struct ruleset_bin bin;
	struct ruleset *first = ruleset_make(NULL), *second = ruleset_make(NULL);

	ended = 0;
	ruleset_bin_init(&bin);
	ruleset_use_bin(first, &bin);
	ruleset_use_bin(second, &bin);
	assert_true(ruleset_add_closing(first, "gone"));
	assert_true(ruleset_add_closing(first, "other"));
	assert_string_equal(first->closing.items[1], "other");
	assert_int_equal(counter_read(&bin.alive), 2);
	ruleset_unref(&first);
	assert_int_equal(ended_now(), 0);
	ruleset_bin_empty(&bin);
	assert_int_equal(ended_now(), 1);
	assert_int_equal(counter_read(&bin.alive), 1);
	ruleset_unref(&second);
	ruleset_bin_finish(&bin);
	assert_int_equal(ended_now(), 2);
}

static void test_one_that_is_made_takes_the_configuration(void **state)
{
	(void)state;
	struct slice text = SLICE_LITERAL("routes: [{name: a, path: /a}]\n");
	struct config_report report = {0};
	struct config config;

	assert_int_equal(config_load(&(struct config_sources){.file = "test", .text = &text},
				     &report, &config),
			 0);
	struct ruleset *ruleset = ruleset_create(&config);

	assert_non_null(ruleset);
	assert_null(config.routes);
	assert_int_equal(config.route_count, 0);
	config_finish(&config); /* harmless: it has nothing any more */
	assert_string_equal(ruleset->config.routes[0].name, "a");
	ruleset_unref(&ruleset);
}

static void test_a_presence_holds_its_own(void **state)
{
	(void)state;
	struct ruleset *ruleset = ruleset_make(NULL);
	struct presence *presence = presence_create(
		&(struct presence_facts){.route = route_of(ruleset), .client_id = "a"});

	ended = 0;
	assert_non_null(presence);
	ruleset_unref(&ruleset);
	struct presence *other = presence_ref(presence);

	presence_unref(&presence);
	assert_int_equal(ended_now(), 0);
	assert_string_equal(presence_route_name(other), "echo");
	presence_unref(&other);
	assert_int_equal(ended_now(), 1);
}

/* --- a worker that changes over --- */

static void open_at(struct world *world, const char *upgrade)
{
	struct pool_walk walk;

	world_accept(world);
	pool_walk_start(&walk, &world->home.conn_pool);
	while (world->conn->phase != CONN_HEAD)
		world->conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
	world_recv_text(world, upgrade);
}

static void hang_up(struct world *world, struct conn *conn)
{
	fake_tell(&world->io, &conn->tcp, FAKE_EOF);
	for (int i = 0; i < 4; i++)
		fake_turn(&world->io);
}

static void test_a_connection_keeps_what_it_came_in_by(void **state)
{
	(void)state;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_init(world);
	struct ruleset *older = ruleset_make(world->backends);
	struct ruleset *newer = ruleset_make(world->backends);

	ended = 0;
	change_over(world, older);
	open_at(world, WORLD_UPGRADE("/echo/first"));
	struct conn *first = world->conn;

	change_over(world, newer);
	ruleset_unref(&older);
	open_at(world, WORLD_UPGRADE("/echo/second"));
	assert_int_equal(directory_count(world->directory), 2);
	struct presence *presence = directory_find(world->directory, "echo", "first");

	assert_non_null(presence);
	assert_ptr_not_equal(presence->route->ruleset, newer);
	assert_string_equal(conn_route(first)->config->name, "echo");
	presence_unref(&presence);
	assert_int_equal(ended_now(), 0);
	hang_up(world, first);
	assert_int_equal(ended_now(), 1);
	/* The newer one goes with the second client and the worker. */
	change_over(world, world->ruleset);
	ruleset_unref(&newer);
	assert_int_equal(ended_now(), 1);
	presence = directory_find(world->directory, "echo", "second");
	hang_up(world, CONTAINER_OF(presence_session(presence), struct conn, session));
	assert_int_equal(ended_now(), 1);
	presence_unref(&presence);
	assert_int_equal(ended_now(), 2);
	world_finish(world);
	free(world);
}

/* The back end has events left when the client is gone: what it was told of lives on. */
static void test_an_uplink_keeps_what_its_client_came_in_by(void **state)
{
	(void)state;
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_init(world);
	struct ruleset *older = ruleset_make(world->backends);

	ended = 0;
	change_over(world, older);
	ruleset_unref(&older);
	open_at(world, WORLD_UPGRADE("/ask/a"));
	assert_non_null(world->uplink);
	change_over(world, world->ruleset);
	hang_up(world, world->conn);
	assert_true(world_is_gone(world));
	assert_int_equal(ended_now(), 0);
	assert_string_equal(world->uplink->base.route->config->name, "ask");
	fake_uplink_gone(world);
	assert_int_equal(ended_now(), 1);
	world_finish(world);
	free(world);
}

/* --- threads --- */

#define THREADS 4
#define ROUNDS  200
#define HELD    32 /* by each thread */

struct race {
	struct ruleset *current; /* under the lock */
	pthread_mutex_t mutex;
};

static struct ruleset *current_ref(struct race *race)
{
	pthread_mutex_lock(&race->mutex);
	struct ruleset *ruleset = ruleset_ref(race->current);
	pthread_mutex_unlock(&race->mutex);
	return ruleset;
}

/* As clients do that come and go: each reads its own ruleset's text for as long as it is there. */
static void *come_and_go(void *arg)
{
	struct race *race = arg;
	struct presence *held[HELD] = {NULL};

	for (unsigned i = 0; i < ROUNDS * HELD; i++) {
		struct presence **place = &held[i * 7 % HELD];
		struct ruleset *ruleset = current_ref(race);

		if (*place != NULL)
			CHECK(strcmp(presence_route_name(*place), "echo") == 0);
		presence_unref(place);
		*place = presence_create(
			&(struct presence_facts){.route = route_of(ruleset), .client_id = "a"});
		CHECK(*place != NULL);
		ruleset_unref(&ruleset);
	}
	for (size_t i = 0; i < HELD; i++)
		presence_unref(&held[i]);
	return NULL;
}

static void test_the_last_holder_may_be_in_any_thread(void **state)
{
	(void)state;
	struct race race = {.current = ruleset_make(NULL)};
	pthread_t threads[THREADS];

	ended = 0;
	pthread_mutex_init(&race.mutex, NULL);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &race), 0);
	for (unsigned i = 1; i < ROUNDS; i++) {
		struct ruleset *newer = ruleset_make(NULL), *older;

		pthread_mutex_lock(&race.mutex);
		older = race.current;
		race.current = newer;
		pthread_mutex_unlock(&race.mutex);
		ruleset_unref(&older);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ended_now(), ROUNDS - 1);
	ruleset_unref(&race.current);
	assert_int_equal(ended_now(), ROUNDS);
	pthread_mutex_destroy(&race.mutex);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_last_reference_ends_it),
		cmocka_unit_test(test_the_bin_ends_it_later),
		cmocka_unit_test(test_one_that_is_made_takes_the_configuration),
		cmocka_unit_test(test_a_presence_holds_its_own),
		cmocka_unit_test(test_a_connection_keeps_what_it_came_in_by),
		cmocka_unit_test(test_an_uplink_keeps_what_its_client_came_in_by),
		cmocka_unit_test(test_the_last_holder_may_be_in_any_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
