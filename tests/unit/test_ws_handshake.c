/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "proto/ws_handshake.h"

#define DATE  "Sun, 06 Nov 1994 08:49:37 GMT"
#define KEY   "dGhlIHNhbXBsZSBub25jZQ=="
#define START "GET /chat HTTP/1.1\r\nHost: h\r\n"
#define GOOD                                   \
	START "Upgrade: websocket\r\n"         \
	      "Connection: Upgrade\r\n"        \
	      "Sec-WebSocket-Key: " KEY "\r\n" \
	      "Sec-WebSocket-Version: 13\r\n"
#define END "\r\n"

static void head_read(struct http_head *head, enum http_kind kind, const char *text)
{
	struct http_error error;
	size_t used;

	http_head_init(head, kind);
	enum http_result result = http_head_parse(head, &http_limits_default, (const uint8_t *)text,
						  strlen(text), &used, &error);

	if (result != HTTP_OK)
		fail_msg("'%s' is not a head: %s", text,
			 result == HTTP_MORE ? "more is needed" : error.detail);
}

static void test_request_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
		enum ws_upgrade_result want;
		uint16_t status; /* with WS_UPGRADE_ERROR */
	} rows[] = {
		{"good", GOOD END, WS_UPGRADE_OK, 0},
		{"lists and case",
		 START "upgrade: h2c, WebSocket\r\nCONNECTION: keep-alive, UPGRADE\r\n"
		       "sec-websocket-key: " KEY "\r\nsec-websocket-version: 13\r\n" END,
		 WS_UPGRADE_OK, 0},
		{"connection in two fields",
		 START "Upgrade: websocket\r\nConnection: keep-alive\r\nConnection: upgrade\r\n"
		       "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_OK, 0},
		{"ordinary request", START END, WS_UPGRADE_NONE, 0},
		{"ordinary POST", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n" END,
		 WS_UPGRADE_NONE, 0},
		{"another upgrade", START "Upgrade: h2c\r\nConnection: Upgrade\r\n" END,
		 WS_UPGRADE_NONE, 0},
		{"POST",
		 "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 405},
		{"the method is case-sensitive",
		 "get / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 405},
		{"HTTP/1.0",
		 "GET / HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		 "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 400},
		{"a proxy dropped Upgrade",
		 START "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY
		       "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 400},
		{"Connection without upgrade",
		 START "Upgrade: websocket\r\nConnection: close\r\nSec-WebSocket-Key: " KEY
		       "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 400},
		{"version 8",
		 START "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY
		       "\r\nSec-WebSocket-Version: 8\r\n" END,
		 WS_UPGRADE_ERROR, 426},
		{"version 013",
		 START "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY
		       "\r\nSec-WebSocket-Version: 013\r\n" END,
		 WS_UPGRADE_ERROR, 426},
		{"no version",
		 START "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " KEY
		       "\r\n" END,
		 WS_UPGRADE_ERROR, 426},
		{"two versions", GOOD "Sec-WebSocket-Version: 13\r\n" END, WS_UPGRADE_ERROR, 400},
		{"no key",
		 START "Upgrade: websocket\r\nConnection: Upgrade\r\n"
		       "Sec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_ERROR, 400},
		{"two keys", GOOD "Sec-WebSocket-Key: " KEY "\r\n" END, WS_UPGRADE_ERROR, 400},
		{"a length of nothing", GOOD "Content-Length: 0\r\n" END, WS_UPGRADE_OK, 0},
		{"a length of nothing in two digits", GOOD "Content-Length: 00\r\n" END,
		 WS_UPGRADE_OK, 0},
		{"Content-Length", GOOD "Content-Length: 1\r\n" END, WS_UPGRADE_ERROR, 400},
		{"absolute form",
		 "GET wss://h/chat HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n"
		 "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY
		 "\r\nSec-WebSocket-Version: 13\r\n" END,
		 WS_UPGRADE_OK, 0},
		{"behind an empty line", "\r\n" GOOD END, WS_UPGRADE_OK, 0},
		{"Transfer-Encoding", GOOD "Transfer-Encoding: chunked\r\n" END, WS_UPGRADE_ERROR,
		 400},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head;
		struct ws_upgrade upgrade = {.key = {.len = 99}};
		struct http_error error = {.status = 99};

		head_read(&head, HTTP_REQUEST, rows[i].text);
		ASSERT_ROW(ws_upgrade_check(&head, (const uint8_t *)rows[i].text, &upgrade,
					    &error) == rows[i].want,
			   rows[i].name);
		ASSERT_ROW(upgrade.key.len == (rows[i].want == WS_UPGRADE_OK ? 24 : 99),
			   rows[i].name);
		ASSERT_ROW(error.status == (rows[i].want == WS_UPGRADE_ERROR ? rows[i].status : 99),
			   rows[i].name);
	}
}

static void test_key_table(void **state)
{
	(void)state;
	static const struct {
		const char *key;
		bool is_good;
	} rows[] = {
		{"dGhlIHNhbXBsZSBub25jZQ==", true},
		{"AAAAAAAAAAAAAAAAAAAAAA==", true},
		{"+/+/+/+/+/+/+/+/+/+/+w==", true},
		{"AAAAAAAAAAAAAAAAAAAAAQ==", true},
		{"AAAAAAAAAAAAAAAAAAAAAB==", true}, /* bits behind the 16 bytes */
		{"AAAAAAAAAAAAAAAAAAAAAP==", true},
		{"/////////////////////w==", true},
		{"//////////////////////==", true},
		{"AAAAAAAAAAAAAAAAAAAAAAA=", false}, /* 17 bytes */
		{"AAAAAAAAAAAAAAAAAAAAAAAA", false}, /* 18 bytes */
		{"AAAAAAAAAAAAAAAAAAAAA===", false},
		{"AAAAAAAAAAAAAAAAAAAA", false},
		{"AAAAAAAAAA AAAAAAAAAAA==", false},
		{"AAAAAAAAAA-_AAAAAAAAAA==", false}, /* the URL alphabet */
		{"AAAAAAAAAAAAAAAAAAAAAA", false},
		{"AAAAAAAAAAAAAAAAAAAAAA==A", false},
		{"=", false},
		{"", false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];
		struct http_head head;
		struct ws_upgrade upgrade;
		struct http_error error;

		snprintf(text, sizeof(text),
			 START "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n",
			 rows[i].key);
		head_read(&head, HTTP_REQUEST, text);
		ASSERT_ROW(ws_upgrade_check(&head, (uint8_t *)text, &upgrade, &error) ==
				   (rows[i].is_good ? WS_UPGRADE_OK : WS_UPGRADE_ERROR),
			   rows[i].key);
		if (rows[i].is_good)
			ASSERT_ROW(slice_equals(upgrade.key, slice_from_text(rows[i].key)),
				   rows[i].key);
	}
}

static void test_origin_is_handed_out(void **state)
{
	(void)state;
	struct http_head head;
	struct ws_upgrade upgrade;
	struct http_error error;
	static const char text[] = GOOD "Origin: https://example.org\r\n" END;

	head_read(&head, HTTP_REQUEST, text);
	assert_int_equal(ws_upgrade_check(&head, (const uint8_t *)text, &upgrade, &error),
			 WS_UPGRADE_OK);
	assert_true(slice_equals(upgrade.origin, SLICE_LITERAL("https://example.org")));
}

static void test_rfc6455_accept_value(void **state)
{
	(void)state;
	char out[WS_ACCEPT_LEN + 1];

	out[WS_ACCEPT_LEN] = '!';
	ws_accept_value(SLICE_LITERAL(KEY), out);
	assert_memory_equal(out, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=!", WS_ACCEPT_LEN + 1);
}

static void test_subprotocol_table(void **state)
{
	(void)state;
	static const char *const ours[] = {"ocpp2.0.1", "ocpp1.6"};
	static const struct {
		const char *fields;
		bool want;
		size_t index;
	} rows[] = {
		{"", false, 0},
		{"Sec-WebSocket-Protocol: ocpp1.6\r\n", true, 1},
		{"Sec-WebSocket-Protocol: ocpp1.6, ocpp2.0.1\r\n", true, 0}, /* our order counts */
		{"Sec-WebSocket-Protocol: ocpp1.6\r\nSec-WebSocket-Protocol: ocpp2.0.1\r\n", true,
		 0},
		{"Sec-WebSocket-Protocol: x,ocpp2.0.1\r\n", true, 0},
		{"Sec-WebSocket-Protocol: x\r\nsec-websocket-protocol: ocpp1.6\r\n", true, 1},
		{"Sec-WebSocket-Protocol: x\r\n", false, 0},
		{"Sec-WebSocket-Protocol: OCPP1.6\r\n", false, 0},
		{"Sec-WebSocket-Protocol:\r\n", false, 0},
		{"Sec-WebSocket-Protocol: ,,\r\n", false, 0},
		{"Sec-WebSocket-Protocol: ocpp1.6,\r\n", true, 1},
		{"Sec-WebSocket-Protocol: ,ocpp1.6\r\n", true, 1},
		{"Sec-WebSocket-Protocol: ocpp1.6,,x\r\n", true, 1},
		{"Sec-WebSocket-Protocol: ocpp1.6, ocpp1.6\r\n", true, 1},
		{"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: x\r\n", false, 0},
		{"Sec-WebSocket-Protocol: ocpp1.6 ocpp2.0.1\r\n", false, 0},
		{"Sec-WebSocket-Protocol: ocpp1.6;ocpp2.0.1\r\n", false, 0},
		{"Sec-WebSocket-Protocol: \"ocpp1.6\"\r\n", false, 0},
		{"Sec-WebSocket-Protocol: bearer, eyJhbGciOiJIUzI1NiJ9==, ocpp1.6\r\n", true, 1},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[512];
		struct http_head head;
		size_t index = 99;

		snprintf(text, sizeof(text), GOOD "%s" END, rows[i].fields);
		head_read(&head, HTTP_REQUEST, text);
		ASSERT_ROW(ws_subprotocol_choose(&head, (uint8_t *)text, ours, ARRAY_LEN(ours),
						 &index) == rows[i].want,
			   rows[i].fields);
		ASSERT_ROW(index == (rows[i].want ? rows[i].index : 99), rows[i].fields);
		ASSERT_ROW(ws_subprotocol_is_asked(&head, (uint8_t *)text) ==
				   (rows[i].fields[0] != 0),
			   rows[i].fields);
		ASSERT_ROW(!ws_subprotocol_choose(&head, (uint8_t *)text, NULL, 0, &index),
			   rows[i].fields);
	}
}

/* Both sides of one handshake, with our own parser between them. */
static void test_both_sides_agree(void **state)
{
	(void)state;
	static const uint8_t nonce[16] = "the sample nonce";
	const struct ws_request request = {
		.host = "127.0.0.1:8080",
		.target = "/ws/dev-1?x=y",
		.subprotocols = "a, ocpp1.6",
		.headers = "Authorization: Basic eA==\r\n",
	};
	char out[512], answer[512], key[WS_KEY_LEN + 1] = {0};
	struct http_head head;
	struct ws_upgrade upgrade;
	struct http_error error;
	struct slice value;
	size_t len = ws_request_write(out, sizeof(out), &request, nonce, key);

	out[len] = 0;
	assert_string_equal(key, KEY);
	head_read(&head, HTTP_REQUEST, out);
	assert_int_equal(ws_upgrade_check(&head, (uint8_t *)out, &upgrade, &error), WS_UPGRADE_OK);
	assert_true(slice_equals(upgrade.key, SLICE_LITERAL(KEY)));
	assert_true(
		slice_equals(http_target(&head, (uint8_t *)out), SLICE_LITERAL("/ws/dev-1?x=y")));
	assert_int_equal(http_field_find(&head, (uint8_t *)out, "authorization", &value), 1);
	assert_true(slice_equals(value, SLICE_LITERAL("Basic eA==")));

	len = ws_response_write(answer, sizeof(answer), upgrade.key,
				&(struct ws_response){.subprotocol = "ocpp1.6", .date = DATE});
	answer[len] = 0;
	head_read(&head, HTTP_RESPONSE, answer);
	assert_null(ws_response_check(&head, (uint8_t *)answer, key, request.subprotocols));
	assert_non_null(ws_response_check(&head, (uint8_t *)answer, key, NULL));
	assert_non_null(ws_response_check(&head, (uint8_t *)answer, key, "b"));
	assert_non_null(ws_response_check(&head, (uint8_t *)answer,
					  "AAAAAAAAAAAAAAAAAAAAAA==", request.subprotocols));
}

static void test_extensions_are_written(void **state)
{
	(void)state;
	static const uint8_t nonce[16] = {0};
	char out[512], key[WS_KEY_LEN];
	size_t len = ws_request_write(
		out, sizeof(out),
		&(struct ws_request){.host = "h", .target = "/", .extensions = "x-a; b=1"}, nonce,
		key);

	assert_non_null(memmem(out, len, "\r\nSec-WebSocket-Extensions: x-a; b=1\r\n", 37));
	len = ws_response_write(out, sizeof(out), SLICE_LITERAL(KEY),
				&(struct ws_response){.extensions = "x-a"});
	assert_non_null(memmem(out, len, "\r\nSec-WebSocket-Extensions: x-a\r\n", 32));
}

static void test_writers_keep_within_their_size(void **state)
{
	(void)state;
	static const uint8_t nonce[16] = {0};
	const struct ws_request request = {.host = "h", .target = "/"};
	char big[512], key[WS_KEY_LEN];
	size_t request_len = ws_request_write(big, sizeof(big), &request, nonce, key);
	const struct ws_response response = {.date = DATE};
	size_t response_len = ws_response_write(big, sizeof(big), SLICE_LITERAL(KEY), &response);

	assert_true(request_len > 0 && response_len > 0 && response_len <= 256);
	for (size_t size = 0; size < sizeof(big); size++) {
		char *exact = malloc(size > 0 ? size : 1);

		memset(key, '?', sizeof(key));
		assert_int_equal(ws_request_write(exact, size, &request, nonce, key),
				 size < request_len ? 0 : request_len);
		assert_int_equal(key[0], size < request_len ? '?' : 'A');
		assert_int_equal(ws_response_write(exact, size, SLICE_LITERAL(KEY), &response),
				 size < response_len ? 0 : response_len);
		free(exact);
	}
}

#define ACCEPT "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
#define ANSWER "HTTP/1.1 101 Switching Protocols\r\n"

static void test_response_table(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		const char *text;
		bool is_good;
	} rows[] = {
		{"good", ANSWER "Upgrade: WebSocket\r\nConnection: upgrade\r\n" ACCEPT END, true},
		{"offered subprotocol",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT
			"Sec-WebSocket-Protocol: b\r\n" END,
		 true},
		{"200",
		 "HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT END,
		 false},
		{"HTTP/1.0",
		 "HTTP/1.0 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT END,
		 false},
		{"no Upgrade", ANSWER "Connection: upgrade\r\n" ACCEPT END, false},
		{"another upgrade", ANSWER "Upgrade: h2c\r\nConnection: upgrade\r\n" ACCEPT END,
		 false},
		{"no Connection", ANSWER "Upgrade: websocket\r\n" ACCEPT END, false},
		{"no accept", ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" END, false},
		{"two accepts",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT ACCEPT END, false},
		{"accept in other case",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n"
			"Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END,
		 false},
		{"extension: not judged here",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT
			"Sec-WebSocket-Extensions: permessage-deflate\r\n" END,
		 true},
		{"subprotocol not offered",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT
			"Sec-WebSocket-Protocol: c\r\n" END,
		 false},
		{"two subprotocols",
		 ANSWER "Upgrade: websocket\r\nConnection: upgrade\r\n" ACCEPT
			"Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b\r\n" END,
		 false},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_head head;

		head_read(&head, HTTP_RESPONSE, rows[i].text);
		ASSERT_ROW((ws_response_check(&head, (const uint8_t *)rows[i].text, KEY, "a, b") ==
			    NULL) == rows[i].is_good,
			   rows[i].name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_table),
		cmocka_unit_test(test_key_table),
		cmocka_unit_test(test_origin_is_handed_out),
		cmocka_unit_test(test_rfc6455_accept_value),
		cmocka_unit_test(test_subprotocol_table),
		cmocka_unit_test(test_both_sides_agree),
		cmocka_unit_test(test_extensions_are_written),
		cmocka_unit_test(test_writers_keep_within_their_size),
		cmocka_unit_test(test_response_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
