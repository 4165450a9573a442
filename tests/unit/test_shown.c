/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "auth/shown.h"

#define ALL (SHOWN_BIT(HEADER) | SHOWN_BIT(SUBPROTOCOL) | SHOWN_BIT(COOKIE) | SHOWN_BIT(QUERY))

static const struct {
	const char *name;
	const char *target;
	const char *fields;
	unsigned places;
	const char *found;  /* NULL: nothing */
	const char *hidden; /* of target and fields together; NULL: all of it stays */
} rows[] = {
	{"nothing", "/ws", "", ALL, NULL, NULL},
	{"header", "/ws", "Authorization: Bearer a.b.c\r\n", ALL, "a.b.c",
	 "/ws|Authorization: Bearer *****\r\n"},
	{"header in small letters", "/ws", "authorization: bearer   a.b.c\r\n", ALL, "a.b.c",
	 "/ws|authorization: bearer   *****\r\n"},
	{"another scheme", "/ws", "Authorization: Basic a.b.c\r\n", ALL, NULL, NULL},
	{"a scheme that begins so", "/ws", "Authorization: Bearers a.b.c\r\n", ALL, NULL, NULL},
	{"a scheme alone", "/ws", "Authorization: Bearer\r\n", ALL, NULL, NULL},
	{"header, where it is not for", "/ws", "Authorization: Bearer a.b.c\r\n", SHOWN_BIT(QUERY),
	 NULL, NULL},
	{"header twice", "/ws", "Authorization: Bearer a.b.c\r\nAuthorization: Bearer d.e.f\r\n",
	 ALL, "", "/ws|Authorization: Bearer *****\r\nAuthorization: Bearer *****\r\n"},
	{"query", "/ws?x=1&access_token=a.b.c&y=2", "", ALL, "a.b.c",
	 "/ws?x=1&access_token=*****&y=2|"},
	{"query alone", "/ws?access_token=a.b.c", "", ALL, "a.b.c", "/ws?access_token=*****|"},
	{"query, empty", "/ws?access_token=", "", ALL, "", NULL},
	{"query twice", "/ws?access_token=a.b.c&access_token=d", "", ALL, "",
	 "/ws?access_token=*****&access_token=*|"},
	{"another parameter", "/ws?my_access_token=a.b.c&access_tokens=x&access_token", "", ALL,
	 NULL, NULL},
	{"in the path", "/access_token=a.b.c", "", ALL, NULL, NULL},
	{"cookie", "/ws", "Cookie: a=b; token=a.b.c; c=d\r\n", ALL, "a.b.c",
	 "/ws|Cookie: a=b; token=*****; c=d\r\n"},
	{"cookie in quotes", "/ws", "Cookie: token=\"a.b.c\"\r\n", ALL, "a.b.c",
	 "/ws|Cookie: token=\"*****\"\r\n"},
	{"cookies in two fields", "/ws", "Cookie: a=b\r\nCookie: token=a.b.c\r\n", ALL, "a.b.c",
	 "/ws|Cookie: a=b\r\nCookie: token=*****\r\n"},
	{"another cookie", "/ws", "Cookie: Token=a.b.c; xtoken=d\r\n", ALL, NULL, NULL},
	{"subprotocol", "/ws", "Sec-WebSocket-Protocol: ocpp1.6, bearer.a.b.c\r\n", ALL, "a.b.c",
	 "/ws|Sec-WebSocket-Protocol: ocpp1.6, bearer.*****\r\n"},
	{"subprotocol, two elements", "/ws", "Sec-WebSocket-Protocol: bearer, a.b.c, ocpp1.6\r\n",
	 ALL, "a.b.c", "/ws|Sec-WebSocket-Protocol: bearer, *****, ocpp1.6\r\n"},
	{"subprotocol, two fields", "/ws",
	 "Sec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Protocol: a.b.c\r\n", ALL, "a.b.c",
	 "/ws|Sec-WebSocket-Protocol: bearer\r\nSec-WebSocket-Protocol: *****\r\n"},
	{"subprotocol, nothing behind", "/ws", "Sec-WebSocket-Protocol: ocpp1.6, bearer\r\n", ALL,
	 NULL, NULL},
	{"another subprotocol", "/ws", "Sec-WebSocket-Protocol: Bearer.a.b.c, bearers\r\n", ALL,
	 NULL, NULL},
	{"header before query", "/ws?access_token=q.q.q", "Authorization: Bearer a.b.c\r\n", ALL,
	 "a.b.c", "/ws?access_token=*****|Authorization: Bearer *****\r\n"},
};

static const struct shown_rules rules_all = {.places = ALL,
					     .scheme = "Bearer",
					     .query = "access_token",
					     .cookie = "token",
					     .subprotocol = "bearer"};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct shown_rules rules = rules_all;
		char text[1024], want[1024];
		struct http_head head;
		struct http_error error;
		struct slice value = {0};
		size_t used;

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", rows[i].target,
			 rows[i].fields);
		http_head_init(&head, HTTP_REQUEST);
		ASSERT_ROW(http_head_parse(&head, &http_limits_default, (uint8_t *)text,
					   strlen(text), &used, &error) == HTTP_OK,
			   rows[i].name);
		rules.places = rows[i].places;
		bool is_there = shown_find(&rules, &head, (uint8_t *)text, &value);

		ASSERT_ROW(is_there == (rows[i].found != NULL), rows[i].name);
		if (is_there)
			ASSERT_ROW(slice_equals(value, slice_from_text(rows[i].found)),
				   rows[i].name);

		snprintf(want, sizeof(want), "%s", text);
		if (rows[i].hidden != NULL) {
			const char *bar = strchr(rows[i].hidden, '|');

			snprintf(want, sizeof(want), "GET %.*s HTTP/1.1\r\nHost: a\r\n%s\r\n",
				 (int)(bar - rows[i].hidden), rows[i].hidden, bar + 1);
		}
		shown_hide(&rules, &head, (uint8_t *)text);
		if (strcmp(text, want) != 0)
			fail_msg("row '%s': %s", rows[i].name, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
