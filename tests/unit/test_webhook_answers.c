/* SPDX-License-Identifier: Apache-2.0
 * Every shape that HTTP allows an answer to have is taken for what it is: each event reaches the
 * back end once. What breaks off or cannot be decoded is told from it. */
#include "webhook_unit.h"

#define CHUNKED   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
#define TRAILERS  "ETag: \"1\"\r\nX-Sum: 2\r\n"
#define ABC       "3\r\nabc\r\n0\r\n"
#define LENGTH(n) "Content-Length: " #n "\r\n"

/* {"ok":true} */
#define GZIP                                                       \
	"\037\213\010\000\000\000\000\000\002\003\253\126\312\317" \
	"\126\262\052\051\052\115\255\005\000\220\137\324\247\013" \
	"\000\000\000"
#define ZLIB                                                       \
	"\170\234\253\126\312\317\126\262\052\051\052\115\255\005" \
	"\000\026\343\004\021"
#define DEFLATE "\253\126\312\317\126\262\052\051\052\115\255\005\000"
#define GZIP_TWICE                                                 \
	"\037\213\010\000\000\000\000\000\002\003\223\357\346\140" \
	"\000\001\046\346\325\141\247\316\207\155\322\322\324\362" \
	"\135\313\312\060\041\376\312\162\156\240\060\000\040\073" \
	"\201\333\037\000\000\000"
/* 100,000 times x */
#define BOMB                                                       \
	"\037\213\010\000\000\000\000\000\002\003\355\301\061\001" \
	"\000\000\000\302\240\332\213\157\015\017\240\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\000\000\000\000\000" \
	"\000\000\000\000\000\000\000\000\000\200\127\003\161\021" \
	"\007\376\240\206\001\000"

#define OK "{\"ok\":true}"
#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct {
	const char *name;
	struct {
		const char *data;
		size_t len;
	} answer;
	enum server_after after;
	uint32_t status;
	const char *body;
} good[] = {
	{"chunks and trailers", BYTES(CHUNKED "\r\n" ABC TRAILERS "\r\n"), SERVER_KEEP, 200, "abc"},
	{"trailers that were announced",
	 BYTES(CHUNKED "Trailer: ETag, X-Sum\r\n\r\n" ABC TRAILERS "\r\n"), SERVER_KEEP, 200,
	 "abc"},
	{"trailers and no body", BYTES(CHUNKED "\r\n0\r\n" TRAILERS "\r\n"), SERVER_KEEP, 200, ""},
	{"trailers, then the end", BYTES(CHUNKED "Connection: close\r\n\r\n" ABC TRAILERS "\r\n"),
	 SERVER_CLOSE, 200, "abc"},
	{"an empty trailer", BYTES(CHUNKED "\r\n" ABC "X-Empty:\r\n\r\n"), SERVER_KEEP, 200, "abc"},
	{"chunks with extensions",
	 BYTES(CHUNKED "\r\n1;a\r\na\r\n2;b=\"c;d\"; e=f\r\nbc\r\n0;last\r\n\r\n"), SERVER_KEEP,
	 200, "abc"},
	{"chunk sizes with zeros and capitals",
	 BYTES(CHUNKED "\r\n000A\r\n0123456789\r\n0000\r\n\r\n"), SERVER_KEEP, 200, "0123456789"},
	{"early hints before it",
	 BYTES("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" CHUNKED "\r\n" ABC TRAILERS "\r\n"),
	 SERVER_KEEP, 200, "abc"},
	{"several 1xx before it",
	 BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n"
	       "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"),
	 SERVER_KEEP, 204, ""},
	{"1xx before a refusal with trailers",
	 BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 No\r\nTransfer-Encoding: "
	       "chunked\r\n\r\n" ABC TRAILERS "\r\n"),
	 SERVER_KEEP, 403, "abc"},
	{"1.0 without a length", BYTES("HTTP/1.0 200 OK\r\n\r\nabc"), SERVER_CLOSE, 200, "abc"},
	{"1.1 without a length", BYTES("HTTP/1.1 200 OK\r\n\r\nabc"), SERVER_CLOSE, 200, "abc"},
	{"1.0 with a length", BYTES("HTTP/1.0 200 OK\r\n" LENGTH(3) "\r\nabc"), SERVER_CLOSE, 200,
	 "abc"},
	{"1.0 that keeps the connection",
	 BYTES("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" LENGTH(3) "\r\nabc"), SERVER_KEEP,
	 200, "abc"},
	{"the end is announced and comes",
	 BYTES("HTTP/1.1 200 OK\r\nConnection: close\r\n" LENGTH(3) "\r\nabc"), SERVER_CLOSE, 200,
	 "abc"},
	{"the end comes unannounced", BYTES("HTTP/1.1 200 OK\r\n" LENGTH(3) "\r\nabc"),
	 SERVER_RESET, 200, "abc"},
	{"204 with a type and a length",
	 BYTES("HTTP/1.1 204 No Content\r\nContent-Type: text/plain\r\n" LENGTH(0) "\r\n"),
	 SERVER_KEEP, 204, ""},
	{"204 that says chunked",
	 BYTES("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), SERVER_KEEP, 204,
	 ""},
	{"204 that says gzip", BYTES("HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n"),
	 SERVER_KEEP, 204, ""},
	{"205 without a body", BYTES("HTTP/1.1 205 Reset Content\r\n" LENGTH(0) "\r\n"),
	 SERVER_KEEP, 205, ""},
	{"no reason phrase", BYTES("HTTP/1.1 200\r\n" LENGTH(3) "\r\nabc"), SERVER_KEEP, 200,
	 "abc"},
	{"lines that end with LF alone", BYTES("HTTP/1.1 200 OK\nContent-Length: 3\n\nabc"),
	 SERVER_KEEP, 200, "abc"},
	{"a folded line", BYTES("HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\n" LENGTH(3) "\r\nabc"),
	 SERVER_KEEP, 200, "abc"},
	{"the same length twice", BYTES("HTTP/1.1 200 OK\r\n" LENGTH(3) LENGTH(3) "\r\nabc"),
	 SERVER_KEEP, 200, "abc"},
	{"identity", BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n" LENGTH(3) "\r\nabc"),
	 SERVER_KEEP, 200, "abc"},
	{"gzip", BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" LENGTH(31) "\r\n" GZIP),
	 SERVER_KEEP, 200, OK},
	{"x-gzip in capitals",
	 BYTES("HTTP/1.1 200 OK\r\ncontent-encoding: X-GZIP\r\n" LENGTH(31) "\r\n" GZIP),
	 SERVER_KEEP, 200, OK},
	{"gzip of a refusal",
	 BYTES("HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\n" LENGTH(31) "\r\n" GZIP), SERVER_KEEP,
	 403, OK},
	{"gzip in chunks with trailers",
	 BYTES(CHUNKED "Content-Encoding: gzip\r\n\r\n1f\r\n" GZIP "\r\n0\r\n" TRAILERS "\r\n"),
	 SERVER_KEEP, 200, OK},
	{"gzip until the end", BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" GZIP),
	 SERVER_CLOSE, 200, OK},
	{"deflate as it is meant",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n" LENGTH(19) "\r\n" ZLIB),
	 SERVER_KEEP, 200, OK},
	{"deflate as some write it",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n" LENGTH(13) "\r\n" DEFLATE),
	 SERVER_KEEP, 200, OK},
	{"gzip of gzip",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n" LENGTH(48) "\r\n" GZIP_TWICE),
	 SERVER_KEEP, 200, OK},
};

static void test_every_legal_answer_is_taken_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const struct server_step step = {
			.bytes = good[i].answer.data,
			.len = good[i].answer.len,
			.after = good[i].after,
		};
		struct hook hook;
		struct hook_call call;

		hook_init(&hook);
		hook.options.retries = 3;
		hook.options.breaker_failures = 1;
		hook_open(&hook, &step, 1);
		hook_call_init(&hook, &call);
		/* Twice: the second on the connection of the first, if that was left open. */
		for (unsigned n = 1; n <= 2; n++) {
			hook_call(&hook, &call);
			ASSERT_ROW(call.call.outcome ==
					   (good[i].status < 300 ? WEBHOOK_OK : WEBHOOK_REFUSED),
				   good[i].name);
			ASSERT_ROW(call.call.status == good[i].status, good[i].name);
			ASSERT_ROW(slice_equals(buf_slice(&call.call.response),
						slice_from_text(good[i].body)),
				   good[i].name);
			ASSERT_ROW(call.call.attempts == 1, good[i].name);
			ASSERT_ROW(SERVER_READ(hook.server, requests) == n, good[i].name);
		}
		ASSERT_ROW(hook_stats(&hook).breaker_opens == 0, good[i].name);
		if (good[i].after == SERVER_KEEP)
			ASSERT_ROW(SERVER_READ(hook.server, connections) == 1, good[i].name);
		webhook_call_release(&call.call);
		hook_finish(&hook);
	}
}

static const struct {
	const char *name;
	struct {
		const char *data;
		size_t len;
	} answer;
	enum webhook_outcome outcome;
	enum webhook_cause cause;
	uint32_t attempts;
	const char *error;
} bad[] = {
	{"a head that breaks off", BYTES("HTTP/1.1 200 OK\r\n" LENGTH(0)), WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN, 2, "broke"},
	{"a head that breaks off behind 1xx",
	 BYTES("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" LENGTH(0)), WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN, 2, "broke"},
	{"trailers that break off", BYTES(CHUNKED "\r\n" ABC "ETag: \"1"), WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN, 2, "broke"},
	{"chunks that break off", BYTES(CHUNKED "\r\n3\r\nabc\r\n"), WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_BROKEN, 2, "broke"},
	{"an encoding that nobody knows",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: squeeze\r\n" LENGTH(3) "\r\nabc"),
	 WEBHOOK_UNREADABLE, WEBHOOK_CAUSE_ENCODING, 1,
	 "Content-Encoding 'squeeze', which is not known here"},
	{"gzip that is none",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" LENGTH(3) "\r\nabc"),
	 WEBHOOK_UNREADABLE, WEBHOOK_CAUSE_ENCODING, 1, "allowed: gzip, deflate"},
	{"deflate that is none",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n" LENGTH(3) "\r\n\377\377\377"),
	 WEBHOOK_UNREADABLE, WEBHOOK_CAUSE_ENCODING, 1, "'deflate'"},
	{"a hundred encodings",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip, gzip, gzip, gzip, gzip, "
	       "gzip\r\n" LENGTH(3) "\r\nabc"),
	 WEBHOOK_UNREADABLE, WEBHOOK_CAUSE_ENCODING, 1, "gzip"},
	{"small on the wire, too long when decoded",
	 BYTES("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n" LENGTH(132) "\r\n" BOMB),
	 WEBHOOK_TOO_BIG, WEBHOOK_CAUSE_TOO_BIG, 1, "more than the 4096 bytes"},
	/* Who fails has not taken the event, whatever there is to say of it. */
	{"a failure in too many words, announced",
	 BYTES("HTTP/1.1 503 Oh\r\n" LENGTH(4097) "\r\nabc"), WEBHOOK_FAILED,
	 WEBHOOK_CAUSE_SERVER_ERROR, 2, "answered 503"},
	{"a failure in too many words when decoded",
	 BYTES("HTTP/1.1 503 Oh\r\nContent-Encoding: gzip\r\n" LENGTH(132) "\r\n" BOMB),
	 WEBHOOK_FAILED, WEBHOOK_CAUSE_SERVER_ERROR, 2, "answered 503"},
	{"a failure in an encoding that nobody knows",
	 BYTES("HTTP/1.1 502 Oh\r\nContent-Encoding: squeeze\r\n" LENGTH(3) "\r\nabc"),
	 WEBHOOK_FAILED, WEBHOOK_CAUSE_SERVER_ERROR, 2, "answered 502"},
	{"a refusal in an encoding that nobody knows",
	 BYTES("HTTP/1.1 403 No\r\nContent-Encoding: squeeze\r\n" LENGTH(3) "\r\nabc"),
	 WEBHOOK_REFUSED, WEBHOOK_CAUSE_CLIENT_ERROR, 1, "answered 403"},
	{"a redirect in too many words", BYTES("HTTP/1.1 302 Oh\r\n" LENGTH(4097) "\r\nabc"),
	 WEBHOOK_FAILED, WEBHOOK_CAUSE_REDIRECT, 1, "answered 302"},
};

static void test_what_is_no_answer_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const struct server_step step = {
			.bytes = bad[i].answer.data,
			.len = bad[i].answer.len,
			.after = SERVER_CLOSE,
		};
		struct hook hook;
		struct hook_call call;

		hook_init(&hook);
		hook.options.retries = 1;
		hook_open(&hook, &step, 1);
		hook_call_init(&hook, &call);
		hook_call(&hook, &call);
		ASSERT_ROW(call.call.outcome == bad[i].outcome, bad[i].name);
		ASSERT_ROW(call.call.cause == bad[i].cause, bad[i].name);
		ASSERT_ROW(call.call.attempts == bad[i].attempts, bad[i].name);
		ASSERT_ROW(strstr(call.call.error, bad[i].error) != NULL, bad[i].name);
		ASSERT_ROW(call.call.response.len == 0, bad[i].name);
		webhook_call_release(&call.call);
		hook_finish(&hook);
	}
}

static void test_the_request_says_what_it_can_decode(void **state)
{
	static const struct server_step step = {SERVER_OK};
	struct hook hook;
	struct hook_call call;
	char value[64];

	(void)state;
	hook_init(&hook);
	hook_open(&hook, &step, 1);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	server_header(hook.server, 0, "Accept-Encoding", value, sizeof(value));
	assert_string_equal(value, "gzip, deflate");
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_legal_answer_is_taken_once),
		cmocka_unit_test(test_what_is_no_answer_says_why),
		cmocka_unit_test(test_the_request_says_what_it_can_decode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
