/* SPDX-License-Identifier: Apache-2.0
 * test_fleet.c - clients that are asked from their own node and from another one, on both
 * kinds of bus. Two nodes are two directories with one bus. */
#include "fleet_unit.h"

#include "fleet/command/ask.h"

/* --- a client --- */

struct device {
	struct session session;
	struct node *node;
	char got[64];
	unsigned messages, closes;
	int result;
};

static struct device *device_of(struct session *session)
{
	return CONTAINER_OF(session, struct device, session);
}

static int push(struct session *session, const struct message *message)
{
	struct device *device = device_of(session);

	device->messages++;
	snprintf(device->got, sizeof(device->got), "%s:%.*s", message->is_text ? "t" : "b",
		 SLICE_ARG(message->bytes));
	return device->result;
}

static void device_leave(struct device *device);

/* Closing, it leaves before the caller goes on, as a connection does. */
static int close_with(struct session *session, uint16_t code, const char *reason)
{
	(void)code;
	(void)reason;
	device_of(session)->closes++;
	device_leave(device_of(session));
	return 0;
}

static size_t queued(const struct session *session)
{
	(void)session;
	return 0;
}

static bool compression(const struct session *session, struct session_compression *out)
{
	(void)session;
	(void)out;
	return false;
}

static bool tls(const struct session *session, struct session_tls *out)
{
	(void)session;
	(void)out;
	return false;
}

static bool is_held_back(const struct session *session)
{
	(void)session;
	return false;
}

static const struct session_ops ops = {.push = push,
				       .close = close_with,
				       .queued = queued,
				       .is_held_back = is_held_back,
				       .compression = compression,
				       .tls = tls};

static void device_enter(struct device *device, struct node *node, const char *client_id)
{
	struct presence *older = NULL;

	*device = (struct device){.node = node, .session.ops = &ops};
	device->session.presence = presence_create(
		&(struct presence_facts){.route = &fixture->client_route,
					 .client_id = client_id,
					 .mailbox = &node->mailbox,
					 .session = &device->session});
	assert_non_null(device->session.presence);
	assert_true(directory_enter(node->fleet.directory, device->session.presence, DIRECTORY_MANY,
				    &older));
	assert_int_equal(fleet_client_enter(&node->home, &device->session), 0);
	if (fixture->bus->is_nats)
		settle(fixture->bus);
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
	unsigned done;
	unsigned status;
	char body[512];
};

static void on_done(struct command *command, void *arg)
{
	struct asker *asker = arg;

	asker->done++;
	asker->status = command->result.status;
	snprintf(asker->body, sizeof(asker->body), "%.*s", SLICE_ARG(command->result.body));
	command_destroy(&command);
}

static void ask_start(struct asker *asker, struct node *node, const char *client_id,
		      struct command *command, uint64_t timeout_ns)
{
	*asker = (struct asker){0};
	fleet_ask(&node->home, "ws", client_id, command, timeout_ns, on_done, asker);
	assert_int_equal(asker->done, 0);
}

static void ask_end(struct asker *asker)
{
	SPIN_UNTIL(&fixture->bus->io, asker->done == 1);
}

static struct command *make(struct node *node, const struct command_kind *kind)
{
	struct command *command = command_create(&node->fleet, kind);

	assert_non_null(command);
	assert_true(command_read(command, (struct slice){0}));
	return command;
}

static struct command *make_message(struct node *node, bool is_text, struct slice bytes)
{
	struct command *command = command_create(&node->fleet, &command_send);

	assert_non_null(command);
	assert_true(command_read_message(command,
					 &(struct message){.is_text = is_text, .bytes = bytes}));
	return command;
}

static unsigned ask_for(struct asker *asker, struct node *node, const char *client_id,
			struct command *command)
{
	ask_start(asker, node, client_id, command, 2 * GIVE_UP_NS);
	ask_end(asker);
	return asker->status;
}

static bool says(const struct asker *asker, const char *text)
{
	return strstr(asker->body, text) != NULL;
}

/* --- tests --- */

static void test_each_node_reaches_the_client(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a.b *>");
	for (size_t i = 0; i < 2; i++) {
		struct node *node = &f->nodes[i];

		assert_int_equal(ask_for(&asker, node, "a.b *>",
					 make_message(node, true, SLICE_LITERAL("hi"))),
				 200);
		assert_true(says(&asker, "\"delivered\""));
		assert_string_equal(device.got, "t:hi");
		assert_int_equal(ask_for(&asker, node, "a.b *>",
					 make_message(node, false, SLICE_LITERAL("\x01"))),
				 200);
		assert_string_equal(device.got, "b:\x01");
		assert_int_equal(ask_for(&asker, node, "a.b *>", make(node, &command_inspect)),
				 200);
		assert_true(says(&asker, "\"node\":\"gate-0\""));
	}
	assert_int_equal(device.messages, 4);
	device_finish(&device);
}

/* It leaves inside the command that it runs. */
static void test_a_client_closed_by_another_node_answers_first(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_close)),
			 200);
	assert_true(says(&asker, "\"closing\""));
	assert_int_equal(device.closes, 1);
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_close)),
			 404);
	device_finish(&device);
}

static void test_nobody_is_told_of_at_once(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(
			ask_for(&asker, &f->nodes[i], "b", make(&f->nodes[i], &command_inspect)),
			404);
		assert_true(says(&asker, "\"not_connected\"") && says(&asker, "\"b\""));
	}
	device_finish(&device);
}

static void test_a_client_that_is_slow_is_told_of(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	device.result = -ENOBUFS;
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a",
				 make_message(&f->nodes[1], true, SLICE_LITERAL("x"))),
			 409);
	assert_true(says(&asker, "\"slow_reader\""));
	device_finish(&device);
}

static void test_bad_arguments_come_back_too(void **state)
{
	struct fixture *f = *state;
	struct command *command = command_create(&f->nodes[1].fleet, &command_close);
	struct asker asker;

	assert_false(command_read(command, SLICE_LITERAL("{\"code\":1}")));
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a", command), 400);
	assert_true(says(&asker, "\"close_code\""));
}

/* The question is on its way when it leaves: nobody answers, and that is noticed. */
static void test_a_client_that_leaves_while_it_is_asked(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	ask_start(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_inspect), 60 * NS_PER_S);
	device_leave(&device);
	ask_end(&asker);
	assert_int_equal(asker.status, 404);
	assert_true(says(&asker, "\"not_connected\""));
	device_finish(&device);
}

static void test_a_client_of_this_node_that_leaves_while_it_is_asked(void **state)
{
	struct fixture *f = *state;
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	ask_start(&asker, &f->nodes[0], "a", make(&f->nodes[0], &command_inspect), NS_PER_S);
	device_leave(&device);
	ask_end(&asker);
	assert_int_equal(asker.status, 404);
	device_finish(&device);
}

static void test_a_client_that_left_and_came_again_elsewhere(void **state)
{
	struct fixture *f = *state;
	struct device first, second;
	struct asker asker;

	device_enter(&first, &f->nodes[0], "a");
	device_enter(&second, &f->nodes[1], "a");
	device_finish(&first);
	assert_int_equal(ask_for(&asker, &f->nodes[0], "a", make(&f->nodes[0], &command_inspect)),
			 200);
	assert_true(says(&asker, "\"gate-1\""));
	device_finish(&second);
}

/* --- what else may be at the other end --- */

static void answer_plain(struct subscriber *self, const struct bus_message *message)
{
	bus_reply(self->bus, message, &(struct bus_message){.body = SLICE_LITERAL("hm")});
}

static void test_what_is_no_gatehouse_is_told_of(void **state)
{
	struct fixture *f = *state;
	struct subscriber other = {.on_message = answer_plain};
	struct asker asker;

	subscriber_open(&other, f->bus->bus, f->bus->io.loop, "gatehouse.ctl.ws.a");
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_inspect)),
			 502);
	assert_true(says(&asker, "\"bad_answer\""));
	subscriber_close(f->bus, &other);
}

static void test_silence_ends_in_time(void **state)
{
	struct fixture *f = *state;
	struct subscriber other = {0};
	struct asker asker;

	subscriber_open(&other, f->bus->bus, f->bus->io.loop, "gatehouse.ctl.ws.a");
	ask_start(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_inspect), 400 * NS_PER_MS);
	ask_end(&asker);
	assert_int_equal(asker.status, 504);
	assert_true(says(&asker, "\"timed_out\""));
	subscriber_close(f->bus, &other);
}

static void test_who_stops_waits_for_nobody(void **state)
{
	struct fixture *f = *state;
	struct subscriber other = {0};
	struct asker asker;

	subscriber_open(&other, f->bus->bus, f->bus->io.loop, "gatehouse.ctl.ws.a");
	ask_start(&asker, &f->nodes[1], "a", make(&f->nodes[1], &command_inspect), 60 * NS_PER_S);
	assert_false(fleet_home_is_idle(&f->nodes[1].home));
	fleet_home_abort(&f->nodes[1].home);
	ask_end(&asker);
	assert_int_equal(asker.status, 503);
	subscriber_close(f->bus, &other);
}

static void test_what_the_broker_does_not_take_is_told_of(void **state)
{
	struct fixture *f = *state;
	size_t size = 2 << 20;
	uint8_t *large = calloc(1, size);
	struct device device;
	struct asker asker;

	device_enter(&device, &f->nodes[0], "a");
	assert_int_equal(ask_for(&asker, &f->nodes[1], "a",
				 make_message(&f->nodes[1], false, slice_of(large, size))),
			 413);
	assert_true(says(&asker, "\"max_payload\""));
	assert_int_equal(ask_for(&asker, &f->nodes[0], "a",
				 make_message(&f->nodes[0], false, slice_of(large, size))),
			 200);
	assert_int_equal(device.messages, 1);
	device_finish(&device);
	free(large);
}

/* --- programs on the bus --- */

static void test_messages_without_a_reply_subject_are_not_answered(void **state)
{
	struct fixture *f = *state;
	struct device device;
	uint64_t before;

	device_enter(&device, &f->nodes[0], "a");
	before = bus_stats_now(f->bus->bus).published;
	assert_int_equal(publish_text(f->bus->bus, "gatehouse.to.ws.a", "one"), 0);
	assert_int_equal(publish_text(f->bus->bus, "gatehouse.to.ws.a", "\xff"), 0);
	assert_int_equal(publish_text(f->bus->bus, "gatehouse.ctl.ws.a", "{}"), 0);
	assert_int_equal(publish_text(f->bus->bus, "gatehouse.ctl.ws.a", "{\"command\":\"close\"}"),
			 0);
	SPIN_UNTIL(&f->bus->io, device.closes == 1);
	assert_int_equal(device.messages, 1);
	assert_string_equal(device.got, "t:one");
	assert_int_equal(bus_stats_now(f->bus->bus).published, before + 4);
	device_finish(&device);
}

static void test_all_connections_of_one_id_get_messages(void **state)
{
	struct fixture *f = *state;
	struct device first, second;

	device_enter(&first, &f->nodes[0], "a");
	device_enter(&second, &f->nodes[0], "a");
	assert_int_equal(publish_text(f->bus->bus, "gatehouse.to.ws.a", "both"), 0);
	SPIN_UNTIL(&f->bus->io, first.messages == 1 && second.messages == 1);
	device_leave(&second);
	device_finish(&first);
	device_finish(&second);
}

#define TEST_ON(test, bus, index)                                       \
	{                                                               \
#test "/" bus, test, setup, teardown, &bus_kinds[index] \
	}
#define BOTH(test) TEST_ON(test, "embedded", 0), TEST_ON(test, "nats", 1)

int main(void)
{
	struct CMUnitTest tests[] = {
		BOTH(test_each_node_reaches_the_client),
		BOTH(test_a_client_closed_by_another_node_answers_first),
		BOTH(test_nobody_is_told_of_at_once),
		BOTH(test_a_client_that_is_slow_is_told_of),
		BOTH(test_bad_arguments_come_back_too),
		BOTH(test_a_client_that_leaves_while_it_is_asked),
		BOTH(test_a_client_of_this_node_that_leaves_while_it_is_asked),
		BOTH(test_a_client_that_left_and_came_again_elsewhere),
		BOTH(test_what_is_no_gatehouse_is_told_of),
		BOTH(test_silence_ends_in_time),
		BOTH(test_who_stops_waits_for_nobody),
		BOTH(test_what_the_broker_does_not_take_is_told_of),
		BOTH(test_messages_without_a_reply_subject_are_not_answered),
		BOTH(test_all_connections_of_one_id_get_messages),
	};

	return RUN_BUS_TESTS(tests);
}
