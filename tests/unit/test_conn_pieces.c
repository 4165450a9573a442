/* SPDX-License-Identifier: Apache-2.0
 * test_conn_pieces.c - whole sessions that trickle, and that break off at every byte: the same
 * answers as in one piece, and nothing left over wherever they stop. */
#include "conn_unit.h"

#include <stdio.h>

#define HELLO  "\x81\x85\0\0\0\0hello"
#define PARTS  "\x01\x82\0\0\0\0he\x80\x83\0\0\0\0llo" /* the same in two frames */
#define PING   "\x89\x81\0\0\0\0p"
#define CLOSE  "\x88\x82\0\0\0\0\x03\xe8"
#define FRAMES HELLO PARTS PING HELLO CLOSE

#define GET_NOW  "GET /now HTTP/1.1\r\nHost: x\r\n\r\n"
#define GET_LAST "GET /no HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
#define POST_NOW "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nabcdefg"
#define POST_CHUNKED                                                          \
	"POST /now HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" \
	"3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\nT: x\r\n\r\n"

#define WITH_SIZE(text) text, sizeof(text) - 1

static const struct {
	const char *name;
	const char *bytes;
	size_t len;
	bool is_asking;   /* the back end decides, as soon as it is asked */
	const char *said; /* begins the answer */
	const char *end;  /* ends it: the text of the body, or the last frames */
	size_t end_len;
	size_t answers; /* over HTTP; 0: one. With more the connection is kept */
} sessions[] = {
	{"an ordinary request", WITH_SIZE("GET /now HTTP/1.1\r\nHost: x\r\n\r\n"), false,
	 "HTTP/1.1 200", WITH_SIZE("now")},
	{"a HEAD", WITH_SIZE("HEAD /now HTTP/1.1\r\nHost: x\r\n\r\n"), false, "HTTP/1.1 200",
	 WITH_SIZE("\r\n\r\n")},
	{"a body", WITH_SIZE("POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\nabcdefg"),
	 false, "HTTP/1.1 200", WITH_SIZE("now")},
	{"nothing there", WITH_SIZE("GET /no HTTP/1.1\r\nHost: x\r\n\r\n"), false, "HTTP/1.1 404",
	 WITH_SIZE("}\n")},
	{"messages", WITH_SIZE(WORLD_UPGRADE("/echo/a") FRAMES), false, "HTTP/1.1 101",
	 WITH_SIZE("\x81\x05hello\x81\x05hello\x8a\x01p\x81\x05hello\x88\x02\x03\xe8")},
	{"a back end that lets in", WITH_SIZE(WORLD_UPGRADE("/ask/a") FRAMES), true, "HTTP/1.1 101",
	 WITH_SIZE("\r\n\r\n\x8a\x01p\x88\x02\x03\xe8")},
	{"requests in a row", WITH_SIZE(GET_NOW POST_CHUNKED "\r\n" GET_NOW POST_NOW GET_LAST),
	 false, "HTTP/1.1 200", WITH_SIZE("}\n"), 5},
	{"an upgrade behind a request", WITH_SIZE(GET_NOW WORLD_UPGRADE("/echo/a") HELLO CLOSE),
	 false, "HTTP/1.1 200", WITH_SIZE("\r\n\r\n\x81\x05hello\x88\x02\x03\xe8"), 2},
	{"no request behind a HEAD", WITH_SIZE("HEAD /now HTTP/1.1\r\nHost: x\r\n\r\nno\r\n"),
	 false, "HTTP/1.1 200", WITH_SIZE("}\n"), 2},
	{"a bad frame", WITH_SIZE(WORLD_UPGRADE("/echo/a") HELLO "\xff"), false, "HTTP/1.1 101",
	 WITH_SIZE("no extension was agreed")},
};

static void let_in(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_accepted(&world->uplink->base,
						 &(struct uplink_acceptance){0});
}

static void begin(struct world *world, size_t session)
{
	world_init(world);
	world->service.kept.max = sessions[session].answers > 0;
	world_accept(world);
}

/* In pieces of `size` bytes, as long as they are taken. */
static void send_bytes(struct world *world, size_t session, size_t len, size_t size)
{
	for (size_t at = 0; at < len && !world_is_gone(world); at += size) {
		if (tcp_is_closing(&world->conn->tcp))
			break;
		world_recv(world, sessions[session].bytes + at, MIN(size, len - at));
		if (sessions[session].is_asking && world->uplink != NULL &&
		    !world->uplink->is_connected && !world->uplink->is_closed)
			fake_call(&world->io, let_in, world);
	}
}

static size_t answers_count(const struct buf *sent)
{
	const uint8_t *at = sent->data, *end = sent->data + sent->len;
	size_t count = 0;

	while ((at = memmem(at, (size_t)(end - at), "HTTP/1.1 ", 9)) != NULL) {
		count++;
		at++;
	}
	return count;
}

static void check_said(const struct world *world, size_t session)
{
	const struct buf *sent = &world->io.sent;
	const char *name = sessions[session].name;
	size_t len = sessions[session].end_len;

	ASSERT_ROW(sent->len >= 12 && memcmp(sent->data, sessions[session].said, 12) == 0, name);
	ASSERT_ROW(sent->len >= len &&
			   memcmp(sent->data + sent->len - len, sessions[session].end, len) == 0,
		   name);
	ASSERT_ROW(answers_count(sent) == MAX(sessions[session].answers, (size_t)1), name);
}

/* TCP may cut anywhere. */
static void test_pieces_of_every_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
		for (size_t size = 1; size <= sessions[i].len; size++) {
			struct world world;

			begin(&world, i);
			send_bytes(&world, i, sessions[i].len, size);
			check_said(&world, i);
			world_end_conn(&world);
			world_finish(&world);
		}
}

enum { STOP_EOF, STOP_ERROR, STOP_DRAIN, STOP_ABORT, STOP_SILENCE, STOP_COUNT };

static void drain(void *arg)
{
	conns_drain(&((struct world *)arg)->home);
}

static void abort_all(void *arg)
{
	conns_abort(&((struct world *)arg)->home);
}

/* Each timer, until none is left: the client says nothing more, not even a pong. */
static void wait_for_the_end(struct world *world)
{
	for (int i = 0; i < 10 && !world_is_gone(world); i++) {
		assert_true(loop_timer_is_running(&world->conn->timer));
		world->io.clock_ns = world->conn->timer.expires_at * NS_PER_MS;
		fake_turn(&world->io);
		fake_turn(&world->io);
	}
}

static void stop(struct world *world, int how)
{
	if (how == STOP_EOF)
		fake_tell(&world->io, &world->conn->tcp, FAKE_EOF);
	else if (how == STOP_ERROR)
		fake_tell(&world->io, &world->conn->tcp, FAKE_ERROR);
	else if (how == STOP_DRAIN)
		fake_call(&world->io, drain, world);
	else if (how == STOP_ABORT)
		fake_call(&world->io, abort_all, world);
	if (!world_is_gone(world))
		wait_for_the_end(world);
}

/* However a session stops, at whatever byte, it comes to an end by itself. */
static void test_sessions_that_stop_at_every_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++)
		for (size_t len = 0; len <= sessions[i].len; len++)
			for (int how = 0; how < STOP_COUNT; how++) {
				struct world world;

				begin(&world, i);
				send_bytes(&world, i, len, 1000);
				if (!world_is_gone(&world))
					stop(&world, how);
				ASSERT_ROW(world_is_gone(&world), sessions[i].name);
				world_end_conn(&world);
				world_finish(&world);
			}
}

/* What it does not get rid of at once may leave in pieces too. */
static void test_answers_leave_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sessions); i++) {
		struct world world;

		begin(&world, i);
		world.io.room = 0;
		send_bytes(&world, i, sessions[i].len, 1000);
		for (int turns = 0; turns < 2000 && !world_is_gone(&world); turns++) {
			world.io.room = 1;
			if (!tcp_is_closing(&world.conn->tcp))
				loop_queue(&world.conn->tcp);
			fake_turn(&world.io);
			if (world.io.has_fin && !world_is_gone(&world) && !world.conn->has_eof)
				fake_tell(&world.io, &world.conn->tcp, FAKE_EOF);
		}
		ASSERT_ROW(world_is_gone(&world), sessions[i].name);
		check_said(&world, i);
		world_end_conn(&world);
		world_finish(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_of_every_size),
		cmocka_unit_test(test_sessions_that_stop_at_every_byte),
		cmocka_unit_test(test_answers_leave_byte_by_byte),
	};

	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
