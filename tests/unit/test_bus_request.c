/* SPDX-License-Identifier: Apache-2.0
 * The bus, the same on both implementations: requests and durable messages. */
#include "bus_unit.h"

/* --- answering --- */

static void answer_with_its_body(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = {.body = message->body};

	assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static void test_request_gets_the_answer(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber echo = {.on_message = answer_with_its_body};
	struct question question;

	subscriber_open(&echo, f->bus, f->io.loop, "echo");
	assert_int_equal(ask(f, &question, "echo", "hello"), BUS_ANSWERED);
	assert_string_equal(question.answer, "hello");
	assert_int_equal(ask(f, &question, "echo", ""), BUS_ANSWERED);
	assert_string_equal(question.answer, "");
	subscriber_close(f, &echo);
	struct bus_stats stats = bus_stats_now(f->bus);

	assert_int_equal(stats.requests, 2);
	assert_int_equal(stats.published, 4);
	assert_int_equal(stats.requests_in_flight, 0);
	assert_int_equal(bus_pending(f->bus), 0);
}

static void on_message_try_to_answer(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = {0};

	assert_int_equal(bus_reply(self->bus, message, &answer), -EDESTADDRREQ);
}

static void test_a_message_that_wants_no_answer_takes_none(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {.on_message = on_message_try_to_answer};

	subscriber_open(&subscriber, f->bus, f->io.loop, "plain");
	assert_int_equal(publish_text(f->bus, "plain", ""), 0);
	SPIN_UNTIL(&f->io, subscriber.received == 1);
	subscriber_close(f, &subscriber);
}

static void test_first_of_many_answers_wins(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber echoes[3] = {{.on_message = answer_with_its_body},
				       {.on_message = answer_with_its_body},
				       {.on_message = answer_with_its_body}};
	struct question question;

	for (size_t i = 0; i < ARRAY_LEN(echoes); i++)
		subscriber_open(&echoes[i], f->bus, f->io.loop, "echo");
	assert_int_equal(ask(f, &question, "echo", "one"), BUS_ANSWERED);
	for (size_t i = 0; i < ARRAY_LEN(echoes); i++)
		SPIN_UNTIL(&f->io, echoes[i].received == 1);
	settle(f);
	assert_int_equal(question.done, 1);
	for (size_t i = 0; i < ARRAY_LEN(echoes); i++)
		subscriber_close(f, &echoes[i]);
}

/* --- failing --- */

static void test_nobody_subscribed_fails_at_once(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber subscriber = {0};
	struct question question;

	assert_int_equal(ask(f, &question, "nobody", "?"), BUS_NO_RESPONDERS);
	assert_string_equal(question.reason, "nobody is subscribed to the subject");
	subscriber_open(&subscriber, f->bus, f->io.loop, "nobody");
	subscriber_close(f, &subscriber);
	assert_int_equal(ask(f, &question, "nobody", "?"), BUS_NO_RESPONDERS);
	assert_int_equal(subscriber.received, 0);
	assert_int_equal(bus_stats_now(f->bus).no_responders, 2);
}

static char reply_to[100];

static void keep_reply(struct subscriber *self, const struct bus_message *message)
{
	(void)self;
	snprintf(reply_to, sizeof(reply_to), "%.*s", SLICE_ARG(message->reply));
}

static void test_answer_after_the_timeout_is_ignored(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber mute = {.on_message = keep_reply};
	struct question question, next;

	subscriber_open(&mute, f->bus, f->io.loop, "mute");
	assert_int_equal(question_send(f, &question, "mute", "?", 100 * NS_PER_MS), 0);
	SPIN_UNTIL(&f->io, question.done == 1 && mute.received == 1);
	assert_int_equal(question.result, BUS_TIMED_OUT);
	assert_int_equal(bus_stats_now(f->bus).timeouts, 1);
	/* The next request has the same place in the table, and must not get it either. */
	assert_int_equal(question_send(f, &next, "mute", "?", 200 * NS_PER_MS), 0);
	assert_int_equal(publish_text(f->bus, reply_to, "too late"), 0);
	SPIN_UNTIL(&f->io, next.done == 1);
	assert_int_equal(next.result, BUS_TIMED_OUT);
	assert_int_equal(question.done, 1);
	subscriber_close(f, &mute);
}

static void test_answers_that_nobody_asked_for_are_ignored(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber mute = {.on_message = keep_reply};
	struct question question;

	subscriber_open(&mute, f->bus, f->io.loop, "mute");
	assert_int_equal(question_send(f, &question, "mute", "?", 500 * NS_PER_MS), 0);
	SPIN_UNTIL(&f->io, mute.received == 1);
	char *digits = strrchr(reply_to, '.') + 1;

	assert_int_equal(strlen(digits), 16);
	for (size_t i = 0; i < 16; i++) {
		char digit = digits[i];

		digits[i] = digit == '7' ? '8' : '7';
		assert_int_equal(publish_text(f->bus, reply_to, "forged"), 0);
		digits[i] = 'x';
		assert_int_equal(publish_text(f->bus, reply_to, "forged"), 0);
		digits[i] = digit;
	}
	SPIN_UNTIL(&f->io, question.done == 1);
	assert_int_equal(question.result, BUS_TIMED_OUT);
	subscriber_close(f, &mute);
}

static void test_cancelled_request_ends_once(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber mute = {.on_message = keep_reply};
	struct question question;

	subscriber_open(&mute, f->bus, f->io.loop, "mute");
	assert_int_equal(question_send(f, &question, "mute", "?", 100 * NS_PER_S), 0);
	bus_request_cancel(&question.request);
	bus_request_cancel(&question.request);
	assert_int_equal(question.done, 0); /* from loop_run only */
	SPIN_UNTIL(&f->io, question.done == 1);
	assert_int_equal(question.result, BUS_CANCELLED);
	subscriber_close(f, &mute);
}

static int setup_few_requests(void **state)
{
	return bus_setup_with(state, &(struct bus_options){.requests_max = 3});
}

static void test_requests_beyond_the_limit_are_refused(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber mute = {.on_message = keep_reply};
	struct question questions[4];

	subscriber_open(&mute, f->bus, f->io.loop, "mute");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(question_send(f, &questions[i], "mute", "?", 100 * NS_PER_S), 0);
	assert_int_equal(question_send(f, &questions[3], "mute", "?", NS_PER_S), -EAGAIN);
	assert_int_equal(bus_stats_now(f->bus).refused, 1);
	bus_request_cancel(&questions[1].request);
	SPIN_UNTIL(&f->io, questions[1].done == 1);
	assert_int_equal(question_send(f, &questions[3], "mute", "?", 100 * NS_PER_S), 0);
	/* The limit changes: more, and fewer than are in flight. */
	bus_set_limits(f->bus, 1 << 20, 4);
	assert_int_equal(question_send(f, &questions[1], "mute", "?", 100 * NS_PER_S), 0);
	bus_set_limits(f->bus, 1 << 20, 2);
	for (size_t i = 0; i < 3; i++)
		bus_request_cancel(&questions[i].request);
	SPIN_UNTIL(&f->io, questions[0].done + questions[1].done + questions[2].done == 3);
	assert_int_equal(question_send(f, &questions[0], "mute", "?", 100 * NS_PER_S), 0);
	assert_int_equal(question_send(f, &questions[1], "mute", "?", NS_PER_S), -EAGAIN);
	bus_request_cancel(&questions[0].request);
	bus_request_cancel(&questions[3].request);
	SPIN_UNTIL(&f->io, questions[0].done + questions[3].done == 2);
	subscriber_close(f, &mute);
}

static void answer_at_length(struct subscriber *self, const struct bus_message *message)
{
	static const uint8_t body[5000];
	struct bus_message answer = {.body = slice_of(body, sizeof(body))};

	assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static int setup_small(void **state)
{
	return bus_setup_with(state, &(struct bus_options){.pending_max = 4096});
}

static void test_embedded_answer_without_room_is_told(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber verbose = {.on_message = answer_at_length};
	struct question question;

	subscriber_open(&verbose, f->bus, f->io.loop, "verbose");
	assert_int_equal(ask(f, &question, "verbose", "?"), BUS_NO_MEMORY);
	subscriber_close(f, &verbose);
	assert_int_equal(bus_pending(f->bus), 0);
}

/* --- many --- */

#define IN_FLIGHT 10000

struct hoard {
	char (*replies)[48];
	unsigned count;
};

static void hoard_question(struct subscriber *self, const struct bus_message *message)
{
	struct hoard *hoard = self->owner;

	snprintf(hoard->replies[hoard->count++], sizeof(hoard->replies[0]), "%.*s",
		 SLICE_ARG(message->reply));
}

/* Nothing is answered until all have been asked; then the last comes first. */
static void test_ten_thousand_requests_in_flight(void **state)
{
	struct bus_fixture *f = *state;
	struct hoard hoard = {.replies = calloc(IN_FLIGHT, sizeof(hoard.replies[0]))};
	struct subscriber mute = {.on_message = hoard_question, .owner = &hoard};
	struct question *questions = calloc(IN_FLIGHT, sizeof(*questions));
	char body[16];

	subscriber_open(&mute, f->bus, f->io.loop, "patient");
	for (unsigned i = 0; i < IN_FLIGHT; i++)
		assert_int_equal(question_send(f, &questions[i], "patient", "?", 60 * NS_PER_S), 0);
	SPIN_UNTIL(&f->io, hoard.count == IN_FLIGHT);
	assert_int_equal(bus_stats_now(f->bus).requests_in_flight, IN_FLIGHT);
	for (unsigned i = IN_FLIGHT; i-- > 0;) {
		snprintf(body, sizeof(body), "%u", i);
		assert_int_equal(publish_text(f->bus, hoard.replies[i], body), 0);
	}
	SPIN_UNTIL(&f->io,
		   bus_stats_now(f->bus).requests_in_flight == 0 && bus_pending(f->bus) == 0);
	for (unsigned i = 0; i < IN_FLIGHT; i++) {
		snprintf(body, sizeof(body), "%u", i);
		assert_int_equal(questions[i].done, 1);
		assert_int_equal(questions[i].result, BUS_ANSWERED);
		assert_string_equal(questions[i].answer, body);
	}
	subscriber_close(f, &mute);
	free(questions);
	free(hoard.replies);
}

/* --- durable messages --- */

/* With NATS it needs a stream; embedded a subscriber is one. */
static void test_durable_message_is_stored(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber taker = {0};
	struct question question;

	if (f->is_nats) {
		assert_int_equal(ask(f, &question, "$JS.API.STREAM.CREATE.up",
				     "{\"name\":\"up\",\"subjects\":[\"up.*\"]}"),
				 BUS_ANSWERED);
	} else {
		subscriber_open(&taker, f->bus, f->io.loop, "up.one");
	}
	assert_int_equal(store(f, &question, "up.one", "id-1", "up"), BUS_STORED);
	assert_string_equal(question.reason, "stored");
	assert_int_equal(store(f, &question, "up.one", "id-2", ""), BUS_STORED);
	if (f->is_nats) {
		assert_int_equal(ask(f, &question, "$JS.API.STREAM.DELETE.up", ""), BUS_ANSWERED);
	} else {
		assert_int_equal(taker.received, 2);
		subscriber_close(f, &taker);
	}
}

static void test_durable_message_without_a_taker_is_not_stored(void **state)
{
	struct bus_fixture *f = *state;
	struct question question;

	assert_int_equal(store(f, &question, "no.stream", "id-1", ""), BUS_NO_RESPONDERS);
	assert_int_equal(bus_stats_now(f->bus).no_responders, 1);
}

static void test_durable_message_needs_an_id(void **state)
{
	struct bus_fixture *f = *state;
	struct bus_message message = text_message("up.one", "event");
	struct question question;

	assert_int_equal(bus_publish_durable(f->bus, &question.request, f->io.loop, &message,
					     SLICE_LITERAL(""), SLICE_LITERAL(""), NS_PER_S,
					     question_on_done),
			 -EINVAL);
}

static void on_message_leave(struct subscriber *self, const struct bus_message *message)
{
	(void)message;
	bus_unsubscribe(&((struct subscriber *)self->owner)->sub, subscriber_on_closed);
}

/* It was on its way when the only subscriber left: nobody had it, and that is said. */
static void test_embedded_durable_message_to_a_leaving_subscriber(void **state)
{
	struct bus_fixture *f = *state;
	struct subscriber taker = {0}, trigger = {.on_message = on_message_leave, .owner = &taker};
	struct bus_message message = text_message("up.one", "event");
	struct question question = {0};

	subscriber_open(&taker, f->bus, f->io.loop, "up.one");
	subscriber_open(&trigger, f->bus, f->io.loop, "trigger");
	assert_int_equal(publish_text(f->bus, "trigger", ""), 0);
	assert_int_equal(bus_publish_durable(f->bus, &question.request, f->io.loop, &message,
					     SLICE_LITERAL("id"), SLICE_LITERAL(""), 2 * GIVE_UP_NS,
					     question_on_done),
			 0);
	SPIN_UNTIL(&f->io, question.done == 1 && taker.closed == 1);
	assert_int_equal(question.result, BUS_NO_RESPONDERS);
	assert_int_equal(taker.received, 0);
	subscriber_close(f, &trigger);
}

#define WITH_FEW(kind, index)                                                           \
	{                                                                               \
		"test_requests_beyond_the_limit_are_refused/" kind,                     \
			test_requests_beyond_the_limit_are_refused, setup_few_requests, \
			bus_teardown, &bus_kinds[index]                                 \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		ON_BOTH_BUSES(test_request_gets_the_answer),
		ON_BOTH_BUSES(test_a_message_that_wants_no_answer_takes_none),
		ON_BOTH_BUSES(test_first_of_many_answers_wins),
		ON_BOTH_BUSES(test_nobody_subscribed_fails_at_once),
		ON_BOTH_BUSES(test_answer_after_the_timeout_is_ignored),
		ON_BOTH_BUSES(test_answers_that_nobody_asked_for_are_ignored),
		ON_BOTH_BUSES(test_cancelled_request_ends_once),
		WITH_FEW("embedded", 0),
		WITH_FEW("nats", 1),
		{"test_embedded_answer_without_room_is_told",
		 test_embedded_answer_without_room_is_told, setup_small, bus_teardown,
		 &bus_kinds[0]},
		ON_BOTH_BUSES(test_ten_thousand_requests_in_flight),
		ON_BOTH_BUSES(test_durable_message_is_stored),
		ON_BOTH_BUSES(test_durable_message_without_a_taker_is_not_stored),
		ON_BOTH_BUSES(test_durable_message_needs_an_id),
		ON_EMBEDDED(test_embedded_durable_message_to_a_leaving_subscriber),
	};
	return RUN_BUS_TESTS(tests);
}
