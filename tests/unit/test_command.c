/* SPDX-License-Identifier: Apache-2.0
 * test_command.c - commands: what is read as one, how each ends, and what is said of what
 * is wrong. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "fleet/command/command.h"
#include "fleet/fleet.h"
#include "fleet/message.h"
#include "trace/trace_span.h"

static struct command_stats stats;
static struct config_route routes[] = {{.name = (char *)"ws"}};
static struct ruleset ruleset = {.references = 1}; /* is never the last */
static const struct client_route route = {.config = &routes[0], .ruleset = &ruleset};
static const struct fleet fleet = {
	.limits = {.max_message_size = 64, .send_queue_max = 128},
	.node = "gate-1",
	.commands = &stats,
};

/* --- a client that plays along, or not --- */

static struct {
	struct session session;
	int result; /* of push and close */
	unsigned pushes, closes;
	uint16_t code;
	char reason[128];
} client;

static int push(struct session *session, const struct message *message)
{
	(void)session;
	(void)message;
	client.pushes++;
	return client.result;
}

static int close_with(struct session *session, uint16_t code, const char *reason)
{
	(void)session;
	client.closes++;
	client.code = code;
	snprintf(client.reason, sizeof(client.reason), "%s", reason);
	return client.result;
}

static size_t queued(const struct session *session)
{
	(void)session;
	return 77;
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

static bool is_held_back(const struct session *session)
{
	(void)session;
	return true;
}

static const struct session_ops ops = {.push = push,
				       .close = close_with,
				       .queued = queued,
				       .is_held_back = is_held_back,
				       .compression = compression,
				       .tls = tls};

static int client_setup(void **state)
{
	(void)state;
	memset(&client, 0, sizeof(client));
	client.session.ops = &ops;
	client.session.presence = presence_create(
		&(struct presence_facts){.route = &route, .client_id = "a.b"});
	return client.session.presence == NULL;
}

static int client_teardown(void **state)
{
	(void)state;
	presence_unref(&client.session.presence);
	return 0;
}

static unsigned ends;

static void on_end(struct command *command)
{
	assert_true(command_has_ended(command));
	ends++;
}

static unsigned run(struct command *command)
{
	ends = 0;
	assert_false(command_has_ended(command));
	command_run(command, &client.session, on_end, NULL);
	assert_int_equal(ends, 1);
	return command->result.status;
}

/* Member `name` of the command's result, "" if there is none; until the next call. */
static const char *told(const struct command *command, const char *name)
{
	static char text[256];
	json_t *body = json_loadb((const char *)command->result.body.data, command->result.body.len,
				  0, NULL);
	const json_t *value = json_object_get(body, name);

	assert_true(json_is_object(body));
	if (json_is_integer(value))
		snprintf(text, sizeof(text), "%lld", (long long)json_integer_value(value));
	else
		snprintf(text, sizeof(text), "%s", value == NULL ? "" : json_string_value(value));
	json_decref(body);
	return text;
}

/* --- what is no command --- */

#define CLOSE "{\"command\":\"close\","
#define RENEW "{\"command\":\"renew\","

static const struct {
	const char *name;
	const char *in;
	const char *reason;
	const char *seen;
} bad[] = {
	{"nothing", "", "json", ""},
	{"half an object", "{\"command\":\"close\"", "json", "{\"command\":\"close\""},
	{"a list", "[]", "json", "[]"},
	{"a word", "\"close\"", "json", "\"close\""},
	{"two objects", "{\"command\":\"inspect\"}{}", "json", "{\"command\":\"inspect\"}{}"},
	{"not UTF-8", "{\"command\":\"\xff\"}", "json", ""},
	{"a NUL", "{\"command\":\"close\\u0000\"}", "json", "{\"command\":\"close\\u0000\"}"},
	{"a member twice", "{\"command\":\"close\",\"command\":\"close\"}", "json",
	 "{\"command\":\"close\",\"command\":\"close\"}"},
	{"no command", "{}", "command", "not a string"},
	{"a number", "{\"command\":1}", "command", "not a string"},
	{"empty", "{\"command\":\"\"}", "command", ""},
	{"none", "{\"command\":\"closes\"}", "command", "closes"},
	{"another case", "{\"command\":\"CLOSE\"}", "command", "CLOSE"},
	{"not by JSON", "{\"command\":\"send\"}", "command", "send"},
	{"the name of none", "{\"command\":\"unknown\"}", "command", "unknown"},
	{"a member of another", "{\"command\":\"inspect\",\"code\":1000}", "member", "code"},
	{"an unknown member", CLOSE "\"cod\":1}", "member", "cod"},
	{"an empty member", CLOSE "\"\":1}", "member", ""},
	{"two members as one", CLOSE "\"code, reason\":1}", "member", "code, reason"},
	{"a part of a member", CLOSE "\"reaso\":1}", "member", "reaso"},
	{"a code for clients", CLOSE "\"code\":1010}", "close_code", "1010"},
	{"a code for nobody", CLOSE "\"code\":1005}", "close_code", "1005"},
	{"a code too large", CLOSE "\"code\":66536}", "close_code", "66536"},
	{"a code below 0", CLOSE "\"code\":-1000}", "close_code", "-1000"},
	{"a code as text", CLOSE "\"code\":\"1000\"}", "close_code", "not an integer"},
	{"a code as a real", CLOSE "\"code\":1000.0}", "close_code", "not an integer"},
	{"a null reason", CLOSE "\"reason\":null}", "close_reason", "not a string"},
	{"nothing to renew by", "{\"command\":\"renew\"}", "renewal", "neither"},
	{"two to renew by", RENEW "\"expires_at\":1,\"token\":\"a\"}", "renewal", "both"},
	{"a time as text", RENEW "\"expires_at\":\"1\"}", "expires_at", "not an integer"},
	{"a time before all", RENEW "\"expires_at\":0}", "expires_at", "0"},
	{"a time in ms", RENEW "\"expires_at\":1700000000000}", "expires_at", "1700000000000"},
	{"a token that is none", RENEW "\"token\":null}", "token", "not a string"},
};

static void test_bad_commands_end_when_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct command *command = command_parse(&fleet, slice_from_text(bad[i].in));

		ASSERT_ROW(command_has_ended(command), bad[i].name);
		ASSERT_ROW(command->result.status == 400, bad[i].name);
		ASSERT_ROW(strcmp(told(command, "reason"), bad[i].reason) == 0, bad[i].name);
		ASSERT_ROW(strcmp(told(command, "seen"), bad[i].seen) == 0, bad[i].name);
		ASSERT_ROW(strcmp(told(command, "status"), "400") == 0, bad[i].name);
		ASSERT_ROW(told(command, "allowed")[0] != 0 || strcmp(bad[i].reason, "json") == 0,
			   bad[i].name);
		command_destroy(&command);
	}
}

/* Read from memory of its exact size, so that a sanitizer sees any byte behind it. */
static void test_every_cut_is_refused(void **state)
{
	static const char whole[] = CLOSE "\"code\":3000,\"reason\":\"caf\xc3\xa9\"}";

	(void)state;
	for (size_t cut = 0; cut < sizeof(whole) - 1; cut++) {
		char *bytes = malloc(cut + 1);

		assert_non_null(bytes);
		memcpy(bytes, whole, cut);
		struct command *command = command_parse(&fleet, slice_of(bytes, cut));

		assert_string_equal(told(command, "reason"), "json");
		command_destroy(&command);
		free(bytes);
	}
}

static void test_long_values_are_shown_short(void **state)
{
	char in[20100];

	(void)state;
	/* An odd offset, so that the cut would fall within a character. */
	size_t len = (size_t)snprintf(in, sizeof(in), "{\"command\":\"x");

	for (; len < 20000; len += 2)
		memcpy(in + len, "\xc3\xa9", 2);
	len += (size_t)snprintf(in + len, sizeof(in) - len, "\"}");
	struct command *command = command_parse(&fleet, slice_of(in, len));

	assert_string_equal(told(command, "reason"), "command");
	assert_int_equal(strlen(told(command, "seen")), 95 + 3);
	assert_string_equal(told(command, "seen") + 95, "...");
	command_destroy(&command);
}

static void test_what_may_be_asked_is_told(void **state)
{
	struct command *command = command_parse(&fleet, SLICE_LITERAL("{}"));

	(void)state;
	for (size_t i = 0; command_kind_at(i) != NULL; i++)
		if (command_kind_at(i)->members != NULL)
			assert_non_null(strstr(told(command, "allowed"), command_kind_at(i)->name));
	assert_null(strstr(told(command, "allowed"), "send"));
	command_destroy(&command);
}

/* --- the way to another node and back --- */

static void test_formatted_and_parsed_it_is_the_same(void **state)
{
	struct command *first = command_create(&fleet, &command_close);

	(void)state;
	assert_true(command_read(
		first, SLICE_LITERAL("{\"code\": 4001, \"reason\": \"\\\"caf\xc3\xa9\\\"\"}")));
	char *text = command_format(first);
	struct command *second = command_parse(&fleet, slice_from_text(text));

	assert_int_equal(run(second), 200);
	assert_int_equal(client.code, 4001);
	assert_string_equal(client.reason, "\"caf\xc3\xa9\"");
	assert_string_equal(told(second, "reason"), "\"caf\xc3\xa9\"");
	command_destroy(&first);
	command_destroy(&second);
	free(text);
}

static void test_without_arguments_there_are_defaults(void **state)
{
	struct command *command = command_create(&fleet, &command_close);

	(void)state;
	assert_true(command_read(command, (struct slice){0}));
	assert_int_equal(run(command), 200);
	assert_int_equal(client.code, 1000);
	assert_string_equal(client.reason, "");
	command_destroy(&command);
}

static void test_an_answer_is_passed_on_as_it_is(void **state)
{
	struct command *command = command_create(&fleet, &command_inspect);

	(void)state;
	command_answer(command, 409, SLICE_LITERAL("{ \"as\": \"it is\" }"));
	assert_int_equal(command->result.status, 409);
	assert_true(slice_equals(command->result.body, SLICE_LITERAL("{ \"as\": \"it is\" }")));
	command_destroy(&command);
}

/* --- kinds --- */

static void test_inspect_tells_of_the_client(void **state)
{
	struct command *command = command_parse(&fleet, SLICE_LITERAL("{\"command\":\"inspect\"}"));

	(void)state;
	assert_int_equal(run(command), 200);
	assert_string_equal(told(command, "client_id"), "a.b");
	assert_string_equal(told(command, "node"), "gate-1");
	assert_string_equal(told(command, "queued_bytes"), "77");
	json_t *body = json_loadb((const char *)command->result.body.data, command->result.body.len,
				  0, NULL);
	const json_t *agreed = json_object_get(body, "tls");

	assert_string_equal(json_string_value(json_object_get(agreed, "version")), "TLSv1.3");
	assert_string_equal(json_string_value(json_object_get(agreed, "suite")),
			    "TLS_AES_128_GCM_SHA256");
	json_decref(body);
	command_destroy(&command);
}

static const struct {
	int result;
	unsigned status;
	const char *reason;
	enum command_outcome outcome;
} pushes[] = {
	{0, 200, "", COMMAND_DONE},
	{-EPIPE, 404, "not_connected", COMMAND_NOT_CONNECTED},
	{-ENOBUFS, 409, "slow_reader", COMMAND_REFUSED},
	{-ENOMEM, 503, "no_memory", COMMAND_FAILED},
};

static uint64_t counted(const struct command_kind *kind, enum command_outcome outcome)
{
	size_t index = 0;

	while (command_kind_at(index) != kind)
		index++;
	return stats.ended[index][outcome];
}

static void test_what_becomes_of_a_message_is_told_and_counted(void **state)
{
	const struct message message = {.is_text = true, .bytes = SLICE_LITERAL("hello")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pushes); i++) {
		struct command *command = command_create(&fleet, &command_send);
		uint64_t before = counted(&command_send, pushes[i].outcome);

		client.result = pushes[i].result;
		assert_true(command_read_message(command, &message));
		assert_int_equal(run(command), pushes[i].status);
		assert_string_equal(told(command, "reason"), pushes[i].reason);
		assert_int_equal(counted(&command_send, pushes[i].outcome), before + 1);
		command_destroy(&command);
	}
	assert_int_equal(client.pushes, ARRAY_LEN(pushes));
}

static void test_a_client_that_is_closing_is_not_connected(void **state)
{
	struct command *command = command_parse(&fleet, SLICE_LITERAL("{\"command\":\"close\"}"));

	(void)state;
	client.result = -EPIPE;
	assert_int_equal(run(command), 404);
	assert_string_equal(told(command, "seen"), "a.b");
	command_destroy(&command);
}

static const struct {
	const char *name;
	struct message message;
	unsigned status; /* 0: it is good */
	const char *reason;
} messages[] = {
	{"empty", {.is_text = true, .bytes = {NULL, 0}}, 0, NULL},
	{"text", {.is_text = true, .bytes = SLICE_LITERAL("caf\xc3\xa9")}, 0, NULL},
	{"binary", {.is_text = false, .bytes = SLICE_LITERAL("\xff\x00")}, 0, NULL},
	{"text that is none", {.is_text = true, .bytes = SLICE_LITERAL("\xff")}, 400, "not_utf8"},
	{"half a character", {.is_text = true, .bytes = SLICE_LITERAL("caf\xc3")}, 400, "not_utf8"},
	{"a surrogate", {.is_text = true, .bytes = SLICE_LITERAL("\xed\xa0\x80")}, 400, "not_utf8"},
};

static void test_messages_are_checked(void **state)
{
	static const char large[65];
	struct message_fault fault;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		bool is_good = message_check(&fleet, &messages[i].message, &fault);

		ASSERT_ROW(is_good == (messages[i].status == 0), messages[i].name);
		ASSERT_ROW(is_good || fault.problem.status == messages[i].status, messages[i].name);
		ASSERT_ROW(is_good || strcmp(fault.problem.reason, messages[i].reason) == 0,
			   messages[i].name);
	}
	assert_true(message_check(&fleet, &(struct message){.bytes = slice_of(large, 64)}, &fault));
	assert_false(
		message_check(&fleet, &(struct message){.bytes = slice_of(large, 65)}, &fault));
	assert_int_equal(fault.problem.status, 413);
	assert_true(slice_equals(fault.problem.seen, SLICE_LITERAL("65")));
	assert_string_equal(fault.problem.allowed, "64B");
}

/* The sanitizer of addresses sees to it: its client may move to another process while it waits. */
static void test_one_that_never_ends_leaves_no_span(void **state)
{
	(void)state;
	struct command *command = command_create(&fleet, &command_inspect);

	assert_non_null(command);
	command->span = calloc(1, sizeof(*command->span));
	assert_non_null(command->span);
	assert_false(command_has_ended(command));
	command_destroy(&command);
	assert_null(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_commands_end_when_read),
		cmocka_unit_test(test_every_cut_is_refused),
		cmocka_unit_test(test_long_values_are_shown_short),
		cmocka_unit_test(test_what_may_be_asked_is_told),
		cmocka_unit_test_setup_teardown(test_formatted_and_parsed_it_is_the_same,
						client_setup, client_teardown),
		cmocka_unit_test_setup_teardown(test_without_arguments_there_are_defaults,
						client_setup, client_teardown),
		cmocka_unit_test(test_an_answer_is_passed_on_as_it_is),
		cmocka_unit_test_setup_teardown(test_inspect_tells_of_the_client, client_setup,
						client_teardown),
		cmocka_unit_test_setup_teardown(test_what_becomes_of_a_message_is_told_and_counted,
						client_setup, client_teardown),
		cmocka_unit_test_setup_teardown(test_a_client_that_is_closing_is_not_connected,
						client_setup, client_teardown),
		cmocka_unit_test(test_messages_are_checked),
		cmocka_unit_test(test_one_that_never_ends_leaves_no_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
