/* SPDX-License-Identifier: Apache-2.0
 * fuzz_conn_import.c - whatever is taken for a connection of another process: it is refused, and
 * nothing is left of it; or it is one, goes on with the bytes behind it, can go to a third process,
 * and ends as any other. On the loop without a kernel that the unit tests have. */
#include "fuzz.h"

#include "../unit/conn_unit.h"
#include "conn/conn_state.h"

#define STATE_MAX (64 << 20)

static struct world world;

static void world_start(void)
{
	static bool is_there;

	if (is_there)
		return;
	is_there = true;
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	world_server_keys = ", message_rate: 1000, byte_rate: 1MiB";
	world_route_keys = ", compression: window, compression_min_size: 1B";
	world_init(&world);
	CHECK(directory_continue_ids(world.directory, 1 << 20));
}

static void check_empty(void)
{
	const struct stats *stats = &world.home.stats;

	CHECK(world.home.conn_pool.live_count == 0 && list_is_empty(&world.home.uplinks));
	CHECK(fleet_home_is_idle(&world.home.fleet));
	CHECK(stats->sockets == 0 && stats->connections == 0 && stats->stalled == 0);
	CHECK(stats->partial == 0 && stats->rate_held == 0);
	CHECK(admission_current(&world.admission) == 0);
	CHECK(address_limit_fullest(world.address_limit) == 0);
	CHECK(directory_count(world.directory) == 0);
	for (size_t i = 0; i < route_table_count(world.ruleset->routes); i++)
		CHECK(route_table_at(world.ruleset->routes, i)->load->connections == 0);
}

static int import(struct slice bytes)
{
	struct state_reader reader;
	struct pool_walk walk;

	state_reader_init(&reader, bytes);
	int r = conn_import(&world.home, 1, -1, &reader);

	if (r < 0)
		return r;
	pool_walk_start(&walk, &world.home.conn_pool);
	world.conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
	return 0;
}

static void uplink_end(void)
{
	if (world.uplink != NULL && world.uplink->is_closed)
		fake_uplink_gone(&world);
}

/* It goes to another process, which is the same one again. */
static void move(void)
{
	struct buf buf = {0};
	struct state_writer writer;

	if (world.conn->phase != CONN_OPEN)
		return;
	conns_freeze(&world.home);
	state_writer_init(&writer, &buf, STATE_MAX);
	if (conn_export(world.conn, &writer) == CONN_GOES) {
		conn_forget(world.conn);
		uplink_end();
		fake_turn(&world.io);
		check_empty();
		CHECK(import(buf_slice(&buf)) == 0);
	}
	conns_thaw(&world.home);
	fake_turn(&world.io);
	state_wipe(&buf);
}

static void live(const uint8_t *data, size_t size)
{
	conns_thaw(&world.home);
	fake_turn(&world.io);
	uplink_end();
	if (world.home.conn_pool.live_count > 0 && world.conn->phase != CONN_GONE && size > 0)
		world_recv(&world, data, size);
	uplink_end();
	if (world.home.conn_pool.live_count > 0)
		move();
	fake_pass(&world.io, 100000);
	fake_turn(&world.io);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	world_start();
	/* The first byte says how much may be sent, the next two how long the state is. */
	size_t state_len = MIN((size_t)data[1] << 8 | data[2], size - 3);
	uint8_t *copy = fuzz_copy(data + 3, state_len);

	world.io.room = data[0] == 0 ? SIZE_MAX : data[0] - 1u;
	int r = import(slice_of(copy, state_len));

	free(copy);
	if (r == 0)
		live(data + 3 + state_len, size - 3 - state_len);
	world.io.room = SIZE_MAX;
	conns_thaw(&world.home);
	conns_abort(&world.home);
	uplink_end();
	for (int turns = 0; turns < 3; turns++)
		fake_turn(&world.io);
	check_empty();
	world.io.sent.len = 0;
	world.io.has_fin = false;
	return 0;
}
