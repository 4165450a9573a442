/* SPDX-License-Identifier: Apache-2.0
 * test_conn_phases.c - every phase of a connection, and every thing that can happen in it: each
 * ends in a named outcome, and nothing is left over. */
#include "conn_unit.h"

#include <stdio.h>

#include "conn/conn_state.h"
#include "conn/phases.h"

/* --- how a phase is reached --- */

/* Of a client, masked with zeros. */
#define FRAME_HELLO "\x81\x85\0\0\0\0hello"
#define FRAME_CLOSE "\x88\x82\0\0\0\0\x03\xe8"

static void reach_head(struct world *world)
{
	(void)world;
}

static void reach_head_part(struct world *world)
{
	world_recv_text(world, "GET /now HTTP/1.1\r\nHo");
}

static void reach_body(struct world *world)
{
	world_recv_text(world, "POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc");
}

static void reach_answer(struct world *world)
{
	world_recv_text(world, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
}

/* The gateway keeps connections from now on. */
static void keep(struct world *world)
{
	world->service.kept.max = 1;
}

static void reach_kept(struct world *world)
{
	keep(world);
	world_recv_text(world, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(world->conn->is_kept && tcp_queued(&world->conn->tcp) == 0);
}

static void reach_kept_blank(struct world *world)
{
	reach_kept(world);
	world_recv_text(world, "\r\n");
}

static void reach_kept_part(struct world *world)
{
	reach_kept(world);
	reach_head_part(world);
}

static void reach_kept_body(struct world *world)
{
	reach_kept(world);
	reach_body(world);
}

static void reach_answering(struct world *world)
{
	world->io.room = 0;
	keep(world);
	world_recv_text(world, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
	assert_true(tcp_queued(&world->conn->tcp) > 0);
}

static void reach_answering_next(struct world *world)
{
	reach_answering(world);
	world_recv_text(world, "GET /no HTTP/1.1\r\nHost: x\r\n\r\nG");
}

static void reach_answer_next(struct world *world)
{
	keep(world);
	reach_answer(world);
	world_recv_text(world, "GET /now HTTP/1.1\r\nHost: x\r\n\r\n");
}

static void reach_stream(struct world *world)
{
	reach_answer(world);
	fake_call(&world->io, world_stream, world);
	assert_int_equal(tcp_queued(&world->conn->tcp), 0);
}

static void write_piece(void *arg)
{
	struct world *world = arg;

	assert_int_equal(http_stream_write(&world->stream, SLICE_LITERAL("piece")), 0);
}

static void close_stream(void *arg)
{
	http_stream_close(&((struct world *)arg)->stream);
}

static void reach_stream_waiting(struct world *world)
{
	reach_stream(world);
	world->io.room = 0;
	fake_call(&world->io, write_piece, world);
	assert_true(tcp_queued(&world->conn->tcp) > 0);
}

static void reach_proving(struct world *world)
{
	world_recv_text(world, WORLD_UPGRADE("/prove/a"));
	assert_non_null(world->pending);
}

/* What came early makes it not read, but it is looked at on. */
static void reach_proving_early(struct world *world)
{
	static const char early[20000];

	reach_proving(world);
	world_recv(world, early, sizeof(early));
}

static void reach_proving_ask(struct world *world)
{
	world_recv_text(world, WORLD_UPGRADE("/prove-ask/a") "\x81");
}

static void prove(void *arg)
{
	world_decide(arg, AUTH_PROVED);
}

static void reach_asking_proved(struct world *world)
{
	reach_proving_ask(world);
	fake_call(&world->io, prove, world);
	assert_non_null(world->uplink);
}

static void reach_asking(struct world *world)
{
	world_recv_text(world, WORLD_UPGRADE("/ask/a"));
}

static void reach_asking_nodes(struct world *world)
{
	world_cluster(world);
	world_recv_text(world, WORLD_UPGRADE("/echo/a"));
}

/* What came early makes it not read, but it is asked on. */
static void reach_asking_early(struct world *world)
{
	static const char early[20000];

	reach_asking(world);
	world_recv(world, early, sizeof(early));
}

static void reach_open(struct world *world)
{
	world_recv_text(world, WORLD_UPGRADE("/echo/a"));
}

static void reach_open_frame(struct world *world)
{
	reach_open(world);
	world_recv(world, FRAME_HELLO, 8);
}

static void reach_pinged(struct world *world)
{
	reach_open(world);
	fake_pass(&world->io, 10001);
	assert_true(world->conn->is_pinged);
}

static void stall(struct world *world)
{
	world->io.room = 0;
	while (!world->conn->is_stalled)
		world_recv(world, FRAME_HELLO FRAME_HELLO, 22);
}

static void reach_stalled(struct world *world)
{
	reach_open(world);
	stall(world);
}

/* What waits behind what it does not take is its close frame. */
static void reach_stalled_close(struct world *world)
{
	reach_stalled(world);
	world_recv(world, FRAME_CLOSE, 8);
}

static void reach_stalled_eof(struct world *world)
{
	reach_stalled(world);
	fake_tell(&world->io, &world->conn->tcp, FAKE_EOF);
}

static void let_in(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_accepted(&world->uplink->base,
						 &(struct uplink_acceptance){0});
}

static void reach_linked(struct world *world)
{
	reach_asking(world);
	fake_call(&world->io, let_in, world);
}

static void reach_held_up(struct world *world)
{
	reach_linked(world);
	world->uplink->base.is_full = true;
	world_recv(world, FRAME_HELLO, 11);
}

static void drain(void *arg)
{
	conn_drain(((struct world *)arg)->conn);
}

static void reach_closing(struct world *world)
{
	reach_open(world);
	fake_call(&world->io, drain, world);
}

static void reach_closing_frame(struct world *world)
{
	reach_closing(world);
	world_recv(world, FRAME_CLOSE, 7);
}

static void reach_flush(struct world *world)
{
	reach_open(world);
	world->io.room = 0;
	world_recv(world, FRAME_CLOSE, 8);
}

static void reach_refusing(struct world *world)
{
	world_recv_text(world, WORLD_UPGRADE("/page/a"));
	assert_int_equal(world->io.sent.len, 0);
}

static void reach_refusing_more(struct world *world)
{
	reach_refusing(world);
	world_recv(world, FRAME_HELLO FRAME_CLOSE, 11 + 8);
}

static void reach_linger(struct world *world)
{
	reach_open(world);
	world->io.room = 0;
	world_recv(world, "\xff", 1);
}

static const struct {
	const char *name;
	enum conn_phase_id phase;
	void (*reach)(struct world *world);
} states[] = {
	{"head", CONN_HEAD, reach_head},
	{"head, a part", CONN_HEAD, reach_head_part},
	{"body", CONN_BODY, reach_body},
	{"answer", CONN_ANSWER, reach_answer},
	{"kept", CONN_HEAD, reach_kept},
	{"kept, a blank line", CONN_HEAD, reach_kept_blank},
	{"kept, a part", CONN_HEAD, reach_kept_part},
	{"kept, body", CONN_BODY, reach_kept_body},
	{"answering", CONN_HEAD, reach_answering},
	{"answering, next", CONN_HEAD, reach_answering_next},
	{"answer, next", CONN_ANSWER, reach_answer_next},
	{"stream", CONN_STREAM, reach_stream},
	{"stream, waiting", CONN_STREAM, reach_stream_waiting},
	{"proving", CONN_PROVING, reach_proving},
	{"proving, early bytes", CONN_PROVING, reach_proving_early},
	{"proving, then asking", CONN_PROVING, reach_proving_ask},
	{"asking, proved", CONN_ASKING, reach_asking_proved},
	{"asking", CONN_ASKING, reach_asking},
	{"asking, early bytes", CONN_ASKING, reach_asking_early},
	{"asking other nodes", CONN_ASKING, reach_asking_nodes},
	{"refusing", CONN_REFUSING, reach_refusing},
	{"refusing, more bytes", CONN_REFUSING, reach_refusing_more},
	{"open", CONN_OPEN, reach_open},
	{"open, pinged", CONN_OPEN, reach_pinged},
	{"open, part of a frame", CONN_OPEN, reach_open_frame},
	{"open, stalled", CONN_OPEN, reach_stalled},
	{"open, stalled, close held", CONN_OPEN, reach_stalled_close},
	{"open, stalled, eof", CONN_OPEN, reach_stalled_eof},
	{"open, uplink", CONN_OPEN, reach_linked},
	{"open, uplink full", CONN_OPEN, reach_held_up},
	{"closing", CONN_CLOSING, reach_closing},
	{"closing, part of a frame", CONN_CLOSING, reach_closing_frame},
	{"flush", CONN_FLUSH, reach_flush},
	{"linger", CONN_LINGER, reach_linger},
};

/* --- what happens --- */

static void abort_conn(void *arg)
{
	conn_abort(((struct world *)arg)->conn);
}

static void abort_twice(void *arg)
{
	abort_conn(arg);
	drain(arg);
	abort_conn(arg);
}

static struct session *session_now(struct world *world)
{
	return world->conn->has_presence ? presence_session(conn_presence(world->conn)) : NULL;
}

static void close_by_api(void *arg)
{
	session_close(session_now(arg), 4000, "bye");
}

static void push(void *arg)
{
	session_push(session_now(arg), &(struct message){.bytes = SLICE_LITERAL("pushed")});
}

static void take_over(void *arg)
{
	session_now(arg)->ops->taken_over(session_now(arg));
}

static void refuse(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_refused(&world->uplink->base,
						&(struct uplink_refusal){.status = 403});
	world->uplink->base.owner = NULL;
	world->uplink->is_closed = true;
}

static void give_up(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_undecided(&world->uplink->base, UPLINK_LATE, "test");
	world->uplink->base.owner = NULL;
	world->uplink->is_closed = true;
}

static void message_down(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_message(&world->uplink->base,
						&(struct message){.bytes = SLICE_LITERAL("down")});
}

static void down(void *arg)
{
	struct world *world = arg;

	world->uplink->base.handler->on_down(&world->uplink->base);
}

static void make_room(void *arg)
{
	struct world *world = arg;

	world->uplink->base.is_full = false;
	world->uplink->base.handler->on_room(&world->uplink->base);
}

static void reply(void *arg)
{
	world_reply(arg);
}

static void disprove(void *arg)
{
	world_decide(arg, AUTH_WRONG);
}

static void forbid(void *arg)
{
	world_decide(arg, AUTH_FORBIDDEN);
}

static void be_out_of_reach(void *arg)
{
	world_decide(arg, AUTH_UNAVAILABLE);
}

static bool is_streaming(struct world *world)
{
	return world->conn->phase == CONN_STREAM;
}

static bool is_proving(struct world *world)
{
	return world->conn->phase == CONN_PROVING;
}

static bool is_asking(struct world *world)
{
	return world->conn->phase == CONN_ASKING && world->uplink != NULL;
}

static bool is_linked(struct world *world)
{
	return world->conn->phase == CONN_OPEN && world->conn->has_uplink;
}

static bool is_held_up(struct world *world)
{
	return is_linked(world) && world->uplink->base.is_full;
}

static bool is_taken(struct world *world)
{
	return world->later != NULL;
}

static bool is_found(struct world *world)
{
	return session_now(world) != NULL && world->conn->phase == CONN_OPEN;
}

static bool is_stuck(struct world *world)
{
	return tcp_queued(&world->conn->tcp) > 0;
}

static bool has_timer(struct world *world)
{
	return loop_timer_is_running(&world->conn->timer);
}

static bool may_hear(struct world *world)
{
	return !world->conn->has_eof;
}

enum event_kind { CALL, RECV, END, FAIL, TAKE, PASS };

static const struct {
	const char *name;
	enum event_kind kind;
	const char *data;
	size_t len;
	void (*call)(void *arg);
	bool (*is_possible)(struct world *world); /* NULL: always */
} events[] = {
	{"byte", RECV, "x", 1, NULL, may_hear},
	{"frame", RECV, FRAME_HELLO, 11, NULL, may_hear},
	{"close frame", RECV, FRAME_CLOSE, 8, NULL, may_hear},
	{"eof", END, NULL, 0, NULL, may_hear},
	{"error", FAIL, NULL, 0, NULL, NULL},
	{"drained", TAKE, NULL, 0, NULL, is_stuck},
	{"timeout", PASS, NULL, 0, NULL, has_timer},
	{"drain", CALL, NULL, 0, drain, NULL},
	{"abort", CALL, NULL, 0, abort_conn, NULL},
	{"abort, drain, abort", CALL, NULL, 0, abort_twice, NULL},
	{"answer", CALL, NULL, 0, reply, is_taken},
	{"piece", CALL, NULL, 0, write_piece, is_streaming},
	{"no more pieces", CALL, NULL, 0, close_stream, is_streaming},
	{"proved", CALL, NULL, 0, prove, is_proving},
	{"disproved", CALL, NULL, 0, disprove, is_proving},
	{"forbidden", CALL, NULL, 0, forbid, is_proving},
	{"unavailable", CALL, NULL, 0, be_out_of_reach, is_proving},
	{"let in", CALL, NULL, 0, let_in, is_asking},
	{"refused", CALL, NULL, 0, refuse, is_asking},
	{"undecided", CALL, NULL, 0, give_up, is_asking},
	{"message down", CALL, NULL, 0, message_down, is_linked},
	{"back end down", CALL, NULL, 0, down, is_linked},
	{"room", CALL, NULL, 0, make_room, is_held_up},
	{"push", CALL, NULL, 0, push, is_found},
	{"closed by the API", CALL, NULL, 0, close_by_api, is_found},
	{"taken over", CALL, NULL, 0, take_over, is_found},
};

static void happen(struct world *world, size_t event)
{
	struct tcp *tcp = &world->conn->tcp;

	switch (events[event].kind) {
	case CALL:
		fake_call(&world->io, events[event].call, world);
		break;
	case RECV:
		fake_recv(&world->io, tcp, events[event].data, events[event].len);
		break;
	case END:
		fake_tell(&world->io, tcp, FAKE_EOF);
		break;
	case FAIL:
		fake_tell(&world->io, tcp, FAKE_ERROR);
		break;
	case TAKE:
		fake_take(&world->io, tcp);
		fake_turn(&world->io);
		break;
	case PASS:
		world->io.clock_ns = world->conn->timer.expires_at * NS_PER_MS;
		fake_turn(&world->io);
		break;
	}
}

/* --- what comes of it --- */

#define OUTCOME_MAX 160

/* Of a stream, whose answer was said before. */
static void append_pieces(const char *at, const char *end, char *out)
{
	static const char last[] = "0\r\n\r\n";
	size_t len = (size_t)(end - at);

	if (memmem(at, len, "5\r\npiece\r\n", 10) != NULL)
		snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", sent");
	if (len >= strlen(last) && memcmp(end - strlen(last), last, strlen(last)) == 0)
		snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", complete");
}

/* What was said since `from`: the status of an answer, or each frame, a close with its code. */
static void append_said(const struct world *world, size_t from, char *out)
{
	struct slice said = slice_behind(buf_slice(&world->io.sent), from);

	if (said.len == 0)
		return;
	const uint8_t *at = said.data, *end = said.data + said.len;

	if (end - at > 12 && memcmp(at, "HTTP/1.1 ", 9) == 0) {
		snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", %.3s", at + 9);
		if (memcmp(at + 9, "101", 3) != 0)
			return;
		at = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
		assert_non_null(at);
		at += 4;
	}
	if (world->streams_begun > 0) {
		append_pieces((const char *)at, (const char *)end, out);
		return;
	}
	unsigned frames = 0;

	for (; at < end; at += 2 + (at[1] & 0x7f)) {
		assert_true(end - at >= 2 + (at[1] & 0x7f) && (at[1] & 0x7f) < 126);
		if (at[0] == 0x88)
			snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", close %u",
				 at[2] << 8 | at[3]);
		else if (at[0] == 0x89)
			snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", ping");
		else
			frames++;
	}
	if (frames > 0)
		snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ", sent");
}

static void append_ends(const struct world *world, const struct stats *before, char *out)
{
	for (size_t i = 0; i < CLOSE_REASON_COUNT; i++)
		if (world->home.stats.connections_closed[i] > before->connections_closed[i])
			snprintf(out + strlen(out), OUTCOME_MAX - strlen(out), ": %s",
				 close_table[i].label);
}

/* The phase after the event, while nothing leaves; then what the client was told, and, if the
 * event has ended the connection, why. */
static void outcome_of(struct world *world, size_t event, char out[OUTCOME_MAX])
{
	struct stats before = world->home.stats;
	size_t from = world->io.sent.len;

	if (events[event].kind != TAKE)
		world->io.room = 0;
	happen(world, event);
	bool is_gone = world_is_gone(world);

	snprintf(out, OUTCOME_MAX, "%s%s", is_gone ? "gone" : conn_phases[world->conn->phase]->name,
		 !is_gone && world->conn->is_stalled ? " stalled" : "");
	append_ends(world, &before, out);
	if (!world_is_gone(world))
		fake_take(&world->io, &world->conn->tcp);
	append_said(world, from, out);
}

/* --- all phases, all events --- */

static const struct {
	const char *state, *event, *outcome;
} cells[] = {
	{"head", "byte", "head"},
	{"head", "frame", "linger, 400"},
	{"head", "close frame", "linger, 400"},
	{"head", "eof", "gone"},
	{"head", "error", "gone"},
	{"head", "timeout", "gone"},
	{"head", "drain", "flush, 503"},
	{"head", "abort", "gone"},
	{"head", "abort, drain, abort", "gone"},
	{"head, a part", "byte", "head"},
	{"head, a part", "frame", "linger, 400"},
	{"head, a part", "close frame", "linger, 400"},
	{"head, a part", "eof", "gone"},
	{"head, a part", "error", "gone"},
	{"head, a part", "timeout", "linger, 408"},
	{"head, a part", "drain", "flush, 503"},
	{"head, a part", "abort", "gone"},
	{"head, a part", "abort, drain, abort", "gone"},
	{"body", "byte", "body"},
	{"body", "frame", "linger, 200"},
	{"body", "close frame", "linger, 200"},
	{"body", "eof", "gone"},
	{"body", "error", "gone"},
	{"body", "timeout", "linger, 408"},
	{"body", "drain", "gone"},
	{"body", "abort", "gone"},
	{"body", "abort, drain, abort", "gone"},
	{"answer", "byte", "answer"},
	{"answer", "frame", "answer"},
	{"answer", "close frame", "answer"},
	{"answer", "eof", "answer"},
	{"answer", "error", "gone"},
	{"answer", "timeout", "linger, 504"},
	{"answer", "drain", "answer"},
	{"answer", "abort", "gone"},
	{"answer", "abort, drain, abort", "gone"},
	{"answer", "answer", "flush, 200"},
	{"kept", "byte", "head"},
	{"kept", "frame", "linger, 400"},
	{"kept", "close frame", "linger, 400"},
	{"kept", "eof", "gone"},
	{"kept", "error", "gone"},
	{"kept", "timeout", "gone"},
	{"kept", "drain", "gone"},
	{"kept", "abort", "gone"},
	{"kept", "abort, drain, abort", "gone"},
	{"kept, a blank line", "byte", "head"},
	{"kept, a blank line", "frame", "linger, 400"},
	{"kept, a blank line", "close frame", "linger, 400"},
	{"kept, a blank line", "eof", "gone"},
	{"kept, a blank line", "error", "gone"},
	{"kept, a blank line", "timeout", "gone"},
	{"kept, a blank line", "drain", "gone"},
	{"kept, a blank line", "abort", "gone"},
	{"kept, a blank line", "abort, drain, abort", "gone"},
	{"kept, a part", "byte", "head"},
	{"kept, a part", "frame", "linger, 400"},
	{"kept, a part", "close frame", "linger, 400"},
	{"kept, a part", "eof", "gone"},
	{"kept, a part", "error", "gone"},
	{"kept, a part", "timeout", "linger, 408"},
	{"kept, a part", "drain", "flush, 503"},
	{"kept, a part", "abort", "gone"},
	{"kept, a part", "abort, drain, abort", "gone"},
	{"kept, body", "byte", "body"},
	{"kept, body", "frame", "head, 200"},
	{"kept, body", "close frame", "head, 200"},
	{"kept, body", "eof", "gone"},
	{"kept, body", "error", "gone"},
	{"kept, body", "timeout", "linger, 408"},
	{"kept, body", "drain", "gone"},
	{"kept, body", "abort", "gone"},
	{"kept, body", "abort, drain, abort", "gone"},
	{"answering", "byte", "head, 200"},
	{"answering", "frame", "head, 200"},
	{"answering", "close frame", "head, 200"},
	{"answering", "eof", "head, 200"},
	{"answering", "error", "gone"},
	{"answering", "drained", "head, 200"},
	{"answering", "timeout", "gone"},
	{"answering", "drain", "flush, 200"},
	{"answering", "abort", "gone"},
	{"answering", "abort, drain, abort", "gone"},
	{"answering, next", "byte", "head, 200"},
	{"answering, next", "frame", "head, 200"},
	{"answering, next", "close frame", "head, 200"},
	{"answering, next", "eof", "head, 200"},
	{"answering, next", "error", "gone"},
	{"answering, next", "drained", "head, 200"},
	{"answering, next", "timeout", "gone"},
	{"answering, next", "drain", "flush, 200"},
	{"answering, next", "abort", "gone"},
	{"answering, next", "abort, drain, abort", "gone"},
	{"answer, next", "byte", "answer"},
	{"answer, next", "frame", "answer"},
	{"answer, next", "close frame", "answer"},
	{"answer, next", "eof", "answer"},
	{"answer, next", "error", "gone"},
	{"answer, next", "timeout", "head, 504"},
	{"answer, next", "drain", "answer"},
	{"answer, next", "abort", "gone"},
	{"answer, next", "abort, drain, abort", "gone"},
	{"answer, next", "answer", "head, 200"},
	{"stream", "byte", "stream"},
	{"stream", "frame", "stream"},
	{"stream", "close frame", "stream"},
	{"stream", "eof", "gone"},
	{"stream", "error", "gone"},
	{"stream", "timeout", "stream"},
	{"stream", "drain", "flush, complete"},
	{"stream", "abort", "gone"},
	{"stream", "abort, drain, abort", "gone"},
	{"stream", "piece", "stream, sent"},
	{"stream", "no more pieces", "flush, complete"},
	{"stream, waiting", "byte", "stream, sent"},
	{"stream, waiting", "frame", "stream, sent"},
	{"stream, waiting", "close frame", "stream, sent"},
	{"stream, waiting", "eof", "gone"},
	{"stream, waiting", "error", "gone"},
	{"stream, waiting", "drained", "stream, sent"},
	{"stream, waiting", "timeout", "stream, sent"},
	{"stream, waiting", "drain", "flush, sent, complete"},
	{"stream, waiting", "abort", "gone"},
	{"stream, waiting", "abort, drain, abort", "gone"},
	{"stream, waiting", "piece", "stream, sent"},
	{"stream, waiting", "no more pieces", "flush, sent, complete"},
	{"proving", "byte", "proving"},
	{"proving", "frame", "proving"},
	{"proving", "close frame", "proving"},
	{"proving", "eof", "gone"},
	{"proving", "error", "gone"},
	{"proving", "timeout", "linger, 503"},
	{"proving", "drain", "flush, 503"},
	{"proving", "abort", "gone"},
	{"proving", "abort, drain, abort", "gone"},
	{"proving", "proved", "open, 101"},
	{"proving", "disproved", "linger, 401"},
	{"proving", "forbidden", "linger, 403"},
	{"proving", "unavailable", "linger, 503"},
	{"proving, early bytes", "byte", "proving"},
	{"proving, early bytes", "frame", "proving"},
	{"proving, early bytes", "close frame", "proving"},
	{"proving, early bytes", "eof", "gone"},
	{"proving, early bytes", "error", "gone"},
	{"proving, early bytes", "timeout", "linger, 503"},
	{"proving, early bytes", "drain", "flush, 503"},
	{"proving, early bytes", "abort", "gone"},
	{"proving, early bytes", "abort, drain, abort", "gone"},
	{"proving, early bytes", "proved", "linger, 101, close 1002"},
	{"proving, early bytes", "disproved", "linger, 401"},
	{"proving, early bytes", "forbidden", "linger, 403"},
	{"proving, early bytes", "unavailable", "linger, 503"},
	{"proving, then asking", "byte", "proving"},
	{"proving, then asking", "frame", "proving"},
	{"proving, then asking", "close frame", "proving"},
	{"proving, then asking", "eof", "gone"},
	{"proving, then asking", "error", "gone"},
	{"proving, then asking", "timeout", "linger, 503"},
	{"proving, then asking", "drain", "flush, 503"},
	{"proving, then asking", "abort", "gone"},
	{"proving, then asking", "abort, drain, abort", "gone"},
	{"proving, then asking", "proved", "asking"},
	{"proving, then asking", "disproved", "linger, 401"},
	{"proving, then asking", "forbidden", "linger, 403"},
	{"proving, then asking", "unavailable", "linger, 503"},
	{"asking, proved", "byte", "asking"},
	{"asking, proved", "frame", "asking"},
	{"asking, proved", "close frame", "asking"},
	{"asking, proved", "eof", "gone"},
	{"asking, proved", "error", "gone"},
	{"asking, proved", "timeout", "linger, 504"},
	{"asking, proved", "drain", "flush, 503"},
	{"asking, proved", "abort", "gone"},
	{"asking, proved", "abort, drain, abort", "gone"},
	{"asking, proved", "let in", "open, 101"},
	{"asking, proved", "refused", "linger, 403"},
	{"asking, proved", "undecided", "linger, 504"},
	{"asking", "byte", "asking"},
	{"asking", "frame", "asking"},
	{"asking", "close frame", "asking"},
	{"asking", "eof", "gone"},
	{"asking", "error", "gone"},
	{"asking", "timeout", "linger, 504"},
	{"asking", "drain", "flush, 503"},
	{"asking", "abort", "gone"},
	{"asking", "abort, drain, abort", "gone"},
	{"asking", "let in", "open, 101"},
	{"asking", "refused", "linger, 403"},
	{"asking", "undecided", "linger, 504"},
	{"asking, early bytes", "byte", "asking"},
	{"asking, early bytes", "frame", "asking"},
	{"asking, early bytes", "close frame", "asking"},
	{"asking, early bytes", "eof", "gone"},
	{"asking, early bytes", "error", "gone"},
	{"asking, early bytes", "timeout", "linger, 504"},
	{"asking, early bytes", "drain", "flush, 503"},
	{"asking, early bytes", "abort", "gone"},
	{"asking, early bytes", "abort, drain, abort", "gone"},
	{"asking, early bytes", "let in", "linger, 101, close 1002"},
	{"asking, early bytes", "refused", "linger, 403"},
	{"asking, early bytes", "undecided", "linger, 504"},
	{"asking other nodes", "byte", "asking"},
	{"asking other nodes", "frame", "asking"},
	{"asking other nodes", "close frame", "asking"},
	{"asking other nodes", "eof", "gone"},
	{"asking other nodes", "error", "gone"},
	{"asking other nodes", "timeout", "open, 101"},
	{"asking other nodes", "drain", "flush, 503"},
	{"asking other nodes", "abort", "gone"},
	{"asking other nodes", "abort, drain, abort", "gone"},
	{"refusing", "byte", "refusing"},
	{"refusing", "frame", "refusing"},
	{"refusing", "close frame", "refusing"},
	{"refusing", "eof", "gone"},
	{"refusing", "error", "gone"},
	{"refusing", "timeout", "linger, 101, close 4403"},
	{"refusing", "drain", "linger, 101, close 4403"},
	{"refusing", "abort", "gone"},
	{"refusing", "abort, drain, abort", "gone"},
	{"refusing, more bytes", "byte", "refusing"},
	{"refusing, more bytes", "frame", "refusing"},
	{"refusing, more bytes", "close frame", "refusing"},
	{"refusing, more bytes", "eof", "gone"},
	{"refusing, more bytes", "error", "gone"},
	{"refusing, more bytes", "timeout", "linger, 101, close 4403"},
	{"refusing, more bytes", "drain", "linger, 101, close 4403"},
	{"refusing, more bytes", "abort", "gone"},
	{"refusing, more bytes", "abort, drain, abort", "gone"},
	{"open", "byte", "linger, close 1002"},
	{"open", "frame", "open, sent"},
	{"open", "close frame", "flush, close 1000"},
	{"open", "eof", "gone: client_gone"},
	{"open", "error", "gone: connection_lost"},
	{"open", "timeout", "open, ping"},
	{"open", "drain", "closing, close 1001"},
	{"open", "abort", "gone: drain"},
	{"open", "abort, drain, abort", "gone: drain"},
	{"open", "push", "open, sent"},
	{"open", "closed by the API", "closing, close 4000"},
	{"open", "taken over", "closing, close 4001"},
	{"open, pinged", "byte", "linger, close 1002"},
	{"open, pinged", "frame", "open, sent"},
	{"open, pinged", "close frame", "flush, close 1000"},
	{"open, pinged", "eof", "gone: client_gone"},
	{"open, pinged", "error", "gone: connection_lost"},
	{"open, pinged", "timeout", "linger, close 1001"},
	{"open, pinged", "drain", "closing, close 1001"},
	{"open, pinged", "abort", "gone: drain"},
	{"open, pinged", "abort, drain, abort", "gone: drain"},
	{"open, pinged", "push", "open, sent"},
	{"open, pinged", "closed by the API", "closing, close 4000"},
	{"open, pinged", "taken over", "closing, close 4001"},
	{"open, part of a frame", "byte", "open"},
	{"open, part of a frame", "frame", "linger, close 1007"},
	{"open, part of a frame", "close frame", "linger, close 1007"},
	{"open, part of a frame", "eof", "gone: client_gone"},
	{"open, part of a frame", "error", "gone: connection_lost"},
	{"open, part of a frame", "timeout", "open, ping"},
	{"open, part of a frame", "drain", "closing, close 1001"},
	{"open, part of a frame", "abort", "gone: drain"},
	{"open, part of a frame", "abort, drain, abort", "gone: drain"},
	{"open, part of a frame", "push", "open, sent"},
	{"open, part of a frame", "closed by the API", "closing, close 4000"},
	{"open, part of a frame", "taken over", "closing, close 4001"},
	{"open, stalled", "byte", "open stalled, close 1002, sent"},
	{"open, stalled", "frame", "open stalled, sent"},
	{"open, stalled", "close frame", "open stalled, close 1000, sent"},
	{"open, stalled", "eof", "open stalled, sent"},
	{"open, stalled", "error", "gone: connection_lost"},
	{"open, stalled", "drained", "open, sent"},
	{"open, stalled", "timeout", "gone: slow_reader"},
	{"open, stalled", "drain", "closing, close 1001, sent"},
	{"open, stalled", "abort", "gone: drain"},
	{"open, stalled", "abort, drain, abort", "gone: drain"},
	{"open, stalled", "push", "gone: slow_reader"},
	{"open, stalled", "closed by the API", "closing, close 4000, sent"},
	{"open, stalled", "taken over", "closing, close 4001, sent"},
	{"open, stalled, close held", "byte", "open stalled, close 1000, sent"},
	{"open, stalled, close held", "frame", "open stalled, close 1000, sent"},
	{"open, stalled, close held", "close frame", "open stalled, close 1000, sent"},
	{"open, stalled, close held", "eof", "open stalled, close 1000, sent"},
	{"open, stalled, close held", "error", "gone: connection_lost"},
	{"open, stalled, close held", "drained", "gone: client_closed, close 1000, sent"},
	{"open, stalled, close held", "timeout", "gone: slow_reader"},
	{"open, stalled, close held", "drain", "flush, close 1001, sent"},
	{"open, stalled, close held", "abort", "gone: drain"},
	{"open, stalled, close held", "abort, drain, abort", "gone: drain"},
	{"open, stalled, close held", "push", "gone: slow_reader"},
	{"open, stalled, close held", "closed by the API", "flush, close 4000, sent"},
	{"open, stalled, close held", "taken over", "flush, close 4001, sent"},
	{"open, stalled, eof", "error", "gone: connection_lost"},
	{"open, stalled, eof", "drained", "gone: client_gone, sent"},
	{"open, stalled, eof", "timeout", "gone: slow_reader"},
	{"open, stalled, eof", "drain", "flush, close 1001, sent"},
	{"open, stalled, eof", "abort", "gone: drain"},
	{"open, stalled, eof", "abort, drain, abort", "gone: drain"},
	{"open, stalled, eof", "push", "gone: slow_reader"},
	{"open, stalled, eof", "closed by the API", "flush, close 4000, sent"},
	{"open, stalled, eof", "taken over", "flush, close 4001, sent"},
	{"open, uplink", "byte", "linger, close 1002"},
	{"open, uplink", "frame", "open"},
	{"open, uplink", "close frame", "flush, close 1000"},
	{"open, uplink", "eof", "gone: client_gone"},
	{"open, uplink", "error", "gone: connection_lost"},
	{"open, uplink", "timeout", "open, ping"},
	{"open, uplink", "drain", "closing, close 1001"},
	{"open, uplink", "abort", "gone: drain"},
	{"open, uplink", "abort, drain, abort", "gone: drain"},
	{"open, uplink", "message down", "open, sent"},
	{"open, uplink", "back end down", "closing, close 1013"},
	{"open, uplink", "push", "open, sent"},
	{"open, uplink", "closed by the API", "closing, close 4000"},
	{"open, uplink", "taken over", "closing, close 4001"},
	{"open, uplink full", "byte", "open stalled"},
	{"open, uplink full", "frame", "open stalled"},
	{"open, uplink full", "close frame", "open stalled"},
	{"open, uplink full", "eof", "open stalled"},
	{"open, uplink full", "error", "gone: connection_lost"},
	{"open, uplink full", "drain", "closing, close 1001"},
	{"open, uplink full", "abort", "gone: drain"},
	{"open, uplink full", "abort, drain, abort", "gone: drain"},
	{"open, uplink full", "message down", "open stalled, sent"},
	{"open, uplink full", "back end down", "closing, close 1013"},
	{"open, uplink full", "room", "open"},
	{"open, uplink full", "push", "open stalled, sent"},
	{"open, uplink full", "closed by the API", "closing, close 4000"},
	{"open, uplink full", "taken over", "closing, close 4001"},
	{"closing", "byte", "linger"},
	{"closing", "frame", "closing"},
	{"closing", "close frame", "gone: drain"},
	{"closing", "eof", "gone: drain"},
	{"closing", "error", "gone: drain"},
	{"closing", "timeout", "gone: drain"},
	{"closing", "drain", "closing"},
	{"closing", "abort", "gone: drain"},
	{"closing", "abort, drain, abort", "gone: drain"},
	{"closing, part of a frame", "byte", "linger"},
	{"closing, part of a frame", "frame", "linger"},
	{"closing, part of a frame", "close frame", "linger"},
	{"closing, part of a frame", "eof", "gone: drain"},
	{"closing, part of a frame", "error", "gone: drain"},
	{"closing, part of a frame", "timeout", "gone: drain"},
	{"closing, part of a frame", "drain", "closing"},
	{"closing, part of a frame", "abort", "gone: drain"},
	{"closing, part of a frame", "abort, drain, abort", "gone: drain"},
	{"flush", "byte", "flush, close 1000"},
	{"flush", "frame", "flush, close 1000"},
	{"flush", "close frame", "flush, close 1000"},
	{"flush", "eof", "flush, close 1000"},
	{"flush", "error", "gone: client_closed"},
	{"flush", "drained", "gone: client_closed, close 1000"},
	{"flush", "timeout", "gone: client_closed"},
	{"flush", "drain", "flush, close 1000"},
	{"flush", "abort", "gone: client_closed"},
	{"flush", "abort, drain, abort", "gone: client_closed"},
	{"linger", "byte", "linger, close 1002"},
	{"linger", "frame", "linger, close 1002"},
	{"linger", "close frame", "linger, close 1002"},
	{"linger", "eof", "flush, close 1002"},
	{"linger", "error", "gone: protocol_error"},
	{"linger", "drained", "linger, close 1002"},
	{"linger", "timeout", "gone: protocol_error"},
	{"linger", "drain", "linger, close 1002"},
	{"linger", "abort", "gone: protocol_error"},
	{"linger", "abort, drain, abort", "gone: protocol_error"},
};

static const char *wanted(size_t state, size_t event)
{
	for (size_t i = 0; i < ARRAY_LEN(cells); i++)
		if (strcmp(cells[i].state, states[state].name) == 0 &&
		    strcmp(cells[i].event, events[event].name) == 0)
			return cells[i].outcome;
	return NULL;
}

/* To another process, which is this one again. */
static void move(struct world *world)
{
	struct buf buf = {0};
	struct state_writer writer;
	struct state_reader reader;
	struct pool_walk walk;

	conns_freeze(&world->home);
	state_writer_init(&writer, &buf, 1 << 20);
	assert_int_equal(conn_export(world->conn, &writer), CONN_GOES);
	conn_forget(world->conn);
	if (world->uplink != NULL)
		fake_uplink_gone(world);
	fake_turn(&world->io);
	assert_true(world_is_gone(world));
	state_reader_init(&reader, buf_slice(&buf));
	assert_int_equal(conn_import(&world->home, 1, -1, &reader), 0);
	state_wipe(&buf);
	pool_walk_start(&walk, &world->home.conn_pool);
	world->conn = pool_walk_next(&walk);
	pool_walk_stop(&walk);
	conns_thaw(&world->home);
}

/* True: this event can happen there. */
static bool check_cell(size_t state, size_t event, bool is_moved)
{
	struct world world;
	char outcome[OUTCOME_MAX], row[128];

	snprintf(row, sizeof(row), "%s / %s", states[state].name, events[event].name);
	world_init(&world);
	world_accept(&world);
	states[state].reach(&world);
	ASSERT_ROW(!world_is_gone(&world) && world.conn->phase == states[state].phase, row);
	if (is_moved)
		move(&world);
	bool is_possible = events[event].is_possible == NULL || events[event].is_possible(&world);

	if (is_possible) {
		outcome_of(&world, event, outcome);
		if (wanted(state, event) == NULL || strcmp(outcome, wanted(state, event)) != 0)
			fail_msg("%s: %s, not %s", row, outcome, wanted(state, event));
	}
	world_end_conn(&world);
	world_finish(&world);
	return is_possible;
}

static void test_every_event_in_every_phase(void **state)
{
	size_t cell_count = 0;

	(void)state;
	for (size_t at = 0; at < ARRAY_LEN(states); at++)
		for (size_t event = 0; event < ARRAY_LEN(events); event++)
			cell_count += check_cell(at, event, false);
	assert_int_equal(cell_count, ARRAY_LEN(cells));
}

/* Whatever happens to one that comes from another process, the same comes of it. */
static void test_every_event_after_a_move(void **state)
{
	(void)state;
	for (size_t at = 0; at < ARRAY_LEN(states); at++)
		for (size_t event = 0; event < ARRAY_LEN(events); event++)
			if (states[at].phase == CONN_OPEN)
				check_cell(at, event, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_event_in_every_phase),
		cmocka_unit_test(test_every_event_after_a_move),
	};

	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
