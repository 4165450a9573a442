/* SPDX-License-Identifier: Apache-2.0
 * test_conn_compression.c - what a connection keeps for compression, on a fake stream: what it
 * costs, when it is given up, and how it goes on in another process. */
#include "unit.h"

#include "conn_unit.h"

#include "base/clock.h"
#include "base/state.h"
#include "conn/compression.h"
#include "proto/ws_deflate.h"
#include "proto/ws_frame.h"

#define UPGRADE                                                                            \
	"GET /echo/a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WORLD_KEY                       \
	"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
#define WINDOW (1 << 12)

static const uint8_t mask[4] = {1, 2, 3, 4};

/* "Hello", and "Hello" again, which refers to it (RFC 7692, 7.2.3.2). */
static const uint8_t hello[] = {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00};
static const uint8_t hello_again[] = {0xf2, 0x00, 0x11, 0x00, 0x00};

static void world_open(struct world *world, const char *route_keys, const char *server_keys)
{
	world_route_keys = route_keys;
	world_server_keys = server_keys;
	world_init(world);
	world_accept(world);
	world_recv_text(world, UPGRADE);
	assert_int_equal(world->conn->phase, CONN_OPEN);
	world->io.sent.len = 0;
}

static void world_close(struct world *world)
{
	world_end_conn(world);
	assert_int_equal(world->service.windows_used, 0);
	assert_int_equal(world->home.stats.windows, 0);
	assert_int_equal(world->home.stats.compressed, 0);
	world_finish(world);
	world_route_keys = world_server_keys = "";
}

static void send_deflated(struct world *world, const uint8_t *payload, size_t len)
{
	uint8_t frame[64];
	size_t head_len = ws_frame_head_write(frame, WS_TEXT, len, mask);

	ws_frame_set_deflated(frame);
	for (size_t i = 0; i < len; i++)
		frame[head_len + i] = payload[i] ^ mask[i % 4];
	world_recv(world, frame, head_len + len);
}

static void expect_hello(struct world *world)
{
	assert_int_equal(world->io.sent.len, 7);
	assert_memory_equal(world->io.sent.data, "\x81\x05Hello", 7);
	world->io.sent.len = 0;
}

static void test_shared_keeps_nothing(void **state)
{
	(void)state;
	struct world world;

	world_open(&world, ", compression: shared", "");
	assert_int_equal(world.conn->deflate_bits, 15);
	assert_false(world.conn->has_windows);
	assert_int_equal(world.service.windows_used, 0);
	send_deflated(&world, hello, sizeof(hello));
	expect_hello(&world);
	assert_null(world.conn->part.ws.frames); /* what it borrowed is back */
	world_close(&world);
}

static void test_windows_are_counted_and_given_up(void **state)
{
	(void)state;
	struct world world;

	world_open(&world, ", compression: window, compression_min_size: 1B", "");
	assert_true(world.conn->has_windows);
	assert_int_equal(world.service.windows_used, 2 * WINDOW);
	send_deflated(&world, hello, sizeof(hello));
	send_deflated(&world, hello_again, sizeof(hello_again));
	assert_int_equal(conn_window_in(world.conn)->len, 10);
	/* Pings look at it, and something is heard of it meanwhile. */
	for (int i = 0; i < 13; i++) {
		fake_pass(&world.io, 5000);
		world_recv(&world, "\x8a\x80\0\0\0\0", 6);
	}
	assert_int_equal(world.service.windows_used, WINDOW);
	assert_int_equal(world.home.stats.windows, 1);
	assert_int_equal(conn_window_in(world.conn)->len, 10); /* not ours to give up */
	send_deflated(&world, hello_again, sizeof(hello_again));
	assert_int_equal(world.service.windows_used, 2 * WINDOW);
	world_close(&world);
}

static void test_no_memory_no_window(void **state)
{
	(void)state;
	struct world world;

	world_open(&world, ", compression: window", ", compression_memory: 4KiB");
	assert_int_equal(world.conn->deflate_bits, 12);
	assert_false(world.conn->has_windows);
	assert_int_equal(world.home.stats.windows_refused, 1);
	send_deflated(&world, hello, sizeof(hello));
	expect_hello(&world);
	world_close(&world);
}

/* --- in another process: here the same connection, which has lost all --- */

static void move(struct world *world, int want)
{
	struct conn *conn = world->conn;
	struct buf state = {0};
	struct state_writer writer;
	struct state_reader reader;

	state_writer_init(&writer, &state, SIZE_MAX);
	conn_compression_export(conn, &writer);
	assert_int_equal(writer.error, 0);
	conn_compression_end(conn);
	assert_int_equal(world->service.windows_used, 0);
	state_reader_init(&reader, buf_slice(&state));
	assert_int_equal(conn_compression_import(conn, &reader), want);
	/* What is cut off, or one byte longer, is no state, or less of one: never more. */
	for (size_t len = 0; want == 0 && len < state.len; len++) {
		conn_compression_end(conn);
		state_reader_init(&reader, slice_of(state.data, len));
		int r = conn_compression_import(conn, &reader);

		assert_true(r == 0 || r == -EBADMSG);
	}
	conn_compression_end(conn);
	state_reader_init(&reader, buf_slice(&state));
	assert_int_equal(conn_compression_import(conn, &reader), want);
	buf_finish(&state);
}

static void test_it_goes_on_in_another_process(void **state)
{
	(void)state;
	static const char *const keys[] = {"", ", compression: shared",
					   ", compression: window, compression_min_size: 1B"};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct world world;

		world_open(&world, keys[i], "");
		uint8_t bits = world.conn->deflate_bits;
		bool has_windows = world.conn->has_windows;

		if (bits != 0)
			send_deflated(&world, hello, sizeof(hello));
		world.io.sent.len = 0;
		move(&world, 0);
		assert_int_equal(world.conn->deflate_bits, bits);
		assert_int_equal(world.conn->has_windows, has_windows);
		if (has_windows) {
			assert_int_equal(world.service.windows_used, 2 * WINDOW);
			send_deflated(&world, hello_again, sizeof(hello_again));
			assert_int_equal(world.home.stats.inflated_out_bytes, 10);
		}
		world_close(&world);
	}
}

/* Its client was granted them, so they are there whatever is left. */
static void test_it_goes_on_without_memory_for_windows(void **state)
{
	(void)state;
	struct world world;

	world_open(&world, ", compression: window, compression_min_size: 1B",
		   ", compression_memory: 8KiB");
	send_deflated(&world, hello, sizeof(hello));
	world.ruleset->config.server.compression_memory = 4096;
	move(&world, 0);
	assert_int_equal(world.service.windows_used, 2 * WINDOW);
	send_deflated(&world, hello_again, sizeof(hello_again));
	assert_int_equal(world.home.stats.inflated_out_bytes, 10);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared_keeps_nothing),
		cmocka_unit_test(test_windows_are_counted_and_given_up),
		cmocka_unit_test(test_no_memory_no_window),
		cmocka_unit_test(test_it_goes_on_in_another_process),
		cmocka_unit_test(test_it_goes_on_without_memory_for_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
