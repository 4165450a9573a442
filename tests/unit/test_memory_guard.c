/* SPDX-License-Identifier: Apache-2.0 */
#include "conn_unit.h"

#include "base/payload.h"
#include "conn/ws_reader.h"

#define KIB 1024

/* [bytes] of a message, and what comes of it at first. */
#define MESSAGE_LEN 200000
#define PART_LEN    100000

static int configure(void **state)
{
	(void)state;
	payload_configure(1024 * (uint64_t)KIB);
	return 0;
}

/* Somebody else holds `len` bytes. */
static void *hold(size_t len)
{
	void *memory = payload_alloc(len);

	assert_non_null(memory);
	payload_settle();
	return memory;
}

static void pass_until(struct world *world, bool (*is_so)(const struct memory_guard *guard))
{
	for (int turns = 0; turns < 3000; turns++) {
		if (is_so(&world->home.memory))
			return;
		fake_pass(&world->io, 1);
	}
	fail_msg("the guard does not come to it");
}

static bool is_walking(const struct memory_guard *guard)
{
	return guard->is_walking;
}

static bool is_favouring(const struct memory_guard *guard)
{
	return guard->favoured != NULL && !list_is_empty(&guard->stopped);
}

static bool is_off(const struct memory_guard *guard)
{
	return !guard->is_on;
}

/* What used the memory up may outlive the clients: messages for a back end that is away. */
static void test_worker_ends_during_a_walk(void **state)
{
	struct world world;
	void *held = hold(1100 * KIB);

	(void)state;
	world_init(&world);
	world_accept(&world);
	pass_until(&world, is_walking);
	world_end_conn(&world);
	assert_true(world.home.memory.is_walking);
	world_finish(&world);
	payload_free(held, 1100 * KIB);
}

/* Of a message in one frame. */
static void send_part(struct world *world, struct conn *conn)
{
	static uint8_t part[14 + PART_LEN] = {0x82, 0x80 | 127, [8] = MESSAGE_LEN >> 8 & 0xff};

	part[7] = MESSAGE_LEN >> 16;
	part[9] = MESSAGE_LEN & 0xff;
	fake_recv(&world->io, &conn->tcp, part, sizeof(part));
}

static void send_rest(struct world *world, struct conn *conn)
{
	static const uint8_t rest[MESSAGE_LEN - PART_LEN];

	fake_recv(&world->io, &conn->tcp, rest, sizeof(rest));
}

/* Whoever was let go on before the others, while memory was scarce, is judged by it no more once
 * there is enough: the message is done long before memory is scarce again. */
static void test_favour_ends_with_the_scarcity(void **state)
{
	struct world world;
	struct conn *conns[2] = {NULL, NULL};
	static const char *const requests[2] = {WORLD_UPGRADE("/echo/a"), WORLD_UPGRADE("/echo/b")};

	(void)state;
	world_init(&world);
	for (size_t i = 0; i < ARRAY_LEN(conns); i++) {
		struct pool_walk walk;

		world_accept(&world);
		pool_walk_start(&walk, &world.home.conn_pool);
		for (size_t at = 0; at <= i; at++)
			conns[i] = pool_walk_next(&walk);
		pool_walk_stop(&walk);
		fake_recv(&world.io, &conns[i]->tcp, requests[i], strlen(requests[i]));
		assert_int_equal(conns[i]->phase, CONN_OPEN);
		send_part(&world, conns[i]);
	}
	void *held = hold(640 * KIB);

	pass_until(&world, is_favouring);
	struct conn *favoured = world.home.memory.favoured->conn;

	payload_free(held, 640 * KIB);
	payload_settle();
	pass_until(&world, is_off);
	assert_int_equal(payload_level(), PAYLOAD_CALM);
	for (size_t i = 0; i < ARRAY_LEN(conns); i++)
		send_rest(&world, conns[i]);
	assert_int_equal(world.home.stats.messages_received, 2);
	buf_finish(&world.io.sent);

	payload_settle();
	size_t len = payload_max() / 16 * 15 - payload_used();

	held = hold(len);
	assert_int_equal(payload_level(), PAYLOAD_NEAR);
	fake_pass(&world.io, 6000); /* more than send_timeout */
	for (int turns = 0; turns < 100; turns++)
		fake_pass(&world.io, 1);
	assert_int_equal(favoured->phase, CONN_OPEN);
	payload_free(held, len);
	payload_settle();
	world_end_conn(&world);
	world_finish(&world);
}

/* The message is with the back end; what is left to be done is to send. */
static void test_stalled_client_holds_no_message(void **state)
{
	struct world world;

	(void)state;
	world_init(&world);
	world_accept(&world);
	world_recv_text(&world, WORLD_UPGRADE("/echo/a"));
	world.io.room = 0;
	send_part(&world, world.conn);
	assert_in_range(ws_reader_held(world.conn), PART_LEN, MESSAGE_LEN);
	send_rest(&world, world.conn);
	assert_true(world.conn->is_stalled);
	assert_in_range(ws_reader_held(world.conn), 0, 16 * KIB);
	fake_take(&world.io, &world.conn->tcp);
	assert_false(world.conn->is_stalled);
	assert_int_equal(world.home.stats.partial, 0);
	world_end_conn(&world);
	world_finish(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stalled_client_holds_no_message),
		cmocka_unit_test(test_worker_ends_during_a_walk),
		cmocka_unit_test(test_favour_ends_with_the_scarcity),
	};

	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, configure, NULL);
}
