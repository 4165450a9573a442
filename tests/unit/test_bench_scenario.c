/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/load/bench_scenario.h"

/* Reads the text as the file "s.yaml", over `options` as they are. */
static int read_text(struct bench_options *options, const char *text, size_t len, char error[512])
{
	struct bench_parse parse = {options, error, 512};
	char *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	error[0] = 0;
	int r = bench_scenario_read(&parse, "s.yaml", slice_of(copy, len), &options->scenario);

	free(copy); /* what the options keep is not in it */
	return r;
}

static void test_keys_are_the_long_names(void **state)
{
	(void)state;
	static const char text[] = "# a comment\n"
				   "name: churn\n"
				   "description: \"what it is\"\n"
				   "url: ws://127.0.0.1:8080/ws/dev-{n}\n"
				   "connections: 10000\n"
				   "batch: 500\n"
				   "batch-pause: 250ms\n"
				   "hold: 30s\n"
				   "message-rate: 0.05\n"
				   "slow-readers: 5%\n"
				   "size: 16KiB\n"
				   "binary: true\n"
				   "quiet: false\n"
				   "engine: epoll\n"
				   "header:\n  - 'A: 1'\n  - 'B: 2'\n"
				   "subprotocol: [x, y]\n";
	struct bench_options options = {0};
	char error[512];

	assert_int_equal(read_text(&options, text, sizeof(text) - 1, error), 0);
	assert_string_equal(bench_scenario_name(options.scenario), "churn");
	assert_string_equal(bench_scenario_description(options.scenario), "what it is");
	assert_null(bench_scenario_name(NULL));
	assert_string_equal(options.url_text, "ws://127.0.0.1:8080/ws/dev-{n}");
	assert_int_equal(options.connections, 10000);
	assert_int_equal(options.batch, 500);
	assert_int_equal(options.batch_pause_ms, 250);
	assert_int_equal(options.hold_ms, 30000);
	assert_true(options.message_rate > 0.049 && options.message_rate < 0.051);
	assert_true(options.slow_readers_percent > 4.9 && options.slow_readers_percent < 5.1);
	assert_int_equal(options.size, 16384);
	assert_true(options.is_binary);
	assert_false(options.is_quiet);
	assert_int_equal(options.engine, LOOP_ENGINE_EPOLL);
	assert_string_equal(options.headers.data, "A: 1\r\nB: 2\r\n");
	assert_string_equal(options.subprotocols.data, "x, y");
	bench_options_finish(&options);
}

static void test_mistakes_have_a_place(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *part;
	} rows[] = {
		{"conections: 5\n", "s.yaml:1:1: unknown option 'conections'; did you mean "
				    "connections?"},
		{"hold: 1s\nc: 5\n", "s.yaml:2:1: unknown option 'c'"},
		{"hold: 1s\n--hold: 5\n", "s.yaml:2:1: unknown option '--hold'"},
		{"hold:\n  5 years\n", "s.yaml:2:3: hold: '5 years'"},
		{"connections: 0\n", "s.yaml:1:14: connections: 0 is not in 1..16000000"},
		{"connections: [1]\n", "s.yaml:1:14: connections: a list stands"},
		{"connections: {a: 1}\n", "a mapping stands"},
		{"header: [[x]]\n", "s.yaml:1:10: header: a list stands"},
		{"header: [novalue]\n", "s.yaml:1:10: header: 'novalue' is not of the form"},
		{"connections:\nhold: 1s\n", "s.yaml:1:13: connections: has no value"},
		{"connections: ~\n", "has no value"},
		{"url: \"a\\0b\"\n", "s.yaml:1:6: url: has a NUL"},
		{"binary: yes\n", "s.yaml:1:9: binary: 'yes' is neither true nor false"},
		{"hold: 1s\nrate: 5\nhold: 2s\n", "s.yaml:3:1: 'hold' is already given in line 1"},
		{"url: a\nurl: b\n", "s.yaml:2:1: 'url' is already given in line 1"},
		{"scenario: other.yaml\n", "s.yaml:1:1: 'scenario' is for the command line"},
		{"help: true\n", "s.yaml:1:1: 'help' is for the command line"},
		{"[a]: 1\n", "s.yaml:1:1: a key must be"},
		{"- connections\n", "s.yaml:1:1: not a scenario"},
		{"connections\n", "s.yaml:1:1: not a scenario"},
		{"hold: 1s\n---\nhold: 2s\n", "s.yaml:2:1: a second YAML document"},
		{"hold: 1s\n\tbatch: 2\n", "s.yaml:2:"},
		{"hook: a=b\n", "s.yaml:1:1: 'hook' is for the command line"},
		{"acts: 5\n", "s.yaml:1:7: acts: must be a list"},
		{"acts:\n  - upgrade\n", "s.yaml:2:5: acts: each is a mapping"},
		{"acts:\n  - {at: 1s}\n", "s.yaml:2:5: an act needs one of call, await and hook"},
		{"acts:\n  - {hook: x}\n", "s.yaml:2:5: an act needs 'at'"},
		{"acts:\n  - {at: 1s, at: 2s}\n", "s.yaml:2:14: 'at' is given twice"},
		{"acts:\n  - {at: 1s, run: ls}\n", "s.yaml:2:14: an act has no 'run'"},
		{"acts:\n  - {at: 1s, awai: /x 200}\n", "did you mean await?"},
		{"acts:\n  - {at: 1s, [a]: b}\n", "s.yaml:2:14: a key must be"},
		{"acts:\n  - {at: soon, hook: x}\n", "s.yaml:2:10: at: 'soon'"},
		{"acts:\n  - {at: 100%, hook: x}\n", "s.yaml:2:10: at: '100%' is not a share"},
		{"acts:\n  - {at: 1.2.3%, hook: x}\n", "is not a share"},
		{"acts:\n  - {at: 1s, hook: x y}\n", "s.yaml:2:20: hook: 'x y' is no name"},
		{"acts:\n  - {at: 1s, hook: x, call: GET /y}\n",
		 "s.yaml:2:23: 'hook' and 'call' in one act"},
		{"acts:\n  - {at: 1s, call: /api/v1/upgrade}\n",
		 "call: '/api/v1/upgrade' does not begin with GET, POST"},
		{"acts:\n  - {at: 1s, call: POST api}\n", "has no path that begins with '/'"},
		{"acts:\n  - {at: 1s, await: /health}\n", "does not end with the status"},
		{"acts:\n  - {at: 1s, await: /health 99}\n", "does not end with the status"},
		{"acts:\n  - {at: 1s, await: 'ftp://h/ 200'}\n", "and no http URL"},
		{"acts:\n  - {at: 1s, hook: x, body: y}\n", "only a call has a body"},
		{"acts:\n  - {at: 1s, hook: x, within: 0}\n", "within: 0 is not in 1..3600000 ms"},
		{"acts:\n  - {at: 1s, hook: [x]}\n", "s.yaml:2:20: hook: a list stands"},
		{"hold: [1s\n", "not YAML"},
		{"hold: *unknown\n", "s.yaml:1:7: not YAML"},
		{"# only a comment\n", "s.yaml: has no options"},
		{"", "s.yaml: has no options"},
		{"hold: 1s\nname: \xff\xfe\n", "s.yaml:2:7: not UTF-8"},
		{"\x7f"
		 "ELF\x02\x01\x01",
		 "s.yaml:1:"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_options options = {0};
		char error[512];
		int r = read_text(&options, rows[i].text, strlen(rows[i].text), error);

		ASSERT_ROW(r == -EINVAL, rows[i].text);
		if (strstr(error, rows[i].part) == NULL)
			fail_msg("'%s' is not in '%s'", rows[i].part, error);
		bench_options_finish(&options);
	}
}

static void test_acts_are_taken(void **state)
{
	(void)state;
	static const char text[] =
		"acts:\n"
		"  - {at: 2s, call: POST /api/v1/drain, body: '{\"over\": \"2s\"}'}\n"
		"  - at: 25%\n"
		"    await: http://127.0.0.1:8083/health 503\n"
		"    within: 500ms\n"
		"  - {hook: stop-broker, at: 7}\n";
	struct bench_options options = {0};
	const struct bench_act *acts = options.acts.rows;
	struct bench_act_target target;
	struct bench_url url;
	char error[512];

	assert_int_equal(read_text(&options, text, sizeof(text) - 1, error), 0);
	assert_int_equal(options.acts.count, 3);
	assert_int_equal(acts[0].kind, BENCH_ACT_CALL);
	assert_int_equal(acts[0].at_ms, 2000);
	assert_int_equal(acts[0].within_ms, BENCH_ACT_WITHIN_MS);
	assert_int_equal(acts[0].line, 2);
	assert_string_equal(acts[0].body, "{\"over\": \"2s\"}");
	assert_null(bench_act_parse(&acts[0], &target));
	assert_string_equal(target.method, "POST");
	assert_string_equal(target.target, "/api/v1/drain");
	assert_int_equal(acts[1].kind, BENCH_ACT_AWAIT);
	assert_true(acts[1].at_percent > 24.9 && acts[1].at_percent < 25.1);
	assert_int_equal(acts[1].within_ms, 500);
	assert_null(bench_act_parse(&acts[1], &target));
	assert_int_equal(target.status, 503);
	assert_null(bench_act_url(&target, &options.api_url, &url));
	assert_int_equal(url.port, 8083);
	assert_string_equal(url.path, "/health");
	assert_int_equal(acts[2].kind, BENCH_ACT_HOOK);
	assert_int_equal(acts[2].at_ms, 7000);
	assert_string_equal(acts[2].text, "stop-broker");
	bench_options_finish(&options);
}

/* libyaml looks through all open brackets and anchors again and again: the size is
 * what bounds it. */
static void test_the_slowest_texts_are_read_in_no_time(void **state)
{
	(void)state;
	static const char *const units[] = {"[", "{", "- ", "? ", "&a1 [", "a: &b ", "[*a,"};
	static char text[BENCH_SCENARIO_MAX];

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		struct bench_options options = {0};
		char error[512];
		uint64_t start_ns = clock_now_ns();

		for (size_t at = 0; at < sizeof(text); at++)
			text[at] = units[i][at % strlen(units[i])];
		ASSERT_ROW(read_text(&options, text, sizeof(text), error) == -EINVAL, units[i]);
		ASSERT_ROW(clock_now_ns() - start_ns < 10 * NS_PER_S, units[i]);
		bench_options_finish(&options);
	}
}

/* --- with a command line --- */

struct command {
	struct bench_options options;
	char error[512];
	char path[32];
};

static int command_parse(struct command *command, const char *scenario, const char *const *args)
{
	char *argv[16] = {(char[]){"bench"}};
	int argc = 1, fd;

	snprintf(command->path, sizeof(command->path), "/tmp/scenario-XXXXXX");
	fd = mkstemp(command->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, scenario, strlen(scenario)), strlen(scenario));
	close(fd);
	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = strcmp(args[argc - 1], "FILE") == 0
				     ? command->path
				     : (char *)(uintptr_t)args[argc - 1];
	int r = bench_options_parse(&command->options, argc, argv, command->error,
				    sizeof(command->error));

	unlink(command->path);
	return r;
}

#define COMMAND(command, scenario, ...) \
	command_parse(command, scenario, (const char *const[]){__VA_ARGS__, NULL})

static void test_a_flag_goes_first_wherever_it_stands(void **state)
{
	(void)state;
	static const char scenario[] = "url: ws://file/\nconnections: 10\nhold: 5s\nquiet: true\n";
	struct command command;

	assert_int_equal(COMMAND(&command, scenario, "-c", "20", "--scenario", "FILE",
				 "--quiet=false", "ws://flag/"),
			 0);
	assert_int_equal(command.options.connections, 20);
	assert_int_equal(command.options.hold_ms, 5000);
	assert_false(command.options.is_quiet);
	assert_string_equal(command.options.url.host, "flag");
	bench_options_finish(&command.options);
	assert_int_equal(COMMAND(&command, scenario, "--scenario", "FILE", "--hold=1s"), 0);
	assert_int_equal(command.options.connections, 10);
	assert_int_equal(command.options.hold_ms, 1000);
	assert_string_equal(command.options.url.host, "file");
	bench_options_finish(&command.options);
}

static void test_acts_fit_the_options(void **state)
{
	(void)state;
	static const char scenario[] = "url: ws://h/\nhold: 8s\nacts:\n"
				       "  - {at: 25%, hook: go}\n"
				       "  - {at: 3s, await: /health 200}\n";
	static const struct {
		const char *args[10];
		const char *part; /* NULL: it is good */
	} rows[] = {
		{{"--scenario", "FILE", "--api", "http://h:1", "--hook", "go=true"}, NULL},
		{{"--scenario", "FILE", "--api", "http://h:1"},
		 ":4: acts: 'go' is a command of "
		 "yours, and is not given: --hook "
		 "'go=COMMAND'"},
		{{"--scenario", "FILE", "--hook", "go=true"},
		 ":5: acts: '/health 200' needs --api"},
		{{"--scenario", "FILE", "--api", "http://h:1", "--hook", "go=true", "--hold", "2s"},
		 ":5: acts: '/health 200' is at 3 s, but connections are held for 2 s"},
		{{"--scenario", "FILE", "--api", "http://h:1", "--hook", "go=true", "--hold",
		  "20s"},
		 ":5: acts: '/health 200' comes before the act above it"},
		{{"--scenario", "FILE", "--api", "http://h:1", "--hook", "og=true"},
		 "'go' is a command"},
		{{"ws://h/", "--hook", "go=true"}, "no act of the scenario is 'hook: go'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct command command;
		int r = command_parse(&command, scenario, rows[i].args);

		if (rows[i].part == NULL) {
			assert_int_equal(r, 0);
			assert_int_equal(command.options.acts.rows[0].at_ms, 2000);
			assert_string_equal(bench_hook_find(&command.options, "go"), "true");
			assert_null(bench_hook_find(&command.options, "g"));
		} else if (r == 0 || strstr(command.error, rows[i].part) == NULL) {
			fail_msg("'%s' is not in '%s'", rows[i].part, command.error);
		}
		bench_options_finish(&command.options);
	}
}

static void test_a_list_on_the_command_line_replaces_the_files(void **state)
{
	(void)state;
	static const char scenario[] = "url: ws://h/\nsubprotocol: [a, b]\nheader: 'X: 1'\n";
	struct command command;

	assert_int_equal(COMMAND(&command, scenario, "--subprotocol", "c", "--scenario", "FILE",
				 "--subprotocol", "d"),
			 0);
	assert_string_equal(command.options.subprotocols.data, "c, d");
	assert_string_equal(command.options.headers.data, "X: 1\r\n");
	bench_options_finish(&command.options);

	/* What the file had is gone, and may be given again. */
	assert_int_equal(COMMAND(&command, scenario, "--scenario", "FILE", "--subprotocol", "b"),
			 0);
	assert_string_equal(command.options.subprotocols.data, "b");
	bench_options_finish(&command.options);
}

static void test_a_flag_replaces_what_it_excludes(void **state)
{
	(void)state;
	static const char scenario[] = "url: ws://h/\nmessage-rate: 1\nbatch: 5\nbatch-pause: 1s\n";
	struct command command;

	assert_int_equal(
		COMMAND(&command, scenario, "--scenario", "FILE", "--depth", "2", "--rate", "9"),
		0);
	assert_true(command.options.message_rate == 0);
	assert_int_equal(command.options.depth, 2);
	assert_int_equal(command.options.batch, 0);
	assert_true(command.options.connect_rate == 9);
	bench_options_finish(&command.options);
}

static void test_what_excludes_each_other_in_one_file_is_a_mistake(void **state)
{
	(void)state;
	struct command command;

	assert_int_equal(COMMAND(&command, "url: ws://h/\nmessage-rate: 1\ndepth: 1\n",
				 "--scenario", "FILE"),
			 -EINVAL);
	assert_non_null(strstr(command.error, "exclude each other"));
	bench_options_finish(&command.options);
}

static void test_a_scenario_without_url_needs_one(void **state)
{
	(void)state;
	struct command command;

	assert_int_equal(COMMAND(&command, "hold: 1s\n", "--scenario", "FILE"), -EINVAL);
	assert_non_null(strstr(command.error, "the scenario has no 'url' either"));
	bench_options_finish(&command.options);
	assert_int_equal(COMMAND(&command, "hold: 1s\n", "--scenario", "FILE", "ws://h/"), 0);
	bench_options_finish(&command.options);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_are_the_long_names),
		cmocka_unit_test(test_mistakes_have_a_place),
		cmocka_unit_test(test_the_slowest_texts_are_read_in_no_time),
		cmocka_unit_test(test_acts_are_taken),
		cmocka_unit_test(test_acts_fit_the_options),
		cmocka_unit_test(test_a_flag_goes_first_wherever_it_stands),
		cmocka_unit_test(test_a_list_on_the_command_line_replaces_the_files),
		cmocka_unit_test(test_a_flag_replaces_what_it_excludes),
		cmocka_unit_test(test_what_excludes_each_other_in_one_file_is_a_mistake),
		cmocka_unit_test(test_a_scenario_without_url_needs_one),
	};

	return cmocka_run_group_tests_name("bench_scenario", tests, NULL, NULL);
}
