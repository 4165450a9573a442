/* SPDX-License-Identifier: Apache-2.0
 * test_http_reply.c - answers that are no upgrade: head, problem body, limit header. */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "proto/http_status.h"
#include "http/http_date.h"
#include "http/http_reply.h"
#include "conn/refusal_table.h"

static const struct limit_refusal full = {
	.limit = "max_connections",
	.title = "The gateway is full",
	.remedy = "raise server.max_connections",
	.node = "gate-1",
	.current = 1000,
	.max = 1000,
	.status = 503,
	.retry_after_s = 7,
};

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

/* The head as text, to be freed. */
static char *head_of(const struct http_reply *reply)
{
	struct buf out = {0};

	assert_int_equal(http_reply_head(reply, &(struct http_frame){.date = DATE}, &out), 0);
	char *text = slice_to_text(buf_slice(&out));

	assert_non_null(text);
	buf_finish(&out);
	return text;
}

static json_t *body_of(const struct http_reply *reply)
{
	json_error_t error;
	json_t *body = json_loadb((const char *)reply->body.data, reply->body.len,
				  JSON_REJECT_DUPLICATES, &error);

	assert_non_null(body);
	return body;
}

static void assert_line(const char *head, const char *line)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "\r\n%s\r\n", line);
	if (strstr(head, whole) == NULL)
		fail_msg("no line '%s' in:\n%s", line, head);
}

static void assert_content_length(const char *head, size_t len)
{
	char line[64];

	snprintf(line, sizeof(line), "Content-Length: %zu", len);
	assert_line(head, line);
}

static void assert_text(const json_t *body, const char *key, const char *want)
{
	const char *value = json_string_value(json_object_get(body, key));

	assert_non_null(value);
	assert_string_equal(value, want);
}

static void assert_number(const json_t *body, const char *key, uint64_t want)
{
	const json_t *value = json_object_get(body, key);

	assert_true(json_is_integer(value));
	assert_int_equal(json_integer_value(value), want);
}

static void test_refusal_names_the_limit_in_the_head(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_limit(&reply, &full);
	char *head = head_of(&reply);

	assert_ptr_equal(strstr(head, "HTTP/1.1 503 Service Unavailable\r\n"), head);
	assert_line(head, "Gatehouse-Limit: max_connections; current=1000; max=1000");
	assert_line(head, "Retry-After: 7");
	assert_line(head, "Content-Type: application/problem+json");
	assert_line(head, "Connection: close");
	assert_content_length(head, reply.body.len);
	assert_string_equal(head + strlen(head) - 4, "\r\n\r\n");
	free(head);
	buf_finish(&reply.body);
}

static void test_refusal_is_a_problem_with_numbers(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_limit(&reply, &full);
	json_t *body = body_of(&reply);

	assert_text(body, "title", full.title);
	assert_text(body, "limit", full.limit);
	assert_text(body, "node", full.node);
	assert_number(body, "status", 503);
	assert_number(body, "current", 1000);
	assert_number(body, "max", 1000);
	assert_non_null(strstr(json_string_value(json_object_get(body, "detail")), full.remedy));
	json_decref(body);
	buf_finish(&reply.body);
}

/* Every line of the table, with the longest numbers, fits and can be parsed. */
static void test_every_refusal_of_the_table_fits(void **state)
{
	(void)state;
	for (unsigned i = 0; i < REFUSAL_COUNT; i++) {
		struct http_reply reply = {0};

		http_reply_limit(&reply, &(struct limit_refusal){
						 .limit = refusal_table[i].label,
						 .title = refusal_table[i].title,
						 .remedy = refusal_table[i].remedy,
						 .node = "a \"quoted\" node",
						 .current = INT64_MAX,
						 .max = INT64_MAX,
						 .status = refusal_table[i].status,
						 .retry_after_s = 15,
					 });
		json_t *body = body_of(&reply);

		assert_true(reply.status == 503 || reply.status == 429);
		assert_text(body, "limit", refusal_table[i].label);
		assert_text(body, "node", "a \"quoted\" node");
		assert_number(body, "max", INT64_MAX);
		const char *detail = json_string_value(json_object_get(body, "detail"));

		assert_non_null(strstr(detail, refusal_table[i].remedy));
		assert_int_equal(detail[strlen(detail) - 1], '.');
		json_decref(body);
		buf_finish(&reply.body);
	}
}

static void test_problem_has_title_status_and_detail(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_header(&reply, "Allow: %s", "GET, HEAD");
	http_reply_problem(&reply, 405, "Only \"GET\" and HEAD.");
	json_t *body = body_of(&reply);
	char *head = head_of(&reply);

	assert_text(body, "title", "Method Not Allowed");
	assert_text(body, "detail", "Only \"GET\" and HEAD.");
	assert_number(body, "status", 405);
	assert_line(head, "Allow: GET, HEAD");
	assert_content_length(head, reply.body.len);
	free(head);
	json_decref(body);
	buf_finish(&reply.body);
}

static void test_conflict_names_the_client_that_was_asked_for(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_conflict(&reply, "tills", "a\"\xc3\xa9");
	json_t *body = body_of(&reply);
	char *head = head_of(&reply);

	assert_memory_equal(head, "HTTP/1.1 409 Conflict\r\n", 23);
	assert_text(body, "type", "about:blank");
	assert_text(body, "title", "Conflict");
	assert_text(body, "route", "tills");
	assert_text(body, "client_id", "a\"\xc3\xa9");
	assert_text(body, "reason", "conflict");
	assert_number(body, "status", 409);
	assert_int_equal(json_object_size(body), 7);
	free(head);
	json_decref(body);
	buf_finish(&reply.body);
}

/* What a handler had begun is not sent with the problem that ends it. */
static void test_problem_replaces_a_body_that_was_begun(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	assert_int_equal(buf_append(&reply.body, "half", 4, HTTP_BODY_MAX), 0);
	http_reply_problem(&reply, 404, "Nothing.");
	assert_int_equal(reply.body.data[0], '{');
	json_decref(body_of(&reply));
	buf_finish(&reply.body);
}

/* For a HEAD the same head goes alone: it still tells the length of the body. */
static void test_head_tells_the_length_of_the_body_without_it(void **state)
{
	(void)state;
	struct http_reply reply = {.status = 200, .content_type = "text/plain"};

	assert_int_equal(buf_append(&reply.body, "12345", 5, HTTP_BODY_MAX), 0);
	char *head = head_of(&reply);

	assert_content_length(head, 5);
	assert_null(strstr(head, "12345"));
	free(head);
	buf_finish(&reply.body);
}

static void test_answer_without_a_body_has_no_type(void **state)
{
	(void)state;
	struct http_reply reply = {.status = 500};
	char *head = head_of(&reply);

	assert_content_length(head, 0);
	assert_null(strstr(head, "Content-Type"));
	free(head);
}

/* What stands in the head about the connection, and what does not. */
static void test_connection_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned status;
		bool is_kept;
		const char *want;
		const char *unwanted;
	} rows[] = {
		{"closed", 200, false, "\r\nConnection: close\r\n", "Keep-Alive"},
		{"kept", 200, true, "\r\nConnection: keep-alive\r\nKeep-Alive: timeout=75\r\n",
		 "close"},
		{"upgrade wanted", 426, false, "\r\nConnection: Upgrade, close\r\n", "Keep-Alive"},
		{"upgrade wanted, kept", 426, true, "\r\nConnection: Upgrade, keep-alive\r\n",
		 "close"},
		{"without a body", 204, true, "HTTP/1.1 204 No Content\r\n", "Content-Length"},
		{"empty body", 200, true, "\r\nContent-Length: 0\r\n", "Content-Type"},
		{"date", 500, false, "\r\nDate: " DATE "\r\n", "Keep-Alive"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_reply reply = {.status = rows[i].status};
		struct http_frame frame = {
			.date = DATE, .kept_ms = 75999, .is_kept = rows[i].is_kept};
		struct buf out = {0};

		assert_int_equal(http_reply_head(&reply, &frame, &out), 0);
		char *text = slice_to_text(buf_slice(&out));

		ASSERT_ROW(strstr(text, rows[i].want) != NULL, rows[i].name);
		ASSERT_ROW(strstr(text, rows[i].unwanted) == NULL, rows[i].name);
		free(text);
		buf_finish(&out);
	}
}

static void test_date_table(void **state)
{
	(void)state;
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = {
		{0, "Thu, 01 Jan 1970 00:00:00 GMT"},
		{784111777, DATE},
		{951827696, "Tue, 29 Feb 2000 12:34:56 GMT"},
		{1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[HTTP_DATE_SIZE];

		ASSERT_ROW(strcmp(http_date_format(rows[i].seconds * NS_PER_S + 999, text),
				  rows[i].text) == 0,
			   rows[i].text);
	}
}

/* The clock is asked once in a second, and the text is that of now. */
static void test_date_is_made_once_a_second(void **state)
{
	(void)state;
	struct http_date date = {0};
	char want[HTTP_DATE_SIZE], after[HTTP_DATE_SIZE];
	const char *got;

	do { /* until no second ends between the two */
		date = (struct http_date){0};
		http_date_format(clock_wall_ns(), want);
		got = http_date_now(&date, 1000);
		http_date_format(clock_wall_ns(), after);
	} while (strcmp(want, after) != 0);
	assert_string_equal(got, want);
	assert_in_range(date.good_until_ns, 1001, 1000 + NS_PER_S);
	memcpy(date.text, "kept", 5);
	assert_string_equal(http_date_now(&date, date.good_until_ns - 1), "kept");
	assert_string_not_equal(http_date_now(&date, date.good_until_ns), "kept");
}

/* A back end may answer any status: one that nobody has registered is called by its class
 * (RFC 9110, 15). */
static void test_status_text_table(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *text;
	} rows[] = {
		{200, "OK"},
		{299, "Success"},
		{304, "Not Modified"},
		{399, "Redirection"},
		{404, "Not Found"},
		{406, "Not Acceptable"},
		{418, "Client Error"},
		{421, "Misdirected Request"},
		{422, "Unprocessable Content"},
		{423, "Locked"},
		{428, "Precondition Required"},
		{451, "Unavailable For Legal Reasons"},
		{499, "Client Error"},
		{507, "Insufficient Storage"},
		{511, "Network Authentication Required"},
		{599, "Server Error"},
		{99, "Unknown"},
		{600, "Unknown"},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(strcmp(http_status_text(rows[i].status), rows[i].text) == 0,
			   rows[i].text);
}

static void test_problem_tells_reason_seen_and_allowed(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_problem_about(&reply, &(struct problem){.status = 400,
							   .detail = "No.",
							   .reason = "query",
							   .seen = SLICE_LITERAL("0"),
							   .allowed = "1..1000"});
	json_t *body = body_of(&reply);

	assert_int_equal(reply.status, 400);
	assert_string_equal(json_string_value(json_object_get(body, "title")), "Bad Request");
	assert_string_equal(json_string_value(json_object_get(body, "reason")), "query");
	assert_string_equal(json_string_value(json_object_get(body, "seen")), "0");
	assert_string_equal(json_string_value(json_object_get(body, "allowed")), "1..1000");
	json_decref(body);
	buf_finish(&reply.body);
}

static void test_wrong_method_names_those_that_are_served(void **state)
{
	(void)state;
	struct http_reply reply = {0};

	http_reply_method(&reply, SLICE_LITERAL("DELETE"), "GET, HEAD");
	char *head = head_of(&reply);
	json_t *body = body_of(&reply);

	assert_line(head, "Allow: GET, HEAD");
	assert_int_equal(reply.status, 405);
	assert_string_equal(json_string_value(json_object_get(body, "seen")), "DELETE");
	assert_null(json_object_get(body, "limit"));
	json_decref(body);
	free(head);
	buf_finish(&reply.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problem_tells_reason_seen_and_allowed),
		cmocka_unit_test(test_wrong_method_names_those_that_are_served),
		cmocka_unit_test(test_refusal_names_the_limit_in_the_head),
		cmocka_unit_test(test_refusal_is_a_problem_with_numbers),
		cmocka_unit_test(test_every_refusal_of_the_table_fits),
		cmocka_unit_test(test_problem_has_title_status_and_detail),
		cmocka_unit_test(test_conflict_names_the_client_that_was_asked_for),
		cmocka_unit_test(test_problem_replaces_a_body_that_was_begun),
		cmocka_unit_test(test_head_tells_the_length_of_the_body_without_it),
		cmocka_unit_test(test_answer_without_a_body_has_no_type),
		cmocka_unit_test(test_connection_table),
		cmocka_unit_test(test_date_table),
		cmocka_unit_test(test_date_is_made_once_a_second),
		cmocka_unit_test(test_status_text_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
