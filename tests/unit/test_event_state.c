/* SPDX-License-Identifier: Apache-2.0
 * test_event_state.c - uplinks that move from one process to the next: what waits goes along in its
 * order, what is under way is ended by the older one and is neither lost nor sent twice. Both
 * processes are here; the carrier is the test's, and so is the road. */
#include "io_unit.h"
#include "presence_unit.h"

#include <errno.h>

#include "base/aligned.h"
#include "base/state.h"
#include "route/backend_type.h"
#include "route/event_road.h"
#include "route/route.h"

#define QUEUE_MAX 100000

struct side {
	struct handover_road road;
	struct side *other;
	struct event_source source;
	struct event_backend backend;
	struct uplink *uplink;
	char sent[512]; /* "3 hello|" as launched */
	char answers[256];
	unsigned gone, rooms, yields, cancels, troubles;
	bool is_deaf; /* the road loses what is told */
};

struct fixture {
	struct io_fixture io;
	struct config_backend config;
	struct config_route route_config;
	struct route route;
	struct mailbox mailbox;
	struct presence *presence;
	struct random_source random;
	struct side older, newer;
};

static struct fixture *fixture;

/* --- the carrier --- */

static struct side *side_of(const struct event_flight *flight)
{
	return CONTAINER_OF(event_backend_of(flight->uplink), struct side, backend);
}

static enum carry_result launch(struct event_flight *flight)
{
	struct side *side = side_of(flight);
	const struct event *event = flight->event;
	size_t used = strlen(side->sent);

	if (event == NULL)
		return CARRY_TAKEN;
	snprintf(side->sent + used, sizeof(side->sent) - used, "%u %.*s|",
		 (unsigned)event->sequence, (int)event->len, (const char *)event->body);
	return CARRY_UNDER_WAY;
}

static void cancel(struct event_flight *flight)
{
	side_of(flight)->cancels++;
}

static void yield(struct event_flight *flight)
{
	side_of(flight)->yields++;
}

static const struct event_carrier carrier = {
	.flight_size = sizeof(struct event_flight),
	.launch = launch,
	.cancel = cancel,
	.yield = yield,
};

static const struct backend_type test_type = {.carrier = &carrier};

static struct event_uplink *event_of(const struct side *side)
{
	return CONTAINER_OF(side->uplink, struct event_uplink, base);
}

/* What is under way ends so. */
static void land(struct side *side, enum carry_result result, const char *answer)
{
	struct event_flight *flight = event_of(side)->flight;

	assert_non_null(flight);
	event_flight_done(flight,
			  &(struct carry_verdict){
				  .result = result,
				  .detail = "because",
				  .answer = {.is_text = true, .bytes = slice_from_text(answer)},
			  });
}

static void land_with_actions(struct side *side, const char *actions)
{
	struct event_flight *flight = event_of(side)->flight;

	assert_non_null(flight);
	event_flight_done(flight, &(struct carry_verdict){
					  .result = CARRY_TAKEN,
					  .actions = slice_from_text(actions),
				  });
}

/* --- the owner --- */

static struct side *side_of_uplink(const struct uplink *uplink)
{
	return uplink->home;
}

static void on_accepted(struct uplink *uplink, const struct uplink_acceptance *accepted)
{
	(void)accepted;
	uplink->backend->ops->connected(uplink, fixture->presence);
}

static void on_message(struct uplink *uplink, const struct message *message)
{
	struct side *side = side_of_uplink(uplink);
	size_t used = strlen(side->answers);

	snprintf(side->answers + used, sizeof(side->answers) - used, "%.*s|",
		 SLICE_ARG(message->bytes));
}

/* The test's lists are their text; those that begin with '?' are none. */
static struct actions *read_actions(const struct uplink *uplink, struct slice json, char *problem,
				    size_t size)
{
	(void)uplink;
	if (json.data[0] != '?')
		return (struct actions *)slice_to_text(json);
	snprintf(problem, size, "no list");
	return NULL;
}

static void on_actions(struct uplink *uplink, struct actions *actions)
{
	struct side *side = side_of_uplink(uplink);
	size_t used = strlen(side->answers);

	snprintf(side->answers + used, sizeof(side->answers) - used, "do %s|", (char *)actions);
	free(actions);
}

static bool may_send(const struct uplink *uplink)
{
	(void)uplink;
	return true;
}

static void on_room(struct uplink *uplink)
{
	side_of_uplink(uplink)->rooms++;
}

static void on_trouble(const struct uplink *uplink, const char *what, const char *detail)
{
	(void)what;
	(void)detail;
	side_of_uplink(uplink)->troubles++;
}

static void on_gone(struct uplink *uplink)
{
	side_of_uplink(uplink)->gone++;
}

static const struct uplink_handler handler = {
	.on_accepted = on_accepted,
	.on_message = on_message,
	.read_actions = read_actions,
	.on_actions = on_actions,
	.may_send = may_send,
	.on_room = on_room,
	.on_trouble = on_trouble,
	.on_gone = on_gone,
};

static void own(struct side *side, struct uplink *uplink)
{
	assert_non_null(uplink);
	uplink->handler = &handler;
	uplink->owner = side;
	uplink->home = side;
	uplink->route = &fixture->route;
	side->uplink = uplink;
}

static struct uplink_request request(void)
{
	return (struct uplink_request){
		.presence = fixture->presence,
		.loop = fixture->io.loop,
		.random = &fixture->random,
		.traceparent = SLICE_LITERAL(
			"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
		.tracestate = SLICE_LITERAL("a=b"),
	};
}

static const struct uplink_ops *ops(void)
{
	return fixture->older.backend.base.ops;
}

/* A client that is in, with its connected event delivered. */
static void enter(void)
{
	struct uplink_request asked = request();
	struct side *older = &fixture->older;

	own(older, ops()->open(&older->backend.base, &asked));
	SPIN_UNTIL(&fixture->io, older->sent[0] != 0);
	assert_string_equal(older->sent, "1 |");
	land(older, CARRY_TAKEN, "");
	older->sent[0] = 0;
}

static void say_call(struct side *side, const char *text, uint64_t call)
{
	assert_int_equal(
		ops()->message(side->uplink, &(struct message){.is_text = true,
							       .call = call,
							       .bytes = slice_from_text(text)}),
		0);
}

static void say(struct side *side, const char *text)
{
	say_call(side, text, 0);
}

/* --- the way --- */

static void export_to(struct buf *out)
{
	struct state_writer writer;

	state_writer_init(&writer, out, 1 << 20);
	assert_int_equal(ops()->export(fixture->older.uplink, &writer), 0);
}

static void import_from(struct slice state)
{
	struct uplink_request asked = request();

	asked.traceparent = asked.tracestate = (struct slice){0};
	own(&fixture->newer, ops()->import(&fixture->newer.backend.base, &asked, state));
}

/* The newer one has it. */
static void move(void)
{
	struct buf state = {0};

	export_to(&state);
	import_from(buf_slice(&state));
	buf_finish(&state);
	ops()->forget(fixture->older.uplink);
	ops()->thaw(fixture->newer.uplink);
}

/* --- */

static bool tell(struct handover_road *road, enum road_kind kind, struct slice bytes)
{
	struct side *side = CONTAINER_OF(road, struct side, road);

	if (!side->is_deaf)
		road_hear(&side->other->road, kind, bytes);
	return !side->is_deaf;
}

static void side_init(struct side *side, struct side *other)
{
	side->other = other;
	side->road.tell = tell;
	event_source_init(&side->source, "node");
	side->source.road = event_road_create(&side->road);
	assert_non_null(side->source.road);
	event_backend_init(&side->backend, &fixture->config, &side->source, &test_type);
}

static int setup(void **state)
{
	fixture = ALIGNED_NEW(struct fixture);
	io_fixture_init(&fixture->io, LOOP_ENGINE_EPOLL, 0);
	mailbox_init(&fixture->mailbox);
	mailbox_open(&fixture->mailbox, fixture->io.loop);
	fixture->config.name = (char *)(uintptr_t) "up"; /* only read */
	fixture->config.queue_max = QUEUE_MAX;
	fixture->config.retry_min = fixture->config.retry_max = 1;
	fixture->route_config.answer_timeout = 60000;
	fixture->route.config = &fixture->route_config;
	side_init(&fixture->older, &fixture->newer);
	side_init(&fixture->newer, &fixture->older);
	memcpy(fixture->newer.source.run_id, fixture->older.source.run_id,
	       sizeof(fixture->newer.source.run_id));
	fixture->presence = presence_create(&(struct presence_facts){
		.route = unit_route("ws"), .client_id = "a", .mailbox = &fixture->mailbox});
	fixture->presence->connection_id = 7;
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_int_equal(fixture->older.backend.stats.waiting, 0);
	assert_int_equal(fixture->newer.backend.stats.waiting, 0);
	assert_int_equal(fixture->newer.backend.stats.pending_bytes, 0);
	mailbox_close(&fixture->mailbox);
	event_road_destroy(&fixture->older.source.road);
	event_road_destroy(&fixture->newer.source.road);
	presence_unref(&fixture->presence);
	loop_destroy(&fixture->io.loop);
	mailbox_finish(&fixture->mailbox);
	free(fixture);
	return 0;
}

/* Delivers all that is left of a client that goes. */
static void leave(struct side *side)
{
	ops()->close(side->uplink, &(struct uplink_end){"over", 1000});
	while (side->gone == 0)
		land(side, CARRY_TAKEN, "");
}

static uint64_t delivered(const struct side *side)
{
	return side->backend.stats.events[EVENT_MESSAGE][EVENT_DELIVERED];
}

static void test_what_waits_goes_along(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	move();
	assert_int_equal(older->gone, 1);
	assert_string_equal(newer->sent, "");
	say(newer, "hello");
	assert_string_equal(newer->sent, "2 hello|");
	const struct event_head *head = &event_of(newer)->flight->head;
	char id[64];

	snprintf(id, sizeof(id), "%s-7-2", older->source.run_id);
	assert_true(slice_equals(head->id, slice_from_text(id)));
	land(newer, CARRY_TAKEN, "");
	leave(newer);
	assert_string_equal(newer->sent, "2 hello|3 |");
}

static void test_what_is_under_way_is_ended_by_the_older_one(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say(older, "a");
	say(older, "b");
	say(older, "c");
	move();
	assert_int_equal(older->yields, 1);
	assert_int_equal(older->gone, 0);
	say(newer, "d");
	assert_string_equal(newer->sent, "");
	land(older, CARRY_TAKEN, "answer");
	assert_int_equal(older->gone, 1);
	SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
	assert_string_equal(newer->answers, "answer|");
	assert_string_equal(newer->sent, "3 b|");
	assert_int_equal(delivered(older), 0);
	assert_int_equal(delivered(newer), 1);
	leave(newer);
	assert_string_equal(older->sent, "2 a|");
	assert_string_equal(newer->sent, "3 b|4 c|5 d|6 |");
	assert_int_equal(delivered(newer), 4);
}

static void test_actions_are_done_by_who_has_the_client(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;
	uint64_t *malformed = &newer->backend.stats.events[EVENT_MESSAGE][EVENT_ANSWER_MALFORMED];

	(void)state;
	enter();
	say(older, "a");
	move();
	land_with_actions(older, "this");
	SPIN_UNTIL(&fixture->io, newer->answers[0] != 0);
	assert_string_equal(older->answers, "");
	say(newer, "b");
	land_with_actions(newer, "that");
	assert_string_equal(newer->answers, "do this|do that|");
	assert_int_equal(delivered(newer), 2);
	say(newer, "c");
	land_with_actions(newer, "?");
	assert_int_equal(newer->troubles, 1);
	assert_int_equal(*malformed, 1);
	assert_int_equal(delivered(newer), 2);
	say(newer, "d");
	newer->answers[0] = 0;
	leave(newer);
	assert_string_equal(newer->answers, "");
}

static void test_what_the_older_one_did_not_deliver_is_sent_again(void **state)
{
	static const enum carry_result results[] = {CARRY_FAILED, CARRY_BUSY, CARRY_CANCELLED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		struct side *older = &fixture->older, *newer = &fixture->newer;

		older->sent[0] = newer->sent[0] = 0;
		older->gone = newer->gone = 0;
		enter();
		say(older, "a");
		move();
		land(older, results[i], "");
		SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
		assert_string_equal(newer->sent, "2 a|");
		assert_int_equal(newer->troubles, 0);
		leave(newer);
	}
}

static void test_what_nobody_tells_of_is_sent_again_in_the_end(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say(older, "a");
	move();
	older->is_deaf = true;
	land(older, CARRY_TAKEN, "");
	io_run_for(&fixture->io, 5 * NS_PER_MS);
	assert_string_equal(newer->sent, "");
	road_end(&newer->road);
	SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
	assert_string_equal(newer->sent, "2 a|");
	leave(newer);
}

/* Its answer comes after all, when the client has been told already that it is tried again. */
static void test_what_is_told_too_late_or_of_another_event_is_nothing(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;
	struct buf bytes = {0};

	(void)state;
	enter();
	say(older, "a");
	move();
	assert_int_equal(event_told_write(&bytes, &(struct event_told){7, 99, {CARRY_TAKEN}}), 0);
	road_hear(&newer->road, ROAD_EVENT, buf_slice(&bytes));
	buf_finish(&bytes);
	assert_int_equal(event_told_write(&bytes, &(struct event_told){8, 2, {CARRY_TAKEN}}), 0);
	road_hear(&newer->road, ROAD_EVENT, buf_slice(&bytes));
	buf_finish(&bytes);
	road_hear(&newer->road, ROAD_EVENT, SLICE_LITERAL("what is this"));
	io_run_for(&fixture->io, 5 * NS_PER_MS);
	assert_string_equal(newer->sent, "");
	land(older, CARRY_REFUSED, "");
	SPIN_UNTIL(&fixture->io, event_of(newer)->flight == NULL);
	assert_int_equal(newer->backend.stats.events[EVENT_MESSAGE][EVENT_REFUSED], 1);
	assert_int_equal(newer->troubles, 1);
	leave(newer);
}

static void test_a_client_may_go_while_its_event_is_under_way_elsewhere(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say(older, "a");
	move();
	ops()->close(newer->uplink, &(struct uplink_end){"over", 1000});
	assert_int_equal(newer->gone, 0);
	land(older, CARRY_TAKEN, "nobody is there");
	SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
	assert_string_equal(newer->sent, "3 |");
	assert_string_equal(newer->answers, "");
	land(newer, CARRY_TAKEN, "");
	assert_int_equal(newer->gone, 1);
}

static void test_what_is_under_way_elsewhere_can_be_dropped(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say(older, "a");
	move();
	ops()->close(newer->uplink, &(struct uplink_end){"over", 1000});
	ops()->abort(newer->uplink);
	assert_int_equal(newer->gone, 1);
	assert_int_equal(newer->cancels, 0);
	land(older, CARRY_TAKEN, "");
	road_end(&newer->road);
	io_run_for(&fixture->io, 5 * NS_PER_MS);
}

static void test_a_handover_that_comes_to_nothing_changes_nothing(void **state)
{
	struct side *older = &fixture->older;
	struct buf state_bytes = {0}, again = {0};

	(void)state;
	enter();
	say(older, "a");
	say(older, "b");
	export_to(&state_bytes);
	export_to(&again);
	assert_true(slice_equals(buf_slice(&state_bytes), buf_slice(&again)));
	buf_finish(&state_bytes);
	buf_finish(&again);
	leave(older);
	assert_string_equal(older->sent, "2 a|3 b|4 |");
	assert_int_equal(delivered(older), 2);
}

/* Tried again later: the newer one tries at once, and does not wait for the older. */
static void test_what_waits_for_its_next_attempt_begins_afresh(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	fixture->config.retry_min = fixture->config.retry_max = 3600000;
	enter();
	say(older, "a");
	land(older, CARRY_FAILED, "");
	move();
	assert_int_equal(older->gone, 1);
	assert_string_equal(newer->sent, "2 a|");
	leave(newer);
}

static void test_the_open_call_goes_along_with_its_time(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say_call(older, "call", 11);
	land(older, CARRY_TAKEN, "");
	say_call(older, "next", 12);
	move();
	assert_string_equal(newer->sent, "");
	ops()->answered(newer->uplink, 11);
	assert_string_equal(newer->sent, "3 next|");
	leave(newer);
}

static void test_the_time_of_an_open_call_runs_on(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	fixture->route_config.answer_timeout = 20;
	enter();
	say_call(older, "call", 11);
	land(older, CARRY_TAKEN, "");
	say_call(older, "next", 12);
	move();
	SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
	assert_string_equal(newer->sent, "3 next|");
	assert_int_equal(newer->backend.stats.unanswered, 1);
	leave(newer);
}

static void test_a_call_under_way_is_open_for_both(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;

	(void)state;
	enter();
	say_call(older, "call", 11);
	say_call(older, "next", 12);
	move();
	land(older, CARRY_TAKEN, "");
	SPIN_UNTIL(&fixture->io, event_of(newer)->flight == NULL);
	assert_string_equal(newer->sent, "");
	ops()->answered(newer->uplink, 11);
	assert_string_equal(newer->sent, "3 next|");
	leave(newer);
}

/* It stays where it is asked about. */
static void test_a_client_that_is_not_in_yet_cannot_go(void **state)
{
	struct uplink_request asked = request();
	struct side *older = &fixture->older;
	struct state_writer writer;
	struct buf bytes = {0};

	(void)state;
	own(older, ops()->open(&older->backend.base, &asked));
	state_writer_init(&writer, &bytes, 1000);
	assert_int_equal(ops()->export(older->uplink, &writer), -EBUSY);
	assert_int_equal(bytes.len, 0);
	SPIN_UNTIL(&fixture->io, older->sent[0] != 0);
	land(older, CARRY_TAKEN, "");
	leave(older);
}

static void test_a_full_queue_holds_the_client_up_there_too(void **state)
{
	struct side *older = &fixture->older, *newer = &fixture->newer;
	char text[400];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = 0;
	fixture->config.queue_max = 3 * sizeof(text);
	enter();
	while (!older->uplink->is_full)
		say(older, text);
	move();
	assert_true(newer->uplink->is_full);
	land(older, CARRY_TAKEN, "");
	SPIN_UNTIL(&fixture->io, newer->sent[0] != 0);
	while (newer->rooms == 0)
		land(newer, CARRY_TAKEN, "");
	assert_false(newer->uplink->is_full);
	leave(newer);
}

/* A client without an uplink until now: its new route has a back end. */
static void test_nothing_is_enough_to_begin_with(void **state)
{
	struct side *newer = &fixture->newer;

	(void)state;
	import_from((struct slice){0});
	ops()->thaw(newer->uplink);
	say(newer, "first");
	assert_string_equal(newer->sent, "1 first|");
	leave(newer);
}

/* --- what is no state --- */

static void refuse(struct slice state)
{
	struct uplink_request asked = request();
	uint8_t *exact = malloc(state.len > 0 ? state.len : 1);

	memcpy(exact, state.data, state.len);
	struct uplink *uplink = ops()->import(&fixture->newer.backend.base, &asked,
					      slice_of(exact, state.len));

	free(exact);
	if (uplink != NULL) { /* a cut behind a whole field */
		own(&fixture->newer, uplink);
		ops()->close(uplink, &(struct uplink_end){"over", 1000});
		ops()->abort(uplink);
	}
	assert_int_equal(fixture->newer.backend.stats.waiting, 0);
}

static void test_a_state_that_is_cut_anywhere_is_refused_or_shorter(void **state)
{
	struct side *older = &fixture->older;
	struct buf bytes = {0};

	(void)state;
	enter();
	say_call(older, "call", 11);
	say(older, "b");
	export_to(&bytes);
	for (size_t len = 0; len < bytes.len; len++)
		refuse(slice_of(bytes.data, len));
	buf_finish(&bytes);
	event_call_end(event_of(older));
	leave(older);
}

static void expect_bad(void (*write)(struct state_writer *writer))
{
	struct uplink_request asked = request();
	struct state_writer writer;
	struct buf bytes = {0};

	state_writer_init(&writer, &bytes, 1000);
	write(&writer);
	assert_null(ops()->import(&fixture->newer.backend.base, &asked, buf_slice(&bytes)));
	assert_int_equal(fixture->newer.backend.stats.waiting, 0);
	buf_finish(&bytes);
}

static void write_stranger(struct state_writer *writer)
{
	state_put_u64(writer, STATE_MUST | 77, 1);
}

static void write_under_way_of_none(struct state_writer *writer)
{
	state_put_u64(writer, 1, 5);
	state_put_u64(writer, 6, 5);
}

static void write_event(struct state_writer *writer, uint64_t sequence, uint64_t type)
{
	size_t begun = state_begin(writer, 5);

	state_put_u64(writer, 1, sequence);
	state_put_u64(writer, STATE_MUST | 3, type);
	state_end(writer, begun);
}

static void write_backwards(struct state_writer *writer)
{
	state_put_u64(writer, 1, 9);
	write_event(writer, 3, EVENT_MESSAGE);
	write_event(writer, 2, EVENT_MESSAGE);
}

static void write_beyond(struct state_writer *writer)
{
	state_put_u64(writer, 1, 2);
	write_event(writer, 3, EVENT_MESSAGE);
}

static void write_connect(struct state_writer *writer)
{
	state_put_u64(writer, 1, 2);
	write_event(writer, 1, EVENT_CONNECT);
}

static void write_bad_trace(struct state_writer *writer)
{
	state_put_text(writer, 3, "no trace\r\nEvil: yes");
}

static void write_call_without_number(struct state_writer *writer)
{
	size_t begun = state_begin(writer, 7);

	state_put_u64(writer, 2, 5);
	state_end(writer, begun);
}

static void test_a_bad_state_is_refused(void **state)
{
	(void)state;
	expect_bad(write_stranger);
	expect_bad(write_under_way_of_none);
	expect_bad(write_backwards);
	expect_bad(write_beyond);
	expect_bad(write_connect);
	expect_bad(write_bad_trace);
	expect_bad(write_call_without_number);
}

static void write_from_later_version(struct state_writer *writer)
{
	size_t begun;

	state_put_u64(writer, 1, 2);
	state_put_text(writer, 99, "what nobody knows yet");
	begun = state_begin(writer, 5);
	state_put_u64(writer, 1, 2);
	state_put_u64(writer, STATE_MUST | 3, EVENT_MESSAGE);
	state_put_text(writer, 98, "likewise");
	state_put_text(writer, 7, "hello");
	state_end(writer, begun);
}

static void test_what_a_later_version_adds_is_passed_over(void **state)
{
	struct state_writer writer;
	struct buf bytes = {0};

	(void)state;
	state_writer_init(&writer, &bytes, 1000);
	write_from_later_version(&writer);
	import_from(buf_slice(&bytes));
	buf_finish(&bytes);
	ops()->thaw(fixture->newer.uplink);
	assert_string_equal(fixture->newer.sent, "2 hello|");
	leave(&fixture->newer);
}

#define TEST(test)                                 \
	{                                          \
#test, test, setup, teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_waits_goes_along),
		TEST(test_what_is_under_way_is_ended_by_the_older_one),
		TEST(test_what_the_older_one_did_not_deliver_is_sent_again),
		TEST(test_what_nobody_tells_of_is_sent_again_in_the_end),
		TEST(test_actions_are_done_by_who_has_the_client),
		TEST(test_what_is_told_too_late_or_of_another_event_is_nothing),
		TEST(test_a_client_may_go_while_its_event_is_under_way_elsewhere),
		TEST(test_what_is_under_way_elsewhere_can_be_dropped),
		TEST(test_a_handover_that_comes_to_nothing_changes_nothing),
		TEST(test_what_waits_for_its_next_attempt_begins_afresh),
		TEST(test_the_open_call_goes_along_with_its_time),
		TEST(test_the_time_of_an_open_call_runs_on),
		TEST(test_a_call_under_way_is_open_for_both),
		TEST(test_a_client_that_is_not_in_yet_cannot_go),
		TEST(test_a_full_queue_holds_the_client_up_there_too),
		TEST(test_nothing_is_enough_to_begin_with),
		TEST(test_a_state_that_is_cut_anywhere_is_refused_or_shorter),
		TEST(test_a_bad_state_is_refused),
		TEST(test_what_a_later_version_adds_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
