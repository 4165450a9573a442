/* SPDX-License-Identifier: Apache-2.0
 * test_bus_handover.c - two processes of one family on one broker: while the newer one takes over
 * from the older, each message comes once, and no question finds nobody. */
#include "bus_unit.h"

#define SUBJECT "gatehouse.to.ws.a"

struct pair {
	struct io_fixture io;
	struct bus *older, *newer, *other; /* the last is somebody else */
	struct subscriber old_sub, new_sub;
	unsigned brought, left;
	char order[4096]; /* bodies as the newer one's subscriber got them */
};

static struct pair *pair;

static void bring(void *arg, const struct bus_message *message)
{
	struct pair *self = arg;

	__atomic_fetch_add(&self->brought, 1, __ATOMIC_RELAXED);
	bus_bring(self->newer, message);
}

static const struct bus_heir *heir(void)
{
	static struct bus_heir heir;

	heir = (struct bus_heir){.bring = bring, .arg = pair};
	return &heir;
}

static void on_left(void *arg)
{
	__atomic_fetch_add(&((struct pair *)arg)->left, 1, __ATOMIC_RELEASE);
}

static bool has_left(void)
{
	return __atomic_load_n(&pair->left, __ATOMIC_ACQUIRE) == 1;
}

static int pair_setup(void **state)
{
	static unsigned families; /* a test that fails leaves its own behind */
	char family[16];

	snprintf(family, sizeof(family), "house%u", families++);
	pair = calloc(1, sizeof(*pair));
	io_fixture_init(&pair->io, LOOP_ENGINE_EPOLL, 0);
	pair->older = bus_make(true, &(struct bus_options){.family = family});
	pair->newer = bus_make(true, &(struct bus_options){.family = family, .is_successor = true});
	pair->other = bus_make(true, &(struct bus_options){0});
	SPIN_UNTIL(&pair->io, bus_is_connected(pair->older) && bus_is_connected(pair->newer) &&
				      bus_is_connected(pair->other));
	*state = pair;
	return 0;
}

static int pair_teardown(void **state)
{
	(void)state;
	if (bus_stats_now(pair->older).subscriptions + bus_stats_now(pair->newer).subscriptions > 0)
		return 0; /* it has failed, and left them open */
	bus_destroy(&pair->older);
	bus_destroy(&pair->newer);
	bus_destroy(&pair->other);
	loop_destroy(&pair->io.loop);
	free(pair);
	return 0;
}

static void close_sub(struct subscriber *sub)
{
	bus_unsubscribe(&sub->sub, subscriber_on_closed);
	SPIN_UNTIL(&pair->io, sub->closed == 1);
}

/* The broker has seen what this bus posted before. */
static void settle_at(struct bus *bus)
{
	struct question question = {0};
	struct bus_message message = text_message("nobody.is.here", "");

	assert_int_equal(bus_publish_checked(bus, &question.request, pair->io.loop, &message,
					     2 * GIVE_UP_NS, question_on_done),
			 0);
	SPIN_UNTIL(&pair->io, question.done == 1);
	assert_int_equal(question.result, BUS_TAKEN);
}

static void reply_with_name(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = {.body = slice_from_text(self->owner)};

	snprintf(pair->order + strlen(pair->order), sizeof(pair->order) - strlen(pair->order),
		 "%.*s|", SLICE_ARG(message->body));
	if (message->reply.len > 0)
		assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static void open_sub(struct subscriber *sub, struct bus *bus, const char *name)
{
	sub->owner = (void *)(uintptr_t)name;
	sub->on_message = reply_with_name;
	subscriber_open(sub, bus, pair->io.loop, SUBJECT);
	settle_at(bus);
}

static enum bus_result ask_other(struct question *question, const char *body)
{
	struct bus_message message = text_message(SUBJECT, body);

	question->done = 0;
	assert_int_equal(bus_request(pair->other, &question->request, pair->io.loop, &message,
				     2 * GIVE_UP_NS, question_on_done),
			 0);
	SPIN_UNTIL(&pair->io, question->done == 1);
	return question->result;
}

static void expect_answer(const char *body, const char *name)
{
	struct question question;

	assert_int_equal(ask_other(&question, body), BUS_ANSWERED);
	assert_string_equal(question.answer, name);
}

static void expect_nobody(void)
{
	struct question question;

	assert_int_equal(ask_other(&question, "anybody?"), BUS_NO_RESPONDERS);
}

/* All that the older one has published is with the broker. */
static void bequeath(void)
{
	settle_at(pair->older);
	bus_bequeath(pair->older, heir());
	bus_begin_publishing(pair->newer);
}

static void test_a_successor_hears_nothing_before_it_begins(void **state)
{
	(void)state;
	open_sub(&pair->new_sub, pair->newer, "newer");
	expect_nobody();
	open_sub(&pair->old_sub, pair->older, "older");
	for (int i = 0; i < 20; i++)
		expect_answer("a", "older");
	close_sub(&pair->old_sub);
	close_sub(&pair->new_sub);
}

static void test_what_comes_meanwhile_waits_and_goes_to_the_heir_in_order(void **state)
{
	struct question question;
	struct bus_message message = text_message(SUBJECT, "1");

	(void)state;
	open_sub(&pair->old_sub, pair->older, "older");
	bus_hold(pair->older);
	question.done = 0;
	assert_int_equal(bus_request(pair->other, &question.request, pair->io.loop, &message,
				     2 * GIVE_UP_NS, question_on_done),
			 0);
	publish_text(pair->other, SUBJECT, "2");
	publish_text(pair->other, SUBJECT, "3");
	settle_at(pair->other);
	settle_at(pair->older); /* and so they are there */
	io_run_for(&pair->io, 20 * NS_PER_MS);
	assert_int_equal(pair->old_sub.received, 0);
	open_sub(&pair->new_sub, pair->newer, "newer");
	bequeath();
	close_sub(&pair->old_sub);
	SPIN_UNTIL(&pair->io, question.done == 1);
	assert_int_equal(question.result, BUS_ANSWERED);
	assert_string_equal(question.answer, "newer");
	SPIN_UNTIL(&pair->io, pair->new_sub.received == 3);
	assert_string_equal(pair->order, "1|2|3|");
	assert_int_equal(pair->old_sub.received, 0);
	/* The older one is the only one that is subscribed, and has nobody. */
	expect_answer("4", "newer");
	assert_int_equal(pair->brought, 4);
	close_sub(&pair->new_sub);
}

static void test_nothing_comes_of_it(void **state)
{
	(void)state;
	open_sub(&pair->old_sub, pair->older, "older");
	bus_hold(pair->older);
	publish_text(pair->other, SUBJECT, "1");
	publish_text(pair->other, SUBJECT, "2");
	settle_at(pair->other);
	settle_at(pair->older);
	bus_release(pair->older);
	SPIN_UNTIL(&pair->io, pair->old_sub.received == 2);
	expect_answer("3", "older");
	assert_string_equal(pair->order, "1|2|3|");
	close_sub(&pair->old_sub);
	settle_at(pair->older);
	expect_nobody();
}

/* --- under load --- */

/* More than come while so many questions are answered, one after the other; the publisher is only
 * so far ahead of what has come. */
#define MESSAGES  1000000
#define AHEAD_MAX 1000

struct load {
	unsigned char seen[MESSAGES];
	unsigned count, doubled, backwards, last;
};

static struct load load;

static void note(struct subscriber *self, const struct bus_message *message)
{
	char text[16];

	(void)self;
	snprintf(text, sizeof(text), "%.*s", SLICE_ARG(message->body));
	unsigned number = (unsigned)strtoul(text, NULL, 10);

	assert_true(number < MESSAGES);
	load.doubled += load.seen[number];
	load.seen[number] = 1;
	__atomic_fetch_add(&load.count, 1, __ATOMIC_RELAXED);
	load.backwards += number < load.last;
	load.last = number;
}

/* A publisher in a thread of its own; and questions, one after the other. */
struct publisher {
	pthread_t thread;
	bool may_end;
	unsigned sent;
};

static void *publish_run(void *arg)
{
	struct publisher *publisher = arg;

	while (publisher->sent < MESSAGES &&
	       !__atomic_load_n(&publisher->may_end, __ATOMIC_RELAXED)) {
		char body[16];

		if (publisher->sent - __atomic_load_n(&load.count, __ATOMIC_RELAXED) >= AHEAD_MAX) {
			usleep(200);
			continue;
		}
		snprintf(body, sizeof(body), "%u", publisher->sent);
		if (publish_text(pair->other, SUBJECT, body) == 0)
			publisher->sent++;
		if (publisher->sent % 16 == 0)
			usleep(200);
	}
	return NULL;
}

static void open_noting(struct subscriber *sub, struct bus *bus)
{
	sub->on_message = note;
	subscriber_open(sub, bus, pair->io.loop, SUBJECT);
	settle_at(bus);
}

static void ask_on(struct question *question, unsigned *asked, unsigned *lost)
{
	struct bus_message message = text_message("gatehouse.ctl.ws.a", "");

	if (*asked > 0 && question->done == 0)
		return;
	*lost += *asked > 0 && question->result == BUS_NO_RESPONDERS;
	question->done = 0;
	++*asked;
	assert_int_equal(bus_request(pair->other, &question->request, pair->io.loop, &message,
				     2 * GIVE_UP_NS, question_on_done),
			 0);
}

static void just_answer(struct subscriber *self, const struct bus_message *message)
{
	assert_int_equal(bus_reply(self->bus, message, &(struct bus_message){0}), 0);
}

static void open_answering(struct subscriber *sub, struct bus *bus)
{
	sub->on_message = just_answer;
	subscriber_open(sub, bus, pair->io.loop, "gatehouse.ctl.ws.a");
	settle_at(bus);
}

static void test_nothing_is_lost_or_doubled_while_much_comes(void **state)
{
	struct publisher publisher = {0};
	struct subscriber old_ctl = {0}, new_ctl = {0};
	struct question question = {0};
	unsigned asked = 0, lost = 0;

	(void)state;
	memset(&load, 0, sizeof(load));
	open_noting(&pair->old_sub, pair->older);
	open_answering(&old_ctl, pair->older);
	assert_int_equal(pthread_create(&publisher.thread, NULL, publish_run, &publisher), 0);
	SPIN_UNTIL(&pair->io, (ask_on(&question, &asked, &lost), load.count > 1000 && asked > 3));
	bus_hold(pair->older);
	open_noting(&pair->new_sub, pair->newer);
	open_answering(&new_ctl, pair->newer);
	bequeath();
	bus_unsubscribe(&pair->old_sub.sub, subscriber_on_closed);
	bus_unsubscribe(&old_ctl.sub, subscriber_on_closed);
	SPIN_UNTIL(&pair->io, (ask_on(&question, &asked, &lost), load.count > 3000 && asked > 6));
	bus_begin_subscribing(pair->newer);
	settle_at(pair->newer);
	unsigned before = load.count;

	SPIN_UNTIL(&pair->io,
		   (ask_on(&question, &asked, &lost), load.count > before + 500 && asked > 9));
	bus_leave(pair->older, on_left, pair);
	SPIN_UNTIL(&pair->io, (ask_on(&question, &asked, &lost), has_left()));
	before = pair->brought;
	unsigned at_left = load.count;

	SPIN_UNTIL(&pair->io,
		   (ask_on(&question, &asked, &lost), load.count > at_left + 500 && asked > 12));
	__atomic_store_n(&publisher.may_end, true, __ATOMIC_RELAXED);
	pthread_join(publisher.thread, NULL);
	SPIN_UNTIL(&pair->io, load.count >= publisher.sent);
	SPIN_UNTIL(&pair->io, question.done == 1);
	assert_int_equal(pair->brought, before); /* nothing comes to the older one any more */
	assert_int_equal(load.count, publisher.sent);
	assert_int_equal(load.doubled, 0);
	assert_int_equal(lost, 0);
	assert_true(asked > 12);
	close_sub(&pair->new_sub);
	close_sub(&new_ctl);
	SPIN_UNTIL(&pair->io, pair->old_sub.closed == 1 && old_ctl.closed == 1);
}

static void test_what_stays_is_still_heard_after_it(void **state)
{
	(void)state;
	open_sub(&pair->old_sub, pair->older, "older");
	bus_hold(pair->older);
	bequeath();
	bus_begin_subscribing(pair->newer);
	bus_leave(pair->older, on_left, pair);
	SPIN_UNTIL(&pair->io, has_left());
	expect_answer("1", "older");
	close_sub(&pair->old_sub);
	settle_at(pair->older);
	expect_nobody();
}

/* Answers to what was asked on the first connection come on the second. */
static void test_a_question_of_the_older_one_is_answered_after_it(void **state)
{
	struct subscriber service = {0};
	struct question question = {0};
	struct bus_message message = text_message("a.service", "?");

	(void)state;
	subscriber_open(&service, pair->other, pair->io.loop, "a.service");
	settle_at(pair->other);
	assert_int_equal(bus_request(pair->older, &question.request, pair->io.loop, &message,
				     2 * GIVE_UP_NS, question_on_done),
			 0);
	SPIN_UNTIL(&pair->io, service.received == 1);
	bus_hold(pair->older);
	bequeath();
	bus_leave(pair->older, on_left, pair);
	SPIN_UNTIL(&pair->io, has_left());
	assert_int_equal(question.done, 0);
	struct question again = {0};

	assert_int_equal(bus_request(pair->older, &again.request, pair->io.loop, &message,
				     200 * NS_PER_MS, question_on_done),
			 0);
	SPIN_UNTIL(&pair->io, service.received == 2);
	bus_request_cancel(&question.request);
	SPIN_UNTIL(&pair->io, question.done == 1 && again.done == 1);
	assert_int_equal(again.result, BUS_TIMED_OUT);
	close_sub(&service);
}

/* What the newer one publishes waits for what the older one has published. */
static void test_a_successor_publishes_when_it_is_told_to(void **state)
{
	struct subscriber service = {0};

	(void)state;
	subscriber_open(&service, pair->other, pair->io.loop, "a.service");
	settle_at(pair->other);
	publish_text(pair->newer, "a.service", "later");
	settle_at(pair->newer); /* a request does not wait */
	publish_text(pair->older, "a.service", "sooner");
	SPIN_UNTIL(&pair->io, service.received == 1);
	assert_string_equal(service.body, "sooner");
	bus_begin_publishing(pair->newer);
	SPIN_UNTIL(&pair->io, service.received == 2);
	assert_string_equal(service.body, "later");
	close_sub(&service);
}

static void test_without_a_broker_there_is_nothing_to_leave(void **state)
{
	(void)state;
	open_sub(&pair->old_sub, pair->older, "older");
	bus_hold(pair->older);
	bequeath();
	close_sub(&pair->old_sub);
	unsigned port = bus_server.port;

	nats_server_kill(&bus_server);
	SPIN_UNTIL(&pair->io, !bus_is_connected(pair->older));
	bus_leave(pair->older, on_left, pair);
	SPIN_UNTIL(&pair->io, has_left());
	nats_server_start(&bus_server, port, NULL, NULL);
	SPIN_UNTIL(&pair->io, bus_is_connected(pair->older) && bus_is_connected(pair->other));
	expect_nobody();
}

#define TEST(test)                                                    \
	{                                                             \
#test, test, pair_setup, pair_teardown, &bus_kinds[1] \
	}

int main(void)
{
	struct CMUnitTest tests[] = {
		TEST(test_a_successor_hears_nothing_before_it_begins),
		TEST(test_what_comes_meanwhile_waits_and_goes_to_the_heir_in_order),
		TEST(test_nothing_comes_of_it),
		TEST(test_nothing_is_lost_or_doubled_while_much_comes),
		TEST(test_what_stays_is_still_heard_after_it),
		TEST(test_a_question_of_the_older_one_is_answered_after_it),
		TEST(test_a_successor_publishes_when_it_is_told_to),
		TEST(test_without_a_broker_there_is_nothing_to_leave),
	};

	return RUN_BUS_TESTS(tests);
}
