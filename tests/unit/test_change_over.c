/* SPDX-License-Identifier: Apache-2.0
 * test_change_over.c - the rules change under an open connection: its timers, its rates, and where
 * its address is counted. */
#include "conn_unit.h"

#include "conn/change_over.h"
#include "conn/ws_pace.h"

#define MESSAGE(byte) "\x81\x81\0\0\0\0" byte
#define ECHO(byte)    "\x81\x01" byte

#define WITH_SIZE(text) text, sizeof(text) - 1

static struct world world;

/* [ms] Of the rules that come next. */
static uint64_t ping_interval = 10000;

static void begin(const char *server_keys)
{
	world_server_keys = server_keys;
	world_init(&world);
	world_accept(&world);
	world_recv_text(&world, WORLD_UPGRADE("/echo/a"));
	assert_int_equal(world.conn->phase, CONN_OPEN);
	world.io.sent.len = 0;
}

static void end(void)
{
	world_end_conn(&world);
	assert_int_equal(world.home.stats.rate_held, 0);
	world_finish(&world);
	world_server_keys = "";
	ping_interval = 10000;
}

/* Rules with these keys are in force, and the walk has come to its end. */
static void change(const char *server_keys)
{
	world_server_keys = server_keys;
	struct ruleset *next = world_ruleset();

	next->config.server.ping_interval = ping_interval;
	world_routes(next, world.backends);
	change_over_rules(&world.home, next);
	ruleset_unref(&next);
	fake_pass(&world.io, 1);
	assert_false(world.home.change_over.is_walking);
}

static void assert_sent(const char *bytes, size_t len)
{
	assert_int_equal(world.io.sent.len, len);
	assert_memory_equal(world.io.sent.data, bytes, len);
	world.io.sent.len = 0;
}

/* --- timers --- */

/* It waited for the end of a longer silence. */
static void test_a_shorter_ping_interval(void **state)
{
	(void)state;
	begin("");
	fake_pass(&world.io, 3000);
	assert_sent("", 0);
	ping_interval = 2000;
	change("");
	fake_pass(&world.io, 10);
	assert_sent(WITH_SIZE("\x89\x00"));
	end();
}

static void test_pings_are_switched_off_and_on(void **state)
{
	(void)state;
	begin("");
	ping_interval = 0;
	change("");
	fake_pass(&world.io, 60000);
	assert_sent("", 0);
	ping_interval = 10000;
	change("");
	fake_pass(&world.io, 10);
	assert_sent(WITH_SIZE("\x89\x00"));
	end();
}

static void test_an_idle_timeout_that_has_passed(void **state)
{
	(void)state;
	begin("");
	fake_pass(&world.io, 5000);
	change(", idle_timeout: 4s");
	fake_pass(&world.io, 10);
	assert_int_equal(world.conn->phase, CONN_CLOSING);
	assert_int_equal(world.conn->reason, CLOSE_IDLE);
	end();
}

/* --- rates --- */

static void test_a_rate_is_switched_on(void **state)
{
	(void)state;
	begin("");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") ECHO("c")));
	change(", message_rate: 10, message_burst: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	assert_sent(WITH_SIZE(ECHO("a")));
	assert_int_equal(world.home.stats.rate_held, 1);
	fake_pass(&world.io, 101);
	assert_sent(WITH_SIZE(ECHO("b")));
	end();
}

/* Who is held back goes on, and what was kept of it is given back. */
static void test_a_rate_is_switched_off(void **state)
{
	(void)state;
	begin(", message_rate: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
	assert_sent(WITH_SIZE(ECHO("a")));
	change("");
	assert_sent(WITH_SIZE(ECHO("b") ECHO("c")));
	assert_int_equal(world.home.stats.rate_held, 0);
	assert_false(world.home.paces.is_on);
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b")));
	end();
}

/* What was allowed by the old rate holds nobody back for long by the new one. */
static void test_a_faster_rate(void **state)
{
	(void)state;
	begin(", message_rate: 1, message_burst: 100");
	for (int i = 0; i < 100; i++)
		world_recv(&world, WITH_SIZE(MESSAGE("a")));
	world.io.sent.len = 0;
	world_recv(&world, WITH_SIZE(MESSAGE("b")));
	assert_sent("", 0);
	change(", message_rate: 100, message_burst: 5");
	fake_pass(&world.io, 11);
	assert_sent(WITH_SIZE(ECHO("b")));
	end();
}

static void test_held_back_and_then_closed(void **state)
{
	(void)state;
	begin("");
	change(", message_rate: 10, message_burst: 1, message_rate_action: close");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	assert_int_equal(world.conn->reason, CLOSE_MESSAGE_RATE);
	end();
}

/* --- addresses --- */

static unsigned counted;

static void on_counted(void *arg)
{
	assert_ptr_equal(arg, &world);
	counted++;
}

static void count_in(struct address_limit *limit)
{
	counted = 0;
	change_over_addresses(&world.home, limit, on_counted, &world);
	assert_int_equal(counted, 0);
	fake_pass(&world.io, 1);
	assert_int_equal(counted, 1);
}

/* From one table to another, to none, and back: each connection is counted in one. */
static void test_addresses_are_counted_elsewhere(void **state)
{
	(void)state;
	begin("");
	struct address_limit *other = address_limit_create(ADDRESS_LIMIT_NONE, 48);

	assert_int_equal(address_limit_fullest(world.address_limit), 1);
	count_in(other);
	assert_int_equal(address_limit_fullest(world.address_limit), 0);
	assert_int_equal(address_limit_fullest(other), 1);
	count_in(NULL);
	assert_int_equal(address_limit_fullest(other), 0);
	count_in(other);
	assert_int_equal(address_limit_fullest(other), 1);
	world_end_conn(&world);
	assert_int_equal(address_limit_fullest(other), 0);
	world_finish(&world);
	address_limit_destroy(&other);
}

/* A connection that comes, and one that ends, while the others are moved. */
static void test_it_ends_while_they_are_moved(void **state)
{
	(void)state;
	begin("");
	struct address_limit *other = address_limit_create(ADDRESS_LIMIT_NONE, 48);
	struct conn *first = world.conn;

	counted = 0;
	change_over_addresses(&world.home, other, on_counted, &world);
	conn_abort(first);
	fake_turn(&world.io);
	world_accept(&world);
	world_recv_text(&world, WORLD_UPGRADE("/echo/b"));
	fake_pass(&world.io, 1);
	assert_int_equal(counted, 1);
	assert_int_equal(address_limit_fullest(world.address_limit), 0);
	assert_int_equal(address_limit_fullest(other), 1);
	world_end_conn(&world);
	world_finish(&world);
	address_limit_destroy(&other);
}

/* The limit is on, too: the table is the new one's. */
static void test_rules_change_while_they_are_moved(void **state)
{
	(void)state;
	begin("");
	struct address_limit *other = address_limit_create(ADDRESS_LIMIT_NONE, 48);

	counted = 0;
	change_over_addresses(&world.home, other, on_counted, &world);
	change("");
	assert_int_equal(counted, 1);
	address_limit_set_max(other, 1);
	assert_int_equal(address_limit_max(other), 1);
	world_end_conn(&world);
	world_finish(&world);
	address_limit_destroy(&other);
	world_server_keys = "";
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_shorter_ping_interval),
		cmocka_unit_test(test_pings_are_switched_off_and_on),
		cmocka_unit_test(test_an_idle_timeout_that_has_passed),
		cmocka_unit_test(test_a_rate_is_switched_on),
		cmocka_unit_test(test_a_rate_is_switched_off),
		cmocka_unit_test(test_a_faster_rate),
		cmocka_unit_test(test_held_back_and_then_closed),
		cmocka_unit_test(test_addresses_are_counted_elsewhere),
		cmocka_unit_test(test_it_ends_while_they_are_moved),
		cmocka_unit_test(test_rules_change_while_they_are_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
