/* SPDX-License-Identifier: Apache-2.0
 * test_client_state.c - clients that move from one process of the gateway to the next: their
 * groups, their claim, the end of their proof, and the calls that wait for their answer, with those
 * who asked for them. Two nodes on one bus stand for the two processes; the road is the test's. */
#include "fleet_unit.h"

#include "fleet/command/ask.h"
#include "fleet/command/command_road.h"
#include "fleet/expiry.h"

#define OLDER (&fixture->nodes[0])
#define NEWER (&fixture->nodes[1])

struct road {
	struct handover_road base;
	struct road *other;
	bool is_deaf;
};

static struct road roads[2]; /* of the nodes */
static struct rpc_stats stats[2];

static bool tell(struct handover_road *base, enum road_kind kind, struct slice bytes)
{
	struct road *road = CONTAINER_OF(base, struct road, base);

	if (!road->is_deaf)
		road_hear(&road->other->base, kind, bytes);
	return !road->is_deaf;
}

/* --- the client --- */

struct device {
	struct session session;
	struct node *node;
	char got[1024];
	unsigned expired;
};

static int push(struct session *session, const struct message *message)
{
	struct device *device = CONTAINER_OF(session, struct device, session);
	size_t used = strlen(device->got);

	snprintf(device->got + used, sizeof(device->got) - used, "%.*s|",
		 SLICE_ARG(message->bytes));
	return 0;
}

static struct fleet_home *home_of(struct session *session)
{
	return &CONTAINER_OF(session, struct device, session)->node->home;
}

static void expired(struct session *session)
{
	CONTAINER_OF(session, struct device, session)->expired++;
}

static size_t queued(const struct session *session)
{
	(void)session;
	return 0;
}

static bool is_held_back(const struct session *session)
{
	(void)session;
	return false;
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
	*out = (struct session_tls){.version = "TLSv1.3", .suite = "TLS_AES_128_GCM_SHA256"};
	return true;
}

static const struct session_ops ops = {
	.compression = compression,
	.tls = tls,
	.push = push,
	.home = home_of,
	.expired = expired,
	.queued = queued,
	.is_held_back = is_held_back,
};

/* In the directory; the fleet does not know it yet. */
static void device_init(struct device *device, struct node *node)
{
	struct presence *older = NULL;

	*device = (struct device){.node = node, .session.ops = &ops};
	device->session.presence = presence_create(
		&(struct presence_facts){.route = &fixture->client_route,
					 .client_id = "a",
					 .mailbox = &node->mailbox,
					 .session = &device->session});
	assert_non_null(device->session.presence);
	device->session.presence->connection_id = 7;
	assert_true(directory_enter(node->fleet.directory, device->session.presence, DIRECTORY_MANY,
				    &older));
}

static void device_enter(struct device *device)
{
	device_init(device, OLDER);
	assert_int_equal(fleet_client_enter(&OLDER->home, &device->session), 0);
}

static void device_finish(struct device *device)
{
	session_leave(&device->session, device->node);
	presence_unref(&device->session.presence);
	SPIN_UNTIL(&fixture->bus->io, fleet_home_is_idle(&device->node->home));
}

static void export_to(const struct device *device, struct buf *out)
{
	struct state_writer writer;

	state_writer_init(&writer, out, 1 << 20);
	client_export(&device->session, &writer);
	assert_int_equal(writer.error, 0);
}

static void forget(struct device *device)
{
	client_forget(&device->session);
	presence_detach(device->session.presence);
	directory_leave(device->node->fleet.directory, device->session.presence);
}

static void move(struct device *from, struct device *to)
{
	struct buf state = {0};

	export_to(from, &state);
	device_init(to, NEWER);
	assert_int_equal(client_import(&NEWER->home, &to->session, buf_slice(&state)), 0);
	buf_finish(&state);
	forget(from);
	client_thaw(&to->session);
}

/* The client answers the call that it was sent last. */
static void answer(struct device *device, const char *from_got, const char *result)
{
	static const struct rpc_framing framing = {.kind = CONFIG_RPC_JSON_RPC};
	const char *at = strstr(from_got, "\"id\":\""), *next;
	char id[CALL_ID_MAX + 1], text[256];

	assert_non_null(at);
	while ((next = strstr(at + 1, "\"id\":\"")) != NULL)
		at = next;
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 6, "\""), at + 6);
	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":%s}", id,
		 result);
	struct message message = {.is_text = true, .bytes = slice_from_text(text)};

	assert_true(rpc_receive(device->session.client->rpc, &framing, device->node->fleet.rpc,
				&message));
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

static void ask_to(struct asker *asker, const struct command_kind *kind, const char *json)
{
	struct command *command = command_create(&OLDER->fleet, kind);

	*asker = (struct asker){0};
	assert_non_null(command);
	command_read(command, slice_from_text(json));
	fleet_ask(&OLDER->home, "ws", "a", command, 2 * GIVE_UP_NS, on_done, asker);
}

static void call(struct asker *asker, const char *json)
{
	ask_to(asker, &command_call, json);
}

static void wait_done(const struct asker *asker, unsigned status)
{
	SPIN_UNTIL(&fixture->bus->io, asker->done == 1);
	if (asker->status != status)
		fail_msg("%u %s", asker->status, asker->body);
}

/* --- */

static void road_make(void)
{
	for (size_t i = 0; i < 2; i++) {
		roads[i] = (struct road){.base.tell = tell, .other = &roads[1 - i]};
		stats[i] = (struct rpc_stats){0};
		fixture->nodes[i].fleet.rpc = &stats[i];
	}
	OLDER->fleet.command_road = command_road_create_older(&roads[0].base);
	NEWER->fleet.command_road = command_road_create_newer(&roads[1].base, &NEWER->fleet,
							      &NEWER->home);
	assert_non_null(OLDER->fleet.command_road);
	assert_non_null(NEWER->fleet.command_road);
}

static int state_setup(void **state)
{
	static bool is_nats = false;

	*state = &is_nats;
	setup(state);
	fixture->route.rpc = CONFIG_RPC_JSON_RPC;
	fixture->route.call_queue_max = 10;
	fixture->config.admin.call_timeout = 60000;
	fixture->config.server.max_groups_per_client = 2;
	for (size_t i = 0; i < 2; i++)
		fleet_take_limits(&fixture->nodes[i].fleet, &fixture->config);
	road_make();
	return 0;
}

static int state_teardown(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(stats[i].waiting, 0);
		command_road_destroy(&fixture->nodes[i].fleet.command_road);
	}
	return teardown(state);
}

static void test_groups_and_the_end_of_a_proof_go_along(void **state)
{
	struct device from, to;
	uint64_t at_s = clock_wall_ns() / NS_PER_S + 1000;

	(void)state;
	device_enter(&from);
	assert_int_equal(group_join(from.session.client, "night"), GROUP_JOINED);
	assert_int_equal(group_join(from.session.client, "day"), GROUP_JOINED);
	assert_int_equal(expiry_begin(from.session.client, at_s), 0);
	fixture->nodes[1].fleet.limits.max_groups_per_client = 1; /* fewer by now: nobody is thrown
								   * out */
	move(&from, &to);
	json_t *groups = groups_of_session(&to.session);
	char *text = json_dumps(groups, JSON_COMPACT);

	assert_string_equal(text, "[\"night\",\"day\"]");
	free(text);
	json_decref(groups);
	assert_int_equal(expiry_at_s(&to.session), at_s);
	expiry_move(&to.session, clock_wall_ns() / NS_PER_S);
	SPIN_UNTIL(&fixture->bus->io, to.expired == 1);
	device_finish(&from);
	device_finish(&to);
}

/* Others, and the claims that they tell, see the same connection as before. */
static void test_the_claim_goes_along_and_is_not_told_again(void **state)
{
	struct device from, to;

	(void)state;
	device_enter(&from);
	takeover_enter(from.session.client, DIRECTORY_OLDEST);
	assert_int_equal(OLDER->fleet.takeovers.announced, 1);
	move(&from, &to);
	assert_true(to.session.client->takeover.is_on);
	assert_int_equal(to.session.client->takeover.policy, DIRECTORY_OLDEST);
	assert_true(loop_timer_is_running(&to.session.client->takeover.timer));
	assert_int_equal(NEWER->fleet.takeovers.announced, 0);
	device_finish(&from);
	device_finish(&to);
}

static void test_who_asked_in_the_older_process_is_answered_there(void **state)
{
	struct device from, to;
	struct asker asker;

	(void)state;
	device_enter(&from);
	call(&asker, "{\"method\":\"reset\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	assert_int_equal(stats[0].waiting, 1);
	move(&from, &to);
	assert_int_equal(stats[0].waiting, 0);
	assert_int_equal(stats[1].waiting, 1);
	assert_string_equal(to.got, ""); /* it was sent */
	answer(&to, from.got, "\"done\"");
	wait_done(&asker, 200);
	assert_non_null(strstr(asker.body, "\"payload\":\"done\""));
	assert_non_null(strstr(asker.body, "\"connection_id\":7"));
	assert_int_equal(stats[0].ended[CALL_ANSWERED], 0);
	assert_int_equal(stats[1].ended[CALL_ANSWERED], 1);
	device_finish(&from);
	device_finish(&to);
}

/* The newer one has it a moment before the older one lets go. */
static void test_an_answer_may_come_before_the_older_process_lets_go(void **state)
{
	struct device from, to;
	struct asker asker;
	struct buf bytes = {0};

	(void)state;
	device_enter(&from);
	call(&asker, "{\"method\":\"reset\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	export_to(&from, &bytes);
	device_init(&to, NEWER);
	assert_int_equal(client_import(&NEWER->home, &to.session, buf_slice(&bytes)), 0);
	buf_finish(&bytes);
	client_thaw(&to.session);
	answer(&to, from.got, "\"soon\"");
	assert_int_equal(asker.done, 0);
	forget(&from);
	wait_done(&asker, 200);
	assert_non_null(strstr(asker.body, "\"payload\":\"soon\""));
	device_finish(&from);
	device_finish(&to);
}

static void test_who_asked_over_the_bus_is_answered_by_the_newer_process(void **state)
{
	struct device from, to;
	struct question question;

	(void)state;
	device_enter(&from);
	assert_int_equal(question_send(fixture->bus, &question, "gatehouse.ctl.ws.a",
				       "{\"command\":\"call\",\"method\":\"reset\"}",
				       2 * GIVE_UP_NS),
			 0);
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	move(&from, &to);
	answer(&to, from.got, "1");
	SPIN_UNTIL(&fixture->bus->io, question.done == 1);
	assert_int_equal(question.result, BUS_ANSWERED);
	assert_non_null(strstr(question.answer, "answered"));
	device_finish(&from);
	device_finish(&to);
}

static void test_calls_that_wait_for_their_turn_get_it(void **state)
{
	struct device from, to;
	struct asker first, second, third;

	(void)state;
	device_enter(&from);
	call(&first, "{\"method\":\"one\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	call(&second, "{\"method\":\"two\",\"params\":{\"a\":[1,\"\\u00e4\"]}}");
	call(&third, "{\"method\":\"three\"}");
	SPIN_UNTIL(&fixture->bus->io, stats[0].waiting == 3);
	move(&from, &to);
	answer(&to, from.got, "1");
	wait_done(&first, 200);
	assert_non_null(strstr(to.got, "\"method\":\"two\",\"params\":{\"a\":[1,\"\xc3\xa4\"]}"));
	assert_null(strstr(to.got, "three"));
	answer(&to, to.got, "2");
	wait_done(&second, 200);
	assert_non_null(strstr(to.got, "three"));
	answer(&to, to.got, "3");
	wait_done(&third, 200);
	device_finish(&from);
	device_finish(&to);
}

static void call_for(struct asker *asker, unsigned timeout_ms)
{
	char text[64];

	snprintf(text, sizeof(text), "{\"method\":\"reset\",\"timeout\":\"%ums\"}", timeout_ms);
	call(asker, text);
}

/* False: a busy machine has let the time pass before the client moved. */
static bool times_out_in_the_newer(unsigned timeout_ms)
{
	uint64_t before = stats[0].ended[CALL_TIMED_OUT];
	struct device from, to;
	struct asker asker;

	device_enter(&from);
	call_for(&asker, timeout_ms);
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0 || asker.done == 1);
	bool is_in_time = asker.done == 0 && stats[0].ended[CALL_TIMED_OUT] == before;

	move(&from, &to);
	wait_done(&asker, 504);
	assert_int_equal(stats[1].ended[CALL_TIMED_OUT], is_in_time ? 1 : 0);
	device_finish(&from);
	device_finish(&to);
	return is_in_time;
}

static void test_the_time_of_a_call_runs_on(void **state)
{
	(void)state;
	for (unsigned ms = 20; !times_out_in_the_newer(ms); ms *= 4)
		assert_true(ms < GIVE_UP_S * 1000);
}

static void test_an_answer_that_comes_late_is_known_as_such(void **state)
{
	static const struct rpc_framing framing = {.kind = CONFIG_RPC_JSON_RPC};
	struct device from, to;
	struct asker asker;
	char text[128], id[CALL_ID_MAX + 1];

	(void)state;
	device_enter(&from);
	const char *at = NULL;

	/* Again if a busy machine has let the time pass before it was sent. */
	for (unsigned ms = 1; at == NULL; ms *= 4) {
		assert_true(ms < GIVE_UP_S * 1000);
		call_for(&asker, ms);
		wait_done(&asker, 504);
		at = strstr(from.got, "\"id\":\"");
	}
	snprintf(id, sizeof(id), "%.*s", (int)strcspn(at + 6, "\""), at + 6);
	snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":1}", id);
	move(&from, &to);
	struct message message = {.is_text = true, .bytes = slice_from_text(text)};

	assert_false(rpc_receive(to.session.client->rpc, &framing, &stats[1], &message));
	assert_int_equal(message.mark, MESSAGE_LATE);
	device_finish(&from);
	device_finish(&to);
}

static void test_who_asked_hears_that_the_newer_process_has_ended(void **state)
{
	struct device from, to;
	struct asker asker;

	(void)state;
	device_enter(&from);
	call(&asker, "{\"method\":\"reset\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	move(&from, &to);
	roads[1].is_deaf = true;
	road_end(&roads[0].base);
	wait_done(&asker, 502);
	assert_non_null(strstr(asker.body, "connection_lost"));
	answer(&to, from.got, "1");
	device_finish(&from);
	device_finish(&to);
}

static void test_a_command_that_comes_later_is_brought_to_the_newer_process(void **state)
{
	struct device from, to;
	struct asker asker;
	struct command *command;

	(void)state;
	OLDER->fleet.is_clustered = NEWER->fleet.is_clustered = false;
	device_enter(&from);
	move(&from, &to);
	ask_to(&asker, &command_inspect, "");
	wait_done(&asker, 200);
	assert_non_null(strstr(asker.body, "\"node\":\"gate-1\""));
	command = command_create(&OLDER->fleet, &command_send);
	assert_true(command_read_message(
		command,
		&(struct message){.is_text = true, .bytes = SLICE_LITERAL("{\"hello\":1}")}));
	asker = (struct asker){0};
	fleet_ask(&OLDER->home, "ws", "a", command, 2 * GIVE_UP_NS, on_done, &asker);
	wait_done(&asker, 200);
	assert_string_equal(to.got, "{\"hello\":1}|");
	ask_to(&asker, &command_close, "{\"code\": 7}");
	wait_done(&asker, 400);
	to.got[0] = 0;
	call(&asker, "{\"method\":\"reset\"}");
	SPIN_UNTIL(&fixture->bus->io, to.got[0] != 0);
	answer(&to, to.got, "5");
	wait_done(&asker, 200);
	device_finish(&from);
	device_finish(&to);
	ask_to(&asker, &command_inspect, "");
	wait_done(&asker, 404);
	roads[0].is_deaf = true;
	ask_to(&asker, &command_inspect, "");
	wait_done(&asker, 404);
	OLDER->fleet.is_clustered = NEWER->fleet.is_clustered = true;
}

/* It was on its way to the client's thread when the client moved. */
static void test_a_command_that_misses_its_client_follows_it(void **state)
{
	struct device from, to;
	struct asker asker;

	(void)state;
	OLDER->fleet.is_clustered = NEWER->fleet.is_clustered = false;
	device_enter(&from);
	ask_to(&asker, &command_inspect, "");
	move(&from, &to);
	wait_done(&asker, 200);
	assert_non_null(strstr(asker.body, "\"node\":\"gate-1\""));
	device_finish(&from);
	device_finish(&to);
	OLDER->fleet.is_clustered = NEWER->fleet.is_clustered = true;
}

static void test_a_handover_that_comes_to_nothing_changes_nothing(void **state)
{
	struct device from;
	struct asker asker;
	struct buf once = {0}, again = {0};

	(void)state;
	device_enter(&from);
	call(&asker, "{\"method\":\"reset\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	export_to(&from, &once);
	export_to(&from, &again);
	assert_int_equal(once.len, again.len); /* times differ */
	buf_finish(&once);
	buf_finish(&again);
	answer(&from, from.got, "1");
	wait_done(&asker, 200);
	device_finish(&from);
}

/* --- what is no state --- */

static void test_a_state_that_is_cut_anywhere_is_refused_or_shorter(void **state)
{
	struct device from, to;
	struct asker first, second;
	struct buf bytes = {0};

	(void)state;
	device_enter(&from);
	assert_int_equal(group_join(from.session.client, "night"), GROUP_JOINED);
	call(&first, "{\"method\":\"one\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	call(&second, "{\"method\":\"two\"}");
	SPIN_UNTIL(&fixture->bus->io, stats[0].waiting == 2);
	export_to(&from, &bytes);
	for (size_t len = 0; len < bytes.len; len++) {
		uint8_t *exact = malloc(len > 0 ? len : 1);

		memcpy(exact, bytes.data, len);
		device_init(&to, NEWER);
		int r = client_import(&NEWER->home, &to.session, slice_of(exact, len));

		free(exact);
		assert_true(r == 0 || r == -EINVAL);
		assert_true(r == 0 || to.session.client == NULL);
		assert_true(r == 0 || stats[1].waiting == 0);
		device_finish(&to);
	}
	assert_int_equal(first.done + second.done, 0); /* nobody was told of anything */
	buf_finish(&bytes);
	device_finish(&from);
	wait_done(&first, 502);
	wait_done(&second, 502);
}

static void test_a_route_that_knows_no_calls_any_more_takes_no_client_that_was_called(void **state)
{
	struct device from, to;
	struct asker asker;
	struct buf bytes = {0};

	(void)state;
	device_enter(&from);
	call(&asker, "{\"method\":\"one\"}");
	SPIN_UNTIL(&fixture->bus->io, from.got[0] != 0);
	export_to(&from, &bytes);
	fixture->route.rpc = CONFIG_RPC_NONE;
	device_init(&to, NEWER);
	assert_int_equal(client_import(&NEWER->home, &to.session, buf_slice(&bytes)), -EINVAL);
	device_finish(&to);
	fixture->route.rpc = CONFIG_RPC_JSON_RPC;
	answer(&from, from.got, "1");
	wait_done(&asker, 200);
	buf_finish(&bytes);
	export_to(&from, &bytes); /* no call waits */
	fixture->route.rpc = CONFIG_RPC_NONE;
	device_init(&to, NEWER);
	assert_int_equal(client_import(&NEWER->home, &to.session, buf_slice(&bytes)), 0);
	buf_finish(&bytes);
	device_finish(&to);
	device_finish(&from);
}

#define TEST(test)                                             \
	{                                                      \
#test, test, state_setup, state_teardown, NULL \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_groups_and_the_end_of_a_proof_go_along),
		TEST(test_the_claim_goes_along_and_is_not_told_again),
		TEST(test_who_asked_in_the_older_process_is_answered_there),
		TEST(test_an_answer_may_come_before_the_older_process_lets_go),
		TEST(test_who_asked_over_the_bus_is_answered_by_the_newer_process),
		TEST(test_calls_that_wait_for_their_turn_get_it),
		TEST(test_the_time_of_a_call_runs_on),
		TEST(test_an_answer_that_comes_late_is_known_as_such),
		TEST(test_who_asked_hears_that_the_newer_process_has_ended),
		TEST(test_a_command_that_comes_later_is_brought_to_the_newer_process),
		TEST(test_a_command_that_misses_its_client_follows_it),
		TEST(test_a_handover_that_comes_to_nothing_changes_nothing),
		TEST(test_a_state_that_is_cut_anywhere_is_refused_or_shorter),
		TEST(test_a_route_that_knows_no_calls_any_more_takes_no_client_that_was_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
