/* SPDX-License-Identifier: Apache-2.0
 * test_conn_state.c - a connection that goes on in another process: both are here, each with a
 * loop, a clock, limits and a directory of its own. Wherever it is in its life, what it says after
 * is what it would have said, and nobody is told of anything; and what cannot go stays as it was.
 */
#include "conn_unit.h"

#include "conn/conn_state.h"
#include "conn/phase_closing.h"
#include "io/tcp_handover.h"

#define STATE_MAX (64 << 20)

/* Of a client, masked with zeros; and what the echo sends. */
#define MESSAGE(byte) "\x81\x81\0\0\0\0" byte
#define ECHO(byte)    "\x81\x01" byte
#define PING(byte)    "\x89\x81\0\0\0\0" byte
#define PONG(byte)    "\x8a\x01" byte
#define CLOSE         "\x88\x82\0\0\0\0\x03\xe8"
#define CLOSE_ANSWER  "\x88\x02\x03\xe8"
#define OUR_PING      "\x89\0"

#define WITH_SIZE(text) text, sizeof(text) - 1

static struct world older, newer;

/* --- the two processes --- */

/* Its back end is asked from now on. */
static struct world *in(struct world *world)
{
	world_now = world;
	return world;
}

static void begin_with(const char *older_keys, const char *newer_keys)
{
	world_server_keys = older_keys;
	world_init(&older);
	world_server_keys = newer_keys;
	world_init(&newer);
	world_server_keys = "";
	in(&older);
}

static void begin(void)
{
	begin_with("", "");
}

static void end(void)
{
	in(&older);
	world_end_conn(&older);
	world_finish(&older);
	in(&newer);
	world_end_conn(&newer);
	world_finish(&newer);
}

static void open_to(const char *upgrade)
{
	world_accept(&older);
	world_recv_text(&older, upgrade);
	if (older.uplink != NULL)
		older.uplink->base.handler->on_accepted(&older.uplink->base,
							&(struct uplink_acceptance){0});
	fake_turn(&older.io);
	assert_int_equal(older.conn->phase, CONN_OPEN);
	older.io.sent.len = 0;
}

static void open_echo(void)
{
	open_to(WORLD_UPGRADE("/echo/a"));
}

static void freeze(void)
{
	conns_freeze(&older.home);
	assert_int_equal(loop_settle(&older.io.loop, UINT64_MAX), 0);
	in(&newer);
	assert_true(directory_last_id(newer.directory) > 0 ||
		    directory_continue_ids(newer.directory, directory_last_id(older.directory)));
}

static enum conn_going export(struct conn *conn, struct buf *out) {
	struct state_writer writer;

	out->len = 0;
	state_writer_init(&writer, out, STATE_MAX);
	enum conn_going going = conn_export(conn, &writer);

	assert_int_equal(writer.error, 0);
	assert_true((out->len == 0) == (going == CONN_STAYS));
	return going;
}

static struct conn *only_conn(struct world *world)
{
	struct pool_walk walk;

	assert_int_equal(world->home.conn_pool.live_count, 1);
	pool_walk_start(&walk, &world->home.conn_pool);
	struct conn *conn = pool_walk_next(&walk);

	pool_walk_stop(&walk);
	return conn;
}

/* From a copy of exactly that size. */
static int import(struct world *world, struct slice bytes)
{
	uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
	struct state_reader reader;

	assert_non_null(copy);
	if (bytes.len > 0)
		memcpy(copy, bytes.data, bytes.len);
	state_reader_init(&reader, slice_of(copy, bytes.len));
	in(world);
	int r = conn_import(&world->home, 1, -1, &reader);

	free(copy);
	if (r == 0)
		world->conn = only_conn(world);
	return r;
}

/* What was exported is the other's. */
static void commit(void)
{
	in(&older);
	conn_forget(older.conn);
	conns_thaw(&older.home);
	fake_turn(&older.io);
	if (older.uplink != NULL)
		fake_uplink_gone(&older);
	assert_true(world_is_gone(&older));
	in(&newer);
	conns_thaw(&newer.home);
	fake_turn(&newer.io);
}

static void move(void)
{
	struct buf buf = {0};

	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	state_wipe(&buf);
	commit();
}

static void assert_sent(struct world *world, const char *bytes, size_t len)
{
	assert_int_equal(world->io.sent.len, len);
	if (len > 0)
		assert_memory_equal(world->io.sent.data, bytes, len);
}

static void assert_nothing_kept(const struct world *world)
{
	const struct stats *stats = &world->home.stats;

	assert_int_equal(world->home.conn_pool.live_count, 0);
	assert_int_equal(stats->sockets, 0);
	assert_int_equal(stats->connections, 0);
	assert_int_equal(stats->stalled, 0);
	assert_int_equal(stats->partial, 0);
	assert_int_equal(admission_current(&world->admission), 0);
	assert_int_equal(address_limit_fullest(world->address_limit), 0);
	assert_int_equal(directory_count(world->directory), 0);
	assert_null(world->uplink);
}

/* --- what goes along --- */

static void test_who_it_is(void **state)
{
	(void)state;
	begin();
	open_echo();
	struct presence *before = presence_ref(conn_presence(older.conn));

	before->takeover_heat = 5;
	move();
	const struct presence *after = conn_presence(newer.conn);
	struct presence *found = directory_find(newer.directory, "echo", "a");
	struct net_ip was = presence_remote(before), is = presence_remote(after);

	assert_ptr_equal(found, after);
	assert_string_equal(after->client_id, "a");
	assert_int_equal(after->connection_id, before->connection_id);
	assert_int_equal(after->generation, before->generation);
	assert_int_equal(after->connected_at_ms, before->connected_at_ms);
	assert_int_equal(after->takeover_heat, 5);
	assert_true(net_ip_equals(&was, &is));
	assert_int_equal(newer.conn->client_port, 4000);
	assert_ptr_equal(after->mailbox, &newer.home.mailbox);
	presence_unref(&found);
	presence_unref(&before);
	end();
}

/* Both processes count it once, together; neither says that it came or went. */
static void test_counts(void **state)
{
	(void)state;
	begin();
	open_echo();
	move();
	assert_nothing_kept(&older);
	for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
		assert_int_equal(older.home.stats.connections_closed[reason], 0);
	assert_int_equal(older.home.listeners[1].connections, 0);
	assert_int_equal(newer.home.stats.connections, 1);
	assert_int_equal(newer.home.listeners[1].connections, 1);
	assert_int_equal(newer.home.stats.sockets, 1);
	assert_int_equal(newer.home.stats.connections_accepted, 0);
	assert_int_equal(newer.home.stats.sockets_accepted, 0);
	assert_int_equal(admission_current(&newer.admission), 1);
	assert_int_equal(address_limit_fullest(newer.address_limit), 1);
	assert_int_equal(conn_route(newer.conn)->load->connections, 1);
	assert_sent(&older, NULL, 0);
	assert_sent(&newer, NULL, 0);
	assert_false(older.io.has_fin || newer.io.has_fin);
	world_recv(&newer, WITH_SIZE(MESSAGE("x") CLOSE));
	fake_turn(&newer.io);
	assert_sent(&newer, WITH_SIZE(ECHO("x") CLOSE_ANSWER));
	assert_nothing_kept(&newer);
	end();
}

static void test_at_every_byte(void **state)
{
	(void)state;
	static const char bytes[] = MESSAGE("a") "\x01\x82\1\2\3\4"
						 "\xe3\x80" /* an e2 82 */
		PING("1") "\x80\x81\1\2\3\4"
			  "\xad" /* ac: a euro sign */
			  "\x82\xfe\0\x7e\0\0\0\0"
			  "0123456789012345678901234567890123456789012345678901234567890"
			  "0123456789012345678901234567890123456789012345678901234567890"
			  "0123" CLOSE;
	static const char want[] = ECHO("a")
		PONG("1") "\x81\x03\xe2\x82\xac"
			  "\x82\x7e\0\x7e"
			  "0123456789012345678901234567890123456789012345678901234567890"
			  "0123456789012345678901234567890123456789012345678901234567890"
			  "0123" CLOSE_ANSWER;

	for (size_t cut = 0; cut < sizeof(bytes) - 1; cut++) {
		begin();
		open_echo();
		if (cut > 0)
			world_recv(&older, bytes, cut);
		move();
		assert_int_equal(
			buf_append(&older.io.sent, newer.io.sent.data, newer.io.sent.len, SIZE_MAX),
			0);
		world_recv(&newer, bytes + cut, sizeof(bytes) - 1 - cut);
		assert_int_equal(
			buf_append(&older.io.sent, newer.io.sent.data, newer.io.sent.len, SIZE_MAX),
			0);
		assert_sent(&older, WITH_SIZE(want));
		end();
	}
}

/* "Hello", and "Hello" again, which refers to it (RFC 7692, 7.2.3.2); masked with zeros. */
#define HELLO       "\xc1\x87\0\0\0\0\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HELLO_AGAIN "\xc1\x85\0\0\0\0\xf2\x00\x11\x00\x00"

#define UPGRADE_DEFLATE                                                                    \
	"GET /echo/a HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WORLD_KEY                       \
	"\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

/* What it is answered, and whether that is so in two processes; `cut` SIZE_MAX: it stays. */
static void hear(const char *route_keys, const char *bytes, size_t len, size_t cut, struct buf *out)
{
	world_route_keys = route_keys;
	begin();
	world_route_keys = "";
	open_to(UPGRADE_DEFLATE);
	assert_int_not_equal(older.conn->deflate_bits, 0);
	world_recv(&older, bytes, MIN(cut, len));
	assert_int_equal(buf_append(out, older.io.sent.data, older.io.sent.len, SIZE_MAX), 0);
	if (cut < len) {
		move();
		world_recv(&newer, bytes + cut, len - cut);
		assert_int_equal(buf_append(out, newer.io.sent.data, newer.io.sent.len, SIZE_MAX),
				 0);
		assert_int_equal(older.service.windows_used, 0);
	}
	end();
	assert_int_equal(newer.service.windows_used, 0);
	assert_int_equal(newer.home.stats.compressed, 0);
}

static void test_compressed_at_every_byte(void **state)
{
	(void)state;
	static const char window[] = HELLO HELLO_AGAIN PING("1") HELLO_AGAIN;
	static const char shared[] = HELLO PING("1") HELLO MESSAGE("a") HELLO;
	static const struct {
		const char *route_keys, *bytes;
		size_t len;
	} rows[] = {
		{", compression: window, compression_min_size: 1B", WITH_SIZE(window)},
		{", compression: shared", WITH_SIZE(shared)},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf want = {0}, is = {0};

		hear(rows[i].route_keys, rows[i].bytes, rows[i].len, SIZE_MAX, &want);
		assert_true(want.len > 10);
		for (size_t cut = 1; cut < rows[i].len; cut++) {
			is.len = 0;
			hear(rows[i].route_keys, rows[i].bytes, rows[i].len, cut, &is);
			assert_int_equal(is.len, want.len);
			assert_memory_equal(is.data, want.data, want.len);
		}
		buf_finish(&want);
		buf_finish(&is);
	}
}

/* It was granted, so it goes on, also where nobody gets it now. */
static void test_compression_that_is_off_by_now(void **state)
{
	(void)state;
	world_route_keys = ", compression: window";
	begin();
	world_route_keys = "";
	open_to(UPGRADE_DEFLATE);
	newer.ruleset->config.server.compression_memory = 0;
	world_recv(&older, WITH_SIZE(HELLO));
	older.io.sent.len = 0;
	move();
	assert_true(newer.service.windows_used > 0);
	world_recv(&newer, WITH_SIZE(HELLO_AGAIN));
	assert_sent(&newer, WITH_SIZE("\x81\5Hello"));
	end();
}

static void test_output_that_waits(void **state)
{
	(void)state;
	begin();
	open_echo();
	older.io.room = 3;
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
	assert_sent(&older, ECHO("a"), 3);
	move();
	assert_sent(&older, ECHO("a"), 3);
	assert_sent(&newer, WITH_SIZE(ECHO("b") ECHO("c")));
	end();
}

static void flood(struct world *world)
{
	world->io.room = 0;
	while (!world->conn->is_stalled)
		world_recv(world, WITH_SIZE(MESSAGE("f")));
	world_recv(world, WITH_SIZE(MESSAGE("g") MESSAGE("h")));
}

/* It goes on where it was: what it sent is answered, in order, once it takes something again. */
static void test_a_stalled_one(void **state)
{
	(void)state;
	begin();
	open_echo();
	flood(&older);
	uint64_t received = older.home.stats.messages_received;

	newer.io.room = 0;
	move();
	assert_true(newer.conn->is_stalled);
	assert_int_equal(newer.home.stats.stalled, 1);
	assert_int_equal(newer.home.stats.stalls, 0);
	assert_int_equal(newer.io.sent.len, 0);
	fake_take(&newer.io, &newer.conn->tcp);
	for (int turns = 0; turns < 3; turns++)
		fake_turn(&newer.io);
	assert_false(newer.conn->is_stalled);
	size_t len = newer.io.sent.len;

	assert_int_equal(len, 3 * (received + newer.home.stats.messages_received));
	assert_memory_equal(newer.io.sent.data + len - 6, ECHO("g") ECHO("h"), 6);
	end();
}

/* Its end is told behind what it has sent. */
static void test_a_stalled_one_that_has_finished(void **state)
{
	(void)state;
	begin();
	open_echo();
	flood(&older);
	fake_tell(&older.io, &older.conn->tcp, FAKE_EOF);
	newer.io.room = 0;
	move();
	assert_int_equal(newer.conn->phase, CONN_OPEN);
	fake_take(&newer.io, &newer.conn->tcp);
	for (int turns = 0; turns < 3; turns++)
		fake_turn(&newer.io);
	assert_nothing_kept(&newer);
	assert_int_equal(newer.home.stats.connections_closed[CLOSE_EOF], 1);
	size_t len = newer.io.sent.len;

	assert_memory_equal(newer.io.sent.data + len - 6, ECHO("g") ECHO("h"), 6);
	end();
}

/* What it waits for may be there already: the limit is higher. */
static void test_a_stalled_one_under_a_higher_limit(void **state)
{
	(void)state;
	begin_with("", "");
	open_echo();
	flood(&older);
	newer.ruleset->config.server.send_queue_max = 1 << 20;
	newer.io.room = 0;
	move();
	assert_false(newer.conn->is_stalled);
	assert_true(newer.home.stats.messages_received >= 2);
	end();
}

/* --- time --- */

#define HOUR_MS 3600000

/* As move, but it takes an hour, which nobody is told of. */
static void move_slowly(void)
{
	struct buf buf = {0};

	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	state_wipe(&buf);
	older.io.clock_ns += HOUR_MS * NS_PER_MS;
	newer.io.clock_ns += HOUR_MS * NS_PER_MS;
	fake_turn(&newer.io);
	commit();
}

/* ping_interval is 10 s, pong_timeout 5 s. */
static void test_silence_goes_on(void **state)
{
	(void)state;
	begin();
	open_echo();
	fake_pass(&older.io, 9000);
	move_slowly();
	fake_pass(&newer.io, 900);
	assert_sent(&newer, NULL, 0);
	fake_pass(&newer.io, 101);
	assert_sent(&newer, WITH_SIZE(OUR_PING));
	end();
}

static void test_an_answer_is_waited_for_as_long(void **state)
{
	(void)state;
	begin();
	open_echo();
	fake_pass(&older.io, 10001);
	assert_true(older.conn->is_pinged);
	fake_pass(&older.io, 3000);
	move_slowly();
	assert_true(newer.conn->is_pinged);
	fake_pass(&newer.io, 1900);
	assert_int_equal(newer.conn->phase, CONN_OPEN);
	fake_pass(&newer.io, 101);
	assert_int_equal(newer.conn->phase, CONN_LINGER);
	assert_int_equal(newer.conn->reason, CLOSE_PONG_TIMEOUT);
	end();
}

static void test_whoever_answers_in_time_stays(void **state)
{
	(void)state;
	begin();
	open_echo();
	fake_pass(&older.io, 10001);
	fake_pass(&older.io, 4900);
	move_slowly();
	world_recv(&newer, "\x8a\x80\0\0\0\0", 6);
	fake_pass(&newer.io, 5000);
	assert_int_equal(newer.conn->phase, CONN_OPEN);
	assert_false(newer.conn->is_pinged);
	end();
}

/* send_timeout is 5 s. */
static void test_a_slow_reader_has_as_long(void **state)
{
	(void)state;
	begin();
	open_echo();
	flood(&older);
	fake_pass(&older.io, 3000);
	newer.io.room = 0;
	move_slowly();
	fake_pass(&newer.io, 1900);
	assert_int_equal(newer.conn->phase, CONN_OPEN);
	fake_pass(&newer.io, 101);
	fake_turn(&newer.io);
	assert_nothing_kept(&newer);
	assert_int_equal(newer.home.stats.connections_closed[CLOSE_SLOW_READER], 1);
	end();
}

static void test_idleness_goes_on(void **state)
{
	(void)state;
	begin_with(", idle_timeout: 20s", ", idle_timeout: 20s");
	open_echo();
	world_recv(&older, WITH_SIZE(MESSAGE("a")));
	for (int i = 0; i < 19; i++) {
		fake_pass(&older.io, 1000);
		world_recv(&older, "\x8a\x80\0\0\0\0", 6);
	}
	move_slowly();
	fake_pass(&newer.io, 900);
	assert_int_equal(newer.conn->phase, CONN_OPEN);
	fake_pass(&newer.io, 101);
	assert_int_equal(newer.conn->reason, CLOSE_IDLE);
	end();
}

static void test_rates_go_on(void **state)
{
	(void)state;
	begin_with(", message_rate: 1", ", message_rate: 1");
	open_echo();
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
	assert_sent(&older, WITH_SIZE(ECHO("a")));
	fake_pass(&older.io, 400);
	move();
	assert_int_equal(newer.home.stats.rate_held, 1);
	assert_int_equal(older.home.stats.rate_held, 0);
	fake_pass(&newer.io, 500);
	assert_sent(&newer, NULL, 0);
	fake_pass(&newer.io, 101);
	assert_sent(&newer, WITH_SIZE(ECHO("b")));
	fake_pass(&newer.io, 1001);
	assert_sent(&newer, WITH_SIZE(ECHO("b") ECHO("c")));
	end();
}

static void test_rates_that_are_gone(void **state)
{
	(void)state;
	begin_with(", message_rate: 1", "");
	open_echo();
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b") MESSAGE("c")));
	move();
	assert_sent(&newer, WITH_SIZE(ECHO("b") ECHO("c")));
	assert_false(newer.conn->is_stalled);
	end();
}

static void test_rates_that_are_new(void **state)
{
	(void)state;
	begin_with("", ", message_rate: 1");
	open_echo();
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	move();
	world_recv(&newer, WITH_SIZE(MESSAGE("c") MESSAGE("d")));
	assert_sent(&newer, WITH_SIZE(ECHO("c")));
	assert_int_equal(newer.home.stats.rate_held, 1);
	end();
}

/* --- limits and routes --- */

static void test_lower_limits_cut_nobody(void **state)
{
	(void)state;
	begin();
	open_echo();
	newer.admission.max = 0;
	newer.service.worker_connections = 0;
	address_limit_set_max(newer.address_limit, 1);
	move();
	world_recv(&newer, WITH_SIZE(MESSAGE("a")));
	assert_sent(&newer, WITH_SIZE(ECHO("a")));
	struct conn *first = newer.conn;
	struct pool_walk walk;

	world_accept(&newer);
	pool_walk_start(&walk, &newer.home.conn_pool);
	while (newer.conn == first)
		newer.conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
	newer.io.sent.len = 0;
	world_recv_text(&newer, WORLD_UPGRADE("/echo/b"));
	assert_true(newer.io.sent.len > 12);
	assert_memory_equal(newer.io.sent.data, "HTTP/1.1 429", 12);
	end();
}

/* The same state in a world whose only route has this name and path. */
static void with_route(struct world *world, const char *name, const char *path)
{
	struct config_route *routes = world->ruleset->config.routes;

	for (size_t i = 0; i < world->ruleset->config.route_count; i++) {
		static char gone[] = "gone", nowhere[] = "/nowhere";

		if (strcmp(routes[i].name, "echo") != 0)
			continue;
		free(routes[i].name);
		free(routes[i].path);
		routes[i].name = strdup(name == NULL ? gone : name);
		routes[i].path = strdup(path == NULL ? nowhere : path);
	}
}

/* It is told by the process that has its route. */
static void test_a_route_that_is_gone(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_echo();
	with_route(&newer, NULL, NULL);
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), -ENOENT);
	state_wipe(&buf);
	assert_nothing_kept(&newer);
	conns_thaw(&newer.home);
	conns_thaw(&older.home);
	world_recv(&older, WITH_SIZE(MESSAGE("a")));
	assert_sent(&older, WITH_SIZE(ECHO("a")));
	end();
}

static void test_a_route_with_another_name(void **state)
{
	(void)state;
	begin();
	open_echo();
	with_route(&newer, "renamed", "/echo/{client_id}");
	move();
	struct presence *found = directory_find(newer.directory, "renamed", "a");

	assert_ptr_equal(found, conn_presence(newer.conn));
	presence_unref(&found);
	end();
}

static void test_a_route_with_another_path(void **state)
{
	(void)state;
	begin();
	open_echo();
	with_route(&newer, "echo", "/elsewhere/{client_id}");
	move();
	assert_string_equal(presence_route_name(conn_presence(newer.conn)), "echo");
	end();
}

/* --- back ends --- */

static void test_its_back_end_is_told_nothing(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_to(WORLD_UPGRADE("/ask/a"));
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b")));
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	state_wipe(&buf);
	assert_int_equal(newer.uplink->messages, 2);
	assert_true(newer.uplink->is_still);
	assert_ptr_equal(newer.uplink->base.owner, newer.conn);
	in(&older);
	conn_forget(older.conn);
	assert_true(older.uplink->is_closed);
	assert_null(older.uplink->end);
	fake_uplink_gone(&older);
	conns_thaw(&older.home);
	fake_turn(&older.io);
	in(&newer);
	conns_thaw(&newer.home);
	assert_false(newer.uplink->is_still);
	world_recv(&newer, WITH_SIZE(MESSAGE("c")));
	assert_int_equal(newer.uplink->messages, 3);
	end();
}

/* Whoever closes it before its time gets what waits on its way first. */
static void test_a_close_before_it_is_its_own(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_to(WORLD_UPGRADE("/ask/a"));
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	state_wipe(&buf);
	conn_ws_close(newer.conn, CLOSE_IDLE);
	assert_false(newer.uplink->is_still);
	assert_string_equal(newer.uplink->end, "idle_timeout");
	fake_turn(&newer.io);
	assert_sent(&newer, NULL, 0);
	fake_uplink_gone(&newer);
	commit();
	assert_true(newer.io.sent.len > 4);
	assert_memory_equal(newer.io.sent.data + 2, "\x03\xe9", 2);
	end();
}

/* What waits for its back end would be lost here. */
static void test_a_back_end_that_takes_no_events(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_to(WORLD_UPGRADE("/ask/a"));
	for (size_t i = 0; i < route_table_count(newer.ruleset->routes); i++) {
		const struct route *route = route_table_at(newer.ruleset->routes, i);

		if (strcmp(route->config->name, "ask") == 0)
			((struct route *)(uintptr_t)route)->backend = &backend_echo;
	}
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), -ENOENT);
	state_wipe(&buf);
	assert_nothing_kept(&newer);
	conns_thaw(&newer.home);
	in(&older);
	conns_thaw(&older.home);
	end();
}

/* A back end that takes events is new on this route: it hears from now on. */
static void test_a_back_end_that_is_new(void **state)
{
	(void)state;
	begin();
	open_echo();
	with_route(&newer, NULL, NULL);
	for (size_t i = 0; i < newer.ruleset->config.route_count; i++)
		if (strcmp(newer.ruleset->config.routes[i].name, "ask") == 0) {
			free(newer.ruleset->config.routes[i].path);
			newer.ruleset->config.routes[i].path = strdup("/echo/{client_id}");
		}
	move();
	assert_non_null(newer.uplink);
	world_recv(&newer, WITH_SIZE(MESSAGE("a")));
	assert_int_equal(newer.uplink->messages, 1);
	end();
}

/* --- what it has proved --- */

static void prove(void *arg)
{
	world_decide(arg, AUTH_PROVED);
}

static void test_what_it_has_proved(void **state)
{
	(void)state;
	struct presence_proof proof;

	begin();
	world_accept(&older);
	world_recv_text(&older, WORLD_UPGRADE("/prove/a"));
	fake_call(&older.io, prove, &older);
	assert_int_equal(older.conn->phase, CONN_OPEN);
	move();
	assert_true(presence_proof(conn_presence(newer.conn), &proof));
	assert_string_equal(proof.way, "basic");
	assert_string_equal(proof.subject, "a");
	end();
}

/* --- what stays --- */

static void test_it_comes_to_nothing(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_echo();
	older.io.room = 3;
	world_recv(&older, WITH_SIZE(MESSAGE("a") MESSAGE("b") "\x81"));
	fake_pass(&older.io, 9000);
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	state_wipe(&buf);
	older.io.clock_ns += HOUR_MS * NS_PER_MS;
	in(&older);
	conns_thaw(&older.home);
	older.io.room = SIZE_MAX;
	fake_turn(&older.io);
	assert_sent(&older, WITH_SIZE(ECHO("a") ECHO("b")));
	fake_pass(&older.io, 900);
	assert_sent(&older, WITH_SIZE(ECHO("a") ECHO("b")));
	fake_pass(&older.io, 101);
	assert_sent(&older, WITH_SIZE(ECHO("a") ECHO("b") OUR_PING));
	world_recv(&older, "\x81\0\0\0\0c", 6);
	assert_sent(&older, WITH_SIZE(ECHO("a") ECHO("b") OUR_PING ECHO("c")));
	end();
}

static void stays(const char *name)
{
	struct buf buf = {0};

	freeze();
	ASSERT_ROW(export(older.conn, &buf) == CONN_STAYS, name);
	in(&older);
	conns_thaw(&older.home);
	fake_turn(&older.io);
	buf_finish(&buf);
}

static void test_what_is_no_open_websocket_stays(void **state)
{
	(void)state;
	static const char *const requests[] = {
		"",
		"GET /now HTTP/1.1\r\nHo",
		"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc",
		"GET /later HTTP/1.1\r\nHost: x\r\n\r\n",
		WORLD_UPGRADE("/prove/a"),
		WORLD_UPGRADE("/ask/a"),
		WORLD_UPGRADE("/page/a"),
	};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		begin();
		world_accept(&older);
		if (requests[i][0] != 0)
			world_recv_text(&older, requests[i]);
		stays(requests[i]);
		end();
	}
	begin();
	open_echo();
	conn_ws_close(older.conn, CLOSE_IDLE);
	stays("closing");
	end();
}

/* Another connection of the same client came, and this one does not know yet. */
static void test_who_was_taken_over_stays(void **state)
{
	(void)state;
	struct presence *newest, *list;

	begin();
	open_echo();
	newest = presence_create(&(struct presence_facts){.route = conn_presence(older.conn)->route,
							  .client_id = "a",
							  .mailbox = &older.home.mailbox});
	assert_true(directory_enter(older.directory, newest, DIRECTORY_NEWEST, &list));
	struct presence *taken = directory_pop(&list);

	presence_unref(&taken);
	stays("taken over");
	directory_leave(older.directory, newest);
	presence_unref(&newest);
	end();
}

/* Its end came while it was made to stand still. */
static void test_who_ends_meanwhile_stays(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_echo();
	conns_freeze(&older.home);
	world_recv(&older, WITH_SIZE(MESSAGE("a") CLOSE));
	assert_sent(&older, NULL, 0);
	assert_int_equal(export(older.conn, &buf), CONN_STAYS);
	conns_thaw(&older.home);
	fake_turn(&older.io);
	fake_turn(&older.io);
	assert_sent(&older, WITH_SIZE(ECHO("a") CLOSE_ANSWER));
	assert_nothing_kept(&older);
	buf_finish(&buf);
	end();
}

static void test_a_full_writer(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer;

	begin();
	open_echo();
	freeze();
	state_writer_init(&writer, &buf, 100);
	assert_int_equal(conn_export(older.conn, &writer), CONN_STAYS);
	assert_int_equal(writer.error, 0);
	assert_int_equal(buf.len, 0);
	in(&older);
	conns_thaw(&older.home);
	buf_finish(&buf);
	end();
}

/* --- what is refused --- */

/* One with something of everything. */
static void rich(struct buf *out)
{
	begin_with(", message_rate: 100", ", message_rate: 100");
	open_to(WORLD_UPGRADE("/ask/a"));
	older.uplink->base.is_full = true;
	world_recv(&older, WITH_SIZE(MESSAGE("a") "\x01\x82"
						  "abcdef"));
	older.io.room = 0;
	assert_int_equal(tcp_write(&older.conn->tcp, "waits", 5), 0);
	freeze();
	assert_int_equal(export(older.conn, out), CONN_GOES);
}

static void rich_end(struct buf *buf)
{
	state_wipe(buf);
	in(&older);
	conns_thaw(&older.home);
	older.io.sent.len = 0;
	end();
}

/* Whatever it is: taken over, and it can end; or refused, and nothing is kept. */
static void try(struct slice bytes)
{
	int r = import(&newer, bytes);

	if (r == 0) {
		conns_thaw(&newer.home);
		fake_turn(&newer.io);
		in(&newer);
		newer.io.room = SIZE_MAX;
		conns_abort(&newer.home);
		if (newer.uplink != NULL)
			fake_uplink_gone(&newer);
		fake_turn(&newer.io);
	}
	conns_thaw(&newer.home);
	assert_nothing_kept(&newer);
	newer.io.sent.len = 0;
	newer.io.has_fin = false;
}

static void test_cut_short(void **state)
{
	(void)state;
	struct buf buf = {0};

	rich(&buf);
	for (size_t cut = 0; cut < buf.len; cut++)
		try(slice_of(buf.data, cut));
	rich_end(&buf);
}

static void test_with_any_bit_turned(void **state)
{
	(void)state;
	struct buf buf = {0};

	rich(&buf);
	for (size_t bit = 0; bit < 8 * buf.len; bit++) {
		buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		try(buf_slice(&buf));
		buf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	rich_end(&buf);
}

static void test_of_a_newer_version(void **state)
{
	(void)state;
	struct buf buf = {0};
	struct state_writer writer;

	rich(&buf);
	size_t len = buf.len;

	state_writer_init(&writer, &buf, STATE_MAX);
	state_put_u64(&writer, STATE_MUST | 0x1000, 1);
	assert_int_equal(import(&newer, buf_slice(&buf)), -ENOTSUP);
	assert_nothing_kept(&newer);
	buf.len = len;
	state_put_u64(&writer, 0x1000, 1);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	conns_thaw(&newer.home);
	rich_end(&buf);
}

static void test_twice(void **state)
{
	(void)state;
	struct buf buf = {0};

	begin();
	open_echo();
	freeze();
	assert_int_equal(export(older.conn, &buf), CONN_GOES);
	assert_int_equal(import(&newer, buf_slice(&buf)), 0);
	assert_int_equal(import(&newer, buf_slice(&buf)), -EEXIST);
	assert_int_equal(newer.home.conn_pool.live_count, 1);
	assert_int_equal(admission_current(&newer.admission), 1);
	state_wipe(&buf);
	commit();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_it_is),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_at_every_byte),
		cmocka_unit_test(test_compressed_at_every_byte),
		cmocka_unit_test(test_compression_that_is_off_by_now),
		cmocka_unit_test(test_output_that_waits),
		cmocka_unit_test(test_a_stalled_one),
		cmocka_unit_test(test_a_stalled_one_that_has_finished),
		cmocka_unit_test(test_a_stalled_one_under_a_higher_limit),
		cmocka_unit_test(test_silence_goes_on),
		cmocka_unit_test(test_an_answer_is_waited_for_as_long),
		cmocka_unit_test(test_whoever_answers_in_time_stays),
		cmocka_unit_test(test_a_slow_reader_has_as_long),
		cmocka_unit_test(test_idleness_goes_on),
		cmocka_unit_test(test_rates_go_on),
		cmocka_unit_test(test_rates_that_are_gone),
		cmocka_unit_test(test_rates_that_are_new),
		cmocka_unit_test(test_lower_limits_cut_nobody),
		cmocka_unit_test(test_a_route_that_is_gone),
		cmocka_unit_test(test_a_route_with_another_name),
		cmocka_unit_test(test_a_route_with_another_path),
		cmocka_unit_test(test_its_back_end_is_told_nothing),
		cmocka_unit_test(test_a_close_before_it_is_its_own),
		cmocka_unit_test(test_a_back_end_that_takes_no_events),
		cmocka_unit_test(test_a_back_end_that_is_new),
		cmocka_unit_test(test_what_it_has_proved),
		cmocka_unit_test(test_it_comes_to_nothing),
		cmocka_unit_test(test_what_is_no_open_websocket_stays),
		cmocka_unit_test(test_who_was_taken_over_stays),
		cmocka_unit_test(test_who_ends_meanwhile_stays),
		cmocka_unit_test(test_a_full_writer),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_with_any_bit_turned),
		cmocka_unit_test(test_of_a_newer_version),
		cmocka_unit_test(test_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
