/* SPDX-License-Identifier: Apache-2.0
 * test_ws_pace.c - a client that sends more than its rates allow: it is not read for a while and
 * nothing is lost, or it is closed. */
#include "conn_unit.h"

#include "conn/ws_pace.h"

#define MESSAGE(byte) "\x81\x81\0\0\0\0" byte
#define ECHO(byte)    "\x81\x01" byte
#define PING(byte)    "\x89\x81\0\0\0\0" byte
#define PONG(byte)    "\x8a\x01" byte
#define CLOSE         "\x88\x82\0\0\0\0\x03\xe8"
#define CLOSE_ANSWER  "\x88\x02\x03\xe8"

#define WITH_SIZE(text) text, sizeof(text) - 1

static struct world world;

static const struct stats *stats(void)
{
	return &world.home.stats;
}

/* An open client with these keys in force; what it was answered so far is forgotten. */
static void open_with(const char *server_keys)
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
	assert_int_equal(stats()->rate_held, 0);
	world_finish(&world);
	world_server_keys = "";
}

static void assert_sent(const char *bytes, size_t len)
{
	assert_int_equal(world.io.sent.len, len);
	assert_memory_equal(world.io.sent.data, bytes, len);
}

static bool is_read(void)
{
	return (world.conn->tcp.flags & STREAM_READING) != 0;
}

static void test_without_rates_nothing_is_kept(void **state)
{
	(void)state;
	open_with("");
	assert_false(world.home.paces.is_on);
	for (int i = 0; i < 2000; i++)
		world_recv(&world, WITH_SIZE(MESSAGE("a")));
	assert_true(is_read());
	assert_int_equal(stats()->rate_holds, 0);
	end();
}

static void test_waits_and_loses_nothing(void **state)
{
	(void)state;
	open_with(", message_rate: 10, message_burst: 3");
	world_recv(&world,
		   WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c") MESSAGE("d") MESSAGE("e")));
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") ECHO("c")));
	assert_true(!is_read() && world.conn->is_stalled);
	assert_int_equal(stats()->rate_held, 1);
	assert_int_equal(stats()->stalled, 1);
	/* io_uring: what the kernel had received still comes. */
	world_recv(&world, WITH_SIZE(MESSAGE("f")));
	fake_pass(&world.io, 99);
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") ECHO("c")));
	fake_pass(&world.io, 2);
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") ECHO("c") ECHO("d")));
	fake_pass(&world.io, 200);
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") ECHO("c") ECHO("d") ECHO("e") ECHO("f")));
	assert_true(is_read() && !world.conn->is_stalled);
	assert_int_equal(stats()->messages_received, 6);
	end();
}

/* Whoever sends as much as it may and then pauses is never held back. */
static void test_who_pauses_is_not_stopped(void **state)
{
	(void)state;
	open_with(", message_rate: 10, message_burst: 3");
	for (int i = 0; i < 20; i++) {
		world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
		assert_true(is_read());
		fake_pass(&world.io, 300);
	}
	assert_int_equal(stats()->rate_holds, 0);
	assert_int_equal(stats()->messages_received, 60);
	end();
}

static void test_control_frames_before_the_next_message_are_dealt_with(void **state)
{
	(void)state;
	open_with(", message_rate: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") PING("1") PING("2") MESSAGE("b") PING("3")));
	assert_sent(WITH_SIZE(ECHO("a") PONG("1") PONG("2")));
	fake_pass(&world.io, 1001);
	assert_sent(WITH_SIZE(ECHO("a") PONG("1") PONG("2") ECHO("b") PONG("3")));
	end();
}

static void test_a_close_frame_is_answered_in_its_turn(void **state)
{
	(void)state;
	open_with(", message_rate: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b") CLOSE));
	assert_sent(WITH_SIZE(ECHO("a")));
	fake_pass(&world.io, 1001);
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b") CLOSE_ANSWER));
	end();
}

static void test_every_cut(void **state)
{
	(void)state;
	static const char bytes[] = MESSAGE("a") PING("1") MESSAGE("b") MESSAGE("c") PING("2");

	for (size_t cut = 0; cut < sizeof(bytes) - 1; cut++) {
		open_with(", message_rate: 1");
		world_recv(&world, bytes, cut + 1);
		if (cut + 1 < sizeof(bytes) - 1)
			world_recv(&world, bytes + cut + 1, sizeof(bytes) - 2 - cut);
		assert_sent(WITH_SIZE(ECHO("a") PONG("1")));
		for (int turns = 0; turns < 3; turns++)
			fake_pass(&world.io, 1001);
		assert_sent(WITH_SIZE(ECHO("a") PONG("1") ECHO("b") ECHO("c") PONG("2")));
		end();
	}
}

/* What is held goes out message by message without being copied each time. */
static void test_much_that_is_held(void **state)
{
	(void)state;
	enum { COUNT = 2000 };
	struct buf bytes = {0};

	open_with(", message_rate: 1000, message_burst: 1");
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(buf_append(&bytes, WITH_SIZE(MESSAGE("a")), SIZE_MAX), 0);
	world_recv(&world, bytes.data, bytes.len);
	const uint8_t *held = world.conn->part.ws.frames->held.data;

	for (int i = 0; i < COUNT && world.conn->is_stalled; i++) {
		assert_ptr_equal(world.conn->part.ws.frames->held.data, held);
		fake_pass(&world.io, 2);
	}
	assert_int_equal(stats()->messages_received, COUNT);
	assert_true(is_read());
	buf_finish(&bytes);
	end();
}

static void test_bytes_wait(void **state)
{
	(void)state;
	static uint8_t large[6 + 3000] = {0x82, 0xfe, 3000 >> 8, 3000 & 0xff};

	open_with(", byte_rate: 1KiB");
	assert_int_equal(sizeof(large), 3006);
	world_recv(&world, large, sizeof(large)); /* overdraws: 3,006 of 1,024 */
	assert_int_equal(world.io.sent.len, 0);   /* two bytes of it are missing */
	world_recv(&world, "\0\0", 2);
	assert_int_equal(stats()->rate_held, 1);
	fake_pass(&world.io, 1900);
	assert_int_equal(stats()->messages_received, 0);
	fake_pass(&world.io, 100);
	assert_int_equal(stats()->messages_received, 1);
	assert_true(is_read());
	end();
}

/* Else whoever sends nothing but pings is bound by nothing. */
static void test_bytes_of_pings_wait(void **state)
{
	(void)state;
	enum { COUNT = 1000 };
	static uint8_t pings[7 * COUNT];

	for (size_t i = 0; i < COUNT; i++)
		memcpy(pings + 7 * i, PING("p"), 7);
	open_with(", byte_rate: 1KiB");
	for (size_t i = 0; i < 200; i++)
		world_recv(&world, pings, 7);
	assert_int_equal(stats()->rate_held, 1);
	assert_false(is_read());
	world_recv(&world, pings, sizeof(pings));
	assert_true(world.io.sent.len < 3 * 200);
	for (int i = 0; i < 9; i++)
		fake_pass(&world.io, 1000);
	assert_int_equal(stats()->rate_held, 0);
	assert_true(is_read());
	assert_int_equal(world.io.sent.len, 3 * (200 + COUNT));
	end();
}

/* It is not read, so it cannot answer; nor is it idle, since its messages wait. */
static void test_nobody_is_given_up_while_held_back(void **state)
{
	(void)state;
	static uint8_t flood[100 * 1024];

	for (size_t i = 0; i + 7 <= sizeof(flood); i += 7)
		memcpy(flood + i, MESSAGE("a"), 7);
	open_with(", byte_rate: 1KiB, idle_timeout: 20s");
	world.io.room = 0; /* the echoes wait, but that is not its fault either */
	world_recv(&world, flood, sizeof(flood) / 7 * 7);
	assert_int_equal(stats()->rate_held, 1);
	for (int i = 0; i < 90; i++) { /* ping_interval 10 s, pong_timeout 5 s */
		fake_pass(&world.io, 1000);
		assert_int_equal(world.conn->phase, CONN_OPEN);
	}
	assert_int_equal(stats()->pings_sent, 0);
	fake_take(&world.io, &world.conn->tcp);
	for (int i = 0; i < 15; i++)
		fake_pass(&world.io, 1000);
	assert_int_equal(stats()->messages_received, sizeof(flood) / 7);
	assert_int_equal(stats()->rate_held, 0);
	end();
}

/* First it is too fast, then it takes nothing: that is a slow reader, as without rates. */
static void test_a_slow_reader_is_still_one(void **state)
{
	(void)state;
	static uint8_t large[6 + 2 + 4000] = {0x82, 0xfe, 4000 >> 8, 4000 & 0xff};

	open_with(", message_rate: 1, message_burst: 1");
	world.io.room = 0;
	world_recv(&world, large, sizeof(large));
	world_recv(&world, large, sizeof(large));
	fake_pass(&world.io, 1001);
	world_recv(&world, large, sizeof(large));
	assert_int_equal(stats()->messages_received, 2);
	for (int i = 0; i < 3; i++)
		fake_pass(&world.io, 1000);
	assert_int_equal(stats()->rate_held, 0);
	assert_int_equal(world.conn->phase, CONN_OPEN);
	for (int i = 0; i < 6; i++)
		fake_pass(&world.io, 1000);
	assert_true(world_is_gone(&world));
	assert_int_equal(stats()->connections_closed[CLOSE_SLOW_READER], 1);
	end();
}

static void test_the_end_of_the_stream_comes_last(void **state)
{
	(void)state;
	open_with(", message_rate: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	fake_tell(&world.io, &world.conn->tcp, FAKE_EOF);
	assert_false(world_is_gone(&world));
	fake_pass(&world.io, 1001);
	fake_turn(&world.io);
	assert_sent(WITH_SIZE(ECHO("a") ECHO("b")));
	assert_true(world_is_gone(&world));
	assert_int_equal(stats()->connections_closed[CLOSE_EOF], 1);
	end();
}

static void test_a_drain_does_not_wait(void **state)
{
	(void)state;
	open_with(", message_rate: 1");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b") CLOSE));
	conns_drain(&world.home);
	fake_turn(&world.io);
	fake_turn(&world.io);
	assert_int_equal(stats()->rate_held, 0);
	assert_true(world_is_gone(&world)); /* the client's close frame was among what was held */
	assert_int_equal(stats()->connections_closed[CLOSE_DRAIN], 1);
	end();
}

static void assert_closed(enum close_reason reason)
{
	const char *text = close_table[reason].text;

	assert_int_equal(world.conn->phase, CONN_LINGER);
	assert_int_equal(world.conn->reason, reason);
	assert_true(world.io.sent.len > strlen(text) + 4);
	const uint8_t *frame = world.io.sent.data + world.io.sent.len - strlen(text) - 4;

	assert_int_equal(frame[0], 0x88);
	assert_int_equal(frame[2] << 8 | frame[3], 1008);
	assert_memory_equal(frame + 4, text, strlen(text));
}

static void test_closes_for_messages(void **state)
{
	(void)state;
	open_with(", message_rate: 10, message_burst: 2, message_rate_action: close");
	world_recv(&world, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	fake_pass(&world.io, 100);
	world_recv(&world, WITH_SIZE(MESSAGE("c") PING("1")));
	assert_true(is_read());
	world_recv(&world, WITH_SIZE(MESSAGE("d") MESSAGE("e")));
	assert_int_equal(stats()->messages_received, 3);
	assert_closed(CLOSE_MESSAGE_RATE);
	end();
	open_with(", message_rate: 10, message_burst: 2, message_rate_action: close");
	for (int i = 0; i < 50; i++) {
		world_recv(&world, WITH_SIZE(MESSAGE("a")));
		fake_pass(&world.io, 100);
	}
	assert_int_equal(world.conn->phase, CONN_OPEN);
	end();
}

static void test_closes_for_bytes(void **state)
{
	(void)state;
	static const uint8_t pings[7 * 200];

	open_with(", byte_rate: 1KiB, message_rate_action: close");
	world_recv(&world, WITH_SIZE(MESSAGE("a")));
	assert_sent(WITH_SIZE(ECHO("a")));
	world_recv(&world, pings, sizeof(pings));
	assert_closed(CLOSE_BYTE_RATE);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_rates_nothing_is_kept),
		cmocka_unit_test(test_waits_and_loses_nothing),
		cmocka_unit_test(test_who_pauses_is_not_stopped),
		cmocka_unit_test(test_control_frames_before_the_next_message_are_dealt_with),
		cmocka_unit_test(test_a_close_frame_is_answered_in_its_turn),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_much_that_is_held),
		cmocka_unit_test(test_bytes_wait),
		cmocka_unit_test(test_bytes_of_pings_wait),
		cmocka_unit_test(test_nobody_is_given_up_while_held_back),
		cmocka_unit_test(test_a_slow_reader_is_still_one),
		cmocka_unit_test(test_the_end_of_the_stream_comes_last),
		cmocka_unit_test(test_a_drain_does_not_wait),
		cmocka_unit_test(test_closes_for_messages),
		cmocka_unit_test(test_closes_for_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
