/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "bench/client/bench_tls.h"
#include "bench/load/bench_http.h"
#include "bench/load/bench_schedule.h"
#include "bench/load/bench_preflight.h"
#include "bench/load/bench_target.h"
#include "bench/judge/bench_verdict.h"

/* --- whose a failure is --- */

static void test_every_failure_has_a_side(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum bench_cause_kind kind;
		int code;
		enum bench_side side;
	} rows[] = {
		{"descriptors", BENCH_CAUSE_CONNECT, EMFILE, BENCH_MINE},
		{"files of the machine", BENCH_CAUSE_CONNECT, ENFILE, BENCH_MINE},
		{"ports", BENCH_CAUSE_CONNECT, EADDRNOTAVAIL, BENCH_MINE},
		{"socket memory", BENCH_CAUSE_CONNECT, ENOBUFS, BENCH_MINE},
		{"memory", BENCH_CAUSE_TESTER, ENOMEM, BENCH_MINE},
		{"forbidden here", BENCH_CAUSE_CONNECT, EPERM, BENCH_MINE},
		{"refused", BENCH_CAUSE_CONNECT, ECONNREFUSED, BENCH_YOURS},
		{"reset while connecting", BENCH_CAUSE_CONNECT, ECONNRESET, BENCH_YOURS},
		{"no answer", BENCH_CAUSE_CONNECT, ETIMEDOUT, BENCH_BETWEEN},
		{"no network", BENCH_CAUSE_CONNECT, ENETUNREACH, BENCH_BETWEEN},
		{"no host", BENCH_CAUSE_CONNECT, EHOSTUNREACH, BENCH_BETWEEN},
		{"connect time out", BENCH_CAUSE_CONNECT_TIMEOUT, 0, BENCH_BETWEEN},
		{"handshake time out", BENCH_CAUSE_HANDSHAKE_TIMEOUT, 0, BENCH_BETWEEN},
		{"closed in the handshake", BENCH_CAUSE_HANDSHAKE_LOST, 0, BENCH_YOURS},
		{"reset in the handshake", BENCH_CAUSE_HANDSHAKE_LOST, ECONNRESET, BENCH_YOURS},
		{"lost on the way", BENCH_CAUSE_LOST, ETIMEDOUT, BENCH_BETWEEN},
		{"reset while open", BENCH_CAUSE_LOST, ECONNRESET, BENCH_YOURS},
		{"ended while open", BENCH_CAUSE_LOST, 0, BENCH_YOURS},
		{"status", BENCH_CAUSE_HTTP, 503, BENCH_YOURS},
		{"no HTTP", BENCH_CAUSE_BAD_HANDSHAKE, 0, BENCH_YOURS},
		{"close code", BENCH_CAUSE_CLOSED, 1013, BENCH_YOURS},
		{"bad frame", BENCH_CAUSE_BAD_FRAME, 1002, BENCH_YOURS},
		{"wrong echo", BENCH_CAUSE_WRONG_ECHO, 0, BENCH_YOURS},
		{"echo time out", BENCH_CAUSE_ECHO_TIMEOUT, 0, BENCH_BETWEEN},
		{"not back", BENCH_CAUSE_AWAY, 0, BENCH_YOURS},
		{"no ticket", BENCH_CAUSE_TICKET, 0, BENCH_YOURS},
		{"no ticket for us", BENCH_CAUSE_TICKET, 401, BENCH_MINE},
		{"TLS time out", BENCH_CAUSE_TLS_TIMEOUT, 0, BENCH_BETWEEN},
		{"reset in TLS", BENCH_CAUSE_TLS_LOST, ECONNRESET, BENCH_YOURS},
		{"ended in TLS", BENCH_CAUSE_TLS_LOST, 0, BENCH_YOURS},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_cause cause = {.kind = rows[i].kind, .code = rows[i].code};

		ASSERT_ROW(bench_cause_side(&cause) == rows[i].side, rows[i].name);
	}
	assert_string_equal(bench_side_name(BENCH_MINE), "mine");
	assert_string_equal(bench_side_name(BENCH_YOURS), "yours");
	assert_string_equal(bench_side_name(BENCH_BETWEEN), "between");
}

/* Who complained decides whose fault it is. */
static void test_trouble_with_tls_has_a_side(void **state)
{
	(void)state;
	static const struct {
		enum tls_trouble trouble;
		enum bench_side ours, theirs; /* we complained; the server did */
	} rows[] = {
		{TLS_TROUBLE_NOT_TLS, BENCH_MINE, BENCH_YOURS},
		{TLS_TROUBLE_ISSUER, BENCH_MINE, BENCH_MINE},
		{TLS_TROUBLE_WRONG_NAME, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_EXPIRED, BENCH_YOURS, BENCH_MINE},
		{TLS_TROUBLE_NOT_YET_VALID, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_REVOKED, BENCH_YOURS, BENCH_MINE},
		{TLS_TROUBLE_CERTIFICATE, BENCH_YOURS, BENCH_MINE},
		{TLS_TROUBLE_NO_CERTIFICATE, BENCH_YOURS, BENCH_MINE},
		{TLS_TROUBLE_SERVER_NAME, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_VERSION, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_SUITE, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_RECORD, BENCH_YOURS, BENCH_YOURS},
		{TLS_TROUBLE_MEMORY, BENCH_MINE, BENCH_YOURS},
		{TLS_TROUBLE_OTHER, BENCH_YOURS, BENCH_YOURS},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct tls_failure failure = {.trouble = rows[i].trouble, .reason = "why"};
		const char *name = tls_trouble_label(rows[i].trouble);
		char text[384];

		ASSERT_ROW(bench_tls_side(bench_tls_code(&failure)) == rows[i].ours, name);
		bench_tls_explain(&failure, text, sizeof(text));
		ASSERT_ROW(strncmp(text, "TLS: ", 5) == 0 && strstr(text, "(why)") != NULL, name);
		failure.is_from_peer = true;
		ASSERT_ROW(bench_tls_side(bench_tls_code(&failure)) == rows[i].theirs, name);
	}
}

static const struct slice nothing;

static void test_a_cause_remembers_when_it_came(void **state)
{
	(void)state;
	struct bench_causes causes = {0}, other = {0};

	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 503, nothing, nothing, 1, 2.5);
	bench_causes_add(&causes, BENCH_CAUSE_HTTP, 503, nothing, nothing, 2, 4);
	bench_causes_add(&other, BENCH_CAUSE_HTTP, 503, nothing, nothing, 3, 1.5);
	bench_causes_merge(&causes, &other);
	assert_int_equal(causes.count, 1);
	assert_int_equal(causes.rows[0].count, 3);
	assert_true(causes.rows[0].first_s >= 1.5 && causes.rows[0].first_s <= 1.5);
	assert_true(causes.rows[0].last_s >= 4 && causes.rows[0].last_s <= 4);
}

/* --- plateau --- */

#define WANTED 10000

struct situation {
	const char *name;
	uint64_t open; /* of WANTED; the rest failed */
	struct bench_cause cause;
	struct bench_evidence evidence;
	struct bench_plateau want; /* is_found, at, side, limit, text */
};

#define OVERFLOWS(n)                                                  \
	{                                                             \
		.is_known = {[BENCH_KERNEL_LISTEN_OVERFLOWS] = true}, \
		.values = {[BENCH_KERNEL_LISTEN_OVERFLOWS] = (n)},    \
	}

static const struct situation situations[] = {
	{"the refusal names the limit",
	 1000,
	 {.kind = BENCH_CAUSE_HTTP,
	  .code = 503,
	  .label = "max_connections; current=1000; max=1000"},
	 {0},
	 {true, 1000, BENCH_YOURS, "max_connections",
	  "plateau at 1,000: the server's max_connections"}},
	{"its word counts more than its process",
	 1000,
	 {.kind = BENCH_CAUSE_HTTP, .code = 503, .label = "nofile; current=1; max=1"},
	 {.limit = "memory", .limit_used = 5, .limit_value = 5},
	 {true, 1000, BENCH_YOURS, "nofile", "plateau at 1,000: the server's nofile"}},
	{"full before the first",
	 0,
	 {.kind = BENCH_CAUSE_HTTP, .code = 503, .label = "max_connections"},
	 {0},
	 {true, 0, BENCH_YOURS, "max_connections", "plateau at 0: the server's max_connections"}},
	{"its limits table knows",
	 4096,
	 {.kind = BENCH_CAUSE_HTTP, .code = 502},
	 {.limit = "max_connections", .limit_used = 4096, .limit_value = 4096},
	 {true, 4096, BENCH_YOURS, "max_connections",
	  "plateau at 4,096: the server's max_connections (it uses 4,096 of 4,096)"}},
	{"its process is out of descriptors",
	 1016,
	 {.kind = BENCH_CAUSE_HANDSHAKE_TIMEOUT},
	 {.is_local = true,
	  .process = "nginx, pid 123,",
	  .limit = "nofile",
	  .limit_used = 1024,
	  .limit_value = 1024},
	 {true, 1016, BENCH_YOURS, "nofile",
	  "plateau at 1,016: the server's nofile (nginx, pid 123, uses 1,024 of 1,024)"}},
	{"the kernel counted overflows",
	 129,
	 {.kind = BENCH_CAUSE_CONNECT_TIMEOUT},
	 {.is_local = true, .kernel = OVERFLOWS(9871)},
	 {true, 129, BENCH_YOURS, "listen backlog",
	  "plateau at 129: the server's listen backlog (the server does not accept; the kernel "
	  "counted 9,871 ListenOverflows)"}},
	{"overflows here say nothing about a server elsewhere",
	 129,
	 {.kind = BENCH_CAUSE_CONNECT_TIMEOUT},
	 {.kernel = OVERFLOWS(9871)},
	 {true, 129, BENCH_BETWEEN, "",
	  "plateau at 129: TCP is not answered any more (0 SYNs were sent again)"}},
	{"flows of this machine",
	 28000,
	 {.kind = BENCH_CAUSE_CONNECT_TIMEOUT},
	 {.is_conntrack_full = true},
	 {true, 28000, BENCH_MINE, "nf_conntrack_max",
	  "plateau at 28,000: this machine's nf_conntrack_max, its table of flows is full"}},
	{"connected, not answered",
	 200,
	 {.kind = BENCH_CAUSE_HANDSHAKE_TIMEOUT},
	 {0},
	 {true, 200, BENCH_BETWEEN, "",
	  "plateau at 200: the server takes TCP connections but answers no handshake"}},
	{"a refusal that names nothing",
	 512,
	 {.kind = BENCH_CAUSE_HTTP, .code = 503},
	 {0},
	 {true, 512, BENCH_YOURS, "",
	  "plateau at 512: the server refuses with HTTP 503 and names no limit"}},
	{"it stopped to listen",
	 512,
	 {.kind = BENCH_CAUSE_CONNECT, .code = ECONNREFUSED},
	 {.listening = "not looked at, since some did connect"},
	 {true, 512, BENCH_YOURS, "",
	  "plateau at 512: the server stopped to take connections (Connection refused)"}},
	{"reset in the handshake",
	 512,
	 {.kind = BENCH_CAUSE_HANDSHAKE_LOST, .code = ECONNRESET},
	 {0},
	 {true, 512, BENCH_YOURS, "",
	  "plateau at 512: the server ends the others before it answers their handshake: is it out "
	  "of threads or descriptors?"}},
	{"closed in the handshake",
	 512,
	 {.kind = BENCH_CAUSE_HANDSHAKE_LOST},
	 {0},
	 {true, 512, BENCH_YOURS, "",
	  "plateau at 512: the server ends the others before it answers their handshake: is it out "
	  "of threads or descriptors?"}},
	{"own descriptors, known before",
	 970,
	 {.kind = BENCH_CAUSE_CONNECT, .code = EMFILE},
	 {.tester_limit = "nofile", .tester_limit_value = 1024},
	 {true, 970, BENCH_MINE, "nofile", "plateau at 970: the tester's own nofile is 1,024"}},
	{"the table of a ring",
	 1024,
	 {.kind = BENCH_CAUSE_CONNECT, .code = ENFILE},
	 {.tester_limit = "nofile", .tester_limit_value = 1024},
	 {true, 1024, BENCH_MINE, "nofile", "plateau at 1,024: the tester's own nofile is 1,024"}},
	{"own ports, though memory was thought to bind",
	 28232,
	 {.kind = BENCH_CAUSE_CONNECT, .code = EADDRNOTAVAIL},
	 {.tester_limit = "memory", .tester_limit_value = 1},
	 {true, 28232, BENCH_MINE, "ip_local_port_range",
	  "plateau at 28,232: the tester's own ip_local_port_range (source ports are used up)"}},
	{"the server's facts do not excuse the tester",
	 970,
	 {.kind = BENCH_CAUSE_CONNECT, .code = EMFILE},
	 {.limit = "nofile", .limit_used = 1024, .limit_value = 1024},
	 {true, 970, BENCH_MINE, "nofile",
	  "plateau at 970: the tester's own nofile (descriptors are used up)"}},
	{"nobody listens",
	 0,
	 {.kind = BENCH_CAUSE_CONNECT, .code = ECONNREFUSED},
	 {.listening = "nothing listens on 127.0.0.1:8082"},
	 {false, 0, BENCH_YOURS, "", "nothing listens on 127.0.0.1:8082"}},
	{"the port of another service",
	 0,
	 {.kind = BENCH_CAUSE_HTTP, .code = 404},
	 {0},
	 {false, 0, BENCH_YOURS, "",
	  "an HTTP server answered, but not as a WebSocket: check port and path"}},
	{"a service that fails for everybody",
	 0,
	 {.kind = BENCH_CAUSE_HTTP, .code = 500},
	 {0},
	 {false, 0, BENCH_YOURS, "", ""}},
};

static struct bench_result *result_of(const struct situation *situation)
{
	struct bench_result *result = calloc(1, sizeof(*result));
	uint64_t failed = WANTED * 10 - situation->open;

	result->wanted = WANTED * 10;
	result->totals = (struct bench_totals){.started = result->wanted,
					       .connected = situation->open,
					       .failed = failed,
					       .held = situation->open};
	result->ramp_open = situation->open;
	result->causes.count = 1;
	result->causes.rows[0] = situation->cause;
	result->causes.rows[0].count = failed;
	return result;
}

static void test_a_plateau_from_each_source(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(situations); i++) {
		const struct situation *row = &situations[i];
		struct bench_result *result = result_of(row);
		struct bench_plateau plateau;

		bench_plateau_find(result, &row->evidence, &plateau);
		ASSERT_ROW(strcmp(plateau.text, row->want.text) == 0, plateau.text);
		ASSERT_ROW(plateau.is_found == row->want.is_found, row->name);
		ASSERT_ROW(plateau.at == row->want.at, row->name);
		ASSERT_ROW(plateau.text[0] == 0 || plateau.side == row->want.side, row->name);
		ASSERT_ROW(strcmp(plateau.limit, row->want.limit) == 0, row->name);
		free(result);
	}
}

static void test_what_is_no_plateau(void **state)
{
	(void)state;
	static const struct bench_evidence none;
	struct situation slip = {.open = WANTED * 10 - 50,
				 .cause = {.kind = BENCH_CAUSE_HTTP, .code = 500}};
	struct bench_result *result = result_of(&slip);
	struct bench_plateau plateau;

	/* The others came up all the while. */
	result->held_late = 60;
	bench_plateau_find(result, &none, &plateau);
	assert_false(plateau.is_found);
	assert_string_equal(plateau.text, "");
	result->held_late = 50;
	bench_plateau_find(result, &none, &plateau);
	assert_true(plateau.is_found);
	/* All connected. */
	result->totals.failed = 0;
	result->totals.connected = result->ramp_open = result->wanted;
	result->causes.count = 0;
	bench_plateau_find(result, &none, &plateau);
	assert_false(plateau.is_found);
	free(result);
}

/* Python's asyncio rests for a second when it is out of descriptors, and its backlog is short: a
 * few SYNs of the very first connections are lost, come again, and time out last. */
static void test_nobody_answers_and_a_limit_is_used_up(void **state)
{
	(void)state;
	static const struct bench_evidence full = {.is_local = true,
						   .process = "python3, pid 7,",
						   .limit = "nofile",
						   .limit_used = 1024,
						   .limit_value = 1024},
					   none;
	struct situation situation = {.open = 1015, .cause = {.kind = BENCH_CAUSE_CONNECT_TIMEOUT}};
	struct bench_result *result = result_of(&situation);
	struct bench_plateau plateau;

	result->held_late = result->totals.failed +
			    1; /* one of the first was among those that failed */
	bench_plateau_find(result, &full, &plateau);
	assert_true(plateau.is_found);
	assert_int_equal(plateau.side, BENCH_YOURS);
	assert_string_equal(
		plateau.text,
		"plateau at 1,015: the server's nofile (python3, pid 7, uses 1,024 of 1,024)");
	bench_plateau_find(result, &none, &plateau);
	assert_false(plateau.is_found);
	free(result);
}

/* A server that says 101 to all and closes those that are too many. */
static void test_closing_in_the_ramp_is_a_plateau_and_later_is_not(void **state)
{
	(void)state;
	static const struct bench_evidence none;
	struct bench_result *result = calloc(1, sizeof(*result));
	struct bench_plateau plateau;

	result->wanted = 500;
	result->totals = (struct bench_totals){.connected = 500, .dropped = 400, .held = 100};
	result->ramp_open = 110;
	result->connect_s = 2;
	for (unsigned i = 0; i < 400; i++)
		bench_causes_add(&result->causes, BENCH_CAUSE_CLOSED, 1013, SLICE_LITERAL("full"),
				 nothing, 101 + i, 0.5);
	bench_plateau_find(result, &none, &plateau);
	assert_string_equal(plateau.text, "plateau at 100: the server ends the others: closed with "
					  "1013 \"full\"");
	assert_int_equal(plateau.side, BENCH_YOURS);
	result->causes.rows[0].first_s = 2.5;
	bench_plateau_find(result, &none, &plateau);
	assert_false(plateau.is_found);
	free(result);
}

/* --- verdict --- */

static void test_the_verdict_begins_with_the_cause(void **state)
{
	(void)state;
	struct bench_result *result = result_of(&situations[0]);
	struct bench_plateau plateau;
	char text[1024];

	bench_plateau_find(result, &situations[0].evidence, &plateau);
	assert_false(bench_verdict(result, &plateau, NULL, 0, text, sizeof(text)));
	assert_string_equal(text, "FAIL: plateau at 1,000: the server's max_connections; 1,000 of "
				  "100,000 connected, 1,000 held 0.0 s; 99,000 refused: HTTP 503 "
				  "(Gatehouse-Limit: max_connections; current=1000; max=1000)");
	free(result);
}

static void test_expectations_decide(void **state)
{
	(void)state;
	static const struct {
		bool are_met[3];
		bool was_interrupted;
		bool is_passed;
		const char *start;
	} rows[] = {
		{{true, true, true}, false, true, "PASS: all 3 expectations met; "},
		{{true, true, true}, true, false, "FAIL: all 3 expectations met; "},
		{{true, false, true}, false, false, "FAIL: expected b<1, saw 2; "},
		{{false, false, false},
		 false,
		 false,
		 "FAIL: expected a<1, saw 2 (and 2 more not met); "},
	};
	struct bench_result *result = calloc(1, sizeof(*result));
	static const struct bench_plateau none;

	/* By its own rule it fails. */
	result->wanted = 2;
	result->totals.connected = 1;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_check checks[3] = {
			{"a<1", "2", false}, {"b<1", "2", false}, {"c<1", "2", false}};
		char text[512];

		for (size_t k = 0; k < 3; k++)
			checks[k].is_met = rows[i].are_met[k];
		result->was_interrupted = rows[i].was_interrupted;
		ASSERT_ROW(bench_verdict(result, &none, checks, 3, text, sizeof(text)) ==
				   rows[i].is_passed,
			   rows[i].start);
		ASSERT_ROW(strncmp(text, rows[i].start, strlen(rows[i].start)) == 0, text);
	}
	free(result);
}

static void test_acts_and_pushes_that_fail_are_no_pass(void **state)
{
	(void)state;
	struct bench_result *result = calloc(1, sizeof(*result));
	struct bench_plateau plateau = {0};
	struct bench_check met = {.text = "dropped==0", .seen = "0", .is_met = true};
	char text[2048];

	result->wanted = 1;
	result->totals = (struct bench_totals){.connected = 1, .held = 1};
	result->acts.count = 2;
	result->acts.rows[0].is_good = true;
	result->acts.rows[1] = (struct bench_act_done){.text = "call: POST /x", .seen = "HTTP 409"};
	assert_false(bench_verdict(result, &plateau, &met, 1, text, sizeof(text)));
	assert_non_null(strstr(text, "FAIL: the act 'call: POST /x' failed: HTTP 409; "));
	result->acts.rows[1].is_good = true;
	assert_true(bench_verdict(result, &plateau, &met, 1, text, sizeof(text)));
	snprintf(result->push_problem, sizeof(result->push_problem), "message 3 of 9: HTTP 500");
	assert_false(bench_verdict(result, &plateau, &met, 1, text, sizeof(text)));
	assert_non_null(strstr(text, "FAIL: pushing stopped: message 3 of 9: HTTP 500; "));
	free(result);
}

static void test_a_wait_that_is_asked_for_is_read(void **state)
{
	(void)state;
	static const struct {
		const char *reason;
		uint32_t seconds;
	} rows[] = {
		{"retry-after=7", 7},
		{"max_connections; retry-after=12: The gateway is full", 12},
		{"retry-after=", 0},
		{"retry-after=x", 0},
		{"Retry-After: 7", 0},
		{"", 0},
		{"retry-after=0", 0},
		{"retry-after=99999999999999999999999", BENCH_RETRY_AFTER_MAX_S},
	};
	struct bench_causes causes = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		ASSERT_ROW(bench_retry_after_s(slice_from_text(rows[i].reason)) == rows[i].seconds,
			   rows[i].reason);
	/* As many different waits as clients are one cause. */
	for (int i = 0; i < 100; i++) {
		char reason[32];

		snprintf(reason, sizeof(reason), "retry-after=%d", i);
		bench_causes_add(&causes, BENCH_CAUSE_CLOSED, 1012, slice_from_text(reason),
				 (struct slice){0}, 1, 0);
	}
	assert_int_equal(causes.count, 1);
	assert_int_equal(causes.rows[0].count, 100);
	assert_string_equal(causes.rows[0].label, "retry-after=N");
}

static void test_a_tester_without_cpu_is_saturated(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		unsigned workers, cores;
		double connect_s, connect_cpu_s, hold_s, hold_cpu_s;
		bool is_saturated;
	} rows[] = {
		{"idle", 1, 2, 10, 1, 10, 1, false},
		{"busy in the hold", 1, 2, 10, 1, 10, 9.5, true},
		{"busy in the ramp", 1, 2, 10, 9.5, 10, 1, true},
		{"a ramp too short to say", 1, 2, 0.5, 0.5, 10, 1, false},
		{"one of two workers", 2, 2, 10, 9.5, 10, 9.5, false},
		{"both of two", 2, 2, 10, 18.5, 10, 1, true},
		{"many workers, two cores", 50, 2, 10, 18.5, 10, 1, true},
		{"no hold", 1, 1, 0.1, 0.1, 0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_result *result = calloc(1, sizeof(*result));

		result->workers = rows[i].workers;
		result->cores = rows[i].cores;
		result->connect_s = rows[i].connect_s;
		result->connect_cpu_s = rows[i].connect_cpu_s;
		result->hold_s = rows[i].hold_s;
		result->hold_cpu_s = rows[i].hold_cpu_s;
		ASSERT_ROW(bench_is_saturated(result) == rows[i].is_saturated, rows[i].name);
		free(result);
	}
}

static void test_counts_have_separators(void **state)
{
	(void)state;
	static const struct {
		uint64_t count;
		const char *text;
	} rows[] = {{0, "0"},
		    {999, "999"},
		    {1000, "1,000"},
		    {12345, "12,345"},
		    {1234567, "1,234,567"},
		    {UINT64_MAX, "18,446,744,073,709,551,615"}};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[32];

		assert_string_equal(units_format_grouped(rows[i].count, out), rows[i].text);
	}
}

/* --- preflight --- */

static void known(struct os_value *fact, uint64_t value)
{
	fact->is_known = true;
	fact->value = value;
}

/* A machine on which nothing caps but what a test sets. */
static struct bench_preflight_facts *roomy_machine(enum loop_engine engine)
{
	struct bench_preflight_facts *facts = calloc(1, sizeof(*facts));

	facts->engine = engine;
	facts->engine_reason = "made up";
	facts->can_io_uring = true;
	facts->cores = 2;
	facts->connections = WANTED;
	facts->is_spread = true;
	known(&facts->os.nofile_soft, 1000000);
	known(&facts->os.nofile_hard, 1000000);
	known(&facts->os.open_files, 6);
	known(&facts->os.port_low, 32768);
	known(&facts->os.port_high, 60999);
	return facts;
}

static void nofile_1024(struct bench_preflight_facts *facts)
{
	known(&facts->os.nofile_soft, 1024);
	known(&facts->os.nofile_hard, 1024);
}

static void one_ring_of_1024(struct bench_preflight_facts *facts)
{
	nofile_1024(facts);
	facts->workers = 1;
}

static void little_memory(struct bench_preflight_facts *facts)
{
	known(&facts->os.memory_total_bytes, 64 << 20);
	known(&facts->os.memory_available_bytes, 16 << 20);
}

static void small_cgroup(struct bench_preflight_facts *facts)
{
	known(&facts->os.cgroup_memory_max_bytes, 32 << 20);
	known(&facts->os.cgroup_memory_used_bytes, 12 << 20);
}

static void one_source(struct bench_preflight_facts *facts)
{
	facts->is_spread = false;
	facts->connections = 30000;
}

static void few_flows(struct bench_preflight_facts *facts)
{
	known(&facts->os.conntrack_max, 4096);
	known(&facts->os.conntrack_used, 96);
}

static void few_files(struct bench_preflight_facts *facts)
{
	known(&facts->os.file_max, 8000);
	known(&facts->os.file_used, 500);
}

static void test_preflight_names_what_binds(void **state)
{
	(void)state;
	static const struct {
		const char *limit;
		enum loop_engine engine;
		void (*restrict_to)(struct bench_preflight_facts *facts);
		uint64_t allowed;
		const char *line, *remedy, *way_round;
	} rows[] = {
		{"nofile", LOOP_ENGINE_EPOLL, nofile_1024, 983, "its own nofile is 1,024",
		 "LimitNOFILE=10041", "--engine io_uring"},
		{"nofile", LOOP_ENGINE_IO_URING, one_ring_of_1024, 960,
		 "its own nofile is 1,024 per ring", "LimitNOFILE=10064", "leave --workers out"},
		{"memory", LOOP_ENGINE_EPOLL, little_memory, 3276,
		 "its own memory is 67,108,864 bytes", "more memory", "-c 3276"},
		{"cgroup.memory", LOOP_ENGINE_EPOLL, small_cgroup, 4096,
		 "its own cgroup.memory is 33,554,432 bytes", "MemoryMax=", "-c 4096"},
		{"ip_local_port_range", LOOP_ENGINE_EPOLL, one_source, 28232,
		 "its own ip_local_port_range is 28,232 ports",
		 "ip_local_port_range=\"1024 65535\"", "127.0.0.0/8"},
		{"nf_conntrack_max", LOOP_ENGINE_EPOLL, few_flows, 4000,
		 "its own nf_conntrack_max is 4,096", "nf_conntrack_max=10096", "-c 4000"},
		{"fs.file-max", LOOP_ENGINE_EPOLL, few_files, 7000, "its own fs.file-max is 8,000",
		 "fs.file-max=", "-c 7000"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_preflight_facts *facts = roomy_machine(rows[i].engine);
		struct bench_preflight preflight;
		char line[512], text[BENCH_PREFLIGHT_EXPLAIN_MAX];

		rows[i].restrict_to(facts);
		bench_preflight_make(facts, &preflight);
		ASSERT_ROW(!preflight.fits, rows[i].limit);
		ASSERT_ROW(strcmp(limit_label(preflight.binding->id), rows[i].limit) == 0,
			   rows[i].limit);
		ASSERT_ROW(preflight.allowed == rows[i].allowed, rows[i].limit);
		bench_preflight_line(&preflight, line, sizeof(line));
		ASSERT_ROW(strstr(line, rows[i].line) != NULL, line);
		bench_preflight_explain(&preflight, text);
		ASSERT_ROW(strstr(text, rows[i].remedy) != NULL, text);
		ASSERT_ROW(strstr(text, rows[i].way_round) != NULL, text);
		ASSERT_ROW(strstr(text, "--force") != NULL, text);
		ASSERT_ROW(strstr(text, "nothing was tested\n") != NULL, text);
		free(facts);
	}
}

/* A remedy is exact: with it the test runs, and with one less it does not. */
static void test_the_remedy_for_descriptors_suffices(void **state)
{
	(void)state;
	static const enum loop_engine engines[] = {LOOP_ENGINE_EPOLL, LOOP_ENGINE_IO_URING};

	for (size_t i = 0; i < ARRAY_LEN(engines); i++) {
		struct bench_preflight_facts *facts = roomy_machine(engines[i]);
		struct bench_preflight preflight;
		char text[BENCH_PREFLIGHT_EXPLAIN_MAX];

		one_ring_of_1024(facts);
		bench_preflight_make(facts, &preflight);
		const char *remedy = strstr(bench_preflight_explain(&preflight, text),
					    "LimitNOFILE=");

		assert_non_null(remedy);
		uint64_t needed = strtoull(remedy + strlen("LimitNOFILE="), NULL, 10);

		known(&facts->os.nofile_soft, needed - 1);
		bench_preflight_make(facts, &preflight);
		assert_false(preflight.fits);
		known(&facts->os.nofile_soft, needed);
		bench_preflight_make(facts, &preflight);
		assert_true(preflight.fits);
		free(facts);
	}
}

/* Not knowing a limit is no reason to refuse. */
static void test_preflight_passes_where_nothing_is_known_to_cap(void **state)
{
	(void)state;
	struct bench_preflight_facts *facts = roomy_machine(LOOP_ENGINE_EPOLL);
	struct bench_preflight preflight;
	char line[512];

	bench_preflight_make(facts, &preflight);
	assert_true(preflight.fits);
	facts->os = (struct os_limits){0};
	bench_preflight_make(facts, &preflight);
	assert_true(preflight.fits);
	assert_non_null(bench_preflight_line(&preflight, line, sizeof(line)));
	assert_int_equal(bench_preflight_ports(facts), 28232);
	free(facts);
}

static void test_small_rings_add_up(void **state)
{
	(void)state;
	struct bench_preflight_facts *facts = roomy_machine(LOOP_ENGINE_IO_URING);
	struct bench_preflight preflight;

	nofile_1024(facts);
	bench_preflight_make(facts, &preflight);
	assert_true(preflight.fits);
	assert_int_equal(preflight.workers, 11);
	assert_int_equal(preflight.allowed, 11 * 960);
	free(facts);
}

/* --- the server's own table --- */

static void test_a_servers_table_is_not_trusted(void **state)
{
	(void)state;
#define ROW(name, used, value) \
	"{\"limit\":\"" name "\",\"kind\":\"caps\",\"used\":" used ",\"value\":" value "}"
	static const struct {
		const char *json;
		bool is_table;
		const char *limit; /* that is used up */
	} rows[] = {
		{"{\"limits\":[" ROW("nofile", "1", "9") "," ROW("a.b-c_1", "9", "9") "]}", true,
		 "a.b-c_1"},
		{"{\"limits\":[" ROW("x", "97", "100") "," ROW("y", "98", "100") "]}", true, "y"},
		{"{\"limits\":[]}", true, ""},
		{"{\"limits\":[" ROW("a b", "9", "9") "]}", true, ""},
		{"{\"limits\":[" ROW("", "9", "9") "]}", true, ""},
		{"{\"limits\":[" ROW("\\u001b[2J", "9", "9") "]}", true, ""},
		{"{\"limits\":[" ROW("x", "-9", "-9") "]}", true, ""},
		{"{\"limits\":[" ROW("x", "9", "0") "]}", true, ""},
		{"{\"limits\":[" ROW("x", "null", "9") "]}", true, ""},
		{"{\"limits\":[" ROW("x", "9.5", "\"9\"") "]}", true, ""},
		{"{\"limits\":[1,null,[],\"x\",{}]}", true, ""},
		{"{\"limits\":[{\"limit\":\"x\",\"kind\":\"counts\",\"used\":9,\"value\":9}]}",
		 true, ""},
		{"{\"limits\":{}}", false, ""},
		{"{}", false, ""},
		{"[]", false, ""},
	};
#undef ROW

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench_evidence evidence = {0};
		json_t *table = json_loads(rows[i].json, 0, NULL);

		ASSERT_ROW(table != NULL, rows[i].json);
		ASSERT_ROW(bench_limits_take(table, &evidence) == rows[i].is_table, rows[i].json);
		ASSERT_ROW(strcmp(evidence.limit, rows[i].limit) == 0, rows[i].json);
		json_decref(table);
	}
}

/* --- the kernel's counters --- */

static void file_write(const char *root, const char *name, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/proc/net/%s", root, name);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void test_kernel_counters_of_a_made_up_machine(void **state)
{
	(void)state;
	char root[] = "/tmp/gatehouse-unit-XXXXXX", path[512];
	struct bench_kernel before, now, since;

	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/proc", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/proc/net", root);
	mkdir(path, 0700);
	bench_kernel_read(root, &before);
	assert_false(before.is_known[BENCH_KERNEL_LISTEN_OVERFLOWS]);
	file_write(root, "netstat", "TcpExt: A ListenOverflows ListenDrops\nTcpExt: 1 5 9\n");
	file_write(root, "snmp", "Ip: AttemptFails\nIp: 77\nTcp: X AttemptFails\nTcp: -1 3\n");
	bench_kernel_read(root, &before);
	assert_int_equal(before.values[BENCH_KERNEL_LISTEN_OVERFLOWS], 5);
	assert_int_equal(before.values[BENCH_KERNEL_ATTEMPT_FAILS], 3);
	/* Half a pair of lines, and a line that is shorter than its names. */
	file_write(root, "netstat", "TcpExt: ListenOverflows ListenDrops\nTcpExt: 7\nTcpExt:");
	bench_kernel_read(root, &now);
	since = bench_kernel_since(&before, &now);
	assert_int_equal(since.values[BENCH_KERNEL_LISTEN_OVERFLOWS], 2);
	assert_false(since.is_known[BENCH_KERNEL_LISTEN_DROPS]);
	assert_int_equal(since.values[BENCH_KERNEL_ATTEMPT_FAILS], 0);
	assert_true(since.is_known[BENCH_KERNEL_ATTEMPT_FAILS]);
	snprintf(path, sizeof(path), "%s/proc/net/netstat", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/proc/net/snmp", root);
	unlink(path);
	snprintf(path, sizeof(path), "%s/proc/net", root);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/proc", root);
	rmdir(path);
	rmdir(root);
}

/* On a port without a listener that the kernel also gives to clients, one of many
 * connections may meet itself. It is no sign of a server, unless all of them are such. */
static void test_a_connection_that_met_itself_hides_no_wrong_port(void **state)
{
	(void)state;
	struct bench_result *result = calloc(1, sizeof(*result));
	const struct bench_evidence evidence = {.listening = "nothing listens on 127.0.0.1:8082"};
	struct bench_plateau plateau;

	assert_non_null(result);
	result->wanted = result->totals.started = result->totals.failed = 100;
	bench_causes_add(&result->causes, BENCH_CAUSE_BAD_HANDSHAKE, 0,
			 slice_from_text(BENCH_OWN_REQUEST), nothing, 100, 1);
	bench_plateau_find(result, &evidence, &plateau);
	assert_string_not_equal(plateau.text, evidence.listening);
	for (unsigned i = 1; i < 100; i++)
		bench_causes_add(&result->causes, BENCH_CAUSE_CONNECT, ECONNREFUSED, nothing,
				 nothing, i, 0);
	bench_causes_sort(&result->causes);
	assert_int_equal(bench_causes_not_listening(&result->causes), 100);
	bench_plateau_find(result, &evidence, &plateau);
	assert_string_equal(plateau.text, evidence.listening);
	free(result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_failure_has_a_side),
		cmocka_unit_test(test_trouble_with_tls_has_a_side),
		cmocka_unit_test(test_a_cause_remembers_when_it_came),
		cmocka_unit_test(test_a_plateau_from_each_source),
		cmocka_unit_test(test_what_is_no_plateau),
		cmocka_unit_test(test_nobody_answers_and_a_limit_is_used_up),
		cmocka_unit_test(test_closing_in_the_ramp_is_a_plateau_and_later_is_not),
		cmocka_unit_test(test_the_verdict_begins_with_the_cause),
		cmocka_unit_test(test_expectations_decide),
		cmocka_unit_test(test_acts_and_pushes_that_fail_are_no_pass),
		cmocka_unit_test(test_a_wait_that_is_asked_for_is_read),
		cmocka_unit_test(test_a_tester_without_cpu_is_saturated),
		cmocka_unit_test(test_counts_have_separators),
		cmocka_unit_test(test_preflight_names_what_binds),
		cmocka_unit_test(test_the_remedy_for_descriptors_suffices),
		cmocka_unit_test(test_preflight_passes_where_nothing_is_known_to_cap),
		cmocka_unit_test(test_small_rings_add_up),
		cmocka_unit_test(test_a_servers_table_is_not_trusted),
		cmocka_unit_test(test_kernel_counters_of_a_made_up_machine),
		cmocka_unit_test(test_a_connection_that_met_itself_hides_no_wrong_port),
	};

	return cmocka_run_group_tests_name("bench_verdict", tests, NULL, NULL);
}
