/* SPDX-License-Identifier: Apache-2.0
 * test_ws_extensions.c - offers of permessage-deflate and their answers. A row's answer is what
 * ws_deflate_text makes of the terms. */
#include <stdio.h>

#include "proto/ws_extensions.h"
#include "unit.h"

#define NO_WINDOWS "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

static void head_read(struct http_head *head, enum http_kind kind, const char *text)
{
	struct http_error error;
	size_t used;

	http_head_init(head, kind);
	assert_int_equal(http_head_parse(head, &http_limits_default, (const uint8_t *)text,
					 strlen(text), &used, &error),
			 HTTP_OK);
}

/* `fields` has whole lines. */
static bool choose(const char *fields, const struct ws_deflate_policy *policy,
		   struct ws_deflate_terms *out)
{
	char text[2048];
	struct http_head head;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", fields);
	head_read(&head, HTTP_REQUEST, text);
	memset(out, 0xee, sizeof(*out));
	return ws_deflate_choose(&head, (const uint8_t *)text, policy, out);
}

static const struct {
	const char *offer;
	uint8_t kept_bits;  /* 0: shared */
	const char *answer; /* NULL: declined */
} rows[] = {
	/* what browsers and libraries send */
	{"permessage-deflate; client_max_window_bits", 0, NO_WINDOWS},
	{"permessage-deflate", 0, NO_WINDOWS},
	{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", 0,
	 NO_WINDOWS},
	{"permessage-deflate; server_no_context_takeover; client_max_window_bits=15", 0,
	 NO_WINDOWS},
	/* an answer names the server's bits where they were asked for (RFC 7692, 7.1.2.1) */
	{"permessage-deflate; server_max_window_bits=15", 0,
	 NO_WINDOWS "; server_max_window_bits=15"},
	{"permessage-deflate; server_max_window_bits=9", 0,
	 NO_WINDOWS "; server_max_window_bits=9"},
	{"permessage-deflate; server_max_window_bits=8", 0,
	 NO_WINDOWS "; server_max_window_bits=8"},
	{"permessage-deflate; client_max_window_bits=8", 0, NO_WINDOWS},
	/* several offers: the first that can be granted */
	{"permessage-deflate; server_max_window_bits=7, permessage-deflate; "
	 "server_max_window_bits=10, permessage-deflate",
	 0, NO_WINDOWS "; server_max_window_bits=10"},
	{"x-webkit-deflate-frame, permessage-deflate", 0, NO_WINDOWS},
	{"permessage-bzip2; client_max_window_bits, permessage-deflate; a=1", 0, NULL},
	{", ,permessage-deflate,", 0, NO_WINDOWS},
	/* forms */
	{"permessage-deflate; server_max_window_bits=\"10\"", 0,
	 NO_WINDOWS "; server_max_window_bits=10"},
	{"permessage-deflate; server_max_window_bits=\"1\\0\"", 0,
	 NO_WINDOWS "; server_max_window_bits=10"},
	{"permessage-deflate;server_max_window_bits=10;client_max_window_bits", 0,
	 NO_WINDOWS "; server_max_window_bits=10"},
	{"  permessage-deflate  ;  client_max_window_bits  ", 0, NO_WINDOWS},
	{"Permessage-Deflate; Client_Max_Window_Bits", 0, NO_WINDOWS},
	{"x; a=\"permessage-deflate, permessage-deflate\"", 0, NULL},
	/* declined */
	{"", 0, NULL},
	{"permessage-deflate; unknown", 0, NULL},
	{"permessage-deflate; unknown=1", 0, NULL},
	{"permessage-deflate;", 0, NULL},
	{"permessage-deflate; ; client_max_window_bits", 0, NULL},
	{"permessage-deflate; server_max_window_bits", 0, NULL},
	{"permessage-deflate; server_max_window_bits=", 0, NULL},
	{"permessage-deflate; server_max_window_bits=7", 0, NULL},
	{"permessage-deflate; server_max_window_bits=16", 0, NULL},
	{"permessage-deflate; server_max_window_bits=09", 0, NULL},
	{"permessage-deflate; server_max_window_bits=+9", 0, NULL},
	{"permessage-deflate; server_max_window_bits=9x", 0, NULL},
	{"permessage-deflate; server_max_window_bits=100", 0, NULL},
	{"permessage-deflate; server_max_window_bits=\"\"", 0, NULL},
	{"permessage-deflate; server_max_window_bits=\"10", 0, NULL},
	{"permessage-deflate; server_max_window_bits=\"10\"\"", 0, NULL},
	{"permessage-deflate; client_max_window_bits=0", 0, NULL},
	{"permessage-deflate; client_max_window_bits=", 0, NULL},
	{"permessage-deflate; server_no_context_takeover=1", 0, NULL},
	{"permessage-deflate; client_no_context_takeover=\"\"", 0, NULL},
	{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", 0, NULL},
	{"permessage-deflate; server_max_window_bits=9; server_max_window_bits=9", 0, NULL},
	{"permessage-deflate; client_max_window_bits; client_max_window_bits=10", 0, NULL},
	{"permessage-deflate client_max_window_bits", 0, NULL},
	{"permessage-deflate=1", 0, NULL},
	/* windows that are kept */
	{"permessage-deflate; client_max_window_bits", 12,
	 "permessage-deflate; client_max_window_bits=12"},
	{"permessage-deflate; client_max_window_bits=10", 12,
	 "permessage-deflate; client_max_window_bits=10"},
	{"permessage-deflate; client_max_window_bits=15", 12,
	 "permessage-deflate; client_max_window_bits=12"},
	{"permessage-deflate; client_max_window_bits", 15, "permessage-deflate"},
	{"permessage-deflate", 15, "permessage-deflate"},
	/* one that cannot see to a small window may keep none */
	{"permessage-deflate", 12, "permessage-deflate; client_no_context_takeover"},
	{"permessage-deflate; server_max_window_bits=15", 12,
	 "permessage-deflate; client_no_context_takeover; server_max_window_bits=12"},
	{"permessage-deflate; server_max_window_bits=9; client_max_window_bits", 12,
	 "permessage-deflate; server_max_window_bits=9; client_max_window_bits=12"},
	{"permessage-deflate; server_no_context_takeover; client_max_window_bits", 12,
	 "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"},
	{"permessage-deflate; client_no_context_takeover", 12,
	 "permessage-deflate; client_no_context_takeover"},
	{"permessage-deflate; client_no_context_takeover; server_no_context_takeover", 12,
	 NO_WINDOWS},
};

static void test_offers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct ws_deflate_policy policy = {rows[i].kept_bits != 0, rows[i].kept_bits};
		struct ws_deflate_terms terms;
		char fields[1024], text[WS_DEFLATE_TEXT_MAX];

		snprintf(fields, sizeof(fields), "Sec-WebSocket-Extensions: %s\r\n", rows[i].offer);
		bool is_chosen = choose(fields, &policy, &terms);

		ASSERT_ROW(is_chosen == (rows[i].answer != NULL), rows[i].offer);
		ASSERT_ROW(ws_deflate_is_on(&terms) == is_chosen, rows[i].offer);
		if (is_chosen)
			assert_string_equal(ws_deflate_text(&terms, text), rows[i].answer);
	}
}

static void test_offers_in_several_fields(void **state)
{
	(void)state;
	const struct ws_deflate_policy policy = {false, 0};
	struct ws_deflate_terms terms;

	assert_true(choose("Sec-WebSocket-Extensions: x\r\nX: y\r\n"
			   "sec-websocket-extensions: permessage-deflate; a\r\n"
			   "Sec-WebSocket-Extensions: y, permessage-deflate; "
			   "server_max_window_bits=11\r\n",
			   &policy, &terms));
	assert_int_equal(terms.out_bits, 11);
	assert_false(choose("X: permessage-deflate\r\n", &policy, &terms));
}

static void test_windows_can_be_forgone(void **state)
{
	(void)state;
	const struct ws_deflate_policy policy = {true, 12};
	struct ws_deflate_terms terms, without;
	char text[WS_DEFLATE_TEXT_MAX];

	assert_true(choose("Sec-WebSocket-Extensions: permessage-deflate; "
			   "server_max_window_bits=10; client_max_window_bits\r\n",
			   &policy, &terms));
	assert_true(terms.keeps_out && terms.keeps_in);
	assert_int_equal(terms.out_bits, 10);
	assert_int_equal(terms.in_bits, 12);
	without = ws_deflate_without_windows(&terms);
	assert_string_equal(ws_deflate_text(&without, text),
			    NO_WINDOWS "; server_max_window_bits=10");
}

/* --- the client's side --- */

static const struct {
	const char *fields;
	bool has_offered;
	bool is_good, is_on;
} answers[] = {
	{"", true, true, false},
	{"", false, true, false},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS "\r\n", true, true, true},
	{"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n", true, true,
	 true},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS "; server_max_window_bits=12\r\n", true, true,
	 true},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS "\r\n", false, false, false},
	{"Sec-WebSocket-Extensions: permessage-deflate\r\n", true, false, false},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS "; client_max_window_bits=12\r\n", true, false,
	 false},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS ", x\r\n", true, false, false},
	{"Sec-WebSocket-Extensions: x\r\n", true, false, false},
	{"Sec-WebSocket-Extensions: " NO_WINDOWS "\r\nSec-WebSocket-Extensions: x\r\n", true, false,
	 false},
};

static void test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		char text[1024];
		struct http_head head;
		struct ws_deflate_terms terms;

		snprintf(text, sizeof(text), "HTTP/1.1 101 x\r\n%s\r\n", answers[i].fields);
		head_read(&head, HTTP_RESPONSE, text);
		const char *problem = ws_deflate_accept(&head, (const uint8_t *)text,
							answers[i].has_offered, &terms);

		ASSERT_ROW((problem == NULL) == answers[i].is_good, answers[i].fields);
		ASSERT_ROW(ws_deflate_is_on(&terms) == answers[i].is_on, answers[i].fields);
		ASSERT_ROW(!terms.keeps_in && !terms.keeps_out, answers[i].fields);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_offers_in_several_fields),
		cmocka_unit_test(test_windows_can_be_forgone),
		cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
