/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <unistd.h>

#include "bench/client/bench_proof.h"
#include "bench/load/bench_options.h"
#include "bench/load/bench_url.h"

/* --- URL --- */

static void test_url_table(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *host;
		const char *authority;
		const char *path;
		uint16_t port;
		bool is_tls;
	} rows[] = {
		{"wss://h", "h", "h", "/", 443, true},
		{"WSS://h:443/a", "h", "h", "/a", 443, true},
		{"wss://h:80/a", "h", "h:80", "/a", 80, true},
		{"ws://h:443/a", "h", "h:443", "/a", 443},
		{"wss://[::1]:8443/x", "::1", "[::1]:8443", "/x", 8443, true},
		{"ws://h", "h", "h", "/", 80},
		{"ws://h/", "h", "h", "/", 80},
		{"WS://h:80/a", "h", "h", "/a", 80},
		{"ws://127.0.0.1:8080/ws/dev-{n}", "127.0.0.1", "127.0.0.1:8080", "/ws/dev-{n}",
		 8080},
		{"ws://[::1]:9/x", "::1", "[::1]:9", "/x", 9},
		{"ws://[::1]", "::1", "[::1]", "/", 80},
		{"ws://h?a={n}", "h", "h", "/?a={n}", 80},
		{"ws://h:65535?b", "h", "h:65535", "/?b", 65535},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_url url;

		ASSERT_ROW(bench_url_parse(rows[i].in, "ws", &url) == NULL, rows[i].in);
		ASSERT_ROW(strcmp(url.host, rows[i].host) == 0, rows[i].in);
		ASSERT_ROW(strcmp(url.authority, rows[i].authority) == 0, rows[i].in);
		ASSERT_ROW(strcmp(url.path, rows[i].path) == 0, rows[i].in);
		ASSERT_ROW(url.port == rows[i].port, rows[i].in);
		ASSERT_ROW(url.is_tls == rows[i].is_tls, rows[i].in);
	}
}

static void test_bad_urls_say_why_and_write_nothing(void **state)
{
	(void)state;
	static const struct {
		const char *in;
		const char *part;
	} rows[] = {
		{"", "ws://"},
		{"h:80", "ws://"},
		{"wssx://h/", "wss://"},
		{"http://h/", "does not begin with ws://"},
		{"ws://", "no host"},
		{"ws:///x", "no host"},
		{"ws://:80/", "no host"},
		{"ws://h:", "1..65535"},
		{"ws://h:0/", "1..65535"},
		{"ws://h:65536/", "1..65535"},
		{"ws://h:8o/", "1..65535"},
		{"ws://::1/", "brackets"},
		{"ws://[::1/", "']'"},
		{"ws://[]:1/", "no host"},
		{"ws://[::1]x/", "behind the ']'"},
		{"ws://[::1]x:5/", "behind the ']'"},
		{"ws://u:p@h/", "--basic"},
		{"ws://h/a b", "percent-encode"},
		{"ws://h/\xc3\xa4", "percent-encode"},
		{"ws://h/a\r\nX: y", "percent-encode"},
		{"ws://h/#f", "fragment"},
		{"ws://h/{m}", "brace"},
		{"ws://h/{n", "brace"},
		{"ws://h/n}", "brace"},
		{"ws://h{n}/", "host"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_url url = {.port = 7};
		const char *problem = bench_url_parse(rows[i].in, "ws", &url);

		ASSERT_ROW(problem != NULL && strstr(problem, rows[i].part) != NULL, rows[i].in);
		ASSERT_ROW(url.port == 7 && url.host[0] == 0, rows[i].in);
	}
}

static void test_number_replaces_every_mark(void **state)
{
	(void)state;
	struct bench_url url;
	char out[BENCH_TARGET_MAX];

	assert_null(bench_url_parse("ws://h/{n}/dev-{n}?x={n}", "ws", &url));
	assert_int_equal(bench_url_target(&url, 42, out), 15);
	assert_string_equal(out, "/42/dev-42?x=42");
}

static void test_longest_path_of_marks_fits(void **state)
{
	(void)state;
	char text[BENCH_PATH_MAX + 16] = "ws://h/";
	char out[BENCH_TARGET_MAX];
	struct bench_url url;
	size_t len = strlen(text);

	for (; len + 3 < strlen("ws://h") + BENCH_PATH_MAX; len += 3)
		memcpy(text + len, "{n}", 4);
	assert_null(bench_url_parse(text, "ws", &url));
	size_t marks = (strlen(url.path) - 1) / 3;

	assert_int_equal(bench_url_target(&url, 16000000, out), 1 + marks * 8);
	memcpy(text + len, "xxx", 4);
	assert_non_null(bench_url_parse(text, "ws", &url));
}

/* --- options --- */

static int parse(struct bench_options *options, const char *const *args, char *error)
{
	char *argv[24] = {(char[]){"bench"}};
	int argc = 1;

	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	error[0] = 0;
	return bench_options_parse(options, argc, argv, error, 512);
}

#define PARSE(options, error, ...) parse(options, (const char *const[]){__VA_ARGS__, NULL}, error)

static void test_defaults(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "ws://h/"), 0);
	assert_int_equal(options.connections, 1);
	assert_int_equal(options.size, 64);
	assert_int_equal(options.engine, LOOP_ENGINE_AUTO);
	assert_int_equal(options.echo_timeout_ms, 10000);
	assert_false(bench_options_has_traffic(&options));
	assert_int_equal(bench_options_hold_ms(&options), 0);
	bench_options_finish(&options);
}

static void test_every_form_of_an_option(void **state)
{
	(void)state;
	static const char *const forms[][3] = {
		{"-c", "25", NULL},
		{"-c25", NULL},
		{"--connections", "25", NULL},
		{"--connections=25", NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		const char *args[4] = {"ws://h/", forms[i][0], forms[i][1], NULL};
		struct bench_options options;
		char error[512];

		ASSERT_ROW(parse(&options, args, error) == 0, forms[i][0]);
		ASSERT_ROW(options.connections == 25, forms[i][0]);
		bench_options_finish(&options);
	}
}

static void test_units(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "--hold", "30", "--size=16KiB", "--rate", "2500",
			       "--message-rate=0.1", "--duration", "500ms", "ws://h/"),
			 0);
	assert_int_equal(options.hold_ms, 30000);
	assert_int_equal(options.size, 16384);
	assert_int_equal(options.duration_ms, 500);
	assert_true(options.connect_rate == 2500);
	assert_true(options.message_rate > 0.099 && options.message_rate < 0.101);
	bench_options_finish(&options);
}

static void test_lists_are_joined(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "ws://h/", "--header", "A: 1", "--header", "B:2",
			       "--subprotocol", "x", "--subprotocol=y"),
			 0);
	assert_string_equal(options.headers.data, "A: 1\r\nB:2\r\n");
	assert_string_equal(options.subprotocols.data, "x, y");
	bench_options_finish(&options);
}

static void test_how_long(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct bench_options options;
		uint64_t traffic_ms, hold_ms;
	} rows[] = {
		{"hold alone", {.hold_ms = 7000}, 0, 7000},
		{"traffic fills the hold", {.hold_ms = 7000, .depth = 1}, 7000, 7000},
		{"traffic ends before the hold",
		 {.hold_ms = 7000, .depth = 1, .duration_ms = 2000},
		 2000,
		 7000},
		{"the hold waits for traffic",
		 {.hold_ms = 1000, .message_rate = 1, .duration_ms = 2000},
		 2000,
		 2000},
		{"traffic alone has a default", {.depth = 1}, 10000, 10000},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		ASSERT_ROW(bench_options_traffic_ms(&rows[i].options) == rows[i].traffic_ms,
			   rows[i].name);
		ASSERT_ROW(bench_options_hold_ms(&rows[i].options) == rows[i].hold_ms,
			   rows[i].name);
	}
}

static void test_mistakes_are_named(void **state)
{
	(void)state;
	static const struct {
		const char *args[12];
		const char *part;
	} rows[] = {
		{{NULL}, "no URL"},
		{{"ws://h/", "--rate", "0"}, "0.001.."},
		{{"ws://h/", "--rate", "1e3"}, "'1e3'"},
		{{"ws://h/", "--rate", "1.2.3"}, "'1.2.3'"},
		{{"ws://h/", "--rate", ""}, "''"},
		{{"ws://h/", "--hold", "99999999999999999999"}, "too large"},
		{{"ws://h/", "--workers", "1025"}, "1..1024"},
		{{"ws://h/", "--node", "ws://x/"}, "--node: 'ws://x/' is not HOST or HOST:PORT"},
		{{"ws://h/", "--node", "x:0"}, "--node: 'x:0'"},
		{{"ws://h/", "--hook", "x"}, "'x' is not NAME=COMMAND"},
		{{"ws://h/", "--hook", "x=1", "--hook", "x=2"}, "'x' is given twice"},
		{{"ws://h/", "--api", "ws://x/"}, "--api: the URL 'ws://x/'"},
		{{"ws://h/", "--api", "http://x/api/v1"}, "has a path; give it without"},
		{{"ws://h/", "--api-token-file", "x"}, "--api-token-file needs --api"},
		{{"ws://h/", "--receive", "--hold", "1s", "--push", "/x"}, "--push needs --api"},
		{{"ws://h/", "--api", "http://x", "--push", "/x"}, "--push needs --receive"},
		{{"ws://h/", "--receive", "--hold", "9s", "--api", "http://x", "--push", "x"},
		 "'x' is no path"},
		{{"ws://h/", "--receive", "--hold", "9s", "--api", "http://x", "--push", "/x"},
		 "take 10 s, and --hold is 9 s"},
		{{"ws://h/", "--receive", "--hold", "99s", "--api", "http://x", "--push", "/x",
		  "--size", "43"},
		 "use --size 44 or more"},
		{{"ws://h/", "--at-least-once"}, "it needs --message-rate or --depth"},
		{{"ws://h/", "--at-least-once", "--depth", "1", "--size", "15"},
		 "cannot be told from the others; use --size 16"},
		{{"ws://h/", "--reconnect", "--hold", "9s", "--cut-after", "1s"},
		 "come back without it"},
		{{"ws://h/", "--reconnect", "--hold", "9s", "--lifetime", "1s"},
		 "--reconnect and --lifetime"},
		{{"ws://h/", "--header", "novalue"}, "Name: value"},
		{{"ws://h/", "--header", "Sec-WebSocket-Protocol: x"}, "--subprotocol"},
		{{"ws://h/", "--header", "sec-websocket-key: x"}, "handshake itself"},
		{{"ws://h/", "--wait-ready", "ftp://h/"}, "--wait-ready"},
		{{"ws://h/", "--basic", "user"}, "USER:PASSWORD"},
		{{"ws://h/", "--basic", ":pw"}, "USER:PASSWORD"},
		{{"ws://h/", "--basic", "u:p\n"}, "control character"},
		{{"ws://h/", "--basic", "u:p", "--token-file", "x"}, "exclude each other"},
		{{"ws://h/", "--basic", "u:p", "--header", "authorization: x"},
		 "exclude each other"},
		{{"ws://h/", "--ca", "x"}, "--ca is for TLS"},
		{{"ws://h/", "--insecure"}, "--insecure is for TLS"},
		{{"ws://h/", "--tls-version", "1.1"}, "neither 1.2 nor 1.3"},
		{{"ws://h/", "--tls-version", "1.2"}, "--tls-version is for TLS"},
		{{"ws://h/", "--limits", "https://h/", "--key", "x"}, "needs --cert"},
		{{"wss://h/", "--ca", "x", "--insecure"}, "exclude each other"},
		{{"ws://h/", "--tls-resume"}, "--tls-resume is for TLS"},
		{{"ws://h/", "--ticket-url", "ftp://h/"}, "--ticket-url"},
		{{"ws://h/", "--ticket-body", "{}"}, "needs --ticket-url"},
		{{"ws://h/", "--cut-after", "1s"}, "a --hold that is longer"},
		{{"ws://h/", "--cut-after", "1s", "--hold=1s"}, "a --hold that is longer"},
		{{"ws://h/", "--cut-after", "1s", "--hold=2s", "--depth=1"}, "excludes messages"},
		{{"ws://h/", "--wait-ready", "http://h/{n}"}, "asked once"},
		{{"ws://h/", "--slow-readers", "101%"}, "0%..100%"},
		{{"ws://h/", "--slow-readers", "5%%"}, "'5%%'"},
		{{"ws://h/", "--slow-readers", "%"}, "'%'"},
		{{"ws://h/", "--slow-readers", "5%"}, "they need --hold"},
		{{"ws://h/", "--lifetime", "1s"}, "it needs --hold"},
		{{"ws://h/", "--lifetime", "99ms", "--hold", "1s"}, "100.."},
		{{"ws://h/", "--batch", "0"}, "1..16000000"},
		{{"ws://h/", "--batch-pause", "1s"}, "needs --batch"},
		{{"ws://h/", "--batch", "5", "--rate", "5"}, "exclude each other"},
		{{"ws://h/", "--in-flight", "0"}, "1..16000000"},
		{{"ws://h/", "--quiet=no"}, "neither true nor false"},
		{{"ws://h/", "--hald", "5"}, "did you mean hold?"},
		{{"ws://h/", "--scenario", "/nowhere/x.yaml"}, "No such file"},
		{{"ws://h/", "--scenario", "/"}, "Is a directory"},
		{{"ws://h/", "--scenario", "/dev/zero"}, "over 16384 bytes"},
		{{"ws://h/", "--scenario", "/dev/null"}, "has no options"},
		{{"ws://h/", "--scenario", "a", "--scenario", "b"}, "given twice"},
		{{"ws://h/", "-z"}, "'-z'"},
		{{"ws://h/", "--connection=5"}, "unknown option"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_options options;
		char error[512];

		ASSERT_ROW(parse(&options, rows[i].args, error) == -EINVAL, rows[i].part);
		ASSERT_ROW(strstr(error, rows[i].part) != NULL, error);
		bench_options_finish(&options);
	}
}

static void test_headers_have_a_limit(void **state)
{
	(void)state;
	char line[BENCH_HEADERS_MAX / 2 + 8];
	struct bench_options options;
	char error[512];

	memset(line, 'x', sizeof(line));
	line[1] = ':';
	line[sizeof(line) - 1] = 0;
	assert_int_equal(PARSE(&options, error, "ws://h/", "--header", line), 0);
	bench_options_finish(&options);
	assert_int_equal(PARSE(&options, error, "ws://h/", "--header", line, "--header", line),
			 -EINVAL);
	assert_non_null(strstr(error, "8192"));
	bench_options_finish(&options);
}

/* --- what clients prove with --- */

static char *proof_of(struct bench_proof *proof, uint64_t number)
{
	static char line[BENCH_PROOF_MAX];

	size_t len = bench_proof_write(proof, number, line);

	assert_int_equal(len, strlen(line));
	return line;
}

static void test_basic_has_the_number(void **state)
{
	(void)state;
	struct bench_options options = {.basic = "cp-{n}:secret{n}"};
	struct bench_proof proof;
	char error[512];

	assert_int_equal(bench_proof_load(&options, &proof, error, sizeof(error)), 0);
	/* Of 10, 11 and 12 bytes: every kind of padding. */
	assert_string_equal(proof_of(&proof, 1), "Authorization: Basic Y3AtMTpzZWNyZXQx\r\n");
	assert_string_equal(proof_of(&proof, 42), "Authorization: Basic Y3AtNDI6c2VjcmV0NDI=\r\n");
	assert_string_equal(proof_of(&proof, 777),
			    "Authorization: Basic Y3AtNzc3OnNlY3JldDc3Nw==\r\n");
	bench_proof_finish(&proof);
}

static const char *file_make(const char *text, size_t len)
{
	static char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/gatehouse-tokens-%d", (int)getpid());
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
	return path;
}

static void test_tokens_go_round(void **state)
{
	(void)state;
	static const char text[] = "\na.b.c\r\n\r\nd~e\nlast=";
	struct bench_options options = {.token_path = file_make(text, sizeof(text) - 1)};
	struct bench_proof proof;
	char error[512];

	assert_int_equal(bench_proof_load(&options, &proof, error, sizeof(error)), 0);
	assert_int_equal(proof.token_count, 3);
	assert_string_equal(proof_of(&proof, 1), "Authorization: Bearer a.b.c\r\n");
	assert_string_equal(proof_of(&proof, 2), "Authorization: Bearer d~e\r\n");
	assert_string_equal(proof_of(&proof, 3), "Authorization: Bearer last=\r\n");
	assert_string_equal(proof_of(&proof, 4), "Authorization: Bearer a.b.c\r\n");
	bench_proof_finish(&proof);
	unlink(options.token_path);
}

static void test_bad_token_files_say_why(void **state)
{
	(void)state;
	static char long_line[BENCH_TOKEN_MAX + 1];
	static const struct {
		const char *text;
		size_t len;
		const char *says;
	} rows[] = {
		{"", 0, "has no token"},
		{"\n\r\n", 3, "has no token"},
		{"good\nnot good\n", 14, "line 2 of"},
		{"a\tb", 3, "line 1 of"},
		{"a\0b", 3, "line 1 of"},
		{"\xc3\xa4", 2, "line 1 of"},
		{long_line, sizeof(long_line), "8193 bytes long, 8192 are"},
	};

	memset(long_line, 'x', sizeof(long_line));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_options options = {.token_path = file_make(rows[i].text, rows[i].len)};
		struct bench_proof proof;
		char error[512] = "";

		ASSERT_ROW(bench_proof_load(&options, &proof, error, sizeof(error)) < 0,
			   rows[i].says);
		ASSERT_ROW(strstr(error, rows[i].says) != NULL, error);
		ASSERT_ROW(strstr(error, "not good") == NULL, "a token is shown");
		bench_proof_finish(&proof);
		unlink(options.token_path);
	}
	struct bench_options options = {.token_path = "/"};
	struct bench_proof proof;
	char error[512] = "";

	assert_int_equal(bench_proof_load(&options, &proof, error, sizeof(error)), -EISDIR);
	assert_non_null(strstr(error, "Is a directory"));
	bench_proof_finish(&proof);
}

static void test_help_needs_no_url(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "-h"), 0);
	assert_true(options.wants_help);
	bench_options_finish(&options);
}

static void test_load_shapes(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "ws://h/", "--batch", "500", "--batch-pause",
			       "250ms", "--in-flight=64", "--lifetime", "2", "--slow-readers",
			       "2.5%", "--hold", "9s"),
			 0);
	assert_int_equal(options.batch, 500);
	assert_int_equal(options.batch_pause_ms, 250);
	assert_int_equal(options.in_flight, 64);
	assert_int_equal(options.lifetime_ms, 2000);
	assert_true(options.slow_readers_percent > 2.49 && options.slow_readers_percent < 2.51);
	bench_options_finish(&options);
}

static void test_receiving_excludes_sending(void **state)
{
	(void)state;
	struct bench_options options;
	char error[512];

	assert_int_equal(PARSE(&options, error, "ws://h/", "--receive", "--hold", "3"), 0);
	assert_true(options.is_receiver);
	assert_false(bench_options_has_traffic(&options));
	bench_options_finish(&options);
	assert_int_equal(PARSE(&options, error, "ws://h/", "--receive"), -EINVAL);
	assert_string_equal(error, "--receive needs --hold: how long it waits for messages");
	bench_options_finish(&options);
	assert_int_equal(PARSE(&options, error, "ws://h/", "--receive", "--hold=3", "--depth=1"),
			 -EINVAL);
	assert_non_null(strstr(error, "--receive excludes --depth and --message-rate"));
	bench_options_finish(&options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_url_table),
		cmocka_unit_test(test_bad_urls_say_why_and_write_nothing),
		cmocka_unit_test(test_number_replaces_every_mark),
		cmocka_unit_test(test_longest_path_of_marks_fits),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_every_form_of_an_option),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_lists_are_joined),
		cmocka_unit_test(test_how_long),
		cmocka_unit_test(test_mistakes_are_named),
		cmocka_unit_test(test_headers_have_a_limit),
		cmocka_unit_test(test_help_needs_no_url),
		cmocka_unit_test(test_basic_has_the_number),
		cmocka_unit_test(test_tokens_go_round),
		cmocka_unit_test(test_bad_token_files_say_why),
		cmocka_unit_test(test_load_shapes),
		cmocka_unit_test(test_receiving_excludes_sending),
	};

	return cmocka_run_group_tests_name("bench_options", tests, NULL, NULL);
}
