/* SPDX-License-Identifier: Apache-2.0
 * What a webhook sends, what it refuses to send, and with which options it refuses to begin. */
#include "webhook_unit.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

static const uint8_t secret_key[] = {0x31, 0xf2, 0x90, 0xf6, 0xbf, 0x06, 0x29, 0x8a,
				     0xab, 0x4f, 0x08, 0xd4, 0x3c, 0x3f, 0x08, 0x2c,
				     0xf6, 0x48, 0xa3, 0x62, 0xda, 0x2d, 0xa4, 0xb0};

static void assert_header(struct server *server, unsigned number, const char *name,
			  const char *wanted)
{
	char value[256];

	server_header(server, number, name, value, sizeof(value));
	if (strcmp(value, wanted) != 0)
		fail_msg("request %u, %s: '%s', not '%s'", number, name, value, wanted);
}

/* The signature fits what arrived, by another interface of OpenSSL than the one in use. */
static uint64_t assert_signed(struct server *server, unsigned number)
{
	char id[64], timestamp[64], wanted[128];
	uint8_t text[8192], digest[32];
	unsigned digest_len;
	const struct server_request *request = &server->log[number];

	server_header(server, number, "webhook-id", id, sizeof(id));
	server_header(server, number, "webhook-timestamp", timestamp, sizeof(timestamp));
	int len = snprintf((char *)text, sizeof(text), "%s.%s.", id, timestamp);

	memcpy(text + len, request->body, request->body_len);
	assert_non_null(HMAC(EVP_sha256(), secret_key, sizeof(secret_key), text,
			     (size_t)len + request->body_len, digest, &digest_len));
	memcpy(wanted, "v1,", 3);
	EVP_EncodeBlock((unsigned char *)wanted + 3, digest, 32);
	assert_header(server, number, "webhook-signature", wanted);
	return strtoull(timestamp, NULL, 10);
}

static void test_request_is_complete_and_signed(void **state)
{
	static const struct server_step steps[] = {{SERVER_OK}};
	static const char *const secrets[] = {SECRET};
	static const struct webhook_header headers[] = {
		{SLICE_LITERAL("ce-type"), SLICE_LITERAL("gatehouse.client.message")},
		{SLICE_LITERAL("ce-subject"), SLICE_LITERAL("")},
		{SLICE_LITERAL("X-Tab"), SLICE_LITERAL("a\tb: \xc3\xa9;")},
	};
	struct hook hook;
	struct hook_call call;
	uint64_t before_s = clock_wall_ns() / NS_PER_S;

	(void)state;
	hook_init(&hook);
	hook.options.secrets = secrets;
	hook.options.secret_count = 1;
	hook_open(&hook, steps, 1);
	hook_call_init(&hook, &call);
	call.call.content_type = SLICE_LITERAL("application/json");
	call.call.body = SLICE_LITERAL("{\"a\":\0\1}");
	call.call.headers = headers;
	call.call.header_count = ARRAY_LEN(headers);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_int_equal(strncmp(hook.server->log[0].head, "POST /events HTTP/1.1\r\n", 23), 0);
	assert_header(hook.server, 0, "ce-type", "gatehouse.client.message");
	assert_non_null(strstr(hook.server->log[0].head, "\r\nce-subject:"));
	assert_header(hook.server, 0, "ce-subject", "");
	assert_header(hook.server, 0, "X-Tab", "a\tb: \xc3\xa9;");
	assert_header(hook.server, 0, "content-type", "application/json");
	assert_header(hook.server, 0, "content-length", "8");
	assert_header(hook.server, 0, "webhook-id", "msg_1");
	assert_header(hook.server, 0, "user-agent", "gatehouse/" GATEHOUSE_VERSION);
	assert_null(strcasestr(hook.server->log[0].head, "\r\nexpect:"));
	assert_memory_equal(hook.server->log[0].body, "{\"a\":\0\1}", 8);
	assert_in_range(assert_signed(hook.server, 0), before_s, clock_wall_ns() / NS_PER_S);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

static void test_empty_and_large_bodies_arrive(void **state)
{
	static const struct server_step steps[] = {{SERVER_OK}};
	size_t sizes[] = {0, 1, 1 << 16, 3 << 20};
	uint8_t *bytes = calloc(1, 3 << 20);
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, steps, 1);
	hook_call_init(&hook, &call);
	for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
		call.call.body = slice_of(sizes[i] > 0 ? bytes : NULL, sizes[i]);
		hook_call(&hook, &call);
		assert_int_equal(call.call.outcome, WEBHOOK_OK);
		assert_int_equal(hook.server->log[i].body_len, sizes[i]);
		assert_header(hook.server, i, "content-type", "application/octet-stream");
		assert_header(hook.server, i, "webhook-signature", "");
	}
	assert_int_equal(SERVER_READ(hook.server, connections), 1);
	webhook_call_release(&call.call);
	hook_finish(&hook);
	free(bytes);
}

/* Retry-After makes the second attempt come a second later, which its timestamp shows. */
static void test_retry_keeps_the_id_and_renews_the_timestamp(void **state)
{
	static const struct server_step steps[] = {
		{"HTTP/1.1 503 Oh\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"},
		{SERVER_OK},
	};
	static const char *const secrets[] = {SECRET};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook.options.retries = 1;
	hook.options.secrets = secrets;
	hook.options.secret_count = 1;
	hook_open(&hook, steps, 2);
	hook_call_init(&hook, &call);
	hook_call(&hook, &call);
	assert_int_equal(call.call.outcome, WEBHOOK_OK);
	assert_header(hook.server, 0, "webhook-id", "msg_1");
	assert_header(hook.server, 1, "webhook-id", "msg_1");
	assert_true(assert_signed(hook.server, 1) > assert_signed(hook.server, 0));
	assert_true(hook.server->log[1].at_ns - hook.server->log[0].at_ns >= NS_PER_S * 99 / 100);
	assert_int_equal(call.call.retry_after_ns, 0);
	webhook_call_release(&call.call);
	hook_finish(&hook);
}

/* --- what cannot be sent --- */

static const struct {
	const char *name;
	struct slice id, header, value, type;
	const char *error;
} injections[] = {
	{"LF in a value",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("a\nb: c"),
	 {0},
	 "0x0a at offset 1"},
	{"CR in a value",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("a\rb"),
	 {0},
	 "0x0d"},
	{"NUL in a value",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("a\0b"),
	 {0},
	 "0x00"},
	{"DEL in a value",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("\x7f"),
	 {0},
	 "0x7f"},
	{"LF in a name",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x\ny"),
	 SLICE_LITERAL("a"),
	 {0},
	 "'x?y'"},
	{"NUL in a name",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x\0y"),
	 SLICE_LITERAL("a"),
	 {0},
	 "no name"},
	{"colon in a name",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x:y"),
	 SLICE_LITERAL("a"),
	 {0},
	 "no name"},
	{"no name", SLICE_LITERAL("1"), SLICE_LITERAL(""), SLICE_LITERAL("a"), {0}, "0 bytes"},
	{"a name of ours",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("Webhook-ID"),
	 SLICE_LITERAL("a"),
	 {0},
	 "leave it out"},
	{"framing",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("transfer-encoding"),
	 SLICE_LITERAL("a"),
	 {0},
	 "leave it out"},
	{"LF in the type", SLICE_LITERAL("1"), SLICE_LITERAL("x"), SLICE_LITERAL("a"),
	 SLICE_LITERAL("a/b\nc:d"), "content-type"},
	{"no id", SLICE_LITERAL(""), SLICE_LITERAL("x"), SLICE_LITERAL("a"), {0}, "0 bytes"},
	{"LF in the id",
	 SLICE_LITERAL("1\n2"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("a"),
	 {0},
	 "webhook-id"},
	{"dot in the id",
	 SLICE_LITERAL("1.2"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL("a"),
	 {0},
	 "other than '.'"},
	{"too long together",
	 SLICE_LITERAL("1"),
	 SLICE_LITERAL("x"),
	 SLICE_LITERAL(X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096 X4096
			       X4096 X4096 X4096),
	 {0},
	 "allowed are 65536"},
};

static void test_header_injection_is_refused(void **state)
{
	static const struct server_step steps[] = {{SERVER_OK}};
	struct hook hook;
	struct hook_call call;

	(void)state;
	hook_init(&hook);
	hook_open(&hook, steps, 1);
	for (size_t i = 0; i < ARRAY_LEN(injections); i++) {
		struct webhook_header header = {injections[i].header, injections[i].value};

		hook_call_init(&hook, &call);
		call.call.event_id = injections[i].id;
		call.call.content_type = injections[i].type;
		call.call.headers = &header;
		call.call.header_count = 1;
		ASSERT_ROW(webhook_start(hook.webhook, &call.call) == -EINVAL, injections[i].name);
		ASSERT_ROW(strstr(call.call.error, injections[i].error) != NULL,
			   injections[i].name);
		webhook_cancel(&call.call); /* not started: harmless */
		ASSERT_ROW(hook.done == 0, injections[i].name);
	}
	assert_int_equal(SERVER_READ(hook.server, connections), 0);
	hook_finish(&hook);
}

/* --- options --- */

static void test_bad_options_are_refused_in_words(void **state)
{
	static const char *const bad_secrets[] = {SECRET, "whsec_"};
	struct hook hook;
	char error[256];

	(void)state;
	hook_init(&hook);
	struct webhook_options good = hook.options;

	good.url = "http://127.0.0.1:1/";
	struct webhook_options rows[14];
	const char *wanted[ARRAY_LEN(rows)];
	size_t count = 0;

#define ROW(text, ...)                             \
	do {                                       \
		struct webhook_options bad = good; \
		__VA_ARGS__;                       \
		wanted[count] = (text);            \
		rows[count++] = bad;               \
	} while (0)
	ROW("allowed are http and https", bad.url = "ftp://127.0.0.1/");
	ROW("cannot be used", bad.url = "http://");
	ROW("cannot be used", bad.url = "");
	ROW("cannot be used", bad.url = "127.0.0.1/x");
	ROW("cannot be used", bad.url = "http://127.0.0.1:99999/");
	ROW("secret 2 of 2 is not base64", bad.secrets = bad_secrets, bad.secret_count = 2);
	ROW("cannot be read", bad.ca_file = "/nonexistent/ca.pem");
	ROW("holds no certificates", bad.ca_file = "/etc/hostname");
	ROW("holds no certificates", bad.ca_file = "/etc");
	ROW("max_in_flight: 0", bad.max_in_flight = 0);
	ROW("timeout_ms: 0 is not in 1..3600000", bad.timeout_ms = 0);
	ROW("retry_max_ms: 2 is not in 3..", bad.retry_min_ms = 3);
	ROW("breaker_probes: 0", bad.breaker_probes = 0);
	for (size_t i = 0; i < count; i++) {
		struct webhook *webhook = NULL;

		ASSERT_ROW(webhook_create(&rows[i], &webhook, error, sizeof(error)) == -EINVAL,
			   wanted[i]);
		ASSERT_ROW(webhook == NULL, wanted[i]);
		if (strstr(error, wanted[i]) == NULL)
			fail_msg("'%s' is not in '%s'", wanted[i], error);
	}
	webhook_destroy(&(struct webhook *){NULL}, 0); /* NULL is fine */
	loop_destroy(&hook.io.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_is_complete_and_signed),
		cmocka_unit_test(test_empty_and_large_bodies_arrive),
		cmocka_unit_test(test_retry_keeps_the_id_and_renews_the_timestamp),
		cmocka_unit_test(test_header_injection_is_refused),
		cmocka_unit_test(test_bad_options_are_refused_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
