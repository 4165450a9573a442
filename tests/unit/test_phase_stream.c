/* SPDX-License-Identifier: Apache-2.0
 * test_phase_stream.c - how long a client may take for what a stream tells it. The times are the
 * test's, so none of it depends on how busy the machine is (test_http_stream.c has a real one). */
#include "conn_unit.h"

/* Of conn_unit.h. It is looked four times in it. */
#define SEND_TIMEOUT_MS 5000
#define LOOK_MS         (SEND_TIMEOUT_MS / 4 + 1)

#define PIECE 100000 /* [bytes] */

static void write_much(void *arg)
{
	static char much[PIECE];

	assert_int_equal(
		http_stream_write(&((struct world *)arg)->stream, slice_of(much, sizeof(much))), 0);
}

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world_init(world);
	world_accept(world);
	world_recv_text(world, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
	fake_call(&world->io, world_stream, world);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	world_end_conn(world);
	world_finish(world);
	free(world);
	return 0;
}

/* The client takes so many bytes. */
static void take(struct world *world, size_t bytes)
{
	size_t before = world->io.sent.len;

	world->io.room = bytes;
	loop_queue(&world->conn->tcp);
	fake_turn(&world->io);
	assert_int_equal(world->io.sent.len - before, bytes);
}

static void wait_in_vain(struct world *world, uint64_t ms)
{
	for (uint64_t passed = 0; passed < ms && !world_is_gone(world); passed += 10)
		fake_pass(&world->io, 10);
}

static void assert_stuck(const struct world *world)
{
	assert_int_equal(world->stream_ends, 1);
	assert_int_equal(world->stream_why, HTTP_STREAM_STUCK);
	assert_true(world_is_gone(world));
}

/* One that takes something now and then may take its time. */
static void test_slow_client(void **state)
{
	struct world *world = *state;

	world->io.room = 0;
	fake_call(&world->io, write_much, world);
	for (unsigned i = 0; i < 100; i++) {
		wait_in_vain(world, SEND_TIMEOUT_MS - LOOK_MS - 100);
		assert_int_equal(world->stream_ends, 0);
		take(world, 1);
	}
	assert_int_equal(world->stream_rooms, 1); /* of the head; there is no room yet */
	take(world, tcp_queued(&world->conn->tcp));
	assert_int_equal(world->stream_rooms, 2);
}

static void test_stuck_client(void **state)
{
	struct world *world = *state;

	world->io.room = 0;
	fake_call(&world->io, write_much, world);
	wait_in_vain(world, SEND_TIMEOUT_MS - LOOK_MS);
	take(world, PIECE / 2);
	wait_in_vain(world, SEND_TIMEOUT_MS - 10);
	assert_int_equal(world->stream_ends, 0);
	wait_in_vain(world, 2 * LOOK_MS + 10);
	assert_stuck(world);
}

/* However much is written meanwhile. */
static void test_more_pieces_help_nobody(void **state)
{
	struct world *world = *state;

	world->io.room = 0;
	for (unsigned i = 0; i < 8 && world->stream_ends == 0; i++) {
		fake_call(&world->io, write_much, world);
		wait_in_vain(world, 1000);
	}
	assert_stuck(world);
}

/* Who has all is not slow, however long nothing is written. */
static void test_nothing_waits(void **state)
{
	struct world *world = *state;

	for (unsigned i = 0; i < 10; i++) {
		wait_in_vain(world, 3 * SEND_TIMEOUT_MS);
		fake_call(&world->io, write_much, world);
	}
	assert_int_equal(world->stream_ends, 0);
	assert_int_equal(world->stream_rooms, 11);
	world->io.room = 0;
	fake_call(&world->io, write_much, world);
	wait_in_vain(world, SEND_TIMEOUT_MS - 10);
	assert_int_equal(world->stream_ends, 0);
	wait_in_vain(world, 2 * LOOK_MS + 10);
	assert_stuck(world);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_slow_client),
		TEST(test_stuck_client),
		TEST(test_more_pieces_help_nobody),
		TEST(test_nothing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
