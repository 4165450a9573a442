/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "proto/json_text.h"
#include "proto/ocpp_j.h"

#define ID_36 "0123456789abcdef0123456789abcdef0123"

static const struct ocpp_j_options v2_0_1 = {OCPP_J_ID_CHARS, false};
static const struct ocpp_j_options v2_1 = {OCPP_J_ID_CHARS, true};

static void slice_check(struct slice got, const char *want, const char *row)
{
	ASSERT_ROW(slice_equals(got, slice_from_text(want != NULL ? want : "")), row);
}

/* --- Good messages --- */

static const struct {
	const char *text;
	enum ocpp_j_kind kind;
	const char *id, *action, *payload, *code, *description, *details;
} good_rows[] = {
	{"[2,\"19223201\",\"BootNotification\",{\"chargePointVendor\":\"V\"}]", OCPP_J_CALL,
	 "19223201", "BootNotification", "{\"chargePointVendor\":\"V\"}"},
	{" [ 2 , \"a\" , \"Heartbeat\" , { } ] ", OCPP_J_CALL, "a", "Heartbeat", "{ }"},
	{"[2,\"a\",\"Heartbeat\",null]", OCPP_J_CALL, "a", "Heartbeat", "null"},
	{"[2,\"" ID_36 "\",\"A\",{}]", OCPP_J_CALL, ID_36, "A", "{}"},
	{"[3,\"1\",{\"status\":\"Accepted\",\"a\":[1,2,{\"b\":null}]}]", OCPP_J_RESULT, "1", NULL,
	 "{\"status\":\"Accepted\",\"a\":[1,2,{\"b\":null}]}"},
	{"[3,\"\\u0061\\\"\",null]", OCPP_J_RESULT, "\\u0061\\\"", NULL, "null"},
	{"[4,\"1\",\"NotSupported\",\"Not \\\"known\\\"\",{\"x\":1}]", OCPP_J_ERROR, "1", NULL,
	 NULL, "NotSupported", "Not \\\"known\\\"", "{\"x\":1}"},
	{"[4,\"-1\",\"RpcFrameworkError\",\"\",{}]", OCPP_J_ERROR, "-1", NULL, NULL,
	 "RpcFrameworkError", "", "{}"},
	/* What devices make of an error: the code is all that counts. */
	{"[4,\"1\",\"NotSupported\"]", OCPP_J_ERROR, "1", NULL, NULL, "NotSupported", "", ""},
	{"[4,\"1\",\"NotSupported\",\"no\"]", OCPP_J_ERROR, "1", NULL, NULL, "NotSupported", "no",
	 ""},
	{"[4,\"1\",\"NotSupported\",{\"a\":1}]", OCPP_J_ERROR, "1", NULL, NULL, "NotSupported", "",
	 "{\"a\":1}"},
	{"[4,\"1\",\"NotSupported\",\"no\",\"some text\"]", OCPP_J_ERROR, "1", NULL, NULL,
	 "NotSupported", "no", "\"some text\""},
	{"[4,\"1\",\"NotSupported\",null,null]", OCPP_J_ERROR, "1", NULL, NULL, "NotSupported", "",
	 "null"},
	{"[4,\"1\",\"NotSupported\",0,[]]", OCPP_J_ERROR, "1", NULL, NULL, "NotSupported", "",
	 "[]"},
	{"[4,\"1\",\"\",\"\",0]", OCPP_J_ERROR, "1", NULL, NULL, "", "", "0"},
	{"[5,\"1\",\"FormatViolation\"]", OCPP_J_RESULT_ERROR, "1", NULL, NULL, "FormatViolation",
	 "", ""},
	{"\xef\xbb\xbf[3,\"1\",{}]", OCPP_J_RESULT, "1", NULL, "{}"},
	{"[5,\"1\",\"FormatViolation\",\"d\",{}]", OCPP_J_RESULT_ERROR, "1", NULL, NULL,
	 "FormatViolation", "d", "{}"},
	{"[6,\"1\",\"NotifyPeriodicEventStream\",{\"id\":1}]", OCPP_J_SEND, "1",
	 "NotifyPeriodicEventStream", "{\"id\":1}"},
};

static void test_good_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const char *row = good_rows[i].text;
		size_t len = strlen(row);
		uint8_t *copy = malloc(len);
		struct ocpp_j_message got;
		struct json_fault fault = {NULL, 99};

		memcpy(copy, row, len);
		ASSERT_ROW(ocpp_j_read(&v2_1, slice_of(copy, len), &got, &fault) == OCPP_J_OK, row);
		ASSERT_ROW(got.kind == good_rows[i].kind && fault.at == 99, row);
		slice_check(got.id, good_rows[i].id, row);
		slice_check(got.action, good_rows[i].action, row);
		slice_check(got.payload, good_rows[i].payload, row);
		slice_check(got.code, good_rows[i].code, row);
		slice_check(got.description, good_rows[i].description, row);
		slice_check(got.details, good_rows[i].details, row);
		free(copy);
	}
}

/* Of every cut the id is known once its closing quote and what follows were read. */
static void test_every_cut_is_malformed_and_keeps_the_id(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const char *row = good_rows[i].text, *id = good_rows[i].id;
		size_t end = strlen(row), id_end = (size_t)(strstr(row, id) - row) + strlen(id) + 1;

		while (row[end - 1] == ' ')
			end--;
		for (size_t cut = 0; cut < end; cut++) {
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			struct ocpp_j_message got;
			struct json_fault fault = {0};

			memcpy(copy, row, cut);
			ASSERT_ROW(ocpp_j_read(&v2_1, slice_of(copy, cut), &got, &fault) ==
					   OCPP_J_MALFORMED,
				   row);
			ASSERT_ROW(fault.reason != NULL && fault.at <= cut, row);
			slice_check(got.id, cut >= id_end ? id : "", row);
			ASSERT_ROW(got.action.len == 0 && got.payload.len == 0, row);
			free(copy);
		}
	}
}

/* --- Bad messages --- */

static void test_bad_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum ocpp_j_kind kind;
		const char *id;
		size_t at;
		const char *reason; /* a part of it */
	} rows[] = {
		{"", OCPP_J_NONE, "", 0, "ends where a value should be"},
		{"{}", OCPP_J_NONE, "", 0, "must be an array"},
		{" 2", OCPP_J_NONE, "", 1, "must be an array"},
		{"{\"a\":x}", OCPP_J_NONE, "", 5, "value should be here"},
		{"[]", OCPP_J_NONE, "", 2, "type must be a number"},
		{"[\"2\",\"i\",\"A\",{}]", OCPP_J_NONE, "i", 1, "type must be a number"},
		{"[null,\"i\"]", OCPP_J_NONE, "i", 1, "type must be a number"},
		{"[2]", OCPP_J_CALL, "", 3, "id must be a string"},
		{"[2,5,\"A\",{}]", OCPP_J_CALL, "", 3, "id must be a string"},
		{"[2,\"\",\"A\",{}]", OCPP_J_CALL, "", 3, "id must not be empty"},
		{"[2,\"" ID_36 "4\",\"A\",{}]", OCPP_J_CALL, "", 3, "id is too long"},
		{"[2,\"i\"]", OCPP_J_CALL, "i", 7, "a CALL has four items"},
		{"[2,\"i\",\"A\"]", OCPP_J_CALL, "i", 11, "a CALL has four items"},
		{"[2,\"i\",\"A\",{},{}]", OCPP_J_CALL, "i", 14, "a CALL has four items"},
		{"[2,\"i\",\"A\",{},1,2,3,4,5]", OCPP_J_CALL, "i", 14, "a CALL has four items"},
		{"[2,\"i\",7,{}]", OCPP_J_CALL, "i", 7, "action must be a string"},
		{"[2,\"i\",\"\",{}]", OCPP_J_CALL, "i", 7, "action must not be empty"},
		{"[2,\"i\",\"A\",[]]", OCPP_J_CALL, "i", 11, "payload must be an object"},
		{"[2,\"i\",\"A\",\"x\"]", OCPP_J_CALL, "i", 11, "payload must be an object"},
		{"[2,\"i\",\"A\",{\"a\":01}]", OCPP_J_CALL, "i", 16, "begin with 0"},
		{"[2,\"i\",\"A\",{}]]", OCPP_J_CALL, "i", 14, "nothing may follow"},
		{"[2,\"i\",\"A\",{}][2,\"j\"", OCPP_J_CALL, "i", 14, "nothing may follow"},
		{"[3,\"i\"]", OCPP_J_RESULT, "i", 7, "a CALLRESULT has three items"},
		{"[3,\"i\",{},{}]", OCPP_J_RESULT, "i", 10, "a CALLRESULT has three items"},
		{"[3,\"i\",5]", OCPP_J_RESULT, "i", 7, "payload must be an object"},
		{"[4,\"i\"]", OCPP_J_ERROR, "i", 7, "a CALLERROR has five items"},
		{"[4,\"i\",\"c\",\"d\",{},1]", OCPP_J_ERROR, "i", 20, "a CALLERROR has five items"},
		{"[4,\"i\",1,\"d\",{}]", OCPP_J_ERROR, "i", 7, "code must be a string"},
		{"[4,\"i\",null,\"d\",{}]", OCPP_J_ERROR, "i", 7, "code must be a string"},
		{"[4,\"i\",\"c\",\"d\",01]", OCPP_J_ERROR, "i", 15, "begin with 0"},
		{"[4,\"\\ud800\",\"c\",\"d\",{}]", OCPP_J_ERROR, "", 4, "surrogate"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *row = rows[i].text;
		struct ocpp_j_message got;
		struct json_fault fault = {"", 99};

		ASSERT_ROW(ocpp_j_read(&v2_0_1, slice_from_text(row), &got, &fault) ==
				   OCPP_J_MALFORMED,
			   row);
		ASSERT_ROW(strstr(fault.reason, rows[i].reason) != NULL, row);
		ASSERT_ROW(fault.at == rows[i].at, row);
		ASSERT_ROW(got.kind == rows[i].kind, row);
		slice_check(got.id, rows[i].id, row);
	}
}

static void test_unknown_types_are_not_malformed(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *id;
		bool is_in_2_1;
	} rows[] = {
		{"[5,\"i\",\"c\",\"d\",{}]", "i", true},
		{"[6,\"i\",\"A\",{}]", "i", true},
		{"[1,\"i\"]", "i", false},
		{"[7,\"i\",{\"new\":true}]", "i", false},
		{"[0]", "", false},
		{"[42,7,[]]", "", false},
		{"[-2,\"i\"]", "i", false},
		{"[2.0,\"i\",\"A\",{}]", "i", false},
		{"[22,\"i\",\"A\",{}]", "i", false},
		{"[123456789012345678901234567890,\"i\"]", "i", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct slice text = slice_from_text(rows[i].text);
		struct ocpp_j_message got;
		struct json_fault fault = {"", 99};

		ASSERT_ROW(ocpp_j_read(&v2_0_1, text, &got, &fault) == OCPP_J_UNKNOWN_TYPE,
			   rows[i].text);
		ASSERT_ROW(got.kind == OCPP_J_NONE && fault.at == 1, rows[i].text);
		ASSERT_ROW(strstr(fault.reason, "not known") != NULL, rows[i].text);
		slice_check(got.id, rows[i].id, rows[i].text);
		ASSERT_ROW((ocpp_j_read(&v2_1, text, &got, &fault) == OCPP_J_OK) ==
				   rows[i].is_in_2_1,
			   rows[i].text);
	}
}

/* 36 characters are up to 144 bytes, and more as they are written. */
static void test_the_length_of_ids_is_counted_in_characters(void **state)
{
	(void)state;
	static const char *const characters[] = {"a",       "\xc3\xbc",       "\xf0\x9f\x98\x80",
						 "\\u00fc", "\\ud83d\\ude00", "\\\""};

	for (size_t i = 0; i < ARRAY_LEN(characters); i++)
		for (size_t chars = 35; chars <= 37; chars++) {
			struct buf text = {0};
			struct ocpp_j_message got;
			struct json_fault fault;

			assert_int_equal(buf_append(&text, "[3,\"", 4, 1000), 0);
			for (size_t n = 0; n < chars; n++)
				assert_int_equal(buf_append(&text, characters[i],
							    strlen(characters[i]), 1000),
						 0);
			assert_int_equal(buf_append(&text, "\",{}]", 5, 1000), 0);
			ASSERT_ROW((ocpp_j_read(&v2_0_1, buf_slice(&text), &got, &fault) ==
				    OCPP_J_OK) == (chars <= 36),
				   characters[i]);
			buf_finish(&text);
		}
}

/* --- Writing --- */

static void test_written_frames(void **state)
{
	(void)state;
	struct slice id = SLICE_LITERAL("a-1"), text = SLICE_LITERAL("a \"b\"\n");
	struct slice json = SLICE_LITERAL("{\"x\": [1]}");
	struct buf out = {0};

	assert_int_equal(ocpp_j_write_call(&out, 1000, id, SLICE_LITERAL("Reset"), json), 0);
	assert_true(
		slice_equals(buf_slice(&out), SLICE_LITERAL("[2,\"a-1\",\"Reset\",{\"x\": [1]}]")));
	out.len = 0;
	assert_int_equal(ocpp_j_write_result(&out, 1000, id, json), 0);
	assert_true(slice_equals(buf_slice(&out), SLICE_LITERAL("[3,\"a-1\",{\"x\": [1]}]")));
	out.len = 0;
	assert_int_equal(ocpp_j_write_error(&out, 1000, SLICE_LITERAL(OCPP_J_ID_UNREADABLE),
					    SLICE_LITERAL("InternalError"), text,
					    SLICE_LITERAL("{}")),
			 0);
	assert_true(
		slice_equals(buf_slice(&out),
			     SLICE_LITERAL("[4,\"-1\",\"InternalError\",\"a \\\"b\\\"\\n\",{}]")));
	assert_int_equal(ocpp_j_write_call(&out, out.len + 10, id, id, json), -EMSGSIZE);
	buf_finish(&out);
}

/* An id that was written with escapes comes back as the same bytes. */
static void test_an_id_is_answered_by_what_it_stands_for(void **state)
{
	(void)state;
	uint8_t room[64];
	struct ocpp_j_message call, result;
	struct json_fault fault;
	struct buf out = {0};

	assert_int_equal(ocpp_j_read(&v2_0_1,
				     SLICE_LITERAL("[2,\"\\u0061\\\"\\uD83D\\uDE00\",\"A\",{}]"),
				     &call, &fault),
			 OCPP_J_OK);
	struct slice id = json_text_unescape(call.id, room);

	assert_true(slice_equals(id, SLICE_LITERAL("a\"\xf0\x9f\x98\x80")));
	assert_int_equal(ocpp_j_write_result(&out, 100, id, SLICE_LITERAL("{}")), 0);
	assert_int_equal(ocpp_j_read(&v2_0_1, buf_slice(&out), &result, &fault), OCPP_J_OK);
	assert_true(json_text_equals(result.id, id));
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_messages),
		cmocka_unit_test(test_every_cut_is_malformed_and_keeps_the_id),
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_unknown_types_are_not_malformed),
		cmocka_unit_test(test_the_length_of_ids_is_counted_in_characters),
		cmocka_unit_test(test_written_frames),
		cmocka_unit_test(test_an_id_is_answered_by_what_it_stands_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
