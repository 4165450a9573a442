/* SPDX-License-Identifier: Apache-2.0
 * test_actions.c - lists of actions: what is one, and what is said of what is none. */
#include "unit.h"

#include <stdio.h>

#include "fleet/actions/actions.h"
#include "fleet/actions/actions_private.h"

#define MESSAGE_MAX 16

static struct actions_fault fault;

/* Of a copy of exactly that size. */
static struct actions *read_list(const char *json)
{
	size_t len = strlen(json);
	char *copy = malloc(len > 0 ? len : 1);

	assert_non_null(copy);
	memcpy(copy, json, len);
	fault = (struct actions_fault){.where = "untouched"};
	struct actions *actions = actions_read(slice_of(copy, len), MESSAGE_MAX, &fault);

	free(copy);
	return actions;
}

static const struct {
	const char *json;
	const char *problem; /* what it begins with */
} bad[] = {
	{"", "the document is no JSON object; seen: '[' or '{' expected near end of file"},
	{" ", "the document is no JSON object"},
	{"{\"actions\":[secret]}", "the document is no JSON object; seen: invalid token; allowed"},
	{"[]", "the document is no JSON object; seen: other JSON; allowed: {\"actions\":["},
	{"{}", "the document has no list 'actions'; allowed: "},
	{"{\"actions\":{}}", "the document has no list 'actions'"},
	{"{\"actions\":[],\"more\":1}", "the document has an unknown member; seen: more"},
	{"{\"actions\":[],\"actions\":[]}", "the document is no JSON object; seen: duplicate"},
	{"{\"actions\":[1]}",
	 "actions[0] is no object with one member; seen: 1; allowed: one of send"},
	{"{\"actions\":[{}]}", "actions[0] is no object with one member; seen: an object"},
	{"{\"actions\":[{\"send\":{\"text\":\"\"},\"close\":{}}]}",
	 "actions[0] is no object with one member"},
	{"{\"actions\":[{\"sent\":{}}]}",
	 "actions[0] is no action; seen: 'sent'; allowed: one of send"},
	{"{\"actions\":[{\"send\":{\"text\":\"\"}},{\"send\":\"x\"}]}",
	 "actions[1].send is no object; seen: 'x'; allowed: an object with text or base64"},
	{"{\"actions\":[{\"send\":{}}]}", "actions[0].send has no message; allowed: either text"},
	{"{\"actions\":[{\"send\":{\"text\":\"\",\"base64\":\"\"}}]}",
	 "actions[0].send has two messages"},
	{"{\"actions\":[{\"send\":{\"text\":7}}]}", "actions[0].send.text is no string; seen: 7"},
	{"{\"actions\":[{\"send\":{\"text\":\"\",\"type\":\"text\"}}]}",
	 "actions[0].send has an unknown member; seen: 'type'; allowed: an object with text"},
	{"{\"actions\":[{\"send\":{\"text\":\"\",\"compress\":0}}]}",
	 "actions[0].send.compress is no boolean; seen: 0; allowed: true, false"},
	{"{\"actions\":[{\"send\":{\"base64\":null}}]}",
	 "actions[0].send.base64 is no string; seen: null"},
	{"{\"actions\":[{\"send\":{\"base64\":\"ab\"}}]}",
	 "actions[0].send.base64 is not base64; allowed: RFC 4648"},
	{"{\"actions\":[{\"send\":{\"text\":\"12345678901234567\"}}]}",
	 "actions[0].send is a message larger than server.max_message_size"},
	{"{\"actions\":[{\"close\":4000}]}", "actions[0].close is no object; seen: 4000"},
	{"{\"actions\":[{\"close\":{\"code\":1005}}]}",
	 "actions[0].close.code is no code that a server may send; seen: 1005; allowed: "
	 "1000..1003"},
	{"{\"actions\":[{\"close\":{\"code\":1010}}]}", "actions[0].close.code is no code"},
	{"{\"actions\":[{\"close\":{\"code\":-1}}]}", "actions[0].close.code is no code"},
	{"{\"actions\":[{\"close\":{\"code\":70536}}]}", "actions[0].close.code is no code"},
	{"{\"actions\":[{\"close\":{\"code\":4000.5}}]}",
	 "actions[0].close.code is no code that a server may send; seen: a number"},
	{"{\"actions\":[{\"close\":{\"reason\":\"a\\u0000b\"}}]}",
	 "actions[0].close.reason does not fit into a close frame"},
	{"{\"actions\":[{\"close\":{}},{\"send\":{\"text\":\"\"}}]}",
	 "actions[1] stands behind a close; allowed: nothing behind it"},
	{"{\"actions\":[{\"join\":\"a\"}]}", "actions[0].join is no list; seen: 'a'"},
	{"{\"actions\":[{\"join\":[\"a\",\"no name\"]}]}",
	 "actions[0].join is no name of a group; seen: 'no name'; allowed: 1..64 letters"},
	{"{\"actions\":[{\"leave\":[1]}]}", "actions[0].leave is no name of a group; seen: 1"},
	{"{\"actions\":[{\"leave\":[\"a\\u0000\"]}]}", "actions[0].leave is no name of a group"},
	{"{\"actions\":[{\"send_group\":{\"text\":\"\"}}]}",
	 "actions[0].send_group.group is no name of a group; allowed"},
	{"{\"actions\":[{\"send_group\":{\"group\":\"a\",\"text\":\"\",\"except_self\":1}}]}",
	 "actions[0].send_group.except_self is no boolean; seen: 1; allowed: true, false"},
	{"{\"actions\":[{\"send\":{\"text\":\"\",\"except_self\":true}}]}",
	 "actions[0].send has an unknown member; seen: 'except_self'"},
	{"{\"actions\":[{\"send_group\":{\"group\":\"a\"}}]}",
	 "actions[0].send_group has no message"},
	{"{\"actions\":[{\"\\u001b[2Jx\":1}]}", "actions[0] is no action; seen: '?[2Jx'"},
};

static void test_what_is_no_list(void **state)
{
	(void)state;
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct actions *actions = read_list(bad[i].json);

		ASSERT_ROW(actions == NULL, bad[i].json);
		actions_fault_format(&fault, text, sizeof(text));
		if (strncmp(text, bad[i].problem, strlen(bad[i].problem)) != 0)
			fail_msg("%s: '%s', not '%s'", bad[i].json, text, bad[i].problem);
		ASSERT_ROW(strstr(text, "; allowed: ") != NULL, text);
	}
}

/* "send text 3, close 4000 bye, join a" */
static void describe(const struct actions *actions, char *out, size_t size)
{
	out[0] = 0;
	for (size_t i = 0; i < actions->count; i++) {
		const struct action *action = &actions->list[i];
		size_t used = strlen(out);
		const char *name = action_name(action->kind), *comma = i == 0 ? "" : ", ";
		const struct message *message = &action->message;

		if (action->kind == ACTION_CLOSE)
			snprintf(out + used, size - used, "%s%s %u %s", comma, name, action->code,
				 action->reason);
		else if (action->kind == ACTION_JOIN || action->kind == ACTION_LEAVE)
			snprintf(out + used, size - used, "%s%s %s", comma, name, action->group);
		else
			snprintf(out + used, size - used, "%s%s %s%s %s%.*s", comma, name,
				 action->group == NULL ? "" : action->group,
				 message->is_text ? " text" : " binary",
				 message->stays_plain ? "plain " : "", (int)message->bytes.len,
				 message->bytes.len == 0 ? "" : (const char *)message->bytes.data);
	}
}

static const struct {
	const char *json;
	size_t count;
	const char *what;
} good[] = {
	{"{\"actions\":[]}", 0, ""},
	{"{\"actions\":[{\"send\":{\"text\":\"\"}}]}", 1, "send  text "},
	{" {\"actions\": [{\"send\": {\"text\": \"h\\u00e9\"}}, {\"send\": {\"base64\": "
	 "\"YWJj\"}}]} ",
	 2, "send  text h\xc3\xa9, send  binary abc"},
	{"{\"actions\":[{\"send\":{\"base64\":\"\",\"compress\":false}}]}", 1,
	 "send  binary plain "},
	{"{\"actions\":[{\"join\":[\"a\",\"b\"]},{\"join\":[]},{\"leave\":[\"c\"]}]}", 3,
	 "join a, join b, leave c"},
	{"{\"actions\":[{\"send_group\":{\"group\":\"g\",\"text\":\"hi\"}},{\"close\":{}}]}", 2,
	 "send_group g text hi, close 1000 "},
	{"{\"actions\":[{\"close\":{\"code\":4000,\"reason\":\"bye\"}}]}", 1, "close 4000 bye"},
	{"{\"actions\":[{\"send\":{\"text\":\"1234567890123456\"}}]}", 1,
	 "send  text 1234567890123456"},
};

static void test_what_is_a_list(void **state)
{
	(void)state;
	char text[512];

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct actions *actions = read_list(good[i].json);

		ASSERT_ROW(actions != NULL, good[i].json);
		ASSERT_ROW(actions_count(actions) == good[i].count, good[i].json);
		assert_string_equal(fault.where, "untouched");
		describe(actions, text, sizeof(text));
		assert_string_equal(text, good[i].what);
		actions_destroy(&actions);
		assert_null(actions);
	}
	actions_destroy(&(struct actions *){NULL});
}

static void test_every_cut_is_no_list(void **state)
{
	(void)state;
	const char *json = good[5].json;
	char cut[128];

	for (size_t len = 0; len < strlen(json); len++) {
		memcpy(cut, json, len);
		cut[len] = 0;
		ASSERT_ROW(read_list(cut) == NULL, cut);
	}
}

/* `count` actions of `one`. */
static struct actions *read_many(size_t count, const char *one)
{
	static char json[8192];
	size_t used = (size_t)snprintf(json, sizeof(json), "{\"actions\":[");

	for (size_t i = 0; i < count; i++)
		used += (size_t)snprintf(json + used, sizeof(json) - used, "%s%s",
					 i == 0 ? "" : ",", one);
	snprintf(json + used, sizeof(json) - used, "]}");
	return read_list(json);
}

static void test_how_many(void **state)
{
	(void)state;
	char text[256];
	struct actions *actions = read_many(ACTIONS_MAX, "{\"send\":{\"text\":\"\"}}");

	assert_non_null(actions);
	actions_destroy(&actions);
	assert_null(read_many(ACTIONS_MAX + 1, "{\"send\":{\"text\":\"\"}}"));
	actions_fault_format(&fault, text, sizeof(text));
	assert_string_equal(text, "actions[100].send is one action too many; allowed: 100, where "
				  "each group that is joined or left is one");
	actions = read_many(ACTIONS_MAX / 2, "{\"join\":[\"a\",\"b\"]}");
	assert_non_null(actions);
	actions_destroy(&actions);
	assert_null(read_many(ACTIONS_MAX / 2 + 1, "{\"join\":[\"a\",\"b\"]}"));
}

static void test_the_longest_reason(void **state)
{
	(void)state;
	char json[256];
	struct actions *actions;

	snprintf(json, sizeof(json), "{\"actions\":[{\"close\":{\"reason\":\"%0123d\"}}]}", 0);
	actions = read_list(json);
	assert_non_null(actions);
	actions_destroy(&actions);
	snprintf(json, sizeof(json), "{\"actions\":[{\"close\":{\"reason\":\"%0124d\"}}]}", 0);
	assert_null(read_list(json));
}

static void test_calls(void **state)
{
	(void)state;
	size_t index = 99;
	struct actions *actions = actions_read(
		SLICE_LITERAL("{\"actions\":[{\"send\":{\"text\":\"[3,\\\"1\\\",{}]\"}},"
			      "{\"send\":{\"text\":\"[2,\\\"1\\\",\\\"Reset\\\",{}]\"}}]}"),
		UINT64_MAX, &fault);

	assert_non_null(actions);
	assert_false(actions_have_call(actions, CONFIG_RPC_NONE, &index));
	assert_int_equal(index, 99);
	assert_true(actions_have_call(actions, CONFIG_RPC_OCPP_J, &index));
	assert_int_equal(index, 1);
	actions_destroy(&actions);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_no_list),      cmocka_unit_test(test_what_is_a_list),
		cmocka_unit_test(test_every_cut_is_no_list), cmocka_unit_test(test_how_many),
		cmocka_unit_test(test_the_longest_reason),   cmocka_unit_test(test_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
