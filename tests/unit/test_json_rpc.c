/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>

#include "proto/json_rpc.h"
#include "proto/json_text.h"

#define V "\"jsonrpc\":\"2.0\""

static void slice_check(struct slice got, const char *want, const char *row)
{
	ASSERT_ROW(slice_equals(got, slice_from_text(want != NULL ? want : "")), row);
}

static const struct {
	const char *text;
	enum json_rpc_kind kind;
	const char *id; /* as written; NULL: none */
	const char *method, *params, *result;
	int64_t code;
	const char *error_message, *data;
} good_rows[] = {
	{"{" V ",\"method\":\"sum\",\"params\":[1,2],\"id\":\"a\"}", JSON_RPC_REQUEST, "\"a\"",
	 "sum", "[1,2]"},
	{" { \"id\" : 7 , \"params\" : { } , \"method\" : \"m\" , \"jsonrpc\" : \"2.0\" } ",
	 JSON_RPC_REQUEST, "7", "m", "{ }"},
	{"{" V ",\"method\":\"m\",\"id\":null}", JSON_RPC_REQUEST, "null", "m"},
	/* null where there is nothing: */
	{"{" V ",\"method\":\"m\",\"id\":1,\"params\":null,\"result\":null,\"error\":null}",
	 JSON_RPC_REQUEST, "1", "m"},
	{"{" V ",\"id\":\"a\",\"result\":1,\"error\":null}", JSON_RPC_RESULT, "\"a\"", NULL, NULL,
	 "1"},
	{"{" V ",\"id\":\"a\",\"error\":null,\"result\":null}", JSON_RPC_RESULT, "\"a\"", NULL,
	 NULL, "null"},
	{"{" V ",\"id\":\"a\",\"result\":null,\"error\":{\"code\":5,\"message\":\"no\"}}",
	 JSON_RPC_ERROR, "\"a\"", NULL, NULL, NULL, 5, "no"},
	/* as JSON-RPC 1.0 has it: */
	{"{\"id\":\"a\",\"result\":1,\"error\":null}", JSON_RPC_RESULT, "\"a\"", NULL, NULL, "1"},
	{"{\"jsonrpc\":null,\"id\":\"a\",\"error\":{\"code\":5}}", JSON_RPC_ERROR, "\"a\"", NULL,
	 NULL, NULL, 5},
	{"{" V ",\"id\":1,\"error\":{\"code\":1,\"message\":2,\"data\":{}}}", JSON_RPC_ERROR, "1",
	 NULL, NULL, NULL, 1, NULL, "{}"},
	{"\xef\xbb\xbf{" V ",\"id\":1,\"result\":1}", JSON_RPC_RESULT, "1", NULL, NULL, "1"},
	{"{" V ",\"method\":\"m\",\"id\":1.5e3}", JSON_RPC_REQUEST, "1.5e3", "m"},
	{"{" V ",\"method\":\"m\"}", JSON_RPC_NOTIFICATION, NULL, "m"},
	{"{\"json\\u0072pc\":\"2\\u002e0\",\"method\":\"\\u006d\"}", JSON_RPC_NOTIFICATION, NULL,
	 "\\u006d"},
	{"{" V ",\"method\":\"m\",\"other\":1,\"other\":2}", JSON_RPC_NOTIFICATION, NULL, "m"},
	{"{" V ",\"result\":null,\"id\":\"a\"}", JSON_RPC_RESULT, "\"a\"", NULL, NULL, "null"},
	{"{" V ",\"id\":-3,\"result\":{\"id\":4,\"error\":{}}}", JSON_RPC_RESULT, "-3", NULL, NULL,
	 "{\"id\":4,\"error\":{}}"},
	{"{" V ",\"id\":\"a\",\"error\":{\"code\":-32601,\"message\":\"no\"}}", JSON_RPC_ERROR,
	 "\"a\"", NULL, NULL, NULL, -32601, "no"},
	{"{" V ",\"id\":null,\"error\":{\"data\":[1],\"message\":\"\",\"code\":9223372036854775807,"
	 "\"x\":0}}",
	 JSON_RPC_ERROR, "null", NULL, NULL, NULL, INT64_MAX, "", "[1]"},
	{"{" V
	 ",\"id\":1,\"error\":{\"code\":-9223372036854775808,\"message\":\"m\",\"data\":null}}",
	 JSON_RPC_ERROR, "1", NULL, NULL, NULL, INT64_MIN, "m", "null"},
};

static void test_good_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const char *row = good_rows[i].text;
		size_t len = strlen(row);
		uint8_t *copy = malloc(len);
		struct json_rpc_message got;
		struct json_fault fault;

		memcpy(copy, row, len);
		ASSERT_ROW(json_rpc_read(slice_of(copy, len), &got, &fault) == JSON_RPC_OK, row);
		ASSERT_ROW(got.kind == good_rows[i].kind, row);
		ASSERT_ROW((got.id.kind == JSON_KIND_NONE) == (good_rows[i].id == NULL), row);
		slice_check(got.id.text, good_rows[i].id, row);
		slice_check(got.method, good_rows[i].method, row);
		slice_check(got.params, good_rows[i].params, row);
		slice_check(got.result, good_rows[i].result, row);
		ASSERT_ROW(got.code == good_rows[i].code, row);
		slice_check(got.error_message, good_rows[i].error_message, row);
		slice_check(got.data, good_rows[i].data, row);
		free(copy);
	}
}

static void test_every_cut_is_not_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good_rows); i++) {
		const char *row = good_rows[i].text;
		size_t end = strlen(row);

		while (row[end - 1] == ' ')
			end--;
		for (size_t cut = 0; cut < end; cut++) {
			uint8_t *copy = malloc(cut > 0 ? cut : 1);
			struct json_rpc_message got;
			struct json_fault fault = {0};

			memcpy(copy, row, cut);
			ASSERT_ROW(json_rpc_read(slice_of(copy, cut), &got, &fault) ==
					   JSON_RPC_NOT_JSON,
				   row);
			ASSERT_ROW(fault.reason != NULL && fault.at <= cut, row);
			ASSERT_ROW(got.kind == JSON_RPC_NONE && got.method.len == 0, row);
			free(copy);
		}
	}
}

static void test_bad_messages(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum json_rpc_result want;
		const char *id; /* as written; NULL: not readable */
		size_t at;
		const char *reason; /* a part of it */
	} rows[] = {
		{"", JSON_RPC_NOT_JSON, NULL, 0, "ends where a value should be"},
		{"{\"id\":1,\"method\":}", JSON_RPC_NOT_JSON, "1", 17, "value should be here"},
		{"{\"id\":1}{", JSON_RPC_NOT_JSON, "1", 8, "nothing may follow"},
		{"[x", JSON_RPC_NOT_JSON, NULL, 1, "value should be here"},
		{" []", JSON_RPC_INVALID, NULL, 1, "batches are not supported"},
		{"[{" V ",\"id\":1,\"method\":\"m\"}]", JSON_RPC_INVALID, NULL, 0,
		 "batches are not supported"},
		{" \"a\"", JSON_RPC_INVALID, NULL, 1, "must be an object"},
		{"{}", JSON_RPC_INVALID, NULL, 0, "jsonrpc must be \"2.0\""},
		{"{\"id\":1,\"method\":\"m\"}", JSON_RPC_INVALID, "1", 0, "jsonrpc must be"},
		{"{\"jsonrpc\":2.0,\"id\":1,\"method\":\"m\"}", JSON_RPC_INVALID, "1", 11,
		 "jsonrpc must be"},
		{"{\"jsonrpc\":\"1.0\",\"id\":1}", JSON_RPC_INVALID, "1", 11, "jsonrpc must be"},
		{"{" V ",\"id\":1}", JSON_RPC_INVALID, "1", 0, "no method, no result"},
		{"{" V ",\"id\":[1],\"method\":\"m\"}", JSON_RPC_INVALID, NULL, 22,
		 "id must be a string"},
		{"{" V ",\"id\":true,\"method\":\"m\"}", JSON_RPC_INVALID, NULL, 22,
		 "id must be a string"},
		{"{" V ",\"method\":1}", JSON_RPC_INVALID, NULL, 26, "method must be a string"},
		{"{" V ",\"method\":\"\"}", JSON_RPC_INVALID, NULL, 26, "method must be a string"},
		{"{" V ",\"method\":\"m\",\"params\":\"x\"}", JSON_RPC_INVALID, NULL, 39,
		 "params must be"},
		{"{" V ",\"method\":\"m\",\"result\":1}", JSON_RPC_INVALID, NULL, 26,
		 "neither result nor error"},
		{"{" V ",\"method\":\"m\",\"error\":{}}", JSON_RPC_INVALID, NULL, 26,
		 "neither result nor error"},
		{"{" V ",\"result\":1}", JSON_RPC_INVALID, NULL, 0, "an answer needs an id"},
		{"{" V ",\"id\":1,\"result\":1,\"error\":{}}", JSON_RPC_INVALID, "1", 43,
		 "not both"},
		{"{" V ",\"id\":1,\"error\":null}", JSON_RPC_INVALID, "1", 32, "must be an object"},
		{"{" V ",\"id\":1,\"error\":{}}", JSON_RPC_INVALID, "1", 32, "code must be"},
		{"{" V ",\"id\":1,\"error\":{\"code\":1.0}}", JSON_RPC_INVALID, "1", 40,
		 "code must be"},
		{"{" V ",\"id\":1,\"error\":{\"code\":9223372036854775808}}", JSON_RPC_INVALID, "1",
		 40, "code must be"},
		{"{" V ",\"id\":1,\"error\":{\"code\":\"1\"}}", JSON_RPC_INVALID, "1", 40,
		 "code must be"},
		{"{\"id\":1,\"error\":null}", JSON_RPC_INVALID, "1", 0, "jsonrpc must be"},
		{"{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":1}", JSON_RPC_INVALID, "1", 11,
		 "jsonrpc must be"},
		{"{" V ",\"id\":1,\"error\":{\"code\":1,\"code\":1,\"message\":\"\"}}",
		 JSON_RPC_INVALID, "1", 49, "comes twice"},
		{"{" V ",\"id\":1,\"method\":\"m\",\"i\\u0064\":2}", JSON_RPC_INVALID, "1", 47,
		 "comes twice"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *row = rows[i].text;
		struct json_rpc_message got;
		struct json_fault fault = {"", 99};

		ASSERT_ROW(json_rpc_read(slice_from_text(row), &got, &fault) == rows[i].want, row);
		ASSERT_ROW(strstr(fault.reason, rows[i].reason) != NULL, row);
		ASSERT_ROW(fault.at == rows[i].at, row);
		ASSERT_ROW(got.kind == JSON_RPC_NONE, row);
		ASSERT_ROW((got.id.kind == JSON_KIND_NONE) == (rows[i].id == NULL), row);
		slice_check(got.id.text, rows[i].id, row);
	}
}

/* Writing. */

static void out_check(struct buf *out, int r, const char *want)
{
	assert_int_equal(r, 0);
	slice_check(buf_slice(out), want, want);
	out->len = 0;
}

static void test_written_messages(void **state)
{
	(void)state;
	struct slice none = {0}, text = SLICE_LITERAL("a\"b"), json = SLICE_LITERAL("[1]");
	struct slice id = SLICE_LITERAL("7");
	struct buf out = {0};

	out_check(&out, json_rpc_write_request(&out, 1000, text, text, json),
		  "{" V ",\"id\":\"a\\\"b\",\"method\":\"a\\\"b\",\"params\":[1]}");
	out_check(&out, json_rpc_write_request(&out, 1000, text, text, none),
		  "{" V ",\"id\":\"a\\\"b\",\"method\":\"a\\\"b\"}");
	out_check(&out, json_rpc_write_notification(&out, 1000, text, json),
		  "{" V ",\"method\":\"a\\\"b\",\"params\":[1]}");
	out_check(&out, json_rpc_write_notification(&out, 1000, text, none),
		  "{" V ",\"method\":\"a\\\"b\"}");
	out_check(&out, json_rpc_write_result(&out, 1000, id, json),
		  "{" V ",\"id\":7,\"result\":[1]}");
	out_check(&out, json_rpc_write_error(&out, 1000, id, -32603, text, json),
		  "{" V
		  ",\"id\":7,\"error\":{\"code\":-32603,\"message\":\"a\\\"b\",\"data\":[1]}}");
	out_check(&out,
		  json_rpc_write_error(&out, 1000, SLICE_LITERAL("null"), INT64_MIN, text, none),
		  "{" V ",\"id\":null,\"error\":{\"code\":-9223372036854775808,"
		  "\"message\":\"a\\\"b\"}}");
	assert_int_equal(json_rpc_write_request(&out, 30, text, text, json), -EMSGSIZE);
	assert_int_equal(json_rpc_write_notification(&out, 99, SLICE_LITERAL("\xff"), none),
			 -EILSEQ);
	assert_int_equal(out.len, 0);
	buf_finish(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_messages),
		cmocka_unit_test(test_every_cut_is_not_json),
		cmocka_unit_test(test_bad_messages),
		cmocka_unit_test(test_written_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
