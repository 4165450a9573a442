/* SPDX-License-Identifier: Apache-2.0
 * test_takeover.c - questions and claims about clients between two nodes, on both kinds of
 * bus. Two nodes are two directories with one bus. */
#include "fleet_unit.h"

/* --- a client --- */

struct device {
	struct session session;
	struct node *node;
	unsigned evictions;
};

static void device_leave(struct device *device);

/* It leaves before the caller goes on, as a connection does. */
static void taken_over(struct session *session)
{
	struct device *device = CONTAINER_OF(session, struct device, session);

	device->evictions++;
	device_leave(device);
}

static const struct session_ops ops = {.taken_over = taken_over};

static void device_init(struct device *device, struct node *node, uint64_t since_ms)
{
	*device = (struct device){.node = node, .session.ops = &ops};
	device->session.presence = presence_create(
		&(struct presence_facts){.route = &fixture->client_route,
					 .client_id = "a",
					 .mailbox = &node->mailbox,
					 .session = &device->session});
	assert_non_null(device->session.presence);
	device->session.presence->connected_at_ms = since_ms & PRESENCE_TIME_MAX;
}

static void device_enter(struct device *device, struct node *node, uint64_t since_ms,
			 enum directory_policy policy)
{
	struct presence *older = NULL;

	device_init(device, node, since_ms);
	assert_true(
		directory_enter(node->fleet.directory, device->session.presence, policy, &older));
	assert_null(older);
	assert_int_equal(fleet_client_enter(&node->home, &device->session), 0);
	if (fixture->bus->is_nats)
		settle(fixture->bus);
	takeover_enter(device->session.client, policy);
}

/* Harmless the second time. */
static void device_leave(struct device *device)
{
	session_leave(&device->session, device->node);
}

static void device_finish(struct device *device)
{
	device_leave(device);
	presence_unref(&device->session.presence);
	SPIN_UNTIL(&fixture->bus->io, fleet_home_is_idle(&device->node->home));
}

/* --- who asks --- */

struct asker {
	unsigned answers;
	enum takeover_answer answer;
	struct client_claim holder; /* without its node */
	char node[16];
};

static void on_answer(void *owner, enum takeover_answer answer, const struct client_claim *holder)
{
	struct asker *asker = owner;

	asker->answers++;
	asker->answer = answer;
	assert_int_equal(holder != NULL, answer == TAKEOVER_HELD);
	if (holder == NULL)
		return;
	asker->holder = *holder;
	snprintf(asker->node, sizeof(asker->node), "%s", holder->node);
}

static struct takeover_question *question_start(struct asker *asker, struct node *node)
{
	struct device newcomer;

	*asker = (struct asker){0};
	device_init(&newcomer, node, 0);
	struct takeover_question *question = takeover_ask(&node->home, newcomer.session.presence,
							  on_answer, asker);

	presence_unref(&newcomer.session.presence);
	assert_non_null(question);
	assert_int_equal(asker->answers, 0);
	return question;
}

static enum takeover_answer answer_to(struct asker *asker, struct node *node)
{
	question_start(asker, node);
	SPIN_UNTIL(&fixture->bus->io, asker->answers == 1);
	return asker->answer;
}

/* --- questions --- */

static void test_nobody_has_it(void **state)
{
	struct fixture *f = *state;
	struct asker asker;

	assert_int_equal(answer_to(&asker, &f->nodes[0]), TAKEOVER_FREE);
	assert_int_equal(f->nodes[0].fleet.takeovers.unanswered, 0);
}

static void test_the_holder_tells_its_claim(void **state)
{
	struct fixture *f = *state;
	struct device holder;
	struct asker asker;

	device_enter(&holder, &f->nodes[1], 1234, DIRECTORY_NEWEST);
	assert_int_equal(answer_to(&asker, &f->nodes[0]), TAKEOVER_HELD);
	assert_string_equal(asker.node, "gate-1");
	assert_int_equal(asker.holder.since_ms, 1234);
	assert_int_equal(asker.holder.generation, 1);
	assert_int_equal(asker.holder.connection_id, holder.session.presence->connection_id);
	device_finish(&holder);
	assert_int_equal(answer_to(&asker, &f->nodes[0]), TAKEOVER_FREE);
}

static void answer_nonsense(struct subscriber *self, const struct bus_message *message)
{
	struct bus_message answer = {.body = SLICE_LITERAL("{\"node\":1}")};

	assert_int_equal(bus_reply(self->bus, message, &answer), 0);
}

static void test_an_answer_without_a_claim_keeps_nobody_out(void **state)
{
	struct fixture *f = *state;
	struct subscriber other = {.on_message = answer_nonsense};
	struct asker asker;

	subscriber_open(&other, f->bus->bus, f->bus->io.loop, "gatehouse.ctl.ws.a");
	if (f->bus->is_nats)
		settle(f->bus);
	assert_int_equal(answer_to(&asker, &f->nodes[0]), TAKEOVER_FREE);
	subscriber_close(f->bus, &other);
}

static void test_silence_ends_in_time_and_is_counted(void **state)
{
	struct fixture *f = *state;
	struct subscriber silent = {0};
	struct asker asker;

	f->nodes[0].fleet.limits.claim_timeout_ns = 20 * NS_PER_MS;
	subscriber_open(&silent, f->bus->bus, f->bus->io.loop, "gatehouse.ctl.ws.a");
	if (f->bus->is_nats)
		settle(f->bus);
	assert_int_equal(answer_to(&asker, &f->nodes[0]), TAKEOVER_UNKNOWN);
	assert_int_equal(f->nodes[0].fleet.takeovers.unanswered, 1);
	subscriber_close(f->bus, &silent);
}

static void test_nobody_is_told_after_a_cancel(void **state)
{
	struct fixture *f = *state;
	struct device holder;
	struct asker asker;

	device_enter(&holder, &f->nodes[1], 1, DIRECTORY_NEWEST);
	struct takeover_question *question = question_start(&asker, &f->nodes[0]);

	takeover_ask_cancel(&question);
	assert_null(question);
	takeover_ask_cancel(&question);
	assert_false(fleet_home_is_idle(&f->nodes[0].home));
	SPIN_UNTIL(&f->bus->io, fleet_home_is_idle(&f->nodes[0].home));
	assert_int_equal(asker.answers, 0);
	device_finish(&holder);
}

static void test_a_newcomer_comes_behind_its_holder(void **state)
{
	struct fixture *f = *state;
	struct client_claim ahead = {"gate-1", (clock_wall_ns() / NS_PER_MS) + 60000, 1, 7};
	struct device newcomer;

	device_init(&newcomer, &f->nodes[0], 0);
	takeover_stamp(newcomer.session.presence, &ahead);
	assert_int_equal(newcomer.session.presence->connected_at_ms, ahead.since_ms + 1);
	assert_int_equal(newcomer.session.presence->generation, 8);
	takeover_stamp(newcomer.session.presence, NULL);
	assert_true(newcomer.session.presence->connected_at_ms < ahead.since_ms);
	assert_int_equal(newcomer.session.presence->generation, 0);
	presence_unref(&newcomer.session.presence);
}

/* --- claims --- */

static const struct {
	const char *name;
	enum directory_policy policy;
	uint64_t first_ms, second_ms; /* the second hears nothing of the first before it is in */
	bool first_stays;
} claims[] = {
	{"newest, the second is later", DIRECTORY_NEWEST, 1000, 2000, false},
	{"newest, the second is earlier", DIRECTORY_NEWEST, 2000, 1000, true},
	{"newest, both at once", DIRECTORY_NEWEST, 1000, 1000, false},
	{"oldest, the second is later", DIRECTORY_OLDEST, 1000, 2000, true},
	{"oldest, the second is earlier", DIRECTORY_OLDEST, 2000, 1000, false},
	{"oldest, both at once", DIRECTORY_OLDEST, 1000, 1000, true},
};

static void test_one_of_two_stays(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct device first, second;
		uint64_t lost = f->nodes[0].fleet.takeovers.lost + f->nodes[1].fleet.takeovers.lost;

		device_enter(&first, &f->nodes[0], claims[i].first_ms, claims[i].policy);
		device_enter(&second, &f->nodes[1], claims[i].second_ms, claims[i].policy);
		SPIN_UNTIL(&f->bus->io, first.evictions + second.evictions == 1);
		ASSERT_ROW((first.evictions == 0) == claims[i].first_stays, claims[i].name);
		ASSERT_ROW(f->nodes[0].fleet.takeovers.lost + f->nodes[1].fleet.takeovers.lost ==
				   lost + 1,
			   claims[i].name);
		device_finish(&first);
		device_finish(&second);
		ASSERT_ROW(first.evictions + second.evictions == 1, claims[i].name);
	}
}

static void test_many_say_nothing_and_heed_nothing(void **state)
{
	struct fixture *f = *state;
	struct device first, second;

	device_enter(&first, &f->nodes[0], 1000, DIRECTORY_MANY);
	device_enter(&second, &f->nodes[1], 2000, DIRECTORY_MANY);
	struct client_claim stronger = takeover_claim(second.session.client);

	assert_false(takeover_told(first.session.client, &stronger, false));
	takeover_again(first.session.client, 0);
	assert_int_equal(f->nodes[0].fleet.takeovers.announced, 0);
	device_finish(&first);
	device_finish(&second);
	assert_int_equal(first.evictions + second.evictions, 0);
}

/* Nodes of two minds about a route: each believes that it stays, and says so once. */
static void test_a_reply_is_not_answered(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	struct device device;
	struct client_claim weaker = {"gate-1", 500, 1, 1};

	device_enter(&device, node, 1000, DIRECTORY_NEWEST);
	assert_int_equal(node->fleet.takeovers.announced, 1);
	assert_false(takeover_told(device.session.client, &weaker, true));
	assert_int_equal(node->fleet.takeovers.announced, 1);
	assert_false(takeover_told(device.session.client, &weaker, false));
	assert_int_equal(node->fleet.takeovers.announced, 2);
	device_finish(&device);
}

static void test_it_is_announced_again_soon(void **state)
{
	struct fixture *f = *state;
	struct node *node = &f->nodes[0];
	struct device device;

	device_enter(&device, node, 1000, DIRECTORY_NEWEST);
	SPIN_UNTIL(&f->bus->io, node->fleet.takeovers.announced == 2);
	takeover_again(device.session.client, 0);
	SPIN_UNTIL(&f->bus->io, node->fleet.takeovers.announced == 3);
	assert_int_equal(device.evictions, 0);
	device_finish(&device);
}

#define TEST_ON(test, bus, index)                                       \
	{                                                               \
#test "/" bus, test, setup, teardown, &bus_kinds[index] \
	}
#define BOTH(test) TEST_ON(test, "embedded", 0), TEST_ON(test, "nats", 1)

int main(void)
{
	struct CMUnitTest tests[] = {
		BOTH(test_nobody_has_it),
		BOTH(test_the_holder_tells_its_claim),
		BOTH(test_an_answer_without_a_claim_keeps_nobody_out),
		BOTH(test_silence_ends_in_time_and_is_counted),
		BOTH(test_nobody_is_told_after_a_cancel),
		BOTH(test_a_newcomer_comes_behind_its_holder),
		BOTH(test_one_of_two_stays),
		BOTH(test_many_say_nothing_and_heed_nothing),
		BOTH(test_a_reply_is_not_answered),
		BOTH(test_it_is_announced_again_soon),
	};

	return RUN_BUS_TESTS(tests);
}
