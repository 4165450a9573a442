/* SPDX-License-Identifier: Apache-2.0
 * test_phase_refusing.c - what a browser is told that may not come in. */
#include "conn_unit.h"

#include "conn/conn_log.h"
#include "conn/phase_refusing.h"

#define PAGE(path, fields)                                                                  \
	"GET " path " HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " WORLD_KEY "\r\n" fields "\r\n"

static struct world world;

static void begin(void)
{
	world_init(&world);
	world_accept(&world);
}

static void end(void)
{
	world_end_conn(&world);
	world_finish(&world);
}

/* What was sent, as text up to its end. */
static const char *said(void)
{
	static char text[2048];
	size_t len = MIN(world.io.sent.len, sizeof(text) - 1);

	if (len > 0)
		memcpy(text, world.io.sent.data, len);
	text[len] = 0;
	return text;
}

static void test_waits_then_tells_all_at_once(void **state)
{
	(void)state;
	begin();
	world_recv_text(&world, PAGE("/page/a", ""));
	assert_int_equal(world.conn->phase, CONN_REFUSING);
	assert_int_equal(admission_current(&world.service.refused_browsers), 1);
	fake_pass(&world.io, 499);
	assert_int_equal(world.io.sent.len, 0);
	fake_pass(&world.io, 1002);
	assert_ptr_equal(strstr(said(), "HTTP/1.1 101"), said());
	assert_non_null(strstr(said(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
	assert_null(strstr(said(), "Sec-WebSocket-Protocol"));
	assert_true(world.io.has_fin);
	assert_int_equal(world.conn->phase, CONN_LINGER);
	assert_int_equal(admission_current(&world.service.refused_browsers), 0);
	const uint8_t *frame = (const uint8_t *)strstr(said(), "\r\n\r\n") + 4;

	assert_int_equal(frame[0], 0x88);
	assert_int_equal(frame[1], world.io.sent.len - (size_t)(frame - (uint8_t *)said()) - 2);
	assert_int_equal(frame[2] << 8 | frame[3], 4403);
	assert_memory_equal(frame + 4, "origin_missing: ", 16);
	assert_int_equal(world.home.stats.browsers_told, 1);
	assert_int_equal(world.home.stats.handshakes_rejected, 1);
	assert_int_equal(world.home.stats.connections_accepted, 0);
	end();
}

/* Nobody holds the rules that it was refused by: they may be gone before it is, and lines of the
 * log about it must not look there. */
static void test_who_waits_to_be_told_knows_no_route(void **state)
{
	(void)state;
	static const char *const requests[] = {
		PAGE("/page/a", ""),
		PAGE("/echo/%00", ""),
		PAGE("/prove/a", ""),
	};
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		struct conn_log_ids ids;

		begin();
		world.verdict = AUTH_WRONG;
		world_recv_text(&world, requests[i]);
		ASSERT_ROW(world.conn->phase == CONN_REFUSING || world.conn->phase == CONN_LINGER,
			   requests[i]);
		ASSERT_ROW(conn_route(world.conn) == NULL, requests[i]);
		conn_log_ids(world.conn, &ids);
		ASSERT_ROW(ids.count == 4, requests[i]);
		end();
	}
}

static void test_beyond_the_bound_it_is_http(void **state)
{
	(void)state;
	begin();
	world.service.refused_browsers.max = 0;
	world_recv_text(&world, PAGE("/page/a", ""));
	assert_ptr_equal(strstr(said(), "HTTP/1.1 403"), said());
	assert_int_equal(world.home.stats.browsers_told, 0);
	assert_int_equal(world.home.stats.browsers_untold, 1);
	end();
}

/* No code stands for these, and a request that asks for no upgrade is answered as ever. */
static void test_other_answers_stay_http(void **state)
{
	(void)state;
	static const struct {
		const char *request, *answer;
	} rows[] = {
		{PAGE("/page/%00", "Origin: http://x\r\n"), "HTTP/1.1 400"},
		{PAGE("/nowhere", ""), "HTTP/1.1 404"},
		{"GET /page/a HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 426"},
		{"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 405"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		begin();
		world_recv_text(&world, rows[i].request);
		ASSERT_ROW(strncmp(said(), rows[i].answer, 12) == 0, rows[i].request);
		end();
	}
}

static void test_a_subprotocol_is_agreed_on_for_show(void **state)
{
	(void)state;
	begin();
	world_recv_text(&world, PAGE("/page/a", "Sec-WebSocket-Protocol: , no token, one,two\r\n"
						"Sec-WebSocket-Protocol: three\r\n"));
	fake_pass(&world.io, 1501);
	assert_non_null(strstr(said(), "\r\nSec-WebSocket-Protocol: one\r\n"));
	end();
}

static uint16_t code_said(void)
{
	const uint8_t *frame = (const uint8_t *)strstr(said(), "\r\n\r\n") + 4;

	assert_int_equal(frame[0], 0x88);
	return (uint16_t)(frame[2] << 8 | frame[3]);
}

/* While it proves who it is: its request is at hand. */
static void test_when_the_gateway_stops(void **state)
{
	(void)state;
	begin();
	world_recv_text(&world,
			PAGE("/page/a", "Origin: http://x\r\nSec-WebSocket-Protocol: one\r\n"));
	assert_int_equal(world.conn->phase, CONN_PROVING);
	conns_drain(&world.home);
	fake_pass(&world.io, 2);
	assert_ptr_equal(strstr(said(), "HTTP/1.1 101"), said());
	assert_non_null(strstr(said(), "\r\nSec-WebSocket-Protocol: one\r\n"));
	assert_int_equal(code_said(), 4503);
	end();
}

static void shed(void *arg)
{
	struct world *told = arg;

	told->home.phases[told->conn->phase]->shed(told->conn);
}

static void test_when_memory_is_short(void **state)
{
	(void)state;
	begin();
	world_recv_text(&world, PAGE("/page/a", "Origin: http://x\r\n"));
	assert_int_equal(world.conn->phase, CONN_PROVING);
	fake_call(&world.io, shed, &world);
	fake_pass(&world.io, 1501);
	assert_ptr_equal(strstr(said(), "HTTP/1.1 101"), said());
	assert_int_equal(code_said(), 4503);
	end();
}

static void test_which_subprotocol(void **state)
{
	(void)state;
	static const struct {
		const char *list, *want;
	} rows[] = {
		{"", ""},
		{",,", ""},
		{"a", "a"},
		{"(a), \"b\", c d, e", "e"},
		{"0123456789012345678901234567890123456789012345678901234567890123, x",
		 "0123456789012345678901234567890123456789012345678901234567890123"},
		{"01234567890123456789012345678901234567890123456789012345678901234, x", "x"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice got = conn_subprotocol_for_show(slice_from_text(rows[i].list));

		ASSERT_ROW(slice_equals(got, slice_from_text(rows[i].want)), rows[i].list);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_then_tells_all_at_once),
		cmocka_unit_test(test_who_waits_to_be_told_knows_no_route),
		cmocka_unit_test(test_beyond_the_bound_it_is_http),
		cmocka_unit_test(test_other_answers_stay_http),
		cmocka_unit_test(test_a_subprotocol_is_agreed_on_for_show),
		cmocka_unit_test(test_when_the_gateway_stops),
		cmocka_unit_test(test_when_memory_is_short),
		cmocka_unit_test(test_which_subprotocol),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
