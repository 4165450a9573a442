/* SPDX-License-Identifier: Apache-2.0
 * The end of what a client has proved: at its time, not before, moved to and fro, and gone with its
 * client. */
#include "io_unit.h"

#include "fleet/client.h"
#include "fleet/expiry.h"

struct world {
	struct io_fixture *f;
	struct config config;
	struct config_route route;
	struct client_route client_route;
	struct ruleset ruleset;
	struct fleet fleet;
	struct fleet_home home;
	struct session session;
	unsigned expired, gone;
	uint64_t expired_at_ns; /* of wall time */
};

static void on_gone(struct fleet_home *home)
{
	CONTAINER_OF(home, struct world, home)->gone++;
	loop_stop(home->loop);
}

static struct fleet_home *home_of(struct session *session)
{
	return &CONTAINER_OF(session, struct world, session)->home;
}

static void expired(struct session *session)
{
	struct world *world = CONTAINER_OF(session, struct world, session);

	world->expired++;
	world->expired_at_ns = clock_wall_ns();
	loop_stop(world->home.loop);
}

static const struct session_ops ops = {.home = home_of, .expired = expired};

static struct world *world_open(struct io_fixture *f)
{
	struct world *world = calloc(1, sizeof(*world));

	world->f = f;
	world->route.name = (char *)"ws";
	world->ruleset.references = 1;
	world->client_route = (struct client_route){&world->route, &world->ruleset};
	world->fleet = (struct fleet){.origin = "us"};
	fleet_take_limits(&world->fleet, &world->config);
	fleet_home_init(&world->home, &world->fleet, f->loop, on_gone);
	world->session.ops = &ops;
	world->session.presence = presence_create(&(struct presence_facts){
		.route = &world->client_route, .client_id = "a", .session = &world->session});
	return world;
}

static void world_close(struct world *world)
{
	fleet_client_leave(&world->session);
	assert_int_equal(expiry_at_s(&world->session), 0);
	RUN_UNTIL(world->f, fleet_home_is_idle(&world->home));
	fleet_home_finish(&world->home);
	presence_unref(&world->session.presence);
	free(world);
}

static uint64_t now_s(void)
{
	return clock_wall_ns() / NS_PER_S;
}

static void begin(struct world *world, uint64_t at_s)
{
	assert_int_equal(expiry_begin(client_of(&world->home, &world->session), at_s), 0);
	assert_int_equal(expiry_at_s(&world->session), at_s);
}

static void test_not_before_its_second(void **state)
{
	struct world *world = world_open(*state);
	uint64_t at_s = now_s() + 1;

	assert_int_equal(expiry_at_s(&world->session), 0);
	begin(world, at_s);
	RUN_UNTIL(world->f, world->expired == 1);
	assert_true(world->expired_at_ns >= at_s * NS_PER_S);
	world_close(world);
}

static void test_one_that_is_over(void **state)
{
	struct world *world = world_open(*state);

	begin(world, 1);
	RUN_UNTIL(world->f, world->expired == 1);
	world_close(world);
}

static void test_moved(void **state)
{
	struct world *world = world_open(*state);

	begin(world, now_s() + 1);
	expiry_move(&world->session, now_s() + 3600);
	io_run_for(world->f, 1200 * NS_PER_MS);
	assert_int_equal(world->expired, 0);
	expiry_move(&world->session, now_s());
	RUN_UNTIL(world->f, world->expired == 1);
	world_close(world);
}

static void test_gone_before(void **state)
{
	struct world *world = world_open(*state);

	begin(world, now_s() + 1);
	fleet_client_leave(&world->session);
	io_run_for(world->f, 1200 * NS_PER_MS);
	assert_int_equal(world->expired, 0);
	assert_int_equal(world->gone, 1);
	world_close(world);
}

static void test_tries_are_paced(void **state)
{
	struct world *world = world_open(*state);

	begin(world, now_s() + 3600);
	assert_true(expiry_may_try(&world->session));
	for (int i = 0; i < 1000; i++)
		assert_false(expiry_may_try(&world->session));
	world_close(world);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH(test_not_before_its_second),
		ON_EPOLL(test_one_that_is_over),
		ON_EPOLL(test_moved),
		ON_EPOLL(test_gone_before),
		ON_EPOLL(test_tries_are_paced),
	};
	return RUN_IO_TESTS(tests);
}
