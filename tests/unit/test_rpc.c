/* SPDX-License-Identifier: Apache-2.0
 * test_rpc.c - calls to a client, in both framings. */
#include "io_unit.h"
#include "presence_unit.h"

#include "fleet/rpc/rpc.h"

static const struct rpc_framing ocpp = {.kind = CONFIG_RPC_OCPP_J};
static const struct rpc_framing ocpp_2_1 = {.kind = CONFIG_RPC_OCPP_J, .has_ocpp_2_1 = true};
static const struct rpc_framing json_rpc = {.kind = CONFIG_RPC_JSON_RPC};

/* --- frames --- */

static const struct frame_case {
	const char *text;
	const struct rpc_framing *framing;
	enum rpc_kind kind;
	const char *id; /* "": none */
	enum call_outcome outcome;
	const char *payload; /* "": none */
	const char *code;
	const char *description;
} frames[] = {
	{"[2,\"7\",\"Heartbeat\",{}]", &ocpp, RPC_CALL, "7", CALL_WAITS, "", "", ""},
	{"[3,\"7\",{\"a\": 1.10}]", &ocpp, RPC_ANSWER, "7", CALL_ANSWERED, "{\"a\": 1.10}", "", ""},
	{"[3,\"7\",null]", &ocpp, RPC_ANSWER, "7", CALL_ANSWERED, "null", "", ""},
	{"[4,\"7\",\"NotSupported\",\"no \\u00e4\",{\"x\":[]}]", &ocpp, RPC_ANSWER, "7",
	 CALL_CLIENT_ERROR, "{\"x\":[]}", "\"NotSupported\"", "\"no \\u00e4\""},
	{"[4,\"7\",\"\",\"\",null]", &ocpp, RPC_ANSWER, "7", CALL_CLIENT_ERROR, "null", "\"\"",
	 "\"\""},
	{"[4,\"7\",\"NotSupported\"]", &ocpp, RPC_ANSWER, "7", CALL_CLIENT_ERROR, "",
	 "\"NotSupported\"", "\"\""},
	{"[4,\"7\",\"NotSupported\",null,\"x\"]", &ocpp, RPC_ANSWER, "7", CALL_CLIENT_ERROR,
	 "\"x\"", "\"NotSupported\"", "\"\""},
	{"\xef\xbb\xbf[3,\"7\",{}]\r\n", &ocpp, RPC_ANSWER, "7", CALL_ANSWERED, "{}", "", ""},
	{"{\"id\":\"7\",\"result\":1,\"error\":null}", &json_rpc, RPC_ANSWER, "7", CALL_ANSWERED,
	 "1", "", ""},
	{"{\"id\":\"7\",\"error\":{\"code\":3}}", &json_rpc, RPC_ANSWER, "7", CALL_CLIENT_ERROR, "",
	 "3", "\"\""},
	{"[6,\"7\",\"NotifyPeriodicEventStream\",{}]", &ocpp_2_1, RPC_NOTICE, "", CALL_WAITS, "",
	 "", ""},
	{"[5,\"7\",\"FormatViolation\",\"\",{}]", &ocpp_2_1, RPC_NOTICE, "", CALL_WAITS, "", "",
	 ""},
	{"[6,\"7\",\"A\",{}]", &ocpp, RPC_MALFORMED, "", CALL_BAD_ANSWER, "", "", NULL},
	{"[3,\"7\"]", &ocpp, RPC_MALFORMED, "7", CALL_BAD_ANSWER, "", "",
	 "a CALLRESULT has three items: 3, id, payload"},
	{"[3,\"7\",[]]", &ocpp, RPC_MALFORMED, "7", CALL_BAD_ANSWER, "", "",
	 "the payload must be an object or null"},
	{"[2,\"7\",\"Reset\"]", &ocpp, RPC_MALFORMED, "", CALL_BAD_ANSWER, "", "", NULL},
	{"[3,\"7\",{]", &ocpp, RPC_MALFORMED, "7", CALL_BAD_ANSWER, "", "", NULL},
	{"hello", &ocpp, RPC_MALFORMED, "", CALL_BAD_ANSWER, "", "", NULL},
	{"", &ocpp, RPC_MALFORMED, "", CALL_BAD_ANSWER, "", "", NULL},
	{"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}", &json_rpc, RPC_CALL, "", CALL_WAITS, "",
	 "", ""},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"m\"}", &json_rpc, RPC_NOTICE, "", CALL_WAITS, "", "",
	 ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":false}", &json_rpc, RPC_ANSWER, "7",
	 CALL_ANSWERED, "false", "", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":1}", &json_rpc, RPC_ANSWER, "", CALL_ANSWERED,
	 "1", "", ""},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"error\":{\"code\":-32601,\"message\":\"no\"}}",
	 &json_rpc, RPC_ANSWER, "7", CALL_CLIENT_ERROR, "", "-32601", "\"no\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"error\":{\"code\":1,\"message\":\"\",\"data\":[2]}}",
	 &json_rpc, RPC_ANSWER, "7", CALL_CLIENT_ERROR, "[2]", "1", "\"\""},
	{"{\"jsonrpc\":\"2.0\",\"id\":\"7\"}", &json_rpc, RPC_MALFORMED, "7", CALL_BAD_ANSWER, "",
	 "", "there is no method, no result and no error"},
	{"[{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":1}]", &json_rpc, RPC_MALFORMED, "",
	 CALL_BAD_ANSWER, "", "", NULL},
	{"[3,\"7\",{}]", &json_rpc, RPC_MALFORMED, "", CALL_BAD_ANSWER, "", "", NULL},
};

static bool is_text(struct slice got, const char *want)
{
	return want == NULL ? got.len > 0 : slice_equals(got, slice_from_text(want));
}

static void test_frames(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		const struct frame_case *row = &frames[i];
		struct rpc_frame frame;

		rpc_frame_read(row->framing, slice_from_text(row->text), &frame);
		ASSERT_ROW(frame.kind == row->kind, row->text);
		ASSERT_ROW(is_text(frame.id, row->id), row->text);
		ASSERT_ROW(frame.result.outcome == row->outcome, row->text);
		ASSERT_ROW(is_text(frame.result.payload, row->payload), row->text);
		ASSERT_ROW(is_text(frame.result.code, row->code), row->text);
		ASSERT_ROW(is_text(frame.result.description, row->description), row->text);
	}
}

static void test_zeros_behind_a_frame_are_no_part_of_it(void **state)
{
	static const char text[] = "[3,\"7\",{}]\0\0";
	struct rpc_frame frame;

	(void)state;
	for (size_t len = sizeof(text) - 3; len <= sizeof(text); len++) {
		rpc_frame_read(&ocpp, slice_of(text, len), &frame);
		assert_int_equal(frame.kind, RPC_ANSWER);
	}
	rpc_frame_read(&ocpp, SLICE_LITERAL("[3,\"7\",\0{}]"), &frame);
	assert_int_equal(frame.kind, RPC_MALFORMED);
	rpc_frame_read(&ocpp, SLICE_LITERAL("\0"), &frame);
	assert_int_equal(frame.kind, RPC_MALFORMED);
}

static uint64_t number_of(const struct rpc_framing *framing, const char *text)
{
	struct rpc_frame frame;

	rpc_frame_read(framing, slice_from_text(text), &frame);
	return rpc_frame_number(framing, &frame);
}

static void test_a_call_and_its_answer_have_the_same_number(void **state)
{
	uint64_t call = number_of(&ocpp, "[2,\"a7\",\"Heartbeat\",{}]");

	(void)state;
	assert_true(call != 0);
	assert_true(number_of(&ocpp, "[3,\"a7\",{}]") == call);
	assert_true(number_of(&ocpp, "[4,\"\\u00617\",\"\",\"\",{}]") == call);
	assert_true(number_of(&ocpp, "[3,\"a8\",{}]") != call);
	assert_true(number_of(&ocpp, "[3,\"\",{}]") != call);
	/* 36 characters of four bytes, each written with two escapes of six. */
	char id[36 * 12 + 1], text[sizeof(id) + 16];

	for (size_t at = 0; at + 12 < sizeof(id); at += 12)
		snprintf(id + at, sizeof(id) - at, "\\ud83d\\ude00");
	snprintf(text, sizeof(text), "[2,\"%s\",\"A\",{}]", id);
	assert_true(number_of(&ocpp, text) != call);
	assert_true(number_of(&json_rpc, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}") == 0);
}

static void test_framing_follows_the_subprotocol(void **state)
{
	(void)state;
	const struct config_route route = {.rpc = CONFIG_RPC_OCPP_J};

	assert_int_equal(rpc_framing_of(&route, NULL).kind, CONFIG_RPC_OCPP_J);
	assert_false(rpc_framing_of(&route, NULL).has_ocpp_2_1);
	assert_false(rpc_framing_of(&route, "ocpp2.0.1").has_ocpp_2_1);
	assert_true(rpc_framing_of(&route, "ocpp2.1").has_ocpp_2_1);
}

/* --- a client --- */

#define SENT_MAX 32

struct fake {
	struct io_fixture *f;
	struct session session;
	struct config_route route;
	struct rpc *rpc;
	struct rpc_stats stats;
	char *sent[SENT_MAX];
	size_t sent_count;
	int push_result;
	bool cuts; /* a push that fails ends the connection at once */
	unsigned closes;
};

static struct mailbox mailbox;

static struct fake *fake_of(struct session *session)
{
	return CONTAINER_OF(session, struct fake, session);
}

static int fake_push(struct session *session, const struct message *message)
{
	struct fake *fake = fake_of(session);

	assert_true(message->is_text && fake->sent_count < SENT_MAX);
	if (fake->push_result < 0) {
		if (fake->cuts)
			rpc_destroy(&fake->rpc);
		return fake->push_result;
	}
	fake->sent[fake->sent_count++] = slice_to_text(message->bytes);
	return 0;
}

/* As a connection does that begins to close: its client leaves the fleet. */
static int fake_close(struct session *session, uint16_t code, const char *reason)
{
	struct fake *fake = fake_of(session);

	assert_int_equal(code, 1011);
	assert_string_equal(reason, "out of memory");
	fake->closes++;
	rpc_destroy(&fake->rpc);
	return 0;
}

static const struct session_ops fake_ops = {.push = fake_push, .close = fake_close};

static void fake_open(struct fake *fake, struct io_fixture *f, enum config_rpc rpc,
		      uint64_t queue_max)
{
	*fake = (struct fake){
		.f = f,
		.session = {.ops = &fake_ops,
			    .presence = presence_create(
				    &(struct presence_facts){.route = unit_route("ocpp"),
							     .client_id = "CP1",
							     .mailbox = &mailbox})},
		.route = {.rpc = rpc, .call_queue_max = queue_max},
	};
	assert_non_null(fake->session.presence);
	fake->rpc = rpc_create(&(struct rpc_options){
		.route = &fake->route,
		.session = &fake->session,
		.loop = f->loop,
		.stats = &fake->stats,
	});
	assert_non_null(fake->rpc);
}

static void fake_finish(struct fake *fake)
{
	rpc_destroy(&fake->rpc);
	assert_null(fake->rpc);
	assert_int_equal(fake->stats.waiting, 0);
	presence_unref(&fake->session.presence);
	for (size_t i = 0; i < fake->sent_count; i++)
		free(fake->sent[i]);
}

struct probe {
	struct rpc_call call;
	struct fake *fake;
	unsigned told;
	enum call_outcome outcome;
	bool was_sent;
	char *payload, *code, *description;
	struct probe *starts; /* another call when it ends */
	bool leaves;          /* the client, when it ends */
};

static void probe_done(struct rpc_call *call, const struct call_result *result)
{
	struct probe *probe = CONTAINER_OF(call, struct probe, call);

	probe->told++;
	probe->outcome = result->outcome;
	probe->was_sent = result->was_sent;
	probe->payload = slice_to_text(result->payload);
	probe->code = slice_to_text(result->code);
	probe->description = slice_to_text(result->description);
	if (probe->starts != NULL)
		assert_int_equal(rpc_start(probe->fake->rpc, &probe->starts->call, NS_PER_S),
				 CALL_WAITS);
	if (probe->leaves)
		rpc_destroy(&probe->fake->rpc);
	loop_stop(probe->fake->f->loop);
}

static struct probe probe_of(struct fake *fake, const char *method, const char *params)
{
	return (struct probe){
		.fake = fake,
		.call = {.method = slice_from_text(method),
			 .params = slice_from_text(params),
			 .on_done = probe_done},
	};
}

static enum call_outcome start(struct probe *probe)
{
	return rpc_start(probe->fake->rpc, &probe->call, 60 * NS_PER_S);
}

static void assert_ended(struct probe *probe, enum call_outcome outcome, bool was_sent)
{
	assert_int_equal(probe->told, 1);
	assert_int_equal(probe->outcome, outcome);
	assert_int_equal(probe->was_sent, was_sent);
	free(probe->payload);
	free(probe->code);
	free(probe->description);
}

/* The id of the n-th frame that was sent: the second string in quotes of OCPP-J, the fourth
 * of JSON-RPC. */
static const char *id_sent(const struct fake *fake, size_t n, char out[64])
{
	const char *mark = fake->route.rpc == CONFIG_RPC_OCPP_J ? "[2,\"" : "\"id\":\"";

	assert_true(n < fake->sent_count);
	const char *from = strstr(fake->sent[n], mark);

	assert_non_null(from);
	from += strlen(mark);
	snprintf(out, 64, "%.*s", (int)strcspn(from, "\""), from);
	return out;
}

/* Is it kept from the back end? */
static bool receive_text(struct fake *fake, const char *text, enum message_mark want)
{
	const struct rpc_framing framing = {.kind = fake->route.rpc};
	char *copy = strdup(text); /* of its exact size */
	struct message message = {.is_text = true, .bytes = slice_of(copy, strlen(text))};
	bool is_taken = rpc_receive(fake->rpc, &framing, &fake->stats, &message);

	free(copy);
	assert_int_equal(message.mark, want);
	return is_taken;
}

/* `pattern` has the place of the id as '#'. */
static bool receive(struct fake *fake, const char *pattern, const char *id, enum message_mark want)
{
	const char *place = strchr(pattern, '#');
	char text[512];

	assert_non_null(place);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(place - pattern), pattern, id, place + 1);
	return receive_text(fake, text, want);
}

#define RESULT "[3,\"#\",{}]"

static void test_a_call_is_sent_and_answered(void **state)
{
	struct fake fake;
	char id[64], want[256];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe probe = probe_of(&fake, "Res\"et", "{\"type\":\"Soft\"}");

	assert_int_equal(start(&probe), CALL_WAITS);
	snprintf(want, sizeof(want), "[2,\"%s\",\"Res\\\"et\",{\"type\":\"Soft\"}]",
		 id_sent(&fake, 0, id));
	assert_string_equal(fake.sent[0], want);
	assert_true(strlen(id) <= 36);
	assert_int_equal(fake.stats.waiting, 1);
	assert_true(receive(&fake, "[3,\"#\",{\"status\":\"Accepted\"}]", id, MESSAGE_PLAIN));
	assert_string_equal(probe.payload, "{\"status\":\"Accepted\"}");
	assert_ended(&probe, CALL_ANSWERED, true);
	assert_int_equal(fake.stats.ended[CALL_ANSWERED], 1);
	assert_int_equal(fake.stats.waiting, 0);
	uint64_t durations = 0;

	for (size_t i = 0; i < DURATIONS_BUCKETS; i++)
		durations += fake.stats.durations.count[i];
	assert_int_equal(durations, 1);
	fake_finish(&fake);
}

static void test_a_json_rpc_call_is_sent_and_answered(void **state)
{
	struct fake fake;
	char id[64], want[256];

	fake_open(&fake, *state, CONFIG_RPC_JSON_RPC, 16);
	struct probe first = probe_of(&fake, "add", "[1,2]"), second = probe_of(&fake, "stop", "");

	assert_int_equal(start(&first), CALL_WAITS);
	assert_int_equal(start(&second), CALL_WAITS);
	snprintf(want, sizeof(want),
		 "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"add\",\"params\":[1,2]}",
		 id_sent(&fake, 0, id));
	assert_string_equal(fake.sent[0], want);
	assert_true(receive(&fake, "{\"jsonrpc\":\"2.0\",\"id\":\"#\",\"result\":3}", id,
			    MESSAGE_PLAIN));
	assert_string_equal(first.payload, "3");
	assert_ended(&first, CALL_ANSWERED, true);
	snprintf(want, sizeof(want), "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"method\":\"stop\"}",
		 id_sent(&fake, 1, id));
	assert_string_equal(fake.sent[1], want);
	assert_true(receive(&fake,
			    "{\"jsonrpc\":\"2.0\",\"id\":\"#\",\"error\":{\"code\":5,"
			    "\"message\":\"no\",\"data\":{\"a\":1}}}",
			    id, MESSAGE_PLAIN));
	assert_string_equal(second.code, "5");
	assert_string_equal(second.description, "\"no\"");
	assert_string_equal(second.payload, "{\"a\":1}");
	assert_ended(&second, CALL_CLIENT_ERROR, true);
	fake_finish(&fake);
}

static void test_one_call_at_a_time_and_the_others_in_order(void **state)
{
	struct fake fake;
	static const char *const names[] = {"A", "B", "C", "D"};
	struct probe probes[4];
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 2);
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		probes[i] = probe_of(&fake, names[i], "{}");
		assert_int_equal(start(&probes[i]), i < 3 ? CALL_WAITS : CALL_QUEUE_FULL);
	}
	assert_int_equal(fake.stats.ended[CALL_QUEUE_FULL], 1);
	assert_int_equal(fake.stats.waiting, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fake.sent_count, i + 1);
		assert_int_equal(probes[i].told, 0);
		assert_true(receive(&fake, RESULT, id_sent(&fake, i, id), MESSAGE_PLAIN));
		assert_ended(&probes[i], CALL_ANSWERED, true);
	}
	assert_int_equal(probes[3].told, 0);
	fake_finish(&fake);
}

static void test_a_second_answer_and_a_foreign_id_are_unknown(void **state)
{
	struct fake fake;
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");

	start(&first);
	start(&second);
	id_sent(&fake, 0, id);
	assert_false(receive(&fake, RESULT, "19223201", MESSAGE_UNKNOWN));
	assert_false(receive(&fake, "[4,\"#\",\"InternalError\",\"\",{}]", "-1", MESSAGE_UNKNOWN));
	assert_int_equal(first.told, 0);
	assert_true(receive(&fake, RESULT, id, MESSAGE_PLAIN));
	assert_ended(&first, CALL_ANSWERED, true);
	assert_false(receive(&fake, RESULT, id, MESSAGE_UNKNOWN));
	assert_int_equal(second.told, 0);
	assert_true(receive(&fake, RESULT, id_sent(&fake, 1, id), MESSAGE_PLAIN));
	assert_ended(&second, CALL_ANSWERED, true);
	assert_int_equal(fake.stats.marked[MESSAGE_UNKNOWN], 3);
	fake_finish(&fake);
}

static void test_an_id_may_come_back_with_escapes(void **state)
{
	struct fake fake;
	char id[64], escaped[256] = "";

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe probe = probe_of(&fake, "A", "{}");

	start(&probe);
	for (const char *at = id_sent(&fake, 0, id); *at != 0; at++)
		snprintf(escaped + strlen(escaped), sizeof(escaped) - strlen(escaped), "\\u%04x",
			 (unsigned char)*at);
	assert_true(receive(&fake, RESULT, escaped, MESSAGE_PLAIN));
	assert_ended(&probe, CALL_ANSWERED, true);
	fake_finish(&fake);
}

static void test_a_malformed_answer_ends_its_call_and_is_passed_up(void **state)
{
	struct fake fake;
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");

	start(&first);
	start(&second);
	assert_false(receive(&fake, "[3,\"#\",17]", id_sent(&fake, 0, id), MESSAGE_MALFORMED));
	assert_string_equal(first.description, "the payload must be an object or null");
	assert_ended(&first, CALL_BAD_ANSWER, true);
	assert_false(receive(&fake, "[2,\"#\"]", id_sent(&fake, 1, id), MESSAGE_MALFORMED));
	assert_false(receive(&fake, "not #", "JSON", MESSAGE_MALFORMED));
	assert_int_equal(second.told, 0);
	assert_int_equal(fake.stats.marked[MESSAGE_MALFORMED], 3);
	rpc_destroy(&fake.rpc);
	assert_ended(&second, CALL_CONNECTION_LOST, true);
	fake_finish(&fake);
}

static void test_the_clients_own_calls_are_passed_up(void **state)
{
	struct fake fake;

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	assert_false(receive(&fake, "[2,\"#\",\"Heartbeat\",{}]", "1", MESSAGE_PLAIN));
	fake_finish(&fake);
}

static void test_a_client_that_was_never_called_owes_no_answer(void **state)
{
	struct fake fake;

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	rpc_destroy(&fake.rpc);
	assert_false(receive(&fake, RESULT, "1", MESSAGE_UNKNOWN));
	assert_false(receive(&fake, "#", "{}", MESSAGE_MALFORMED));
	assert_false(receive(&fake, "[2,\"#\",\"Heartbeat\",{}]", "1", MESSAGE_PLAIN));
	fake_finish(&fake);
}

static void test_a_time_out_frees_the_turn_and_its_answer_is_late(void **state)
{
	struct fake fake;
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");
	struct probe third = probe_of(&fake, "C", "{}");

	assert_int_equal(rpc_start(fake.rpc, &first.call, 5 * NS_PER_MS), CALL_WAITS);
	assert_int_equal(rpc_start(fake.rpc, &second.call, 60 * NS_PER_S), CALL_WAITS);
	assert_int_equal(rpc_start(fake.rpc, &third.call, 5 * NS_PER_MS), CALL_WAITS);
	RUN_UNTIL(fake.f, first.told == 1 && third.told == 1);
	assert_ended(&first, CALL_TIMED_OUT, true);
	assert_ended(&third, CALL_TIMED_OUT, false);
	assert_int_equal(fake.sent_count, 2);
	assert_false(receive(&fake, RESULT, id_sent(&fake, 0, id), MESSAGE_LATE));
	assert_false(receive(&fake, RESULT, id, MESSAGE_UNKNOWN));
	assert_true(receive(&fake, RESULT, id_sent(&fake, 1, id), MESSAGE_PLAIN));
	assert_ended(&second, CALL_ANSWERED, true);
	fake_finish(&fake);
}

static void test_calls_of_a_client_that_leaves_are_lost(void **state)
{
	struct fake fake;

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");

	start(&first);
	start(&second);
	rpc_destroy(&fake.rpc);
	assert_ended(&first, CALL_CONNECTION_LOST, true);
	assert_ended(&second, CALL_CONNECTION_LOST, false);
	fake_finish(&fake);
}

static void test_a_call_may_begin_when_another_ends(void **state)
{
	struct fake fake;
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");

	first.starts = &second;
	start(&first);
	assert_true(receive(&fake, RESULT, id_sent(&fake, 0, id), MESSAGE_PLAIN));
	assert_ended(&first, CALL_ANSWERED, true);
	assert_true(receive(&fake, RESULT, id_sent(&fake, 1, id), MESSAGE_PLAIN));
	assert_ended(&second, CALL_ANSWERED, true);
	fake_finish(&fake);
}

static void test_a_client_may_leave_when_a_call_ends(void **state)
{
	struct fake fake;
	char id[64];

	fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
	struct probe first = probe_of(&fake, "A", "{}"), second = probe_of(&fake, "B", "{}");

	first.leaves = true;
	start(&first);
	start(&second);
	assert_true(receive(&fake, RESULT, id_sent(&fake, 0, id), MESSAGE_PLAIN));
	assert_ended(&first, CALL_ANSWERED, true);
	assert_ended(&second, CALL_CONNECTION_LOST, false);
	assert_null(fake.rpc);
	assert_int_equal(fake.sent_count, 1);
	fake_finish(&fake);
}

static void test_a_call_that_cannot_be_sent_is_lost_with_its_client(void **state)
{
	static const struct {
		int result;
		bool cuts;
		unsigned closes;
	} rows[] = {{-ENOMEM, false, 1}, {-ENOBUFS, true, 0}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fake fake;

		fake_open(&fake, *state, CONFIG_RPC_OCPP_J, 16);
		fake.push_result = rows[i].result;
		fake.cuts = rows[i].cuts;
		struct probe probe = probe_of(&fake, "A", "{}");

		assert_int_equal(start(&probe), CALL_WAITS);
		assert_ended(&probe, CALL_CONNECTION_LOST, true);
		assert_null(fake.rpc);
		assert_int_equal(fake.closes, rows[i].closes);
		fake_finish(&fake);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_zeros_behind_a_frame_are_no_part_of_it),
		cmocka_unit_test(test_a_call_and_its_answer_have_the_same_number),
		cmocka_unit_test(test_framing_follows_the_subprotocol),
		ON_EPOLL(test_a_call_is_sent_and_answered),
		ON_EPOLL(test_a_json_rpc_call_is_sent_and_answered),
		ON_EPOLL(test_one_call_at_a_time_and_the_others_in_order),
		ON_EPOLL(test_a_second_answer_and_a_foreign_id_are_unknown),
		ON_EPOLL(test_an_id_may_come_back_with_escapes),
		ON_EPOLL(test_a_malformed_answer_ends_its_call_and_is_passed_up),
		ON_EPOLL(test_the_clients_own_calls_are_passed_up),
		ON_EPOLL(test_a_client_that_was_never_called_owes_no_answer),
		ON_BOTH(test_a_time_out_frees_the_turn_and_its_answer_is_late),
		ON_EPOLL(test_calls_of_a_client_that_leaves_are_lost),
		ON_EPOLL(test_a_call_may_begin_when_another_ends),
		ON_EPOLL(test_a_client_may_leave_when_a_call_ends),
		ON_EPOLL(test_a_call_that_cannot_be_sent_is_lost_with_its_client),
	};

	return RUN_IO_TESTS(tests);
}
