/* SPDX-License-Identifier: Apache-2.0
 * test_conn_state_io.c - a connection with a real socket goes from a loop of one engine to a loop
 * of the same or the other one, in the middle of a message, and on to a third. Its client, who goes
 * on sending meanwhile, notices nothing. */
#include "conn_unit.h"
#include "io_unit.h"

#include "conn/conn_state.h"
#include "io/tcp_handover.h"

#define STATE_MAX (1 << 20)

/* One process. */
struct side {
	struct io_fixture io;
	struct world world;
};

static void side_init(struct side *side, enum loop_engine engine)
{
	*side = (struct side){.world = {.gone = 0}};
	io_fixture_init(&side->io, engine, io_many_sockets());
	world_init_on(&side->world, side->io.loop);
}

static bool is_empty(const struct world *world)
{
	return conns_are_gone(&world->home);
}

static void side_finish(struct side *side)
{
	SPIN_UNTIL(&side->io, is_empty(&side->world));
	assert_int_equal(side->world.home.stats.sockets, 0);
	assert_int_equal(side->world.home.stats.connections, 0);
	assert_int_equal(admission_current(&side->world.admission), 0);
	assert_int_equal(directory_count(side->world.directory), 0);
	world_finish_on(&side->world);
	loop_destroy(&side->io.loop);
}

static struct conn *conn_at(struct side *side)
{
	struct pool_walk walk;

	assert_int_equal(side->world.home.conn_pool.live_count, 1);
	pool_walk_start(&walk, &side->world.home.conn_pool);
	struct conn *conn = pool_walk_next(&walk);

	pool_walk_stop(&walk);
	return conn;
}

/* --- the client --- */

static void on_accept(struct acceptor *acceptor, const struct tcp_accepted *accepted)
{
	struct side *side = acceptor->arg;

	assert_true(conns_accept(&side->world.home, accepted, NULL, 1));
}

/* What the client has read so far. */
struct client_side {
	int fd;
	char text[65536];
	size_t len;
};

static bool has_read(struct client_side *client, const char *end, size_t end_len)
{
	ssize_t n = recv(client->fd, client->text + client->len, sizeof(client->text) - client->len,
			 MSG_DONTWAIT);

	if (n > 0)
		client->len += (size_t)n;
	return client->len >= end_len &&
	       memcmp(client->text + client->len - end_len, end, end_len) == 0;
}

/* An open WebSocket to /echo/a. */
static void client_open(struct side *side, struct client_side *client)
{
	static const char upgrade[] = WORLD_UPGRADE("/echo/a");
	struct acceptor acceptor;

	acceptor_open(&side->io, &acceptor, "127.0.0.1:0");
	acceptor.on_accept = on_accept;
	acceptor.arg = side;
	client->fd = peer_connect(&acceptor.addr);
	client->len = 0;
	peer_write(client->fd, upgrade, sizeof(upgrade) - 1);
	SPIN_UNTIL(&side->io, has_read(client, "\r\n\r\n", 4));
	client->len = 0;
	acceptor_close(&side->io, &acceptor);
}

/* --- the move --- */

static bool is_held(const struct side *side, size_t count)
{
	return side->world.home.stats.received_bytes >= count;
}

/* `meanwhile` is sent while nobody reads. */
static void move(struct side *from, struct side *to, struct client_side *client,
		 const char *meanwhile, size_t meanwhile_len)
{
	struct conn *conn = conn_at(from);
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;
	uint64_t deadline_ns = clock_now_ns() + GIVE_UP_NS;

	conns_freeze(&from->world.home);
	assert_int_equal(loop_settle(from->io.loop, deadline_ns), 0);
	peer_write(client->fd, meanwhile, meanwhile_len);
	state_writer_init(&writer, &buf, STATE_MAX);
	assert_int_equal(conn_export(conn, &writer), CONN_GOES);
	int fd = tcp_take_fd(&conn->tcp);

	assert_true(fd >= 0);
	if (directory_last_id(to->world.directory) == 0)
		assert_true(directory_continue_ids(to->world.directory,
						   directory_last_id(from->world.directory)));
	state_reader_init(&reader, buf_slice(&buf));
	world_now = &to->world;
	assert_int_equal(conn_import(&to->world.home, 1, fd, &reader), 0);
	assert_int_equal(loop_settle(to->io.loop, deadline_ns), 0);
	state_wipe(&buf);
	conn_forget(conn);
	conns_thaw(&from->world.home);
	SPIN_UNTIL(&from->io, from->world.home.conn_pool.live_count == 0);
	conns_thaw(&to->world.home);
}

/* The world that it leaves has what it needs to go on, or to take the next. */
static void test_from(enum loop_engine first, enum loop_engine second)
{
	static struct side one, two, three;
	static struct client_side client;

	side_init(&one, first);
	side_init(&two, second);
	side_init(&three, first);
	client_open(&one, &client);
	peer_write(client.fd,
		   "\x01\x83\0\0\0\0"
		   "ab",
		   8);
	SPIN_UNTIL(&one.io, is_held(&one, 8));
	move(&one, &two, &client, "c\x80", 2);
	SPIN_UNTIL(&two.io, is_held(&two, 2));
	move(&two, &three, &client,
	     "\x81\0\0\0\0"
	     "d\x81\x81\0\0\0\0"
	     "e",
	     13);
	SPIN_UNTIL(&three.io, has_read(&client, "\x81\4abcd\x81\1e", 9));
	assert_int_equal(client.len, 9);
	assert_false(peer_at_eof(client.fd));
	peer_write(client.fd, "\x88\x82\0\0\0\0\x03\xe8", 8);
	SPIN_UNTIL(&three.io, has_read(&client, "\x88\2\x03\xe8", 4));
	close(client.fd);
	side_finish(&one);
	side_finish(&two);
	side_finish(&three);
}

/* It comes to nothing: what came meanwhile is answered where it always was. */
static void test_back(enum loop_engine engine)
{
	static struct side one;
	static struct client_side client;
	struct buf buf = {0};
	struct state_writer writer;

	side_init(&one, engine);
	client_open(&one, &client);
	for (int i = 0; i < 3; i++) {
		struct conn *conn = conn_at(&one);

		peer_write(client.fd,
			   "\x81\x82\0\0\0\0"
			   "a",
			   7);
		conns_freeze(&one.world.home);
		assert_int_equal(loop_settle(one.io.loop, clock_now_ns() + GIVE_UP_NS), 0);
		peer_write(client.fd, "b", 1);
		state_writer_init(&writer, &buf, STATE_MAX);
		assert_int_equal(conn_export(conn, &writer), CONN_GOES);
		int fd = tcp_take_fd(&conn->tcp);

		assert_true(fd >= 0);
		close(fd);
		buf.len = 0;
		conns_thaw(&one.world.home);
		SPIN_UNTIL(&one.io, has_read(&client, "\x81\2ab", 4));
		assert_int_equal(client.len, 4);
		client.len = 0;
	}
	state_wipe(&buf);
	close(client.fd);
	side_finish(&one);
}

static void test_epoll_to_epoll(void **state)
{
	(void)state;
	test_from(LOOP_ENGINE_EPOLL, LOOP_ENGINE_EPOLL);
}

static void test_epoll_to_uring(void **state)
{
	(void)state;
	test_from(LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING);
}

static void test_uring_to_epoll(void **state)
{
	(void)state;
	test_from(LOOP_ENGINE_IO_URING, LOOP_ENGINE_EPOLL);
}

static void test_uring_to_uring(void **state)
{
	(void)state;
	test_from(LOOP_ENGINE_IO_URING, LOOP_ENGINE_IO_URING);
}

static void test_back_on_epoll(void **state)
{
	(void)state;
	test_back(LOOP_ENGINE_EPOLL);
}

static void test_back_on_uring(void **state)
{
	(void)state;
	test_back(LOOP_ENGINE_IO_URING);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epoll_to_epoll), cmocka_unit_test(test_back_on_epoll),
		cmocka_unit_test(test_epoll_to_uring), cmocka_unit_test(test_uring_to_epoll),
		cmocka_unit_test(test_uring_to_uring), cmocka_unit_test(test_back_on_uring),
	};

	if (loop_engine_can_hand_over(LOOP_ENGINE_IO_URING) == 0)
		return cmocka_run_group_tests(tests, NULL, NULL);
	fprintf(stderr, "io_uring is not tested: it cannot be used, or hands nothing over, here\n");
	return _cmocka_run_group_tests("tests", tests, 2, NULL, NULL);
}
